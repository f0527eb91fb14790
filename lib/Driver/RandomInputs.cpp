// Random numbers that a recurrence can live with, chosen by what it does with each operand.
//
//   the logarithm of a decay    negative: the state fades instead of exploding
//   a decay without logarithm   in (0, 1)
//   a contracted key of a feedback term    of norm one: the feedback stays a contraction
//   what only scales a feedback term       in (0, 1)
//   a phase                     an angle
//   a matrix                    scaled by its width
//   what a sum that divides is made of     positive: the sum stays away from zero;
//   what a difference that divides is of   positive minus negative, for the same reason
//   what a logarithm or root is taken of   positive
#include "Operands.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Runtime/Random.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

#include <limits>
#include <set>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;
using runtime::Fill;
using runtime::FillSpec;

namespace {

class Chooser {
public:
  Chooser(const reference::Sizes& sizes, ssm::RecurrenceOp normal, Gates gates)
      : sizes(sizes), normal(normal), gateScale(gates == Gates::Strong ? 6
                                                : gates == Gates::Weak ? 0.01
                                                                       : 0.5) {}
  std::map<std::string, FillSpec> choose();
  /// Of states before the first step.
  std::map<std::string, FillSpec> chooseStates();

private:
  enum Sign { Negative = -1, Positive = 1 };
  /// Makes the value of the sign wanted by the choice of the operands it is made of.
  void want(mlir::Value value, Sign sign);
  void wantProduct(ArrayRef<mlir::Value> factors, Sign sign);
  /// Every operand that the value is made of, pointwise, gets the fill.
  void give(mlir::Value value, FillSpec spec);
  void giveOperand(ssm::InOp in, FillSpec spec) { chosen.try_emplace(in.getName().str(), spec); }
  void chooseFeedback(ssm::FeedbackOp feedback);
  void choosePositive(mlir::Value value);
  int64_t sizeOf(ssm::AxisAttr axis);
  FillSpec matrix(ssm::ArrayType type);

  const reference::Sizes& sizes;
  ssm::RecurrenceOp normal;
  double gateScale;
  std::map<std::string, FillSpec> chosen;
  std::set<std::string> positive; ///< states that a divisor, a logarithm or a root is made of
};

} // namespace

/// The operands that a value is made of, through everything but states.
static void collect(mlir::Value value, SetVector<ssm::InOp>& operands) {
  mlir::Operation* op = value.getDefiningOp();
  if (auto in = dyn_cast_or_null<ssm::InOp>(op))
    operands.insert(in);
  else if (op && !isa<ssm::SystemOp>(op))
    for (mlir::Value operand : op->getOperands())
      collect(operand, operands);
}

static void collectFactors(mlir::Value value, SmallVectorImpl<mlir::Value>& factors) {
  mlir::Operation* op = value.getDefiningOp();
  if (isa_and_nonnull<ssm::MulOp, ssm::RelabelOp, ssm::BroadcastOp, ssm::CastOp, ssm::AtOp>(op))
    for (mlir::Value operand : op->getOperands())
      collectFactors(operand, factors);
  else
    factors.push_back(value);
}

int64_t Chooser::sizeOf(ssm::AxisAttr axis) {
  Expected<int64_t> size = reference::extentOf(axis, normal, sizes);
  if (size)
    return *size;
  consumeError(size.takeError());
  return 1;
}

/// Rows of a matrix have a norm below one; of an array of more axes, what all but the shortest hold.
FillSpec Chooser::matrix(ssm::ArrayType type) {
  double width = 1, shortest = std::numeric_limits<double>::infinity();
  for (ssm::AxisAttr axis : type.getAxes()) {
    width *= double(sizeOf(axis));
    shortest = std::min(shortest, double(sizeOf(axis)));
  }
  return {Fill::Normal, 0.5 / std::sqrt(width / shortest)};
}

void Chooser::want(mlir::Value value, Sign sign) {
  Sign opposite = sign == Negative ? Positive : Negative;
  TypeSwitch<mlir::Operation*>(value.getDefiningOp())
      .Case([&](ssm::InOp in) {
        giveOperand(in, {sign == Negative ? Fill::NegativeLog : Fill::Positive, gateScale});
      })
      .Case([&](ssm::NegOp neg) { want(neg.getOperand(), opposite); })
      .Case([&](ssm::AddOp add) { want(add.getLhs(), sign), want(add.getRhs(), sign); })
      .Case([&](ssm::SubOp sub) { want(sub.getLhs(), sign), want(sub.getRhs(), opposite); })
      .Case<ssm::RelabelOp, ssm::BroadcastOp, ssm::CastOp, ssm::AtOp, ssm::SumOp, ssm::RealOp>(
          [&](auto op) { want(op->getOperand(0), sign); })
      .Case([&](ssm::MulOp) {
        SmallVector<mlir::Value> factors;
        collectFactors(value, factors);
        wantProduct(factors, sign);
      });
}

void Chooser::wantProduct(ArrayRef<mlir::Value> factors, Sign sign) {
  SmallVector<ssm::InOp> open;
  for (mlir::Value factor : factors) {
    mlir::Operation* op = factor.getDefiningOp();
    if (auto constant = dyn_cast_or_null<ssm::ConstantOp>(op)) {
      if (constant.getValue().convertToDouble() < 0)
        sign = sign == Negative ? Positive : Negative;
    } else if (auto in = dyn_cast_or_null<ssm::InOp>(op)) {
      auto known = chosen.find(in.getName().str());
      if (known == chosen.end())
        open.push_back(in);
      else if (known->second.fill == Fill::NegativeLog)
        sign = sign == Negative ? Positive : Negative;
    }
  }
  // Of dt * A the constant in time is the negative one.
  stable_sort(open, [](ssm::InOp a, ssm::InOp b) { return a.getParam() < b.getParam(); });
  for (ssm::InOp in : open) {
    bool last = in == open.back();
    // Two factors share the strength of the gate.
    giveOperand(in, {last && sign == Negative ? Fill::NegativeLog : Fill::Positive,
                     open.size() > 1 ? (last ? 1 : gateScale) : gateScale});
  }
}

void Chooser::give(mlir::Value value, FillSpec spec) {
  SetVector<ssm::InOp> operands;
  collect(value, operands);
  for (ssm::InOp in : operands)
    giveOperand(in, spec);
}

void Chooser::chooseFeedback(ssm::FeedbackOp feedback) {
  SetVector<ssm::InOp> u, w;
  collect(feedback.getU(), u);
  collect(feedback.getW(), w);
  bool dense = !feedback.getFrom().empty();
  for (ssm::InOp in : w) {
    bool contracted = any_of(ssm::strings(feedback.getOver()),
                             [&](StringRef label) { return in.getType().has(label); });
    if (!contracted)
      continue;
    if (dense && in.getType().getRank() > 1)
      giveOperand(in, matrix(in.getType()));
    else
      giveOperand(in, {Fill::UnitNorm, 1});
  }
  for (ssm::InOp in : u)
    if (!w.contains(in) && in.getType().isReal())
      giveOperand(in, {Fill::UnitInterval, 1});
}

/// A bare operand in a sum of states is made positive, and so is what enters those states.
void Chooser::choosePositive(mlir::Value value) {
  mlir::Operation* op = value.getDefiningOp();
  auto visitState = [&](StringRef state) {
    if (!positive.insert(state.str()).second)
      return;
    normal->walk([&](ssm::InputOp input) {
      if (input.getState() == state)
        for (mlir::Value factor : input.getFactors())
          choosePositive(factor);
    });
  };
  if (auto system = dyn_cast_or_null<ssm::SystemOp>(op)) {
    visitState(ssm::strings(system.getStates())[cast<mlir::OpResult>(value).getResultNumber()]);
  } else if (auto prev = dyn_cast_or_null<ssm::PrevOp>(op)) {
    visitState(prev.getState());
  } else if (auto in = dyn_cast_or_null<ssm::InOp>(op)) {
    giveOperand(in, {Fill::Positive, 1});
  } else if (auto sub = dyn_cast_or_null<ssm::SubOp>(op)) {
    choosePositive(sub.getLhs());
    want(sub.getRhs(), Negative);
  } else if (isa_and_nonnull<ssm::MulOp>(op)) {
    SmallVector<mlir::Value> factors;
    collectFactors(value, factors);
    for (mlir::Value factor : factors)
      if (count(factors, factor) % 2) // a square is positive as it is
        choosePositive(factor);
  } else if (isa_and_nonnull<ssm::AddOp, ssm::SumOp, ssm::RelabelOp, ssm::BroadcastOp>(op)) {
    for (mlir::Value operand : op->getOperands())
      choosePositive(operand);
  }
}

std::map<std::string, FillSpec> Chooser::chooseStates() {
  choose();
  std::map<std::string, FillSpec> fills;
  for (const std::string& state : positive)
    fills[state] = {Fill::Positive, 1};
  return fills;
}

std::map<std::string, FillSpec> Chooser::choose() {
  for (ssm::InOp in : normal.getBlock()->getOps<ssm::InOp>())
    if (in.getType().isBool())
      giveOperand(in, {Fill::Bool, 0.1});
  normal->walk([&](ssm::DecayOp decay) {
    if (decay.getLog())
      want(decay.getLog(), Negative);
    if (decay.getPhase())
      give(decay.getPhase(), {Fill::PhaseAngle, 1});
    // Without a logarithm the factor is the decay; with one it is a sign or a weight.
    if (decay.getFactor() && !decay.getLog()) {
      SmallVector<mlir::Value> factors;
      collectFactors(decay.getFactor(), factors);
      for (mlir::Value factor : factors) {
        auto sub = factor.getDefiningOp<ssm::SubOp>();
        for (mlir::Value part :
             sub ? mlir::ValueRange(sub->getOperands()) : mlir::ValueRange(factor))
          if (auto in = part.getDefiningOp<ssm::InOp>(); in && in.getType().isReal())
            giveOperand(in, {Fill::UnitInterval, 1});
      }
    }
  });
  normal->walk([&](ssm::DivOp div) { choosePositive(div.getRhs()); });
  normal->walk([&](mlir::Operation* op) {
    if (isa<ssm::LogOp, ssm::SqrtOp, ssm::RsqrtOp>(op))
      choosePositive(op->getOperand(0));
  });
  normal->walk([&](ssm::FeedbackOp feedback) { chooseFeedback(feedback); });
  for (ssm::InOp in : normal.getBlock()->getOps<ssm::InOp>())
    giveOperand(in, in.getParam() && in.getType().getRank() > 1 ? matrix(in.getType())
                                                                : FillSpec{Fill::Normal, 1});
  return chosen;
}

static Expected<ArrayMap> draw(ssm::RecurrenceOp declared, ArrayRef<Operand> operands,
                               std::map<std::string, FillSpec> fills, const reference::Sizes& sizes,
                               uint64_t seed) {
  ArrayMap arrays;
  for (const Operand& operand : operands) {
    Expected<SmallVector<int64_t>> shape = reference::shapeOf(operand.layout, declared, sizes);
    if (!shape)
      return shape.takeError();
    Expected<Array> array = Array::create(operand.dtype, *shape);
    if (!array)
      return createStringError(operand.describe() + ": " + toString(array.takeError()));
    runtime::fill(*array, fills[operand.name], runtime::seedFor(seed, operand.name));
    arrays[operand.name] = std::move(*array);
  }
  return arrays;
}

Expected<ArrayMap> driver::randomInputs(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal,
                                        ArrayRef<Operand> inputs, const reference::Sizes& sizes,
                                        uint64_t seed, Gates gates) {
  return draw(declared, inputs, Chooser(sizes, normal, gates).choose(), sizes, seed);
}

Expected<ArrayMap> driver::randomStates(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal,
                                        ArrayRef<Operand> states, const reference::Sizes& sizes,
                                        uint64_t seed) {
  Chooser chooser(sizes, normal, Gates::Usual);
  return draw(declared, states, chooser.chooseStates(), sizes, seed + 1);
}

Expected<ArrayMap> driver::randomInputs(ssm::RecurrenceOp declared, ArrayRef<Operand> inputs,
                                        const reference::Sizes& sizes, uint64_t seed, Gates gates) {
  if (inputs.empty())
    return ArrayMap();
  ssm::RecurrenceOp copy;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, copy);
  copy = analysis::normalize(copy);
  return randomInputs(declared, copy, inputs, sizes, seed, gates);
}
