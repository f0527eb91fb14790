// Reductions: accumulators, the loops over what is reduced, the body of a nest.
//
// A reduction accumulates in registers, over the innermost label in several accumulators that are
// added in a fixed order at the end: enough of them that additions do not wait for one another.
// Only where the lanes themselves are reduced is there a horizontal sum, once, after the loop.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// Halves the vector until one lane is left: a fixed order.
Value Emitter::reduceLanes(Operation* op, Value vector) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  while (lanes > 1) {
    lanes /= 2;
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < lanes; ++i) {
      low.push_back(i);
      high.push_back(i + lanes);
    }
    vector = reductionCombine(b, op, vector::ShuffleOp::create(b, vector, vector, low),
                              vector::ShuffleOp::create(b, vector, vector, high));
  }
  return vector::ExtractOp::create(b, vector, ArrayRef<int64_t>{0});
}

/// Halves of every stretch of `length` lanes are added, of two vectors at a time: stretches of the
/// first, then those of the second, half as long. First of all four lanes are added to one, of four
/// vectors: that needs no lane from afar.
SmallVector<Value> ssmc::cpu::sumEach(ImplicitLocOpBuilder& b, ArrayRef<Value> vectors) {
  auto type = cast<VectorType>(vectors.front().getType());
  int64_t lanes = type.getNumElements();
  Arithmetic a{b, type};
  SmallVector<Value> sums(vectors);
  sums.resize(roundUp(sums.size(), lanes), a.constant(0));
  /// Adds two shuffles of each pair of neighbours.
  auto addPairs = [&](llvm::function_ref<int64_t(int64_t lane, int64_t half)> source) {
    SmallVector<int64_t> masks[2];
    for (int64_t half = 0; half < 2; ++half)
      for (int64_t lane = 0; lane < lanes; ++lane)
        masks[half].push_back(source(lane, half));
    SmallVector<Value> next;
    for (size_t i = 0; i < sums.size(); i += 2)
      next.push_back(a.add(vector::ShuffleOp::create(b, sums[i], sums[i + 1], masks[0]),
                           vector::ShuffleOp::create(b, sums[i], sums[i + 1], masks[1])));
    sums = std::move(next);
  };
  // Of four lanes x: (x0 + x2, y0 + y2, x1 + x3, y1 + y3), then the sums of four vectors.
  addPairs([&](int64_t lane, int64_t half) {
    return lane / 4 * 4 + lane % 4 / 2 + 2 * half + (lane % 2) * lanes;
  });
  addPairs([&](int64_t lane, int64_t half) {
    return lane / 4 * 4 + lane % 2 + 2 * half + lane % 4 / 2 * lanes;
  });
  for (int64_t length = lanes; length > 4; length /= 2)
    addPairs([&](int64_t lane, int64_t half) {
      int64_t stretch = lane / (length / 2), inside = lane % (length / 2);
      int64_t count = lanes / length; // of a vector
      return stretch % count * length + half * (length / 2) + inside + stretch / count * lanes;
    });
  return sums;
}

/// The positions of the labels that a reduction unrolls inside the nest's body.
static SmallVector<Point> innerPoints(const Item& item, const Point& point) {
  SmallVector<Point> points{point};
  for (StringRef label : item.inner) {
    SmallVector<Point> next;
    for (const Point& outer : points)
      for (int64_t i = 0; i < arrayType(item.value).find(label).getSize(); ++i) {
        next.push_back(outer);
        next.back().set(label, {Value(), i});
      }
    points = std::move(next);
  }
  return points;
}

void Emitter::emitReducedLoops(Nest& nest, ArrayRef<StringRef> labels, StringRef lane,
                               Point point) {
  StringRef laneNow = point.lane();
  bool laneReduced = !lane.empty() && llvm::is_contained(labels, lane);
  int64_t full = 0, laneExtent = 0;
  if (laneReduced) {
    laneExtent = nest.extentOf(lane);
    full = laneExtent / shape.lanes * shape.lanes;
    point.parts = full % (2 * shape.lanes) || !full ? 1 : 2;
    laneNow = lane;
  }
  // One accumulator set: a vector or a scalar for each part of each reduction.
  SmallVector<Value> inits;
  SmallVector<int64_t> widths;
  for (Item& item : nest.items) {
    if (!item.reduces)
      continue;
    bool vector = !laneNow.empty() && arrayType(item.computed()).has(laneNow);
    Type type = b.getF32Type();
    if (vector)
      type = VectorType::get({shape.lanes}, type);
    widths.push_back((vector ? point.parts : 1) * int64_t(innerPoints(item, point).size()));
    Value identity = reductionIdentity(b, item.value.getDefiningOp(), type);
    inits.append(widths.back(), identity);
  }
  auto body = [&](const Point& at, ValueRange sums) {
    SmallVector<Lanes> accumulators;
    size_t next = 0;
    for (int64_t width : widths) {
      Lanes lanes;
      for (int64_t i = 0; i < width; ++i)
        lanes.parts.push_back(sums[next++]);
      accumulators.push_back(lanes);
    }
    Scope scope(*this);
    emitBody(nest, at, accumulators);
    SmallVector<Value> result;
    for (Lanes& lanes : accumulators)
      result.append(lanes.parts.begin(), lanes.parts.end());
    return result;
  };
  SmallVector<Operation*> reducers; // of each value of a set
  for (Item& item : nest.items)
    if (item.reduces)
      reducers.push_back(item.value.getDefiningOp());
  auto combineSets = [&](SmallVector<Value>& into, ArrayRef<Value> other) {
    size_t next = 0;
    for (auto [op, width] : llvm::zip(reducers, widths))
      for (int64_t i = 0; i < width; ++i, ++next)
        into[next] = reductionCombine(b, op, into[next], other[next]);
  };
  std::function<SmallVector<Value>(ArrayRef<StringRef>, Point, SmallVector<Value>)> over =
      [&](ArrayRef<StringRef> rest, Point at, SmallVector<Value> sums) -> SmallVector<Value> {
    if (rest.empty())
      return body(at, sums);
    StringRef label = rest.front();
    auto with = [&](Index index, int64_t tail = 0) {
      Point inner = at;
      inner.set(label, index);
      if (index.lane)
        inner.tail = tail;
      return inner;
    };
    if (label == lane) {
      int64_t step = point.parts * shape.lanes;
      if (full)
        sums = loop(i64(0), i64(full), step, sums, [&](Value index, ValueRange carried) {
          return over(rest.drop_front(), with({index, 0, true, step}), llvm::to_vector(carried));
        });
      if (full < laneExtent) {
        Scope scope(*this);
        sums = over(rest.drop_front(), with({Value(), full, true}, laneExtent - full), sums);
      }
      return sums;
    }
    int64_t extent = nest.extentOf(label);
    bool dynamic = dynamicExtents.count(label);
    if (rest.size() > 1 || dynamic) {
      return loop(i64(0), extentOf(label, extent), 1, sums, [&](Value index, ValueRange carried) {
        Point inner = with({index});
        for (const Item& item : nest.items)
          hoist(item.computed(), inner);
        return over(rest.drop_front(), inner, llvm::to_vector(carried));
      });
    }
    // The innermost label: several steps at once, each with its own accumulators.
    int64_t width = std::max<int64_t>(sums.size(), 1);
    int64_t unroll = std::clamp<int64_t>(8 / width, 1, 4);
    unroll = std::min(unroll, std::max<int64_t>(extent, 1));
    SmallVector<Value> all;
    for (int64_t u = 0; u < unroll; ++u)
      all.append(u ? inits : sums);
    auto steps = [&](Value base, int64_t constant, int64_t count, SmallVector<Value> sets) {
      for (int64_t u = 0; u < count; ++u) {
        auto set = ArrayRef(sets).slice(u * sums.size(), sums.size());
        SmallVector<Value> next = body(with({base, constant + u}), SmallVector<Value>(set));
        std::copy(next.begin(), next.end(), sets.begin() + u * sums.size());
      }
      return sets;
    };
    int64_t whole = extent / unroll * unroll;
    if (whole > unroll)
      all = loop(i64(0), i64(whole), unroll, all, [&](Value index, ValueRange carried) {
        return steps(index, 0, unroll, llvm::to_vector(carried));
      });
    else
      all = steps(Value(), 0, unroll, all);
    all = steps(Value(), whole, extent - whole, all);
    SmallVector<Value> first(all.begin(), all.begin() + sums.size());
    for (int64_t u = 1; u < unroll; ++u)
      combineSets(first, ArrayRef(all).slice(u * sums.size(), sums.size()));
    return first;
  };
  SmallVector<Value> sums = over(labels, point, inits);
  size_t next = 0, reduction = 0;
  for (Item& item : nest.items) {
    if (!item.reduces)
      continue;
    Operation* op = item.value.getDefiningOp();
    Lanes lanes;
    for (int64_t i = 0; i < widths[reduction]; ++i)
      lanes.parts.push_back(sums[next++]);
    ++reduction;
    if (!item.inner.empty()) {
      ArrayRef<Value> parts = lanes.parts;
      SmallVector<Point> points = innerPoints(item, point);
      size_t each = parts.size() / points.size();
      for (auto [i, one] : llvm::enumerate(points))
        store(item.target, one, {SmallVector<Value, 4>(parts.slice(i * each, each))});
      continue;
    }
    if (laneReduced && lanes.isVector()) {
      Value sum = lanes.parts[0];
      for (Value part : ArrayRef<Value>(lanes.parts).drop_front())
        sum = reductionCombine(b, op, sum, part);
      lanes.parts = {reduceLanes(op, sum)};
    }
    if (item.toBuffer)
      store(item.target, point, lanes);
    else
      bound[item.value] = lanes;
  }
}

void Emitter::emitBody(Nest& nest, const Point& point, SmallVectorImpl<Lanes>& accumulators) {
  SmallVector<Lanes> written;
  size_t next = 0;
  for (Item& item : nest.items) {
    if (!item.reduces) {
      written.push_back(evaluate(item.computed(), point));
      continue;
    }
    Operation* op = item.value.getDefiningOp();
    Lanes& sum = accumulators[next++];
    SmallVector<Point> points = innerPoints(item, point);
    size_t each = sum.parts.size() / points.size();
    for (auto [i, old] : llvm::enumerate(sum.parts)) {
      size_t part = i % each;
      Lanes value = evaluate(item.computed(), points[i / each]);
      Value one = splat(value.parts[value.isVector() ? part : 0], old.getType());
      if (point.tail && !arrayType(item.value).has(point.lane()) &&
          isa<VectorType>(one.getType())) {
        // Lanes past the end count for nothing.
        SmallVector<bool> mask(shape.lanes);
        for (int64_t lane = 0; lane < shape.lanes; ++lane)
          mask[lane] = int64_t(part) * shape.lanes + lane < point.tail;
        auto type = VectorType::get({shape.lanes}, b.getI1Type());
        Value valid =
            arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<bool>(mask)));
        one = arith::SelectOp::create(b, valid, one, reductionIdentity(b, op, one.getType()));
      }
      old = reductionCombine(b, op, old, one);
    }
  }
  next = 0;
  for (Item& item : nest.items)
    if (!item.reduces)
      store(item.target, point, written[next++]);
}
