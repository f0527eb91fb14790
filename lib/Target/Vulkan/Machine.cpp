// What the gpu dialect has for threads of work groups.
#include "Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

using namespace mlir;
using namespace ssmc;

namespace {

class GroupMachine : public simt::Machine {
public:
  explicit GroupMachine(int64_t subgroup) : subgroup(subgroup) {}

  Value thread(ImplicitLocOpBuilder& b) const override {
    return number(b, gpu::ThreadIdOp::create(b, gpu::Dimension::x));
  }
  Value block(ImplicitLocOpBuilder& b, int axis) const override {
    return number(b, gpu::BlockIdOp::create(b, dimension(axis)));
  }
  Value blocks(ImplicitLocOpBuilder& b, int axis) const override {
    return number(b, gpu::GridDimOp::create(b, dimension(axis)));
  }
  // Not gpu.barrier, which orders shared memory alone: workspace is the caller's.
  void barrier(ImplicitLocOpBuilder& b) const override {
    auto semantics = spirv::MemorySemantics::AcquireRelease |
                     spirv::MemorySemantics::WorkgroupMemory |
                     spirv::MemorySemantics::UniformMemory;
    spirv::ControlBarrierOp::create(b, spirv::Scope::Workgroup, spirv::Scope::Workgroup, semantics);
  }
  Value shared(ImplicitLocOpBuilder& b) const override {
    return LLVM::ZeroOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), vulkan::sharedSpace));
  }
  unsigned globalSpace() const override { return vulkan::globalSpace; }
  Value roundPair(ImplicitLocOpBuilder& b, Value low, Value high) const override {
    auto integer = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(b, value, 32);
    };
    // To the nearest, to the even one of two; NaN stays one.
    auto rounded = [&](Value x) -> Value {
      Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
      Value odd =
          arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, integer(16)), integer(1));
      Value up = arith::AddIOp::create(b, bits, arith::AddIOp::create(b, odd, integer(0x7fff)));
      Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
      return arith::ShRUIOp::create(b, arith::SelectOp::create(b, isNaN, integer(0x7fc00000), up),
                                    integer(16));
    };
    if (low == high)
      return rounded(low); // (The high half of what is stored as one number is not read.)
    return arith::OrIOp::create(b, rounded(low),
                                arith::ShLIOp::create(b, rounded(high), integer(16)));
  }
  bool hasDoubles() const override { return false; }
  bool hasWordsOnly() const override { return true; }
  int64_t lanes() const override { return subgroup; }
  Value exchange(ImplicitLocOpBuilder& b, Value value, int mask) const override {
    Value distance = arith::ConstantIntOp::create(b, mask, 32);
    return spirv::GroupNonUniformShuffleXorOp::create(b, value.getType(), spirv::Scope::Subgroup,
                                                      value, distance);
  }

private:
  static gpu::Dimension dimension(int axis) { return axis ? gpu::Dimension::y : gpu::Dimension::x; }
  static Value number(ImplicitLocOpBuilder& b, Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }
  int64_t subgroup;
};

} // namespace

std::unique_ptr<simt::Machine> vulkan::makeMachine(const TargetSpec& target) {
  return std::make_unique<GroupMachine>(target.subgroup);
}
