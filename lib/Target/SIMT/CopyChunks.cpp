// What kernels of columns (EmitColumns.cpp) read of a chunk: brought to shared memory by warps that
// do nothing else, as many chunks ahead as there is room for.
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

bool ColumnEmitter::isMatrix(tile::LoadOp load) {
  ssm::ArrayType type = arrayType(load.getResult());
  return e.columns.inGroups && !bears(load.getResult()) && isStoredAsBF16(load.getResult()) &&
         type.getAxes().size() == 2 && llvm::all_of(type.getAxes(), [](ssm::AxisAttr axis) {
           return axis.getSize() % columnsOfWarp == 0;
         });
}

void ColumnEmitter::planStaging() {
  for (tile::LoadOp load : sequence.getBlock()->getOps<tile::LoadOp>())
    staged.push_back(stage(load, isMatrix(load)));
  // As many chunks as there is room for, where a processor has one block; else as many as leave
  // room for a second block.
  int64_t bytes = 0, room = e.limits.sharedBytes;
  for (const Staged& one : staged)
    bytes += one.bytes;
  if (e.limits.items == 0 || e.limits.items * e.slice.parts > e.limits.processors)
    room /= 2;
  if (sharers > 1)
    room -= e.places[exchanged.id].bytes;
  room -= mostSlots * signalsOfSlot * 8;
  auto slotsIn = [&](int64_t left) { return left / std::max<int64_t>(bytes, 1); };
  // (Rows to be written have what is left over.)
  planRows(room - std::max(std::min(slotsIn(room), mostSlots), fewestSlots) * bytes);
  slots = std::clamp(slotsIn(room), fewestSlots, mostSlots);
  for (const Staged& one : staged)
    e.places[one.all.id].bytes *= slots;
}

Value ColumnEmitter::slotOfChunk(Value chunk) {
  chunk = arith::TruncIOp::create(b, b.getI32Type(), chunk);
  return arith::RemUIOp::create(b, chunk, e.i32(slots));
}

Value ColumnEmitter::turnOf(Value chunk) {
  chunk = arith::TruncIOp::create(b, b.getI32Type(), chunk);
  return arith::DivUIOp::create(b, chunk, e.i32(slots));
}

Value ColumnEmitter::signalOf(Value slot, Signal signal) {
  e.touch(signals);
  Value number = arith::MulIOp::create(b, slot, e.i32(signalsOfSlot));
  if (signal)
    number = arith::AddIOp::create(b, number, e.i32(signal));
  return e.gep(signals.base, b.getI64Type(), number);
}

void ColumnEmitter::makeSignals() {
  ssm::AxisAttr axis = axisOf(b, "signals", 2 * signalsOfSlot * slots);
  signals = e.makeBuffer(ssm::ArrayType::get(b.getContext(), {axis}, b.getF32Type()));
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, e.thread, e.i32(0));
  e.when(isFirst, [&] {
    for (int64_t slot = 0; slot < slots; ++slot) {
      e.machine.makeSignal(b, signalOf(e.i32(slot), isThere), 32 * e.columns.copiers);
      e.machine.makeSignal(b, signalOf(e.i32(slot), isRead), 32 * e.columns.warps);
    }
  });
  e.barrier();
}

void ColumnEmitter::waitFor(Value slot, Signal signal, Value turn) {
  Value parity = arith::AndIOp::create(b, turn, e.i32(1));
  e.machine.waitFor(b, signalOf(slot, signal), parity);
}

/// Sixteen bytes at a time, or single elements of four; zeros where there are no steps.
void ColumnEmitter::copy(Staged& one, Value slot) {
  int index = e.kernel.findLoaded(one.load.getName());
  tile::OperandAttr operand = e.kernel.getOperandAt(index);
  ssm::ArrayType type = arrayType(one.load.getResult());
  int64_t size = operand.getStorage().getIntOrFloatBitWidth() / 8;
  if (one.unit > 1)
    e.needsAligned(index, size);
  Buffer source =
      e.userBuffer(one.load, index, tile::Part::Whole, type.getElementType(), /*row=*/0);
  Buffer target = slotOf(one, slot);
  e.touch(target);
  SmallVector<ssm::AxisAttr> axes = axesOf(type, target);
  StringRef last = axes.empty() ? StringRef() : axes.back().getName();
  if (!axes.empty())
    axes.back() = ssm::AxisAttr::get(b.getContext(), axes.back().getLabel(),
                                     b.getI64IntegerAttr(axes.back().getSize() / one.unit));
  int64_t total = countOf(axes), threads = 32 * e.columns.copiers;
  Value first = arith::SubIOp::create(b, e.thread, e.i32(32 * e.columns.warps));
  int64_t whole = one.unit * size;
  // The bytes there are of those at a point; null where there are all for sure.
  auto bytesAt = [&](const Point& point) -> Value {
    Value bytes;
    for (ssm::AxisAttr axis : axes) {
      auto extent = e.partialExtents.find(axis.getName());
      if (extent == e.partialExtents.end())
        continue;
      Value left =
          arith::SubIOp::create(b, extent->second, e.indexValue(*point.find(axis.getName())));
      // Rows are there or not, the last axis may be in part.
      Value here = arith::MulIOp::create(b, left, e.i32(axis.getName() == last ? size : whole));
      here = arith::MaxSIOp::create(b, here, e.i32(0));
      bytes = arith::MinSIOp::create(b, bytes ? bytes : e.i32(whole), here);
    }
    return bytes;
  };
  auto scaled = [&](Point point) {
    if (one.unit > 1)
      point.set(last,
                {arith::MulIOp::create(b, e.indexValue(*point.find(last)), e.i32(one.unit)), 0});
    return point;
  };
  // Rows and parts of them: a thread keeps to its part, and goes down by as many rows as threads
  // take at once, so that addresses only grow.
  if (axes.size() == 2 && threads % axes[1].getSize() == 0 &&
      axes[0].getSize() % (threads / axes[1].getSize()) == 0) {
    Point point = scaled(e.pointAt(first, axes));
    StringRef row = axes[0].getName();
    int64_t apart = threads / axes[1].getSize();
    Value from = e.address(source, point), to = e.address(target, point), step;
    for (const Dim& dim : source.dims)
      if (dim.label == row) {
        step = dim.dynamicStride ? dim.dynamicStride : e.i64(dim.stride);
        step = arith::MulIOp::create(b, step, e.i64(apart * size));
      }
    int64_t pitch = target.panel;
    for (const Dim& dim : target.dims)
      if (dim.label == row && !target.panel)
        pitch = dim.stride * size;
    Index start = *point.find(row);
    // (In panels pieces lie alike every eight rows.)
    int64_t period = target.panel ? std::max<int64_t>(8 / apart, 1) * apart : apart;
    SmallVector<Value> first = {to};
    for (int64_t i = 0; i < axes[0].getSize(); i += apart) {
      point.set(row, {start.dynamic, start.constant + i});
      if (i && i < period)
        first.push_back(e.address(target, point));
      Value there = first[i % period / apart];
      if (i >= period)
        there = e.gep(there, b.getI8Type(), e.i32(i / period * period * pitch));
      e.machine.copyLater(b, there, from, whole, bytesAt(point));
      from = e.gep(from, b.getI8Type(), step);
    }
    return;
  }
  auto copyOne = [&](Value number) {
    Point point = scaled(e.pointAt(number, axes));
    e.machine.copyLater(b, e.address(target, point), e.address(source, point), whole,
                        bytesAt(point));
  };
  if (e.columns.inGroups && total <= threads) {
    Value isMine = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, first, e.i32(total));
    return e.when(isMine, [&] { copyOne(first); });
  }
  e.loop(first, e.i32(total), e.i32(threads), {}, [&](Value number, ValueRange) {
    copyOne(number);
    return SmallVector<Value>();
  });
}

void ColumnEmitter::bringIn(Value chunk, Value slot) {
  Value start = chunkStart(chunk);
  e.timeStarts[0] = start;
  Value left = arith::SubIOp::create(b, e.times[0], start);
  forWhole(left, [&] {
    for (Staged& one : staged)
      copy(one, slot);
  });
}

void ColumnEmitter::emitCopies(Value count) {
  e.loop(e.i64(0), count, e.i64(1), {}, [&](Value chunk, ValueRange) {
    Value slot = slotOfChunk(chunk);
    Value isUsed = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, chunk, e.i64(slots));
    e.when(isUsed,
           [&] { waitFor(slot, isRead, arith::SubIOp::create(b, turnOf(chunk), e.i32(1))); });
    bringIn(chunk, slot);
    e.machine.arriveAfterCopies(b, signalOf(slot, isThere));
    return SmallVector<Value>();
  });
}
