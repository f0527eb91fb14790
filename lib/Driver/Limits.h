/// What this machine can do at most, measured.
#pragma once

namespace ssmc::driver {

struct MachineLimits {
  double gflops = 0; ///< f32 multiply-adds, counted as 2
  double gbytes = 0; ///< read and written by a copy that no cache holds
};

/// Takes some tenths of a second.
MachineLimits measureLimits(unsigned threads);

} // namespace ssmc::driver
