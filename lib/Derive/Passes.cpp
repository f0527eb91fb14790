// The derivations as passes.
#include "ssmc/Derive/Passes.h"
#include "dialects/SSM/SSM.h"
#include "ssmc/Derive/Segments.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassOptions.h"

using namespace mlir;
using namespace ssmc;

namespace {

struct DeriveRecurrentPass : PassWrapper<DeriveRecurrentPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeriveRecurrentPass)
  StringRef getArgument() const final { return "derive-recurrent"; }
  StringRef getDescription() const final {
    return "Derive the recurrent form from the normal form";
  }
  void runOnOperation() final {
    for (ssm::RecurrenceOp recurrence :
         llvm::make_early_inc_range(getOperation().getOps<ssm::RecurrenceOp>()))
      if (!recurrence.getForm() && failed(derive::deriveRecurrent(recurrence)))
        signalPassFailure();
  }
};

struct DeriveChunkedPass : PassWrapper<DeriveChunkedPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeriveChunkedPass)
  DeriveChunkedPass() = default;
  DeriveChunkedPass(const DeriveChunkedPass& other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "derive-chunked"; }
  StringRef getDescription() const final {
    return "Derive the chunked (or scan) form from the normal form";
  }
  void runOnOperation() final {
    derive::ChunkOptions options{steps, !scan};
    for (ssm::RecurrenceOp recurrence :
         llvm::make_early_inc_range(getOperation().getOps<ssm::RecurrenceOp>())) {
      std::string reason;
      if (recurrence.getForm() || succeeded(derive::deriveChunked(recurrence, options, reason)))
        continue;
      recurrence.emitError() << "has no " << (scan ? "scan" : "chunked") << " form: " << reason;
      signalPassFailure();
    }
  }
  Option<int64_t> steps{*this, "steps", llvm::cl::desc("Steps of a chunk"), llvm::cl::init(64)};
  Option<bool> scan{*this, "scan", llvm::cl::desc("Compute every state at every step"),
                    llvm::cl::init(false)};
};

struct DeriveAdjointPass : PassWrapper<DeriveAdjointPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeriveAdjointPass)
  DeriveAdjointPass() = default;
  DeriveAdjointPass(const DeriveAdjointPass& other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "derive-adjoint"; }
  StringRef getDescription() const final { return "Replace forms by their adjoints"; }
  void runOnOperation() final {
    for (ssm::RecurrenceOp form :
         llvm::make_early_inc_range(getOperation().getOps<ssm::RecurrenceOp>())) {
      if (!form.getForm())
        continue;
      if (!form.getBlock()->getOps<ssm::PassOp>().empty() &&
          failed(derive::blockSteps(form, steps))) {
        form.emitError() << "has two time axes: its steps make no blocks";
        return signalPassFailure();
      }
      if (failed(derive::deriveAdjoint(form)))
        return signalPassFailure();
      form.erase();
    }
  }
  Option<int64_t> steps{*this, "steps", llvm::cl::desc("Steps of a block of the recurrent form"),
                        llvm::cl::init(16)};
};

struct BlockStepsPass : PassWrapper<BlockStepsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(BlockStepsPass)
  BlockStepsPass() = default;
  BlockStepsPass(const BlockStepsPass& other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "block-steps"; }
  StringRef getDescription() const final { return "Write the passes of recurrent forms as chunks"; }
  void runOnOperation() final {
    for (ssm::RecurrenceOp form : getOperation().getOps<ssm::RecurrenceOp>())
      if (!form.getBlock()->getOps<ssm::PassOp>().empty() &&
          failed(derive::blockSteps(form, steps))) {
        form.emitError() << "has two time axes: its steps make no blocks";
        return signalPassFailure();
      }
  }
  Option<int64_t> steps{*this, "steps", llvm::cl::desc("Steps of a block"), llvm::cl::init(16)};
};

struct DeriveSegmentsPass : PassWrapper<DeriveSegmentsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeriveSegmentsPass)
  StringRef getArgument() const final { return "derive-segments"; }
  StringRef getDescription() const final { return "Add the summaries of spans to forms of chunks"; }
  void runOnOperation() final {
    for (ssm::RecurrenceOp form : llvm::to_vector(getOperation().getOps<ssm::RecurrenceOp>())) {
      if (!form.getForm() || form.getBlock()->getOps<ssm::ChunkOp>().empty())
        continue;
      std::string reason;
      if (failed(derive::deriveSegments(form, reason))) {
        form.emitError() << "has no summary of a span: " << reason;
        return signalPassFailure();
      }
    }
  }
};

} // namespace

std::unique_ptr<Pass> derive::createDeriveRecurrentPass() {
  return std::make_unique<DeriveRecurrentPass>();
}

void derive::registerPasses() {
  registerPass(createDeriveRecurrentPass);
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<DeriveChunkedPass>(); });
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<DeriveAdjointPass>(); });
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<BlockStepsPass>(); });
  registerPass([]() -> std::unique_ptr<Pass> { return std::make_unique<DeriveSegmentsPass>(); });
  registerPass(createSplitComplexPass);
  registerPass(createExpandStepsPass);
}
