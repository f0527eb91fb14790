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
      : subgroup(target.subgroup), hasMatrices(target.matrices),
        hasLayout(target.matrices && target.fragmentLayout) {}

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
    auto bits = [&](Value x) -> Value { return arith::BitcastOp::create(b, b.getI32Type(), x); };
    // To the nearest, to the even one of two; NaN stays one. (Conversions to bf16 that devices have
    // may cut digits off.)
    auto exactly = [&](Value x) -> Value {
      Value odd =
          arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits(x), integer(16)), integer(1));
      Value up = arith::AddIOp::create(b, bits(x), arith::AddIOp::create(b, odd, integer(0x7fff)));
      Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, x, x);
      return arith::SelectOp::create(b, isNaN, integer(0x7fc00000), up);
    };
    // The same in two instructions, but for what is within a 512th of the spacing from the middle:
    // half of the spacing is added, a 256th of that more or less as the last digit is odd or even.
    // It is a power of two with the sign and that digit behind it, times a number next to 2^-8.
    auto nearly = [&](Value x) -> Value {
      Value scale = arith::AndIOp::create(b, bits(x), integer(int32_t(0xff810000)));
      Value half = arith::ConstantOp::create(b, b.getF32FloatAttr(0x1p-8f * (1.0f - 0x1p-8f)));
      scale = arith::BitcastOp::create(b, b.getF32Type(), scale);
      return bits(LLVM::FMAOp::create(b, scale, half, x));
    };
    auto rounded = [&](Value x) { return hasMatrices ? nearly(x) : exactly(x); };
    Value lower = arith::ShRUIOp::create(b, rounded(low), integer(16));
    if (low == high)
      return lower; // (The high half of what is stored as one number is not read.)
    return arith::OrIOp::create(
        b, lower, arith::AndIOp::create(b, rounded(high), integer(int32_t(0xffff0000))));
  }
  bool roundsInOne() const override { return false; }
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
  SmallVector<Value> splitSums(ImplicitLocOpBuilder& b, Value sums) const override {
    simt::MatrixShape shape;
    SmallVector<Value> elements;
    for (int32_t i = 0; i < shape.rows * shape.lanes / subgroup; ++i)
      elements.push_back(spirv::CompositeExtractOp::create(b, sums, i));
    return elements;
  }
  bool hasFragmentLayout() const override { return hasLayout; }
  SmallVector<Value> splitSide(ImplicitLocOpBuilder& b, Value side) const override {
    simt::MatrixShape shape;
    SmallVector<Value> pairs;
    for (int32_t i = 0; i < shape.rows * shape.depth / subgroup; i += 2) {
      Value halves[] = {spirv::CompositeExtractOp::create(b, side, i),
                        spirv::CompositeExtractOp::create(b, side, i + 1)};
      Value both =
          spirv::CompositeConstructOp::create(b, VectorType::get(2, b.getBF16Type()), halves);
      pairs.push_back(spirv::BitcastOp::create(b, b.getI32Type(), both));
    }
    return pairs;
  }
  Value joinSide(ImplicitLocOpBuilder& b, ArrayRef<Value> pairs, bool isRight) const override {
    Type type = matrixOf(b, isRight ? spirv::CooperativeMatrixUseKHR::MatrixB
                                    : spirv::CooperativeMatrixUseKHR::MatrixA);
    Value side;
    for (auto [i, pair] : llvm::enumerate(pairs)) {
      Value both = spirv::BitcastOp::create(b, VectorType::get(2, b.getBF16Type()), pair);
      for (int32_t j : {0, 1}) {
        Value half = spirv::CompositeExtractOp::create(b, both, j);
        side = side
                   ? spirv::CompositeInsertOp::create(b, half, side, int32_t(2 * i + j)).getResult()
                   : spirv::CompositeConstructOp::create(b, type, half);
      }
    }
    return side;
  }
  // A tile of 16 x 8 is half of a matrix, whose other half is not read.
  SmallVector<Value> multiplyPairs(ImplicitLocOpBuilder& b, ArrayRef<Value> left,
                                   ArrayRef<Value> right, ArrayRef<Value> sums) const override {
    Value none = arith::ConstantIntOp::create(b, 0, 32);
    Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
    SmallVector<Value> all =
        multiplySquare(b, left, {right[0], right[1], none, none},
                       {sums[0], sums[1], sums[2], sums[3], zero, zero, zero, zero});
    all.truncate(4);
    return all;
  }
  SmallVector<Value> multiplySquare(ImplicitLocOpBuilder& b, ArrayRef<Value> left,
                                    ArrayRef<Value> right, ArrayRef<Value> sums) const override {
    Value x = joinSide(b, {left[0], left[2], left[1], left[3]}, /*isRight=*/false);
    Value y = joinSide(b, right, /*isRight=*/true);
    // (Row by row, of both tiles.)
    constexpr unsigned order[] = {0, 1, 4, 5, 2, 3, 6, 7};
    SmallVector<Value> start;
    for (unsigned at : order)
      start.push_back(sums[at]);
    SmallVector<Value> all = splitSums(b, multiplyMatrices(b, x, y, joinSums(b, start))), made(8);
    for (auto [at, element] : llvm::zip(order, all))
      made[at] = element;
    return made;
  }
  Value joinSums(ImplicitLocOpBuilder& b, ArrayRef<Value> elements) const override {
    Value sums = fillSums(b, elements.front());
    for (auto [i, element] : llvm::enumerate(elements.drop_front()))
      sums = spirv::CompositeInsertOp::create(b, element, sums, int32_t(i + 1));
    return sums;
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
  bool hasMatrices, hasLayout;
};

} // namespace

std::unique_ptr<simt::Machine> vulkan::makeMachine(const TargetSpec& target) {
  return std::make_unique<GroupMachine>(target);
}
