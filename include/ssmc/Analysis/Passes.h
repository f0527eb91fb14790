/// Passes from a declaration to its normal form.
#pragma once

#include "dialects/SSM/SSM.h"
#include "mlir/Pass/Pass.h"

#include <memory>

namespace ssmc::analysis {

/// Rewrites a recurrence's step into normal form; the old op is erased. Each strongly connected set
/// of states that is linear (over (+, *), else over (max, +)) becomes an `ssm.system`. A set that
/// is neither keeps its `ssm.update` ops, which then bear the reason as the attribute `nonlinear`
/// and its place as their location. Outputs are expanded over the linear states, so that what does
/// not depend on a state stands apart.
ssm::RecurrenceOp normalize(ssm::RecurrenceOp recurrence);

/// `--normalize`: the above for every recurrence of a module.
std::unique_ptr<mlir::Pass> createNormalizePass();

void registerPasses();

} // namespace ssmc::analysis
