/// How far a result is from the reference.
#pragma once

#include "ssmc/Runtime/Array.h"

namespace ssmc::runtime {

struct Difference {
  /// RMS(x - ref) / RMS(ref), in f64; RMS(x) where ref is zero throughout; infinite where an
  /// element is NaN on either side, or infinite on one side only. Equal infinities count as equal.
  /// An infinity of 16 or 32 bits stands for any number that rounds to it: for that which is
  /// nearest to a finite reference.
  double relative = 0;
  /// The largest |x - ref|, infinite as above.
  double largest = 0;
  /// Where it is, in C order; -1 where nothing differs.
  int64_t where = -1;
};

/// Fails where the shapes differ. Any two dtypes compare; real against complex too.
llvm::Expected<Difference> compare(const Array& x, const Array& ref);

} // namespace ssmc::runtime
