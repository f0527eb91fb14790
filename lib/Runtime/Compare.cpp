#include "ssmc/Runtime/Compare.h"

#include <cmath>
#include <limits>

using namespace llvm;
using namespace ssmc::runtime;

/// The least magnitude that rounds to an infinity; where none does, an infinity.
static double leastInfinite(DType dtype) {
  switch (dtype) {
  case DType::F16:
    return 65520;
  case DType::BF16:
    return std::ldexp(1.0, 128) - std::ldexp(1.0, 119);
  case DType::F32:
  case DType::Complex64:
    return std::ldexp(1.0, 128) - std::ldexp(1.0, 103);
  default:
    return std::numeric_limits<double>::infinity();
  }
}

/// An infinity as the number nearest to the reference of those that it may stand for.
static double nearest(double x, double ref, double least) {
  if (!std::isinf(x) || !std::isfinite(ref) || std::signbit(x) != std::signbit(ref))
    return x;
  return std::copysign(std::max(std::abs(ref), least), x);
}

Expected<Difference> ssmc::runtime::compare(const Array& x, const Array& ref) {
  if (x.getShape() != ref.getShape())
    return createStringError("shapes differ: " + formatShape(x.getShape()) +
                             " and, of the reference, " + formatShape(ref.getShape()));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Difference difference;
  double errors = 0, squares = 0, least = leastInfinite(x.getDType());
  for (int64_t i = 0; i < x.getNumElements(); ++i) {
    std::complex<double> a = x.get(i), b = ref.get(i);
    a = {nearest(a.real(), b.real(), least), nearest(a.imag(), b.imag(), least)};
    if (a == b) {
      if (std::isfinite(b.real()) && std::isfinite(b.imag()))
        squares += std::norm(b);
      continue;
    }
    double distance = std::abs(a - b);
    if (!std::isfinite(distance))
      return Difference{infinity, infinity, i};
    errors += distance * distance;
    squares += std::norm(b);
    if (distance > difference.largest) {
      difference.largest = distance;
      difference.where = i;
    }
  }
  if (errors > 0)
    difference.relative =
        squares > 0 ? std::sqrt(errors / squares) : std::sqrt(errors / double(x.getNumElements()));
  return difference;
}
