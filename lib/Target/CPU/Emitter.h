/// Emits loops over labelled arrays: the core of the CPU target.
///
/// Every value of a kernel is a labelled array. At any place of the emitted code a value is either
/// *bound* (it is in registers there), *buffered* (it lies in memory, see Buffer), or *inline*: it
/// is computed from its operands where it is used. To emit the value of an array at a Point (an
/// index for each label, at most one of the labels running over vector lanes) is `evaluate`. What
/// is buffered, what shares a loop nest and in which order nests run is decided in PlanBlock.cpp;
/// the nests themselves are made in EmitNest.cpp, folds in EmitFold.cpp, and items, sequences and
/// the workspace in LowerKernel.cpp.
#pragma once

#include "dialects/Tile/Tile.h"
#include "lib/Target/Values/Products.h"
#include "lib/Target/Values/Values.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

#include <map>
#include <vector>

namespace ssmc::cpu {

using namespace target;

using llvm::ArrayRef;
using llvm::SmallVector;
using llvm::SmallVectorImpl;
using llvm::StringRef;
using mlir::Operation;
using mlir::Type;
using mlir::Value;

/// What multiplies pairs of bf16 and adds their two products to an f32: nothing, vectors of 16
/// pairs (AVX512_BF16), or tiles of 16 rows by 16 pairs (AMX-BF16, which has the vectors too).
enum class PairUnit { None, Vectors, Tiles };

/// The vector geometry of a target.
struct Shape {
  int64_t lanes = 16;     ///< f32 lanes of a register
  int64_t registers = 32; ///< vector registers
  PairUnit pairs = PairUnit::None;
  bool flushes = false; ///< results below the smallest normal number become 0, by x86's MXCSR
};

/// An index along one label: `dynamic + constant`. With `lane` it is the index of the first lane.
/// `aligned`, if not 0, divides `dynamic`: a strip's start.
struct Index {
  Value dynamic;
  int64_t constant = 0;
  bool lane = false;
  int64_t aligned = 0;
};

/// An index for each label of a value. Lanes beyond `tail`, if not 0, do not exist.
struct Point {
  SmallVector<std::pair<StringRef, Index>, 4> indices;
  int64_t parts = 1; ///< vector registers along the lane label
  int64_t tail = 0;

  const Index* find(StringRef label) const;
  void set(StringRef label, Index index);
  /// The label that runs over lanes, empty where none does.
  StringRef lane() const;
};

/// The elements of an array at a point: one scalar, or as many vectors as the point has parts.
struct Lanes {
  SmallVector<Value, 4> parts;
  bool isVector() const;
};

/// How one label of a buffer is laid out. With `block` the label is cut into strips of that many
/// elements, contiguous inside, `blockStride` apart. With `relative` the strip's start is ignored:
/// a scratch buffer that holds one strip.
struct Dim {
  StringRef label;
  int64_t extent = 1;
  int64_t stride = 1;
  Value dynamicStride;
  int64_t block = 0, blockStride = 0;
  bool relative = false;
};

/// Where a value lies in memory. Workspace buffers hold 32-bit elements (truth values as integers);
/// user memory holds the operand's stored type.
struct Buffer {
  enum class Place { Temp, Item, User } place = Place::Temp;
  int64_t offset = 0; ///< bytes, into the workspace or the item's part of it
  Value base;         ///< user memory; for the workspace, an address that replaces place and offset
  std::vector<Dim> dims;
  Type element; ///< type of the tile's elements: f32, i1, i32
  Type storage; ///< type in memory

  const Dim* find(StringRef label) const;
  /// Whether lanes along the label are contiguous.
  bool isUnit(StringRef label) const;
  bool samePlace(const Buffer& other) const;
};

/// The lane label that folds prefer for a value, and the width of their strips.
struct LanePreference {
  StringRef label;
  int64_t width = 0;
};

/// Something that a nest produces: a value written to a buffer, or a reduction.
struct Item {
  Value value;
  bool reduces = false;
  bool toBuffer = true; ///< a reduction may end in registers
  bool defines = false; ///< from then on the value is read from the buffer
  Buffer target;
  /// What a nest's body evaluates: the operand of a reduction or a flatten, else the value itself.
  Value computed() const { return reduces || view ? value.getDefiningOp()->getOperand(0) : value; }

  Value overwrites; ///< the carried value that lies in `target` until then
  /// Labels of few positions that a reduction keeps: each position has accumulators of its own.
  SmallVector<StringRef> inner;
  /// Where the value is read, if that is `target` under other labels (a flatten).
  std::optional<Buffer> view = std::nullopt;
};

/// The accumulators of a tile of a product: so many rows by so many vectors.
struct TileShape {
  int64_t rows = 1, parts = 1;
};

/// Bounds of a loop over one label; what has no bound runs over the label's extent.
struct Bounds {
  StringRef label;
  Value lower, upper;
};

/// A loop nest over `space`, or an op that is emitted as a whole.
struct Nest {
  int64_t stage = 0;
  SmallVector<StringRef> space; ///< labels looped over
  SmallVector<StringRef> kept;  ///< those of them that the reductions keep
  std::vector<Item> items;
  Operation* whole = nullptr;
  SmallVector<Operation*> beside; ///< ops that are emitted together with it

  bool reduces() const;
  /// `whole` and what is beside it.
  SmallVector<Operation*> wholes() const;
  /// The extent of one of its labels.
  int64_t extentOf(StringRef label) const;
};

/// What the next head reads is asked for meanwhile, step by step (Prefetch.cpp).
struct Ahead {
  ssm::AxisAttr steps; ///< of the tile
  /// Asks for the rows of one step; strips share them.
  std::function<void(Value step, Value strip, int64_t strips)> askFor;
  Operation* fold = nullptr; ///< who asks, if it is not the nests
  /// What the next loop is to ask for, from one fraction of the steps to another.
  std::optional<std::pair<double, double>> share = std::nullopt;
};

/// The labels of a value whose elements are in registers between nests: those of a strip.
struct Between {
  StringRef lane; ///< empty: scalars alone
  bool holds(ssm::ArrayType type) const;
};

class Emitter {
public:
  Emitter(mlir::ImplicitLocOpBuilder& b, Shape shape) : b(b), shape(shape) {}

  //===-- memory (EmitMemory.cpp) -------------------------------------------------------------===//
  Lanes load(const Buffer& buffer, const Point& point);
  void store(const Buffer& buffer, const Point& point, Lanes value);
  /// Where lane `lane` of a point lies.
  Value address(const Buffer& buffer, const Point& point, int64_t lane);

  //===-- values (EmitPointwise.cpp) ----------------------------------------------------------===//
  Lanes evaluate(Value value, const Point& point);
  /// Evaluates, ahead of a loop, whatever the value needs that the loop does not change.
  void hoist(Value value, const Point& point);
  /// The point at which an operand is read for the op's result at `point`.
  Point operandPoint(Operation* op, const Point& point);
  Lanes combine(Operation* op, ArrayRef<Lanes> operands, int64_t parts);
  Value splat(Value scalar, Type like);

  //===-- nests (EmitNest.cpp) ----------------------------------------------------------------===//
  /// Emits a nest. `outer` holds the indices of the labels that are already fixed.
  void emitNest(Nest& nest, const Point& outer);
  /// The label along which lanes run, or none. With `allSteps` every step of the chunk exists.
  StringRef chooseLane(const Nest& nest, const Point& outer, bool allSteps = false);
  using LoopBody = llvm::function_ref<SmallVector<Value>(Value index, mlir::ValueRange carried)>;
  SmallVector<Value> loop(Value lower, Value upper, int64_t step, mlir::ValueRange inits,
                          LoopBody body);
  Value i64(int64_t value);
  Value extentOf(StringRef label, int64_t extent);

  //===-- plans (PlanBlock.cpp) ---------------------------------------------------------------===//
  /// Emits what `roots` and the stores among `ops` need of `ops`, which stand in one block.
  void emitBlock(ArrayRef<Operation*> ops, SmallVector<Item> roots, const Point& point,
                 Between between);
  /// Buffered or bound: a value that is not computed where it is used.
  bool isLeaf(Value value);
  /// A reduction over few positions that is computed where it is used.
  bool isUnrolled(Operation* op);

  //===-- folds (EmitFold.cpp, EmitFoldBlocked.cpp) -------------------------------------------===//
  void emitFold(ssm::FoldOp fold, const Point& point, Between between);
  void emitSteps(ssm::FoldOp fold, const Point& point, Between between);
  bool emitBlocked(ssm::FoldOp fold, const Point& point, StringRef lane);
  void emitStep(ssm::FoldOp fold, const Point& point, Between between);
  /// Where carried and stacked values lie that are not in registers.
  void placeFold(ssm::FoldOp fold, const Point& point, Between between, bool nested);
  Lanes asLanes(Lanes value, ssm::ArrayType type, const Point& point, StringRef lane);

  //===-- what is asked for ahead (Prefetch.cpp) ----------------------------------------------===//
  /// Says who asks: a fold, or, as the result says, each nest from one fraction of the steps to the
  /// next.
  SmallVector<double> shareOut(ArrayRef<Nest> nests);
  /// Asks for one step, if this fold is to do so.
  void askAhead(ssm::FoldOp fold, const Point& point, Value step);
  /// Asks for the part of a share that falls to `by` of `all` positions of a loop, after `done`.
  void askAhead(std::pair<double, double> share, Value done, Value by, Value all);

  // Ops that are emitted as a whole (EmitProduct.cpp, EmitGram.cpp, EmitApply.cpp, EmitSolve.cpp,
  // EmitSteps.cpp).
  /// A fold, a product, or an op over the steps of a chunk.
  bool isWhole(Operation* op);
  /// Emits one that is no fold, and what is emitted beside it; their results have their buffers.
  void emitWhole(Operation* op, ArrayRef<Operation*> beside);
  TileShape tileFor(int64_t laneExtent) const;
  /// The label that lanes of a carried state run along: what most products that read it want.
  StringRef stateLane(ssm::ArrayType type) const;
  /// The value with `lane` in strips of `width` contiguous lanes: where it lies, or a copy.
  Buffer panelOf(Value value, StringRef lane, int64_t width);
  /// Whether a product is computed from pairs of bf16.
  bool usesPairs(ssm::SumOp sum, const Product& product);
  /// A side of a product as pairs of bf16 along the label that is summed (see EmitPairs.cpp).
  Buffer pairsOf(Value value, StringRef label, StringRef reduced, int64_t strip, bool rest = false);
  /// Adds, for each row of a tile, left * right summed over the labels `reduced`.
  SmallVector<Value> accumulate(Value left, const Buffer& right, const Point& point, StringRef row,
                                int64_t rows, ArrayRef<StringRef> reduced, Bounds bounds,
                                SmallVector<Value> sums);
  /// Runs over an array's labels but for those of the point.
  void forEach(ssm::ArrayType type, ArrayRef<StringRef> except, Point point,
               llvm::function_ref<void(const Point&)> body);
  /// Runs over strips of lanes along a label, or once where there is none.
  void forStrips(StringRef lane, int64_t extent, int64_t parts, const Point& point,
                 llvm::function_ref<void(const Point&)> body);
  /// Runs over blocks of a label's positions; those past a dynamic extent count up
  /// to a whole block.
  void forBlocks(StringRef label, int64_t extent, int64_t step, Value lower,
                 llvm::function_ref<void(Index first, int64_t count)> body);
  /// The same from the last position down. Those at the end that fill no block come first, one by
  /// one.
  void forBlocksDown(StringRef label, int64_t extent, int64_t step,
                     llvm::function_ref<void(Index first, int64_t count)> body);

  //===-- layout (Layout.cpp) -----------------------------------------------------------------===//
  Buffer makeBuffer(ssm::ArrayType type, Buffer::Place place, LanePreference preference,
                    StringRef time = {});
  /// A buffer that holds one strip of `lane`.
  Buffer makeScratch(ssm::ArrayType type, const Point& point);
  /// Where a flatten (or its inverse) writes its operand, and where its result is read.
  Item makeFlat(Operation* op);
  void choosePreferences(Operation* kernel);
  /// A buffer of the workspace with `lane` in strips of `width`, which lie one after the other.
  Buffer makePanel(ssm::ArrayType type, StringRef lane, int64_t width);
  Buffer makePairs(ssm::ArrayType type, StringRef label, StringRef reduced, int64_t strip);

  mlir::ImplicitLocOpBuilder& b;
  Shape shape;
  llvm::DenseMap<Value, Buffer> buffers;
  llvm::DenseMap<Value, Lanes> bound;
  llvm::DenseMap<Value, LanePreference> preferences;
  llvm::DenseMap<Operation*, LanePreference> foldLanes;
  llvm::DenseMap<Operation*, Product> products;
  /// How often products read a state with lanes along a label.
  llvm::StringMap<int64_t> readAlong;
  /// Copies made by panelOf: of a value, by lane and width.
  std::map<std::tuple<void*, StringRef, int64_t>, Buffer> panels;
  /// Copies made by pairsOf: of a value, by its other arguments.
  std::map<std::tuple<void*, StringRef, StringRef, int64_t, bool>, Buffer> pairs;
  /// Whether factors of products may be rounded to bf16: set for a kernel.
  bool roundsProducts = false;
  /// Loops over these labels stop at a value known when running.
  std::map<StringRef, Value> dynamicExtents;
  /// Where the folds around the emitted code stand.
  std::map<StringRef, Index> foldPositions;
  /// Values that are used in another segment of the kernel than the one that defines them.
  llvm::DenseSet<Value> persistent;
  Value workspace, itemSpace; ///< addresses
  int64_t tempBytes = 0, itemBytes = 0;
  /// Chooses where the value of a tile.load lies; set by the lowering of kernels.
  std::function<void(tile::LoadOp)> emitLoad;
  std::function<Buffer(tile::StoreOp)> storeTarget;
  Ahead ahead;

  struct Scope {
    Scope(Emitter& emitter) : emitter(emitter) { emitter.memo.emplace_back(); }
    ~Scope() { emitter.memo.pop_back(); }
    Emitter& emitter;
  };

private:
  Value offsetOf(const Buffer& buffer, const Point& point, int64_t lane, int64_t& constant);
  Lanes compute(Value value, const Point& point);
  Lanes reduceInline(Operation* op, const Point& point);
  Lanes emitPosition(ssm::PositionOp position, const Point& point);
  Value reduceLanes(Operation* op, Value vector);
  /// Copies a value from buffer to buffer by transposing vectors, where that is what an item is.
  bool copyTransposed(const Item& item);
  void packTransposed(const Buffer& from, const Buffer& to, ssm::ArrayType type, StringRef unit,
                      StringRef lane);
  void emitProduct(ssm::SumOp sum);
  void emitPairProduct(ssm::SumOp sum, const Product& product);
  using PairTerms = SmallVector<std::pair<Buffer, Buffer>>;
  void emitPairTiles(const Product& product, const PairTerms& terms, const Buffer& target,
                     const Point& outer, StringRef upTo, StringRef from, bool below);
  std::pair<Value, Value> floatsAcross(Value value, Point point, StringRef reduced, Value pair);
  std::pair<Value, Value> floatsAlong(Value value, Point point, StringRef reduced, Index first);
  std::optional<Buffer> storedPairs(Value value, StringRef label, StringRef reduced);
  void emitGrams(llvm::MutableArrayRef<ssm::GramOp> grams);
  void emitApply(ssm::ApplyOp apply);
  void emitApplyRows(ssm::ApplyOp apply, const Point& strip, Index first, int64_t count,
                     const Buffer& keys);
  void emitSolve(ssm::SolveOp solve);
  void emitSolveTile(ssm::SolveOp solve, const Point& point, StringRef lane, Index first,
                     int64_t count);
  void emitSpan(ssm::SpanOp span);
  void emitAlong(Operation* op, StringRef label, bool reverse);
  bool copiesRows(const Nest& nest, StringRef label) const;
  void emitLoops(Nest& nest, StringRef lane, const Point& outer);
  void emitLoops(Nest& nest, ArrayRef<StringRef> labels, StringRef lane, Point point);
  void emitReducedLoops(Nest& nest, ArrayRef<StringRef> labels, StringRef lane, Point point);
  void emitBody(Nest& nest, const Point& point, SmallVectorImpl<Lanes>& accumulators);

  using Key = std::pair<void*, std::vector<std::tuple<const char*, void*, int64_t, bool>>>;
  std::vector<std::map<Key, Lanes>> memo{1};
  Key keyOf(Value value, const Point& point);
};

/// A flatten or its inverse: the operand is laid out in memory and read under other labels.
bool isFlat(Operation* op);
/// Whether all readers of a value multiply it with zeros above the diagonal.
bool isWantedBelow(Value value, StringRef rows, StringRef columns);
/// Whether two ops are grams that differ in their queries alone.
bool shareKeys(Operation* x, Operation* y);
/// The label of a solve's right sides that lanes run along; empty where there is none.
StringRef solveLane(ssm::SolveOp solve);
/// The label of an apply's decay that lanes run along: none of the matrix. Empty where there is
/// none.
StringRef applyLane(ssm::ApplyOp apply);
/// The sum over the lanes of each vector, in vectors of as many sums as they have lanes.
SmallVector<Value> sumEach(mlir::ImplicitLocOpBuilder& b, ArrayRef<Value> vectors);
/// Transposes as many vectors as they have lanes.
void transpose(mlir::ImplicitLocOpBuilder& b, SmallVector<Value>& vectors);
/// The label that a relabel's operand bears for `name`.
StringRef renamedFrom(ssm::RelabelOp relabel, StringRef name);
/// A relabel's result as a buffer, where its operand lies.
Buffer renamed(Buffer buffer, ssm::RelabelOp relabel);
inline int64_t roundUp(int64_t value, int64_t to) {
  return (value + to - 1) / to * to;
}

/// The label that no op of the fold reduces or renames and that lanes and strips can run along,
/// with the width of a strip; an empty label where there is none.
LanePreference chooseFoldLane(ssm::FoldOp fold, Shape shape);

/// Lowers one kernel to its two functions, before `kernel`.
llvm::LogicalResult lowerKernel(tile::KernelOp kernel, Shape shape);
/// Of a module one of whose kernels is refused for its sizes: no failure of ours.
inline constexpr llvm::StringLiteral refusedAttr = "ssmc.refused";

} // namespace ssmc::cpu
