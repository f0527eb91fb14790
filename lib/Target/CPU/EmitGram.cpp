// Decayed products whose decay varies over the label that is summed.
//
// Rows are taken in blocks of as many as a vector has lanes; lanes run along the columns. `decayed`
// holds, for every column before the block, its key decayed up to the block's first row. Then for
// the rows t of the block
//
//   columns before it   sum over k of (a[t] * product of the block's decays up to t) decayed[k, s]:
//                       a blocked product
//   its own columns     a vector of keys, one a lane; as rows pass, the lanes before the row decay
//
// and both end as `decayed` for the next block: what was there times the block's decays, and the
// vector of keys. There is no quotient and no exponent, so that zero and negative decays are as
// exact as any. Worked by hand for blocks of two rows and one k, with keys b and decays d, row 2:
// decayed = (b0 d1, b1); the product is (a2 d2) (b0 d1, b1), and the own columns give a2 b2. After
// row 3: (b0 d1 d2 d3, b1 d2 d3, b2 d3, b3).
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// A vector of truth values: which lanes are before `row`, or at it too.
static Value lanesBefore(ImplicitLocOpBuilder& b, int64_t lanes, int64_t row) {
  SmallVector<bool> mask(lanes, false);
  std::fill_n(mask.begin(), std::min(lanes, row), true);
  return arith::ConstantOp::create(
      b, DenseElementsAttr::get(VectorType::get({lanes}, b.getI1Type()), ArrayRef<bool>(mask)));
}

void Emitter::emitGram(ssm::GramOp gram) {
  StringRef over = ssm::strings(gram.getOver()).front(), rows = gram.getRows(),
            columns = gram.getColumns();
  auto type = arrayType(gram.getResult()), keyType = arrayType(gram.getB());
  ssm::AxisAttr axis = keyType.find(rows), summed = keyType.find(over);
  Buffer keys = panelOf(gram.getB(), rows, shape.lanes);
  Buffer decayed = makePanel(keyType.without({}), rows, shape.lanes);
  auto rowType = ssm::ArrayType::get(b.getContext(), {axis, summed}, b.getF32Type());
  Buffer queries = makeBuffer(rowType, Buffer::Place::Temp, {over, 0});
  Buffer passed = makeBuffer(rowType.without({rows}), Buffer::Place::Temp, {over, 0});
  forEach(type, {rows, columns}, Point(), [&](const Point& outer) {
    forBlocks(rows, axis.getSize(), shape.lanes, {}, [&](Index first, int64_t count) {
      emitGramRows(gram, outer, first, count, keys, decayed, queries, passed);
    });
  });
}

void Emitter::emitGramRows(ssm::GramOp gram, const Point& outer, Index first, int64_t count,
                           const Buffer& keys, const Buffer& decayed, const Buffer& queries,
                           const Buffer& passed) {
  StringRef over = ssm::strings(gram.getOver()).front(), rows = gram.getRows(),
            columns = gram.getColumns();
  Buffer target = buffers.find(gram.getResult())->second;
  int64_t extent = arrayType(gram.getB()).find(rows).getSize(), lanes = shape.lanes;
  int64_t summed = arrayType(gram.getB()).find(over).getSize();
  bool strict = gram.getStrict();
  auto vector = VectorType::get({lanes}, b.getF32Type());
  Arithmetic a{b, vector};
  Value begin = first.dynamic ? first.dynamic : i64(first.constant);
  auto atRow = [&](Point point, int64_t i) {
    point.set(rows, {first.dynamic, first.constant + i});
    return point;
  };
  auto scalar = [&](Value value, const Point& point) {
    return splat(evaluate(value, point).parts[0], vector);
  };
  /// A vector of columns of a panel, and one of the result.
  auto inPanel = [&](Point point, Value column) {
    point.set(rows, {column, 0, true, lanes});
    return point;
  };
  auto storeRow = [&](int64_t i, Value column, Value value) {
    Point point = atRow(outer, i);
    point.set(columns, {column, 0, true, lanes});
    store(target, point, {{value}});
  };

  // Queries with the decays of the block up to their row, and the decay over all of it.
  forStrips(over, summed, 1, outer, [&](const Point& strip) {
    Value product = a.constant(1);
    for (int64_t i = 0; i < count; ++i) {
      Point point = atRow(strip, i);
      auto whole = [&](Value value) { return splat(evaluate(value, point).parts[0], vector); };
      Value next = a.mul(product, whole(gram.getDecay()));
      store(queries, point, {{a.mul(whole(gram.getA()), strict ? product : next)}});
      product = next;
    }
    store(passed, strip, {{product}});
  });

  // Columns before the block.
  loop(i64(0), begin, lanes, {}, [&](Value column, ValueRange) {
    SmallVector<Value> sums(count, a.constant(0));
    sums = loop(i64(0), i64(summed), 1, sums, [&](Value k, ValueRange carried) {
      SmallVector<Value> next(carried);
      Point point = outer;
      point.set(over, {k});
      Point place = inPanel(point, column);
      Value key = load(decayed, place).parts[0];
      for (int64_t i = 0; i < count; ++i)
        next[i] =
            a.add(next[i], a.mul(splat(load(queries, atRow(point, i)).parts[0], vector), key));
      store(decayed, place, {{a.mul(key, splat(load(passed, point).parts[0], vector))}});
      return next;
    });
    for (int64_t i = 0; i < count; ++i)
      storeRow(i, column, sums[i]);
    return SmallVector<Value>();
  });

  // Its own columns: lanes past the row still hold keys as they are, and count for nothing.
  SmallVector<Value> sums(count, a.constant(0));
  sums = loop(i64(0), i64(summed), 1, sums, [&](Value k, ValueRange carried) {
    SmallVector<Value> next(carried);
    Point point = outer;
    point.set(over, {k});
    Value key = load(keys, inPanel(point, begin)).parts[0];
    for (int64_t i = 0; i < count; ++i) {
      Point at = atRow(point, i);
      Value query = scalar(gram.getA(), at);
      if (strict)
        next[i] = a.add(next[i], a.mul(query, key));
      if (i)
        key = a.select(lanesBefore(b, lanes, i), a.mul(key, scalar(gram.getDecay(), at)), key);
      if (!strict)
        next[i] = a.add(next[i], a.mul(query, key));
    }
    store(decayed, inPanel(point, begin), {{key}});
    return next;
  });
  for (int64_t i = 0; i < count; ++i)
    storeRow(i, begin, a.select(lanesBefore(b, lanes, strict ? i : i + 1), sums[i], a.constant(0)));

  // Columns past the block.
  loop(arith::AddIOp::create(b, begin, i64(lanes)), i64(roundUp(extent, lanes)), lanes, {},
       [&](Value column, ValueRange) {
         for (int64_t i = 0; i < count; ++i)
           storeRow(i, column, a.constant(0));
         return SmallVector<Value>();
       });
}
