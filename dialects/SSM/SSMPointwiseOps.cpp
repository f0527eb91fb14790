// Verifiers and folders of the pointwise ops, and folders of the label ops.
//
// A folder keeps the value bit for bit where it can differ visibly: x * 0 is not folded (x may be
// infinite), x + 0 is (it differs in the sign of a zero at most).
#include "dialects/SSM/SSM.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace ssmc::ssm;

LogicalResult SelectOp::verify() {
  if (!getCondition().getType().isBool()) // select_c1
    return emitOpError() << "has a condition of type " << getCondition().getType() << ", expected i1";
  return success();
}

LogicalResult CastOp::verify() {
  ArrayType from = getOperand().getType(), to = getType();
  if (from.getAxes() != to.getAxes()) // cast_c1
    return emitOpError() << "changes labels from " << from << " to " << to;
  if (from.isComplex() && !to.isComplex()) // cast_c2
    return emitOpError() << "drops the imaginary part: expected ssm.real or ssm.imag";
  return success();
}

//===-- Folders -------------------------------------------------------------------------------------===//

static std::optional<double> constant(Attribute attribute) {
  if (auto value = dyn_cast_or_null<FloatAttr>(attribute))
    return value.getValueAsDouble();
  return std::nullopt;
}

static FloatAttr number(MLIRContext* context, double value) {
  return FloatAttr::get(Float64Type::get(context), value);
}

/// Folds a function of two constants.
template <typename Adaptor>
static Attribute foldBinary(MLIRContext* context, Adaptor adaptor, double (*function)(double, double)) {
  std::optional<double> lhs = constant(adaptor.getLhs()), rhs = constant(adaptor.getRhs());
  return lhs && rhs ? number(context, function(*lhs, *rhs)) : Attribute();
}

template <typename Adaptor>
static Attribute foldUnary(MLIRContext* context, Adaptor adaptor, double (*function)(double)) {
  std::optional<double> operand = constant(adaptor.getOperand());
  return operand ? number(context, function(*operand)) : Attribute();
}

/// `value` where it already has the type that the op would give it.
static OpFoldResult ifSameType(Value value, Type type) {
  return value.getType() == type ? OpFoldResult(value) : OpFoldResult();
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValueAttr(); }

OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 0.0)
    return ifSameType(getLhs(), getType());
  if (constant(adaptor.getLhs()) == 0.0)
    return ifSameType(getRhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return x + y; });
}

OpFoldResult SubOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 0.0)
    return ifSameType(getLhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return x - y; });
}

OpFoldResult MulOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 1.0)
    return ifSameType(getLhs(), getType());
  if (constant(adaptor.getLhs()) == 1.0)
    return ifSameType(getRhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return x * y; });
}

OpFoldResult DivOp::fold(FoldAdaptor adaptor) {
  if (constant(adaptor.getRhs()) == 1.0)
    return ifSameType(getLhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return x / y; });
}

OpFoldResult NegOp::fold(FoldAdaptor adaptor) {
  if (auto inner = getOperand().getDefiningOp<NegOp>())
    return inner.getOperand();
  return foldUnary(getContext(), adaptor, [](double x) { return -x; });
}

OpFoldResult MaxOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return ifSameType(getLhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return std::max(x, y); });
}

OpFoldResult MinOp::fold(FoldAdaptor adaptor) {
  if (getLhs() == getRhs())
    return ifSameType(getLhs(), getType());
  return foldBinary(getContext(), adaptor, [](double x, double y) { return std::min(x, y); });
}

OpFoldResult ExpOp::fold(FoldAdaptor adaptor) {
  return foldUnary(getContext(), adaptor, [](double x) { return std::exp(x); });
}

OpFoldResult LogOp::fold(FoldAdaptor adaptor) {
  if (auto exp = getOperand().getDefiningOp<ExpOp>(); exp && getType().isReal())
    return exp.getOperand();
  return foldUnary(getContext(), adaptor, [](double x) { return std::log(x); });
}

OpFoldResult ConjOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal())
    return getOperand();
  if (auto inner = getOperand().getDefiningOp<ConjOp>())
    return inner.getOperand();
  return {};
}

OpFoldResult RealOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal())
    return getOperand();
  if (auto cast = getOperand().getDefiningOp<CastOp>())
    return ifSameType(cast.getOperand(), getType());
  return {};
}

OpFoldResult ImagOp::fold(FoldAdaptor) {
  if (getOperand().getType().isReal() && getType().isScalar())
    return number(getContext(), 0.0);
  return {};
}

OpFoldResult SelectOp::fold(FoldAdaptor) {
  if (getOnTrue() == getOnFalse())
    return ifSameType(getOnTrue(), getType());
  return {};
}

OpFoldResult CastOp::fold(FoldAdaptor) { return ifSameType(getOperand(), getType()); }

OpFoldResult BroadcastOp::fold(FoldAdaptor) { return ifSameType(getOperand(), getType()); }

OpFoldResult SumOp::fold(FoldAdaptor) {
  return getOver().empty() ? OpFoldResult(getOperand()) : OpFoldResult();
}

OpFoldResult MaximumOp::fold(FoldAdaptor) {
  return getOver().empty() ? OpFoldResult(getOperand()) : OpFoldResult();
}

OpFoldResult RelabelOp::fold(FoldAdaptor) {
  return getFrom() == getTo() ? OpFoldResult(getOperand()) : OpFoldResult();
}
