// Loops over tiles, and the panels that they read.
//
// The right side of a product is read a strip of lanes at a time, for every block of rows again. In
// panels a strip is one contiguous block, which stays in the first-level cache whatever the
// extents; in rows of all lanes it would compete for a few sets of the cache.
#include "Emitter.h"
#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

TileShape Emitter::tileFor(int64_t laneExtent) const {
  int64_t vectors = roundUp(laneExtent, shape.lanes) / shape.lanes;
  bool many = shape.registers >= 32;
  return {many ? 8 : 4, vectors <= (many ? 3 : 2) ? vectors : 2};
}

void Emitter::forEach(ssm::ArrayType type, ArrayRef<StringRef> except, Point point,
                      llvm::function_ref<void(const Point&)> body) {
  for (ssm::AxisAttr axis : type.getAxes()) {
    if (llvm::is_contained(except, axis.getName()) || point.find(axis.getName()))
      continue;
    loop(i64(0), extentOf(axis.getName(), axis.getSize()), 1, {}, [&](Value index, ValueRange) {
      point.set(axis.getName(), {index});
      forEach(type, except, point, body);
      return SmallVector<Value>();
    });
    return;
  }
  body(point);
}

void Emitter::forStrips(StringRef lane, int64_t extent, int64_t parts, const Point& point,
                        llvm::function_ref<void(const Point&)> body) {
  if (lane.empty()) {
    Scope scope(*this);
    return body(point);
  }
  int64_t width = parts * shape.lanes, full = extent / width * width;
  auto strip = [&](Index index, int64_t count, int64_t tail) {
    Point inner = point;
    inner.set(lane, index);
    inner.parts = count;
    inner.tail = tail;
    Scope scope(*this);
    body(inner);
  };
  if (full == width)
    strip({Value(), 0, true}, parts, 0);
  else if (full)
    loop(i64(0), i64(full), width, {}, [&](Value index, ValueRange) {
      strip({index, 0, true, width}, parts, 0);
      return SmallVector<Value>();
    });
  int64_t left = extent - full;
  if (left)
    strip({Value(), full, true}, roundUp(left, shape.lanes) / shape.lanes,
          left % shape.lanes ? left : 0);
}

void Emitter::forBlocks(StringRef label, int64_t extent, int64_t step, Value lower,
                        llvm::function_ref<void(Index first, int64_t count)> body) {
  int64_t full = extent / step * step;
  if (full) {
    Value upper = i64(full);
    if (auto found = dynamicExtents.find(label); found != dynamicExtents.end())
      upper = arith::MinSIOp::create(
          b, upper,
          arith::AndIOp::create(b, arith::AddIOp::create(b, found->second, i64(step - 1)),
                                i64(-step)));
    loop(lower ? lower : i64(0), upper, step, {}, [&](Value index, ValueRange) {
      body({index}, step);
      return SmallVector<Value>();
    });
  }
  if (full == extent)
    return;
  Scope scope(*this);
  body({Value(), full}, extent - full);
}

void Emitter::forBlocksDown(StringRef label, int64_t extent, int64_t step,
                            llvm::function_ref<void(Index first, int64_t count)> body) {
  Value count = extentOf(label, extent);
  Value full = arith::AndIOp::create(b, count, i64(-step));
  auto down = [&](Value lower, Value upper, int64_t by) {
    Value last = arith::SubIOp::create(b, arith::AddIOp::create(b, lower, upper), i64(by));
    loop(lower, upper, by, {}, [&](Value counter, ValueRange) {
      body({arith::SubIOp::create(b, last, counter)}, by);
      return SmallVector<Value>();
    });
  };
  if (step > 1 && (dynamicExtents.count(label) || extent % step))
    down(full, count, 1);
  if (extent >= step)
    down(i64(0), full, step);
}

//===-- Panels -------------------------------------------------------------------------------===//

StringRef ssmc::cpu::renamedFrom(ssm::RelabelOp relabel, StringRef name) {
  for (auto [from, to] : llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
    if (to == name)
      return from;
  return name;
}

Buffer ssmc::cpu::renamed(Buffer buffer, ssm::RelabelOp relabel) {
  for (Dim& dim : buffer.dims)
    for (auto [from, to] :
         llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
      if (dim.label == from) {
        dim.label = to;
        break;
      }
  return buffer;
}

Buffer Emitter::panelOf(Value value, StringRef lane, int64_t width) {
  if (auto relabel = ssm::asRenaming(value); relabel && !isLeaf(value))
    return renamed(panelOf(relabel.getOperand(), renamedFrom(relabel, lane), width), relabel);
  auto type = arrayType(value);
  auto found = buffers.find(value);
  bool isBuffer = found != buffers.end() && found->second.place != Buffer::Place::User;
  if (isBuffer && found->second.isUnit(lane)) {
    const Dim* dim = found->second.find(lane);
    if (dim->block ? dim->block == width : dim->extent <= width)
      return found->second;
  }
  auto key = std::tuple(value.getAsOpaquePointer(), lane, width);
  if (auto known = panels.find(key); known != panels.end())
    return known->second;
  Buffer panel = makePanel(type, lane, width);
  StringRef unit;
  if (isBuffer && !found->second.isUnit(lane) && found->second.storage.isF32())
    for (ssm::AxisAttr axis : type.getAxes())
      if (found->second.isUnit(axis.getName()) &&
          found->second.find(axis.getName())->block % shape.lanes == 0)
        unit = axis.getName();
  if (!unit.empty()) {
    packTransposed(found->second, panel, type, unit, lane);
  } else {
    Nest nest;
    for (ssm::AxisAttr axis : type.getAxes())
      nest.space.push_back(axis.getName());
    nest.items = {{value, false, true, false, panel}};
    emitNest(nest, Point());
  }
  panels[key] = panel;
  return panel;
}

/// Each round interleaves the halves.
void ssmc::cpu::transpose(ImplicitLocOpBuilder& b, SmallVector<Value>& vectors) {
  int64_t count = vectors.size();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < count / 2; ++i) {
    low.append({i, count + i});
    high.append({count / 2 + i, count + count / 2 + i});
  }
  for (int64_t round = 1; round < count; round *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < count / 2; ++i)
      for (ArrayRef<int64_t> mask : {ArrayRef(low), ArrayRef(high)})
        next.push_back(vector::ShuffleOp::create(b, vectors[i], vectors[i + count / 2], mask));
    vectors = std::move(next);
  }
}

void Emitter::packTransposed(const Buffer& from, const Buffer& to, ssm::ArrayType type,
                             StringRef unit, StringRef lane) {
  int64_t lanes = shape.lanes;
  auto vectorType = VectorType::get({lanes}, b.getF32Type());
  forEach(type, {unit, lane}, Point(), [&](const Point& outer) {
    forBlocks(lane, type.find(lane).getSize(), lanes, {}, [&](Index first, int64_t count) {
      forStrips(unit, type.find(unit).getSize(), 1, outer, [&](const Point& at) {
        Point point = at;
        SmallVector<Value> vectors;
        for (int64_t i = 0; i < lanes; ++i) {
          if (i >= count) {
            vectors.push_back(arith::ConstantOp::create(b, b.getZeroAttr(vectorType)));
            continue;
          }
          point.set(lane, {first.dynamic, first.constant + i});
          vectors.push_back(load(from, point).parts[0]);
        }
        transpose(b, vectors);
        Index along = *at.find(unit);
        point.tail = 0;
        point.set(lane, {first.dynamic, first.constant, true, lanes});
        for (int64_t i = 0; i < lanes; ++i) {
          point.set(unit, {along.dynamic, along.constant + i});
          store(to, point, {{vectors[i]}});
        }
      });
    });
  });
}

bool Emitter::copyTransposed(const Item& item) {
  auto found = buffers.find(item.value);
  if (item.reduces || !item.toBuffer || item.view || item.overwrites || found == buffers.end())
    return false;
  auto type = arrayType(item.value);
  const Buffer from = found->second, &to = item.target;
  StringRef unit, lane;
  for (ssm::AxisAttr axis : type.getAxes()) {
    StringRef label = axis.getName();
    if (!from.isUnit(label) && !to.isUnit(label))
      continue;
    // In whole vectors, as what is past the end may not be written.
    if ((from.isUnit(label) && to.isUnit(label)) || dynamicExtents.count(label) ||
        axis.getSize() % shape.lanes || from.find(label)->block % shape.lanes ||
        to.find(label)->block % shape.lanes)
      return false;
    (from.isUnit(label) ? unit : lane) = label;
  }
  if (unit.empty() || lane.empty() || !from.storage.isF32() || !to.storage.isF32())
    return false;
  packTransposed(from, to, type, unit, lane);
  if (item.defines)
    buffers[item.value] = to;
  return true;
}
