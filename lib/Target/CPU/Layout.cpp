// Where arrays lie in the workspace, and which label is contiguous.
//
// A value that a fold walks over in strips is packed as [time][strip][other labels][lanes of the
// strip], so that a strip is one contiguous block whatever the extents: with a long row stride the
// rows of a strip would fight for a few sets of the cache. Other values have the label last that is
// last in their operand's memory order, or in their type.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

static int64_t reserve(Emitter& e, Buffer::Place place, int64_t elements) {
  int64_t& bytes = place == Buffer::Place::Item ? e.itemBytes : e.tempBytes;
  int64_t offset = bytes;
  bytes += roundUp(elements * 4, 64);
  // Buffers that are read side by side should not begin at the same place of a page: their lines
  // would share sets of the cache, and stores to one would hold up loads of another.
  if (elements * 4 >= 1024)
    bytes += 192;
  return offset;
}

static Type storageOf(ImplicitLocOpBuilder& b, ssm::ArrayType type) {
  return type.isReal() ? Type(b.getF32Type()) : Type(b.getI32Type());
}

Buffer Emitter::makeBuffer(ssm::ArrayType type, Buffer::Place place, LanePreference preference,
                           StringRef time) {
  Buffer buffer;
  buffer.place = place;
  buffer.element = type.getElementType();
  buffer.storage = storageOf(b, type);
  SmallVector<ssm::AxisAttr> times, rows;
  ssm::AxisAttr inner = preference.label.empty() ? ssm::AxisAttr() : type.find(preference.label);
  for (ssm::AxisAttr axis : type.getAxes()) {
    if (axis == inner)
      continue;
    bool isTime = dynamicExtents.count(axis.getName()) || axis.getName() == time;
    (isTime ? times : rows).push_back(axis);
  }
  if (!inner && !rows.empty())
    inner = rows.pop_back_val();
  if (!inner && !times.empty())
    inner = times.pop_back_val();
  int64_t stride = 1;
  Dim last;
  if (inner) {
    last.label = inner.getName();
    last.extent = roundUp(inner.getSize(), shape.lanes);
    // (A preference without a width asks for contiguous lanes alone.)
    bool strips = inner.getName() == preference.label && preference.width;
    if (strips)
      last.extent = roundUp(inner.getSize(), preference.width);
    stride = last.extent;
    if (strips && !rows.empty() && last.extent > preference.width) {
      last.block = preference.width;
      stride = preference.width;
    }
  }
  SmallVector<Dim> dims;
  for (ssm::AxisAttr axis : llvm::reverse(rows)) {
    dims.push_back({axis.getName(), axis.getSize(), stride});
    stride *= axis.getSize();
  }
  if (last.block) {
    last.blockStride = stride;
    stride *= last.extent / last.block;
  }
  for (ssm::AxisAttr axis : llvm::reverse(times)) {
    dims.push_back({axis.getName(), axis.getSize(), stride});
    stride *= axis.getSize();
  }
  buffer.dims.assign(dims.rbegin(), dims.rend());
  if (inner)
    buffer.dims.push_back(last);
  buffer.offset = reserve(*this, place, stride);
  return buffer;
}

Buffer Emitter::makeScratch(ssm::ArrayType type, const Point& point) {
  Buffer buffer;
  buffer.element = type.getElementType();
  buffer.storage = storageOf(b, type);
  int64_t stride = 1;
  SmallVector<Dim> dims;
  for (ssm::AxisAttr axis : type.getAxes())
    if (const Index* index = point.find(axis.getName()); index && index->lane) {
      int64_t width = point.parts * shape.lanes;
      dims.push_back({axis.getName(), width, 1, Value(), 0, 0, /*relative=*/true});
      stride = width;
    }
  // Without the lane label, the last label is contiguous.
  for (ssm::AxisAttr axis : llvm::reverse(type.getAxes())) {
    const Index* index = point.find(axis.getName());
    if (index && index->lane)
      continue;
    int64_t extent = stride == 1 ? roundUp(axis.getSize(), shape.lanes) : axis.getSize();
    dims.push_back({axis.getName(), extent, stride});
    stride *= extent;
  }
  buffer.dims.assign(dims.rbegin(), dims.rend());
  buffer.offset = reserve(*this, Buffer::Place::Temp, stride);
  return buffer;
}

Buffer Emitter::makePanel(ssm::ArrayType type, StringRef lane, int64_t width) {
  Buffer buffer;
  buffer.element = type.getElementType();
  buffer.storage = storageOf(b, type);
  SmallVector<Dim> dims;
  int64_t stride = width;
  for (ssm::AxisAttr axis : llvm::reverse(type.getAxes())) {
    if (axis.getName() == lane)
      continue;
    // Room for whole vectors along any label: a transposition writes them.
    dims.push_back({axis.getName(), axis.getSize(), stride});
    stride *= roundUp(axis.getSize(), shape.lanes);
  }
  buffer.dims.assign(dims.rbegin(), dims.rend());
  int64_t extent = roundUp(type.find(lane).getSize(), shape.lanes);
  Dim last{lane, extent, 1};
  last.block = width;
  last.blockStride = stride;
  buffer.dims.push_back(last);
  buffer.offset = reserve(*this, Buffer::Place::Temp, stride * (roundUp(extent, width) / width));
  return buffer;
}

Buffer Emitter::makePairs(ssm::ArrayType type, StringRef label, StringRef reduced, int64_t strip) {
  Buffer buffer;
  buffer.element = buffer.storage = b.getI32Type();
  // Whole blocks of 16 positions and of 16 pairs: those that do not exist are zeros along the sum.
  int64_t pairs = roundUp(type.find(reduced).getSize(), 32) / 2,
          extent = roundUp(type.find(label).getSize(), 16);
  Dim along{label, extent, pairs}, summed{reduced, pairs, 1};
  if (strip) {
    along = {label, extent, 1};
    along.block = strip;
    along.blockStride = pairs * strip;
    extent = roundUp(extent, strip);
    summed.stride = strip;
  }
  int64_t stride = extent * pairs;
  for (ssm::AxisAttr axis : llvm::reverse(type.getAxes())) {
    if (axis.getName() == label || axis.getName() == reduced)
      continue;
    buffer.dims.push_back({axis.getName(), axis.getSize(), stride});
    stride *= axis.getSize();
  }
  buffer.dims.push_back(summed);
  buffer.dims.push_back(along);
  buffer.offset = reserve(*this, Buffer::Place::Temp, stride);
  return buffer;
}

bool ssmc::cpu::isFlat(Operation* op) {
  return isa_and_nonnull<ssm::FlattenOp, ssm::UnflattenOp>(op);
}

/// The buffer with one label as two: the inner one runs through it, the outer one
/// in steps of its extent.
static Buffer splitLabel(Buffer buffer, StringRef flat, ssm::AxisAttr outer, ssm::AxisAttr inner) {
  auto found = llvm::find_if(buffer.dims, [&](const Dim& dim) { return dim.label == flat; });
  Dim steps = *found, micro = *found;
  steps.label = outer.getName();
  steps.extent = outer.getSize();
  steps.stride = found->stride * inner.getSize();
  micro.label = inner.getName();
  micro.extent = inner.getSize();
  *found = micro;
  buffer.dims.insert(found, steps);
  return buffer;
}

Item Emitter::makeFlat(Operation* op) {
  Item item{op->getResult(0), false, true, /*defines=*/true};
  // (Without a preference there are no strips, so that a position is one product away.)
  if (auto flatten = dyn_cast<ssm::FlattenOp>(op)) {
    ssm::ArrayType type = flatten.getOperand().getType();
    item.view = makeBuffer(flatten.getType(), Buffer::Place::Temp, {});
    item.target = splitLabel(*item.view, flatten.getAxis().getName(), type.find(flatten.getOuter()),
                             type.find(flatten.getInner()));
    return item;
  }
  auto unflatten = cast<ssm::UnflattenOp>(op);
  item.target = makeBuffer(unflatten.getOperand().getType(), Buffer::Place::Temp, {});
  item.view =
      splitLabel(item.target, unflatten.getLabel(), unflatten.getOuter(), unflatten.getInner());
  return item;
}

StringRef Emitter::stateLane(ssm::ArrayType type) const {
  StringRef best;
  std::tuple<int64_t, int64_t> bestScore{-1, -1};
  for (ssm::AxisAttr axis : type.getAxes()) { // Of equals the last, as for what is added to it.
    std::tuple<int64_t, int64_t> score{readAlong.lookup(axis.getName()), axis.getSize()};
    if (score >= bestScore) {
      best = axis.getName();
      bestScore = score;
    }
  }
  return best;
}

/// Hands the lane label of each fold to what it reads, carries and stacks.
void Emitter::choosePreferences(Operation* kernel) {
  auto prefer = [&](Value value, LanePreference lane, bool overrides = false) {
    if (lane.label.empty() || !arrayType(value).has(lane.label))
      return false;
    if (overrides || !preferences.contains(value)) {
      bool changed = preferences.lookup(value).label != lane.label;
      preferences[value] = lane;
      return changed;
    }
    return false;
  };
  // Grams write vectors of columns, applies along what varies over the decay.
  kernel->walk([&](ssm::ApplyOp apply) { prefer(apply.getResult(), {applyLane(apply), 0}); });
  kernel->walk([&](ssm::GramOp gram) { prefer(gram.getResult(), {gram.getColumns(), 0}); });
  kernel->walk([&](ssm::FoldOp fold) {
    if (isa<ssm::FoldOp>(fold->getParentOp()))
      return;
    LanePreference lane = chooseFoldLane(fold, shape);
    foldLanes[fold] = lane;
    for (Value value : fold->getOperands())
      prefer(value, lane);
    for (Value value : fold->getResults())
      prefer(value, lane);
    fold.getBody().walk([&](Operation* op) {
      for (Value operand : op->getOperands())
        if (!fold->isAncestor(operand.getParentBlock()->getParentOp()))
          prefer(operand, lane);
    });
  });
  // States are read by products in panels; what a product makes has its lanes contiguous.
  kernel->walk([&](Operation* op) {
    auto found = products.find(op);
    if (found == products.end())
      return;
    const Product& product = found->second;
    ssm::AxisAttr axis = arrayType(product.right).find(product.lane);
    LanePreference lane{product.lane, tileFor(axis.getSize()).parts * shape.lanes};
    // A state that is read both ways is transposed for some: all that is added to it
    // lies as it does.
    bool isState =
        isa<BlockArgument>(product.right) && stateLane(arrayType(product.right)) == product.lane;
    if (isState || persistent.contains(product.right))
      prefer(product.right, lane);
    prefer(op->getResult(0), lane);
  });
  // A sum outside of folds runs along a label that it keeps: what is kept for a whole sequence, or
  // made for it, has that label contiguous.
  kernel->walk([&](Operation* op) {
    if (!isReduction(op) || products.contains(op) || op->getParentOfType<ssm::FoldOp>())
      return;
    StringRef lane;
    int64_t extent = 0;
    for (ssm::AxisAttr axis : arrayType(op->getResult(0)).getAxes()) {
      auto sequence = op->getParentOfType<tile::SequenceOp>();
      bool isTime = sequence && sequence.getAxis().getName() == axis.getName();
      if (!isTime && axis.getSize() > extent) {
        lane = axis.getName();
        extent = axis.getSize();
      }
    }
    SmallVector<Value> work{op->getOperand(0)};
    DenseSet<Value> seen;
    while (!work.empty() && extent >= shape.lanes) {
      Value value = work.pop_back_val();
      if (!seen.insert(value).second || !value.getDefiningOp())
        continue;
      if (persistent.contains(value))
        prefer(value, {lane, 0});
      else if (!isa<ssm::FoldOp, tile::SequenceOp>(value.getDefiningOp()))
        llvm::append_range(work, value.getDefiningOp()->getOperands());
    }
  });
  // Carried values share one buffer with what they start from and become.
  for (bool changed = true; changed;) {
    changed = false;
    kernel->walk([&](tile::SequenceOp sequence) {
      for (auto [i, argument] : llvm::enumerate(sequence.getBlock()->getArguments())) {
        Value group[] = {argument, sequence.getInits()[i], sequence.getResults()[i],
                         sequence.getYield().getValues()[i]};
        for (Value from : group)
          if (preferences.contains(from))
            for (Value to : group)
              if (!preferences.contains(to))
                changed |= prefer(to, preferences[from]);
      }
    });
    // What a value is computed from, position by position, should lie alike.
    kernel->walk([&](Operation* op) {
      if (op->getNumResults() != 1 || isWhole(op) || isa<tile::SequenceOp>(op) ||
          op->getParentOfType<ssm::FoldOp>())
        return;
      if (preferences.contains(op->getResult(0)) && !isa<ssm::RelabelOp>(op))
        for (Value operand : op->getOperands())
          if (isa<ssm::ArrayType>(operand.getType()) && !preferences.contains(operand))
            changed |= prefer(operand, preferences[op->getResult(0)]);
    });
  }
}
