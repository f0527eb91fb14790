// Folds: strips of the free label outside, steps inside, the state resident.
//
// A label that nothing in the fold reduces or renames is free: the fold is a bundle of independent
// folds along it. Lanes run along a free label, and it is cut into strips narrow enough that a
// strip's state stays in the first-level cache for all steps of a tile. Without such a label the
// steps run once, over whole arrays.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// The width of a strip: few registers wasted on padding, and a state strip within 32 KiB.
static int64_t stripWidth(int64_t extent, int64_t rows, Shape shape) {
  int64_t vectors = roundUp(extent, shape.lanes) / shape.lanes;
  int64_t most = shape.registers >= 32 ? 4 : 2;
  int64_t best = 1;
  double bestCost = 1e30;
  for (int64_t parts = 1; parts <= most; ++parts) {
    if (parts > 1 && rows * parts * shape.lanes * 4 > 32768)
      break;
    double cost = double(roundUp(vectors, parts)) * (1.0 + 0.5 / parts);
    if (cost < bestCost) {
      bestCost = cost;
      best = parts;
    }
  }
  return best * shape.lanes;
}

LanePreference ssmc::cpu::chooseFoldLane(ssm::FoldOp fold, Shape shape) {
  LanePreference best;
  int64_t bestExtent = 1, bestRows = 1;
  for (BlockArgument carried : fold.getBlock()->getArguments())
    for (ssm::AxisAttr axis : arrayType(carried).getAxes()) {
      StringRef label = axis.getName();
      bool isFree = llvm::all_of(fold.getBlock()->getArguments(),
                                 [&](BlockArgument other) { return arrayType(other).has(label); });
      fold.getBody().walk([&](Operation* op) {
        if (isReduction(op))
          isFree &= !llvm::is_contained(reducedLabels(op), label);
        else if (auto relabel = dyn_cast<ssm::RelabelOp>(op))
          isFree &= !llvm::is_contained(ssm::strings(relabel.getFrom()), label) &&
                    !llvm::is_contained(ssm::strings(relabel.getTo()), label);
        else if (auto inner = dyn_cast<ssm::FoldOp>(op))
          isFree &= inner.getAxis().getName() != label &&
                    llvm::all_of(inner.getInits().getTypes(),
                                 [&](Type type) { return cast<ssm::ArrayType>(type).has(label); });
      });
      int64_t rows = arrayType(carried).getNumElements() / std::max<int64_t>(axis.getSize(), 1);
      if (!isFree || axis.getSize() < bestExtent || (axis.getSize() == bestExtent && best.width))
        continue;
      best.label = label;
      best.width = 1;
      bestExtent = axis.getSize();
      bestRows = rows;
    }
  if (best.width)
    best.width = stripWidth(bestExtent, bestRows, shape);
  return best;
}

Lanes Emitter::asLanes(Lanes value, ssm::ArrayType type, const Point& point, StringRef lane) {
  if (lane.empty() || !type.has(lane) || value.isVector())
    return value;
  Value vector = splat(value.parts[0], VectorType::get({shape.lanes}, b.getF32Type()));
  return {SmallVector<Value, 4>(point.parts, vector)};
}

/// Whether the buffer of a fold's initial value may be overwritten by the fold.
static bool ownsInit(ssm::FoldOp fold, unsigned index) {
  Value init = fold.getInits()[index];
  if (!init.hasOneUse())
    return false;
  auto argument = dyn_cast<BlockArgument>(init);
  if (!argument)
    return true;
  // A value carried by a loop around: in place if the fold's result is what it carries on.
  Value result = fold.getResults()[index];
  Operation* yield = argument.getOwner()->getTerminator();
  if (argument.getOwner() != fold->getBlock())
    return false;
  return yield->getOperand(argument.getArgNumber()) == result;
}

/// The value carried by the fold around that a nested fold may work on in place: it reaches the
/// initial value through pointwise ops alone, nobody else reads it, and the result replaces it.
static Value carriedThrough(ssm::FoldOp fold, unsigned index) {
  auto outer = dyn_cast<ssm::FoldOp>(fold->getParentOp());
  if (!outer)
    return {};
  for (BlockArgument argument : outer.getBlock()->getArguments()) {
    if (outer.getYield().getValues()[argument.getArgNumber()] != fold.getResult(index))
      continue;
    Value value = argument;
    while (value != fold.getInits()[index]) {
      if (!value.hasOneUse())
        return {};
      Operation* user = *value.user_begin();
      if (user->getBlock() != fold->getBlock() || user->getNumRegions() || isReduction(user) ||
          user->getNumResults() != 1 || isa<ssm::RelabelOp, ssm::AtOp>(user) ||
          arrayType(user->getResult(0)) != arrayType(argument))
        return {};
      value = user->getResult(0);
    }
    return value.hasOneUse() ? argument : Value();
  }
  return {};
}

void Emitter::placeFold(ssm::FoldOp fold, const Point& point, Between inside, bool nested) {
  StringRef label = fold.getAxis().getName();
  auto makeFor = [&](Value value, StringRef time) {
    if (nested && !inside.lane.empty())
      return makeScratch(arrayType(value), point);
    auto place = persistent.contains(value) ? Buffer::Place::Item : Buffer::Place::Temp;
    return makeBuffer(arrayType(value), place, preferences.lookup(value), time);
  };
  for (auto [index, argument] : llvm::enumerate(fold.getBlock()->getArguments())) {
    Value init = fold.getInits()[index], result = fold.getResults()[index];
    bool inRegisters = inside.holds(arrayType(argument));
    if (nested && inRegisters)
      continue;
    auto found = buffers.find(init);
    bool inPlace = found != buffers.end() && found->second.place != Buffer::Place::User &&
                   ownsInit(fold, index);
    Value outer = inRegisters ? Value() : carriedThrough(fold, index);
    Buffer target = inPlace ? found->second
                    : outer ? buffers.find(outer)->second
                            : makeFor(result, {});
    if (!inRegisters) {
      if (!inPlace && outer != init) {
        Nest nest;
        for (ssm::AxisAttr axis : arrayType(init).getAxes())
          if (!point.find(axis.getName()))
            nest.space.push_back(axis.getName());
        nest.items = {{init, false, true, false, target}};
        emitNest(nest, point);
      }
      buffers[argument] = target;
    }
    buffers[result] = target;
  }
  for (Value result : fold.getResults().drop_front(fold.getNumCarried()))
    if (!result.use_empty())
      buffers[result] = makeFor(result, label);
}

void Emitter::emitFold(ssm::FoldOp fold, const Point& point, Between between) {
  bool nested = isa<ssm::FoldOp>(fold->getParentOp());
  LanePreference lane = nested ? LanePreference() : foldLanes.lookup(fold);
  Between inside = between;
  if (!lane.label.empty())
    inside.lane = lane.label;
  placeFold(fold, point, inside, nested);
  if (lane.label.empty()) {
    emitSteps(fold, point, inside);
    return;
  }
  int64_t extent = 0;
  for (BlockArgument argument : fold.getBlock()->getArguments())
    extent = arrayType(argument).find(lane.label).getSize();
  auto strip = [&](Index index) {
    Point inner = point;
    inner.set(lane.label, index);
    inner.parts = lane.width / shape.lanes;
    if (!emitBlocked(fold, inner, lane.label))
      emitSteps(fold, inner, inside);
  };
  if (extent <= lane.width) {
    Scope scope(*this);
    strip({Value(), 0, true, lane.width});
    return;
  }
  loop(i64(0), i64(extent), lane.width, {}, [&](Value index, ValueRange) {
    strip({index, 0, true, lane.width});
    return SmallVector<Value>();
  });
}

void Emitter::emitSteps(ssm::FoldOp fold, const Point& point, Between between) {
  StringRef label = fold.getAxis().getName();
  auto isRegister = [&](unsigned index) {
    return between.holds(arrayType(fold.getBlock()->getArgument(index)));
  };
  unsigned carried = fold.getNumCarried();
  SmallVector<Value> inits;
  SmallVector<int64_t> widths(carried, 0);
  for (unsigned i = 0; i < carried; ++i)
    if (isRegister(i)) {
      auto type = arrayType(fold.getBlock()->getArgument(i));
      Lanes value = asLanes(evaluate(fold.getInits()[i], point), type, point, between.lane);
      widths[i] = value.parts.size();
      inits.append(value.parts.begin(), value.parts.end());
    }
  auto unpack = [&](ValueRange values) {
    SmallVector<Lanes> result(carried);
    size_t next = 0;
    for (unsigned i = 0; i < carried; ++i)
      for (int64_t part = 0; part < widths[i]; ++part)
        result[i].parts.push_back(values[next++]);
    return result;
  };
  Value count = extentOf(label, fold.getAxis().getSize());
  SmallVector<Value> last =
      loop(i64(0), count, 1, inits, [&](Value counter, ValueRange values) -> SmallVector<Value> {
        Value position = counter;
        if (fold.getReverse())
          position = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i64(1)), counter);
        auto savedBuffers = buffers;
        auto savedBound = bound;
        auto savedPositions = foldPositions;
        foldPositions[label] = {position};
        for (auto [i, lanes] : llvm::enumerate(unpack(values)))
          if (widths[i])
            bound[fold.getBlock()->getArgument(i)] = lanes;
        Point inner = point;
        inner.set(label, {position});
        askAhead(fold, point, counter);
        emitStep(fold, inner, between);
        SmallVector<Value> next;
        for (unsigned i = 0; i < carried; ++i)
          if (widths[i]) {
            auto type = arrayType(fold.getBlock()->getArgument(i));
            Lanes value =
                asLanes(evaluate(fold.getYield().getValues()[i], inner), type, inner, between.lane);
            next.append(value.parts.begin(), value.parts.end());
          }
        buffers = std::move(savedBuffers);
        bound = std::move(savedBound);
        foldPositions = std::move(savedPositions);
        return next;
      });
  for (auto [i, lanes] : llvm::enumerate(unpack(last))) {
    if (!widths[i])
      continue;
    Value result = fold.getResults()[i];
    if (auto found = buffers.find(result); found != buffers.end())
      store(found->second, point, lanes);
    else
      bound[result] = lanes;
  }
}

void Emitter::emitStep(ssm::FoldOp fold, const Point& point, Between between) {
  ssm::YieldOp yield = fold.getYield();
  unsigned carried = fold.getNumCarried();
  SmallVector<Item> roots;
  SmallVector<unsigned> inRegisters;
  for (auto [i, value] : llvm::enumerate(yield.getValues())) {
    Value argument = i < carried ? Value(fold.getBlock()->getArgument(i)) : Value();
    if (value == argument || (i >= carried && fold.getResult(i).use_empty()))
      continue;
    bool isRegister = between.holds(arrayType(value));
    if (isRegister) {
      inRegisters.push_back(i);
      // What the value needs of finished reductions must be planned for.
      roots.push_back({value, false, false});
      continue;
    }
    Item item{value, false, true, /*defines=*/i < carried};
    item.target = buffers.find(i < carried ? argument : Value(fold.getResult(i)))->second;
    item.overwrites = argument;
    roots.push_back(item);
  }
  SmallVector<Operation*> ops;
  for (Operation& op : fold.getBlock()->without_terminator())
    ops.push_back(&op);
  emitBlock(ops, roots, point, between);
  for (unsigned i : inRegisters)
    if (i >= carried) {
      Value value = yield.getValues()[i];
      Lanes lanes = asLanes(evaluate(value, point), arrayType(value), point, between.lane);
      store(buffers.find(fold.getResult(i))->second, point, lanes);
    }
}
