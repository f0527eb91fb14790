// Sums of scans, as scans of sums.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::derive {

/// A scan is linear in what it takes in. Terms of a sum that are scans of one decay, from zero and
/// in one direction, are rewritten as one scan, of the sum of what they take in; where the decay is
/// 1, what is shifted along a scan by a step is one as well, of what is shifted.
///
/// The gradient of a logarithm of a decay is a sum of cumulative sums, one for each product that
/// the decay has a part in: what is left are one in either direction.
void mergeScans(mlir::Block& block);

} // namespace ssmc::derive
