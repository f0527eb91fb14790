// Sinking: a readout of a vector state leaves its fold.
//
// A stacked value `sum[n](C[n,p] * x[n])` of a carried x of rank 1 is taken out of the fold: x is
// stacked instead, which is small, and the sum is taken for all steps of the tile afterwards. Then
// n is free, and lanes and strips can run along it.
#include "FoldRewriter.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// Clones an op for all steps at once: its operands may have gained the fold's label.
Value ssmc::cpu::cloneLifted(OpBuilder& b, Operation* op, ValueRange operands) {
  if (auto broadcast = dyn_cast<ssm::BroadcastOp>(op)) {
    ssm::ArrayType type = broadcast.getType();
    for (ssm::AxisAttr axis : arrayType(operands[0]).getAxes())
      if (!type.has(axis.getName()))
        type = type.withAxis(axis);
    return ssm::BroadcastOp::create(b, op->getLoc(), type, operands[0]);
  }
  if (auto cast = dyn_cast<ssm::CastOp>(op))
    return ssm::CastOp::create(
        b, op->getLoc(), arrayType(operands[0]).withElementType(cast.getType().getElementType()),
        operands[0]);
  if (operands.empty()) // A constant, a position.
    return b.clone(*op)->getResult(0);
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(operands);
  state.addAttributes(op->getAttrs());
  SmallVector<Type> types;
  if (auto infer = dyn_cast<InferTypeOpInterface>(op))
    if (failed(infer.inferReturnTypes(op->getContext(), op->getLoc(), operands,
                                      op->getAttrDictionary(), op->getPropertiesStorage(), {},
                                      types)))
      return {};
  state.addTypes(types);
  return b.create(state)->getResult(0);
}

/// The values of rank 1 at most that `value` is computed from; false where it needs larger ones.
static bool findFrontier(FoldRewriter& rewriter, Value value, llvm::SetVector<Value>& frontier) {
  if (!rewriter.isInside(value))
    return true;
  if (rewriter.carriedOf(value) && arrayType(value).getRank() <= 1) {
    frontier.insert(value);
    return true;
  }
  Operation* op = value.getDefiningOp();
  if (!op || op->getNumRegions() || (isReduction(op) && rewriter.carriedOf(value)))
    return false;
  return llvm::all_of(op->getOperands(),
                      [&](Value operand) { return findFrontier(rewriter, operand, frontier); });
}

static Value lift(FoldRewriter& rewriter, OpBuilder& b, Value value,
                  DenseMap<Value, Value>& lifted) {
  if (!rewriter.isInside(value))
    return value;
  if (Value known = lifted.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  auto at = dyn_cast<ssm::AtOp>(op);
  Value result;
  if (at && at.getLabel() == rewriter.label) {
    result = lift(rewriter, b, at.getOperand(), lifted);
  } else {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(lift(rewriter, b, operand, lifted));
    result = cloneLifted(b, op, operands);
  }
  return lifted[value] = result;
}

/// Replaces a fold by one that stacks more values; results keep their order, new ones follow. With
/// `prune` stacked values that nobody uses are left out.
static ssm::FoldOp withStacked(ssm::FoldOp fold, ArrayRef<Value> more, bool prune = false) {
  OpBuilder b(fold);
  SmallVector<Value> kept, values;
  SmallVector<Type> types;
  for (auto [i, result] : llvm::enumerate(fold->getResults()))
    if (!prune || i < fold.getNumCarried() || !result.use_empty()) {
      kept.push_back(result);
      values.push_back(fold.getYield().getValues()[i]);
      types.push_back(result.getType());
    }
  for (Value value : more) {
    values.push_back(value);
    types.push_back(arrayType(value).withAxis(fold.getAxis()));
  }
  OperationState state(fold.getLoc(), ssm::FoldOp::getOperationName());
  state.addOperands(fold.getInits());
  state.addTypes(types);
  state.addAttributes(fold->getAttrs());
  state.addRegion()->takeBody(fold.getBody());
  auto result = cast<ssm::FoldOp>(b.create(state));
  result.getYield()->setOperands(values);
  for (auto [old, replacement] : llvm::zip(kept, result->getResults()))
    old.replaceAllUsesWith(replacement);
  fold.erase();
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(*result.getBlock())))
    if (isOpTriviallyDead(&op))
      op.erase();
  return result;
}

ssm::FoldOp ssmc::cpu::sinkReductions(ssm::FoldOp fold) {
  FoldRewriter rewriter(fold);
  llvm::SetVector<Value> frontier;
  SmallVector<unsigned> sunk;
  for (unsigned i = fold.getNumCarried(); i < fold->getNumResults(); ++i) {
    Value value = fold.getYield().getValues()[i];
    Operation* op = value.getDefiningOp();
    // Reduced again or used by the state itself: it is computed in the fold anyway.
    if (!isReduction(op) || !rewriter.isInside(value) || !rewriter.carriedOf(value) ||
        !llvm::all_of(op->getUsers(), [&](Operation* user) { return isa<ssm::YieldOp>(user); }))
      continue;
    llvm::SetVector<Value> one;
    bool labelClash = arrayType(op->getOperand(0)).has(rewriter.label);
    if (labelClash || !findFrontier(rewriter, op->getOperand(0), one))
      continue;
    frontier.insert(one.begin(), one.end());
    sunk.push_back(i);
  }
  if (sunk.empty())
    return fold;
  unsigned before = fold->getNumResults();
  fold = withStacked(fold, frontier.getArrayRef());
  FoldRewriter after(fold);
  OpBuilder b(fold);
  b.setInsertionPointAfter(fold);
  DenseMap<Value, Value> lifted;
  for (auto [i, value] : llvm::enumerate(frontier))
    lifted[value] = fold.getResult(before + i);
  for (unsigned i : sunk)
    fold.getResult(i).replaceAllUsesWith(lift(after, b, fold.getYield().getValues()[i], lifted));
  return withStacked(fold, {}, /*prune=*/true);
}
