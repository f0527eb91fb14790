// Numbers near one, less one.
#pragma once

namespace mlir {
class Operation;
} // namespace mlir

namespace ssmc::schedule {

/// Computes exp(x) - 1 and exp(x) cos(y) - 1 below an op so that small x and y keep their digits
/// (lib/Schedule/Cancellation.cpp says how).
void avoidCancellation(mlir::Operation* root);

} // namespace ssmc::schedule
