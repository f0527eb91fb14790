#include "ssmc/Runtime/Convert.h"

#include "llvm/Support/ErrorHandling.h"

#include <cmath>
#include <limits>

using namespace ssmc::runtime;

/// Rounds a double to a format of `exponentBits` and `mantissaBits` (IEEE 754 otherwise), once, to
/// nearest even.
template <int exponentBits, int mantissaBits> static uint16_t roundTo(double value) {
  constexpr int bias = (1 << (exponentBits - 1)) - 1;
  constexpr uint64_t infinity = ((uint64_t(1) << exponentBits) - 1) << mantissaBits;
  uint64_t bits = std::bit_cast<uint64_t>(value);
  uint64_t sign = bits >> 63 << (exponentBits + mantissaBits);
  int exponent = int(bits >> 52 & 0x7ff);
  uint64_t mantissa = bits & ((uint64_t(1) << 52) - 1);
  if (exponent == 0x7ff)
    return uint16_t(sign | infinity | (mantissa ? uint64_t(1) << (mantissaBits - 1) : 0));
  exponent += bias - 1023;
  // A result below the smallest normal number loses one more bit for each power of two.
  int shift = 52 - mantissaBits + (exponent <= 0 ? 1 - exponent : 0);
  if (shift > 53)
    return uint16_t(sign);
  uint64_t significand = mantissa | uint64_t(1) << 52;
  uint64_t kept = significand >> shift;
  uint64_t rest = significand & ((uint64_t(1) << shift) - 1), half = uint64_t(1) << (shift - 1);
  kept += rest > half || (rest == half && (kept & 1));
  // A carry out of the mantissa moves on into the exponent, as it should.
  uint64_t rounded = exponent <= 0 ? kept : kept + (uint64_t(exponent - 1) << mantissaBits);
  return uint16_t(sign | std::min(rounded, infinity));
}

uint16_t ssmc::runtime::toBF16(double value) {
  return roundTo<8, 7>(value);
}
uint16_t ssmc::runtime::toF16(double value) {
  return roundTo<5, 10>(value);
}

float ssmc::runtime::fromF16(uint16_t bits) {
  float sign = bits & 0x8000 ? -1.0f : 1.0f;
  int exponent = bits >> 10 & 0x1f, mantissa = bits & 0x3ff;
  if (exponent == 0x1f)
    return mantissa ? std::numeric_limits<float>::quiet_NaN()
                    : sign * std::numeric_limits<float>::infinity();
  if (exponent == 0)
    return sign * std::ldexp(float(mantissa), -24);
  uint32_t wide =
      uint32_t(bits & 0x8000) << 16 | uint32_t(exponent + 112) << 23 | uint32_t(mantissa) << 13;
  return std::bit_cast<float>(wide);
}

template <typename T> static void read(const void* from, int64_t count, double* to) {
  const T* values = static_cast<const T*>(from);
  for (int64_t i = 0; i < count; ++i)
    to[i] = double(values[i]);
}

void ssmc::runtime::toDoubles(DType dtype, const void* from, int64_t count, double* to) {
  const auto* halves = static_cast<const uint16_t*>(from);
  switch (dtype) {
  case DType::Bool:
    for (int64_t i = 0; i < count; ++i)
      to[i] = static_cast<const uint8_t*>(from)[i] != 0;
    return;
  case DType::I8:
    return read<int8_t>(from, count, to);
  case DType::I16:
    return read<int16_t>(from, count, to);
  case DType::I32:
    return read<int32_t>(from, count, to);
  case DType::I64:
    return read<int64_t>(from, count, to);
  case DType::U8:
    return read<uint8_t>(from, count, to);
  case DType::U16:
    return read<uint16_t>(from, count, to);
  case DType::U32:
    return read<uint32_t>(from, count, to);
  case DType::U64:
    return read<uint64_t>(from, count, to);
  case DType::F16:
    for (int64_t i = 0; i < count; ++i)
      to[i] = fromF16(halves[i]);
    return;
  case DType::BF16:
    for (int64_t i = 0; i < count; ++i)
      to[i] = fromBF16(halves[i]);
    return;
  case DType::F32:
    return read<float>(from, count, to);
  case DType::F64:
    return read<double>(from, count, to);
  case DType::Complex64:
    return read<float>(from, 2 * count, to);
  case DType::Complex128:
    return read<double>(from, 2 * count, to);
  }
  llvm_unreachable("all dtypes are listed");
}

template <typename T> static void write(const double* from, int64_t count, void* to) {
  T* values = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i)
    values[i] = T(from[i]);
}

template <typename T> static void writeInteger(const double* from, int64_t count, void* to) {
  using Limits = std::numeric_limits<T>;
  T* values = static_cast<T*>(to);
  for (int64_t i = 0; i < count; ++i) {
    double value = from[i];
    if (std::isnan(value))
      values[i] = 0;
    else if (value >= std::ldexp(1.0, Limits::digits))
      values[i] = Limits::max();
    else if (value <= double(Limits::min()))
      values[i] = Limits::min();
    else
      values[i] = T(value);
  }
}

void ssmc::runtime::fromDoubles(DType dtype, const double* from, int64_t count, void* to) {
  auto* halves = static_cast<uint16_t*>(to);
  switch (dtype) {
  case DType::Bool:
    for (int64_t i = 0; i < count; ++i)
      static_cast<uint8_t*>(to)[i] = from[i] != 0;
    return;
  case DType::I8:
    return writeInteger<int8_t>(from, count, to);
  case DType::I16:
    return writeInteger<int16_t>(from, count, to);
  case DType::I32:
    return writeInteger<int32_t>(from, count, to);
  case DType::I64:
    return writeInteger<int64_t>(from, count, to);
  case DType::U8:
    return writeInteger<uint8_t>(from, count, to);
  case DType::U16:
    return writeInteger<uint16_t>(from, count, to);
  case DType::U32:
    return writeInteger<uint32_t>(from, count, to);
  case DType::U64:
    return writeInteger<uint64_t>(from, count, to);
  case DType::F16:
    for (int64_t i = 0; i < count; ++i)
      halves[i] = toF16(from[i]);
    return;
  case DType::BF16:
    for (int64_t i = 0; i < count; ++i)
      halves[i] = toBF16(from[i]);
    return;
  case DType::F32:
    return write<float>(from, count, to);
  case DType::F64:
    return write<double>(from, count, to);
  case DType::Complex64:
    return write<float>(from, 2 * count, to);
  case DType::Complex128:
    return write<double>(from, 2 * count, to);
  }
  llvm_unreachable("all dtypes are listed");
}
