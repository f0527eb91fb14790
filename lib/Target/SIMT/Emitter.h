/// Emits one tile kernel as the program of a thread block: the core of the targets whose machines
/// run many threads in step.
///
/// Every value of a kernel is a labelled array. At any place of the emitted code a value is
/// *buffered* (it lies in memory that the block shares), *private* (each thread holds its part in
/// registers, see EmitFold.cpp), or *inline*: computed from its operands where it is used. To emit
/// one element of an array, at an index for each label, is `evaluate`. What is buffered and in
/// which order is decided in Plan.cpp: a block of ops becomes stages, between which all threads
/// meet; the elements of what one stage computes are dealt out to the threads (EmitStages.cpp).
/// Items, operands and sequences are in LowerKernel.cpp.
#pragma once

#include "dialects/Tile/Tile.h"
#include "lib/Target/Values/Products.h"
#include "lib/Target/Values/Values.h"
#include "ssmc/Target/SIMT.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace ssmc::simt {

using namespace target;
using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using llvm::StringRef;
using mlir::Block;
using mlir::Operation;
using mlir::Type;
using mlir::Value;

/// An index along one label: `dynamic + constant`, i32.
struct Index {
  Value dynamic;
  int64_t constant = 0;
};

/// An index for each label of a value.
struct Point {
  SmallVector<std::pair<StringRef, Index>, 4> indices;
  const Index* find(StringRef label) const;
  void set(StringRef label, Index index);
  void erase(StringRef label);
};

/// How one label of a buffer is laid out, in elements.
struct Dim {
  StringRef label;
  int64_t extent = 1;
  int64_t stride = 1;
  Value dynamicStride; ///< i64, in place of `stride`
};

/// Where a value lies: in the block's own memory, or in the caller's.
struct Buffer {
  int id = -1; ///< number of a place of the block's own; -1: the caller's memory
  Value base;
  SmallVector<Dim, 4> dims;
  Type element; ///< of the tile: f32, i1, i32
  Type storage; ///< in memory
  /// Whether it begins at a multiple of 16 bytes.
  bool isAligned = false;
  /// Bytes of a row of a panel (Machine::GroupMatrix), of a matrix that lies in such; else 0.
  int64_t panel = 0;
};

/// The elements that a thread holds of a value: one for each position of its labels but those that
/// are dealt out to threads.
struct Private {
  SmallVector<ssm::AxisAttr> axes;
  SmallVector<Value> elements;
};

/// Lanes that hold positions of a label in turns: `width` side by side each, all of them `sharers`
/// times as many.
struct Sharing {
  StringRef label = {};
  int64_t sharers = 1, width = 1;
  Value first; ///< the first position of a thread, while it is in use
};

/// A fold that keeps what it carries in registers from one tile of a sequence to the next
/// (HeldFold.cpp).
struct HeldFold {
  ssm::FoldOp fold;
  /// What is held, by its number among what the sequence and what the fold carries.
  SmallVector<std::pair<unsigned, unsigned>> carried;
  SmallVector<ssm::AxisAttr> dealt; ///< labels whose positions are dealt out to threads
  Sharing sharing;
  int64_t blocks = 1;          ///< of a processor, whose registers they share
  SmallVector<Private> values; ///< of `carried`, where the program is
  /// The elements of all of `values`.
  SmallVector<Value> elements() const;
};

/// A value that a block yields, and where it goes.
struct Result {
  Value value;
  Buffer target;
  StringRef label = {}; ///< the label of the steps that a fold stacks along
};

/// A place of the block's own memory: from when until when it is in use, in stages.
struct Place {
  int64_t bytes = 0;
  int64_t first = 0, last = 0;
  int64_t alignment = 16;
  bool isSide = false;               ///< of products
  mlir::Operation* offset = nullptr; ///< the constant to patch; null where it is in the workspace
  int64_t position = 0;
};

/// Columns of a block below which products would run empty, and of a group of warps.
inline constexpr int64_t fewestColumns = 16, columnsOfGroup = 64;

/// A part of a label for each block.
struct Slice {
  StringRef label;
  int64_t parts = 1, size = 0;
  void halve() {
    size /= 2;
    parts *= 2;
  }
  /// Whether there are too few blocks for nearly all processors, if that is known.
  bool leavesIdle(const Limits& limits) const {
    return limits.items > 0 && limits.items * parts * 4 < limits.processors * 3;
  }
};

/// The axes of a product's rows and lanes, and those that are neither.
SmallVector<ssm::AxisAttr> takeOut(ArrayRef<ssm::AxisAttr> axes, StringRef row, StringRef lane,
                                   ssm::AxisAttr& rowAxis, ssm::AxisAttr& laneAxis);

/// What of a product's result a warp computes at a time, in tiles.
struct WarpTile {
  int64_t rows = 1, lanes = 1;
};
/// The one with the least work for the busiest warp: of so many tiles of its own a warp's task
/// costs `cost`, which is nothing where it cannot have so many.
WarpTile chooseWarpTile(int64_t rowTiles, int64_t laneTiles, int64_t warps,
                        llvm::function_ref<std::optional<int64_t>(int64_t, int64_t)> cost);

/// An axis of so many positions.
inline ssm::AxisAttr axisOf(mlir::OpBuilder& b, StringRef label, int64_t size) {
  return ssm::AxisAttr::get(b.getContext(), b.getStringAttr(label), b.getI64IntegerAttr(size));
}

/// Steps of a block on the diagonal of a matrix over steps.
inline constexpr int64_t blockSteps = 16;
/// Whether sides of products of the op's kernel are rounded to bf16, and a chunk of so many steps
/// is one block or halves of whole blocks.
bool takesBlocks(Operation* op, int64_t steps);
/// Whether an op is over the steps of a chunk and is emitted as such, by all threads together.
inline bool isOverSteps(Operation* op) {
  return llvm::isa<ssm::GramOp, ssm::ApplyOp, ssm::SolveOp>(op);
}
/// Whether a gram is computed by products, with sides rounded as those are.
bool lowersGram(ssm::GramOp gram);
/// The same of what gradients of such grams are.
bool lowersApply(ssm::ApplyOp apply);
/// Whether a system is solved for the identity, by blocks.
bool lowersInverse(ssm::SolveOp solve);

Slice chooseSlice(tile::KernelOp kernel, const Limits& limits);
/// Gives the label the size of a part, everywhere but in the kernel's operands.
void applySlice(tile::KernelOp kernel, const Slice& slice);

/// Rewrites what would leave most threads without work (Arrange.cpp).
void arrangeForThreads(tile::KernelOp kernel, int64_t threads, int64_t lanes, bool joinsProducts);
/// Positions of each label that tiles of pairs pay for.
inline constexpr int64_t fewestPositions = 16;

/// The name that a label has in what is renamed.
StringRef nameBelow(ssm::RelabelOp relabel, StringRef label);

/// Labels along which elements meet somewhere below an op: those that are renamed, walked over or,
/// if asked for, reduced.
llvm::StringSet<> mixedLabels(Operation* root, bool reduced = true);

/// Numbers that a thread may hold of what a fold carries, and ops that a step may unroll to; so few
/// that threads may be without work.
inline constexpr int64_t mostCarried = 160, mostUnrolled = 6000, fewUnrolled = 400;
/// The fold that alone reads what a sequence carries, and computes it; none: null.
HeldFold findHeldFold(tile::SequenceOp sequence);
/// Deals the fold's work out to so many threads; whether they can hold what it carries.
bool planHeldFold(HeldFold& held, int64_t threads, int64_t lanes);
/// A part of a label such that the threads of a block can hold the state of a kernel.
Slice chooseHeldSlice(tile::KernelOp kernel, const Limits& limits, int64_t lanes);

/// How the labels of a fold are dealt with.
struct FoldLabels {
  SmallVector<ssm::AxisAttr> dealt; ///< of folds side by side
  ssm::AxisAttr longest;            ///< of those that it does nothing with but sum
  /// For each position of `dealt`: numbers that it carries, and ops of a step.
  int64_t held = 0, ops = 0;

  bool isDealt(StringRef label) const;
  /// The elements of a value for each position of `dealt`.
  int64_t count(Value value) const;
};
FoldLabels labelsOf(ssm::FoldOp fold);

/// The store of what rounding leaves of the value that a store rounds, if there is one.
tile::StoreOp restStoreOf(tile::StoreOp store);
/// Whether a store of what rounding leaves is emitted with that of what it gives.
bool isWithAnother(tile::StoreOp store);

/// A value that is kept as two bf16, which are loaded: what rounding gave, and what it left. Null
/// where it is none.
std::pair<Value, Value> storedPairOf(Value value);

/// Slices of a kernel with `columns`: as many as a warp or, if the machine has such, a group takes,
/// or a multiple.
Slice chooseColumns(tile::KernelOp kernel, const Machine& machine, const Limits& limits);

/// Whether groups of warps multiply in a kernel with `columns`, of which a block has so many.
bool takesGroups(tile::KernelOp kernel, int64_t columns, const Machine& machine);

/// How warps of a kernel with `columns` take them; no warps: it is emitted as any other.
struct Columns {
  int64_t warps = 0;
  /// Whether groups of warps multiply by matrices where these lie.
  bool inGroups = false;
  /// Other warps, which bring in what these read, by themselves or (where a warp may multiply
  /// matrices in which nobody knows where an element is) with them; none: these do so.
  int64_t copiers = 2;
  int64_t threads() const { return 32 * (warps + copiers); }
  /// Warps that share sixteen columns, and the labels of whose positions each has a part.
  int64_t sharers = 1;
  llvm::StringSet<> shared;
};

/// The ways to try for a kernel, the best one first.
std::vector<Columns> columnsOf(tile::KernelOp kernel, const Slice& slice, const Machine& machine,
                               const Limits& limits);

struct JointProducts;

class KernelEmitter {
public:
  KernelEmitter(tile::KernelOp kernel, mlir::ImplicitLocOpBuilder& b, const Machine& machine,
                const Limits& limits, const Slice& slice, const ProductMap& products,
                bool roundsProducts, bool stagesAhead, bool ownsProcessor, const Columns& columns,
                int64_t mostAsked = 0, int64_t mostInAll = INT64_MAX)
      : kernel(kernel), b(b), machine(machine), limits(limits), slice(slice), products(products),
        roundsProducts(roundsProducts), stagesAhead(stagesAhead), ownsProcessor(ownsProcessor),
        columns(columns), mostAsked(mostAsked), mostInAll(mostInAll) {
    for (const auto& [op, product] : products)
      hasBlocks |= usesBlocks(op);
  }

  /// Emits the function. `inWorkspace` are the places that shared memory has no room for.
  void run(const llvm::DenseSet<int>& inWorkspace);
  /// After a run: the places, packed; whether they fit, and if not which should move.
  bool pack(llvm::DenseSet<int>& inWorkspace);
  KernelInfo info;
  /// After a run: ops of short private folds whose steps are written out.
  int64_t written = 0;

private:
  //===-- values (EmitValues.cpp) -------------------------------------------------------------===//
  using Key = std::pair<void*, std::vector<std::tuple<const char*, void*, int64_t>>>;
  Value evaluate(Value value, const Point& point);
  /// Of an element that has been emitted its name.
  static Key keyOf(Value value, const Point& point);
  Value compute(Value value, const Point& point);
  Point operandPoint(Operation* op, const Point& point);
  Value reduceInline(Operation* op, const Point& point);
  Value reduceInLoop(Operation* op, const Point& point);
  Value emitShift(ssm::ShiftOp shift, const Point& point);
  Value emitFlat(Operation* op, const Point& point);
  Value readPrivate(const Private& held, const Point& point);
  Value i32(int64_t value);
  Value i64(int64_t value);
  Value indexValue(const Index& index);
  /// The extent of a label: what exists of the steps of a tile, or the number.
  Value extentOf(StringRef label, int64_t extent);
  bool isPartial(StringRef label) const { return partialExtents.count(label) != 0; }
  /// Whether the index exists, as a condition; null where it does for sure.
  Value existsAt(ArrayRef<ssm::AxisAttr> axes, const Point& point);

  /// Elements side by side along one label.
  using Run = ArrayRef<std::pair<Point, Value>>;
  using Finish = llvm::function_ref<void(Run run)>;

  //===-- memory (EmitMemory.cpp) -------------------------------------------------------------===//
  Value load(const Buffer& buffer, const Point& point);
  void store(const Buffer& buffer, const Point& point, Value value);
  /// A run, at once where its places lie side by side.
  void storeRun(const Buffer& buffer, Run run);
  Value vectorOf(ArrayRef<Value> elements);
  /// The labels of a value in the order in which it has them in a place, those of `order` last.
  SmallVector<ssm::AxisAttr> placedAxes(ssm::ArrayType type, ArrayRef<StringRef> order);
  /// Of a place with these axes; `strides` become those of them, in elements.
  int64_t bytesOfPlace(ArrayRef<ssm::AxisAttr> axes, Type storage,
                       SmallVectorImpl<int64_t>* strides = nullptr);
  /// A place for a value, with the labels of `order` last; kept as `storage`, if given.
  Buffer makeBuffer(ssm::ArrayType type, ArrayRef<StringRef> order = {}, Type storage = {});
  /// The largest of the places in use when most is, of those that have not been moved; -1 if all
  /// are small.
  int largestWhereMostIs(const llvm::DenseSet<int>& moved);
  /// A place for a matrix of bf16 in panels, the last of `order` along their rows.
  Buffer makePanels(ssm::ArrayType type, ArrayRef<StringRef> order);
  void layInPanels(Buffer& buffer);
  /// A buffer in panels as a matrix for groups of warps, of which `lanes` is a label.
  Machine::GroupMatrix groupMatrixOf(const Buffer& buffer, StringRef lanes);
  void touch(const Buffer& buffer);
  Value addressInPanels(const Buffer& buffer, const Point& point);
  Value address(const Buffer& buffer, const Point& point);
  Value gep(Value base, Type unit, Value index);

  //===-- stages (Plan.cpp, EmitStages.cpp) ---------------------------------------------------===//
  /// Emits the ops of a block; then what it carries on (its arguments' next values, to where these
  /// lie) and, in between, what its fold stacks.
  void emitBlock(Block* block, ArrayRef<Result> carried, ArrayRef<Result> stacked);
  /// What joint products are to give, by its value and, of copies, by what they copy.
  struct JointResults {
    SmallVector<std::pair<Value, Buffer>> kept;
    SmallVector<std::pair<std::pair<void*, bool>, Buffer>> copies;
    SmallVector<std::pair<Operation*, Buffer>> parts; ///< of sums
  };
  JointResults emitJoint(const JointProducts& joint, llvm::function_ref<bool(Value)> wantsRest);
  Point pointAt(Value number, ArrayRef<ssm::AxisAttr> axes, Point point = {});
  /// Numbers below `total`, each for one thread.
  void dealNumbers(int64_t total, llvm::function_ref<void(Value)> body);
  void deal(ArrayRef<ssm::AxisAttr> axes, llvm::function_ref<void(const Point&)> body);
  /// Computes all elements of a value that has no place yet, into `target`.
  void emitNest(Value value, const Buffer& target);
  void emitGroupReduction(Operation* op, const Buffer& target, int64_t group);
  void emitResult(const Result& result);
  void emitStore(tile::StoreOp store);
  Buffer storedBuffer(tile::StoreOp store);
  /// What writes elements to where a store's are, and what rounding leaves of them.
  std::function<void(Run)> writerOf(tile::StoreOp store, const Buffer& target);
  /// Whether a store needs no condition of its own.
  bool storesAnywhere(tile::StoreOp store);
  Type storageOf(Operation* op);
  void barrier();
  Value numberAmong(int64_t count);
  /// The number of a thread among the next `count`, whole warps, counted from the first thread that
  /// has had no work since threads met.
  Value takeThreads(int64_t count);
  using LoopBody = llvm::function_ref<SmallVector<Value>(Value index, mlir::ValueRange carried)>;
  SmallVector<Value> loop(Value lower, Value upper, Value step, mlir::ValueRange inits,
                          LoopBody body);
  void when(Value condition, llvm::function_ref<void()> body);
  SmallVector<Value> choose(Value condition, llvm::function_ref<SmallVector<Value>()> yes,
                            llvm::function_ref<SmallVector<Value>()> no);
  /// A loop of the whole block: what is in use before it and read in it stays so until its end.
  void enterLoop();
  void leaveLoop();

  //===-- operands of the next tile (Stage.cpp) -----------------------------------------------===//
  /// An operand that is brought in while the tile before is computed: a place for two tiles.
  struct Staged {
    tile::LoadOp load;
    Buffer both;                               ///< that of even tiles
    int64_t bytes = 0;                         ///< of one tile
    bool isCopied = false;                     ///< 16 bytes at a time, without registers
    SmallVector<std::pair<Value, Point>> held; ///< elements on their way
  };
  /// Whether an operand lies so that 16 bytes can be copied at a time to a place.
  bool copiesWhole(tile::LoadOp load, const Buffer& target);
  void emitCopy(tile::LoadOp load, const Buffer& target, bool later);
  std::vector<Staged> planStaging(tile::SequenceOp sequence);
  Buffer slotOf(const Staged& staged, Value parity);
  /// Asks for a tile's operands. Those that go through registers are stored by finishStaging.
  void beginStaging(std::vector<Staged>& staged, Value parity);
  void finishStaging(std::vector<Staged>& staged, Value parity);

  //===-- products (EmitProduct.cpp) ----------------------------------------------------------===//
  struct Pair {
    Value value, rest; ///< two bf16 as an i32; what rounding left, where wanted
  };
  /// Two f32 as bf16, and what rounding them leaves.
  Pair roundedPair(Value low, Value high, bool wantsRest);
  Value restOf(Value value);
  /// One of two bf16, as an f32: a bf16 is its upper half.
  Value halfOf(Value pair, bool upper);
  SmallVector<std::pair<Point, Value>> restsOf(Run run);
  /// Whether a sum is a product for the machine's units.
  bool usesPairs(Operation* op);
  /// The products that flow into a value where it is computed.
  void productsOf(Value value, SmallVectorImpl<Operation*>& found, bool isRoot);
  /// Computes all elements of a value, each in one thread, products in it included, and hands them
  /// to `finish`, several at a time: what `finish` writes is written after all of these were read.
  /// With `target` that does nothing but store there.
  void emitElements(Value root, ArrayRef<ssm::AxisAttr> axes, Finish finish,
                    const Buffer* target = nullptr);
  void dealElements(Value root, ArrayRef<ssm::AxisAttr> axes, Finish finish);
  /// Deals tasks out to warps, for all positions of other labels one after the other.
  void dealTasks(ArrayRef<ssm::AxisAttr> others, Value warp, int64_t warps, int64_t tasks,
                 llvm::function_ref<void(Value, const Point&)> emitTask,
                 const Point& point = Point());
  /// What is made of products where they are in registers, and what is done with its elements.
  struct Root {
    Value value;
    std::function<void(Run)> finish;
  };
  /// A sum of what is made of products over their rows or lanes: a part for each tile.
  struct Total {
    Value terms;
    StringRef label; ///< that is summed
    Buffer parts;    ///< with a label for the number of the part
  };
  void emitProducts(ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes, ArrayRef<Root> roots,
                    ArrayRef<Total> totals = {});
  /// A side of a product in memory as bf16: what rounding gives and, where wanted, what it leaves.
  struct Side {
    Value base;                           ///< the side without changes of names
    StringRef kept, reduced;              ///< its labels there
    SmallVector<Operation*, 2> renamings; ///< from the side to it
  };
  /// A product's sides, what of them is rounded, and what is added up: products of what rounding
  /// gives (false) and leaves (true) of either.
  struct Factors {
    Value leftValue, rightValue;
    StringRef reduced;
    int64_t extent = 0;
    Side left, right;
    SmallVector<std::pair<bool, bool>> terms;
    bool restLeft = false, restRight = false;
  };
  Factors factorsOf(Operation* sum, StringRef row, StringRef lane);
  /// The label of the rows of a product for groups of warps, if its sides lie in panels; none if it
  /// is not for such.
  StringRef rowsForGroups(Operation* sum);
  /// How the products of an array are dealt out to warps, or to groups of four.
  struct Dealt {
    StringRef row, lane;
    WarpTile tile;         ///< a warp's, in tiles of 16 x 8
    bool inGroups = false; ///< whether groups multiply matrices where these lie: 64 rows at a time
  };
  Dealt dealtOf(ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes);
  std::optional<Dealt> dealtToGroups(ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes);
  /// A group's sums of products, begun: rows from a place on, and lanes.
  SmallVector<Value> beginInGroup(Operation* sum, const Dealt& dealt, Value firstRow,
                                  Value firstLane);
  /// Room for the parts of a sum over a label of products, and the sum of the parts.
  Buffer makeParts(Operation* total, ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes);
  void addParts(Operation* total, const Buffer& parts, const Buffer& target);
  Side sideOf(Value value, StringRef kept, StringRef reduced);
  /// A point of the side, under the names that labels have below.
  Point pointBelow(const Side& side, Point point);
  /// Whether the product's sides should be brought to memory as bf16 first, where they are not so.
  bool usesTiles(Operation* sum);
  const Buffer* tileBuffer(const Side& side, bool rest);
  /// Four pairs for rows (or lanes) `first` and first + 8 at columns `column` and column + 8, in
  /// the order (0, 0), (8, 0), (0, 8), (8, 8), for a right side (0, 0), (0, 8), (8, 0), (8, 8).
  SmallVector<Value> loadFragment(const Side& side, bool rest, const Point& others, Index first,
                                  Index column, bool isRight);
  SmallVector<Value> loadFragmentOf(const Buffer& buffer, bool transposed, StringRef kept,
                                    StringRef reduced, const Point& others, Index first,
                                    Index column, bool isRight);
  void emitOperand(Value base, const Buffer& high, const Buffer* low);
  /// Writes values as bf16 and, if there is a place, what rounding leaves of them.
  void storeRounded(const Buffer& high, const Buffer* low, Run run);
  std::optional<Value> storedPair(Value value, const Point& point, StringRef label);
  Pair pairAt(Value value, const Point& point, StringRef label, int64_t extent, bool wantsRest);

  //===-- products by matrices (EmitMatrices.cpp) ---------------------------------------------===//
  /// Whether a sum is a product of the machine's matrices, with sides that lie as bf16.
  bool usesMatrices(Operation* op);
  /// Whether a root that such sums flow into was computed so; nothing is emitted where their sides
  /// are not where matrices are read. What can be made of matrices alone goes to `target`, if
  /// given, past `finish`.
  bool emitMatrices(Value root, ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes,
                    const Buffer* target, Finish finish);
  /// A matrix's elements in the block's memory, each its own number, by rows.
  Buffer makeNumbers(Type storage);
  /// The first place of such a matrix.
  Point firstOf(const Buffer& matrix);
  /// Looks whether a thread has of matrices what is said of them (Machine::hasFragmentLayout).
  void checkLayout();
  /// Where an element is in a tile of sums, then.
  Index rowOfElement(int64_t element), positionOfElement(int64_t element);
  /// What a matrix is read from: the first of its elements is at `point`.
  Value loadMatrix(const Buffer& buffer, StringRef kept, StringRef reduced, const Point& point,
                   bool isRight);
  /// Whether sums lie there as matrices may.
  bool takesMatrices(const Buffer& buffer, StringRef row, StringRef lane);
  Value loadSums(const Buffer& buffer, StringRef row, StringRef lane, const Point& point);
  void storeSums(const Buffer& buffer, StringRef row, StringRef lane, const Point& point,
                 Value sums);
  /// Whether a value is made of sums, arrays where matrices are read, and numbers for all rows and
  /// lanes, by additions and multiplications; and what it is then at a point, of sums that are
  /// known.
  bool isOfMatrices(Value value, ArrayRef<Operation*> sums, StringRef row, StringRef lane);
  Value evaluateMatrix(Value value, const llvm::DenseMap<Operation*, Value>& sums, StringRef row,
                       StringRef lane, const Point& point);

  //===-- products in f32 (EmitBlocks.cpp) ----------------------------------------------------===//
  /// What of a product's result a thread computes at a time.
  struct SumBlock {
    int64_t rows = 1, lanes = 1;
  };
  /// The block with the least work for the busiest thread.
  SumBlock blockOf(ArrayRef<ssm::AxisAttr> axes, StringRef row, StringRef lane, int64_t sums);
  /// Whether a sum is a product of which threads compute blocks.
  bool usesBlocks(Operation* op);
  void emitBlocks(Value root, ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes,
                  Finish finish);
  /// The sums at all points of a block, by rows and lanes.
  SmallVector<Value> sumBlock(Operation* sum, ArrayRef<SmallVector<Point>> block, StringRef row,
                              bool rowsTogether, bool lanesTogether);
  StringRef contiguousIn(Value value, StringRef kept, StringRef reduced);
  bool readsAtOnce(const Buffer& buffer, StringRef label);
  /// Reads what a side of a product is made of at points, by positions of `kept` and `reduced`,
  /// several at once where they lie side by side.
  void readRuns(Value value, StringRef kept, StringRef reduced, bool keptTogether,
                ArrayRef<SmallVector<Point>> points);

  //===-- grams (EmitGram.cpp) ----------------------------------------------------------------===//
  /// Grams of the same keys, with a decay for each key; their results have places then.
  void emitGrams(ArrayRef<ssm::GramOp> grams);
  Value sumOverLanes(SmallVector<Value> values, Value lane);

  //===-- matrices over steps times decaying vectors (EmitApply.cpp) --------------------------===//
  void emitApply(ssm::ApplyOp apply);

  //===-- inverses of triangular systems (EmitInverse.cpp) ------------------------------------===//
  void emitInverse(ssm::SolveOp solve);

  //===-- columns (EmitColumns.cpp) -----------------------------------------------------------===//
  void emitColumns();
  /// The same where matrices are multiplied of which nobody knows where elements are
  /// (MatrixColumns.cpp).
  void emitMatrixColumns();
  /// An operand, by its number, is read 16 bytes at a time.
  void needsAligned(int index, int64_t elementBytes);

  //===-- folds (EmitFold.cpp) ----------------------------------------------------------------===//
  void emitFold(ssm::FoldOp fold);
  void emitPrivateFold(HeldFold& held);
  void emitSharedFold(ssm::FoldOp fold);
  bool unrolls(ssm::FoldOp fold);
  int64_t stepsTogether(ssm::FoldOp fold);
  std::pair<int64_t, int64_t> workOf(ssm::FoldOp fold);
  void unrollFold(ssm::FoldOp fold, const Point& point);
  Private evaluateAll(Value value, ArrayRef<ssm::AxisAttr> axes, const Point& point);
  SmallVector<ssm::AxisAttr> heldAxes(Value value);

  //===-- folds that hold what they carry (HeldFold.cpp) --------------------------------------===//
  /// While it lives, values are those of a thread's own folds.
  struct InFold {
    InFold(KernelEmitter& e, const HeldFold& held);
    ~InFold();
    KernelEmitter& e;
    llvm::StringSet<> dealtLabels;
    bool inPrivate;
    Sharing sharing;
  };
  /// The positions of the labels that are dealt out which a thread stands for.
  Point heldPoint(const HeldFold& held);
  /// Whether a thread has any; null if all have.
  Value holds(const HeldFold& held);
  /// Reads what is held of what the sequence carries.
  SmallVector<Value> beginHeld(tile::SequenceOp sequence, HeldFold& held);
  /// Says what it is at this place.
  void hold(tile::SequenceOp sequence, HeldFold& held, mlir::ValueRange values);
  /// Leaves the results of the sequence to those who store them, or in memory.
  void endHeld(tile::SequenceOp sequence, const HeldFold& held);
  /// Writes a result that threads hold; to an operand, if it has a number.
  void storeHeld(Value value, Buffer target, int operand = -1);
  SmallVector<Value> readState(tile::LoadOp load, ArrayRef<ssm::AxisAttr> axes, const Point& point);
  Value isFirstOf(const HeldFold& held, Value value, const Point& point);
  SmallVector<Value> zerosFor(Value value, int64_t count);
  /// Whether lanes share a label.
  bool isShared(StringRef label) const;
  int64_t heldPosition(StringRef label, int64_t number) const;
  /// The number of a position among those that a thread holds.
  int64_t heldNumber(StringRef label, int64_t position) const;
  /// The part of a label that a thread holds.
  ssm::AxisAttr heldPart(ssm::AxisAttr axis);
  /// All positions that a thread holds, the last label fastest.
  void forHeld(ArrayRef<ssm::AxisAttr> axes, Point point,
               llvm::function_ref<void(const Point&)> body);
  /// The sum of what the lanes have that share a label.
  Value sumOfSharers(Operation* op, Value sum);

  //===-- kernels (LowerKernel.cpp) -----------------------------------------------------------===//
  void emitEntry();
  void enterSequence();
  void emitSequence(tile::SequenceOp sequence);
  /// Gives the arguments of a loop's block their places and first values, and its results the same.
  /// But for those that a fold holds.
  SmallVector<Result> emitCarried(Block* block, mlir::ValueRange inits, mlir::ValueRange results,
                                  mlir::ValueRange yields, const HeldFold& held = {});
  Buffer userBuffer(Operation* op, int index, tile::Part part, Type element, int64_t row);
  Value loadOperand(tile::LoadOp load, const Point& point);
  Value isPresent(Operation* op, int index, int64_t row);

  friend struct BlockPlan;
  friend class OverSteps;
  friend class Halves;
  friend class GramEmitter;
  friend class ApplyEmitter;
  friend class InverseEmitter;
  friend class WarpColumns;
  friend class ColumnEmitter;
  friend class MatrixColumns;
  struct Scope {
    Scope(KernelEmitter& e) : e(e) { e.memo.emplace_back(); }
    ~Scope() { e.memo.pop_back(); }
    KernelEmitter& e;
  };

  tile::KernelOp kernel;
  mlir::ImplicitLocOpBuilder& b;
  const Machine& machine;
  Limits limits;
  Slice slice;
  const ProductMap& products;
  /// Whether factors of products may be rounded to bf16, and the machine multiplies such, as pairs
  /// or as matrices.
  bool roundsProducts;
  /// Whether threads compute blocks of products.
  bool hasBlocks = false;
  /// Whether operands are brought in a tile ahead.
  bool stagesAhead;
  /// Whether no other block has room on the processor.
  bool ownsProcessor;
  Columns columns;
  /// What a block of ops copies is asked for as soon as there is room for it, where so many bytes
  /// are in use at most; 0: when it is needed.
  int64_t mostAsked;
  /// Whether sides of products lie in panels, where groups of warps multiply by them.
  bool inPanels = false;
  /// What `written` may reach.
  int64_t mostInAll;
  /// Products that are computed where their one reader is.
  llvm::DenseSet<Operation*> fused;
  /// Copies of values for products: as bf16, and (true) what that leaves.
  std::map<std::pair<void*, bool>, Buffer> operands;

  llvm::DenseMap<Value, Buffer> buffers;
  std::map<void*, Private> privates;
  std::vector<std::map<Key, Value>> memo{1};
  std::map<StringRef, Index> foldPositions;
  std::map<StringRef, Value> partialExtents; ///< i32
  llvm::StringSet<> stepLabels;              ///< names of the steps of the sequence around
  llvm::StringSet<> dealtLabels;             ///< of the private fold that is being emitted
  bool inPrivate = false;
  Sharing sharing; ///< of that fold
  llvm::DenseMap<Operation*, HeldFold*> heldFolds;
  llvm::DenseMap<Value, std::pair<std::shared_ptr<HeldFold>, size_t>> heldResults;

  std::vector<Place> places;
  llvm::DenseSet<int> inWorkspace;
  int64_t clock = 0;
  int64_t firstFree = 0; ///< the first thread that had no work of its own since threads met
  struct Loop {
    int64_t start;
    llvm::DenseSet<int> touched;
  };
  std::vector<Loop> loops;
  mlir::OpBuilder::InsertPoint entryPoint;

  Value thread; ///< i32, within the block
  SmallVector<Value> pointers;
  SmallVector<SmallVector<Value>> strides;
  Value heads, groups, times[2], offsets, workspace, shared;
  Value packed, sequence, head, group;
  Value sliceStart, isFirstSlice; ///< null where there are no slices
  SmallVector<Value> origins;
  std::map<int64_t, Value> timeStarts; ///< i64
  struct Ring {
    int64_t rows = 1, elements = 1;
  };
  std::map<int, Ring> rings;
  Value ringBase, blockSpace;
  Value isAsSaid; ///< of matrices, of which something is said; else null
  Value nought;   ///< what sums begin with: 0, or NaN where it is not as is said
  mlir::Operation* workspaceBytes = nullptr; ///< constant, patched
};

/// The axes of a value in the order of a buffer, the contiguous one last.
SmallVector<ssm::AxisAttr> axesOf(ssm::ArrayType type, const Buffer& buffer);
/// Whether a value is a number, or one spread over labels.
bool isConstant(Value value);
int64_t countOf(ArrayRef<ssm::AxisAttr> axes);

} // namespace ssmc::simt
