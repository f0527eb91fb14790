#include "Assumptions.h"

#include "llvm/ADT/TypeSwitch.h"

#include <optional>

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

bool ssmc::reference::isComplex(Value value) {
  return cast<ssm::ArrayType>(value.getType()).isComplex();
}

/// A request of its own: it is met, or leaves no trace.
template <typename Attempt> bool Assumptions::tryAlone(Attempt attempt) {
  auto before = chosen;
  assumed.clear();
  isRate = false;
  fuel = 4096;
  if (attempt())
    return true;
  restore(std::move(before));
  return false;
}

bool Assumptions::require(Value value, Property property) {
  return tryAlone([&] { return attempt(value, property); });
}

bool Assumptions::requireContracting(Value x, Value y) {
  return tryAlone([&] { return attemptQuotient(x, y); });
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

static void collectFactors(Value value, SmallVectorImpl<Value>& factors) {
  auto mul = value.getDefiningOp<ssm::MulOp>();
  if (!mul || factors.size() > 16) {
    factors.push_back(value);
    return;
  }
  collectFactors(mul.getLhs(), factors);
  collectFactors(mul.getRhs(), factors);
}

/// What is left of a product when real squares, which are positive as they are, are taken out;
/// nothing if it has none.
static std::optional<SmallVector<Value>> withoutSquares(ssm::MulOp mul) {
  SmallVector<Value> factors, left;
  collectFactors(mul, factors);
  for (Value factor : factors) {
    auto* twin =
        find_if(left, [&](Value other) { return !isComplex(other) && isSame(factor, other); });
    if (twin == left.end())
      left.push_back(factor);
    else
      left.erase(twin);
  }
  if (left.size() == factors.size())
    return std::nullopt;
  return left;
}

bool Assumptions::attemptProduct(ssm::MulOp mul, Property property) {
  using P = Property;
  bool wantsSign = property == P::NonPositive || property == P::NonNegative;
  if (std::optional<SmallVector<Value>> left = wantsSign ? withoutSquares(mul) : std::nullopt) {
    if (left->empty())
      return property == P::NonNegative;
    if (left->size() == 1)
      return attempt(left->front(), property);
    if (property == P::NonNegative)
      return all_of(*left, [&](Value factor) { return attempt(factor, property); });
  }
  Value x = mul.getLhs(), y = mul.getRhs();
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

/// (a + z) / (a - z) has a modulus of at most one where a >= 0 and Re z <= 0: the bilinear rule.
bool Assumptions::attemptQuotient(Value x, Value y) {
  auto sum = x.getDefiningOp<ssm::AddOp>();
  auto difference = y.getDefiningOp<ssm::SubOp>();
  if (!sum || !difference || isComplex(difference.getLhs()))
    return false;
  Value a = difference.getLhs(), z = difference.getRhs();
  return ((isSame(sum.getLhs(), a) && isSame(sum.getRhs(), z)) ||
          (isSame(sum.getLhs(), z) && isSame(sum.getRhs(), a))) &&
         both(a, Property::NonNegative, z, Property::NonPositive);
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
      .Case([&](ssm::MulOp mul) { return attemptProduct(mul, property); })
      .Case([&](ssm::DivOp div) {
        return wantsSign
                   ? both(div.getLhs(), property, div.getRhs(), P::NonNegative)
                   : property == P::Contracting && attemptQuotient(div.getLhs(), div.getRhs());
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
