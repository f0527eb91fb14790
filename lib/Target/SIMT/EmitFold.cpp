// Folds: step by step, by each thread for itself or by the whole block.
//
// Labels that a fold's body neither reduces nor renames stand for folds side by side: they are
// dealt out to the threads, and each runs all steps alone, with what is carried in registers (a
// *private* fold). The other labels of what it carries are held by each thread, position by
// position. Where that takes too many registers, or too few threads would have work, the block goes
// through the steps together and what is carried lies in memory (a *shared* fold).
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Ops that all steps may unroll to, and those of which positions rule most out.
static constexpr int64_t mostWritten = 1500, mostTriangular = 30000;
/// Ops of folds of which a kernel may have many.
static constexpr int64_t mostShort = 2000;
/// Stacked elements that wait in registers to be written.
static constexpr size_t mostWaiting = 64;
/// Steps of a fold that are written out where not all are, and the ops of these.
static constexpr int64_t mostTogether = 8, mostWrittenTogether = 96;

//===-- how the labels of a fold are dealt with ----------------------------------------------===//

bool FoldLabels::isDealt(StringRef label) const {
  return llvm::any_of(dealt, [&](ssm::AxisAttr axis) { return axis.getName() == label; });
}

int64_t FoldLabels::count(Value value) const {
  int64_t count = 1;
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    count *= isDealt(axis.getName()) ? 1 : axis.getSize();
  return count;
}

FoldLabels simt::labelsOf(ssm::FoldOp fold) {
  FoldLabels labels;
  llvm::StringSet<> mixed = mixedLabels(fold), moved = mixedLabels(fold, /*reduced=*/false);
  for (Value value : fold.getYield().getValues())
    for (ssm::AxisAttr axis : arrayType(value).getAxes())
      if (!mixed.contains(axis.getName()) && !labels.isDealt(axis.getName()))
        labels.dealt.push_back(axis);
  for (Value init : fold.getInits()) {
    labels.held += labels.count(init);
    for (ssm::AxisAttr axis : arrayType(init).getAxes())
      if (!moved.contains(axis.getName()) && !labels.isDealt(axis.getName()) &&
          (!labels.longest || axis.getSize() > labels.longest.getSize()))
        labels.longest = axis;
  }
  fold.getBody().walk([&](Operation* op) {
    int64_t times = 1;
    for (Operation* parent = op->getParentOp(); parent != fold; parent = parent->getParentOp())
      if (auto nested = dyn_cast<ssm::FoldOp>(parent))
        times *= nested.getAxis().getSize();
    if (op->getNumResults())
      labels.ops += times * labels.count(isReduction(op) ? op->getOperand(0) : op->getResult(0));
  });
  return labels;
}

/// Whether threads can run folds of their own, and enough of them have one.
static bool isPrivate(const FoldLabels& labels, int64_t threads) {
  return labels.held <= mostCarried && labels.ops <= mostUnrolled &&
         (countOf(labels.dealt) * 4 >= threads || labels.ops <= fewUnrolled);
}

void KernelEmitter::emitFold(ssm::FoldOp fold) {
  if (HeldFold* held = heldFolds.lookup(fold))
    return emitPrivateFold(*held);
  FoldLabels labels = labelsOf(fold);
  if (!isPrivate(labels, limits.threads))
    return emitSharedFold(fold);
  HeldFold alone;
  alone.fold = fold;
  alone.dealt = std::move(labels.dealt);
  emitPrivateFold(alone);
}

/// Ops of a step of a private fold, and how many of them select.
std::pair<int64_t, int64_t> KernelEmitter::workOf(ssm::FoldOp fold) {
  int64_t work = 0, selects = 0;
  fold.getBody().walk([&](Operation* op) {
    if (op->getNumResults() == 0 || isa<ssm::AtOp>(op))
      return;
    int64_t count = 1;
    for (ssm::AxisAttr axis : heldAxes(isReduction(op) ? op->getOperand(0) : op->getResult(0)))
      count *= axis.getSize();
    work += count;
    selects += isa<ssm::SelectOp>(op) ? count : 0;
  });
  return {work, selects};
}

/// Whether all steps of a private fold are written out: where they are few and short, or where what
/// a step does depends on positions alone, so that much of it vanishes (a triangular system).
bool KernelEmitter::unrolls(ssm::FoldOp fold) {
  if (isPartial(fold.getAxis().getName()))
    return false;
  auto [work, selects] = workOf(fold);
  int64_t all = work * fold.getAxis().getSize();
  // (Where a thread has one element of all, no two steps share what they read, and reads of many
  // steps are not put before the first of these by assemblers.)
  if (fold.getAxis().getSize() > mostTogether && stepsTogether(fold) == mostTogether)
    return false;
  if (all > (selects * 4 >= work ? mostTriangular : mostWritten))
    return false;
  if (all > mostShort)
    return true;
  if (written + all > mostInAll)
    return false;
  written += all;
  return true;
}

/// How many steps of a private fold are written out one after the other in a round of its loop:
/// what they read they read before the first of them is written.
int64_t KernelEmitter::stepsTogether(ssm::FoldOp fold) {
  ssm::AxisAttr steps = fold.getAxis();
  // (A thread that has several elements of what is carried has enough to do in a step.)
  bool isOne = llvm::all_of(fold.getBlock()->getArguments(),
                            [&](Value carried) { return heldAxes(carried).empty(); });
  // (In f32 all else is in registers too, and this costs some: the gated Oja rule spilt 8 KB.)
  if (!roundsProducts || isPartial(steps.getName()) || heldFolds.contains(fold) || !isOne)
    return 1;
  int64_t work = workOf(fold).first, together = 1;
  while (2 * together <= mostTogether && steps.getSize() % (2 * together) == 0 &&
         2 * together * work <= mostWrittenTogether)
    together *= 2;
  return together;
}

//===-- private folds ------------------------------------------------------------------------===//

SmallVector<ssm::AxisAttr> KernelEmitter::heldAxes(Value value) {
  SmallVector<ssm::AxisAttr> axes;
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    if (!dealtLabels.contains(axis.getName()))
      axes.push_back(heldPart(axis));
  return axes;
}

Private KernelEmitter::evaluateAll(Value value, ArrayRef<ssm::AxisAttr> axes, const Point& point) {
  Private held{SmallVector<ssm::AxisAttr>(axes), {}};
  Type element = arrayType(value).getElementType();
  forHeld(axes, point, [&](const Point& at) {
    Value one = evaluate(value, at);
    if (one.getType() != element && element.isF32())
      one = one.getType().isInteger(1) ? arith::UIToFPOp::create(b, element, one).getResult()
                                       : arith::SIToFPOp::create(b, element, one).getResult();
    held.elements.push_back(one);
  });
  return held;
}

void KernelEmitter::emitPrivateFold(HeldFold& held) {
  ssm::FoldOp fold = held.fold;
  ArrayRef<ssm::AxisAttr> dealt = held.dealt;
  Scope scope(*this);
  auto savedPositions = foldPositions;
  auto savedPrivates = privates;
  InFold inside(*this, held);
  unsigned carriedCount = fold.getNumCarried();
  SmallVector<Buffer> targets;
  SmallVector<StringRef> order;
  for (ssm::AxisAttr axis : dealt)
    order.push_back(axis.getName());
  // What is held, by its number among what the fold carries.
  SmallVector<Private*> kept(fold.getNumResults());
  for (auto [entry, value] : llvm::zip(held.carried, held.values))
    kept[entry.second] = &value;
  for (auto [result, isHeld] : llvm::zip(fold.getResults(), kept))
    targets.push_back(result.use_empty() || isHeld ? Buffer()
                                                   : makeBuffer(arrayType(result), order));
  // Threads that stand for the same element leave it to the first of them.
  auto keep = [&](const Buffer& target, Value value, const Private& mine, const Point& point) {
    when(isFirstOf(held, value, point), [&] {
      size_t next = 0;
      forHeld(mine.axes, point, [&](const Point& at) { store(target, at, mine.elements[next++]); });
    });
  };
  ssm::AxisAttr steps = fold.getAxis();
  auto takeSteps = [&](const Point& point) {
    SmallVector<Value> inits;
    SmallVector<Private> carried;
    for (auto [i, argument, init] :
         llvm::enumerate(fold.getBlock()->getArguments(), fold.getInits())) {
      carried.push_back(kept[i] ? *kept[i] : evaluateAll(init, heldAxes(argument), point));
      llvm::append_range(inits, carried.back().elements);
    }
    auto hold = [&](ValueRange values) {
      size_t next = 0;
      for (auto [i, held] : llvm::enumerate(carried))
        for (Value& element : held.elements)
          element = values[next++];
    };
    // What steps stack is written for many steps at once: reads that follow a write wait for it.
    struct Stacked {
      size_t result;
      Private held;
      Point point;
    };
    std::vector<Stacked> later;
    size_t waiting = 0;
    auto keepAll = [&] {
      for (Stacked& one : later)
        keep(targets[one.result], fold.getYield().getValues()[one.result], one.held, one.point);
      later.clear();
      waiting = 0;
    };
    auto takeStep = [&](Index at, ValueRange values) {
      foldPositions[steps.getName()] = at;
      hold(values);
      // What folds inside hold is of one step.
      auto outside = privates;
      for (auto [argument, held] : llvm::zip(fold.getBlock()->getArguments(), carried))
        privates[argument.getAsOpaquePointer()] = held;
      SmallVector<Value> next;
      SmallVector<Private> stacks;
      for (auto [i, value] : llvm::enumerate(fold.getYield().getValues())) {
        if (i >= carriedCount && fold.getResult(i).use_empty()) {
          stacks.emplace_back();
          continue;
        }
        Private held = evaluateAll(value, heldAxes(value), point);
        if (i < carriedCount)
          llvm::append_range(next, held.elements);
        stacks.push_back(std::move(held));
      }
      Point here = point;
      here.set(steps.getName(), at);
      for (size_t i = carriedCount; i < stacks.size(); ++i)
        if (!fold.getResult(i).use_empty()) {
          waiting += stacks[i].elements.size();
          later.push_back({i, std::move(stacks[i]), here});
        }
      if (waiting >= mostWaiting)
        keepAll();
      privates = std::move(outside);
      return next;
    };
    SmallVector<Value> last;
    if (unrolls(fold)) {
      last = inits;
      for (int64_t i = 0; i < steps.getSize(); ++i) {
        Scope step(*this);
        last = takeStep({Value(), fold.getReverse() ? steps.getSize() - 1 - i : i}, last);
      }
      keepAll();
    } else {
      Value count = extentOf(steps.getName(), steps.getSize());
      int64_t together = stepsTogether(fold);
      last = loop(i32(0), count, i32(together), inits, [&](Value step, ValueRange values) {
        Value first = step;
        if (fold.getReverse())
          first = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i32(1)), step);
        SmallVector<Value> next(values);
        for (int64_t i = 0; i < together; ++i) {
          Scope one(*this);
          next = takeStep({first, fold.getReverse() ? -i : i}, next);
        }
        keepAll();
        return next;
      });
    }
    hold(last);
    SmallVector<Value> next;
    for (auto [i, held] : llvm::enumerate(carried))
      if (!kept[i] && !fold.getResult(i).use_empty())
        keep(targets[i], fold.getInits()[i], held, point);
    for (auto [number, place] : held.carried)
      llvm::append_range(next, carried[place].elements);
    return next;
  };
  if (held.carried.empty()) {
    deal(dealt, [&](const Point& point) { takeSteps(point); });
  } else {
    auto take = [&] { return takeSteps(heldPoint(held)); };
    SmallVector<Value> before = held.elements(), after;
    if (Value mine = holds(held))
      after = choose(mine, take, [&] { return before; });
    else
      after = take();
    size_t next = 0;
    for (Private& one : held.values)
      for (Value& element : one.elements)
        element = after[next++];
  }
  for (auto [result, target, isHeld] : llvm::zip(fold.getResults(), targets, kept))
    if (!result.use_empty() && !isHeld)
      buffers[result] = target;
  foldPositions = std::move(savedPositions);
  privates = std::move(savedPrivates);
}

/// A fold inside a private one: its steps one after the other, its results held.
void KernelEmitter::unrollFold(ssm::FoldOp fold, const Point& point) {
  ssm::AxisAttr steps = fold.getAxis();
  auto saved = foldPositions;
  unsigned carriedCount = fold.getNumCarried();
  SmallVector<Private> carried;
  for (auto [argument, init] : llvm::zip(fold.getBlock()->getArguments(), fold.getInits()))
    carried.push_back(evaluateAll(init, heldAxes(argument), point));
  // Stacked values, step by step.
  SmallVector<SmallVector<Private>> stacks(fold.getNumResults() - carriedCount,
                                           SmallVector<Private>(steps.getSize()));
  for (int64_t i = 0; i < steps.getSize(); ++i) {
    int64_t at = fold.getReverse() ? steps.getSize() - 1 - i : i;
    foldPositions[steps.getName()] = {Value(), at};
    Scope scope(*this);
    auto outside = privates;
    for (auto [argument, held] : llvm::zip(fold.getBlock()->getArguments(), carried))
      privates[argument.getAsOpaquePointer()] = held;
    SmallVector<Private> next;
    for (auto [j, value] : llvm::enumerate(fold.getYield().getValues())) {
      Private held = evaluateAll(value, heldAxes(value), point);
      if (j < carriedCount)
        next.push_back(std::move(held));
      else
        stacks[j - carriedCount][at] = std::move(held);
    }
    carried = std::move(next);
    privates = std::move(outside);
  }
  foldPositions = saved;
  for (auto [j, result] : llvm::enumerate(fold.getResults())) {
    Private& held = privates[result.getAsOpaquePointer()];
    if (j < carriedCount) {
      held = carried[j];
      continue;
    }
    SmallVector<Private>& parts = stacks[j - carriedCount];
    held.axes = {steps};
    llvm::append_range(held.axes, parts.front().axes);
    held.elements.clear();
    for (Private& part : parts)
      llvm::append_range(held.elements, part.elements);
  }
}

//===-- shared folds -------------------------------------------------------------------------===//

void KernelEmitter::emitSharedFold(ssm::FoldOp fold) {
  ssm::AxisAttr steps = fold.getAxis();
  unsigned carriedCount = fold.getNumCarried();
  ValueRange yields = fold.getYield().getValues();
  SmallVector<Result> carried =
      emitCarried(fold.getBlock(), fold.getInits(), fold.getResults().take_front(carriedCount),
                  yields.take_front(carriedCount));
  SmallVector<Result> stacked;
  for (size_t i = carriedCount; i < yields.size(); ++i)
    if (!fold.getResult(i).use_empty())
      stacked.push_back({yields[i], makeBuffer(arrayType(fold.getResult(i))), steps.getName()});
  auto saved = foldPositions;
  enterLoop();
  Value count = extentOf(steps.getName(), steps.getSize());
  loop(i32(0), count, i32(1), {}, [&](Value step, ValueRange) {
    Value at = step;
    if (fold.getReverse())
      at = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i32(1)), step);
    foldPositions[steps.getName()] = {at, 0};
    emitBlock(fold.getBlock(), carried, stacked);
    return SmallVector<Value>();
  });
  leaveLoop();
  foldPositions = saved;
  size_t next = 0;
  for (size_t i = carriedCount; i < yields.size(); ++i)
    if (!fold.getResult(i).use_empty())
      buffers[fold.getResult(i)] = stacked[next++].target;
}
