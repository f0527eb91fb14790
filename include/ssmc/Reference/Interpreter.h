/// The judge: evaluates a declared recurrence step by step in f64 and complex128.
///
/// It reads the step itself (`ssm.prev`, `ssm.update` and the algebra between them) and shares no
/// code with the forms derived from it. Truth values and integers are held as f64. A NaN reaches
/// whatever depends on it: max and min of a NaN are NaN, comparisons with it false.
///
/// What a state is outside the sequence. Let L be the furthest that a declaration reads state S
/// back (at least 1). Its value n steps before the first is the array `S` for n = 1 and `S~n` for
/// n = 2 … L where the caller supplies them, else the declared initial value, else zero. Results
/// hold the same names: `S` is the value at the last step, `S~n` that n - 1 steps before it, so
/// that a sequence run in pieces, each from the states of the piece before, gives what one run
/// gives. A sequence of no steps returns the states that it was given. For a state that is read at
/// later steps only, the same holds with time reversed: `S` lies one step beyond the last, and is
/// returned for the first step. A state read on both sides takes its supplied values before the
/// first step. With two time axes every read outside gives the initial value, and states are
/// neither taken nor returned.
#pragma once

#include "ssmc/Reference/Sizes.h"
#include "ssmc/Runtime/Array.h"

namespace ssmc::reference {

struct Results {
  /// F64 or Complex128, in the layouts of Sizes.h.
  runtime::ArrayMap outputs;
  runtime::ArrayMap states;
};

/// The names under which states are supplied and returned: `S`, `S~2` …, in order of declaration.
llvm::Expected<std::vector<std::string>> stateNames(ssm::RecurrenceOp recurrence);

/// Runs a recurrence on operands of any dtype (bool operands take any real dtype; nonzero is true).
/// Fails, naming the culprit, for missing or surplus operands and states, wrong shapes, complex
/// data for real operands, sizes that are not known or beyond the machine's memory, and for
/// declarations whose steps no order computes. `threads` 0 takes as many as the machine has; the
/// result does not depend on it.
llvm::Expected<Results> interpret(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                  const runtime::ArrayMap& operands,
                                  const runtime::ArrayMap& states = {}, unsigned threads = 0);

} // namespace ssmc::reference
