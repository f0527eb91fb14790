// Compares the gradient of a declaration with differences of its interpreter.
#pragma once

#include "Fixture.h"
#include "ssmc/Reference/Gradient.h"

namespace ssmc::test {

/// Where a gradient is compared: arrays by name, in F64 and Complex128 where they have a gradient.
struct Point {
  ssm::RecurrenceOp recurrence;
  reference::Sizes sizes;
  runtime::ArrayMap operands, states;
};

/// Random operands (as ssmc/Reference/Inputs.h chooses them), and with `withStates` random states
/// before the first step.
Point randomPoint(ssm::RecurrenceOp recurrence, const reference::Sizes& sizes, bool withStates,
                  uint64_t seed = 1);

/// A random cotangent for every output and final state.
reference::Results randomCotangents(const Point& point, uint64_t seed = 7);

/// Draws random cotangents c and compares, for every operand and state with a gradient and for
/// several random directions d, the derivative of the loss Re(sum of conj(c) r) over the results r
/// along d, by differences, with Re(sum of conj(gradient) d). Both must be the same to 1e-7 of what
/// the sum is made of. Gradients that are zero throughout fail, but for those named in `zeros`,
/// which must be; without `zeros` any may be.
void checkGradient(Point& point, std::optional<llvm::ArrayRef<llvm::StringRef>> zeros =
                                     llvm::ArrayRef<llvm::StringRef>());

} // namespace ssmc::test
