/// From the normal form to the forms that are executed.
#pragma once

#include "dialects/SSM/SSM.h"
#include "mlir/Pass/Pass.h"

#include "llvm/ADT/StringMap.h"

#include <memory>

namespace ssmc::derive {

/// Rewrites a normal form into the recurrent form, in its place: one or more `ssm.pass` ops, each a
/// step to be run over all times in one direction. Systems are written out with as few operations
/// per state element as the algebra allows (common factors of outer products are shared); states
/// that are read further back than one step get delay registers `NAME~2`, `NAME~3` …; what crosses
/// from one pass to a later one is handed over as a temporary. Nonlinear states run as they were
/// declared. Fails, with a message, where a state is read both earlier and later along one axis.
mlir::FailureOr<ssm::RecurrenceOp> deriveRecurrent(ssm::RecurrenceOp recurrence);

/// `--derive-recurrent`: the above for every recurrence in normal form.
std::unique_ptr<mlir::Pass> createDeriveRecurrentPass();

/// How a form treats the steps of a chunk.
struct ChunkOptions {
  /// Steps of a chunk.
  int64_t steps = 64;
  /// Whether states that are only read through contractions are kept as products over the steps
  /// (the chunked form); otherwise every state is computed at every step (the scan form).
  bool eliminate = true;
  /// Sizes of dims; of those that are not here the declaration's.
  llvm::StringMap<int64_t> sizes = {};
};

/// Rewrites a normal form into the chunked or the scan form, in its place: one `ssm.chunk`.
/// On failure the normal form stays as it is and `reason` is a sentence that says
/// why there is no such form.
mlir::FailureOr<ssm::RecurrenceOp> deriveChunked(ssm::RecurrenceOp recurrence,
                                                 const ChunkOptions& options, std::string& reason);

/// Rewrites the passes of a recurrent form as chunks of `steps` steps, in its place, each a fold
/// over them. Fails where there are two time axes.
mlir::LogicalResult blockSteps(ssm::RecurrenceOp form, int64_t steps);

/// The adjoint of a form of chunks, after it: from cotangents `d:o` of outputs (operands) and `d:S`
/// of final states (initial values of states of that name) to gradients `d:x` of operands
/// (outputs), and of params and initial states (final values of states). With `withOutputs` its
/// first chunks compute the outputs as well: the forward pass, and what it keeps. Fails with a
/// message where an op has no derivative.
mlir::FailureOr<ssm::RecurrenceOp> deriveAdjoint(ssm::RecurrenceOp form, bool withOutputs = false);

/// Replaces every complex value of a derived form by two reals; the old op is erased. Fails, with a
/// message, on a function that has no such form.
mlir::FailureOr<ssm::RecurrenceOp> splitComplex(ssm::RecurrenceOp recurrence);

/// `--split-complex`: the above for every derived form.
std::unique_ptr<mlir::Pass> createSplitComplexPass();

/// Writes the ops over the steps of a chunk (`ssm.gram`, `ssm.solve`, `ssm.scan` …) below `root` as
/// folds over the steps, but for those that `keep` holds for.
void expandSteps(mlir::Operation* root, llvm::function_ref<bool(mlir::Operation*)> keep);

/// `--expand-steps`: the above for all of them.
std::unique_ptr<mlir::Pass> createExpandStepsPass();

void registerPasses();

} // namespace ssmc::derive
