// Runs kernels over their items with OpenMP, each thread with a workspace of its own.
#include "ssmc/Target/CPU.h"

#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

/// LLVM's OpenMP library announces itself in a file of shared memory named by process and user,
/// and takes such a file that is there already for its own. One that a killed process left, in
/// a state of any kind, comes back with the process number and then costs a SIGBUS at the first
/// call; before that call no such file can be ours.
static void removeStaleRegistration() {
  static std::once_flag once;
  std::call_once(once, [] {
    std::string name =
        "__KMP_REGISTERED_LIB_" + std::to_string(getpid()) + "_" + std::to_string(getuid());
    for (const char* folder : {"/dev/shm/", "/tmp/"})
      unlink((folder + name).c_str());
  });
}

/// Where the stretch of a thread begins: stretches are of neighbouring items, as a thread then
/// reads neighbouring heads together, and of about as many steps each.
static int64_t firstItemOf(int64_t thread, int64_t count, const ssmc_kernel_args& args) {
  int64_t items = args.batch * args.heads;
  if (!args.offsets || args.batch == 1 || thread == count)
    return items * thread / count;
  // An item costs its steps, and one more for its states.
  auto costBefore = [&](int64_t sequence) {
    return (args.offsets[sequence] + sequence) * args.heads;
  };
  int64_t share = int64_t(double(costBefore(args.batch)) * double(thread) / double(count));
  int64_t sequence = 0, after = args.batch; // the last sequence that begins within the share
  while (after - sequence > 1) {
    int64_t middle = sequence + (after - sequence) / 2;
    (costBefore(middle) <= share ? sequence : after) = middle;
  }
  int64_t cost = costBefore(sequence + 1) - costBefore(sequence);
  return sequence * args.heads + (share - costBefore(sequence)) * args.heads / cost;
}

/// Thread t runs the items from cuts[t] to cuts[t + 1], with the `bytes` from memory + bytes * t.
/// Apart from `launch`: a function with a parallel region calls the library where it begins.
[[gnu::noinline]] static bool runOnThreads(const ssmc::cpu::Kernel& kernel,
                                           const ssmc_kernel_args& args,
                                           const std::vector<int64_t>& cuts, char* memory,
                                           int64_t bytes) {
  bool failed = false;
  auto count = int64_t(cuts.size()) - 1;
#pragma omp parallel for num_threads(int(count)) schedule(static, 1) reduction(|| : failed)
  for (int64_t thread = 0; thread < count; ++thread) {
    failed |= kernel.run(&args, cuts[thread], cuts[thread + 1], memory + bytes * thread) != 0;
  }
  return !failed;
}

bool ssmc::cpu::launch(const Kernel& kernel, const ssmc_kernel_args& args, int threads,
                       std::string& error) {
  int64_t items = args.batch * args.heads;
  if (items <= 0)
    return true;
  removeStaleRegistration();
  if (threads <= 0)
    threads = omp_get_max_threads();
  int64_t count = std::min<int64_t>(threads, items);
  std::vector<int64_t> cuts;
  int64_t most = 0;
  for (int64_t thread = 0; thread <= count; ++thread) {
    cuts.push_back(firstItemOf(thread, count, args));
    most = std::max(most, cuts.back() - cuts[std::max<int64_t>(thread - 1, 0)]);
  }
  int64_t bytes = (kernel.workspace(&args, most) + 63) / 64 * 64;
  char* memory = static_cast<char*>(std::aligned_alloc(64, size_t(bytes) * size_t(count)));
  if (!memory) {
    error = "no memory for a workspace of " + std::to_string(bytes * count) + " bytes";
    return false;
  }
  bool done = runOnThreads(kernel, args, cuts, memory, bytes);
  std::free(memory);
  if (!done)
    error = "the kernel reported an error";
  return done;
}

namespace {
/// Some items of a task.
struct Part {
  const ssmc::cpu::Task* task;
  int64_t first, last;
};
} // namespace

/// Thread t has the `bytes` from memory + bytes * t.
[[gnu::noinline]] static bool runParts(const std::vector<Part>& parts, int threads, char* memory,
                                       int64_t bytes) {
  bool failed = false;
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1) reduction(|| : failed)
  for (const Part& part : parts)
    failed |= part.task->kernel.run(part.task->args, part.first, part.last,
                                    memory + bytes * omp_get_thread_num()) != 0;
  return !failed;
}

bool ssmc::cpu::launch(const std::vector<Task>& tasks, int threads, std::string& error) {
  if (tasks.empty())
    return true;
  removeStaleRegistration();
  if (threads <= 0)
    threads = omp_get_max_threads();
  // So many parts that threads which are done early find more to do. Heads that one part runs
  // together are read together.
  int64_t wanted = (int64_t(threads) * 4 + int64_t(tasks.size()) - 1) / int64_t(tasks.size());
  std::vector<Part> parts;
  int64_t bytes = 0;
  for (const Task& task : tasks) {
    int64_t items = task.args->batch * task.args->heads;
    int64_t count = std::min(wanted, items);
    for (int64_t part = 0; part < count; ++part) {
      parts.push_back({&task, items * part / count, items * (part + 1) / count});
      int64_t most = parts.back().last - parts.back().first;
      bytes = std::max(bytes, (task.kernel.workspace(task.args, most) + 63) / 64 * 64);
    }
  }
  threads = int(std::min<int64_t>(threads, int64_t(parts.size())));
  if (threads == 0)
    return true;
  char* memory = static_cast<char*>(std::aligned_alloc(64, size_t(bytes) * size_t(threads)));
  if (!memory) {
    error = "no memory for a workspace of " + std::to_string(bytes * threads) + " bytes";
    return false;
  }
  bool done = runParts(parts, threads, memory, bytes);
  std::free(memory);
  if (!done)
    error = "the kernel reported an error";
  return done;
}
