// Divisions by what does not change in time become products with a reciprocal.
//
// A vector division costs as much as sixteen products. Where the divisor is defined outside of the
// sequence, its reciprocal is taken there, once. The quotient may differ by one unit in the last
// place from the rounded one; it is the same wherever and however often the kernel runs.
#include "Emitter.h"
#include "ssmc/Target/CPU.h"

#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

namespace {
struct HoistReciprocals : PassWrapper<HoistReciprocals, OperationPass<tile::KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(HoistReciprocals)
  StringRef getArgument() const override { return "tile-hoist-reciprocals"; }
  StringRef getDescription() const override {
    return "replace divisions by what is constant in time by products";
  }
  void runOnOperation() override {
    DenseMap<Value, Value> reciprocals;
    getOperation()->walk([&](ssm::DivOp division) {
      Value divisor = division.getRhs();
      auto sequence = division->getParentOfType<tile::SequenceOp>();
      if (!sequence || !isa<tile::KernelOp>(divisor.getParentBlock()->getParentOp()))
        return;
      Value& reciprocal = reciprocals[divisor];
      OpBuilder b(division);
      if (!reciprocal) {
        b.setInsertionPointAfterValue(divisor);
        Value one = ssm::ConstantOp::create(b, division.getLoc(), 1.0);
        reciprocal = ssm::DivOp::create(b, division.getLoc(), one, divisor);
        b.setInsertionPoint(division);
      }
      Value product = ssm::MulOp::create(b, division.getLoc(), division.getLhs(), reciprocal);
      division.replaceAllUsesWith(product);
      division.erase();
    });
  }
};
} // namespace

std::unique_ptr<Pass> ssmc::cpu::createHoistReciprocals() {
  return std::make_unique<HoistReciprocals>();
}
