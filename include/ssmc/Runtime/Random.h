/// Seeded random numbers and test data, the same on every platform and for any number of threads.
#pragma once

#include "ssmc/Runtime/Array.h"

namespace ssmc::runtime {

/// xoshiro256++ (Blackman, Vigna), its state filled by splitmix64 from a seed and a stream.
class Random {
public:
  explicit Random(uint64_t seed, uint64_t stream = 0);

  uint64_t bits();
  /// In [0, 1), a multiple of 2^-53.
  double uniform();
  /// Standard normal, by Box and Muller's transform.
  double normal();

private:
  uint64_t state[4];
  double spare = 0;
  bool hasSpare = false;
};

/// What kind of numbers an operand gets. n is a standard normal number.
enum class Fill : uint8_t {
  Normal,       ///< scale * n
  NegativeLog,  ///< -scale * softplus(n): the logarithm of a decay
  UnitInterval, ///< scale * sigmoid(n), in (0, 1) for scale 1: a gate
  Positive,     ///< scale * softplus(n): a step size
  UnitNorm,     ///< n, normalised along the last axis: a key of a delta rule
  PhaseAngle,   ///< scale * uniform in [-pi, pi)
  Bool,         ///< 1 with probability `scale`, else 0
  Zero,         ///< 0
};

/// `normal`, `negative-log` …
llvm::StringRef name(Fill fill);

struct FillSpec {
  Fill fill = Fill::Normal;
  double scale = 1;
  bool operator==(const FillSpec&) const = default;
};

/// Fills an array of any dtype; real and imaginary parts of complex elements are drawn in turn.
/// Equal (spec, seed, shape) give equal numbers before they are rounded to the dtype.
void fill(Array& array, FillSpec spec, uint64_t seed);

/// A seed for each operand of one run: mixes the run's seed with the operand's name.
uint64_t seedFor(uint64_t seed, llvm::StringRef name);

} // namespace ssmc::runtime
