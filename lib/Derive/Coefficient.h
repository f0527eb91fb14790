// The coefficient of a decay.
#pragma once

#include "ssmc/Analysis/Expr.h"

namespace ssmc::derive {

/// exp(log + i phase) * factor, 0 where `zero` holds, with as few exponentials as the labels allow:
/// exp(a_i + b_j) is exp(a_i) exp(b_j).
analysis::Expr decayCoefficient(analysis::ExprContext& context, analysis::ExprReader& reader,
                                ssm::DecayOp decay);
/// What a decay adds over (max, +): its logarithm, -inf where `zero` holds.
analysis::Expr decayOffset(analysis::ExprContext& context, analysis::ExprReader& reader,
                           ssm::DecayOp decay);

} // namespace ssmc::derive
