/// Gradients by a compiled adjoint.
#pragma once

#include "Kernels.h"

#include "ssmc/Reference/Gradient.h"

namespace ssmc::driver {

/// The kernels of an adjoint on inputs and their cotangents; one that is absent is zero. `zeros`
/// holds those of outputs, and must live as long as the launch, as the inputs must.
llvm::Expected<CompiledRecurrence::Launch>
prepareGradients(const CompiledRecurrence& adjoint, ssm::RecurrenceOp declared,
                 const Signature& signature, const Inputs& inputs, runtime::ArrayMap& zeros);

/// Runs an adjoint on inputs and their cotangents; one that is absent is zero. Gradients are as the
/// reference's (Gradient.h), in the types of the operands; what heads share (a group's operand) or
/// sequences (a param) is the sum in a fixed order, in f32.
llvm::Expected<reference::Gradients> runGradients(const CompiledRecurrence& adjoint,
                                                  ssm::RecurrenceOp declared,
                                                  const Signature& signature, const Inputs& inputs,
                                                  unsigned threads, bool poison = false);

} // namespace ssmc::driver
