#include "ssmc/Reference/Inputs.h"
#include "Assumptions.h"
#include "Coefficients.h"

#include <cmath>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;
using runtime::Array;
using runtime::DType;
using runtime::Fill;
using runtime::FillSpec;

namespace {

class Chooser {
public:
  Chooser(ssm::RecurrenceOp recurrence, const Sizes& sizes, double strength)
      : recurrence(recurrence), sizes(sizes), assumptions(recurrence, strength) {}
  InputPlan run();

private:
  void stabilise(const Path& path);
  /// What a state keeps of itself where nothing is contracted.
  enum Direct { None, Forgets, Keeps };
  void stabiliseFeedback(const Path& path, Direct direct);
  void keepInDomain(Operation* op);
  void chooseAngles(Value value);
  void shrink(Value value, double factor);
  int64_t extentOf(ssm::AxisAttr axis) {
    return cantFail(reference::extentOf(axis, recurrence, sizes));
  }
  double rootOfLastExtent(ssm::InOp in);

  ssm::RecurrenceOp recurrence;
  const Sizes& sizes;
  Assumptions assumptions;
  DenseSet<Operation*> shrunk;
  bool provenStable = true;
};

} // namespace

/// Square root of the extent of the axis that lies last in memory.
double Chooser::rootOfLastExtent(ssm::InOp in) {
  SmallVector<StringRef> order = ssm::strings(in.getOrder());
  return order.empty()
             ? 1
             : std::sqrt(double(std::max<int64_t>(1, extentOf(in.getType().find(order.back())))));
}

/// The operand behind relabelling, broadcasts, signs and casts; null where there is computation.
static ssm::InOp rootOf(Value value) {
  Operation* op = value.getDefiningOp();
  while (op &&
         isa<ssm::RelabelOp, ssm::BroadcastOp, ssm::NegOp, ssm::CastOp, ssm::AtOp, ssm::ConjOp>(op))
    op = op->getOperand(0).getDefiningOp();
  return dyn_cast_or_null<ssm::InOp>(op);
}

/// Makes every coefficient on a way without contraction at most one in modulus.
void Chooser::stabilise(const Path& path) {
  // 1 / y and x contract together where x / y does.
  SmallVector<Value> factors(path.outer);
  for (Value factor : path.outer) {
    auto div = factor.getDefiningOp<ssm::DivOp>();
    auto one = div ? div.getLhs().getDefiningOp<ssm::ConstantOp>() : nullptr;
    if (!one || std::abs(one.getValue().convertToDouble()) > 1)
      continue;
    auto* partner =
        find_if(factors, [&](Value x) { return assumptions.requireContracting(x, div.getRhs()); });
    if (partner == factors.end())
      continue;
    factors.erase(partner);
    factors.erase(find(factors, factor));
  }
  for (Value factor : factors)
    provenStable &= assumptions.require(factor, Property::Contracting);
  for (Value term : path.added)
    provenStable &= assumptions.require(term, Property::NonPositive);
}

/// A way through a contraction. S - beta k (k · S) contracts for |k| = 1 and beta in (0, 1);
/// anything else is made small.
void Chooser::stabiliseFeedback(const Path& path, Direct direct) {
  ssm::InOp key;
  for (Value outer : path.outer)
    for (Value inner : path.inner)
      if (ssm::InOp root = rootOf(outer);
          root && root == rootOf(inner) && root.getType().getRank() > 0)
        key = root;
  bool isKey = false;
  if (key && path.isNegative) {
    // The length is taken along the axis that lies last; it must be the contracted one.
    StringRef last = ssm::strings(key.getOrder()).back();
    ssm::AxisAttr axis = key.getType().find(last);
    isKey = any_of(path.inner, [&](Value inner) {
      auto type = cast<ssm::ArrayType>(inner.getType());
      return rootOf(inner) == key && any_of(path.contracted, [&](StringRef label) {
               return type.has(label) && type.find(label).getExtent() == axis.getExtent();
             });
    });
  }
  if (isKey && assumptions.isFree(key))
    assumptions.choose(key, {Fill::UnitNorm});
  if (isKey && assumptions.find(key)->fill == Fill::UnitNorm) {
    for (ArrayRef<Value> factors : {ArrayRef(path.outer), ArrayRef(path.inner)})
      for (Value factor : factors)
        if (rootOf(factor) != key)
          provenStable &= assumptions.require(factor, Property::Contracting);
    return;
  }
  provenStable = false;
  // Directions that vary in time meet at random, so that decay wins over half-sized feedback. A
  // constant transition meets itself at each step.
  double steps = 1;
  for (int64_t extent : sizes.time)
    steps = std::max(steps, double(extent));
  bool varies = !all_of(path.inner, dependsOnParamsAlone);
  double factor = direct == None || (direct == Forgets && varies) ? 0.5
                  : direct == Forgets                             ? 0.1
                                                                  : std::min(0.1, 4 / steps);
  for (Value inner : path.inner)
    shrink(inner, factor);
  if (path.inner.empty())
    for (Value outer : path.outer)
      shrink(outer, factor);
}

/// Small normal numbers for the free operands of a value.
void Chooser::shrink(Value value, double factor) {
  if (ssm::InOp in = rootOf(value)) {
    if (assumptions.isFree(in))
      assumptions.choose(in, {Fill::Normal, factor / rootOfLastExtent(in)});
    return;
  }
  Operation* op = value.getDefiningOp();
  if (op && !isa<ssm::PrevOp>(op) && shrunk.insert(op).second)
    for (Value operand : op->getOperands())
      shrink(operand, factor);
}

/// Gives functions arguments for which they are defined and of moderate size, where that can be
/// had.
void Chooser::keepInDomain(Operation* op) {
  auto isReal = [](Value value) { return cast<ssm::ArrayType>(value.getType()).isReal(); };
  if (isa<ssm::SqrtOp, ssm::RsqrtOp, ssm::LogOp, ssm::PowOp>(op) && isReal(op->getOperand(0)))
    assumptions.require(op->getOperand(0), Property::NonNegative);
  if (isa<ssm::DivOp>(op) && isReal(op->getOperand(1)))
    assumptions.require(op->getOperand(1), Property::NonNegative);
}

/// A free operand that is an angle, or a factor of one, is drawn from the whole circle.
void Chooser::chooseAngles(Value value) {
  if (ssm::InOp in = rootOf(value)) {
    if (assumptions.isFree(in) && in.getType().isReal() && in->hasOneUse())
      assumptions.choose(in, {Fill::PhaseAngle});
  } else if (auto mul = value.getDefiningOp<ssm::MulOp>()) {
    chooseAngles(mul.getLhs());
    chooseAngles(mul.getRhs());
  }
}

InputPlan Chooser::run() {
  std::vector<std::pair<std::vector<Path>, Direct>> feedback;
  for (auto update : recurrence.getBlock()->getOps<ssm::UpdateOp>()) {
    std::vector<Path> paths =
        pathsOf(update.getState(), systemOf(update.getState(), recurrence), recurrence);
    // Several earlier values that add up in one state must share what may remain.
    std::map<std::string, double> ends;
    Direct direct = None;
    for (const Path& path : paths)
      if (!path.isContracted && !path.isBelowMaximum && path.end != "fold") {
        double& most = ends[path.end];
        most = std::max(most, path.constant);
        bool keeps = path.outer.empty() && path.constant >= 1;
        direct = keeps || direct == Keeps ? Keeps : Forgets;
      }
    double crowd = 0;
    for (auto& [end, constant] : ends)
      crowd += constant;
    assumptions.setCrowd(std::max(1.0, crowd));
    for (const Path& path : paths)
      if (!path.isContracted)
        stabilise(path);
    assumptions.setCrowd(1);
    feedback.push_back({std::move(paths), direct});
  }
  for (auto& [paths, direct] : feedback)
    for (const Path& path : paths)
      if (path.isContracted)
        stabiliseFeedback(path, direct);
  recurrence.getBody().walk([&](Operation* op) { keepInDomain(op); });
  recurrence.getBody().walk([&](Operation* op) {
    if (isa<ssm::CisOp, ssm::SinOp, ssm::CosOp>(op))
      chooseAngles(op->getOperand(0));
  });

  InputPlan plan;
  plan.provenStable = provenStable;
  recurrence.getBody().walk([&](ssm::InOp in) {
    bool isMatrix = in.getParam() && in.getType().getRank() > 1;
    FillSpec spec = {Fill::Normal, isMatrix ? 1 / rootOfLastExtent(in) : 1};
    if (const FillSpec* chosen = assumptions.find(in))
      spec = *chosen;
    else if (in.getType().isBool())
      spec = {Fill::Bool, 0.1};
    else if (in.getType().getElementType().isInteger())
      spec = {Fill::Bool, 0.5};
    plan.operands.emplace(in.getName().str(), spec);
  });
  for (auto state : recurrence.getBlock()->getOps<ssm::StateOp>())
    plan.states.emplace(state.getName().str(), assumptions.fillOfState(state.getName()));
  return plan;
}

Expected<InputPlan> ssmc::reference::chooseInputs(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                                  double strength) {
  if (Error error = checkSizes(recurrence, sizes))
    return error;
  return Chooser(recurrence, sizes, strength).run();
}

Expected<Array> ssmc::reference::draw(StringRef name, const Layout& layout, DType dtype,
                                      FillSpec spec, ssm::RecurrenceOp recurrence,
                                      const Sizes& sizes, uint64_t seed) {
  Expected<SmallVector<int64_t>> shape = shapeOf(layout, recurrence, sizes);
  if (!shape)
    return shape.takeError();
  Expected<Array> array = Array::create(dtype, *shape);
  if (!array)
    return createStringError("'" + name + "': " + toString(array.takeError()));
  fill(*array, spec, runtime::seedFor(seed, name));
  return array;
}
