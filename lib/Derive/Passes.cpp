// The derivations as passes.
#include "ssmc/Derive/Passes.h"
#include "dialects/SSM/SSM.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ssmc;

namespace {

struct DeriveRecurrentPass : PassWrapper<DeriveRecurrentPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DeriveRecurrentPass)
  StringRef getArgument() const final { return "derive-recurrent"; }
  StringRef getDescription() const final { return "Derive the recurrent form from the normal form"; }
  void runOnOperation() final {
    for (ssm::RecurrenceOp recurrence : llvm::make_early_inc_range(getOperation().getOps<ssm::RecurrenceOp>()))
      if (!recurrence.getForm() && failed(derive::deriveRecurrent(recurrence)))
        signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> derive::createDeriveRecurrentPass() { return std::make_unique<DeriveRecurrentPass>(); }

void derive::registerPasses() {
  registerPass(createDeriveRecurrentPass);
  registerPass(createSplitComplexPass);
}
