// The passes of the Vulkan target.
#include "Machine.h"

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
    target.bindings = bindings;
    target.storage16 = storage16;
    target.subgroup = subgroup;
    target.matrices = matrices;
    target.fragmentLayout = fragmentLayout;
    simt::Limits limits;
    limits.sharedBytes = sharedBytes;
    limits.threads = threads;
    limits.processors = 1;
    if (!vulkan::lowerKernels(getOperation(), target, limits))
      return signalPassFailure();
  }

  Option<int64_t> sharedBytes{*this, "shared-bytes",
                              llvm::cl::desc("bytes of shared memory that a work group may have"),
                              llvm::cl::init(vulkan::TargetSpec().sharedBytes)};
  Option<int64_t> threads{*this, "threads", llvm::cl::desc("invocations of a work group"),
                          llvm::cl::init(vulkan::TargetSpec().threads)};
  Option<int64_t> bindings{*this, "bindings",
                           llvm::cl::desc("storage buffers that a kernel may have"),
                           llvm::cl::init(vulkan::TargetSpec().bindings)};
  Option<bool> storage16{*this, "storage16", llvm::cl::desc("arrays of 16-bit elements are such"),
                         llvm::cl::init(vulkan::TargetSpec().storage16)};
  Option<int64_t> subgroup{*this, "subgroup",
                           llvm::cl::desc("invocations that exchange values; 1: none"),
                           llvm::cl::init(vulkan::TargetSpec().subgroup)};
  Option<bool> matrices{*this, "matrices",
                        llvm::cl::desc("subgroups of 32 multiply matrices of bf16"),
                        llvm::cl::init(vulkan::TargetSpec().matrices)};
  Option<bool> fragmentLayout{*this, "fragment-layout",
                              llvm::cl::desc("it is known which elements an invocation has"),
                              llvm::cl::init(vulkan::TargetSpec().fragmentLayout)};
};
} // namespace

void vulkan::registerPasses() {
  PassRegistration<LowerTileToGroups>();
}
