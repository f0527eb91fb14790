// Plans a block: what is computed where it is used, what goes to memory, which nests there are.
//
// Ops are grouped into nests by dependence alone. A nest loops over the labels of its values; a
// value that needs a finished reduction of some nest belongs to a later one. The number of finished
// reductions (or folds) that a value waits for, one after the other, is its stage. Values of one
// stage with the same labels, of the same sizes, share a nest. A value that a later nest needs
// again is computed again, unless that is expensive: then the first nest leaves it in a buffer.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

bool Emitter::isLeaf(Value value) {
  return bound.contains(value) || buffers.contains(value);
}

static bool isRenaming(Operation* op) {
  return isa<ssm::AtOp, ssm::RelabelOp, ssm::BroadcastOp, ssm::ConstantOp>(op);
}

namespace {
/// What a plan knows of the ops of one block.
struct Plan {
  Plan(Emitter& e, const Point& point, Between between) : e(e), point(point), between(between) {}

  Emitter& e;
  const Point& point;
  Between between;
  llvm::SetVector<Operation*> ops;
  llvm::SetVector<Operation*> needed;
  DenseMap<Operation*, int64_t> stages;
  DenseSet<Value> kept;                            ///< values that get a buffer
  SmallVector<std::pair<Operation*, Value>> ahead; ///< evaluated in registers before a fold
  SmallVector<Nest> nests;

  bool isInline(Value value) {
    Operation* op = value.getDefiningOp();
    return op && ops.contains(op) && !e.isLeaf(value) && !e.isWhole(op) && !isFlat(op) &&
           !isa<tile::LoadOp>(op) && !(isReduction(op) && !e.isUnrolled(op));
  }
  void need(Value value);
  void needCaptured(Operation* fold, Value value);
  void needWhole(Operation* op);
  void keepOperand(Value value);
  int64_t stageOf(Value value);
  void collect(Value value, llvm::SetVector<Value>& seen);
  bool renames(Value value, Value leaf, DenseSet<Value>& seen, bool renamed);
  SmallVector<StringRef> free(ssm::ArrayType type);
  void addItem(Item item, int64_t stage);
};
} // namespace

/// Labels that are not fixed by the point.
SmallVector<StringRef> Plan::free(ssm::ArrayType type) {
  SmallVector<StringRef> labels;
  for (ssm::AxisAttr axis : type.getAxes())
    if (!point.find(axis.getName()))
      labels.push_back(axis.getName());
  return labels;
}

bool Emitter::isUnrolled(Operation* op) {
  if (!isReduction(op))
    return false;
  int64_t count = 1;
  auto type = arrayType(op->getOperand(0));
  for (StringRef label : reducedLabels(op)) {
    count *= type.find(label).getSize();
    if (dynamicExtents.count(label))
      return false;
  }
  if (count > 8)
    return false;
  // Neither carried values, which change under it, nor anything expensive.
  SmallVector<Value> work{op->getOperand(0)};
  DenseSet<Value> seen;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Operation* def = value.getDefiningOp();
    if (!def)
      return false;
    if (isLeaf(value) || isa<ssm::AtOp, tile::LoadOp>(def))
      continue;
    if (isExpensive(def) || isWhole(def) || isFlat(def) || isReduction(def))
      return false;
    llvm::append_range(work, def->getOperands());
  }
  return true;
}

void Plan::need(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || !ops.contains(op) || e.isLeaf(value) || needed.contains(op))
    return;
  if (auto fold = dyn_cast<ssm::FoldOp>(op)) {
    for (Value init : fold.getInits())
      needCaptured(fold, init);
    fold.getBody().walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        if (operand.getDefiningOp() && ops.contains(operand.getDefiningOp()))
          needCaptured(fold, operand);
    });
  } else {
    for (Value operand : op->getOperands())
      need(operand);
    if (e.isWhole(op))
      needWhole(op);
    // (Computed twice, the same value may differ in its last bit.)
    if (comparesBits(op))
      for (Value operand : op->getOperands())
        keepOperand(operand);
  }
  needed.insert(op);
}

/// What an op reads again and again is computed once, before it.
void Plan::keepOperand(Value value) {
  while (isInline(value) && isa<ssm::RelabelOp>(value.getDefiningOp()))
    value = value.getDefiningOp()->getOperand(0);
  if (isInline(value) && !isRenaming(value.getDefiningOp()) &&
      !isa<ssm::PositionOp>(value.getDefiningOp()))
    kept.insert(value);
}

void Plan::needWhole(Operation* op) {
  if (auto found = e.products.find(op); found != e.products.end()) {
    keepOperand(found->second.left);
    // The right side is packed where it does not lie in panels; lanes of steps want
    // a transposition.
    if (e.dynamicExtents.count(found->second.lane))
      keepOperand(found->second.right);
    return;
  }
  auto solve = dyn_cast<ssm::SolveOp>(op);
  for (Value operand : solve ? solve.getLower() : op->getOperands())
    keepOperand(operand);
}

void Plan::needCaptured(Operation* fold, Value value) {
  need(value);
  Operation* op = value.getDefiningOp();
  if (!op || !isInline(value) || isa<ssm::ConstantOp>(op))
    return;
  auto type = arrayType(value);
  if (between.holds(type)) {
    ahead.push_back({fold, value});
    return;
  }
  bool isInit = llvm::is_contained(fold->getOperands(), value);
  if (isInit)
    return;
  // An outer product, or a decay for each element of a state: cheaper to compute than to read.
  int64_t count = free(type).size();
  if (isRenaming(op) || count > 2) {
    for (Value operand : op->getOperands())
      needCaptured(fold, operand);
    return;
  }
  kept.insert(value);
}

int64_t Plan::stageOf(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || !ops.contains(op) || e.isLeaf(value))
    return 0;
  int64_t stage = stages.lookup(op);
  return stage + (e.isWhole(op) || isFlat(op) || (isReduction(op) && !e.isUnrolled(op)));
}

/// The leaves and inline values that `value` is computed from.
void Plan::collect(Value value, llvm::SetVector<Value>& seen) {
  if (!seen.insert(value))
    return;
  Operation* op = value.getDefiningOp();
  if (!op || e.isLeaf(value) || e.isWhole(op) || isFlat(op) || isa<tile::LoadOp>(op) ||
      (ops.contains(op) && !isInline(value)))
    return;
  for (Value operand : op->getOperands())
    collect(operand, seen);
}

/// Whether `leaf` is read at another place than `value` is computed for.
bool Plan::renames(Value value, Value leaf, DenseSet<Value>& seen, bool renamed) {
  if (value == leaf)
    return renamed;
  Operation* op = value.getDefiningOp();
  if (!op || e.isLeaf(value) || (ops.contains(op) && !isInline(value)))
    return false;
  if (!renamed && !seen.insert(value).second)
    return false;
  renamed |= isa<ssm::RelabelOp, ssm::AtOp>(op) || isReduction(op);
  return llvm::any_of(op->getOperands(),
                      [&](Value operand) { return renames(operand, leaf, seen, renamed); });
}

/// Whether two types are as long along each of these labels: arrays of other sizes
/// may bear the same ones.
static bool sameSizes(ssm::ArrayType a, ssm::ArrayType b, ArrayRef<StringRef> labels) {
  return llvm::all_of(labels, [&](StringRef label) {
    return a.find(label).getExtent() == b.find(label).getExtent();
  });
}

void Plan::addItem(Item item, int64_t stage) {
  SmallVector<StringRef> space = free(arrayType(item.computed())), keeps;
  if (item.reduces) {
    keeps = free(arrayType(item.value));
    // A few positions of a kept label share one pass over the state, each with its accumulators.
    int64_t accumulators = point.parts;
    if (!between.lane.empty() && keeps.size() < space.size())
      for (StringRef label : SmallVector<StringRef>(keeps)) {
        int64_t extent = arrayType(item.value).find(label).getSize();
        if (accumulators * extent > e.shape.registers / 2)
          continue;
        accumulators *= extent;
        item.inner.push_back(label);
        llvm::erase(keeps, label);
        llvm::erase(space, label);
      }
  }
  for (Nest& nest : nests) {
    if (nest.whole || nest.stage != stage || nest.space != ArrayRef(space) ||
        !sameSizes(arrayType(nest.items.front().computed()), arrayType(item.computed()), space))
      continue;
    if (item.reduces && nest.reduces() && nest.kept != ArrayRef(keeps))
      continue;
    if (item.reduces)
      nest.kept.assign(keeps.begin(), keeps.end());
    nest.items.push_back(item);
    return;
  }
  Nest nest;
  nest.stage = stage;
  nest.space.assign(space.begin(), space.end());
  nest.kept.assign(keeps.begin(), keeps.end());
  nest.items.push_back(item);
  nests.push_back(nest);
}

void Emitter::emitBlock(ArrayRef<Operation*> opList, SmallVector<Item> roots, const Point& point,
                        Between between) {
  Plan plan(*this, point, between);
  plan.ops.insert(opList.begin(), opList.end());
  for (Operation* op : opList)
    if (auto store = dyn_cast<tile::StoreOp>(op)) {
      // A value for each step alone is computed in lanes first and then written step by step.
      auto type = store.getValue().getType();
      bool perStep = type.getRank() == 1 && dynamicExtents.count(type.getAxes()[0].getName());
      plan.need(store.getValue());
      if (perStep && plan.isInline(store.getValue()))
        plan.kept.insert(store.getValue());
    }
  for (Item& root : roots)
    plan.need(root.value);
  for (Operation* op : opList)
    if (plan.needed.contains(op))
      if (auto loadOp = dyn_cast<tile::LoadOp>(op); loadOp && !isLeaf(loadOp.getResult())) {
        if (loadOp.getOtherwise() && loadOp.getOtherwise().getType().isScalar())
          evaluate(loadOp.getOtherwise(), point);
        emitLoad(loadOp);
      }
  auto bufferFor = [&](Value value) {
    if (!between.lane.empty())
      return makeScratch(arrayType(value), point);
    auto place = persistent.contains(value) ? Buffer::Place::Item : Buffer::Place::Temp;
    return makeBuffer(arrayType(value), place, preferences.lookup(value));
  };
  for (Operation* op : opList) {
    if (!plan.needed.contains(op) || isa<tile::LoadOp>(op))
      continue;
    int64_t stage = 0;
    if (isWhole(op)) {
      op->walk([&](Operation* inner) {
        for (Value operand : inner->getOperands())
          stage = std::max(stage, plan.stageOf(operand));
      });
      plan.stages[op] = stage;
      auto alike = llvm::find_if(plan.nests, [&](const Nest& nest) {
        return nest.whole && nest.stage == stage && shareKeys(nest.whole, op);
      });
      if (alike != plan.nests.end()) {
        alike->beside.push_back(op);
        continue;
      }
      Nest nest;
      nest.stage = stage;
      nest.whole = op;
      plan.nests.push_back(nest);
      continue;
    }
    for (Value operand : op->getOperands())
      stage = std::max(stage, plan.stageOf(operand));
    plan.stages[op] = stage;
    Value value = op->getResult(0);
    if (isReduction(op) && !isUnrolled(op)) {
      Item item{value, /*reduces=*/true, /*toBuffer=*/!between.holds(arrayType(value)),
                /*defines=*/true};
      if (item.toBuffer)
        item.target = bufferFor(value);
      plan.addItem(item, stage);
    } else if (isFlat(op)) {
      plan.addItem(makeFlat(op), stage);
    } else if (plan.kept.contains(value)) {
      plan.addItem({value, false, true, /*defines=*/true, bufferFor(value)}, stage);
    }
  }
  for (Operation* op : opList)
    if (auto storeOp = dyn_cast<tile::StoreOp>(op))
      plan.addItem({storeOp.getValue(), false, true, false, storeTarget(storeOp)},
                   plan.stageOf(storeOp.getValue()));
  for (Item& root : roots)
    if (root.toBuffer)
      plan.addItem(root, plan.stageOf(root.value));

  // Expensive values that several nests compute are left in a buffer by the first.
  llvm::MapVector<Value, int64_t> users;
  for (Nest& nest : plan.nests) {
    llvm::SetVector<Value> seen;
    for (Item& item : nest.items)
      plan.collect(item.computed(), seen);
    if (nest.whole && !isa<ssm::FoldOp>(nest.whole))
      for (Operation* op : nest.wholes())
        for (Value operand : op->getOperands())
          plan.collect(operand, seen);
    for (Value value : seen)
      if (plan.isInline(value) && isExpensive(value.getDefiningOp()) &&
          !plan.kept.contains(value) && !plan.free(arrayType(value)).empty())
        ++users[value];
  }
  for (auto [value, count] : users)
    if (count > 1)
      plan.addItem({value, false, true, true, bufferFor(value)}, plan.stageOf(value));

  // Within a stage: nests that leave values for others first, folds and their like last.
  auto rank = [&](const Nest& nest) {
    bool defines = llvm::any_of(nest.items, [](const Item& item) { return item.defines; });
    return std::tuple(nest.stage, nest.whole ? 2 : defines ? 0 : 1, &nest - plan.nests.data());
  };
  SmallVector<std::tuple<int64_t, int, ptrdiff_t>> order;
  for (const Nest& nest : plan.nests)
    order.push_back(rank(nest));
  llvm::sort(order);
  SmallVector<Nest> sorted;
  for (auto [stage, kind, index] : order)
    sorted.push_back(plan.nests[index]);
  plan.nests = std::move(sorted);

  // A carried value may be overwritten in place unless somebody still reads the old one.
  SmallVector<Item> copies;
  for (auto [position, nest] : llvm::enumerate(plan.nests))
    for (Item& item : nest.items) {
      if (!item.overwrites)
        continue;
      bool readLater = false;
      for (auto [other, reader] : llvm::enumerate(plan.nests)) {
        if (other < position)
          continue;
        if (reader.whole && other > position) {
          for (Operation* op : reader.wholes())
            op->walk([&](Operation* inner) {
              for (Value operand : inner->getOperands()) {
                llvm::SetVector<Value> seen;
                plan.collect(operand, seen);
                readLater |= seen.contains(item.overwrites);
              }
            });
          continue;
        }
        for (Item& one : reader.items) {
          llvm::SetVector<Value> seen;
          plan.collect(one.computed(), seen);
          if (!seen.contains(item.overwrites))
            continue;
          DenseSet<Value> visited;
          readLater |=
              other > position || plan.renames(one.computed(), item.overwrites, visited, false);
        }
      }
      if (!readLater)
        continue;
      Item copy = item;
      copy.defines = false;
      copy.overwrites = {};
      copies.push_back(copy);
      item.target = between.lane.empty()
                        ? makeBuffer(arrayType(item.overwrites), Buffer::Place::Temp, {})
                        : makeScratch(arrayType(item.overwrites), point);
      item.defines = true;
    }

  DenseMap<Value, Buffer> shadows;
  SmallVector<double> shares;
  if (ahead.askFor && point.indices.empty())
    shares = shareOut(plan.nests);
  for (auto [position, nest] : llvm::enumerate(plan.nests)) {
    if (!shares.empty())
      ahead.share = {shares[position], shares[position + 1]};
    if (nest.whole && !isa<ssm::FoldOp>(nest.whole)) {
      for (Operation* op : nest.wholes())
        for (Value result : op->getResults())
          buffers[result] = bufferFor(result);
      emitWhole(nest.whole, nest.beside);
      continue;
    }
    if (nest.whole) {
      for (auto [fold, value] : plan.ahead)
        if (fold == nest.whole)
          evaluate(value, point);
      emitFold(cast<ssm::FoldOp>(nest.whole), point, between);
      continue;
    }
    // What already lies where it belongs need not be written.
    llvm::erase_if(nest.items, [&](Item& item) {
      auto found = buffers.find(item.value);
      return !item.reduces && found != buffers.end() && found->second.samePlace(item.target);
    });
    // A block argument stays what it is: only values of this block move to the buffer.
    SmallVector<std::pair<Value, Buffer>> keep;
    for (Item& item : nest.items)
      if (isa<BlockArgument>(item.value) && item.defines) {
        shadows[item.value] = item.target;
        item.defines = false;
      }
    if (!nest.items.empty())
      emitNest(nest, point);
  }
  for (Item& copy : copies) {
    Nest nest;
    nest.space = plan.free(arrayType(copy.value));
    nest.items = {copy};
    auto saved = buffers;
    if (auto found = shadows.find(copy.value); found != shadows.end())
      buffers[copy.value] = found->second;
    emitNest(nest, point);
    buffers = saved;
  }
}
