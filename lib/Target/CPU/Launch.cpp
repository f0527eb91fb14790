// Runs a kernel over its items with OpenMP, each thread with a workspace of its own.
#include "ssmc/Target/CPU.h"

#include <omp.h>

#include <algorithm>
#include <cstdlib>

bool ssmc::cpu::launch(const Kernel& kernel, const ssmc_kernel_args& args, int threads,
                       std::string& error) {
  int64_t items = args.batch * args.heads;
  if (items <= 0)
    return true;
  if (threads <= 0)
    threads = omp_get_max_threads();
  int64_t count = std::min<int64_t>(threads, items);
  // Equal stretches of neighbouring items: a thread reads neighbouring heads together.
  int64_t most = (items + count - 1) / count;
  int64_t bytes = (kernel.workspace(&args, most) + 63) / 64 * 64;
  char* memory = static_cast<char*>(std::aligned_alloc(64, size_t(bytes) * size_t(count)));
  if (!memory) {
    error = "no memory for a workspace of " + std::to_string(bytes * count) + " bytes";
    return false;
  }
  bool failed = false;
#pragma omp parallel for num_threads(int(count)) schedule(static, 1) reduction(|| : failed)
  for (int64_t thread = 0; thread < count; ++thread) {
    int64_t first = items * thread / count, last = items * (thread + 1) / count;
    failed |= kernel.run(&args, first, last, memory + bytes * thread) != 0;
  }
  std::free(memory);
  if (failed)
    error = "the kernel reported an error";
  return !failed;
}
