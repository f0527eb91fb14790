/// The gradient that `ssmc run` computes where --cotangent is given.
#pragma once

#include "Operands.h"

#include "ssmc/Reference/Gradient.h"

namespace ssmc::driver {

/// What can be wrong with --cotangent and --grad-out before any array is read; also that the form
/// and target asked for have a gradient.
llvm::Error checkGradientOptions(ssm::RecurrenceOp declared, const Signature& signature,
                                 const Options& options);

/// The same by the f64 reference.
llvm::Expected<reference::Gradients> referenceGradient(ssm::RecurrenceOp declared,
                                                       const Signature& signature,
                                                       const Inputs& inputs, unsigned threads);

/// By the target and the form that are asked for: the gradient of every real or complex input and
/// param, and of the states that --state-in gives. Of packed sequences each is differentiated by
/// itself; params get the sum.
llvm::Expected<reference::Gradients> computeGradient(ssm::RecurrenceOp declared,
                                                     const Signature& signature,
                                                     const Options& options, const Inputs& inputs);

} // namespace ssmc::driver
