// Numbers near one, less one.
//
// exp(x) - 1 keeps no digit of a small x, and exp(x) cos(y) - 1, the real part of a complex one,
// none of a small y either. Zero-order hold divides them by what made them small, so that what is
// lost is lost for good:
//
//   exp(x) - 1          = tanh(x / 2) (exp(x) + 1)
//   exp(x) cos(y) - 1   = (exp(x) - 1) cos(y) - 2 sin(y / 2)^2
//
// of which no term cancels. Derivatives need neither: they are taken before.
#include "Cancellation.h"

#include "dialects/SSM/SSM.h"

using namespace mlir;
using namespace ssmc;

/// The number that a value is everywhere.
static std::optional<double> constantOf(Value value) {
  while (auto spread = value.getDefiningOp<ssm::BroadcastOp>())
    value = spread.getOperand();
  if (auto constant = value.getDefiningOp<ssm::ConstantOp>())
    return constant.getValue().convertToDouble();
  return {};
}

namespace {
/// exp(x), or exp(x) cos(y).
struct NearOne {
  Value exp, x, cos, y;
};
} // namespace

static std::optional<NearOne> matchNearOne(Value value) {
  if (auto exp = value.getDefiningOp<ssm::ExpOp>())
    return NearOne{value, exp.getOperand(), {}, {}};
  auto mul = value.getDefiningOp<ssm::MulOp>();
  if (!mul)
    return {};
  for (auto [one, other] : {std::pair(mul.getLhs(), mul.getRhs()), {mul.getRhs(), mul.getLhs()}})
    if (auto exp = one.getDefiningOp<ssm::ExpOp>())
      if (auto cos = other.getDefiningOp<ssm::CosOp>())
        return NearOne{one, exp.getOperand(), other, cos.getOperand()};
  return {};
}

static Value lessOne(OpBuilder& b, Location loc, const NearOne& near) {
  auto number = [&](double value) -> Value { return ssm::ConstantOp::create(b, loc, value); };
  Value half = ssm::MulOp::create(b, loc, number(0.5), near.x);
  Value tanh = ssm::TanhOp::create(b, loc, half);
  Value more = ssm::AddOp::create(b, loc, near.exp, number(1));
  Value less = ssm::MulOp::create(b, loc, tanh, more);
  if (!near.cos)
    return less;
  Value sin = ssm::SinOp::create(b, loc, ssm::MulOp::create(b, loc, number(0.5), near.y));
  Value square = ssm::MulOp::create(b, loc, sin, sin);
  return ssm::SubOp::create(b, loc, ssm::MulOp::create(b, loc, less, near.cos),
                            ssm::MulOp::create(b, loc, number(2), square));
}

void schedule::avoidCancellation(Operation* root) {
  root->walk([&](Operation* op) {
    if (!isa<ssm::AddOp, ssm::SubOp>(op) ||
        !cast<ssm::ArrayType>(op->getResult(0).getType()).isReal())
      return;
    // What is near one, less one, or the other way round.
    Value lhs = op->getOperand(0), rhs = op->getOperand(1), other;
    bool isSub = isa<ssm::SubOp>(op), negated = false;
    if (constantOf(rhs) == (isSub ? 1.0 : -1.0))
      other = lhs;
    else if (constantOf(lhs) == (isSub ? 1.0 : -1.0)) {
      other = rhs;
      negated = isSub;
    }
    std::optional<NearOne> near = other ? matchNearOne(other) : std::nullopt;
    if (!near)
      return;
    OpBuilder b(op);
    Value made = lessOne(b, op->getLoc(), *near);
    if (negated)
      made = ssm::NegOp::create(b, op->getLoc(), made);
    op->getResult(0).replaceAllUsesWith(made);
    op->erase();
  });
}
