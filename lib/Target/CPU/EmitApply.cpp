// A matrix over steps times vectors, through a decay that varies over the vectors' elements.
//
// Lanes run along such an element, so that nothing is summed across them. Rows are taken in blocks,
// from the last one down where the matrix is transposed: the other way round it is the same. A
// row's vector, its key, enters when its row is passed, and every step decays all keys that have
// entered.
//
//   keys of earlier blocks   lie in memory, decayed up to the block: a product, whose sums for a
//                            row are then multiplied with the block's decays up to that row
//   keys of the block        are in registers, and decay as the rows pass
//
// Worked by hand for blocks of two rows, keys b, decays d and the second block: in memory lie
// (b0 d1, b1). Row 2 is d2 (m20 b0 d1 + m21 b1) + m22 b2, row 3 is d2 d3 (m30 b0 d1 + m31 b1)
// + (m32 d3 b2 + m33 b3). There is no quotient of decays and no logarithm.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

StringRef ssmc::cpu::applyLane(ssm::ApplyOp apply) {
  StringRef lane;
  int64_t extent = 1;
  for (ssm::AxisAttr axis : arrayType(apply.getDecay()).getAxes())
    if (axis.getName() != apply.getRows() && !arrayType(apply.getMatrix()).has(axis.getName()) &&
        axis.getSize() > extent) {
      lane = axis.getName();
      extent = axis.getSize();
    }
  return lane;
}

void Emitter::emitApply(ssm::ApplyOp apply) {
  StringRef lane = applyLane(apply), rows = apply.getRows();
  auto type = arrayType(apply.getResult());
  ssm::AxisAttr rowAxis = type.find(rows), laneAxis = type.find(lane);
  auto keyType = ssm::ArrayType::get(b.getContext(), {laneAxis, rowAxis}, b.getF32Type());
  TileShape tile = tileFor(laneAxis.getSize());
  forEach(type, {rows, lane}, Point(), [&](const Point& outer) {
    forStrips(lane, laneAxis.getSize(), tile.parts, outer, [&](const Point& strip) {
      Buffer keys = makeScratch(keyType, strip);
      auto block = [&](Index first, int64_t count) {
        emitApplyRows(apply, strip, first, count, keys);
      };
      if (apply.getTranspose())
        forBlocksDown(rows, rowAxis.getSize(), tile.rows, block);
      else
        forBlocks(rows, rowAxis.getSize(), tile.rows, {}, block);
    });
  });
}

void Emitter::emitApplyRows(ssm::ApplyOp apply, const Point& strip, Index first, int64_t count,
                            const Buffer& keys) {
  StringRef rows = apply.getRows(), columns = apply.getColumns();
  bool transpose = apply.getTranspose(), strict = apply.getStrict();
  int64_t parts = strip.parts;
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  Arithmetic a{b, vector};
  using Vectors = SmallVector<Value, 4>;
  auto at = [&](Index row) {
    Point point = strip;
    point.set(rows, row);
    return point;
  };
  auto rowAt = [&](int64_t i) { return Index{first.dynamic, first.constant + i}; };
  auto vectors = [&](Value value, Index row) {
    Lanes lanes = evaluate(value, at(row));
    Vectors result;
    for (int64_t part = 0; part < parts; ++part)
      result.push_back(splat(lanes.parts[lanes.isVector() ? part : 0], vector));
    return result;
  };
  auto multiply = [&](Vectors x, const Vectors& y) {
    for (auto [one, other] : llvm::zip(x, y))
      one = a.mul(one, other);
    return x;
  };
  /// sums + key * what the matrix holds for it at a row.
  auto addKey = [&](ArrayRef<Value> sums, Index row, Index from, const Vectors& key) {
    Point point = at(transpose ? from : row);
    point.set(columns, transpose ? row : from);
    Value factor = splat(evaluate(apply.getMatrix(), point).parts[0], vector);
    Vectors result;
    for (auto [sum, one] : llvm::zip(sums, key))
      result.push_back(a.add(sum, a.mul(factor, one)));
    return result;
  };
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < count; ++i)
    order.push_back(transpose ? count - 1 - i : i);

  // Keys of earlier blocks: what they give to each row, and the decay of the whole block.
  Value begin = first.dynamic ? first.dynamic : i64(first.constant), lower = i64(0), upper = begin;
  if (transpose) {
    lower = arith::AddIOp::create(b, begin, i64(count));
    upper = extentOf(rows, arrayType(apply.getResult()).find(rows).getSize());
  }
  SmallVector<Value> sums(count * parts, a.constant(0));
  {
    Scope scope(*this);
    Vectors whole;
    for (int64_t i : order) {
      Vectors decay = vectors(apply.getDecay(), rowAt(i));
      whole = whole.empty() ? decay : multiply(whole, decay);
    }
    sums = loop(lower, upper, 1, sums, [&](Value from, ValueRange carried) {
      SmallVector<Value> next;
      Vectors key = load(keys, at({from})).parts;
      for (int64_t i = 0; i < count; ++i)
        llvm::append_range(
            next, addKey(llvm::to_vector(carried.slice(i * parts, parts)), rowAt(i), {from}, key));
      store(keys, at({from}), {multiply(key, whole)});
      return next;
    });
  }

  // Rows of the block. What row t passes to a later one decays from t + 1 on: with `strict` up to
  // the row before, transposed from t on where the result is the later one's.
  SmallVector<std::pair<int64_t, Vectors>> entered;
  Vectors passed;
  for (int64_t i : order) {
    auto decay = [&] {
      Vectors factor = vectors(apply.getDecay(), rowAt(i));
      for (auto& [row, key] : entered)
        key = multiply(key, factor);
      passed = passed.empty() ? factor : multiply(passed, factor);
    };
    auto enter = [&] { entered.push_back({i, vectors(apply.getB(), rowAt(i))}); };
    if (!strict) {
      if (!transpose)
        decay();
      enter();
    }
    Vectors result(ArrayRef(sums).slice(i * parts, parts));
    if (!passed.empty())
      result = multiply(result, passed);
    for (auto& [row, key] : entered)
      result = addKey(result, rowAt(i), rowAt(row), key);
    store(buffers.find(apply.getResult())->second, at(rowAt(i)), {result});
    if (strict || transpose)
      decay();
    if (strict)
      enter();
  }
  for (auto& [row, key] : entered)
    store(keys, at(rowAt(row)), {key});
}
