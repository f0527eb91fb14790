#include "Limits.h"

#include "ssmc/Target/Device.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace ssmc::driver;
using Clock = std::chrono::steady_clock;

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The shortest of so many runs of `work` on all threads at once: what else the machine does
/// lengthens the others.
static double best(unsigned threads, int repeats, const std::function<void(unsigned)>& work) {
  double shortest = 1e30;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    auto start = Clock::now();
    std::vector<std::thread> others;
    for (unsigned thread = 1; thread < threads; ++thread)
      others.emplace_back(work, thread);
    work(0);
    for (std::thread& other : others)
      other.join();
    shortest = std::min(shortest, secondsSince(start));
  }
  return shortest;
}

// Independent chains of multiply-adds, as many as hide the latency of up to six cycles at two
// instructions a cycle. One function for each vector width; the machine's widest is called. Chains
// lie in registers only where the loop over them is written out, which few optimisation levels do
// by themselves. Each begins with a number of its own, else they would be one; 1 would stay 1.
static constexpr int numChains = 12;

#define SSMC_CHAINS(NAME, ATTRIBUTES, LANES)                                                       \
  ATTRIBUTES static float NAME(long rounds) {                                                      \
    typedef float Vector __attribute__((vector_size(LANES * 4)));                                  \
    Vector chain[numChains], zero = {};                                                            \
    const Vector factor = zero + 0.999f, term = zero + 0.001f;                                     \
    _Pragma("GCC unroll 12") for (int i = 0; i < numChains; ++i) chain[i] = zero + float(i + 2);   \
    for (long round = 0; round < rounds; ++round)                                                  \
      _Pragma("GCC unroll 12") for (int i = 0; i < numChains; ++i) chain[i] =                      \
          chain[i] * factor + term;                                                                \
    float sum = 0;                                                                                 \
    _Pragma("GCC unroll 12") for (int i = 0; i < numChains; ++i) sum += chain[i][0];               \
    return sum;                                                                                    \
  }

#if defined(__x86_64__)
SSMC_CHAINS(chains16, __attribute__((target("avx512f"))), 16)
SSMC_CHAINS(chains8, __attribute__((target("avx2,fma"))), 8)
#endif
SSMC_CHAINS(chains4, , 4)

static double measureGflops(unsigned threads) {
  constexpr long rounds = 1000000;
  float (*chains)(long) = chains4;
  int lanes = 4;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    chains = chains16, lanes = 16;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    chains = chains8, lanes = 8;
#endif
  volatile float sink = 0;
  double time = best(threads, 40, [&, run = chains](unsigned) { sink = sink + run(rounds); });
  return 2.0 * numChains * lanes * rounds * threads / time * 1e-9;
}

static double measureGbytes(unsigned threads) {
  constexpr size_t bytes = size_t(64) << 20;
  std::vector<std::unique_ptr<char[]>> from, to;
  for (unsigned thread = 0; thread < threads; ++thread) {
    from.push_back(std::make_unique<char[]>(bytes));
    to.push_back(std::make_unique<char[]>(bytes));
    std::memset(from.back().get(), 1, bytes);
  }
  double time = best(threads, 10, [&](unsigned thread) {
    std::memcpy(to[thread].get(), from[thread].get(), bytes);
  });
  return 2.0 * bytes * threads / time * 1e-9;
}

MachineLimits ssmc::driver::measureLimits(unsigned threads) {
  return {measureGflops(threads), measureGbytes(threads)};
}

std::optional<MachineLimits> ssmc::driver::measureLimits(ssmc::simt::Device& device,
                                                         std::string& error) {
  // Many times what second-level caches hold, or as much as an array may have.
  int64_t bytes = int64_t(1) << 29;
  constexpr int64_t least = int64_t(1) << 24;
  void *from = nullptr, *to = nullptr;
  for (;; bytes /= 2) {
    from = device.allocate(bytes, error);
    to = from ? device.allocate(bytes, error) : nullptr;
    if (to || bytes <= least)
      break;
    device.release(from);
  }
  bool done = to && device.fill(from, 1, bytes, error) && device.fill(to, 1, bytes, error);
  double shortest = 1e30;
  for (int repeat = 0; done && repeat < 20; ++repeat) {
    double ms = 0;
    done = device.time([&] { return device.copy(to, from, bytes, error); }, ms, error);
    shortest = std::min(shortest, ms);
  }
  device.release(from);
  device.release(to);
  if (!done)
    return std::nullopt;
  return MachineLimits{0, 2.0 * bytes / shortest * 1e-6};
}

Bound ssmc::driver::boundOf(double operations, double bytes, const MachineLimits& limits) {
  double arithmetic = limits.gflops > 0 ? operations / limits.gflops * 1e-6 : 0;
  double memory = bytes / limits.gbytes * 1e-6;
  return {std::max(arithmetic, memory), memory >= arithmetic};
}
