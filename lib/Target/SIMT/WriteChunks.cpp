// What kernels of columns (EmitColumns.cpp) write of a chunk, by warps that do nothing else.
//
// A warp has sixteen columns of eight steps at a time: rows of 32 bytes, too short for the caller's
// memory, and nobody who multiplies should wait for it. Results are left in shared memory, with
// steps as rows, and taken from there sixteen bytes at a time.
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

bool ColumnEmitter::isOfRows(tile::KernelOp kernel, tile::StoreOp store) {
  tile::OperandAttr operand = kernel.getOperandAt(kernel.findStored(store.getName()));
  ssm::ArrayType type = arrayType(store.getValue());
  StringRef column = *kernel.getColumns();
  return operand.getRole() == tile::Role::Out && operand.getStorage().isBF16() &&
         !store.getRest() && operand.getAxes().size() == 1 &&
         operand.getAxes().front().getName() == column && type.getAxes().size() == 2 &&
         llvm::all_of(type.getAxes(), [&](ssm::AxisAttr axis) {
           return axis.getName() == column || axis.getSize() % (2 * positions) == 0;
         });
}

void ColumnEmitter::planResults() {
  if (!e.columns.writers)
    return;
  for (tile::StoreOp store : sequence.getBlock()->getOps<tile::StoreOp>())
    if (isOfRows(e.kernel, store)) {
      Result& result = results.emplace_back();
      result.store = store;
      result.all = e.makeBuffer(arrayType(store.getValue()), column, b.getBF16Type());
      result.bytes = e.places[result.all.id].bytes;
      e.places[result.all.id].bytes *= resultSlots;
    }
}

Value ColumnEmitter::resultSignalOf(Value slot, Signal signal) {
  return signalOf(arith::AddIOp::create(b, slot, e.i32(slots)), signal);
}

Value ColumnEmitter::resultSlotOf(Value chunk) {
  chunk = arith::TruncIOp::create(b, b.getI32Type(), chunk);
  return arith::RemUIOp::create(b, chunk, e.i32(resultSlots));
}

Value ColumnEmitter::resultTurnOf(Value chunk) {
  chunk = arith::TruncIOp::create(b, b.getI32Type(), chunk);
  return arith::DivUIOp::create(b, chunk, e.i32(resultSlots));
}

void ColumnEmitter::beginResults(Value chunk) {
  Value isUsed = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, chunk, e.i64(resultSlots));
  e.when(isUsed, [&] {
    Value parity = arith::SubIOp::create(b, resultTurnOf(chunk), e.i32(1));
    e.machine.waitFor(b, resultSignalOf(resultSlotOf(chunk), isRead),
                      arith::AndIOp::create(b, parity, e.i32(1)));
  });
}

void ColumnEmitter::endResults(Value chunk) {
  e.machine.arrive(b, resultSignalOf(resultSlotOf(chunk), isThere));
}

/// Tiles of columns by steps, two by two: thread 8 i + r gives a row of tile i.
void ColumnEmitter::leave(const Result& result, Value slot) {
  Value value = tile::StoreOp(result.store).getValue();
  Fragment fragment = fragmentOf(value);
  Buffer target = slotIn(result.all, result.bytes, slot);
  e.touch(target);
  Value lane = arith::RemUIOp::create(b, e.thread, e.i32(32));
  Value tile = arith::DivUIOp::create(b, lane, e.i32(8));
  Value down = arith::MulIOp::create(b, arith::RemUIOp::create(b, tile, e.i32(2)), e.i32(8));
  Value across = arith::MulIOp::create(b, arith::DivUIOp::create(b, tile, e.i32(2)), e.i32(8));
  Value first = arith::MulIOp::create(b, warp, e.i32(columnsOfWarp));
  Point point;
  point.set(column, {arith::AddIOp::create(b, first, down), 0});
  Value row = arith::AddIOp::create(b, across, arith::RemUIOp::create(b, lane, e.i32(8)));
  for (int64_t step = 0; step < fragment.axis.getSize(); step += 2 * positions) {
    SmallVector<Value> pairs;
    for (int64_t i = 0; i < 8; i += 2) {
      size_t at = step / positions * 4 + i;
      pairs.push_back(
          e.machine.roundPair(b, fragment.elements[at], fragment.elements[at + 1]));
    }
    point.set(fragment.axis.getName(), {row, step});
    e.machine.storeTiles(b, e.address(target, point), pairs);
  }
}

void ColumnEmitter::takeAway(const Result& result, Value slot) {
  tile::StoreOp store = result.store;
  int index = e.kernel.findStored(store.getName());
  e.needsAligned(index, 2);
  ssm::ArrayType type = arrayType(store.getValue());
  Buffer source = slotIn(result.all, result.bytes, slot);
  Buffer target =
      e.userBuffer(store, index, tile::Part::Whole, type.getElementType(), /*row=*/0);
  e.touch(source);
  constexpr int64_t unit = 8;
  SmallVector<ssm::AxisAttr> axes = axesOf(type, source);
  axes.back() = ssm::AxisAttr::get(b.getContext(), axes.back().getLabel(),
                                   b.getI64IntegerAttr(axes.back().getSize() / unit));
  Value first = arith::SubIOp::create(b, e.thread,
                                      e.i32(32 * (e.columns.warps + e.columns.copiers)));
  Type vector = VectorType::get(4, b.getI32Type());
  int64_t threads = 32 * e.columns.writers;
  // (All reads, then all writes: none waits for the one before.)
  SmallVector<std::pair<Point, Value>> read;
  for (int64_t start = 0; start < countOf(axes); start += threads) {
    Point point = e.pointAt(arith::AddIOp::create(b, first, e.i32(start)), axes);
    point.set(column, {arith::MulIOp::create(b, e.indexValue(*point.find(column)), e.i32(unit)), 0});
    read.push_back({point, LLVM::LoadOp::create(b, vector, e.address(source, point), 16)});
  }
  for (auto& [point, value] : read)
    e.when(e.existsAt({axes.front()}, point),
           [&] { LLVM::StoreOp::create(b, value, e.address(target, point), 16); });
}

void ColumnEmitter::emitWrites(Value count) {
  e.loop(e.i64(0), count, e.i64(1), {}, [&](Value chunk, ValueRange) {
    Value slot = resultSlotOf(chunk);
    e.machine.waitFor(b, resultSignalOf(slot, isThere),
                      arith::AndIOp::create(b, resultTurnOf(chunk), e.i32(1)));
    Value start = chunkStart(chunk);
    e.timeStarts[0] = start;
    setExtents(arith::SubIOp::create(b, e.times[0], start));
    for (const Result& result : results)
      takeAway(result, slot);
    e.partialExtents.clear();
    e.machine.arrive(b, resultSignalOf(slot, isRead));
    return SmallVector<Value>();
  });
}
