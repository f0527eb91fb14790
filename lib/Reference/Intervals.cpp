// Bounds on the real parts of values, by the operands that they are computed from.
#include "Assumptions.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <numbers>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;
using runtime::Fill;
using runtime::FillSpec;

static constexpr double inf = std::numeric_limits<double>::infinity();

static Interval rangeOfFill(const FillSpec* spec, ssm::InOp operand) {
  if (!operand.getType().isComplex() && !operand.getType().isReal())
    return operand.getType().isBool() ? Interval{0, 1} : Interval();
  if (!spec)
    return {};
  switch (spec->fill) {
  case Fill::Normal:
    return {};
  case Fill::NegativeLog:
    return {-inf, 0};
  case Fill::UnitInterval:
    return {0, spec->scale};
  case Fill::Positive:
    return {0, inf};
  case Fill::UnitNorm:
    return {-1, 1};
  case Fill::PhaseAngle:
    return {-spec->scale * std::numbers::pi, spec->scale * std::numbers::pi};
  case Fill::Bool:
    return {0, 1};
  case Fill::Zero:
    return {0, 0};
  }
  llvm_unreachable("all fills are listed");
}

/// The hull of the products of the ends; 0 * inf counts as 0.
static Interval product(Interval a, Interval b) {
  auto times = [](double x, double y) { return x == 0 || y == 0 ? 0 : x * y; };
  auto ends = {times(a.low, b.low), times(a.low, b.high), times(a.high, b.low),
               times(a.high, b.high)};
  return {std::min(ends), std::max(ends)};
}

Interval Assumptions::rangeOf(Value value) const {
  Operation* op = value.getDefiningOp();
  if (!op || isa<ssm::FoldOp>(op))
    return {};
  if (auto it = ranges.find(value); it != ranges.end())
    return it->second;
  Interval range = computeRange(op);
  ranges[value] = range;
  return range;
}

Interval Assumptions::computeRange(Operation* op) const {
  Value value = op->getResult(0);
  auto range = [&](unsigned index) { return rangeOf(op->getOperand(index)); };
  auto monotone = [&](double (*f)(double)) -> Interval {
    return isComplex(value) ? Interval() : Interval{f(range(0).low), f(range(0).high)};
  };
  return TypeSwitch<Operation*, Interval>(op)
      .Case([&](ssm::InOp in) { return rangeOfFill(find(in), in); })
      .Case([&](ssm::ConstantOp constant) {
        double number = constant.getValue().convertToDouble();
        return Interval{number, number};
      })
      .Case([&](ssm::NegOp) { return Interval{-range(0).high, -range(0).low}; })
      .Case([&](ssm::AddOp) {
        return Interval{range(0).low + range(1).low, range(0).high + range(1).high};
      })
      .Case([&](ssm::SubOp) {
        return Interval{range(0).low - range(1).high, range(0).high - range(1).low};
      })
      .Case([&](ssm::MulOp) {
        if (isComplex(op->getOperand(0)) && isComplex(op->getOperand(1)))
          return Interval();
        if (isSame(op->getOperand(0), op->getOperand(1)))
          return Interval{0, product(range(0), range(0)).high};
        return product(range(0), range(1));
      })
      .Case([&](ssm::DivOp) {
        // One over something at least 1, and quotients of known sign.
        Interval x = range(0), y = range(1);
        if (isComplex(op->getOperand(1)) || y.low < 0)
          return Interval();
        return product(x, {0, y.low > 0 ? 1 / y.low : inf});
      })
      .Case([&](ssm::MaxOp) {
        return Interval{std::max(range(0).low, range(1).low),
                        std::max(range(0).high, range(1).high)};
      })
      .Case([&](ssm::MinOp) {
        return Interval{std::min(range(0).low, range(1).low),
                        std::min(range(0).high, range(1).high)};
      })
      .Case([&](ssm::SelectOp) {
        return Interval{std::min(range(1).low, range(2).low),
                        std::max(range(1).high, range(2).high)};
      })
      .Case([&](ssm::SumOp) {
        return Interval{range(0).low < 0 ? -inf : 0, range(0).high > 0 ? inf : 0};
      })
      .Case([&](ssm::ExpOp) { return monotone([](double x) { return std::exp(x); }); })
      .Case([&](ssm::TanhOp) { return monotone([](double x) { return std::tanh(x); }); })
      .Case(
          [&](ssm::SigmoidOp) { return monotone([](double x) { return 1 / (1 + std::exp(-x)); }); })
      .Case([&](ssm::SoftplusOp) {
        return monotone(
            [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
      })
      .Case([&](ssm::ReluOp) { return monotone([](double x) { return std::max(x, 0.0); }); })
      .Case([&](ssm::SqrtOp) {
        return monotone([](double x) { return x > 0 ? std::sqrt(x) : 0.0; });
      })
      .Case(
          [&](ssm::LogOp) { return monotone([](double x) { return x > 0 ? std::log(x) : -inf; }); })
      .Case<ssm::AbsOp, ssm::RsqrtOp>(
          [&](auto) { return isComplex(value) ? Interval() : Interval{0, inf}; })
      .Case<ssm::SinOp, ssm::CosOp>(
          [&](auto) { return isComplex(value) ? Interval() : Interval{-1, 1}; })
      .Case([&](ssm::SignOp) { return Interval{-1, 1}; })
      .Case([&](ssm::CmpOp) { return Interval{0, 1}; })
      .Case<ssm::MaximumOp, ssm::RelabelOp, ssm::BroadcastOp, ssm::AtOp, ssm::CastOp, ssm::RealOp,
            ssm::ConjOp>([&](auto) { return range(0); })
      .Default([](Operation*) { return Interval(); });
}
