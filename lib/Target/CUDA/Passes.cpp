// The passes of the CUDA target.
#include "Machine.h"
#include "dialects/Tile/Tile.h"
#include "ssmc/Target/CUDA.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace ssmc;

/// What launching a kernel needs to know, as an attribute of its function. What is zero is left
/// out.
static DictionaryAttr asAttribute(const simt::KernelInfo& info, Builder b) {
  SmallVector<NamedAttribute> entries;
  for (auto [name, number] :
       {std::pair("threads", info.threads), std::pair("slices", info.slices),
        std::pair("shared_bytes", info.sharedBytes), std::pair("shared_tile", info.sharedTile),
        std::pair("workspace_bytes", info.workspaceBytes),
        std::pair("workspace_per_column", info.workspacePerColumn)})
    if (number)
      entries.push_back(b.getNamedAttr(name, b.getI64IntegerAttr(number)));
  if (!info.aligned.empty())
    entries.push_back(b.getNamedAttr("aligned", b.getUnitAttr()));
  return b.getDictionaryAttr(entries);
}

namespace {
struct LowerTileToThreads : PassWrapper<LowerTileToThreads, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerTileToThreads)
  LowerTileToThreads() = default;
  LowerTileToThreads(const LowerTileToThreads& other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "lower-tile-to-threads"; }
  StringRef getDescription() const override {
    return "lower tile kernels to functions that every thread of a grid runs";
  }
  void getDependentDialects(DialectRegistry& registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                    scf::SCFDialect>();
  }
  void runOnOperation() override {
    simt::Limits limits;
    limits.sharedBytes = sharedBytes;
    limits.threads = threads;
    limits.items = items;
    limits.processors = processors;
    SmallVector<tile::KernelOp> kernels(getOperation().getOps<tile::KernelOp>());
    for (tile::KernelOp kernel : kernels) {
      FailureOr<simt::KernelInfo> info =
          simt::lowerKernel(kernel, cuda::machine(cuda::TargetSpec()), limits);
      if (failed(info))
        return signalPassFailure();
      kernel->getPrevNode()->setAttr("launch", asAttribute(*info, Builder(&getContext())));
      kernel.erase();
    }
  }

  Option<int64_t> sharedBytes{*this, "shared-bytes",
                              llvm::cl::desc("bytes of shared memory that a block may have"),
                              llvm::cl::init(simt::Limits().sharedBytes)};
  Option<int64_t> threads{*this, "threads", llvm::cl::desc("threads of a block"),
                          llvm::cl::init(simt::Limits().threads)};
  Option<int64_t> items{*this, "items",
                        llvm::cl::desc("sequences times heads of the calls (0: not known)"),
                        llvm::cl::init(simt::Limits().items)};
  Option<int64_t> processors{*this, "processors",
                             llvm::cl::desc("processors to be filled by blocks"),
                             llvm::cl::init(simt::Limits().processors)};
};
} // namespace

void cuda::registerPasses() {
  PassRegistration<LowerTileToThreads>();
}
