/// What params get through the initial values that are made of them.
#pragma once

#include "Gradients.h"

namespace ssmc::driver {

/// Adds to the gradients of params what reaches them through the declared initial values of the
/// states that the caller does not supply. `atStart` holds the cotangents `d:S` of the states
/// before the first step.
llvm::Error addInitialGradients(ssm::RecurrenceOp declared, const Signature& signature,
                                const Inputs& inputs, const runtime::ArrayMap& atStart,
                                const CodeTarget& target, unsigned threads,
                                runtime::ArrayMap& gradients);

} // namespace ssmc::driver
