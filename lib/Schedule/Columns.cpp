// A chunk's kernel in two: what needs no state, and columns that never meet.
//
// States are updated from one side: a label that they bear may be neither summed over nor renamed
// by anything in the kernel. Its positions are columns side by side. All that does not bear it
// (grams, the inverse of a triangular system, decays) cannot depend on a state, so that it can be
// made for all chunks at once, by a kernel before. What is left is a chain of pointwise ops and of
// products with matrices, the same ones for all columns: a thread, a warp or a block takes its
// columns from the first chunk to the last and meets no other.
//
//   X[c, y] = sum over x of M[y, x] R[c, x]      a product: c the column, M without it
//
// To get there,
//   - a triangular system whose right side has columns becomes a product with its inverse;
//   - factors of a sum go to the matrix if they bear both its labels, to the columns if they bear
//   the
//     one that is summed, and to the result if they bear the other, so that a matrix is an operand
//     of the caller as it lies in memory wherever that can be.
//
// A kernel may write more than columns hold: gradients that are summed over them. That waits for no
// chunk but its own once the states that chunks begin with are known, so a third kernel writes it,
// again for all chunks at once, and the second one does no more than pass those states on.
//
// Matrices that are computed are kept as two bf16 each, what rounding gives and what it leaves; all
// else that the second kernel reads of the first is f32, with at most one label.
#include "Columns.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;
using tile::OperandAttr;
using tile::Role;

/// Rows and columns of the units that multiply: extents are multiples of it.
static constexpr int64_t unit = 16;
/// Elements of states for each column that registers have room for beside all else.
static constexpr int64_t mostCarried = 256;

static ArrayType arrayType(Value value) {
  return cast<ArrayType>(value.getType());
}

static bool isStoredAsBF16(Value value) {
  if (auto relabel = value.getDefiningOp<ssm::RelabelOp>())
    return isStoredAsBF16(relabel.getOperand());
  auto load = value.getDefiningOp<tile::LoadOp>();
  if (!load || load.getOtherwise())
    return false;
  auto kernel = load->getParentOfType<tile::KernelOp>();
  return kernel.getOperandAt(kernel.findLoaded(load.getName())).getStorage().isBF16();
}

static void appendFactors(Value value, SmallVectorImpl<Value>& factors) {
  if (auto mul = value.getDefiningOp<ssm::MulOp>()) {
    appendFactors(mul.getLhs(), factors);
    appendFactors(mul.getRhs(), factors);
    return;
  }
  factors.push_back(value);
}

static Value multiply(OpBuilder& b, Location loc, ArrayRef<Value> factors) {
  Value product;
  for (Value factor : factors)
    product = product ? ssm::MulOp::create(b, loc, product, factor).getResult() : factor;
  return product;
}

namespace {

class ColumnSplit {
public:
  ColumnSplit(tile::KernelOp kernel, StringRef prefix)
      : kernel(kernel), b(kernel.getContext()), prefix(prefix) {}
  bool prepare();
  SmallVector<tile::KernelOp> split();
  /// Takes back what a preparation that failed has made.
  void drop() {
    for (tile::KernelOp made : {whole, sums})
      if (made)
        made.erase();
  }

private:
  bool bearsColumn(Value value) { return arrayType(value).has(column); }
  /// Whether an op's operands or results bear the column.
  bool isOfColumns(Operation* op);
  bool findColumn();
  bool keepsColumnsApart();
  /// Stores that columns alone do not give; takes them, and what they alone need, out of the
  /// kernel.
  void moveLateStores();
  SmallVector<tile::StoreOp> findLateStores();
  void takeTotals();
  void keepCarried(tile::SequenceOp& old, ArrayRef<unsigned> kept);
  bool admits(Operation* op);
  void pushThrough(ssm::SolveOp solve);
  bool invert(ssm::SolveOp solve);
  std::optional<std::pair<StringRef, StringRef>> triangleOf(Value value);
  bool arrange(ssm::SumOp sum);
  void gatherScales(ssm::MulOp outer);
  bool fits();

  /// A value without columns, as the second kernel reads it.
  Value vector(Value value);
  Value matrix(Value value);
  tile::KernelOp makeLate();
  Value temporary(Value value, Type storage, bool isRest = false);
  /// Copies an op and what it needs from before the sequence.
  Value outside(Value value);

  tile::KernelOp kernel;
  OpBuilder b;
  std::string prefix;
  tile::SequenceOp sequence;
  StringRef column;
  tile::KernelOp whole; ///< as it was, for what is written late
  tile::KernelOp sums;  ///< adds up what chunks add
  tile::SequenceOp sumsSequence;
  DenseMap<Value, Value> vectors; ///< of the first kernel -> of the second
  DenseMap<Value, Value> matrices;
  /// Inverses of triangular systems are triangular: where, as triangleOf says.
  DenseMap<Value, std::pair<std::string, std::string>> inverses;
  SmallVector<Attribute> temporaries;
  tile::KernelOp before, core;
  tile::SequenceOp beforeSequence, coreSequence;
  IRMapping toBefore, toCore;
};

} // namespace

bool ColumnSplit::isOfColumns(Operation* op) {
  return llvm::any_of(op->getOperands(), [&](Value value) { return bearsColumn(value); }) ||
         llvm::any_of(op->getResults(), [&](Value value) { return bearsColumn(value); });
}

/// Whether columns stay apart in an op.
bool ColumnSplit::admits(Operation* op) {
  for (Value result : op->getResults())
    if (!arrayType(result).isReal() || !bearsColumn(result))
      return false;
  if (auto sum = dyn_cast<ssm::SumOp>(op))
    return !llvm::is_contained(ssm::strings(sum.getOver()), column);
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op))
    return llvm::none_of(ssm::strings(relabel.getFrom()),
                         [&](StringRef label) { return label == column; }) &&
           llvm::none_of(ssm::strings(relabel.getTo()),
                         [&](StringRef label) { return label == column; });
  if (auto solve = dyn_cast<ssm::SolveOp>(op))
    return solve.getRows() != column && solve.getColumns() != column &&
           llvm::none_of(solve.getLower(), [&](Value value) { return bearsColumn(value); });
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return load.getPart() == tile::Part::Whole && !load.getRow();
  if (auto store = dyn_cast<tile::StoreOp>(op))
    return store.getPart() == tile::Part::Whole;
  return op->hasTrait<ssm::Pointwise>() || isa<ssm::BroadcastOp, tile::YieldOp>(op);
}

/// The ops of a block that some values are made of.
static void addSlice(ValueRange values, Block* block, DenseSet<Operation*>& slice) {
  for (Value value : values)
    if (Operation* op = value.getDefiningOp();
        op && op->getBlock() == block && slice.insert(op).second) {
      addSlice(op->getOperands(), block, slice);
      op->walk([&](Operation* inner) {
        if (inner != op)
          addSlice(inner->getOperands(), block, slice);
      });
    }
}

bool ColumnSplit::keepsColumnsApart() {
  if (!llvm::all_of(sequence.getInits(), [&](Value init) { return bearsColumn(init); }))
    return false;
  DenseSet<Operation*> slice;
  addSlice(sequence.getYield().getValues(), sequence.getBlock(), slice);
  auto isApart = [&](Operation* op) { return !isOfColumns(op) || admits(op); };
  return llvm::all_of(slice, isApart) && llvm::all_of(*kernel.getBlock(), [&](Operation& op) {
           return &op == sequence || isApart(&op);
         });
}

bool ColumnSplit::findColumn() {
  auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
  if (!llvm::hasSingleElement(sequences))
    return false;
  sequence = *sequences.begin();
  if (sequence.getTimeAxis() != 0 || sequence.getTileSize() % unit || sequence.getInits().empty() ||
      !sequence.getBlock()->getOps<tile::SequenceOp>().empty())
    return false;
  // The largest label that all carried values bear and whose positions stay apart, if there is one
  // in all that is written.
  SmallVector<AxisAttr> candidates(arrayType(sequence.getInits().front()).getAxes());
  llvm::stable_sort(candidates, [](AxisAttr x, AxisAttr y) { return x.getSize() > y.getSize(); });
  for (bool withStores : {true, false})
    for (AxisAttr axis : candidates) {
      column = axis.getName();
      if (axis.getSize() % unit == 0 && keepsColumnsApart() &&
          (!withStores || findLateStores().empty()))
        return true;
    }
  return false;
}

static void eraseUnused(Block* block) {
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (op.use_empty() && op.getNumResults() && (isPure(&op) || isa<ssm::FoldOp, tile::LoadOp>(op)))
      op.erase();
}

/// Stores of what has columns, or is made of it; empty if columns alone give them all.
SmallVector<tile::StoreOp> ColumnSplit::findLateStores() {
  SmallVector<tile::StoreOp> ofColumns;
  bool isLate = false;
  for (auto store : sequence.getBlock()->getOps<tile::StoreOp>()) {
    DenseSet<Operation*> slice = {store};
    addSlice(store.getValue(), sequence.getBlock(), slice);
    if (llvm::none_of(slice, [&](Operation* op) { return isOfColumns(op); }))
      continue; // No state has a part in it.
    ofColumns.push_back(store);
    isLate |= llvm::any_of(slice, [&](Operation* op) { return isOfColumns(op) && !admits(op); });
  }
  return isLate ? ofColumns : SmallVector<tile::StoreOp>();
}

void ColumnSplit::moveLateStores() {
  SmallVector<tile::StoreOp> late = findLateStores();
  if (late.empty())
    return;
  IRMapping mapping;
  whole = cast<tile::KernelOp>(OpBuilder(kernel).clone(*kernel, mapping));
  for (auto store : llvm::make_early_inc_range(sequence.getBlock()->getOps<tile::StoreOp>())) {
    // (Each is written once.)
    if (llvm::is_contained(late, store))
      store.erase();
    else
      mapping.lookup(store.getOperation())->erase();
  }
  eraseUnused(sequence.getBlock());
}

/// Carried values to which each chunk adds something, and which nothing else reads: chunks write
/// what they add, and a kernel of its own adds it up, chunk by chunk.
void ColumnSplit::takeTotals() {
  auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
  if (!llvm::hasSingleElement(sequences))
    return;
  tile::SequenceOp old = *sequences.begin();
  Block* body = old.getBlock();
  auto addedTo = [&](BlockArgument argument) -> Value {
    auto add = old.getYield().getValues()[argument.getArgNumber()].getDefiningOp<ssm::AddOp>();
    if (!add || !argument.hasOneUse() || !add->hasOneUse() || add->getBlock() != body)
      return {};
    Value other = add.getLhs() == argument   ? add.getRhs()
                  : add.getRhs() == argument ? add.getLhs()
                                             : Value();
    return other && other.getType() == argument.getType() ? other : Value();
  };
  SmallVector<unsigned> totals;
  for (BlockArgument argument : body->getArguments())
    if (addedTo(argument) && arrayType(argument).isReal())
      totals.push_back(argument.getArgNumber());
  // (With no state left there are no columns.)
  if (totals.empty() || totals.size() == body->getNumArguments() || old.getTimeAxis() != 0)
    return;
  IRMapping mapping;
  sums = cast<tile::KernelOp>(OpBuilder(kernel).clone(*kernel, mapping));
  sumsSequence = cast<tile::SequenceOp>(mapping.lookup(old.getOperation()));
  OpBuilder::InsertionGuard guard(b);
  for (unsigned number : totals) {
    BlockArgument argument = body->getArgument(number);
    Value part = addedTo(argument);
    std::string name = prefix + ".part" + std::to_string(number);
    temporaries.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::ChunkTemp,
                                           SmallVector<AxisAttr>(arrayType(part).getAxes()),
                                           b.getF32Type(), ssm::Scope::Head));
    b.setInsertionPoint(body->getTerminator());
    tile::StoreOp::create(b, part.getLoc(), name, tile::Part::Whole, part);
    b.setInsertionPointToStart(sumsSequence.getBlock());
    mapping.lookup(part).replaceAllUsesWith(
        tile::LoadOp::create(b, part.getLoc(), part.getType(), name, tile::Part::Whole,
                             IntegerAttr(), ArrayAttr(), Value()));
  }
  SmallVector<unsigned> states;
  for (unsigned i = 0; i < body->getNumArguments(); ++i)
    if (!llvm::is_contained(totals, i))
      states.push_back(i);
  // In each of the two what the other one carries is gone.
  keepCarried(old, states);
  for (auto store : llvm::make_early_inc_range(sumsSequence.getBlock()->getOps<tile::StoreOp>()))
    store.erase();
  keepCarried(sumsSequence, totals);
  eraseUnused(sums.getBlock());
}

/// A sequence that carries some of the values alone, in place of one that carries more, and no
/// stores of the others.
void ColumnSplit::keepCarried(tile::SequenceOp& old, ArrayRef<unsigned> kept) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(old);
  SmallVector<Value> inits, values;
  for (unsigned number : kept) {
    inits.push_back(old.getInits()[number]);
    values.push_back(old.getYield().getValues()[number]);
  }
  auto fresh = tile::SequenceOp::create(b, old.getLoc(), ValueRange(inits).getTypes(),
                                        old.getAxis(), old.getTimeAxis(), old.getReverse(), inits);
  for (unsigned i = 0; i < old.getNumResults(); ++i)
    if (!llvm::is_contained(kept, i))
      for (Operation* user : llvm::make_early_inc_range(old.getResult(i).getUsers()))
        user->erase();
  for (auto [position, number] : llvm::enumerate(kept))
    old.getResult(number).replaceAllUsesWith(fresh.getResult(position));
  old.getYield()->setOperands(values);
  fresh.getBody().takeBody(old.getBody());
  Block* body = fresh.getBlock();
  eraseUnused(body);
  for (unsigned i = body->getNumArguments(); i-- > 0;)
    if (!llvm::is_contained(kept, i))
      body->eraseArgument(i);
  old.erase();
  old = fresh;
}

/// x + d u where u solves (1 - A d) u = r + A x is what solves (1 - d A) z = x + d r: put z = x + d
/// u. The system is the same size, and the product of A with x, of as many columns as the state, is
/// gone (the push-through identity, Henderson and Searle, 1981).
void ColumnSplit::pushThrough(ssm::SolveOp solve) {
  if (solve.getRight().size() != 1 || !solve.getResult(0).hasOneUse())
    return;
  auto scaled = dyn_cast<ssm::MulOp>(*solve.getResult(0).getUsers().begin());
  if (!scaled || !scaled->hasOneUse())
    return;
  auto total = dyn_cast<ssm::AddOp>(*scaled->getUsers().begin());
  auto right = solve.getRight()[0].getDefiningOp<ssm::AddOp>();
  auto lower = solve.getLower()[0].getDefiningOp<ssm::MulOp>();
  if (!total || !right || !lower)
    return;
  Value u = solve.getResult(0);
  Value d = scaled.getLhs() == u ? scaled.getRhs() : scaled.getLhs();
  Value x = total.getLhs() == scaled.getResult() ? total.getRhs() : total.getLhs();
  StringRef rows = solve.getRows(), columns = solve.getColumns();
  auto isRenamed = [&](Value value, Value original) {
    auto relabel = value.getDefiningOp<ssm::RelabelOp>();
    return relabel && relabel.getOperand() == original && relabel.getFrom().size() == 1 &&
           ssm::strings(relabel.getFrom())[0] == rows &&
           ssm::strings(relabel.getTo())[0] == columns;
  };
  // The matrix: A d, d by columns.
  Value a = isRenamed(lower.getRhs(), d)   ? lower.getLhs()
            : isRenamed(lower.getLhs(), d) ? lower.getRhs()
                                           : Value();
  if (!a || bearsColumn(d))
    return;
  // The right side: r + A x.
  Value r;
  for (bool first : {true, false}) {
    auto sum = (first ? right.getLhs() : right.getRhs()).getDefiningOp<ssm::SumOp>();
    auto product = sum ? sum.getOperand().getDefiningOp<ssm::MulOp>() : ssm::MulOp();
    if (!product || sum.getOver().size() != 1 || ssm::strings(sum.getOver())[0] != columns)
      continue;
    if ((product.getLhs() == a && isRenamed(product.getRhs(), x)) ||
        (product.getRhs() == a && isRenamed(product.getLhs(), x)))
      r = first ? right.getRhs() : right.getLhs();
  }
  if (!r)
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(total);
  Location loc = solve.getLoc();
  Value side = ssm::AddOp::create(b, loc, x, ssm::MulOp::create(b, loc, d, r));
  Value matrix = ssm::MulOp::create(b, loc, d, a);
  auto made = ssm::SolveOp::create(b, loc, ValueRange{side}, ValueRange{matrix}, rows, columns,
                                   solve.getReverse());
  total.replaceAllUsesWith(made.getResult(0));
}

/// Where a matrix over steps is 0: (late, early) if it is so wherever the position along `early` is
/// past that along `late`.
std::optional<std::pair<StringRef, StringRef>> ColumnSplit::triangleOf(Value value) {
  if (auto known = inverses.find(value); known != inverses.end())
    return std::pair(StringRef(known->second.first), StringRef(known->second.second));
  Operation* op = value.getDefiningOp();
  if (auto gram = dyn_cast<ssm::GramOp>(op))
    return std::pair(gram.getRows(), gram.getColumns());
  if (auto span = dyn_cast<ssm::SpanOp>(op))
    return std::pair(span.getRows(), span.getColumns());
  if (isa<ssm::MulOp>(op))
    for (Value operand : op->getOperands())
      if (auto triangle = triangleOf(operand))
        return triangle;
  if (isa<ssm::NegOp>(op))
    return triangleOf(op->getOperand(0));
  return {};
}

/// A system for many columns: its inverse, once, and a product for each.
bool ColumnSplit::invert(ssm::SolveOp solve) {
  Location loc = solve.getLoc();
  StringRef rows = solve.getRows();
  AxisAttr axis = arrayType(solve.getRight()[0]).find(rows);
  std::string label = (solve.getColumns() + "'").str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(solve);
  auto across = AxisAttr::get(b.getContext(), b.getStringAttr(label), axis.getExtent());
  Value one = ssm::ConstantOp::create(b, loc, 1.0), zero = ssm::ConstantOp::create(b, loc, 0.0);
  Value row = ssm::PositionOp::create(b, loc, axis);
  Value isDiagonal = ssm::CmpOp::create(b, loc, ssm::CmpPredicate::eq, row,
                                        ssm::PositionOp::create(b, loc, across));
  Value identity = ssm::SelectOp::create(b, loc, isDiagonal, one, zero);
  Value nothing = ssm::BroadcastOp::create(b, loc, identity.getType(), zero);
  size_t count = solve.getRight().size();
  auto old = b.getStrArrayAttr({rows}), renamed = b.getStrArrayAttr({label});
  SmallVector<Value> results(count);
  for (size_t i = 0; i < count; ++i) {
    SmallVector<Value> sides(count, nothing);
    sides[i] = identity;
    auto inverse = ssm::SolveOp::create(b, loc, sides, solve.getLower(), rows, solve.getColumns(),
                                        solve.getReverse());
    Value side = ssm::RelabelOp::create(b, loc, solve.getRight()[i], old, renamed);
    for (size_t j = 0; j < count; ++j) {
      inverses[inverse.getResult(j)] =
          solve.getReverse() ? std::pair(label, rows.str()) : std::pair(rows.str(), label);
      Value product = ssm::MulOp::create(b, loc, inverse.getResult(j), side);
      Value part = ssm::SumOp::create(b, loc, product, renamed);
      results[j] = results[j] ? ssm::AddOp::create(b, loc, results[j], part).getResult() : part;
    }
  }
  for (auto [result, made] : llvm::zip(solve.getResults(), results))
    result.replaceAllUsesWith(made);
  solve.erase();
  return true;
}

/// Deals the factors of a sum to its matrix, its columns and its result.
bool ColumnSplit::arrange(ssm::SumOp sum) {
  SmallVector<StringRef> over = ssm::strings(sum.getOver());
  SmallVector<StringRef> kept;
  for (AxisAttr axis : arrayType(sum.getResult()).getAxes())
    if (axis.getName() != column)
      kept.push_back(axis.getName());
  if (over.size() != 1 || kept.size() != 1)
    return false;
  SmallVector<Value> factors, both, summed, rest, columns;
  appendFactors(sum.getOperand(), factors);
  for (Value factor : factors) {
    ArrayType type = arrayType(factor);
    bool isSummed = type.has(over[0]), isKept = type.has(kept[0]);
    if (bearsColumn(factor)) {
      if (isKept)
        return false;
      columns.push_back(factor);
    } else {
      (isSummed && isKept ? both : isSummed ? summed : rest).push_back(factor);
    }
  }
  if (both.empty() || columns.empty())
    return false;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(sum);
  Location loc = sum.getLoc();
  // A matrix that has to be computed takes all that it can.
  if (both.size() > 1 || !isStoredAsBF16(both[0])) {
    for (SmallVector<Value>* others : {&summed, &rest}) {
      both.append(others->begin(), others->end());
      others->clear();
    }
  }
  columns.append(summed);
  Value side = multiply(b, loc, columns);
  if (!arrayType(side).has(over[0]))
    return false;
  Value product = ssm::MulOp::create(b, loc, multiply(b, loc, both), side);
  Value result = ssm::SumOp::create(b, loc, product, sum.getOver());
  if (!rest.empty())
    result = ssm::MulOp::create(b, loc, result, multiply(b, loc, rest));
  if (result.getType() != sum.getType())
    return false;
  sum.replaceAllUsesWith(result);
  sum.erase();
  return true;
}

/// (X a) b is X (a b) where a and b have no columns: one vector, made before.
void ColumnSplit::gatherScales(ssm::MulOp outer) {
  auto split = [&](ssm::MulOp mul, Value& columns, Value& scale) {
    columns = bearsColumn(mul.getLhs()) ? mul.getLhs() : mul.getRhs();
    scale = bearsColumn(mul.getLhs()) ? mul.getRhs() : mul.getLhs();
    return bearsColumn(columns) && !bearsColumn(scale) && arrayType(scale).getRank() <= 1;
  };
  Value inside, scale, columns, first;
  if (!split(outer, inside, scale))
    return;
  auto inner = inside.getDefiningOp<ssm::MulOp>();
  if (!inner || !inner->hasOneUse() || !split(inner, columns, first) ||
      arrayType(first).unionWith(arrayType(scale)).getRank() > 1)
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(outer);
  outer.getLhsMutable().assign(columns);
  outer.getRhsMutable().assign(ssm::MulOp::create(b, outer.getLoc(), first, scale).getResult());
}

bool ColumnSplit::fits() {
  int64_t carried = 0;
  for (Value init : sequence.getInits()) {
    int64_t elements = 1;
    for (AxisAttr axis : arrayType(init).getAxes())
      if (axis.getName() != column)
        elements *= axis.getSize();
    carried += elements;
  }
  if (carried > mostCarried)
    return false;
  // What has columns has at most one label beside, of whole units.
  for (Operation& op : *sequence.getBlock())
    for (Value result : op.getResults()) {
      ArrayType type = arrayType(result);
      if (!bearsColumn(result))
        continue;
      bool isProduct =
          isa<ssm::MulOp>(op) && result.hasOneUse() && isa<ssm::SumOp>(*result.getUsers().begin());
      if (!isProduct && (type.getRank() > 2 || llvm::any_of(type.getAxes(), [](AxisAttr axis) {
                           return axis.getSize() % unit;
                         })))
        return false;
    }
  // What has no columns and meets them has at most one label.
  for (Operation& op : *sequence.getBlock())
    if (isOfColumns(&op) && !isa<tile::StoreOp, tile::YieldOp>(op))
      for (Value operand : op.getOperands()) {
        bool isMatrix =
            isa<ssm::MulOp>(op) && op.hasOneUse() && isa<ssm::SumOp>(*op.getUsers().begin());
        if (!bearsColumn(operand) && !isMatrix && arrayType(operand).getRank() > 1)
          return false;
      }
  return true;
}

bool ColumnSplit::prepare() {
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  takeTotals();
  operands.append(temporaries);
  kernel.setOperandsAttr(b.getArrayAttr(operands));
  if (!findColumn())
    return false;
  moveLateStores();
  for (auto solve : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::SolveOp>()))
    if (isOfColumns(solve))
      pushThrough(solve);
  eraseUnused(sequence.getBlock());
  for (auto solve : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::SolveOp>()))
    if (isOfColumns(solve) && !invert(solve))
      return false;
  for (auto sum : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::SumOp>()))
    if (isOfColumns(sum) && !arrange(sum))
      return false;
  for (auto mul : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::MulOp>()))
    if (isOfColumns(mul))
      gatherScales(mul);
  eraseUnused(sequence.getBlock());
  return fits();
}

//===-- two kernels --------------------------------------------------------------------------===//

Value ColumnSplit::temporary(Value value, Type storage, bool isRest) {
  std::string name = prefix + "." + std::to_string(temporaries.size());
  ArrayType type = arrayType(value);
  // In the order of the type, but that columns of a matrix over steps are contiguous.
  SmallVector<AxisAttr> axes(type.getAxes());
  temporaries.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::ChunkTemp,
                                         axes, storage, ssm::Scope::Head));
  OpBuilder first(beforeSequence.getBlock()->getTerminator());
  auto store =
      tile::StoreOp::create(first, value.getLoc(), name, tile::Part::Whole, toBefore.lookup(value));
  store.setRest(isRest);
  return tile::LoadOp::create(b, value.getLoc(), type, name, tile::Part::Whole, IntegerAttr(),
                              ArrayAttr(), Value());
}

Value ColumnSplit::outside(Value value) {
  if (Value known = toCore.lookupOrNull(value))
    return known;
  Operation* op = value.getDefiningOp();
  for (Value operand : op->getOperands())
    outside(operand);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(coreSequence);
  b.clone(*op, toCore);
  return toCore.lookup(value);
}

Value ColumnSplit::vector(Value value) {
  if (Value known = vectors.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  Value made;
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    Value operand = vector(relabel.getOperand());
    made = ssm::RelabelOp::create(b, op->getLoc(), operand, relabel.getFrom(), relabel.getTo());
  } else if (isa<ssm::ConstantOp>(op)) {
    made = b.clone(*op)->getResult(0);
  } else {
    made = temporary(value, b.getF32Type());
  }
  return vectors[value] = made;
}

Value ColumnSplit::matrix(Value value) {
  if (Value known = matrices.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  Value made;
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    Value operand = matrix(relabel.getOperand());
    made = ssm::RelabelOp::create(b, op->getLoc(), operand, relabel.getFrom(), relabel.getTo());
  } else if (isStoredAsBF16(value)) {
    made = b.clone(*op)->getResult(0);
  } else {
    Value high = temporary(value, b.getBF16Type());
    Value low = temporary(value, b.getBF16Type(), /*isRest=*/true);
    if (auto triangle = triangleOf(value))
      for (Value part : {high, low})
        cast<tile::LoadOp>(part.getDefiningOp())
            .setTriangleAttr(b.getStrArrayAttr({triangle->first, triangle->second}));
    made = ssm::AddOp::create(b, op->getLoc(), high, low);
  }
  return matrices[value] = made;
}

/// Drops operands that nothing reads or writes, and gives the kernel those that are new.
static void setOperands(tile::KernelOp kernel, ArrayRef<Attribute> operands) {
  llvm::StringSet<> loaded, stored;
  kernel.walk([&](Operation* op) {
    if (auto load = dyn_cast<tile::LoadOp>(op))
      loaded.insert(load.getName());
    else if (auto store = dyn_cast<tile::StoreOp>(op))
      stored.insert(store.getName());
  });
  SmallVector<Attribute> kept;
  for (Attribute attribute : operands) {
    auto operand = cast<OperandAttr>(attribute);
    StringRef name = operand.getName().getValue();
    bool reads = llvm::is_contained(
        {Role::In, Role::Param, Role::StateIn, Role::Temp, Role::ChunkTemp}, operand.getRole());
    bool writes = llvm::is_contained({Role::Out, Role::StateOut, Role::Temp, Role::ChunkTemp},
                                     operand.getRole());
    if ((reads && loaded.contains(name)) || (writes && stored.contains(name)))
      kept.push_back(attribute);
  }
  kernel.setOperandsAttr(ArrayAttr::get(kernel.getContext(), kept));
}

/// All that is written late, with the states that a chunk begins with read and not carried.
tile::KernelOp ColumnSplit::makeLate() {
  tile::SequenceOp old = *whole.getBlock()->getOps<tile::SequenceOp>().begin();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(old);
  auto fresh = tile::SequenceOp::create(b, old.getLoc(), TypeRange(), old.getAxis(), 0,
                                        old.getReverse(), ValueRange());
  fresh.getBody().takeBody(old.getBody());
  Block* body = fresh.getBlock();
  b.setInsertionPointToStart(body);
  for (auto [index, argument] : llvm::enumerate(body->getArguments()))
    argument.replaceAllUsesWith(tile::LoadOp::create(
        b, old.getLoc(), argument.getType(), prefix + ".start" + std::to_string(index),
        tile::Part::Whole, IntegerAttr(), ArrayAttr(), Value()));
  body->eraseArguments(0, body->getNumArguments());
  body->getTerminator()->setOperands(ValueRange());
  // The last states are the second kernel's.
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(*whole.getBlock()))) {
    if (&op == old)
      break;
    if (&op != fresh)
      op.erase();
  }
  old.erase();
  eraseUnused(body);
  eraseUnused(whole.getBlock());
  return whole;
}

SmallVector<tile::KernelOp> ColumnSplit::split() {
  Location loc = kernel.getLoc();
  auto make = [&](StringRef name, ValueRange inits, tile::SequenceOp& made, IRMapping& mapping) {
    auto fresh = tile::KernelOp::create(b, loc, name, kernel.getOperandsAttr(),
                                        kernel.getFactorTypeAttr(), StringAttr());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&fresh.getBody().emplaceBlock());
    SmallVector<Value> initial;
    for (Operation& op : *kernel.getBlock()) {
      if (&op == sequence)
        break;
      b.clone(op, mapping);
    }
    for (Value init : inits)
      initial.push_back(mapping.lookup(init));
    made = tile::SequenceOp::create(b, loc, ValueRange(initial).getTypes(), sequence.getAxis(), 0,
                                    sequence.getReverse(), initial);
    Block* body = &made.getBody().emplaceBlock();
    for (Value init : initial)
      body->addArgument(init.getType(), init.getLoc());
    return fresh;
  };
  b.setInsertionPoint(kernel);
  before = make(kernel.getSymName(), ValueRange(), beforeSequence, toBefore);
  core = make((kernel.getSymName() + "_columns").str(), sequence.getInits(), coreSequence, toCore);
  core.setColumns(column);

  // Before: all that has no columns.
  b.setInsertionPointToEnd(beforeSequence.getBlock());
  for (Operation& op : *sequence.getBlock())
    if (!isOfColumns(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      b.clone(op, toBefore);
  tile::YieldOp::create(b, loc, ValueRange());

  // After: what has.
  b.setInsertionPointToEnd(coreSequence.getBlock());
  if (whole)
    for (auto [index, argument] : llvm::enumerate(coreSequence.getBlock()->getArguments())) {
      std::string name = prefix + ".start" + std::to_string(index);
      temporaries.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::ChunkTemp,
                                             SmallVector<AxisAttr>(arrayType(argument).getAxes()),
                                             b.getF32Type(), ssm::Scope::Head));
      tile::StoreOp::create(b, loc, name, tile::Part::Whole, argument);
    }
  for (auto [old, fresh] :
       llvm::zip(sequence.getBlock()->getArguments(), coreSequence.getBlock()->getArguments()))
    toCore.map(old, fresh);
  for (Operation& op : *sequence.getBlock()) {
    if (!isOfColumns(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      continue;
    bool isProduct =
        isa<ssm::MulOp>(op) && op.hasOneUse() && isa<ssm::SumOp>(*op.getUsers().begin());
    for (Value operand : op.getOperands()) {
      if (bearsColumn(operand))
        continue; // Made here, or copied with what precedes the sequence.
      toCore.map(operand, isProduct ? matrix(operand) : vector(operand));
    }
    b.clone(op, toCore);
  }
  b.setInsertionPointAfter(coreSequence);
  for (auto [old, fresh] : llvm::zip(sequence.getResults(), coreSequence.getResults()))
    toCore.map(old, fresh);
  bool after = false;
  for (Operation& op : *kernel.getBlock()) {
    if (after)
      b.clone(op, toCore);
    after |= &op == sequence;
  }
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  for (Attribute operand : temporaries)
    if (!llvm::is_contained(operands, operand))
      operands.push_back(operand);
  if (whole) {
    auto late = makeLate();
    setOperands(late, operands);
  }
  for (tile::KernelOp made : {before, core}) {
    eraseUnused((made == before ? beforeSequence : coreSequence).getBlock());
    eraseUnused(made.getBlock());
    setOperands(made, operands);
  }
  SmallVector<tile::KernelOp> made = {before, core};
  if (whole)
    made.push_back(whole);
  if (sums) {
    setOperands(sums, operands);
    made.push_back(sums);
  }
  return made;
}

SmallVector<tile::KernelOp> schedule::splitColumns(tile::KernelOp kernel, StringRef prefix) {
  OpBuilder b(kernel);
  auto copy = cast<tile::KernelOp>(b.clone(*kernel));
  ColumnSplit split(copy, prefix);
  SmallVector<tile::KernelOp> made;
  if (split.prepare()) {
    made = split.split();
    for (tile::KernelOp one : made) // In the order in which they are to be run.
      one->moveBefore(kernel);
    kernel.erase();
  } else {
    split.drop();
    made = {kernel};
  }
  copy.erase();
  return made;
}

void schedule::keepPairs(ArrayRef<tile::KernelOp> kernels) {
  // Arrays of a chunk with two labels of whole tiles: sides of products.
  auto isMatrix = [](OperandAttr operand) {
    return operand.getRole() == Role::ChunkTemp && operand.getStorage().isF32() &&
           operand.getAxes().size() == 2 && llvm::all_of(operand.getAxes(), [](AxisAttr axis) {
             return axis.getSize() % unit == 0;
           });
  };
  auto restName = [](StringRef name) { return (name + ".rest").str(); };
  for (tile::KernelOp kernel : kernels) {
    OpBuilder b(kernel.getContext());
    SmallVector<Attribute> operands;
    llvm::StringSet<> names;
    for (auto operand : kernel.getOperandsAttr().getAsRange<OperandAttr>()) {
      if (!isMatrix(operand)) {
        operands.push_back(operand);
        continue;
      }
      StringRef name = operand.getName().getValue();
      names.insert(name);
      for (const std::string& part : {name.str(), restName(name)})
        operands.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(part),
                                            operand.getRole(), operand.getAxes(), b.getBF16Type(),
                                            operand.getScope()));
    }
    if (names.empty())
      continue;
    kernel.setOperandsAttr(b.getArrayAttr(operands));
    SmallVector<Operation*> accesses;
    kernel.walk([&](Operation* op) {
      if (isa<tile::LoadOp, tile::StoreOp>(op) &&
          names.contains(op->getAttrOfType<StringAttr>("name").getValue()))
        accesses.push_back(op);
    });
    for (Operation* op : accesses) {
      b.setInsertionPointAfter(op);
      auto rest = restName(op->getAttrOfType<StringAttr>("name").getValue());
      Operation* other = b.clone(*op);
      other->setAttr("name", b.getStringAttr(rest));
      if (auto store = dyn_cast<tile::StoreOp>(other)) {
        store.setRest(true);
        continue;
      }
      Value load = op->getResult(0);
      auto sum = ssm::AddOp::create(b, op->getLoc(), load, other->getResult(0));
      load.replaceAllUsesExcept(sum, sum);
    }
  }
}
