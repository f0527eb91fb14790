// Loop nests: order of the loops, lanes, accumulators of reductions.
//
// Labels that the reductions keep run outside, then the lanes if they are kept, then the reduced
// labels. A reduction accumulates in registers, over the innermost label in several accumulators
// that are added in a fixed order at the end; only where the lanes themselves are reduced is there
// a horizontal sum, once, after the loop.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

StringRef Point::lane() const {
  for (auto& [label, index] : indices)
    if (index.lane)
      return label;
  return {};
}

bool Nest::reduces() const {
  return llvm::any_of(items, [](const Item& item) { return item.reduces; });
}

SmallVector<Operation*> Nest::wholes() const {
  SmallVector<Operation*> ops;
  if (whole)
    ops.push_back(whole);
  llvm::append_range(ops, beside);
  return ops;
}

int64_t Nest::extentOf(StringRef label) const {
  for (const Item& item : items)
    if (auto axis = arrayType(item.computed()).find(label))
      return axis.getSize();
  llvm_unreachable("a label of a nest that none of its items has");
}

Value Emitter::i64(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}

Value Emitter::extentOf(StringRef label, int64_t extent) {
  auto found = dynamicExtents.find(label);
  return found != dynamicExtents.end() ? found->second : i64(extent);
}

SmallVector<Value> Emitter::loop(Value lower, Value upper, int64_t step, ValueRange inits,
                                 LoopBody body) {
  auto share = std::exchange(ahead.share, std::nullopt);
  Value span = share ? arith::SubIOp::create(b, upper, lower).getResult() : Value();
  auto loop = scf::ForOp::create(b, lower, upper, i64(step), inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(loop.getBody());
  Scope scope(*this);
  if (share)
    askAhead(*share, arith::SubIOp::create(b, loop.getInductionVar(), lower), i64(step), span);
  SmallVector<Value> next = body(loop.getInductionVar(), loop.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, next);
  return llvm::to_vector(ValueRange(loop.getResults()));
}

//===-- lanes --------------------------------------------------------------------------------===//

/// How well lanes along `label` suit the memory that a value reads.
static int64_t laneScore(Emitter& e, Value value, StringRef label, DenseSet<Value>& seen) {
  if (!arrayType(value).has(label) || !seen.insert(value).second)
    return 0;
  if (auto found = e.buffers.find(value); found != e.buffers.end())
    return found->second.isUnit(label) ? 1 : -6; // a gather
  Operation* op = value.getDefiningOp();
  if (!op || e.isWhole(op))
    return 0;
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    for (auto [from, to] : llvm::zip(relabel.getFrom().getAsRange<StringAttr>(),
                                     relabel.getTo().getAsRange<StringAttr>()))
      if (to.getValue() == label)
        return laneScore(e, relabel.getOperand(), from.getValue(), seen);
  }
  int64_t score = 0;
  for (Value operand : op->getOperands())
    score += laneScore(e, operand, label, seen);
  return score;
}

StringRef Emitter::chooseLane(const Nest& nest, const Point& outer, bool allSteps) {
  if (!outer.lane().empty())
    return {};
  StringRef best;
  int64_t bestScore = INT64_MIN;
  for (StringRef label : nest.space) {
    int64_t score = 0, extent = 0;
    bool touchesUser = false, isReduced = false, isInterleaved = false;
    for (const Item& item : nest.items) {
      // Lanes that pad micro-steps would be written over those of the next step.
      if (auto flatten = item.value.getDefiningOp<ssm::FlattenOp>(); flatten && item.view)
        isInterleaved |= flatten.getInner() == label;
      DenseSet<Value> seen;
      Value value = item.computed();
      if (auto axis = arrayType(value).find(label))
        extent = axis.getSize();
      score += laneScore(*this, value, label, seen);
      if (item.reduces && !arrayType(item.value).has(label))
        score -= 1, isReduced = true;
      else if (item.toBuffer)
        score += item.target.isUnit(label) ? 4 : -4;
      auto isUser = [&](Value v) {
        auto found = buffers.find(v);
        return found != buffers.end() && found->second.place == Buffer::Place::User;
      };
      touchesUser |= item.target.place == Buffer::Place::User || llvm::any_of(seen, isUser);
    }
    // Steps past the end of a sequence may be computed, but not read, written or counted in a sum.
    bool isCut = dynamicExtents.count(label) && !allSteps;
    if (isInterleaved || (isCut && (touchesUser || isReduced)))
      continue;
    if (extent < 4)
      score -= 3;
    if (score > bestScore) {
      best = label;
      bestScore = score;
    }
  }
  return best;
}

//===-- nests --------------------------------------------------------------------------------===//

/// Whether a nest does nothing but read rows along a label from an array of the caller's.
bool Emitter::copiesRows(const Nest& nest, StringRef label) const {
  if (nest.items.size() != 1 || nest.reduces() || !nest.wholes().empty())
    return false;
  auto source = buffers.find(nest.items.front().computed());
  return source != buffers.end() && source->second.place == Buffer::Place::User &&
         source->second.isUnit(label);
}

void Emitter::emitNest(Nest& nest, const Point& outer) {
  llvm::erase_if(nest.items,
                 [&](Item& item) { return outer.indices.empty() && copyTransposed(item); });
  if (nest.items.empty())
    return;
  StringRef lane = chooseLane(nest, outer), best = chooseLane(nest, outer, /*allSteps=*/true);
  // A copy of the caller's rows of steps: side by side where all of them exist, one by one in the
  // last chunk alone.
  auto cut = dynamicExtents.find(best);
  if (cut != dynamicExtents.end() && best != lane && copiesRows(nest, best)) {
    Value whole =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, cut->second, i64(nest.extentOf(best)));
    auto branch = scf::IfOp::create(b, TypeRange(), whole, /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&branch.getElseRegion().front());
    emitLoops(nest, lane, outer);
    b.setInsertionPointToStart(&branch.getThenRegion().front());
    auto extents = dynamicExtents;
    dynamicExtents.erase(best);
    emitLoops(nest, best, outer);
    dynamicExtents = extents;
  } else {
    emitLoops(nest, lane, outer);
  }
  for (Item& item : nest.items)
    if (item.defines && item.toBuffer)
      buffers[item.value] = item.view.value_or(item.target);
}

void Emitter::emitLoops(Nest& nest, StringRef lane, const Point& outer) {
  Scope scope(*this);
  bool reduces = nest.reduces();
  SmallVector<StringRef> kept, labels;
  // The order of the first buffer, its contiguous label innermost.
  for (const Item& item : nest.items)
    for (const Dim& dim : item.target.dims)
      if (!llvm::is_contained(labels, dim.label))
        labels.push_back(dim.label);
  auto isKept = [&](StringRef label) {
    return llvm::is_contained(nest.space, label) &&
           (!reduces || llvm::is_contained(nest.kept, label));
  };
  for (StringRef label : labels)
    if (isKept(label) && label != lane)
      kept.push_back(label);
  for (StringRef label : nest.space)
    if (isKept(label) && label != lane && !llvm::is_contained(kept, label))
      kept.push_back(label);
  if (!lane.empty() && isKept(lane))
    kept.push_back(lane);
  for (const Item& item : nest.items)
    hoist(item.computed(), outer);
  emitLoops(nest, kept, lane, outer);
}

void Emitter::emitLoops(Nest& nest, ArrayRef<StringRef> labels, StringRef lane, Point point) {
  if (labels.empty()) {
    SmallVector<StringRef> reduced;
    for (StringRef label : nest.space)
      if (label != lane && !point.find(label))
        reduced.push_back(label);
    if (!lane.empty() && !point.find(lane))
      reduced.push_back(lane);
    emitReducedLoops(nest, reduced, lane, point);
    return;
  }
  StringRef label = labels.front();
  int64_t extent = nest.extentOf(label);
  auto inside = [&](Index index, int64_t parts, int64_t tail) {
    Point inner = point;
    inner.set(label, index);
    if (index.lane) {
      inner.parts = parts;
      inner.tail = tail;
    }
    for (const Item& item : nest.items)
      hoist(item.computed(), inner);
    emitLoops(nest, labels.drop_front(), lane, inner);
  };
  if (label != lane) {
    loop(i64(0), extentOf(label, extent), 1, {}, [&](Value index, ValueRange) {
      inside({index}, 1, 0);
      return SmallVector<Value>();
    });
    return;
  }
  int64_t full = extent / shape.lanes * shape.lanes, padded = full;
  int64_t parts = full % (2 * shape.lanes) ? 1 : 2, step = parts * shape.lanes;
  if (full == step) {
    Scope scope(*this);
    inside({Value(), 0, true}, parts, 0);
  } else if (full) {
    loop(i64(0), i64(full), step, {}, [&](Value index, ValueRange) {
      inside({index, 0, true, step}, parts, 0);
      return SmallVector<Value>();
    });
  }
  // The rest, and what pads the workspace's buffers.
  for (const Item& item : nest.items)
    if (const Dim* dim = item.target.find(label);
        dim && item.toBuffer && item.target.place != Buffer::Place::User)
      padded = std::max(padded, dim->extent);
  padded = std::max(padded, roundUp(extent, shape.lanes));
  if (full < padded) {
    Scope scope(*this);
    // All of them past the end: the first lane alone is then written to nobody's harm.
    int64_t tail = std::max<int64_t>(extent - full, 0);
    inside({Value(), full, true}, (padded - full) / shape.lanes, tail ? tail : -1);
  }
}
