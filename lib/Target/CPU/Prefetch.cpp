// What the next head reads and writes is asked for while the present head is computed.
//
// The rows of one head lie as far apart as all heads are wide, often a page each: no hardware
// prefetcher follows them, and every row would be waited for. A core can wait for some two dozen
// lines at a time, and the rows of a tile are hundreds: asked for all at once, they hold up
// whatever comes after them as if nothing had been asked for. So a fold over the steps asks for the
// rows of one step with each of its own steps, or of some with each block of rows, if most of the
// work is in it. Otherwise each nest asks for its share, by the work that is in it, a part in each
// round of its outermost loop.
#include "KernelLowering.h"

#include <cmath>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// Addresses beyond the end do no harm: a prefetch does not fault.
void KernelLowering::emitPrefetch() {
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
    for (ssm::AxisAttr dim : operand.getAxes())
      bytes *= dim.getSize();
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
  e.ahead = {innermost.getAxis(), askFor};
}

/// Rounds of the loops that a nest consists of, all one inside the other.
static double roundsOf(const Nest& nest) {
  double sum = 0;
  auto add = [&](ValueRange values) {
    llvm::StringMap<double> extents;
    for (Value value : values)
      if (isa<ssm::ArrayType>(value.getType()))
        for (ssm::AxisAttr axis : arrayType(value).getAxes())
          extents[axis.getName()] = double(axis.getSize());
    double rounds = 1;
    for (const auto& entry : extents)
      rounds *= entry.second;
    sum += rounds;
  };
  for (Operation* op : nest.wholes()) {
    SmallVector<Value> values(op->getOperands());
    llvm::append_range(values, op->getResults());
    add(values);
  }
  for (const Item& item : nest.items)
    add(item.computed());
  return sum;
}

SmallVector<double> Emitter::shareOut(ArrayRef<Nest> nests) {
  SmallVector<double> sums{0};
  for (const Nest& nest : nests)
    sums.push_back(sums.back() + roundsOf(nest));
  for (auto [i, nest] : llvm::enumerate(nests))
    if (auto fold = dyn_cast_or_null<ssm::FoldOp>(nest.whole);
        fold && fold.getAxis() == ahead.steps && 2 * (sums[i + 1] - sums[i]) > sums.back()) {
      ahead.fold = fold;
      return {};
    }
  for (double& sum : sums)
    sum /= sums.back();
  return sums;
}

void Emitter::askAhead(std::pair<double, double> share, Value done, Value by, Value all) {
  int64_t size = ahead.steps.getSize();
  int64_t from = std::llround(share.first * double(size));
  int64_t count = std::llround(share.second * double(size)) - from;
  if (!count)
    return;
  Value exist = extentOf(ahead.steps.getName(), size);
  auto step = [&](Value position) -> Value {
    Value part = arith::DivUIOp::create(b, arith::MulIOp::create(b, position, i64(count)), all);
    return arith::MinSIOp::create(b, arith::AddIOp::create(b, part, i64(from)), exist);
  };
  Value next = arith::MinSIOp::create(b, arith::AddIOp::create(b, done, by), all);
  loop(step(done), step(next), 1, {}, [&](Value at, ValueRange) {
    ahead.askFor(at, {}, 1);
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
