/// Gradients by a compiled adjoint.
#pragma once

#include "Kernels.h"

namespace ssmc::driver {

/// The name of the cotangent of an operand, output or state in an adjoint's kernels.
std::string cotangentName(llvm::StringRef name);

/// Runs an adjoint on inputs, and cotangents by the names of outputs (of their shapes; an absent one is zero) and of
/// final states. Returns the gradient of every real or complex operand and of every initial state, under its name.
/// An operand that heads share (a group's, a param's over batch) gets the sum in a fixed order, in f32.
llvm::Expected<runtime::ArrayMap> runGradients(const CompiledRecurrence& adjoint, ssm::RecurrenceOp declared,
                                               const Signature& signature, const Inputs& inputs,
                                               const runtime::ArrayMap& outputCotangents,
                                               const runtime::ArrayMap& stateCotangents, unsigned threads,
                                               bool poison = false);

} // namespace ssmc::driver
