// The gpu dialect to the spirv dialect, by upstream's patterns; pointers that arrays were cast to
// stay casts, of what the arrays have become.
#include "Machine.h"

#include "mlir/Conversion/ArithToSPIRV/ArithToSPIRV.h"
#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRV.h"
#include "mlir/Conversion/MemRefToSPIRV/MemRefToSPIRV.h"
#include "mlir/Conversion/SCFToSPIRV/SCFToSPIRV.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/SPIRVConversion.h"
#include "mlir/Transforms/DialectConversion.h"

using namespace mlir;
using namespace ssmc;

namespace {
struct KeepCast : OpConversionPattern<UnrealizedConversionCastOp> {
  using OpConversionPattern::OpConversionPattern;
  LogicalResult matchAndRewrite(UnrealizedConversionCastOp cast, OpAdaptor adaptor,
                                ConversionPatternRewriter& rewriter) const override {
    rewriter.replaceOpWithNewOp<UnrealizedConversionCastOp>(cast, cast.getResultTypes(),
                                                            adaptor.getInputs());
    return success();
  }
};
} // namespace

LogicalResult vulkan::convertToSPIRV(ModuleOp module) {
  for (gpu::GPUModuleOp kernel : llvm::to_vector(module.getOps<gpu::GPUModuleOp>())) {
    spirv::TargetEnvAttr environment = spirv::lookupTargetEnvOrDefault(kernel);
    std::unique_ptr<ConversionTarget> target = SPIRVConversionTarget::get(environment);
    target->addDynamicallyLegalOp<UnrealizedConversionCastOp>([](UnrealizedConversionCastOp cast) {
      return !isa<MemRefType>(cast.getOperand(0).getType());
    });
    SPIRVTypeConverter types(environment, SPIRVConversionOptions());
    RewritePatternSet patterns(module.getContext());
    ScfToSPIRVContext loops;
    populateGPUToSPIRVPatterns(types, patterns);
    populateSCFToSPIRVPatterns(types, loops, patterns);
    arith::populateArithToSPIRVPatterns(types, patterns);
    populateMemRefToSPIRVPatterns(types, patterns);
    patterns.add<KeepCast>(types, module.getContext());
    if (failed(applyFullConversion(kernel, *target, std::move(patterns))))
      return failure();
  }
  return success();
}
