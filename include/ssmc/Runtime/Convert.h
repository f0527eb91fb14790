/// Conversions between element types, and the two 16-bit floats that C++ lacks.
#pragma once

#include "ssmc/Runtime/Array.h"

#include <bit>

namespace ssmc::runtime {

/// Rounds to nearest even, in one rounding; overflow gives infinity, NaN a quiet NaN.
uint16_t toBF16(double value);
uint16_t toF16(double value);

/// The same for the common case of an f32, by bits.
inline uint16_t toBF16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline float fromBF16(uint16_t bits) {
  return std::bit_cast<float>(uint32_t(bits) << 16);
}
float fromF16(uint16_t bits);

/// Reads `count` elements of a dtype as doubles; complex ones as pairs (real, imaginary), so that
/// `to` takes 2 * count of them.
void toDoubles(DType dtype, const void* from, int64_t count, double* to);

/// The inverse, rounding to nearest even. Integers are truncated towards zero and clamped.
void fromDoubles(DType dtype, const double* from, int64_t count, void* to);

} // namespace ssmc::runtime
