#include "ssmc/Runtime/Random.h"
#include "Check.h"

#include <cstring>
#include <numbers>

using namespace ssmc::runtime;

static Array filled(FillSpec spec, llvm::ArrayRef<int64_t> shape, DType dtype = DType::F64,
                    uint64_t seed = 1) {
  Array array = UNWRAP(Array::create(dtype, shape));
  fill(array, spec, seed);
  return array;
}

TEST(randomIsTheSameEverywhere) {
  // These numbers must never change: they make runs comparable across versions.
  Random random(42, 7);
  CHECK(random.bits() == 0xd9893fc677d6169);
}

TEST(randomStreamsDiffer) {
  CHECK(Random(1, 0).bits() != Random(1, 1).bits());
  CHECK(Random(1, 0).bits() != Random(2, 0).bits());
  CHECK(seedFor(1, "q") != seedFor(1, "k") && seedFor(1, "q") != seedFor(2, "q"));
}

TEST(normalHasItsMoments) {
  Array array = filled({Fill::Normal, 2}, {100, 1000});
  double sum = 0, squares = 0;
  for (double value : array.as<double>()) {
    sum += value;
    squares += value * value;
  }
  CHECK(std::abs(sum / 1e5) < 0.03 && std::abs(std::sqrt(squares / 1e5) - 2) < 0.03);
}

TEST(fillsKeepTheirRanges) {
  auto range = [](FillSpec spec, double low, double high) {
    Array array = filled(spec, {1000});
    for (double value : array.as<double>())
      CHECK(value > low && value < high);
  };
  range({Fill::NegativeLog, 0.5}, -3, 0);
  range({Fill::UnitInterval}, 0, 1);
  range({Fill::Positive}, 0, 6);
  range({Fill::PhaseAngle}, -std::numbers::pi, std::numbers::pi);
  Array flags = filled({Fill::Bool, 0.25}, {4000}, DType::Bool);
  int set = 0;
  for (uint8_t value : flags.as<uint8_t>())
    set += value;
  CHECK(set > 900 && set < 1100);
  Array rows = filled({Fill::UnitNorm}, {30, 7});
  for (int i = 0; i < 30; ++i) {
    double squares = 0;
    for (double value : rows.as<double>().slice(i * 7, 7))
      squares += value * value;
    CHECK_NEAR(squares, 1);
  }
}

TEST(fillDoesNotDependOnTheDType) {
  Array wide = filled({}, {70, 300}), narrow = filled({}, {70, 300}, DType::F32);
  for (int64_t i = 0; i < wide.getNumElements(); ++i)
    CHECK(float(wide.as<double>()[i]) == narrow.as<float>()[i]);
  Array again = filled({}, {70, 300});
  CHECK(!std::memcmp(wide.getData(), again.getData(), wide.getNumBytes()));
  Array other = filled({}, {70, 300}, DType::F64, 2);
  CHECK(std::memcmp(wide.getData(), other.getData(), wide.getNumBytes()));
}

TEST(fillTakesAnyShape) {
  filled({Fill::UnitNorm}, {});
  filled({Fill::UnitNorm}, {3, 0});
  filled({}, {1, 100000}, DType::BF16);
  CHECK(filled({}, {4}, DType::Complex64).get(3).imag() != 0);
}
