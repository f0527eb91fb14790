#include "GradientCheck.h"

#include "ssmc/Reference/Inputs.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::test;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;
using runtime::Fill;

/// The dtype in which an array of a type is differentiated, or its own.
static DType dtypeOf(ssm::ArrayType type) {
  return type.isComplex() ? DType::Complex128
         : type.isReal()  ? DType::F64
         : type.isBool()  ? DType::Bool
                          : DType::I32;
}

Point ssmc::test::randomPoint(ssm::RecurrenceOp recurrence, const reference::Sizes& sizes,
                              bool withStates, uint64_t seed) {
  Point point = {recurrence, sizes, {}, {}};
  reference::InputPlan plan = UNWRAP(reference::chooseInputs(recurrence, sizes));
  recurrence.getBody().walk([&](ssm::InOp in) {
    std::string name = in.getName().str();
    point.operands[name] =
        UNWRAP(reference::draw(name, reference::layoutOf(in), dtypeOf(in.getType()),
                               plan.operands[name], recurrence, sizes, seed));
  });
  if (!withStates)
    return point;
  for (const std::string& name : UNWRAP(reference::stateNames(recurrence))) {
    ssm::StateOp state = recurrence.getState(StringRef(name).rsplit('~').first);
    if (!state)
      state = recurrence.getState(name);
    point.states[name] = UNWRAP(reference::draw(
        name, reference::layoutOf(state), dtypeOf(cast<ssm::ArrayType>(state.getType())),
        plan.states[state.getName().str()], recurrence, sizes, seed));
  }
  return point;
}

/// Standard normal numbers in the shape of an array, complex where it is.
static Array normalLike(const Array& array, uint64_t seed) {
  Array result = UNWRAP(Array::create(array.getDType(), array.getShape()));
  runtime::fill(result, {Fill::Normal, 1}, seed);
  return result;
}

reference::Results ssmc::test::randomCotangents(const Point& point, uint64_t seed) {
  auto results =
      UNWRAP(reference::interpret(point.recurrence, point.sizes, point.operands, point.states));
  reference::Results cotangents;
  for (auto& [name, array] : results.outputs)
    cotangents.outputs[name] = normalLike(array, runtime::seedFor(seed, name));
  for (auto& [name, array] : results.states)
    cotangents.states[name] = normalLike(array, runtime::seedFor(seed + 1, name));
  return cotangents;
}

/// Re(sum of conj(a) b), with the root of the sum of the squares of its terms.
static std::pair<double, double> inner(const Array& a, const Array& b) {
  long double sum = 0, squares = 0;
  for (int64_t i = 0; i < a.getNumElements(); ++i) {
    double term = (std::conj(a.get(i)) * b.get(i)).real();
    sum += term;
    squares += (long double)term * term;
  }
  return {double(sum), std::sqrt(double(squares))};
}

namespace {
class Comparison {
public:
  Comparison(Point& point, reference::Results cotangents)
      : point(point), cotangents(std::move(cotangents)) {}
  void compare(ArrayMap& arrays, StringRef name, const Array& gradient, std::optional<bool> isZero);

private:
  std::string recurrenceName() { return point.recurrence.getSymName().str(); }
  double loss();
  /// The loss with an array moved `step` along a direction.
  double lossAt(Array& array, const Array& from, const Array& direction, double step);

  Point& point;
  reference::Results cotangents;
  double magnitude = 0; ///< of the terms of the last loss
};
} // namespace

double Comparison::loss() {
  auto results =
      UNWRAP(reference::interpret(point.recurrence, point.sizes, point.operands, point.states));
  double sum = 0;
  magnitude = 0;
  for (auto& [found, of] : {std::pair(&results.outputs, &cotangents.outputs),
                            std::pair(&results.states, &cotangents.states)})
    for (auto& [name, array] : *found) {
      auto [part, size] = inner(of->find(name)->second, array);
      sum += part;
      magnitude += size;
    }
  return sum;
}

double Comparison::lossAt(Array& array, const Array& from, const Array& direction, double step) {
  int64_t words = from.getNumElements() * (runtime::isComplex(from.getDType()) ? 2 : 1);
  auto* to = static_cast<double*>(array.getData());
  auto* x = static_cast<const double*>(from.getData());
  auto* d = static_cast<const double*>(direction.getData());
  for (int64_t i = 0; i < words; ++i)
    to[i] = x[i] + step * d[i];
  return loss();
}

void Comparison::compare(ArrayMap& arrays, StringRef name, const Array& gradient,
                         std::optional<bool> isZero) {
  Array& array = arrays.find(name.str())->second;
  if (array.getShape() != gradient.getShape() || array.getDType() != gradient.getDType())
    return fail(__FILE__, __LINE__,
                "the gradient of '" + name.str() + "' has another shape or dtype");
  Array from = UNWRAP(array.clone());
  for (uint64_t seed : {11, 12, 13}) {
    Array direction = normalLike(array, runtime::seedFor(seed, name));
    auto [derivative, size] = inner(gradient, direction);
    if (isZero && *isZero != (size == 0))
      fail(__FILE__, __LINE__,
           fmt::format("{}: the gradient of '{}' is {}", recurrenceName(), name.str(),
                       *isZero ? "not zero" : "zero"));
    // Of fourth order: with this step what is cut off is near rounding.
    constexpr double step = 5e-5;
    auto difference = [&](double by) {
      return lossAt(array, from, direction, by) - lossAt(array, from, direction, -by);
    };
    double found = (8 * difference(step) - difference(2 * step)) / (12 * step);
    double rounding = 1e-14 * magnitude / step;
    if (!(std::abs(found - derivative) <= 1e-7 * size + rounding))
      fail(__FILE__, __LINE__,
           fmt::format("{}: along '{}' the loss changes by {:.9g}, by the gradient {:.9g}: off by "
                       "{:.2g}",
                       recurrenceName(), name.str(), found, derivative,
                       std::abs(found - derivative) / size));
  }
  array = std::move(from);
}

void ssmc::test::checkGradient(Point& point, std::optional<ArrayRef<StringRef>> zeros) {
  auto isZero = [&](StringRef name) {
    return zeros ? std::optional<bool>(is_contained(*zeros, name)) : std::nullopt;
  };
  reference::Results cotangents = randomCotangents(point);
  auto gradients = UNWRAP(reference::differentiate(point.recurrence, point.sizes, point.operands,
                                                   point.states, cotangents));
  Comparison comparison(point, std::move(cotangents));
  for (auto& [name, array] : gradients.operands)
    comparison.compare(point.operands, name, array, isZero(name));
  for (auto& [name, array] : gradients.states)
    comparison.compare(point.states, name, array, isZero(name));
  for (auto& [name, array] : point.operands)
    if (bool smooth = array.getDType() == DType::F64 || array.getDType() == DType::Complex128;
        smooth != gradients.operands.contains(name))
      fail(__FILE__, __LINE__, "'" + name + "' has " + (smooth ? "no gradient" : "a gradient"));
  CHECK(gradients.states.size() == point.states.size());
}
