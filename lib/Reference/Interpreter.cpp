#include "ssmc/Reference/Interpreter.h"
#include "Arguments.h"
#include "Machine.h"

#include "llvm/Support/Parallel.h"

#include <atomic>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using runtime::ArrayMap;

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
  if (Error error = checkArguments(recurrence, *schedule, sizes, operands, states))
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
