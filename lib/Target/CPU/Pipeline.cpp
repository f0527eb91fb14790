// The passes from tile kernels to the LLVM dialect, in order.
#include "dialects/Tile/Tile.h"
#include "ssmc/Target/CPU.h"

// Each on its own: the list of all conversions takes ten seconds to compile.
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ssmc;

void ssmc::cpu::buildLoopPipeline(OpPassManager& manager, const TargetSpec& target) {
  // Folds get a label that lanes can run along. Equal ops first, so that what is shared shows.
  manager.addPass(createCSEPass());
  manager.nest<tile::KernelOp>().addPass(createHoistReciprocals());
  manager.nest<tile::KernelOp>().addPass(createSplitFolds());
  manager.addPass(createCSEPass());

  // Kernels become functions of loops over vectors. Everything that is ours ends here.
  manager.addPass(createLowerTileToLoops(target));

  // The emitter computes addresses and broadcasts where it needs them; equal ones become one, and
  // what a loop does not change leaves it.
  manager.addPass(createCSEPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void ssmc::cpu::buildPipeline(OpPassManager& manager, const TargetSpec& target) {
  buildLoopPipeline(manager, target);

  // Upstream's conversions. Control flow last but for functions: scf produces cf.
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
}
