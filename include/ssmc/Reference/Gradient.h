/// The judge of gradients: differentiates the interpreter in reverse mode, in f64 and complex128.
///
/// Its rules of differentiation are its own; it shares none with the forms derived from a
/// declaration. Slow and plain: every state at every step is kept.
///
/// What a gradient is. For a real loss L of outputs and final states, the cotangent g of an array z
/// satisfies dL = Re(sum of conj(g) dz), for real and complex arrays alike; the gradient of an
/// operand is its cotangent. So of L = Re(sum of conj(c) o) the cotangent of o is c, and that of a
/// complex a in o = a x is c conj(x). Where a function has a kink: 0 for `relu`, `abs` and `sign`;
/// `max`, `min` and `maximum` share equally among what ties; all of `select` goes to the value that
/// it takes, and exactly 0 to the other. A value without influence on the loss gets 0 even where
/// it, or a derivative on the way, is infinite or NaN.
///
/// What is summed: an operand of a group over the heads of the group, a shared one over all heads,
/// a param over batch and steps. A param gets what comes through an initial value that the
/// declaration makes of it.
#pragma once

#include "ssmc/Reference/Interpreter.h"

namespace ssmc::reference {

struct Gradients {
  /// Of each real or complex input and param, F64 or Complex128 as it is declared, in the layouts
  /// of Sizes.h: its own shape. Truth values and integers have no gradient and are not here.
  runtime::ArrayMap operands;
  /// Of each state that was supplied, under the names of Interpreter.h, `[B, H, dims…]`: of its
  /// value before the first step (after the last one, if it is read at later steps only). A state
  /// that starts from its declared value or from zero is not here.
  runtime::ArrayMap states;
};

/// The most that one call may keep, all threads together.
constexpr double maxGradientBytes = 8.0 * (1 << 30);

/// The gradient at `operands` and `states`, which are as for interpret. `cotangents` are those of
/// outputs (`outputs`) and of final states (`states`), in the shapes of interpret's results and of
/// any floating dtype; those left out are zero. A real one does for a complex result. With two time
/// axes there are no states on either side.
///
/// Fails as interpret does, for cotangents of unknown names, wrong shapes or complex for real, and
/// where more than maxGradientBytes would be kept. `threads` 0 takes as many as the machine has,
/// and fewer where memory asks for it; the result does not depend on it.
llvm::Expected<Gradients> differentiate(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                        const runtime::ArrayMap& operands,
                                        const runtime::ArrayMap& states, const Results& cotangents,
                                        unsigned threads = 0);

} // namespace ssmc::reference
