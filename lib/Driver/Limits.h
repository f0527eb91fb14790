/// What this machine can do at most, measured.
#pragma once

#include <optional>
#include <string>

namespace ssmc::simt {
class Device;
} // namespace ssmc::simt

namespace ssmc::driver {

struct MachineLimits {
  double gflops = 0; ///< f32 multiply-adds, counted as 2; 0: not known
  double gbytes = 0; ///< read and written by a copy that no cache holds
};

/// The least time that work can take, and what bounds it.
struct Bound {
  double ms = 0;
  bool byMemory = true;
};

/// Of so many operations, and bytes read or written. Arithmetic that is not known bounds nothing.
Bound boundOf(double operations, double bytes, const MachineLimits& limits);

/// Takes some tenths of a second.
MachineLimits measureLimits(unsigned threads);

/// The memory of a GPU. Its arithmetic is not measured: which of its units a kernel computes with
/// differs from sum to sum. On failure sets `error`.
std::optional<MachineLimits> measureLimits(simt::Device& device, std::string& error);

} // namespace ssmc::driver
