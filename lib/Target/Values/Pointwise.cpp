// Pointwise ops and reductions, on values of one shape.
#include "lib/Target/Values/Values.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::target;

Type target::vectorLike(Type element, Type like) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), element);
  return element;
}

//===-- pointwise ops ------------------------------------------------------------------------===//

static Value toReal(ImplicitLocOpBuilder& b, Value x) {
  Type element = getElementTypeOrSelf(x.getType());
  Type real = vectorLike(b.getF32Type(), x.getType());
  if (element.isInteger(1))
    return arith::UIToFPOp::create(b, real, x);
  return element.isF32() ? x : arith::SIToFPOp::create(b, real, x).getResult();
}

static Value emitCast(ImplicitLocOpBuilder& b, ssm::CastOp op, Value x) {
  if (!op.getType().isBool())
    return op.getType().isReal() ? toReal(b, x) : x;
  Type element = getElementTypeOrSelf(x.getType());
  if (element.isInteger(1))
    return x;
  Arithmetic a{b, vectorLike(b.getF32Type(), x.getType())};
  if (element.isF32())
    return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, x, a.constant(0));
  return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, x, a.integer(0));
}

static Value emitCmp(ImplicitLocOpBuilder& b, ssm::CmpOp op, Value x, Value y) {
  using P = arith::CmpFPredicate;
  P predicate = P::OLT;
  switch (op.getPredicate()) {
  case ssm::CmpPredicate::lt:
    predicate = P::OLT;
    break;
  case ssm::CmpPredicate::le:
    predicate = P::OLE;
    break;
  case ssm::CmpPredicate::gt:
    predicate = P::OGT;
    break;
  case ssm::CmpPredicate::ge:
    predicate = P::OGE;
    break;
  case ssm::CmpPredicate::eq:
    predicate = P::OEQ;
    break;
  case ssm::CmpPredicate::ne:
    predicate = P::UNE;
    break;
  }
  return arith::CmpFOp::create(b, predicate, x, y);
}

Value target::emitPointwise(ImplicitLocOpBuilder& b, Operation* op, ArrayRef<Value> x,
                            bool hasDoubles) {
  if (auto cast = dyn_cast<ssm::CastOp>(op))
    return emitCast(b, cast, x[0]);
  if (isa<ssm::AtOp, ssm::LastOp, ssm::RelabelOp, ssm::BroadcastOp>(op))
    return x[0];
  if (auto select = dyn_cast<ssm::SelectOp>(op)) {
    bool isBool = select.getType().isBool();
    return arith::SelectOp::create(b, x[0], isBool ? x[1] : toReal(b, x[1]),
                                   isBool ? x[2] : toReal(b, x[2]));
  }
  SmallVector<Value> v = llvm::map_to_vector(x, [&](Value one) { return toReal(b, one); });
  Arithmetic a{b, v[0].getType(), hasDoubles};
  auto zero = [&] { return a.constant(0.0); };
  return llvm::TypeSwitch<Operation*, Value>(op)
      .Case([&](ssm::AddOp) { return a.add(v[0], v[1]); })
      .Case([&](ssm::SubOp) { return a.sub(v[0], v[1]); })
      .Case([&](ssm::MulOp) { return a.mul(v[0], v[1]); })
      .Case([&](ssm::DivOp) { return a.div(v[0], v[1]); })
      .Case([&](ssm::NegOp) { return arith::NegFOp::create(b, v[0]); })
      .Case([&](ssm::MaxOp) { return arith::MaximumFOp::create(b, v[0], v[1]); })
      .Case([&](ssm::MinOp) { return arith::MinimumFOp::create(b, v[0], v[1]); })
      .Case([&](ssm::PowOp) { return emitPow(a, v[0], v[1]); })
      .Case([&](ssm::ExpOp) { return emitExp(a, v[0]); })
      .Case([&](ssm::LogOp) { return emitLog(a, v[0]); })
      .Case([&](ssm::SqrtOp) { return math::SqrtOp::create(b, v[0]); })
      .Case([&](ssm::RsqrtOp) { return a.div(a.constant(1.0), math::SqrtOp::create(b, v[0])); })
      .Case([&](ssm::AbsOp) { return a.abs(v[0]); })
      .Case([&](ssm::SignOp) {
        Value negative = a.select(a.less(v[0], zero()), a.constant(-1.0), v[0]);
        return a.select(a.less(zero(), v[0]), a.constant(1.0), negative);
      })
      .Case([&](ssm::SinOp) { return emitSin(a, v[0], false); })
      .Case([&](ssm::CosOp) { return emitSin(a, v[0], true); })
      .Case([&](ssm::TanhOp) { return emitTanh(a, v[0]); })
      .Case([&](ssm::SigmoidOp) { return emitSigmoid(a, v[0]); })
      .Case([&](ssm::SoftplusOp) { return emitSoftplus(a, v[0]); })
      .Case([&](ssm::SiluOp) { return a.mul(v[0], emitSigmoid(a, v[0])); })
      .Case([&](ssm::ReluOp) { return arith::MaximumFOp::create(b, v[0], zero()); })
      .Case([&](ssm::RealOp) { return v[0]; })
      .Case([&](ssm::ConjOp) { return v[0]; })
      .Case([&](ssm::ImagOp) { return zero(); })
      .Case([&](ssm::CmpOp cmp) { return emitCmp(b, cmp, v[0], v[1]); })
      .Default([&](Operation* other) {
        other->emitOpError() << "is no pointwise operation";
        return zero();
      });
}

bool target::comparesBits(Operation* op) {
  auto cmp = dyn_cast<ssm::CmpOp>(op);
  return cmp && cast<ssm::ArrayType>(cmp.getLhs().getType()).isReal() &&
         (cmp.getPredicate() == ssm::CmpPredicate::eq ||
          cmp.getPredicate() == ssm::CmpPredicate::ne);
}

bool target::isExpensive(Operation* op) {
  return isa<ssm::ExpOp, ssm::LogOp, ssm::PowOp, ssm::SinOp, ssm::CosOp, ssm::TanhOp,
             ssm::SigmoidOp, ssm::SoftplusOp, ssm::SiluOp, ssm::DivOp, ssm::SqrtOp, ssm::RsqrtOp>(
      op);
}

//===-- reductions ---------------------------------------------------------------------------===//

bool target::isReduction(Operation* op) {
  return isa_and_nonnull<ssm::SumOp, ssm::MaximumOp>(op);
}

SmallVector<StringRef> target::reducedLabels(Operation* op) {
  return ssm::strings(op->getAttrOfType<ArrayAttr>("over"));
}

Value target::reductionIdentity(ImplicitLocOpBuilder& b, Operation* op, Type type) {
  Arithmetic a{b, vectorLike(b.getF32Type(), type)};
  return a.constant(isa<ssm::SumOp>(op) ? 0.0 : -INFINITY);
}

Value target::reductionCombine(ImplicitLocOpBuilder& b, Operation* op, Value x, Value y) {
  Arithmetic a{b, x.getType()};
  if (isa<ssm::SumOp>(op))
    return a.add(x, y);
  return arith::MaximumFOp::create(b, x, y);
}
