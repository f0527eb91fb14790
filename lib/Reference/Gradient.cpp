#include "ssmc/Reference/Gradient.h"
#include "Arguments.h"
#include "Reverse.h"

#include "llvm/Support/Parallel.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using runtime::ArrayMap;

static Error allocateGradients(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                               const Sizes& sizes, const ArrayMap& states, Gradients& gradients) {
  Error failure = Error::success();
  recurrence.getBody().walk([&](ssm::InOp in) {
    if (!failure && hasGradient(in.getType()))
      failure = allocate(gradients.operands, in.getName().str(), layoutOf(in),
                         in.getType().isComplex(), recurrence, sizes);
  });
  if (failure)
    return failure;
  for (auto& [name, plan] : schedule.states) {
    ssm::StateOp state = plan.declaration;
    for (int64_t number = 1; number <= plan.history; ++number)
      if (std::string array = stateName(name, number); states.contains(array))
        if (Error error =
                allocate(gradients.states, array, layoutOf(state),
                         cast<ssm::ArrayType>(state.getType()).isComplex(), recurrence, sizes))
          return error;
  }
  return Error::success();
}

/// As many threads as there is work and memory for.
static Expected<unsigned> countThreads(unsigned wanted, int64_t items, double bytesEach) {
  if (bytesEach > maxGradientBytes)
    return createStringError("the gradient by the reference keeps every state at every step: " +
                             runtime::formatBytes(bytesEach) + " at these sizes; at most " +
                             runtime::formatBytes(maxGradientBytes) + " is supported");
  if (wanted == 0)
    wanted = hardware_concurrency().compute_thread_count();
  int64_t room = int64_t(maxGradientBytes / std::max(1.0, bytesEach));
  unsigned threads = unsigned(std::max<int64_t>(1, std::min({int64_t(wanted), items, room})));
  if (Error error = runtime::checkMemory(threads * bytesEach, "the gradient by the reference"))
    return error;
  return threads;
}

Expected<Gradients> ssmc::reference::differentiate(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                                   const ArrayMap& operands, const ArrayMap& states,
                                                   const Results& cotangents, unsigned wanted) {
  Expected<Schedule> schedule = buildSchedule(recurrence);
  if (!schedule)
    return schedule.takeError();
  for (auto& [name, plan] : schedule->states)
    plan.keepAll = true;
  if (Error error = checkArguments(recurrence, *schedule, sizes, operands, states))
    return error;
  if (Error error = checkCotangents(recurrence, *schedule, sizes, cotangents))
    return error;
  int64_t items = sizes.batch * sizes.heads;
  Expected<unsigned> threads =
      countThreads(wanted, items, ReverseMachine::bytesNeeded(recurrence, *schedule, sizes));
  if (!threads)
    return threads.takeError();
  Results results;
  if (Error error = allocateResults(recurrence, *schedule, sizes, results))
    return error;
  Gradients gradients;
  if (Error error = allocateGradients(recurrence, *schedule, sizes, states, gradients))
    return error;

  Arrays arrays = {operands, states, results.outputs, results.states};
  std::vector<std::unique_ptr<ReverseMachine>> machines;
  for (unsigned thread = 0; thread < *threads; ++thread) {
    Expected<std::unique_ptr<ReverseMachine>> machine =
        ReverseMachine::create(recurrence, *schedule, sizes, arrays, cotangents);
    if (!machine)
      return machine.takeError();
    machines.push_back(std::move(*machine));
  }
  // Items add up in one order, however many run at once.
  for (int64_t first = 0; first < items; first += *threads) {
    int64_t count = std::min<int64_t>(*threads, items - first);
    parallelFor(0, count, [&](size_t thread) {
      machines[thread]->run((first + thread) / sizes.heads, (first + thread) % sizes.heads);
    });
    for (int64_t thread = 0; thread < count; ++thread)
      machines[thread]->addTo(gradients.operands, gradients.states);
  }
  return gradients;
}
