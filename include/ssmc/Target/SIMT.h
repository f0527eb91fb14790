/// Kernels of the `tile` dialect as programs of thread blocks: what GPUs of all makes have in
/// common.
///
/// A kernel NAME becomes a function of the same name that every thread of a grid runs. A block of
/// threads does one item (a sequence and a head); kernels whose tiles of steps do not wait for each
/// other have a second grid axis, along which blocks share the tiles. Nothing depends on the number
/// of blocks along it, and results are bit-identical from run to run.
///
/// Parameters, all of eight bytes, in this order:
///
///   batch, heads, groups, time[0], time[1]    as in KernelABI.h, i64
///   offsets                                   pointer to i64, null unless packed
///   workspace                                 pointer, of the bytes that KernelInfo says
///   for each operand but those of role `row`: pointer, then four strides, i64
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Support/LogicalResult.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace ssmc::tile {
class KernelOp;
} // namespace ssmc::tile

namespace mlir {
class Operation;
} // namespace mlir

namespace ssmc::simt {

/// Extents of a product of matrices.
struct MatrixShape {
  int64_t rows = 16, lanes = 16, depth = 16;
};

/// The ops that only a vendor's dialect has. Each emits at the builder's place. What has a default
/// is never asked for where the machine says that it has no such thing.
class Machine {
public:
  virtual ~Machine() = default;
  virtual mlir::Value thread(mlir::ImplicitLocOpBuilder& b) const = 0;           ///< i32
  virtual mlir::Value block(mlir::ImplicitLocOpBuilder& b, int axis) const = 0;  ///< i32
  virtual mlir::Value blocks(mlir::ImplicitLocOpBuilder& b, int axis) const = 0; ///< i32
  virtual void barrier(mlir::ImplicitLocOpBuilder& b) const = 0;
  /// The address of the block's shared memory.
  virtual mlir::Value shared(mlir::ImplicitLocOpBuilder& b) const = 0;
  /// The address space of the caller's arrays.
  virtual unsigned globalSpace() const = 0;
  /// Two f32 rounded to bf16, the first in the low half of an i32.
  virtual mlir::Value roundPair(mlir::ImplicitLocOpBuilder& b, mlir::Value low,
                                mlir::Value high) const = 0;
  /// Whether it is one instruction.
  virtual bool roundsInOne() const { return true; }

  /// Whether f64 may be computed with.
  virtual bool hasDoubles() const { return true; }
  /// Whether a block's memory is of whole words, each read and written alone: what is smaller takes
  /// a word there.
  virtual bool hasWordsOnly() const { return false; }
  /// Whether a block's memory has single bytes.
  virtual bool hasBytes() const { return !hasWordsOnly(); }

  /// Threads, next to each other by their numbers, that run in step and exchange values; 1: none.
  virtual int64_t lanes() const { return 1; }
  /// The value of the thread whose number differs by `mask` (below `lanes`) in an exclusive or.
  virtual mlir::Value exchange(mlir::ImplicitLocOpBuilder& b, mlir::Value value, int mask) const;

  /// An i32 that is the same for all threads of a warp, in a way that the vendor's assembler knows
  /// it to be.
  virtual mlir::Value sameInWarp(mlir::ImplicitLocOpBuilder&, mlir::Value value) const {
    return value;
  }

  /// Whether memory is copied without waiting.
  virtual bool hasCopies() const { return false; }
  /// Copies 16 or 4 bytes from the caller's memory to the block's without waiting. With `count`, an
  /// i32, so many bytes are read, and the others become 0.
  virtual void copyLater(mlir::ImplicitLocOpBuilder& b, mlir::Value to, mlir::Value from,
                         int64_t bytes, mlir::Value count) const;
  /// Makes a lot of the copies that the thread has begun since it made the last one.
  virtual void closeCopies(mlir::ImplicitLocOpBuilder& b) const;
  /// Waits for the thread's copies: for all of them, or for all but the last `later` lots, where
  /// each copy is in one.
  virtual void waitForCopies(mlir::ImplicitLocOpBuilder& b, int64_t later = 0) const;

  /// Whether pairs of bf16 are multiplied, by multiplyPairs, by warps of 32 threads that copy, meet
  /// by numbers, send signals and exchange values.
  virtual bool hasPairs() const { return false; }
  /// The meeting of a number, an i32 from 1 to 15, of so many threads: some come to it from one
  /// place of a program, some from another.
  virtual void meet(mlir::ImplicitLocOpBuilder& b, mlir::Value number, int64_t threads) const;
  /// Signals: eight bytes of shared memory each, at a multiple of eight. One is sent whenever as
  /// many have arrived as it was made for, and counts how often: `waitFor` waits until it has been
  /// sent for the (2 n + parity + 1)-th time, where it is known to have been so 2 n + parity times.
  /// What was read and written before arriving is so before the wait ends.
  virtual void makeSignal(mlir::ImplicitLocOpBuilder& b, mlir::Value address,
                          int64_t arrivals) const;
  virtual void arrive(mlir::ImplicitLocOpBuilder& b, mlir::Value address) const;
  /// Arrives once what the thread has asked to be copied is there, without waiting for that.
  virtual void arriveAfterCopies(mlir::ImplicitLocOpBuilder& b, mlir::Value address) const;
  virtual void waitFor(mlir::ImplicitLocOpBuilder& b, mlir::Value address,
                       mlir::Value parity) const;
  /// 2^x of an f32, to a relative error of 2^-21 or less where |x| is small, and far below that of
  /// rounding to bf16 anywhere; results below the smallest normal number may be 0. Machines that
  /// multiply bf16 have it.
  virtual mlir::Value powerOfTwo(mlir::ImplicitLocOpBuilder& b, mlir::Value x) const;
  /// Adds to a tile of 16 x 8 sums a product of 16 x 16 by 16 x 8 bf16: what a thread of 32 holds
  /// of them is four pairs, two pairs and four sums (see lib/Target/SIMT/EmitProduct.cpp).
  virtual llvm::SmallVector<mlir::Value> multiplyPairs(mlir::ImplicitLocOpBuilder& b,
                                                       llvm::ArrayRef<mlir::Value> left,
                                                       llvm::ArrayRef<mlir::Value> right,
                                                       llvm::ArrayRef<mlir::Value> sums) const;
  /// Two such tiles side by side, with the right sides and the sums of one after those of the
  /// other.
  virtual llvm::SmallVector<mlir::Value> multiplySquare(mlir::ImplicitLocOpBuilder& b,
                                                        llvm::ArrayRef<mlir::Value> left,
                                                        llvm::ArrayRef<mlir::Value> right,
                                                        llvm::ArrayRef<mlir::Value> sums) const;
  /// Four tiles of 8 x 8 bf16 from shared memory, one element pair of each for every thread of a
  /// warp as multiplyPairs wants them. Thread 8 i + r gives the address of row r of tile i; with
  /// `transposed` rows in memory are the tiles' columns.
  virtual llvm::SmallVector<mlir::Value> loadTiles(mlir::ImplicitLocOpBuilder& b,
                                                   mlir::Value address, bool transposed) const;
  /// Of a tile of 8 x 8 bf16 that a warp holds by pairs, as multiplyPairs does, its transpose.
  virtual mlir::Value transposeTile(mlir::ImplicitLocOpBuilder& b, mlir::Value pair) const;
  /// Whether a warp writes four such tiles to the block's memory, transposed.
  virtual bool hasTileStores() const { return false; }
  /// Thread 8 i + r gives the address of row r of the transposed tile i, a multiple of 16 bytes.
  virtual void storeTiles(mlir::ImplicitLocOpBuilder& b, mlir::Value address,
                          llvm::ArrayRef<mlir::Value> pairs) const;

  /// Whether groups of 128 threads, four warps of which the first has a number divisible by four,
  /// multiply pairs by matrices that lie in the block's memory. Such machines have pairs too.
  virtual bool hasGroups() const { return false; }
  /// A matrix of bf16 in panels: rows of `panel` bytes, which are 32, 64 or 128, one after the
  /// other, and panels `apart` bytes from each other, all multiples of 256 bytes. What is at byte n
  /// is found at n xor ((n >> 7) mod (panel / 16)) << 4. The address is a multiple of 1024.
  struct GroupMatrix {
    mlir::Value address;
    int64_t panel = 0, apart = 0;
    /// Whether lanes lie side by side, not positions of what is summed.
    bool byLanes = false;
    /// Where positions of what is summed begin, from a multiple of 16 on.
    int64_t offsetAt(int64_t position) const {
      return byLanes ? position * panel : 2 * position / panel * apart + 2 * position % panel;
    }
  };
  /// A product of 64 x 16 by 16 x `lanes` bf16. Of the left side a thread has four pairs as in
  /// multiplyPairs, rows of its warp's, or it begins at an offset of a matrix, too, whose lanes are
  /// its rows; the right side begins at an offset of a matrix.
  struct GroupStep {
    llvm::SmallVector<mlir::Value, 4> left;
    int64_t matrix = 0, offset = 0;
    int64_t leftMatrix = -1, leftOffset = 0;
  };
  /// Begins to add products to 64 x `lanes` sums (a multiple of 8 up to 256), tiles of 16 x 8 as in
  /// multiplyPairs; without sums to zeros. What it returns are the sums once `finishGroup` has
  /// waited for them. More can be added to them meanwhile.
  virtual llvm::SmallVector<mlir::Value> beginGroup(mlir::ImplicitLocOpBuilder& b,
                                                    llvm::ArrayRef<GroupMatrix> matrices,
                                                    llvm::ArrayRef<GroupStep> steps,
                                                    llvm::ArrayRef<mlir::Value> sums,
                                                    int64_t lanes) const;
  /// Waits for sums, but not for the last `later` times that products were begun.
  virtual llvm::SmallVector<mlir::Value>
  finishGroup(mlir::ImplicitLocOpBuilder& b, llvm::ArrayRef<mlir::Value> sums, int64_t later) const;
  /// Before a group multiplies by what threads have written or copied, once it is there.
  virtual void seeMatrices(mlir::ImplicitLocOpBuilder& b) const;

  /// What matrices a warp multiplies, in which nobody knows where an element is: `rows` x `depth`
  /// by `depth` x `lanes` bf16, with sums in f32. Nothing where there are none.
  virtual std::optional<MatrixShape> matrices() const { return {}; }
  /// All threads of a warp call these together, with the same addresses and so many elements from
  /// one row to the next; `byColumns`: of the transposed matrix. Addresses are of the block's
  /// memory, and like strides multiples of 16 bytes.
  virtual mlir::Value loadMatrix(mlir::ImplicitLocOpBuilder& b, mlir::Value address, int64_t stride,
                                 bool byColumns, bool isRight) const;
  /// Sums that lie there as f32, and sums that are all one number.
  virtual mlir::Value loadSums(mlir::ImplicitLocOpBuilder& b, mlir::Value address, int64_t stride,
                               bool byColumns) const;
  virtual mlir::Value fillSums(mlir::ImplicitLocOpBuilder& b, mlir::Value number) const;
  /// Element by element.
  enum class Combine { Add, Sub, Mul };
  virtual mlir::Value combineSums(mlir::ImplicitLocOpBuilder& b, Combine kind, mlir::Value x,
                                  mlir::Value y) const;
  /// The elements of sums that a thread has, and sums of such: which ones these are is not said,
  /// but for all sums the same.
  virtual llvm::SmallVector<mlir::Value> splitSums(mlir::ImplicitLocOpBuilder& b,
                                                   mlir::Value sums) const;
  virtual mlir::Value joinSums(mlir::ImplicitLocOpBuilder& b,
                               llvm::ArrayRef<mlir::Value> elements) const;
  /// Whether a thread, of 32, has of sums and of left sides of 16 x 16 rows r and r + 8, r a
  /// quarter of its number, and of either positions c, c + 1, c + 8 and c + 9, c twice the rest, in
  /// this order, and of right sides lanes and positions likewise: what NVIDIA's mma.sync gives a
  /// thread. It is what a driver does, and nobody promises it: kernels that build on it look for
  /// themselves, and give NaN where it is not so. Such machines have multiplyPairs too.
  virtual bool hasFragmentLayout() const { return false; }
  bool multipliesPairs() const { return hasPairs() || hasFragmentLayout(); }
  /// What a thread has of a side, two elements at a time as pairs of bf16, each an i32; and a side
  /// of such.
  virtual llvm::SmallVector<mlir::Value> splitSide(mlir::ImplicitLocOpBuilder& b,
                                                   mlir::Value side) const;
  virtual mlir::Value joinSide(mlir::ImplicitLocOpBuilder& b, llvm::ArrayRef<mlir::Value> pairs,
                               bool isRight) const;
  virtual mlir::Value multiplyMatrices(mlir::ImplicitLocOpBuilder& b, mlir::Value left,
                                       mlir::Value right, mlir::Value sums) const;
  virtual void storeSums(mlir::ImplicitLocOpBuilder& b, mlir::Value sums, mlir::Value address,
                         int64_t stride, bool byColumns) const;
  /// A meeting of a warp: what its threads wrote to the block's memory before it, all of them read
  /// after it.
  virtual void meetWarp(mlir::ImplicitLocOpBuilder& b) const;
};

/// What a block may take.
struct Limits {
  int64_t sharedBytes = 48 << 10;
  int64_t threads = 128;
  /// Sequences times heads of the calls that kernels are for, and processors to be filled by them:
  /// a free axis is cut in parts where they are fewer. 0: not known.
  int64_t items = 0, processors = 132;
};

/// What launching a kernel needs to know.
struct KernelInfo {
  std::string name;
  int64_t threads = 128;
  /// Whether items are sequences and groups, not heads.
  bool isOfGroups = false;
  /// Blocks for each item, side by side: grid axis 0 has items times slices.
  int64_t slices = 1;
  int64_t sharedBytes = 0;
  /// Blocks that a processor should have registers for at a time.
  int64_t residentBlocks = 1;
  /// Operands that must begin at multiples of 16 bytes, with strides that are such: by their number
  /// among the parameters, with the bytes of an element.
  std::vector<std::pair<int64_t, int64_t>> aligned;
  /// Operands that must lie in one allocation with others: by their number among the parameters,
  /// with that of the allocation, from 1 on, which is the same for all kernels of a module.
  std::vector<std::pair<int64_t, int64_t>> together;
  /// Steps of a tile, where blocks share the tiles of a sequence (grid axis 1); else 0.
  int64_t sharedTile = 0;
  /// Whether warps take columns, with states in registers.
  bool holdsColumns = false;
  /// Bytes of workspace for each block: fixed, and times the size of the second time axis.
  int64_t workspaceBytes = 0, workspacePerColumn = 0;
};

/// Whether this lowering has loops of its own for an op over the steps of a chunk, on a machine
/// that multiplies pairs or not.
bool lowersSteps(mlir::Operation* op, bool multipliesPairs);

/// Lowers a kernel to a function before it, which is left in place. Fails, with a message, where it
/// cannot be done.
mlir::FailureOr<KernelInfo> lowerKernel(tile::KernelOp kernel, const Machine& machine,
                                        const Limits& limits);

} // namespace ssmc::simt
