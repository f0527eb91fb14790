/// From a derived form to kernels over tiles.
#pragma once

#include "dialects/SSM/SSM.h"
#include "dialects/Tile/Tile.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/StringMap.h"

namespace ssmc::schedule {

struct Options {
  /// Sizes of dims; they override the declaration's defaults.
  llvm::StringMap<int64_t> dims;
  /// Stored type of real inputs and outputs (f32, bf16, f16). Params and states are f32.
  mlir::Type operandType;
  /// Whether the factors of contractions keep f32's digits where operands are stored with fewer.
  bool exactProducts = false;
  /// Whether kernels of chunks are taken apart where they carry states whose columns never meet
  /// (lib/Schedule/Columns.cpp): into one for all chunks at once and one for the columns.
  bool columns = false;
  /// What temporaries are called that kernels of one form pass on to each other, with a number.
  std::string temporaries = "pre";
  /// Steps that are staged together.
  int64_t tokenTile = 16;
};

/// Makes one `tile.kernel` for each `ssm.pass` or `ssm.chunk` of a form without complex values, in
/// the order in which they are to be run, named after the recurrence (`NAME`, `NAME_1`, …), and
/// inserts them before the form. What does not depend on a state is computed for a whole tile of
/// steps before the loop over them, what only consumes states after it, unless that would make
/// larger arrays than it reads. Fails, with a message, where a dim has no size.
mlir::FailureOr<llvm::SmallVector<tile::KernelOp>> scheduleForm(ssm::RecurrenceOp form,
                                                                const Options& options);

/// The kernel of one chunk.
mlir::FailureOr<tile::KernelOp> scheduleChunk(ssm::RecurrenceOp form, ssm::ChunkOp chunk,
                                              const Options& options, llvm::StringRef name);

/// The kernel of one pass of a recurrent form.
mlir::FailureOr<tile::KernelOp> schedulePass(ssm::RecurrenceOp form, ssm::PassOp pass,
                                             const Options& options, llvm::StringRef name);

/// Has what kernels without states make alike made once: by the first form's, where they precede
/// what carries states (a backward pass is of the same form), or by the first of the others that
/// makes it. Kernels that are left with
/// nothing to make are erased; those of each form are numbered anew.
void shareTemporaries(llvm::MutableArrayRef<llvm::SmallVector<tile::KernelOp>> forms);

/// Takes what heads of a group would compute alike out of a module's kernels, where it sums up, to
/// kernels that run once for each group, before them.
void shareGroups(mlir::ModuleOp module);

/// `--schedule=dims=K=128,V=128`: the above for every derived form of a module.
void registerPasses();

} // namespace ssmc::schedule
