#include "ssmc/Reference/Interpreter.h"
#include "Machine.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Parallel.h"

#include <atomic>
#include <fmt/format.h>

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

static std::vector<std::string> namesOf(const Schedule& schedule) {
  std::vector<std::string> names;
  for (auto& [state, plan] : schedule.states)
    for (int64_t number = 1; number <= plan.history; ++number)
      names.push_back(stateName(state, number));
  return names;
}

static Error checkStates(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes,
                         const ArrayMap& states) {
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
    if (Error error = checkArray(array, "state '" + Twine(name) + "'", layoutOf(state),
                                 cast<ssm::ArrayType>(state.getType()), recurrence, sizes))
      return error;
  }
  return Error::success();
}

/// Adds a zero array of a layout to a map.
static Error allocate(ArrayMap& map, std::string name, const Layout& layout, bool complex,
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

static Error allocateResults(ssm::RecurrenceOp recurrence, const Schedule& schedule,
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

Expected<std::vector<std::string>> ssmc::reference::stateNames(ssm::RecurrenceOp recurrence) {
  Expected<Schedule> schedule = buildSchedule(recurrence);
  if (!schedule)
    return schedule.takeError();
  return namesOf(*schedule);
}

Expected<Results> ssmc::reference::interpret(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                             const ArrayMap& operands, const ArrayMap& states,
                                             unsigned threads) {
  Expected<Schedule> schedule = buildSchedule(recurrence);
  if (!schedule)
    return schedule.takeError();
  if (Error error = checkSizes(recurrence, sizes))
    return error;
  if (Error error = checkOperands(recurrence, sizes, operands))
    return error;
  if (Error error = checkStates(recurrence, *schedule, sizes, states))
    return error;
  Results results;
  if (Error error = allocateResults(recurrence, *schedule, sizes, results))
    return error;

  int64_t items = sizes.batch * sizes.heads;
  if (threads == 0)
    threads = hardware_concurrency().compute_thread_count();
  threads = unsigned(std::clamp<int64_t>(items, 1, threads));
  if (Error error = runtime::checkMemory(
          threads * Machine::bytesNeeded(recurrence, *schedule, sizes), "the reference"))
    return error;
  Arrays arrays = {operands, states, results.outputs, results.states};
  std::vector<std::unique_ptr<Machine>> machines;
  for (unsigned thread = 0; thread < threads; ++thread) {
    Expected<std::unique_ptr<Machine>> machine =
        Machine::create(recurrence, *schedule, sizes, arrays);
    if (!machine)
      return machine.takeError();
    machines.push_back(std::move(*machine));
  }
  std::atomic<int64_t> next = 0;
  parallelFor(0, threads, [&](size_t thread) {
    for (int64_t item; (item = next++) < items;)
      machines[thread]->run(item / sizes.heads, item % sizes.heads);
  });
  return results;
}
