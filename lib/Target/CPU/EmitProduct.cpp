// Register-blocked products.
//
// A tile of accumulators, rows by vectors, stays in registers while the summed label passes: each
// position costs one load for each vector and one broadcast for each row, and a multiply-add for
// each pair of them. Strips of lanes run outside and blocks of rows inside, so that a strip's panel
// stays in the first-level cache. Where the left side is 0 above the diagonal, the sum stops at the
// block of the diagonal.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

SmallVector<Value> Emitter::accumulate(Value left, const Buffer& right, const Point& point,
                                       StringRef row, int64_t rows, ArrayRef<StringRef> reduced,
                                       Bounds bounds, SmallVector<Value> sums) {
  if (!reduced.empty()) {
    StringRef label = reduced.front();
    int64_t extent = 0;
    if (auto axis = arrayType(left).find(label))
      extent = axis.getSize();
    else
      extent = right.find(label)->extent;
    bool bounded = bounds.label == label;
    Value lower = bounded && bounds.lower ? bounds.lower : i64(0);
    Value upper = bounded && bounds.upper ? bounds.upper : extentOf(label, extent);
    return loop(lower, upper, 1, sums, [&](Value index, ValueRange carried) {
      Point inner = point;
      inner.set(label, {index});
      return accumulate(left, right, inner, row, rows, reduced.drop_front(), bounds,
                        llvm::to_vector(carried));
    });
  }
  Lanes vectors = load(right, point);
  Index first = *point.find(row);
  for (int64_t i = 0; i < rows; ++i) {
    Point at = point;
    at.set(row, {first.dynamic, first.constant + i});
    Value factor = evaluate(left, at).parts[0];
    for (int64_t part = 0; part < point.parts; ++part) {
      Value& sum = sums[i * point.parts + part];
      Arithmetic a{b, sum.getType()};
      sum = a.add(sum, a.mul(splat(factor, sum.getType()), vectors.parts[part]));
    }
  }
  return sums;
}

bool ssmc::cpu::isWantedBelow(Value value, StringRef rows, StringRef columns) {
  return !value.use_empty() && llvm::all_of(value.getUsers(), [&](Operation* user) {
    if (!isa<ssm::MulOp>(user))
      return false;
    Value other = user->getOperand(user->getOperand(0) == value);
    return other != value &&
           (isCausal(other, rows, columns) || isWantedBelow(user->getResult(0), rows, columns));
  });
}

void Emitter::emitProduct(ssm::SumOp sum) {
  const Product product = products.find(sum)->second;
  if (usesPairs(sum, product))
    return emitPairProduct(sum, product);
  Buffer target = buffers.find(sum.getResult())->second;
  auto type = arrayType(sum.getResult());
  ssm::AxisAttr lane = type.find(product.lane), row = type.find(product.row);
  TileShape tile = tileFor(lane.getSize());
  int64_t width = tile.parts * shape.lanes;
  Buffer right = panelOf(product.right, product.lane, width);
  bool below = isWantedBelow(sum.getResult(), product.row, product.lane) && width % tile.rows == 0;
  StringRef upTo, from; // reduced labels that stop or start at the diagonal
  for (StringRef label : product.reduced) {
    if (isCausal(product.left, product.row, label))
      upTo = label;
    else if (isCausal(product.left, label, product.row))
      from = label;
  }
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vector));
  auto storeRows = [&](const Point& at, Index first, int64_t count, ArrayRef<Value> values) {
    Point point = at;
    for (int64_t i = 0; i < count; ++i) {
      point.set(product.row, {first.dynamic, first.constant + i});
      store(target, point, {llvm::to_vector<4>(values.slice(i * at.parts, at.parts))});
    }
  };
  forEach(type, {product.row, product.lane}, Point(), [&](const Point& outer) {
    forStrips(product.lane, lane.getSize(), tile.parts, outer, [&](const Point& strip) {
      Value start;
      if (below) {
        const Index* index = strip.find(product.lane);
        start = index->dynamic
                    ? index->dynamic
                    : i64(std::min(index->constant, row.getSize() / tile.rows * tile.rows));
        loop(i64(0), arith::MinSIOp::create(b, start, extentOf(product.row, row.getSize())), 1, {},
             [&](Value index, ValueRange) {
               storeRows(strip, {index}, 1, SmallVector<Value>(strip.parts, zero));
               return SmallVector<Value>();
             });
      }
      forBlocks(product.row, row.getSize(), tile.rows, start, [&](Index first, int64_t count) {
        Point point = strip;
        point.set(product.row, first);
        Bounds bounds;
        Value begin = first.dynamic ? first.dynamic : i64(first.constant);
        if (!upTo.empty()) {
          int64_t extent = arrayType(product.left).find(upTo).getSize();
          Value end = arith::AddIOp::create(b, begin, i64(count));
          bounds = {upTo, Value(), arith::MinSIOp::create(b, end, extentOf(upTo, extent))};
        } else if (!from.empty()) {
          bounds = {from, begin, Value()};
        }
        SmallVector<Value> sums(count * strip.parts, zero);
        sums = accumulate(product.left, right, point, product.row, count, product.reduced, bounds,
                          sums);
        storeRows(strip, first, count, sums);
      });
    });
  });
}
