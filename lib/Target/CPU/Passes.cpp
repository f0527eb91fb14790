// The passes of the CPU target.
#include "Emitter.h"
#include "ssmc/Target/CPU.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace ssmc;

namespace {
struct LowerTileToLoops : PassWrapper<LowerTileToLoops, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerTileToLoops)
  LowerTileToLoops() = default;
  LowerTileToLoops(const LowerTileToLoops& other) : PassWrapper(other) {}
  LowerTileToLoops(cpu::Shape shape) {
    lanes = shape.lanes;
    registers = shape.registers;
    pairs = shape.pairs;
    flushes = shape.flushes;
  }

  StringRef getArgument() const override { return "lower-tile-to-loops"; }
  StringRef getDescription() const override {
    return "lower tile kernels to functions of loops over vectors";
  }
  void getDependentDialects(DialectRegistry& registry) const override {
    registry.insert<arith::ArithDialect, func::FuncDialect, LLVM::LLVMDialect, math::MathDialect,
                    scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() override {
    SmallVector<tile::KernelOp> kernels(getOperation().getOps<tile::KernelOp>());
    for (tile::KernelOp kernel : kernels) {
      if (failed(cpu::lowerKernel(kernel, {lanes, registers, pairs, flushes})))
        return signalPassFailure();
      kernel.erase();
    }
  }

  Option<int64_t> lanes{*this, "lanes", llvm::cl::desc("f32 lanes of a vector register"),
                        llvm::cl::init(16)};
  Option<int64_t> registers{*this, "registers", llvm::cl::desc("number of vector registers"),
                            llvm::cl::init(32)};
  Option<cpu::PairUnit> pairs{
      *this, "pairs", llvm::cl::desc("what multiplies pairs of bf16"),
      llvm::cl::init(cpu::PairUnit::None),
      llvm::cl::values(clEnumValN(cpu::PairUnit::None, "none", "nothing"),
                       clEnumValN(cpu::PairUnit::Vectors, "vectors", "AVX512_BF16"),
                       clEnumValN(cpu::PairUnit::Tiles, "tiles", "AMX-BF16"))};
  Option<bool> flushes{*this, "flushes",
                       llvm::cl::desc("results below the smallest normal number become 0 (x86)"),
                       llvm::cl::init(false)};
};
} // namespace

std::unique_ptr<Pass> cpu::createLowerTileToLoops(const TargetSpec& target) {
  PairUnit pairs = target.hasPairTiles()     ? PairUnit::Tiles
                   : target.hasPairVectors() ? PairUnit::Vectors
                                             : PairUnit::None;
  return std::make_unique<LowerTileToLoops>(
      Shape{target.lanes(), target.registers(), pairs, target.hasSSE()});
}

void cpu::registerPasses() {
  PassRegistration<LowerTileToLoops>();
  ::mlir::registerPass(createHoistReciprocals);
  ::mlir::registerPass(createSplitFolds);
}
