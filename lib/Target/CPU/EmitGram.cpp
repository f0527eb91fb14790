// Decayed products whose decay varies over the label that is summed.
//
// Lanes run along that label, so that keys, queries and decays are read as they lie; each element
// of the result is a sum over lanes, and sixteen of them are summed at once (sumEach). Rows are
// taken four at a time. `decayed` holds every earlier key, decayed up to the block's first row;
// keys of the block are in registers and decay as rows pass. Then for the rows t of the block
//
//   columns before it   sum over k of (a[t] * product of the block's decays up to t) decayed[s, k],
//                       in tiles of rows by columns
//   its own columns     sum over k of a[t] * the keys that have entered
//
// and both end as `decayed` for the next block: what was there times the block's decays, and the
// keys of the block. There is no quotient and no exponent, so that zero and negative decays are as
// exact as any. Worked by hand for blocks of two rows and one k, with keys b and decays d, row 2:
// decayed = (b0 d1, b1); the product is (a2 d2) (b0 d1, b1), and the own columns give a2 b2. After
// row 3: (b0 d1 d2 d3, b1 d2 d3, b2 d3, b3).
//
// Grams of other queries with the same keys and decays are computed beside: the keys decay once.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

namespace {
class GramBlocks {
public:
  GramBlocks(Emitter& e, MutableArrayRef<ssm::GramOp> grams);
  void emit();

private:
  static constexpr int64_t blockRows = 4;
  using Values = SmallVector<Value>;
  using Body = llvm::function_ref<Values(const Point& point, Values sums)>;

  void emitOwn(const Point& outer, Index first, int64_t count);
  void emitBefore(const Point& outer, Index first, int64_t count);
  /// Runs over vectors of the summed label.
  Values along(const Point& outer, Values sums, Body body);
  /// Lanes of a value; 0 where they are past the end.
  Value lanesOf(Value value, const Point& point);
  Point atRow(Point point, Index row) {
    point.set(rows, row);
    return point;
  }
  /// Stores sums, so many a row, at columns from `first` on.
  void storeRows(ssm::GramOp gram, const Point& outer, Index row, Index first, int64_t count,
                 int64_t each, Values sums);

  Emitter& e;
  ImplicitLocOpBuilder& b;
  MutableArrayRef<ssm::GramOp> grams;
  ssm::GramOp one; ///< any of them
  StringRef over, rows, columns;
  int64_t lanes, extent, summed;
  Arithmetic a;
  Buffer decayed, passed;
  SmallVector<Buffer> queries; ///< of each gram, for the rows of a block
};
} // namespace

GramBlocks::GramBlocks(Emitter& e, MutableArrayRef<ssm::GramOp> grams)
    : e(e), b(e.b), grams(grams), one(grams.front()), over(ssm::strings(one.getOver()).front()),
      rows(one.getRows()), columns(one.getColumns()), lanes(e.shape.lanes),
      a{b, VectorType::get({lanes}, b.getF32Type())} {
  ssm::AxisAttr rowAxis = arrayType(one.getB()).find(rows),
                summedAxis = arrayType(one.getB()).find(over);
  extent = rowAxis.getSize();
  summed = summedAxis.getSize();
  auto type = ssm::ArrayType::get(b.getContext(), {rowAxis, summedAxis}, b.getF32Type());
  decayed = e.makeBuffer(type, Buffer::Place::Temp, {over, 0});
  passed = e.makeBuffer(type.without({rows}), Buffer::Place::Temp, {over, 0});
  for (size_t i = 0; i < grams.size(); ++i)
    queries.push_back(e.makeBuffer(type, Buffer::Place::Temp, {over, 0}));
}

void GramBlocks::emit() {
  auto type = arrayType(one.getResult());
  e.forEach(type, {rows, columns}, Point(), [&](const Point& outer) {
    e.forBlocks(rows, extent, blockRows, {}, [&](Index first, int64_t count) {
      for (ssm::GramOp gram : grams)
        for (int64_t i = 0; i < count; ++i)
          for (int64_t column = 0; column < extent; column += lanes) {
            Point point = atRow(outer, {first.dynamic, first.constant + i});
            point.set(columns, {Value(), column, true, lanes});
            e.store(e.buffers.find(gram.getResult())->second, point, {{a.constant(0)}});
          }
      emitOwn(outer, first, count);
      emitBefore(outer, first, count);
    });
  });
}

GramBlocks::Values GramBlocks::along(const Point& outer, Values sums, Body body) {
  int64_t full = summed / lanes * lanes;
  Point point = outer;
  if (full)
    sums = e.loop(e.i64(0), e.i64(full), lanes, sums, [&](Value k, ValueRange carried) {
      point.set(over, {k, 0, true, lanes});
      return body(point, llvm::to_vector(carried));
    });
  if (full < summed) {
    Emitter::Scope scope(e);
    point.set(over, {Value(), full, true});
    point.tail = summed - full;
    sums = body(point, sums);
  }
  return sums;
}

Value GramBlocks::lanesOf(Value value, const Point& point) {
  Value found = e.splat(e.evaluate(value, point).parts[0], a.type);
  if (!point.tail)
    return found;
  SmallVector<bool> mask(lanes, false);
  std::fill_n(mask.begin(), point.tail, true);
  Value exists = arith::ConstantOp::create(
      b, DenseElementsAttr::get(VectorType::get({lanes}, b.getI1Type()), ArrayRef<bool>(mask)));
  return a.select(exists, found, a.constant(0));
}

void GramBlocks::storeRows(ssm::GramOp gram, const Point& outer, Index row, Index first,
                           int64_t count, int64_t each, Values sums) {
  Values totals = sumEach(b, sums);
  for (int64_t i = 0; i < count; ++i) {
    Point point = atRow(outer, {row.dynamic, row.constant + i});
    point.set(columns, first);
    Value part = vector::ExtractStridedSliceOp::create(b, totals[i * each / lanes],
                                                       i * each % lanes, each, 1);
    LLVM::StoreOp::create(b, part, e.address(e.buffers.find(gram.getResult())->second, point, 0),
                          4);
  }
}

void GramBlocks::emitOwn(const Point& outer, Index first, int64_t count) {
  // For each gram, rows by columns; what is not there stays the constant 0.
  int64_t size = count * blockRows;
  auto slot = [&](size_t gram, int64_t i, int64_t j) { return gram * size + i * blockRows + j; };
  SmallVector<int64_t> used;
  for (size_t g = 0; g < grams.size(); ++g)
    for (int64_t i = 0; i < count; ++i)
      for (int64_t j = 0; j < i + !grams[g].getStrict(); ++j)
        used.push_back(slot(g, i, j));
  Values sums(used.size(), a.constant(0));
  sums = along(outer, sums, [&](const Point& point, Values carried) {
    Values all(grams.size() * size), keys;
    for (auto [place, sum] : llvm::zip(used, carried))
      all[place] = sum;
    Value product;
    for (int64_t i = 0; i < count; ++i) {
      Point at = atRow(point, {first.dynamic, first.constant + i});
      auto meet = [&](bool strict) {
        for (size_t g = 0; g < grams.size(); ++g) {
          if (grams[g].getStrict() != strict)
            continue;
          Value query = lanesOf(grams[g].getA(), at);
          for (auto [j, key] : llvm::enumerate(keys)) {
            Value& sum = all[slot(g, i, j)];
            sum = a.add(sum, a.mul(query, key));
          }
          e.store(queries[g], atRow(point, {Value(), i}),
                  {{product ? a.mul(query, product) : query}});
        }
      };
      meet(/*strict=*/true);
      Value decay = lanesOf(one.getDecay(), at);
      for (Value& key : keys)
        key = a.mul(key, decay);
      product = product ? a.mul(product, decay) : decay;
      keys.push_back(lanesOf(one.getB(), at));
      meet(/*strict=*/false);
    }
    for (auto [i, key] : llvm::enumerate(keys))
      e.store(decayed, atRow(point, {first.dynamic, first.constant + int64_t(i)}), {{key}});
    e.store(passed, point, {{product}});
    return llvm::to_vector(llvm::map_range(used, [&](int64_t place) { return all[place]; }));
  });
  Values all(grams.size() * size, a.constant(0));
  for (auto [place, sum] : llvm::zip(used, sums))
    all[place] = sum;
  for (auto [g, gram] : llvm::enumerate(grams))
    storeRows(gram, outer, first, first, count, blockRows,
              llvm::to_vector(ArrayRef(all).slice(g * size, size)));
}

void GramBlocks::emitBefore(const Point& outer, Index first, int64_t count) {
  int64_t each = e.shape.registers >= 32 ? 4 : 2;
  Value begin = first.dynamic ? first.dynamic : e.i64(first.constant);
  e.loop(e.i64(0), begin, each, {}, [&](Value column, ValueRange) {
    for (auto [g, gram] : llvm::enumerate(grams)) {
      bool isLast = g + 1 == grams.size();
      Values sums(count * each, a.constant(0));
      sums = along(outer, sums, [&](const Point& point, Values carried) {
        Values keys;
        for (int64_t j = 0; j < each; ++j)
          keys.push_back(e.load(decayed, atRow(point, {column, j})).parts[0]);
        for (int64_t i = 0; i < count; ++i) {
          Value query = e.load(queries[g], atRow(point, {Value(), i})).parts[0];
          for (int64_t j = 0; j < each; ++j) {
            Value& sum = carried[i * each + j];
            sum = a.add(sum, a.mul(query, keys[j]));
          }
        }
        if (isLast) {
          Value decay = e.load(passed, point).parts[0];
          for (int64_t j = 0; j < each; ++j)
            e.store(decayed, atRow(point, {column, j}), {{a.mul(keys[j], decay)}});
        }
        return carried;
      });
      storeRows(gram, outer, first, {column}, count, each, sums);
    }
    return Values();
  });
}

bool ssmc::cpu::shareKeys(Operation* x, Operation* y) {
  auto first = dyn_cast<ssm::GramOp>(x), second = dyn_cast<ssm::GramOp>(y);
  return first && second && first.getB() == second.getB() &&
         first.getDecay() == second.getDecay() && first.getOver() == second.getOver() &&
         first.getRows() == second.getRows() && first.getColumns() == second.getColumns() &&
         first.getType() == second.getType();
}

void Emitter::emitGrams(MutableArrayRef<ssm::GramOp> grams) {
  // As many at once as have room for their sums of a block's own columns.
  for (size_t count = shape.registers / 16; !grams.empty();) {
    MutableArrayRef<ssm::GramOp> some = grams.take_front(count);
    Scope scope(*this);
    GramBlocks(*this, some).emit();
    grams = grams.drop_front(some.size());
  }
}
