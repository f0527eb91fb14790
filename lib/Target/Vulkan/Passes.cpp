// The passes of the Vulkan target.
#include "Machine.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace ssmc;

namespace {
struct LowerTileToGroups : PassWrapper<LowerTileToGroups, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerTileToGroups)
  LowerTileToGroups() = default;
  LowerTileToGroups(const LowerTileToGroups& other) : PassWrapper(other) {}

  StringRef getArgument() const override { return "lower-tile-to-groups"; }
  StringRef getDescription() const override {
    return "lower tile kernels to gpu.modules whose arrays are words";
  }
  void getDependentDialects(DialectRegistry& registry) const override {
    registry
        .insert<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, LLVM::LLVMDialect,
                math::MathDialect, memref::MemRefDialect, scf::SCFDialect, spirv::SPIRVDialect>();
  }
  void runOnOperation() override {
    vulkan::TargetSpec target;
    target.sharedBytes = sharedBytes;
    target.threads = threads;
    std::unique_ptr<simt::Machine> machine = vulkan::makeMachine(target);
    simt::Limits limits;
    limits.sharedBytes = sharedBytes;
    limits.threads = threads;
    limits.processors = 1;
    SmallVector<tile::KernelOp> kernels(getOperation().getOps<tile::KernelOp>());
    for (tile::KernelOp kernel : kernels) {
      llvm::BitVector halves = vulkan::findHalves(kernel, target);
      FailureOr<simt::KernelInfo> info = simt::lowerKernel(kernel, *machine, limits);
      if (failed(info))
        return signalPassFailure();
      std::vector<int> bindings;
      auto function = cast<func::FuncOp>(kernel->getPrevNode());
      if (failed(vulkan::lowerAddresses(function, *info, halves, bindings)))
        return signalPassFailure();
      function.erase();
      kernel.erase();
    }
  }

  Option<int64_t> sharedBytes{*this, "shared-bytes",
                              llvm::cl::desc("bytes of shared memory that a work group may have"),
                              llvm::cl::init(vulkan::TargetSpec().sharedBytes)};
  Option<int64_t> threads{*this, "threads", llvm::cl::desc("invocations of a work group"),
                          llvm::cl::init(vulkan::TargetSpec().threads)};
};
} // namespace

void vulkan::registerPasses() {
  PassRegistration<LowerTileToGroups>();
}
