// Folders: an op that is one of its operands, or a constant.
//
// A folder keeps the value bit for bit where it can differ visibly, NaN and infinities included:
// x * 0 is not folded (x may be infinite), nor x - x, x / x or exp(log x) (x may be NaN, infinite
// or negative). What it may change is the sign of a zero (x + 0), and a rounding or an overflow on
// the way to a finite value (log(exp x)). All of it is tested in test/dialects/SSM/fold-*.mlir.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMRules.h"

#include "mlir/IR/Builders.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace ssmc::ssm;

static std::optional<double> constant(Attribute attribute) {
  if (auto value = dyn_cast_or_null<FloatAttr>(attribute))
    return value.getValueAsDouble();
  return std::nullopt;
}

static FloatAttr number(MLIRContext* context, double value) {
  return FloatAttr::get(Float64Type::get(context), value);
}

/// The function of constants: f(c), f(c, d).
template <typename Adaptor>
static Attribute foldPair(MLIRContext* context, Adaptor adaptor,
                          double (*function)(double, double)) {
  std::optional<double> lhs = constant(adaptor.getLhs()), rhs = constant(adaptor.getRhs());
  return lhs && rhs ? number(context, function(*lhs, *rhs)) : Attribute();
}

template <typename Adaptor>
static Attribute foldOne(MLIRContext* context, Adaptor adaptor, double (*function)(double)) {
  std::optional<double> operand = constant(adaptor.getOperand());
  return operand ? number(context, function(*operand)) : Attribute();
}

/// `value` where it already has the type that the op would give it.
static OpFoldResult ifSameType(Value value, Type type) {
  return value.getType() == type ? OpFoldResult(value) : OpFoldResult();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) {
  return getValueAttr();
}

//===-- Of two operands ----------------------------------------------------------------------===//

/// x + 0, 0 + x  ->  x
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 0.0)
    return ifSameType(getLhs(), getType());
  if (constant(adaptor.getLhs()) == 0.0)
    return ifSameType(getRhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) { return x + y; });
}

/// x - 0  ->  x
OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 0.0)
    return ifSameType(getLhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) { return x - y; });
}

/// x * 1, 1 * x  ->  x
OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 1.0)
    return ifSameType(getLhs(), getType());
  if (constant(adaptor.getLhs()) == 1.0)
    return ifSameType(getRhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) { return x * y; });
}

/// x / 1  ->  x
OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 1.0)
    return ifSameType(getLhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) { return x / y; });
}

/// pow(x, 1)  ->  x
OpFoldResult PowOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 1.0)
    return ifSameType(getLhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) { return std::pow(x, y); });
}

/// max(x, x)  ->  x
OpFoldResult MaxOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return ifSameType(getLhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) {
    return std::isnan(x) || std::isnan(y) ? x + y : std::max(x, y);
  });
}

/// min(x, x)  ->  x
OpFoldResult MinOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return ifSameType(getLhs(), getType());
  return foldPair(getContext(), adaptor, [](double x, double y) {
    return std::isnan(x) || std::isnan(y) ? x + y : std::min(x, y);
  });
}

//===-- Of one operand -----------------------------------------------------------------------===//

/// -(-x)  ->  x
OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  if (auto inner = getOperand().getDefiningOp<NegOp>())
    return ifSameType(inner.getOperand(), getType());
  return foldOne(getContext(), adaptor, [](double x) { return -x; });
}

OpFoldResult ExpOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return std::exp(x); });
}

/// log(exp x)  ->  x, for reals: where exp x overflows or underflows, x is the value that was meant
OpFoldResult LogOp::fold(FoldAdaptor adaptor) {
  if (auto exp = getOperand().getDefiningOp<ExpOp>(); exp && getType().isReal())
    return ifSameType(exp.getOperand(), getType());
  return foldOne(getContext(), adaptor, [](double x) { return std::log(x); });
}

OpFoldResult SqrtOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return std::sqrt(x); });
}

OpFoldResult RsqrtOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return 1 / std::sqrt(x); });
}

OpFoldResult SinOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return std::sin(x); });
}

OpFoldResult CosOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return std::cos(x); });
}

OpFoldResult TanhOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return std::tanh(x); });
}

static double sigmoid(double x) {
  double e = std::exp(-std::abs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}

OpFoldResult SigmoidOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, sigmoid);
}

OpFoldResult SoftplusOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) {
    return std::isnan(x) ? x : std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  });
}

OpFoldResult SiluOp::fold(FoldAdaptor adaptor) {
  return foldOne(getContext(), adaptor, [](double x) { return x * sigmoid(x); });
}

/// relu(relu x)  ->  relu x
OpFoldResult ReluOp::fold(FoldAdaptor adaptor) {
  if (getOperand().getDefiningOp<ReluOp>())
    return getOperand();
  return foldOne(getContext(), adaptor, [](double x) { return x < 0 ? 0 : x; });
}

/// |(|x|)|  ->  |x|
OpFoldResult AbsOp::fold(FoldAdaptor adaptor) {
  if (getOperand().getDefiningOp<AbsOp>())
    return getOperand();
  return foldOne(getContext(), adaptor, [](double x) { return std::abs(x); });
}

/// sign(sign x)  ->  sign x
OpFoldResult SignOp::fold(FoldAdaptor adaptor) {
  if (getOperand().getDefiningOp<SignOp>())
    return getOperand();
  return foldOne(getContext(), adaptor, [](double x) { return x > 0 ? 1 : x < 0 ? -1 : x; });
}

/// A complex constant has no attribute; real(cis c) and imag(cis c) fold.
OpFoldResult CisOp::fold(FoldAdaptor) {
  return {};
}

/// conj(conj x)  ->  x; conj x  ->  x for real x
OpFoldResult ConjOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal())
    return getOperand();
  if (auto inner = getOperand().getDefiningOp<ConjOp>())
    return ifSameType(inner.getOperand(), getType());
  return {};
}

/// real x  ->  x for real x; real(cast x)  ->  x
OpFoldResult RealOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal())
    return getOperand();
  if (auto cast = getOperand().getDefiningOp<CastOp>())
    return ifSameType(cast.getOperand(), getType());
  return {};
}

/// imag x  ->  0 for real x without labels
OpFoldResult ImagOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal() && getType().isScalar())
    return number(getContext(), 0.0);
  return {};
}

//===-- Truth values -------------------------------------------------------------------------===//

/// There is no constant of truth values; what depends on one looks through the comparison.
OpFoldResult CmpOp::fold(FoldAdaptor) {
  return {};
}

/// select(c, x, x)  ->  x; select of a condition that is known  ->  the value taken
OpFoldResult SelectOp::fold(FoldAdaptor) {
  if (getOnTrue() == getOnFalse())
    return ifSameType(getOnTrue(), getType());
  if (std::optional<bool> truth = knownTruth(getCondition()))
    return ifSameType(*truth ? getOnTrue() : getOnFalse(), getType());
  return {};
}

/// cast x to x's own type  ->  x; cast of a cast that loses nothing, back  ->  x
OpFoldResult CastOp::fold(FoldAdaptor) {
  if (getOperand().getType() == getType())
    return getOperand();
  if (getType().isReal() && getOperand().getType().isBool())
    if (std::optional<bool> truth = knownTruth(getOperand()); truth && getType().isScalar())
      return number(getContext(), *truth ? 1.0 : 0.0);
  auto inner = getOperand().getDefiningOp<CastOp>();
  bool lossless = inner && inner.getOperand().getType().isBool() && inner.getType().isReal();
  return lossless ? ifSameType(inner.getOperand(), getType()) : OpFoldResult();
}

//===-- Labels -------------------------------------------------------------------------------===//

/// broadcast x to x's own labels  ->  x
OpFoldResult BroadcastOp::fold(FoldAdaptor) {
  return ifSameType(getOperand(), getType());
}

/// sum over no label  ->  the operand
OpFoldResult SumOp::fold(FoldAdaptor) {
  return getOver().empty() ? OpFoldResult(getOperand()) : OpFoldResult();
}

/// maximum over no label  ->  the operand
OpFoldResult MaximumOp::fold(FoldAdaptor) {
  return getOver().empty() ? OpFoldResult(getOperand()) : OpFoldResult();
}

/// relabel [i] to [i]  ->  the operand
OpFoldResult RelabelOp::fold(FoldAdaptor) {
  return getFrom() == getTo() ? OpFoldResult(getOperand()) : OpFoldResult();
}
