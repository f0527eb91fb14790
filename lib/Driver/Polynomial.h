/// Counts that depend on sizes not bound yet: `7 K V + 3 K`.
#pragma once

#include "dialects/SSM/SSM.h"

#include <map>
#include <string>
#include <vector>

namespace ssmc::driver {

class Polynomial {
public:
  Polynomial(double constant = 0) {
    if (constant != 0)
      terms[{}] = constant;
  }
  /// The number of elements of an array.
  static Polynomial elementsOf(ssm::ArrayType type);

  Polynomial& operator+=(const Polynomial& other);
  Polynomial operator*(double factor) const;
  Polynomial operator*(const Polynomial& other) const;

  bool isZero() const { return terms.empty(); }
  /// Largest degrees first.
  std::string text() const;
  /// The value for sizes of all dims; absent where one is missing.
  std::optional<double> evaluate(const std::map<std::string, int64_t, std::less<>>& dims) const;

private:
  /// Sorted names of dims, one for each power -> coefficient.
  std::map<std::vector<std::string>, double> terms;
};

} // namespace ssmc::driver
