#include "Arguments.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

/// Checks one given array against its layout and element type.
static Error checkArray(const Array& array, const Twine& what, const Layout& layout,
                        ssm::ArrayType type, ssm::RecurrenceOp recurrence, const Sizes& sizes) {
  Expected<SmallVector<int64_t>> shape = shapeOf(layout, recurrence, sizes);
  if (!shape)
    return shape.takeError();
  if (array.getShape() != ArrayRef(*shape))
    return createStringError(what + " has shape " + runtime::formatShape(array.getShape()) +
                             ", expected " + runtime::formatShape(*shape) + ", which is " +
                             formatLayout(layout));
  if (runtime::isComplex(array.getDType()) && !type.isComplex())
    return createStringError(what + " holds " + runtime::name(array.getDType()) +
                             " numbers, expected real ones");
  return Error::success();
}

/// An error that names a surplus array and lists what was expected.
static Error surplus(StringRef what, StringRef name, ArrayRef<std::string> expected) {
  std::string list = expected.empty() ? "none" : "'" + join(expected, "', '") + "'";
  return createStringError("the recurrence has no " + what + " '" + name + "'; it has " + list);
}

static Error checkOperands(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                           const ArrayMap& operands) {
  std::vector<std::string> names;
  Error result = Error::success();
  recurrence.getBody().walk([&](ssm::InOp in) {
    names.push_back(in.getName().str());
    if (result)
      return;
    auto it = operands.find(in.getName().str());
    if (it == operands.end())
      result = createStringError("operand '" + in.getName() + "' is missing");
    else
      result = checkArray(it->second, "operand '" + in.getName() + "'", layoutOf(in), in.getType(),
                          recurrence, sizes);
  });
  if (result)
    return result;
  for (auto& [name, array] : operands)
    if (!is_contained(names, name))
      return surplus("operand", name, names);
  return Error::success();
}

std::vector<std::string> ssmc::reference::namesOf(const Schedule& schedule) {
  std::vector<std::string> names;
  for (auto& [state, plan] : schedule.states)
    for (int64_t number = 1; number <= plan.history; ++number)
      names.push_back(stateName(state, number));
  return names;
}

/// Checks states, or what is `of` them.
static Error checkStates(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes,
                         const ArrayMap& states, StringRef of = "") {
  if (!states.empty() && recurrence.getNumTimeAxes() != 1)
    return createStringError(
        "states are neither taken nor returned with two time axes: its state is a "
        "border of the plane, not one step");
  std::map<std::string, ssm::StateOp> declarations;
  for (auto& [state, plan] : schedule.states)
    for (int64_t number = 1; number <= plan.history; ++number)
      declarations[stateName(state, number)] = plan.declaration;
  for (auto& [name, array] : states) {
    auto it = declarations.find(name);
    if (it == declarations.end())
      return surplus("state", name, namesOf(schedule));
    ssm::StateOp state = it->second;
    if (Error error = checkArray(array, of + "state '" + Twine(name) + "'", layoutOf(state),
                                 cast<ssm::ArrayType>(state.getType()), recurrence, sizes))
      return error;
  }
  return Error::success();
}

Error ssmc::reference::checkArguments(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                                      const Sizes& sizes, const ArrayMap& operands,
                                      const ArrayMap& states) {
  if (Error error = checkSizes(recurrence, sizes))
    return error;
  if (Error error = checkOperands(recurrence, sizes, operands))
    return error;
  return checkStates(recurrence, schedule, sizes, states);
}

Error ssmc::reference::checkCotangents(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                                       const Sizes& sizes, const Results& cotangents) {
  std::map<std::string, ssm::OutOp> outputs;
  std::vector<std::string> names;
  for (ssm::OutOp out : recurrence.getBlock()->getOps<ssm::OutOp>()) {
    outputs[out.getName().str()] = out;
    names.push_back(out.getName().str());
  }
  for (auto& [name, array] : cotangents.outputs) {
    auto it = outputs.find(name);
    if (it == outputs.end())
      return surplus("output", name, names);
    ssm::OutOp out = it->second;
    ssm::ArrayType type = out.getValue().getType();
    if (!hasGradient(type))
      return createStringError("output '" + name +
                               "' has no cotangent: it is neither real nor "
                               "complex");
    if (Error error = checkArray(array, "the cotangent of output '" + Twine(name) + "'",
                                 layoutOf(out), type, recurrence, sizes))
      return error;
  }
  return checkStates(recurrence, schedule, sizes, cotangents.states, "the cotangent of ");
}

Error ssmc::reference::allocate(ArrayMap& map, std::string name, const Layout& layout, bool complex,
                                ssm::RecurrenceOp recurrence, const Sizes& sizes) {
  Expected<SmallVector<int64_t>> shape = shapeOf(layout, recurrence, sizes);
  if (!shape)
    return shape.takeError();
  Expected<Array> array = Array::create(complex ? DType::Complex128 : DType::F64, *shape);
  if (!array)
    return createStringError("'" + name + "': " + toString(array.takeError()));
  map.emplace(std::move(name), std::move(*array));
  return Error::success();
}

Error ssmc::reference::allocateResults(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                                       const Sizes& sizes, Results& results) {
  for (ssm::OutOp out : recurrence.getBlock()->getOps<ssm::OutOp>())
    if (Error error = allocate(results.outputs, out.getName().str(), layoutOf(out),
                               out.getValue().getType().isComplex(), recurrence, sizes))
      return error;
  if (recurrence.getNumTimeAxes() != 1)
    return Error::success();
  for (auto& [name, plan] : schedule.states) {
    ssm::StateOp state = plan.declaration;
    for (int64_t number = 1; number <= plan.history; ++number)
      if (Error error =
              allocate(results.states, stateName(name, number), layoutOf(state),
                       cast<ssm::ArrayType>(state.getType()).isComplex(), recurrence, sizes))
        return error;
  }
  return Error::success();
}
