// What emits a kernel whose columns never meet (EmitColumns.cpp says how).
#pragma once

#include "lib/Target/SIMT/Emitter.h"

namespace ssmc::simt {

/// Columns of a warp, and positions of a tile.
inline constexpr int64_t columnsOfWarp = 16, positions = 8;

/// Signals of a slot: its chunk is there, and has been read.
enum Signal : int64_t { isThere, isRead, signalsOfSlot };
/// The number of the meeting of the first two warps that share columns; those of others follow.
inline constexpr int64_t areAddedUp = 1;
/// Chunks that shared memory has room for.
inline constexpr int64_t fewestSlots = 2, mostSlots = 4;

/// An array with columns, in the registers of a warp: for each tile of eight positions columns r
/// and r + 8 by positions c and c + 1, row by row. Without another label two elements.
struct Fragment {
  ssm::AxisAttr axis; ///< null: columns alone
  SmallVector<Value> elements;
  /// Of what lies as bf16 also two at a time, as they lie.
  SmallVector<Value> pairs = {};
  /// Of sums that a group of warps is still adding up: which of the products it has begun.
  std::optional<int64_t> begun = {};
};

/// What is the same of all ways in which warps take columns.
class WarpColumns {
protected:
  WarpColumns(KernelEmitter& e, tile::SequenceOp sequence)
      : e(e), b(e.b), sequence(sequence), column(*e.kernel.getColumns()) {}
  virtual ~WarpColumns() = default;

  bool bears(Value value) { return arrayType(value).has(column); }
  ssm::AxisAttr otherAxis(Value value);
  /// Elements that a thread has of columns by an axis, or of columns alone.
  virtual int64_t sizeOf(ssm::AxisAttr axis) = 0;
  /// Where one is.
  virtual Point pointOf(ssm::AxisAttr axis, int64_t element) = 0;
  /// The number of its column among those of columns alone.
  virtual int64_t columnOf(int64_t element) = 0;
  virtual const Fragment& fragmentOf(Value value) = 0;

  /// What an op makes of elements, one by one.
  Fragment computeElements(Value value);
  /// Of a sum of two the product that nothing else reads, and what it is added to; null if there is
  /// none, or none that is admitted.
  std::pair<ssm::SumOp, Value> addedProduct(
      Operation* op, llvm::function_ref<bool(ssm::SumOp)> admits = [](ssm::SumOp) { return true; });
  /// What is read once for a sequence, from the caller's memory.
  Fragment readOperand(tile::LoadOp load);
  /// Whether a value is 0 at steps that do not exist, as operands are.
  bool isZeroBeyond(Value value);
  /// What a sum multiplies: columns by a matrix, or by two that add up to one.
  struct Factors {
    Value side; ///< the left one
    Fragment left;
    Fragment made; ///< without elements
    KernelEmitter::Side where;
    SmallVector<Value, 2> copies; ///< of the matrix, under the names that their labels have there
    std::optional<mlir::ArrayAttr> triangle;
    bool keepsRest = false;
    bool asksSteps = false; ///< of the left side
  };
  Factors factorsOf(ssm::SumOp sum);
  /// The left side's element as it is, and 0 at steps that do not exist.
  Value leftElement(const Factors& factors, int64_t element);

  /// An operand that all warps of the block read.
  struct Staged {
    tile::LoadOp load;
    Buffer all; ///< the first slot
    int64_t bytes = 0;
    int64_t unit = 0; ///< elements that are copied at once
  };
  /// A place for one, in panels if asked for.
  Staged stage(tile::LoadOp load, bool inPanels);
  Buffer slotOf(const Staged& one, Value slot);
  /// Where no step is missing `body` is emitted as if none could be, and else once more.
  void forWhole(Value left, llvm::function_ref<void()> body);

  SmallVector<Value> flatten(mlir::ValueRange values);
  void adopt(mlir::ValueRange arguments, mlir::ValueRange elements);
  Value chunkStart(Value number);
  /// What a chunk is computed from: its number's steps, and what the sequence carries.
  void enterChunk(Value number, mlir::ValueRange carried);
  /// Sets the positions that a chunk has of each name of its steps.
  void setExtents(Value left);

  KernelEmitter& e;
  mlir::ImplicitLocOpBuilder& b;
  tile::SequenceOp sequence;
  StringRef column;
  llvm::DenseMap<Value, Fragment> fragments;
  Value warp, chunks;
};

class ColumnEmitter : WarpColumns {
public:
  ColumnEmitter(KernelEmitter& e, tile::SequenceOp sequence)
      : WarpColumns(e, sequence), sharers(e.columns.sharers) {}
  void emit();

private:
  void planStaging();
  /// Whether groups of warps multiply by it.
  bool isMatrix(tile::LoadOp load);
  Value slotOfChunk(Value chunk);
  Value signalOf(Value slot, Signal signal);
  void makeSignals();
  /// Waits for what is said of a slot's chunk for the n-th time.
  void waitFor(Value slot, Signal signal, Value turn);
  /// How many chunks a chunk's slot has held before.
  Value turnOf(Value chunk);
  void bringIn(Value chunk, Value slot);
  void copy(Staged& one, Value slot);

  /// Positions of a label that a warp has.
  int64_t extentOf(ssm::AxisAttr axis) { return axis.getSize() / (isShared(axis) ? sharers : 1); }
  int64_t sizeOf(ssm::AxisAttr axis) override { return axis ? extentOf(axis) / positions * 4 : 2; }
  int64_t columnOf(int64_t element) override { return element % 4 / 2; }
  /// A position, by its number among a warp's own.
  Index indexOf(ssm::AxisAttr axis, int64_t position, Value within);
  Point pointOf(ssm::AxisAttr axis, int64_t element) override;
  const Fragment& fragmentOf(Value value) override;
  /// The same, without waiting for what is being added up.
  Fragment& begin(Value value);
  /// Begins all products with the states that a chunk begins with.
  void beginFirst();
  Fragment compute(Value value);
  Fragment readStaged(tile::LoadOp load);
  Fragment multiply(ssm::SumOp sum, const Fragment* start);
  /// Sixteen positions of a left side, from x on, as pairs and what rounding leaves of them.
  void roundLeft(const Factors& factors, int64_t x, SmallVectorImpl<Value>& pairs,
                 SmallVectorImpl<Value>& rests);
  /// A product for a group of warps, with its left side rounded.
  struct GroupProduct {
    Fragment made; ///< without elements
    SmallVector<Machine::GroupMatrix, 2> matrices;
    SmallVector<Machine::GroupStep> steps;
  };
  GroupProduct prepareForGroup(ssm::SumOp sum);
  Fragment multiplyInGroup(const GroupProduct& product, const Fragment* start);

  //===-- columns that warps share (ShareColumns.cpp) -----------------------------------------===//
  bool isShared(ssm::AxisAttr axis) {
    return sharers > 1 && axis && e.columns.shared.contains(axis.getName());
  }
  /// Whether a sum is one over positions that warps share, of which each has a part.
  bool isPart(ssm::SumOp sum);
  void planExchange();
  /// Makes sums of parts of them.
  void addUp(llvm::MutableArrayRef<Fragment> parts);
  /// Where a chunk's last sums and the next one's first have the same place: before that is written
  /// again it must have been read.
  void meetAgain();
  void meetSharers();
  /// The sums of what a chunk begins with, all at once.
  void addUpFirst();

  void writeOperand(tile::StoreOp store);
  /// Makes room for the rows that warps write, where that is left.
  void planRows(int64_t room);
  /// Rows of sixteen columns, 32 bytes each, by way of `rows`: a thread's pieces, of row t / 2 of
  /// every sixteen.
  SmallVector<Value> piecesOfRows(const Fragment& fragment);

  void emitColumns(Value count);
  void emitCopies(Value count);

  std::vector<Staged> staged;
  int64_t slots = fewestSlots;
  int64_t begun = 0, done = 0; ///< products, of this chunk
  int64_t sharers;             ///< warps of sixteen columns
  Value half;                  ///< which of them this one is
  Buffer signals;
  Buffer exchanged; ///< places for sums, of which two take turns
  int64_t exchangeBytes = 0, exchanges = 0;
  std::optional<Buffer> rows; ///< of each warp, on their way to the caller's memory
  int64_t rowBytes = 0;       ///< of a warp
  Value c, myColumn;
};

} // namespace ssmc::simt
