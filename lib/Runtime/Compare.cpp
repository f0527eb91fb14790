#include "ssmc/Runtime/Compare.h"

#include <cmath>
#include <limits>

using namespace llvm;
using namespace ssmc::runtime;

Expected<Difference> ssmc::runtime::compare(const Array& x, const Array& ref) {
  if (x.getShape() != ref.getShape())
    return createStringError("shapes differ: " + formatShape(x.getShape()) +
                             " and, of the reference, " + formatShape(ref.getShape()));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Difference difference;
  double errors = 0, squares = 0;
  for (int64_t i = 0; i < x.getNumElements(); ++i) {
    std::complex<double> a = x.get(i), b = ref.get(i);
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
