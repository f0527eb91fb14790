#include "Limits.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace ssmc::driver;
using Clock = std::chrono::steady_clock;

static double seconds(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The shortest of some runs of `work` on all threads at once.
static double best(unsigned threads, const std::function<void(unsigned)>& work) {
  double shortest = 1e30;
  for (int repeat = 0; repeat < 5; ++repeat) {
    auto start = Clock::now();
    std::vector<std::thread> others;
    for (unsigned thread = 1; thread < threads; ++thread)
      others.emplace_back(work, thread);
    work(0);
    for (std::thread& other : others)
      other.join();
    shortest = std::min(shortest, seconds(start));
  }
  return shortest;
}

// Independent chains of multiply-adds, as many as hide the latency, in registers. One function for
// each vector width; the machine's widest is called.
#define SSMC_CHAINS(NAME, ATTRIBUTES, LANES)                                                       \
  ATTRIBUTES static float NAME(long rounds) {                                                      \
    typedef float Vector __attribute__((vector_size(LANES * 4)));                                  \
    Vector chain[10] = {}, factor = {}, term = {};                                                 \
    for (int lane = 0; lane < LANES; ++lane)                                                       \
      factor[lane] = 0.999f, term[lane] = 0.001f;                                                  \
    for (long round = 0; round < rounds; ++round)                                                  \
      for (Vector& value : chain)                                                                  \
        value = value * factor + term;                                                             \
    float sum = 0;                                                                                 \
    for (Vector& value : chain)                                                                    \
      sum += value[0];                                                                             \
    return sum;                                                                                    \
  }

#if defined(__x86_64__)
SSMC_CHAINS(chains16, __attribute__((target("avx512f"))), 16)
SSMC_CHAINS(chains8, __attribute__((target("avx2,fma"))), 8)
#endif
SSMC_CHAINS(chains4, , 4)

static double measureGflops(unsigned threads) {
  constexpr long rounds = 2000000;
  float (*chains)(long) = chains4;
  int lanes = 4;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    chains = chains16, lanes = 16;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    chains = chains8, lanes = 8;
#endif
  volatile float sink = 0;
  double time = best(threads, [&, run = chains](unsigned) { sink = sink + run(rounds); });
  return 2.0 * 10 * lanes * rounds * threads / time * 1e-9;
}

static double measureGbytes(unsigned threads) {
  constexpr size_t bytes = size_t(64) << 20;
  std::vector<std::unique_ptr<char[]>> from, to;
  for (unsigned thread = 0; thread < threads; ++thread) {
    from.push_back(std::make_unique<char[]>(bytes));
    to.push_back(std::make_unique<char[]>(bytes));
    std::memset(from.back().get(), 1, bytes);
  }
  double time = best(
      threads, [&](unsigned thread) { std::memcpy(to[thread].get(), from[thread].get(), bytes); });
  return 2.0 * bytes * threads / time * 1e-9;
}

MachineLimits ssmc::driver::measureLimits(unsigned threads) {
  return {measureGflops(threads), measureGbytes(threads)};
}
