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

Assumptions::Assumptions(ssm::RecurrenceOp recurrence, double strength) : strength(strength) {
  for (auto update : recurrence.getBlock()->getOps<ssm::UpdateOp>())
    updates[update.getState()] = update.getValue();
}

void Assumptions::choose(ssm::InOp operand, FillSpec spec) {
  chosen.operands[operand] = spec;
  ranges.clear();
}

const FillSpec* Assumptions::find(ssm::InOp operand) const {
  auto it = chosen.operands.find(operand);
  return it == chosen.operands.end() ? nullptr : &it->second;
}

FillSpec Assumptions::fillOfState(StringRef state) const {
  auto it = chosen.states.find(state);
  if (it == chosen.states.end())
    return {Fill::Normal, 1};
  switch (it->second) {
  case Property::NonPositive:
    return {Fill::NegativeLog, 1};
  case Property::NonNegative:
    return {Fill::Positive, 1};
  case Property::UnitInterval:
    return {Fill::UnitInterval, 1};
  case Property::Contracting: // two parts below 0.7 have a modulus below one
    return {Fill::UnitInterval, 0.7};
  }
  llvm_unreachable("all properties are listed");
}

void Assumptions::restore(Chosen before) {
  chosen = std::move(before);
  ranges.clear();
}

bool ssmc::reference::isSame(Value a, Value b, unsigned depth) {
  if (a == b)
    return true;
  Operation *x = a.getDefiningOp(), *y = b.getDefiningOp();
  if (!x || !y || depth == 0 || x->getName() != y->getName() || x->getAttrs() != y->getAttrs() ||
      x->getNumRegions() || x->getNumOperands() != y->getNumOperands() ||
      a.getType() != b.getType())
    return false;
  auto alike = [&](unsigned i, unsigned j) {
    return isSame(x->getOperand(i), y->getOperand(j), depth - 1);
  };
  if (all_of(seq(x->getNumOperands()), [&](unsigned i) { return alike(i, i); }))
    return true;
  return x->hasTrait<mlir::OpTrait::IsCommutative>() && alike(0, 1) && alike(1, 0);
}

static bool isComplex(Value value) {
  return cast<ssm::ArrayType>(value.getType()).isComplex();
}

//===-- Intervals ---------------------------------------------------------------------------===//

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

//===-- Requests ----------------------------------------------------------------------------===//

bool Assumptions::require(Value value, Property property) {
  auto before = chosen;
  assumed.clear();
  isRate = false;
  fuel = 4096;
  if (attempt(value, property))
    return true;
  restore(std::move(before));
  return false;
}

/// Both properties, or neither operand touched.
bool Assumptions::both(Value x, Property ofX, Value y, Property ofY) {
  auto before = chosen;
  if (attempt(x, ofX) && attempt(y, ofY))
    return true;
  restore(std::move(before));
  return false;
}

static bool holds(Interval range, Property property, bool isComplex) {
  switch (property) {
  case Property::NonPositive:
    return range.high <= 0;
  case Property::NonNegative:
    return range.low >= 0;
  case Property::UnitInterval:
    return !isComplex && range.low >= 0 && range.high <= 1;
  case Property::Contracting:
    return !isComplex && range.low >= -1 && range.high <= 1;
  }
  llvm_unreachable("all properties are listed");
}

bool Assumptions::attemptOperand(ssm::InOp operand, Property property) {
  if (!isFree(operand) || !(operand.getType().isReal() || operand.getType().isComplex()))
    return false;
  switch (property) {
  case Property::NonPositive:
    choose(operand, {Fill::NegativeLog, strength * (crowd > 1 ? 4 * crowd : 1)});
    return true;
  case Property::NonNegative:
    choose(operand, {Fill::Positive, isRate ? strength : 1});
    isRate = false;
    return true;
  case Property::UnitInterval:
  case Property::Contracting:
    // Two parts below 0.7 have a modulus below one.
    if (property == Property::UnitInterval && operand.getType().isComplex())
      return false;
    choose(operand, {Fill::UnitInterval, (operand.getType().isComplex() ? 0.7 : 1) / crowd});
    return true;
  }
  llvm_unreachable("all properties are listed");
}

bool ssmc::reference::dependsOnParamsAlone(Value value) {
  DenseSet<Operation*> seen;
  SmallVector<Value> work{value};
  while (!work.empty()) {
    Operation* op = work.pop_back_val().getDefiningOp();
    if (!op || isa<ssm::PrevOp>(op) || op->getNumRegions())
      return false;
    if (auto in = dyn_cast<ssm::InOp>(op); in && !in.getParam())
      return false;
    if (seen.insert(op).second)
      append_range(work, op->getOperands());
  }
  return true;
}

bool Assumptions::attemptProduct(Value x, Value y, Property property) {
  using P = Property;
  if (property == P::UnitInterval || property == P::Contracting)
    return both(x, property, y, property);
  if (property == P::NonNegative)
    return both(x, P::NonNegative, y, P::NonNegative) || both(x, P::NonPositive, y, P::NonPositive);
  // A step size times a rate: the rate, constant in time or complex, is the negative one.
  auto isLikeRate = [](Value value) { return 2 * dependsOnParamsAlone(value) + isComplex(value); };
  if (isLikeRate(x) > isLikeRate(y))
    std::swap(x, y);
  return both(x, P::NonNegative, y, P::NonPositive) || both(x, P::NonPositive, y, P::NonNegative);
}

/// Whether `larger` is a maximum of things of which `value` is one.
static bool isAmongMaximum(Value value, Value larger) {
  if (isSame(value, larger))
    return true;
  auto max = larger.getDefiningOp<ssm::MaxOp>();
  return max && (isAmongMaximum(value, max.getLhs()) || isAmongMaximum(value, max.getRhs()));
}

bool Assumptions::attemptDifference(Value x, Value y, Property property) {
  using P = Property;
  Interval range = rangeOf(x);
  switch (property) {
  case P::NonPositive:
    return isAmongMaximum(x, y) || both(x, P::NonPositive, y, P::NonNegative);
  case P::NonNegative:
    return isAmongMaximum(y, x) || (range.low >= 1 && attempt(y, P::Contracting)) ||
           both(x, P::NonNegative, y, P::NonPositive);
  case P::UnitInterval:
  case P::Contracting:
    return range.low == 1 && range.high == 1 && attempt(y, P::UnitInterval);
  }
  llvm_unreachable("all properties are listed");
}

bool Assumptions::attempt(Value value, Property property) {
  using P = Property;
  if (fuel == 0 || fuel-- == 0)
    return false;
  if (holds(rangeOf(value), property, isComplex(value)))
    return true;
  Operation* op = value.getDefiningOp();
  if (!op)
    return false;
  bool wantsSign = property == P::NonPositive || property == P::NonNegative;
  auto pass = [&](unsigned index) { return attempt(op->getOperand(index), property); };
  auto pair = [&](unsigned x, unsigned y) {
    return both(op->getOperand(x), property, op->getOperand(y), property);
  };
  return TypeSwitch<Operation*, bool>(op)
      .Case([&](ssm::InOp in) { return attemptOperand(in, property); })
      .Case([&](ssm::PrevOp prev) {
        // By induction over the steps; states start from zero or from their own initial value.
        Value update = updates.lookup(prev.getState());
        if (!update || !assumed.insert({update, unsigned(property)}).second)
          return bool(update);
        chosen.states[prev.getState()] = property;
        ssm::StateOp state = op->getParentOfType<ssm::RecurrenceOp>().getState(prev.getState());
        return attempt(update, property) &&
               (!state.getInit() || attempt(state.getInit(), property));
      })
      .Case([&](ssm::NegOp) {
        if (property == P::UnitInterval)
          return false;
        // exp(-x): x is the rate.
        isRate = property == P::NonPositive;
        return attempt(op->getOperand(0), property == P::NonPositive   ? P::NonNegative
                                          : property == P::NonNegative ? P::NonPositive
                                                                       : property);
      })
      .Case([&](ssm::MulOp mul) { return attemptProduct(mul.getLhs(), mul.getRhs(), property); })
      .Case([&](ssm::DivOp div) {
        return wantsSign && both(div.getLhs(), property, div.getRhs(), P::NonNegative);
      })
      .Case([&](ssm::AddOp) { return wantsSign && pair(0, 1); })
      .Case([&](ssm::SubOp sub) { return attemptDifference(sub.getLhs(), sub.getRhs(), property); })
      .Case(
          [&](ssm::MaxOp) { return property == P::NonNegative ? pass(0) || pass(1) : pair(0, 1); })
      .Case(
          [&](ssm::MinOp) { return property == P::NonPositive ? pass(0) || pass(1) : pair(0, 1); })
      .Case([&](ssm::SelectOp) { return pair(1, 2); })
      .Case([&](ssm::ExpOp) { return !wantsSign && attempt(op->getOperand(0), P::NonPositive); })
      .Case([&](ssm::LogOp) {
        return property == P::NonPositive && attempt(op->getOperand(0), P::UnitInterval);
      })
      .Case([&](ssm::SqrtOp) { return !wantsSign && attempt(op->getOperand(0), P::UnitInterval); })
      .Case([&](ssm::PowOp) {
        return property != P::NonPositive &&
               both(op->getOperand(0), wantsSign ? P::NonNegative : P::UnitInterval,
                    op->getOperand(1), P::NonNegative);
      })
      .Case<ssm::AbsOp, ssm::ConjOp>([&](auto) {
        return property != P::NonPositive && attempt(op->getOperand(0), P::Contracting);
      })
      .Case([&](ssm::CisOp) { return property == P::Contracting && !isComplex(op->getOperand(0)); })
      .Case([&](ssm::SumOp) { return wantsSign && pass(0); })
      .Case<ssm::MaximumOp, ssm::RelabelOp, ssm::BroadcastOp, ssm::AtOp, ssm::CastOp, ssm::RealOp>(
          [&](auto) { return pass(0); })
      .Default([](Operation*) { return false; });
}
