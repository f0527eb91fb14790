// What the next head reads and writes is asked for while the present head is computed.
//
// The rows of one head lie as far apart as all heads are wide, often a page each: no hardware
// prefetcher follows them, and every row would be waited for. A core can wait for some two dozen
// lines at a time, and the rows of a tile are hundreds: asked for all at once, they hold up
// whatever comes after them as if nothing had been asked for. So the fold that takes the longest
// asks for a step's rows with each of its own steps, or with each block of rows. Only a tile
// without such a fold asks for all of them when it begins.
#include "KernelLowering.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// The fold over the steps of the tile that carries the most.
static ssm::FoldOp longestFold(ArrayRef<Operation*> ops, tile::SequenceOp sequence) {
  ssm::FoldOp longest;
  int64_t most = 0;
  for (Operation* op : ops) {
    auto fold = dyn_cast<ssm::FoldOp>(op);
    if (!fold || fold.getAxis() != sequence.getAxis())
      continue;
    int64_t carried = 0;
    for (Value init : fold.getInits())
      carried += arrayType(init).getNumElements();
    if (carried <= most)
      continue;
    most = carried;
    longest = fold;
  }
  return longest;
}

/// Addresses beyond the end do no harm: a prefetch does not fault.
void KernelLowering::emitPrefetch(ArrayRef<Operation*> ops) {
  constexpr int64_t line = 64, longest = 1024; // Within longer rows the hardware does it.
  struct Rows {
    Value base, step;
    int64_t lines;
    bool write;
  };
  SmallVector<Rows> all;
  // After the last head of the block comes the first one, a tile later.
  int64_t axis = innermost.getTimeAxis();
  int64_t tile = innermost.getReverse() ? -innermost.getTileSize() : innermost.getTileSize();
  Value next = add(head, e.i64(1)), end = arith::SubIOp::create(b, blockEnd, firstItem);
  Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, next, end);
  Value first = arith::SubIOp::create(b, blockStart, firstItem);
  next = arith::SelectOp::create(b, isLast, first, next);
  Value later = arith::SelectOp::create(b, isLast, e.i64(tile), e.i64(0));
  for (auto [index, operand] :
       llvm::enumerate(kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())) {
    bool written = operand.getRole() == tile::Role::Out;
    if ((operand.getRole() != tile::Role::In && !written) || operand.getScope() != ssm::Scope::Head)
      continue;
    Type storage = operand.getStorage();
    auto complex = dyn_cast<ComplexType>(storage);
    int64_t width = complex ? 2 * complex.getElementType().getIntOrFloatBitWidth()
                            : std::max(8u, storage.getIntOrFloatBitWidth());
    int64_t bytes = width / 8;
    Value unit = e.i64(bytes);
    for (ssm::AxisAttr axis : operand.getAxes())
      bytes *= axis.getSize();
    if (bytes < line || bytes > longest)
      continue;
    Value offset = add(origins[index], mul(next, strides[index][3]));
    for (auto [along, start] : timeStarts)
      offset =
          add(offset, mul(along == axis ? add(start, later) : start, strides[index][1 + along]));
    all.push_back({gep(pointers[index], b.getI8Type(), mul(offset, unit)),
                   mul(strides[index][1 + axis], unit), int64_t(llvm::divideCeil(bytes, line)),
                   written});
  }
  if (all.empty())
    return;
  // Many rows that are pages apart fight for the same lines of the first-level cache: they are
  // brought to the second, from where whatever copies them has many under way together.
  constexpr int hint = 2;
  auto askFor = [this, all](Value step, Value strip, int64_t strips) {
    for (const Rows& rows : all) {
      // Strips share a row's lines; the last ones ask again where these do not come out even.
      int64_t count = llvm::divideCeil(rows.lines, strips);
      Value first = mul(step, rows.step);
      if (strips > 1)
        first =
            add(first, mul(min(mul(strip, e.i64(count)), e.i64(rows.lines - count)), e.i64(line)));
      for (int64_t i = 0; i < count; ++i)
        LLVM::Prefetch::create(b, gep(rows.base, b.getI8Type(), add(first, e.i64(i * line))),
                               rows.write, hint, /*cache=*/1);
    }
  };
  if (ssm::FoldOp fold = longestFold(ops, innermost)) {
    e.ahead = {fold, askFor};
    return;
  }
  e.loop(e.i64(0), e.dynamicExtents[innermost.getAxis().getName()], 1, {},
         [&](Value step, ValueRange) {
           askFor(step, {}, 1);
           return SmallVector<Value>();
         });
}

void Emitter::askAhead(ssm::FoldOp fold, const Point& point, Value step) {
  if (ahead.fold != fold)
    return;
  StringRef lane = point.lane();
  int64_t strips = 1;
  Value strip;
  if (const Index* index = point.find(lane); index && index->dynamic) {
    int64_t width = point.parts * shape.lanes;
    int64_t extent = arrayType(fold.getBlock()->getArgument(0)).find(lane).getSize();
    strips = llvm::divideCeil(extent, width);
    strip = arith::DivUIOp::create(b, index->dynamic, i64(width));
  }
  ahead.askFor(step, strip, strips);
}
