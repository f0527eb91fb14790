// The schedule of a whole form, and as a pass.
#include "Cancellation.h"
#include "Columns.h"
#include "ssmc/Schedule/Schedule.h"

#include "mlir/Pass/PassOptions.h"

using namespace mlir;
using namespace ssmc;

FailureOr<SmallVector<tile::KernelOp>> schedule::scheduleForm(ssm::RecurrenceOp form,
                                                              const Options& options) {
  avoidCancellation(form);
  SmallVector<tile::KernelOp> kernels;
  for (Operation& op : *form.getBlock()) {
    if (!isa<ssm::PassOp, ssm::ChunkOp>(op))
      continue;
    auto chunk = dyn_cast<ssm::ChunkOp>(op);
    FailureOr<tile::KernelOp> kernel =
        chunk ? scheduleChunk(form, chunk, options, form.getSymName())
              : schedulePass(form, cast<ssm::PassOp>(op), options, form.getSymName());
    if (failed(kernel))
      return failure();
    auto factors = kernel->getFactorType();
    if (!options.columns || !factors || !factors->isBF16()) {
      kernels.push_back(*kernel);
      continue;
    }
    for (tile::KernelOp part : splitCarried(*kernel))
      kernels.append(splitColumns(part, options.temporaries + std::to_string(kernels.size())));
  }
  // (All of a form or none: what one writes another reads.)
  if (options.columns && llvm::all_of(kernels, [](tile::KernelOp kernel) {
        auto factors = kernel.getFactorType();
        return factors && factors->isBF16();
      })) {
    keepPairs(kernels);
    dropRests(kernels);
  }
  for (auto [index, kernel] : llvm::enumerate(kernels))
    kernel.setSymName(index ? (form.getSymName() + "_" + Twine(index)).str()
                            : form.getSymName().str());
  return kernels;
}

namespace {

struct SchedulePass : PassWrapper<SchedulePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SchedulePass)
  SchedulePass() = default;
  SchedulePass(const SchedulePass& other) : PassWrapper(other) {}

  StringRef getArgument() const final { return "schedule"; }
  StringRef getDescription() const final { return "Make kernels over tiles from derived forms"; }
  void getDependentDialects(DialectRegistry& registry) const final {
    registry.insert<tile::TileDialect>();
  }
  void runOnOperation() final {
    schedule::Options options;
    options.operandType =
        bf16 ? Type(BFloat16Type::get(&getContext())) : Type(Float32Type::get(&getContext()));
    options.columns = columns;
    for (const std::string& dim : dims) {
      auto [name, size] = StringRef(dim).split('=');
      int64_t number;
      if (size.getAsInteger(10, number)) {
        getOperation().emitError() << "expected dims=NAME=SIZE, found '" << dim << "'";
        return signalPassFailure();
      }
      options.dims[name] = number;
    }
    for (auto form : llvm::make_early_inc_range(getOperation().getOps<ssm::RecurrenceOp>())) {
      if (!form.getForm())
        continue;
      if (failed(schedule::scheduleForm(form, options)))
        return signalPassFailure();
      form.erase();
    }
  }

  ListOption<std::string> dims{*this, "dims", llvm::cl::desc("Sizes of dims, NAME=SIZE")};
  Option<bool> columns{*this, "columns",
                       llvm::cl::desc("Take kernels apart where columns never meet"),
                       llvm::cl::init(false)};
  Option<bool> bf16{*this, "bf16", llvm::cl::desc("Inputs and outputs are bf16"),
                    llvm::cl::init(false)};
};

} // namespace

void schedule::registerPasses() {
  PassRegistration<SchedulePass>();
}
