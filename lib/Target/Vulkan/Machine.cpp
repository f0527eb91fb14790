// What the gpu dialect has for threads of work groups.
#include "Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"

using namespace mlir;
using namespace ssmc;
using vulkan::TargetSpec;

namespace {

class GroupMachine : public simt::Machine {
public:
  explicit GroupMachine(const TargetSpec& target)
      : subgroup(target.subgroup), hasMatrices(target.matrices) {}

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
    meetIn(b, spirv::Scope::Workgroup,
           spirv::MemorySemantics::WorkgroupMemory | spirv::MemorySemantics::UniformMemory);
  }
  Value shared(ImplicitLocOpBuilder& b) const override {
    return LLVM::ZeroOp::create(b, LLVM::LLVMPointerType::get(b.getContext(), vulkan::sharedSpace));
  }
  unsigned globalSpace() const override { return vulkan::globalSpace; }
  Value roundPair(ImplicitLocOpBuilder& b, Value low, Value high) const override {
    auto integer = [&](int64_t value) -> Value {
      return arith::ConstantIntOp::create(b, value, 32);
    };
    // To the nearest, to the even one of two; NaN stays one. (Conversions to bf16 that devices have
    // may cut digits off.)
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
  bool hasWordsOnly() const override { return !hasMatrices; }
  bool hasBytes() const override { return false; }
  int64_t lanes() const override { return subgroup; }
  Value exchange(ImplicitLocOpBuilder& b, Value value, int mask) const override {
    Value distance = arith::ConstantIntOp::create(b, mask, 32);
    return spirv::GroupNonUniformShuffleXorOp::create(b, value.getType(), spirv::Scope::Subgroup,
                                                      value, distance);
  }

  // Vulkan allows it an error of (3 + 2 |x|) 2^-23; that of devices with matrices is less.
  Value powerOfTwo(ImplicitLocOpBuilder& b, Value x) const override {
    return spirv::GLExp2Op::create(b, x);
  }
  std::optional<simt::MatrixShape> matrices() const override {
    return hasMatrices ? std::optional(simt::MatrixShape()) : std::nullopt;
  }
  Value loadMatrix(ImplicitLocOpBuilder& b, Value address, int64_t stride, bool byColumns,
                   bool isRight) const override {
    auto type = matrixOf(b, isRight ? spirv::CooperativeMatrixUseKHR::MatrixB
                                    : spirv::CooperativeMatrixUseKHR::MatrixA);
    return spirv::KHRCooperativeMatrixLoadOp::create(
        b, type, pointer(b, address, b.getI16Type()), layout(byColumns),
        arith::ConstantIntOp::create(b, stride, 32), shared(b.getContext()), IntegerAttr());
  }
  Value loadSums(ImplicitLocOpBuilder& b, Value address, int64_t stride,
                 bool byColumns) const override {
    return spirv::KHRCooperativeMatrixLoadOp::create(
        b, matrixOf(b, spirv::CooperativeMatrixUseKHR::MatrixAcc),
        pointer(b, address, b.getI32Type()), layout(byColumns),
        arith::ConstantIntOp::create(b, stride, 32), shared(b.getContext()), IntegerAttr());
  }
  Value fillSums(ImplicitLocOpBuilder& b, Value number) const override {
    return spirv::CompositeConstructOp::create(
        b, matrixOf(b, spirv::CooperativeMatrixUseKHR::MatrixAcc), number);
  }
  Value combineSums(ImplicitLocOpBuilder& b, Combine kind, Value x, Value y) const override {
    switch (kind) {
    case Combine::Add:
      return spirv::FAddOp::create(b, x, y);
    case Combine::Sub:
      return spirv::FSubOp::create(b, x, y);
    case Combine::Mul:
      return spirv::FMulOp::create(b, x, y);
    }
    llvm_unreachable("all kinds are above");
  }
  Value multiplyMatrices(ImplicitLocOpBuilder& b, Value left, Value right,
                         Value sums) const override {
    return spirv::KHRCooperativeMatrixMulAddOp::create(b, left, right, sums);
  }
  void storeSums(ImplicitLocOpBuilder& b, Value sums, Value address, int64_t stride,
                 bool byColumns) const override {
    spirv::KHRCooperativeMatrixStoreOp::create(
        b, pointer(b, address, b.getI32Type()), sums, layout(byColumns),
        arith::ConstantIntOp::create(b, stride, 32), shared(b.getContext()), IntegerAttr());
  }
  void meetWarp(ImplicitLocOpBuilder& b) const override {
    meetIn(b, spirv::Scope::Subgroup, spirv::MemorySemantics::WorkgroupMemory);
  }

private:
  void meetIn(ImplicitLocOpBuilder& b, spirv::Scope scope, spirv::MemorySemantics memory) const {
    auto semantics = memory | spirv::MemorySemantics::AcquireRelease;
    // The memory model that matrices need has caches in it.
    if (hasMatrices)
      semantics =
          semantics | spirv::MemorySemantics::MakeAvailable | spirv::MemorySemantics::MakeVisible;
    spirv::ControlBarrierOp::create(b, scope, scope, semantics);
  }
  static Type matrixOf(OpBuilder& b, spirv::CooperativeMatrixUseKHR use) {
    bool isSums = use == spirv::CooperativeMatrixUseKHR::MatrixAcc;
    simt::MatrixShape shape;
    return spirv::CooperativeMatrixType::get(
        isSums ? Type(b.getF32Type()) : Type(b.getBF16Type()),
        use == spirv::CooperativeMatrixUseKHR::MatrixB ? shape.depth : shape.rows,
        use == spirv::CooperativeMatrixUseKHR::MatrixA ? shape.depth : shape.lanes,
        spirv::Scope::Subgroup, use);
  }
  /// An address as a pointer, which it becomes with all others.
  static Value pointer(ImplicitLocOpBuilder& b, Value address, Type element) {
    auto type = spirv::PointerType::get(element, spirv::StorageClass::Workgroup);
    return UnrealizedConversionCastOp::create(b, TypeRange{type}, address).getResult(0);
  }
  static spirv::CooperativeMatrixLayoutKHR layout(bool byColumns) {
    return byColumns ? spirv::CooperativeMatrixLayoutKHR::ColumnMajor
                     : spirv::CooperativeMatrixLayoutKHR::RowMajor;
  }
  static spirv::MemoryAccessAttr shared(MLIRContext* context) {
    return spirv::MemoryAccessAttr::get(context, spirv::MemoryAccess::NonPrivatePointer);
  }
  static gpu::Dimension dimension(int axis) { return axis ? gpu::Dimension::y : gpu::Dimension::x; }
  static Value number(ImplicitLocOpBuilder& b, Value index) {
    return arith::IndexCastOp::create(b, b.getI32Type(), index);
  }
  int64_t subgroup;
  bool hasMatrices;
};

} // namespace

std::unique_ptr<simt::Machine> vulkan::makeMachine(const TargetSpec& target) {
  return std::make_unique<GroupMachine>(target);
}
