// Algebraic simplification of pointwise ops.
//
// Signs and comparisons take one shape, so that equal steps meet in it; an op that another undoes
// goes. Each rule keeps every value, NaN and infinities included, up to the sign of a zero; see
// SSMFolders.cpp for rules that leave no new op, SSMLabelRules.cpp for those about labels.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMRules.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ssmc::ssm;

std::optional<double> ssmc::ssm::knownNumber(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? std::optional(constant.getValue().convertToDouble()) : std::nullopt;
}

std::optional<bool> ssmc::ssm::knownTruth(Value condition) {
  if (auto broadcast = condition.getDefiningOp<BroadcastOp>())
    return knownTruth(broadcast.getOperand());
  if (auto cast = condition.getDefiningOp<CastOp>())
    if (std::optional<double> number = knownNumber(cast.getOperand()))
      return *number != 0;
  auto compare = condition.getDefiningOp<CmpOp>();
  if (!compare)
    return std::nullopt;
  CmpPredicate predicate = compare.getPredicate();
  if (compare.getLhs() == compare.getRhs() &&
      llvm::is_contained({CmpPredicate::lt, CmpPredicate::gt}, predicate))
    return false; // for NaN too
  std::optional<double> x = knownNumber(compare.getLhs()), y = knownNumber(compare.getRhs());
  if (!x || !y)
    return std::nullopt;
  switch (predicate) {
  case CmpPredicate::lt:
    return *x < *y;
  case CmpPredicate::le:
    return *x <= *y;
  case CmpPredicate::gt:
    return *x > *y;
  case CmpPredicate::ge:
    return *x >= *y;
  case CmpPredicate::eq:
    return *x == *y;
  case CmpPredicate::ne:
    return *x != *y;
  }
  llvm_unreachable("no such predicate");
}

//===-- Signs --------------------------------------------------------------------------------===//

/// x + (-y)  ->  x - y
static LogicalResult addNegated(AddOp op, PatternRewriter& rewriter) {
  for (unsigned side : {0u, 1u})
    if (auto neg = op->getOperand(side).getDefiningOp<NegOp>()) {
      rewriter.replaceOpWithNewOp<SubOp>(op, op->getOperand(1 - side), neg.getOperand());
      return success();
    }
  return rewriter.notifyMatchFailure(op, "no operand is negated");
}

/// x - (-y)  ->  x + y
static LogicalResult subNegated(SubOp op, PatternRewriter& rewriter) {
  auto neg = op.getRhs().getDefiningOp<NegOp>();
  if (!neg)
    return rewriter.notifyMatchFailure(op, "right operand is not negated");
  rewriter.replaceOpWithNewOp<AddOp>(op, op.getLhs(), neg.getOperand());
  return success();
}

/// 0 - x  ->  -x
static LogicalResult subFromZero(SubOp op, PatternRewriter& rewriter) {
  if (knownNumber(op.getLhs()) != 0.0)
    return rewriter.notifyMatchFailure(op, "left operand is not zero");
  rewriter.replaceOpWithNewOp<NegOp>(op, op.getRhs());
  return success();
}

/// -(x - y)  ->  y - x
static LogicalResult negOfSub(NegOp op, PatternRewriter& rewriter) {
  auto sub = op.getOperand().getDefiningOp<SubOp>();
  if (!sub || !sub->hasOneUse())
    return rewriter.notifyMatchFailure(op, "operand is no difference of one use");
  rewriter.replaceOpWithNewOp<SubOp>(op, sub.getRhs(), sub.getLhs());
  return success();
}

/// (-x) * (-y)  ->  x * y, and alike for division
template <typename Op> static LogicalResult bothNegated(Op op, PatternRewriter& rewriter) {
  auto lhs = op.getLhs().template getDefiningOp<NegOp>(),
       rhs = op.getRhs().template getDefiningOp<NegOp>();
  if (!lhs || !rhs)
    return rewriter.notifyMatchFailure(op, "not both operands are negated");
  rewriter.replaceOpWithNewOp<Op>(op, lhs.getOperand(), rhs.getOperand());
  return success();
}

/// x * -1, x / -1  ->  -x
template <typename Op> static LogicalResult timesMinusOne(Op op, PatternRewriter& rewriter) {
  if (knownNumber(op.getRhs()) != -1.0)
    return rewriter.notifyMatchFailure(op, "right operand is not -1");
  rewriter.replaceOpWithNewOp<NegOp>(op, op.getLhs());
  return success();
}

/// |-x|  ->  |x|, |conj x|  ->  |x|, cos(-x)  ->  cos x
template <typename Op, typename Inner>
static LogicalResult dropInner(Op op, PatternRewriter& rewriter) {
  auto inner = op.getOperand().template getDefiningOp<Inner>();
  if (!inner)
    return rewriter.notifyMatchFailure(op, "operand is of another kind");
  rewriter.replaceOpWithNewOp<Op>(op, inner.getOperand());
  return success();
}

//===-- Products along steps -----------------------------------------------------------------===//

/// x times the product before each position of x  ->  the product up to it; with another factor of
/// x the same, and that factor. (One product along the steps instead of two, where the other one is
/// wanted too; up to rounding.)
static LogicalResult productUpTo(MulOp op, PatternRewriter& rewriter) {
  for (unsigned side : {0u, 1u}) {
    auto before = op->getOperand(side).getDefiningOp<CumprodOp>();
    if (!before || !before.getExclusive())
      continue;
    Value x = before.getOperand(), other = op->getOperand(1 - side), rest;
    if (auto mul = other.getDefiningOp<MulOp>())
      rest = mul.getLhs() == x ? mul.getRhs() : mul.getRhs() == x ? mul.getLhs() : Value();
    if (other != x && !rest)
      continue;
    Value upTo = CumprodOp::create(rewriter, before.getLoc(), x, before.getLabelAttr(), UnitAttr(),
                                   before.getReverseAttr());
    if (rest)
      rewriter.replaceOpWithNewOp<MulOp>(op, rest, upTo);
    else
      rewriter.replaceOp(op, upTo);
    return success();
  }
  return rewriter.notifyMatchFailure(op, "no factor is the product before another one");
}

//===-- Complex numbers ----------------------------------------------------------------------===//

/// real(cis x)  ->  cos x, real(conj x)  ->  real x
static LogicalResult realOf(RealOp op, PatternRewriter& rewriter) {
  if (auto cis = op.getOperand().getDefiningOp<CisOp>()) {
    rewriter.replaceOpWithNewOp<CosOp>(op, cis.getOperand());
    return success();
  }
  return dropInner<RealOp, ConjOp>(op, rewriter);
}

/// imag(cis x)  ->  sin x, imag(conj x)  ->  -imag x, imag of a real  ->  0
static LogicalResult imagOf(ImagOp op, PatternRewriter& rewriter) {
  if (auto cis = op.getOperand().getDefiningOp<CisOp>()) {
    rewriter.replaceOpWithNewOp<SinOp>(op, cis.getOperand());
    return success();
  }
  if (auto conj = op.getOperand().getDefiningOp<ConjOp>()) {
    Value imag = ImagOp::create(rewriter, op.getLoc(), conj.getOperand());
    rewriter.replaceOpWithNewOp<NegOp>(op, imag);
    return success();
  }
  auto cast = op.getOperand().getDefiningOp<CastOp>();
  if (op.getOperand().getType().isComplex() && !(cast && !cast.getOperand().getType().isComplex()))
    return rewriter.notifyMatchFailure(op, "operand is neither real, cis nor a conjugate");
  Value zero = ConstantOp::create(rewriter, op.getLoc(), 0.0);
  rewriter.replaceOpWithNewOp<BroadcastOp>(op, op.getType(), zero);
  return success();
}

/// conj(cis x)  ->  cis(-x)
static LogicalResult conjOfCis(ConjOp op, PatternRewriter& rewriter) {
  auto cis = op.getOperand().getDefiningOp<CisOp>();
  if (!cis || !cis->hasOneUse())
    return rewriter.notifyMatchFailure(op, "operand is no cis of one use");
  Value angle = NegOp::create(rewriter, op.getLoc(), cis.getOperand());
  rewriter.replaceOpWithNewOp<CisOp>(op, angle);
  return success();
}

//===-- Conditions ---------------------------------------------------------------------------===//

/// x > y  ->  y < x, x >= y  ->  y <= x
static LogicalResult cmpTurned(CmpOp op, PatternRewriter& rewriter) {
  if (op.getPredicate() != CmpPredicate::gt && op.getPredicate() != CmpPredicate::ge)
    return rewriter.notifyMatchFailure(op, "not a gt or ge");
  auto turned = op.getPredicate() == CmpPredicate::gt ? CmpPredicate::lt : CmpPredicate::le;
  rewriter.replaceOpWithNewOp<CmpOp>(op, turned, op.getRhs(), op.getLhs());
  return success();
}

/// select of a condition that is known, or of equal values, which lack labels of the result or are
/// real where it is complex  ->  the value, cast and broadcast
static LogicalResult selectKnown(SelectOp op, PatternRewriter& rewriter) {
  std::optional<bool> truth = knownTruth(op.getCondition());
  if (!truth && op.getOnTrue() != op.getOnFalse())
    return rewriter.notifyMatchFailure(op, "neither the condition nor the value is known");
  Value taken = truth.value_or(true) ? op.getOnTrue() : op.getOnFalse();
  auto type = cast<ArrayType>(taken.getType()).withElementType(op.getType().getElementType());
  taken = rewriter.createOrFold<CastOp>(op.getLoc(), type, taken);
  rewriter.replaceOp(op, rewriter.createOrFold<BroadcastOp>(op.getLoc(), op.getType(), taken));
  return success();
}

void SSMDialect::getCanonicalizationPatterns(RewritePatternSet& patterns) const {
  patterns.add(addNegated).add(subNegated).add(subFromZero).add(negOfSub);
  patterns.add(bothNegated<MulOp>).add(bothNegated<DivOp>);
  patterns.add(timesMinusOne<MulOp>).add(timesMinusOne<DivOp>);
  patterns.add(dropInner<AbsOp, NegOp>).add(dropInner<AbsOp, ConjOp>).add(dropInner<CosOp, NegOp>);
  patterns.add(productUpTo);
  patterns.add(realOf).add(imagOf).add(conjOfCis);
  patterns.add(cmpTurned).add(selectKnown);
  addLabelRules(patterns);
}
