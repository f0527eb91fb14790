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
//     the one that is summed, and to the result if they bear the other, so that a matrix is an
//     operand of the caller as it lies in memory wherever that can be.
//
// A kernel may write more than columns hold: gradients that are summed over them. That waits for no
// chunk but its own once the states that chunks begin with are known, so a third kernel writes it,
// again for all chunks at once, and the second one does no more than pass those states on.
//
// Here columns are found; ArrangeProducts.cpp brings the body to shape, SplitKernels.cpp makes the
// kernels.
#include "ColumnSplit.h"
#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;

/// Elements of states for each column that registers have room for beside all else.
static constexpr int64_t mostCarried = 256;

bool schedule::isSummed(Operation* op) {
  return isa<ssm::MulOp>(op) && op->hasOneUse() && isa<ssm::SumOp>(*op->getUsers().begin());
}

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
    return !ssm::takesDiagonal(relabel) &&
           llvm::none_of(ssm::strings(relabel.getFrom()),
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

void schedule::addSlice(ValueRange values, Block* block, DenseSet<Operation*>& slice) {
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
  // (What a state begins with where none is given may tell its positions, as an identity does.)
  return llvm::all_of(slice, isApart) && llvm::all_of(*kernel.getBlock(), [&](Operation& op) {
           return &op == sequence || isApart(&op) || isa<ssm::PositionOp>(op) ||
                  op.hasTrait<ssm::Pointwise>();
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
  for (Value matrix : solving)
    lateMatrices.push_back({matrix, mapping.lookup(matrix)});
  for (auto store : llvm::make_early_inc_range(sequence.getBlock()->getOps<tile::StoreOp>())) {
    // (Each is written once.)
    if (llvm::is_contained(late, store))
      store.erase();
    else
      mapping.lookup(store.getOperation())->erase();
  }
  eraseUnused(sequence.getBlock());
  passOnReads(mapping);
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
      if (!isSummed(&op) && (type.getRank() > 2 || llvm::any_of(type.getAxes(), [](AxisAttr axis) {
                               return axis.getSize() % unit;
                             })))
        return false;
    }
  // What has no columns and meets them has at most one label.
  for (Operation& op : *sequence.getBlock())
    if (isOfColumns(&op) && !isa<tile::StoreOp, tile::YieldOp>(op))
      for (Value operand : op.getOperands()) {
        if (!bearsColumn(operand) && !isSummed(&op) && arrayType(operand).getRank() > 1)
          return false;
      }
  return true;
}

/// Whether a sum is a product with the inverse of a system, or what has been made of such a one.
bool ColumnSplit::solves(ssm::SumOp sum) {
  auto product = sum.getOperand().getDefiningOp<ssm::MulOp>();
  return product &&
         (inverses.contains(product.getLhs()) || llvm::is_contained(solving, product.getLhs()));
}

bool ColumnSplit::prepare() {
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  takeTotals();
  operands.append(temporaries);
  kernel.setOperandsAttr(b.getArrayAttr(operands));
  if (!findColumn())
    return false;
  for (auto solve : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::SolveOp>()))
    if (isOfColumns(solve))
      invert(solve);
  // What systems are multiplied by instead of being solved is the same in what is written late.
  auto arrangeAll = [&](bool inverses) {
    for (auto sum : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::SumOp>()))
      if (isOfColumns(sum) && solves(sum) == inverses && !arrange(sum))
        return false;
    return true;
  };
  if (!arrangeAll(/*inverses=*/true))
    return false;
  moveLateStores();
  if (!arrangeAll(/*inverses=*/false))
    return false;
  for (auto mul : llvm::make_early_inc_range(sequence.getBlock()->getOps<ssm::MulOp>()))
    if (isOfColumns(mul))
      gatherScales(mul);
  eraseUnused(sequence.getBlock());
  return fits();
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
