#include "ssmc/Runtime/Random.h"
#include "ssmc/Runtime/Convert.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Parallel.h"

#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

using namespace ssmc::runtime;

static uint64_t splitmix64(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Random::Random(uint64_t seed, uint64_t stream) {
  // Two rounds of mixing part streams of neighbouring numbers.
  uint64_t mixed = stream;
  mixed = seed ^ splitmix64(mixed);
  for (uint64_t& word : state)
    word = splitmix64(mixed);
}

uint64_t Random::bits() {
  uint64_t result = std::rotl(state[0] + state[3], 23) + state[0];
  uint64_t t = state[1] << 17;
  state[2] ^= state[0];
  state[3] ^= state[1];
  state[1] ^= state[2];
  state[0] ^= state[3];
  state[2] ^= t;
  state[3] = std::rotl(state[3], 45);
  return result;
}

double Random::uniform() {
  return double(bits() >> 11) * 0x1p-53;
}

double Random::normal() {
  if (hasSpare) {
    hasSpare = false;
    return spare;
  }
  double radius = std::sqrt(-2 * std::log(1 - uniform())), angle = 2 * std::numbers::pi * uniform();
  spare = radius * std::sin(angle);
  hasSpare = true;
  return radius * std::cos(angle);
}

llvm::StringRef ssmc::runtime::name(Fill fill) {
  static constexpr const char* names[] = {"normal",    "negative-log", "unit-interval", "positive",
                                          "unit-norm", "phase-angle",  "bool",          "zero"};
  return names[unsigned(fill)];
}

uint64_t ssmc::runtime::seedFor(uint64_t seed, llvm::StringRef name) {
  uint64_t hash = 0xcbf29ce484222325; // FNV-1a
  for (char c : name)
    hash = (hash ^ uint8_t(c)) * 0x100000001b3;
  hash ^= seed;
  return splitmix64(hash);
}

static double softplus(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

static double draw(Random& random, FillSpec spec) {
  switch (spec.fill) {
  case Fill::Normal:
    return spec.scale * random.normal();
  case Fill::NegativeLog:
    return -spec.scale * softplus(random.normal());
  case Fill::UnitInterval:
    return spec.scale / (1 + std::exp(-random.normal()));
  case Fill::Positive:
    return spec.scale * softplus(random.normal());
  case Fill::UnitNorm:
    return random.normal();
  case Fill::PhaseAngle:
    return spec.scale * std::numbers::pi * (2 * random.uniform() - 1);
  case Fill::Bool:
    return random.uniform() < spec.scale;
  case Fill::Zero:
    return 0;
  }
  llvm_unreachable("all fills are listed");
}

static void normalise(llvm::MutableArrayRef<double> row) {
  double squares = 0;
  for (double value : row)
    squares += value * value;
  double factor = squares > 0 ? 1 / std::sqrt(squares) : 0;
  for (double& value : row)
    value *= factor;
}

void ssmc::runtime::fill(Array& array, FillSpec spec, uint64_t seed) {
  if (array.getNumElements() == 0)
    return;
  unsigned parts = isComplex(array.getDType()) ? 2 : 1;
  int64_t row = array.getRank() ? array.getShape().back() : 1, rows = array.getNumElements() / row;
  // Each block of rows has its own stream, so that blocks can be drawn in any order.
  int64_t rowsPerBlock = std::max<int64_t>(1, 16384 / row);
  int64_t blocks = (rows + rowsPerBlock - 1) / rowsPerBlock;
  char* data = static_cast<char*>(array.getData());
  unsigned width = byteWidth(array.getDType());
  llvm::parallelFor(0, blocks, [&](size_t block) {
    Random random(seed, block);
    std::vector<double> values(row * parts);
    int64_t first = block * rowsPerBlock, last = std::min(rows, first + rowsPerBlock);
    for (int64_t index = first; index < last; ++index) {
      for (double& value : values)
        value = draw(random, spec);
      if (spec.fill == Fill::UnitNorm)
        normalise(values);
      fromDoubles(array.getDType(), values.data(), row, data + index * row * width);
    }
  });
}
