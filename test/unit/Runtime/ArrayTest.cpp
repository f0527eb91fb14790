#include "ssmc/Runtime/Array.h"
#include "Check.h"
#include "ssmc/Runtime/Compare.h"
#include "ssmc/Runtime/Convert.h"

#include <limits>

using namespace ssmc::runtime;

static constexpr double inf = std::numeric_limits<double>::infinity();
static constexpr double nan_ = std::numeric_limits<double>::quiet_NaN();

static Array vectorOf(DType dtype, std::initializer_list<double> values) {
  int64_t parts = isComplex(dtype) ? 2 : 1, count = int64_t(values.size()) / parts;
  Array array = UNWRAP(Array::create(dtype, {count}));
  fromDoubles(dtype, values.begin(), count, array.getData());
  return array;
}

TEST(arrayIsZeroAndAligned) {
  Array array = UNWRAP(Array::create(DType::F32, {2, 3}));
  CHECK(array.getNumElements() == 6 && array.getNumBytes() == 24);
  CHECK(reinterpret_cast<uintptr_t>(array.getData()) % 64 == 0);
  for (float value : array.as<float>())
    CHECK(value == 0);
}

TEST(arrayRefusesImpossibleShapes) {
  CHECK_ERROR(Array::create(DType::F32, {-1}), "negative extent");
  CHECK_ERROR(Array::create(DType::F32, {1ll << 40, 1ll << 40}), "64 bits");
  CHECK_ERROR(Array::create(DType::F64, {1ll << 45}), "this machine has");
  CHECK(UNWRAP(Array::create(DType::F64, {1ll << 62, 0, 1ll << 62})).getNumElements() == 0);
}

TEST(bf16RoundsToNearestEven) {
  CHECK(toBF16(1.0f) == 0x3f80 && toBF16(1.0) == 0x3f80);
  CHECK(toBF16(0x1.01p0f) == 0x3f80);       // a tie, down to even
  CHECK(toBF16(0x1.03p0f) == 0x3f82);       // a tie, up to even
  CHECK(toBF16(0x1.010000001p0) == 0x3f81); // in one rounding, not by way of f32
  CHECK(toBF16(-inf) == 0xff80 && toBF16(1e39) == 0x7f80);
  CHECK(toBF16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(std::isnan(fromBF16(toBF16(float(nan_)))) && std::isnan(fromBF16(toBF16(nan_))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = fromBF16(uint16_t(bits));
    if (!std::isnan(value))
      CHECK(toBF16(value) == bits && toBF16(double(value)) == bits);
  }
}

TEST(f16RoundsToNearestEven) {
  CHECK(toF16(1.0) == 0x3c00 && toF16(65504.0) == 0x7bff && toF16(65520.0) == 0x7c00);
  CHECK(toF16(0x1p-24) == 1 && toF16(0x1p-25) == 0 && toF16(0x1.8p-24) == 2 &&
        toF16(0x1.1p-25) == 1);
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    float value = fromF16(uint16_t(bits));
    if (!std::isnan(value))
      CHECK(toF16(double(value)) == bits);
  }
}

TEST(conversions) {
  Array ints = UNWRAP(vectorOf(DType::I32, {-3, 0, 7}).convertTo(DType::F32));
  CHECK(ints.as<float>()[0] == -3 && ints.as<float>()[2] == 7);
  Array flags = UNWRAP(vectorOf(DType::F32, {0.5, 0, nan_}).convertTo(DType::Bool));
  CHECK(flags.as<uint8_t>()[0] == 1 && flags.as<uint8_t>()[1] == 0 && flags.as<uint8_t>()[2] == 1);
  Array wide = UNWRAP(vectorOf(DType::F32, {1, 2, 3}).convertTo(DType::Complex128));
  CHECK(wide.get(2) == std::complex<double>(3, 0));
  CHECK_ERROR(wide.convertTo(DType::F64), "imaginary part");
  CHECK_ERROR(ints.convertTo(DType::I32), "fractions");
  double extremes[] = {1e300, -1e300, nan_};
  int8_t clamped[3];
  fromDoubles(DType::I8, extremes, 3, clamped);
  CHECK(clamped[0] == 127 && clamped[1] == -128 && clamped[2] == 0);
}

TEST(compareMeasuresRms) {
  Array ref = vectorOf(DType::F64, {3, 4}), x = vectorOf(DType::F32, {3, 4.5});
  Difference difference = UNWRAP(compare(x, ref));
  CHECK_NEAR(difference.relative, 0.1);
  CHECK(difference.largest == 0.5 && difference.where == 1);
  CHECK(UNWRAP(compare(ref, ref)).relative == 0);
}

TEST(compareFailsOnNaN) {
  Array ref = vectorOf(DType::F64, {1, 1}), bad = vectorOf(DType::F64, {1, nan_});
  CHECK(UNWRAP(compare(bad, ref)).relative == inf && UNWRAP(compare(ref, bad)).relative == inf);
  CHECK(UNWRAP(compare(bad, bad)).relative == inf);
  Array low = vectorOf(DType::F64, {1, -inf}), high = vectorOf(DType::F64, {1, inf});
  CHECK(UNWRAP(compare(low, low)).relative == 0);
  CHECK(UNWRAP(compare(low, high)).relative == inf && UNWRAP(compare(ref, high)).relative == inf);
}

TEST(compareTakesInfinitiesForWhatRoundsToThem) {
  Array ref = vectorOf(DType::F64, {-70000, 30000}), small = vectorOf(DType::F64, {-60000, 30000});
  Array x = vectorOf(DType::F16, {-inf, 30000}), wrong = vectorOf(DType::F16, {inf, 30000});
  CHECK(UNWRAP(compare(x, ref)).relative == 0);
  CHECK(UNWRAP(compare(x, small)).largest == 5520); // 65520 rounds to it.
  CHECK(UNWRAP(compare(wrong, ref)).relative == inf);
  CHECK(UNWRAP(compare(vectorOf(DType::F64, {-inf, 30000}), ref)).relative == inf);
  Array far = vectorOf(DType::F32, {inf}), one = vectorOf(DType::F64, {1});
  CHECK(UNWRAP(compare(far, one)).relative > 1e38);
}

TEST(compareAgainstZero) {
  Array zero = vectorOf(DType::F64, {0, 0}), x = vectorOf(DType::F64, {0, 1e-3});
  CHECK_NEAR(UNWRAP(compare(x, zero)).relative, 1e-3 / std::sqrt(2.0));
  Array empty = vectorOf(DType::F64, {});
  CHECK(UNWRAP(compare(empty, empty)).relative == 0);
  CHECK_ERROR(compare(zero, empty), "shapes differ");
}

TEST(dtypeNames) {
  for (unsigned i = 0; i <= unsigned(DType::Complex128); ++i)
    CHECK(parseDType(name(DType(i))) == DType(i));
  CHECK(parseDType("float32") == DType::F32 && !parseDType("float"));
}
