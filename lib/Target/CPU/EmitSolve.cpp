// Forward substitution, block by block; backward where the system is transposed.
//
// The rows of a block are accumulators of a tile: what earlier blocks contribute is a product, with
// the right side as what is added to; inside the block each finished row is added to those below
// it, all of them in registers. A transposed system begins with the last row.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

StringRef ssmc::cpu::solveLane(ssm::SolveOp solve) {
  StringRef lane;
  int64_t extent = 1;
  for (ssm::AxisAttr axis : arrayType(solve.getResult(0)).getAxes()) {
    bool isFree = axis.getName() != solve.getRows() &&
                  llvm::none_of(solve.getLower(),
                                [&](Value lower) { return arrayType(lower).has(axis.getName()); });
    if (isFree && axis.getSize() > extent) {
      lane = axis.getName();
      extent = axis.getSize();
    }
  }
  return lane;
}

void Emitter::emitSolve(ssm::SolveOp solve) {
  StringRef lane = solveLane(solve), row = solve.getRows();
  auto type = arrayType(solve.getResult(0));
  TileShape tile = tileFor(type.find(lane).getSize());
  int64_t rows = std::max<int64_t>(tile.rows / int64_t(solve.getRight().size()), 1);
  forEach(type, {row, lane}, Point(), [&](const Point& outer) {
    forStrips(lane, type.find(lane).getSize(), tile.parts, outer, [&](const Point& strip) {
      auto block = [&](Index first, int64_t count) {
        Point point = strip;
        point.set(row, first);
        emitSolveTile(solve, point, lane, first, count);
      };
      if (solve.getReverse())
        forBlocksDown(row, type.find(row).getSize(), rows, block);
      else
        forBlocks(row, type.find(row).getSize(), rows, {}, block);
    });
  });
}

void Emitter::emitSolveTile(ssm::SolveOp solve, const Point& point, StringRef lane, Index first,
                            int64_t count) {
  StringRef row = solve.getRows(), column = solve.getColumns();
  int64_t systems = solve.getRight().size(), parts = point.parts;
  bool reverse = solve.getReverse();
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  Arithmetic a{b, vector};
  auto atRow = [&](int64_t i) {
    Point at = point;
    at.set(row, {first.dynamic, first.constant + i});
    return at;
  };
  auto slot = [&](int64_t system, int64_t i) { return (system * count + i) * parts; };
  SmallVector<Value> sums;
  for (Value right : solve.getRight())
    for (int64_t i = 0; i < count; ++i) {
      Lanes value = evaluate(right, atRow(i));
      for (int64_t part = 0; part < parts; ++part)
        sums.push_back(splat(value.parts[value.isVector() ? part : 0], vector));
    }
  SmallVector<int64_t> order; // of solving
  for (int64_t i = 0; i < count; ++i)
    order.push_back(reverse ? count - 1 - i : i);
  /// Adds what row `known` of system q contributes to rows of the block.
  auto addTo = [&](SmallVector<Value>& sums, int64_t q, Index known, ArrayRef<Value> x,
                   ArrayRef<int64_t> rows) {
    for (int64_t r = 0; r < systems; ++r)
      for (int64_t i : rows) {
        Point at = atRow(i);
        at.set(column, known);
        Value factor = splat(evaluate(solve.getLower()[r * systems + q], at).parts[0], vector);
        for (int64_t part = 0; part < parts; ++part) {
          Value& sum = sums[slot(r, i) + part];
          sum = a.add(sum, a.mul(factor, x[part]));
        }
      }
  };
  Value lower = i64(0), upper = first.dynamic ? first.dynamic : i64(first.constant);
  if (reverse) {
    lower = arith::AddIOp::create(b, upper, i64(count));
    upper = extentOf(row, arrayType(solve.getResult(0)).find(row).getSize());
  }
  sums = loop(lower, upper, 1, sums, [&](Value index, ValueRange carried) {
    SmallVector<Value> next(carried);
    Point at = point;
    at.set(row, {index});
    for (int64_t q = 0; q < systems; ++q) {
      Lanes x = load(buffers.find(solve.getResult(q))->second, at);
      addTo(next, q, {index}, x.parts, order);
    }
    return next;
  });
  for (auto [position, i] : llvm::enumerate(order))
    for (int64_t q = 0; q < systems; ++q) {
      SmallVector<Value> x(ArrayRef(sums).slice(slot(q, i), parts));
      addTo(sums, q, {first.dynamic, first.constant + i}, x,
            ArrayRef(order).drop_front(position + 1));
      store(buffers.find(solve.getResult(q))->second, atRow(i), {llvm::to_vector<4>(x)});
    }
}
