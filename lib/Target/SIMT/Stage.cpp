// Operands on their way to the block's memory: 16 bytes at a time, and a tile of steps ahead.
//
// What the next tile reads is asked for when a tile begins, so that it is there when the tile ends:
// rows by copies that need no registers, single numbers through one register each. Two tiles have
// room, the even and the odd ones. Only whole tiles are brought in so.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Elements of an operand that go through registers, for each thread.
static constexpr int64_t mostInRegisters = 2;

static int64_t elementBytes(const Buffer& buffer) {
  return std::max<int64_t>(1, buffer.storage.getIntOrFloatBitWidth() / 8);
}

bool KernelEmitter::copiesWhole(tile::LoadOp load, const Buffer& target) {
  tile::OperandAttr operand = kernel.getOperandAt(kernel.findLoaded(load.getName()));
  if (!(machine.hasCopies() || machine.matrices()) ||
      !llvm::is_contained({tile::Role::In, tile::Role::ChunkTemp}, operand.getRole()) ||
      load.getPart() != tile::Part::Whole || operand.getAxes().empty() ||
      operand.getStorage() != target.storage || !isa<FloatType>(target.storage))
    return false;
  int64_t unit = 16 / elementBytes(target);
  ssm::AxisAttr last = operand.getAxes().back();
  int64_t extent = arrayType(load.getResult()).find(last.getName()).getSize();
  // (A row of the caller's memory is a multiple of the last axis away.)
  if (extent % unit || last.getSize() % unit)
    return false;
  return llvm::all_of(target.dims, [&](const Dim& dim) {
    return dim.label == last.getName() ? dim.stride == 1 : dim.stride % unit == 0;
  });
}

void KernelEmitter::needsAligned(int index, int64_t bytes) {
  // (Operands of role `row` are no parameters.)
  int64_t number = 0;
  for (int other = 0; other < index; ++other)
    number += kernel.getOperandAt(other).getRole() != tile::Role::Row;
  std::pair<int64_t, int64_t> aligned{number, bytes};
  if (!llvm::is_contained(info.aligned, aligned))
    info.aligned.push_back(aligned);
}

void KernelEmitter::emitCopy(tile::LoadOp load, const Buffer& target, bool later) {
  int index = kernel.findLoaded(load.getName());
  ssm::ArrayType type = arrayType(load.getResult());
  StringRef last = kernel.getOperandAt(index).getAxes().back().getName();
  int64_t unit = 16 / elementBytes(target);
  needsAligned(index, elementBytes(target));
  Buffer source = userBuffer(load, index, load.getPart(), type.getElementType(), /*row=*/0);
  SmallVector<ssm::AxisAttr> axes = axesOf(type, target);
  for (ssm::AxisAttr& axis : axes)
    if (axis.getName() == last)
      axis = ssm::AxisAttr::get(b.getContext(), axis.getLabel(),
                                b.getI64IntegerAttr(axis.getSize() / unit));
  touch(target);
  // (Memory that is seen as words is read so.)
  auto vector = machine.hasCopies() ? VectorType::get(unit, target.storage)
                                    : VectorType::get(4, b.getI32Type());
  deal(axes, [&](const Point& point) {
    Point at = point;
    at.set(last, {arith::MulIOp::create(b, indexValue(*point.find(last)), i32(unit)), 0});
    Value from = address(source, at), to = address(target, at);
    if (later)
      return machine.copyLater(b, to, from, 16, Value());
    Value value = LLVM::LoadOp::create(b, vector, from, 16);
    LLVM::StoreOp::create(b, value, to, 16);
  });
}

std::vector<KernelEmitter::Staged> KernelEmitter::planStaging(tile::SequenceOp sequence) {
  std::vector<Staged> all;
  if (!stagesAhead || sequence.getTileSize() == 1 || sequence.getTimeAxis() != 0)
    return all;
  for (tile::LoadOp load : sequence.getBlock()->getOps<tile::LoadOp>()) {
    tile::OperandAttr operand = kernel.getOperandAt(kernel.findLoaded(load.getName()));
    if (operand.getRole() != tile::Role::In || load.getResult().use_empty())
      continue;
    SmallVector<StringRef> order;
    for (ssm::AxisAttr axis : operand.getAxes())
      order.push_back(axis.getName());
    ssm::ArrayType type = arrayType(load.getResult());
    Staged staged;
    staged.load = load;
    staged.both = makeBuffer(type, order, storageOf(load));
    staged.isCopied = copiesWhole(load, staged.both);
    if (!staged.isCopied && countOf(type.getAxes()) > mostInRegisters * limits.threads) {
      places[staged.both.id].bytes = 0; // Not worth it: read when it is needed.
      continue;
    }
    staged.bytes = places[staged.both.id].bytes;
    places[staged.both.id].bytes *= 2;
    all.push_back(std::move(staged));
  }
  return all;
}

Buffer KernelEmitter::slotOf(const Staged& staged, Value parity) {
  Buffer slot = staged.both;
  slot.base = gep(slot.base, b.getI8Type(), arith::MulIOp::create(b, parity, i32(staged.bytes)));
  return slot;
}

void KernelEmitter::beginStaging(std::vector<Staged>& all, Value parity) {
  for (Staged& staged : all) {
    Scope scope(*this);
    Buffer slot = slotOf(staged, parity);
    if (staged.isCopied) {
      emitCopy(staged.load, slot, /*later=*/true);
      continue;
    }
    // Read here, stored later: a thread's elements, those past the last one read once more.
    ssm::ArrayType type = arrayType(staged.load.getResult());
    SmallVector<ssm::AxisAttr> axes = axesOf(type, slot);
    int64_t count = countOf(axes);
    staged.held.clear();
    for (int64_t first = 0; first < count; first += limits.threads) {
      Value number = arith::AddIOp::create(b, thread, i32(first));
      if (count % limits.threads)
        number = arith::MinSIOp::create(b, number, i32(count - 1));
      Point point = pointAt(number, axes);
      staged.held.push_back({loadOperand(staged.load, point), point});
    }
  }
}

void KernelEmitter::finishStaging(std::vector<Staged>& all, Value parity) {
  for (Staged& staged : all) {
    Buffer slot = slotOf(staged, parity);
    // (Threads past the last element write what another one writes there.)
    for (auto& [value, point] : staged.held)
      store(slot, point, value);
    staged.held.clear();
  }
}
