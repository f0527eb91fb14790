/// Which form is the fastest, predicted from the loops that each would become.
#pragma once

#include "Forms.h"

#include "ssmc/Target/CPUCost.h"

namespace ssmc::driver {

/// What a form is to be fast for.
struct Situation {
  CodeTarget target;
  cpu::CallSizes sizes;
};

/// The sizes of the command line; where it names none, those of a prefill: 1024 steps, 16 heads.
Situation situationOf(const CodeTarget& target, const Options& options);
/// The sizes of a call; packed sequences count as ones of equal length.
Situation situationOf(const CodeTarget& target, const Inputs& inputs);

/// Has kernels made for as many heads and groups as a call has.
void suitTo(const Inputs& inputs, LoweringOptions& options);

/// A form with its predicted cost, of a call for one sequence and all its heads.
struct Candidate {
  FormChoice form;
  cpu::Cost cost;
};

struct Choice {
  FormChoice form{Form::Recurrent, std::nullopt};
  /// Of each form that was asked for and exists, with the steps that suit it best; in the order of
  /// `FormList`. Empty where nothing was to be chosen.
  llvm::SmallVector<Candidate> candidates;
};

/// Chooses among forms that exist: all, with the best steps of blocks for each, or those of
/// `options.form` and `options.chunk`. All dims must have sizes. For a gradient the steps of blocks
/// are those that suit the form itself, and the forms' adjoints are compared. `recurrence` is a
/// declaration or a normal form, and stays. A form whose kernels cannot be made is left out.
llvm::Expected<Choice> chooseForm(ssm::RecurrenceOp recurrence, const FormList& forms,
                                  const LoweringOptions& options, const Situation& situation);

/// The same among all forms of `options.form` that exist. No candidates where a dim has no size.
/// Fails where `options.form` names a form that does not exist.
llvm::Expected<Choice> chooseForm(ssm::RecurrenceOp recurrence, const LoweringOptions& options,
                                  const Situation& situation);

/// Sets the form and the steps of blocks that `options` leave open, as far as sizes are known.
/// Fails only where --form names a form that does not exist.
llvm::Error settleForm(ssm::RecurrenceOp recurrence, LoweringOptions& options,
                       const Situation& situation);

/// Segments of sequences of so many steps for a machine of so many processors, of which few blocks,
/// one for each sequence and head, would walk through all steps: 1 where they are not worth what
/// their summaries take.
int64_t segmentsFor(int64_t blocks, int64_t processors, int64_t steps);

/// Stretches of time (DeviceStretches.h) of kernels that carry states, of so many blocks; 1: none.
int64_t stretchesFor(int64_t blocks, int64_t processors, int64_t steps);

/// The segments of a forward pass in a form that is settled: what was asked for, else such as suit
/// the target. CPUs are asked for them, so that results are the same for any number of threads.
llvm::Expected<int64_t> chooseSegments(ssm::RecurrenceOp declared, const LoweringOptions& settled,
                                       const CodeTarget& target, const Inputs& inputs,
                                       int64_t asked);

} // namespace ssmc::driver
