/// Gradients by a compiled adjoint.
#pragma once

#include "Kernels.h"

#include "ssmc/Reference/Gradient.h"

namespace ssmc::driver {

/// Runs an adjoint on inputs and their cotangents; one that is absent is zero. Gradients are as the reference's
/// (Gradient.h), in the types of the operands; what heads share (a group's operand) or sequences (a param) is the
/// sum in a fixed order, in f32.
llvm::Expected<reference::Gradients> runGradients(const CompiledRecurrence& adjoint,
                                                  ssm::RecurrenceOp declared,
                                                  const Signature& signature, const Inputs& inputs,
                                                  unsigned threads, bool poison = false);

} // namespace ssmc::driver
