// What a fold carries from one tile of steps to the next, in registers.
//
// A recurrence taken step by step is a sequence of tiles whose body is a fold: the state comes into
// the fold from the sequence, and goes back to it. If threads run such folds side by side, each has
// the same part of the state in every tile, so it never lies in the block's memory: it is read from
// the caller's before the first tile and written there after the last.
//
// Labels that the fold sums over, and does nothing else with, may be shared: lanes of a warp hold
// some positions each, and exchange sums. That is what makes a state of 128 x 128 fit: 32 numbers
// in each of 512 threads in place of 128 in each of 128, which would be all registers there are.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Numbers of a state that a thread should hold, and the fewest for which lanes share it.
static constexpr int64_t wantedHeld = 64, fewestHeld = 8;
/// Positions of a shared label that a lane has side by side: 16 bytes of what lies in memory.
static constexpr int64_t vectorWidth = 4;

//===-- which fold, and how its work is dealt out --------------------------------------------===//

HeldFold simt::findHeldFold(tile::SequenceOp sequence) {
  HeldFold found;
  Block* block = sequence.getBlock();
  auto yield = cast<tile::YieldOp>(block->getTerminator());
  for (auto [i, argument, value] : llvm::enumerate(block->getArguments(), yield.getValues())) {
    auto fold = value.getDefiningOp<ssm::FoldOp>();
    if (!fold || fold->getBlock() != block || (found.fold && found.fold != fold) ||
        !value.hasOneUse() || !argument.hasOneUse())
      continue;
    unsigned number = cast<OpResult>(value).getResultNumber();
    if (number < fold.getNumCarried() && fold.getInits()[number] == argument) {
      found.fold = fold;
      found.carried.push_back({unsigned(i), number});
    }
  }
  return found;
}

/// Lanes that share the longest label, if folds are so many.
static int64_t chooseSharers(const FoldLabels& labels, int64_t dealt, int64_t threads,
                             int64_t lanes) {
  int64_t sharers = 1;
  // (Lanes exchange values, so that all of a warp have to come along.)
  for (int64_t more = 2; labels.longest && more <= lanes && dealt * more <= threads; more *= 2)
    if (dealt * more % lanes == 0 && labels.longest.getSize() % more == 0 &&
        labels.held / more >= fewestHeld)
      sharers = more;
  return sharers;
}

/// Whether threads have room for their parts, and enough of them have one.
static bool canHold(const FoldLabels& labels, int64_t dealt, int64_t sharers, int64_t threads) {
  return dealt <= threads && labels.held <= mostCarried * sharers &&
         labels.ops <= mostUnrolled * sharers &&
         (dealt * sharers * 2 >= threads || labels.ops <= fewUnrolled * sharers);
}

/// Registers of a processor, and those of a thread for all but what it holds and reads.
static constexpr int64_t registersOfProcessor = 65536, otherRegisters = 40, mostBlocks = 3,
                         longStep = 1500;

/// Blocks of a processor that its registers are for: a thread has what it holds and, one after the
/// other, about half of the elements along held labels that a step reads.
static int64_t chooseBlocks(ssm::FoldOp fold, const FoldLabels& labels, int64_t sharers,
                            int64_t threads) {
  llvm::SetVector<Value> read;
  fold.getBody().walk([&](Operation* op) {
    if (auto at = dyn_cast<ssm::AtOp>(op))
      read.insert(at.getResult());
    for (Value operand : op->getOperands())
      if (!isa<ssm::AtOp>(op) && !fold.getBody().isAncestor(operand.getParentRegion()))
        read.insert(operand);
  });
  int64_t elements = 0;
  for (Value value : read)
    if (int64_t count = labels.count(value); count > 1)
      elements += count;
  int64_t registers = (labels.held + elements / 2) / sharers + otherRegisters;
  int64_t blocks = llvm::divideNearest(registersOfProcessor, threads * registers);
  // (Of long steps more is on its way at a time than is held and read.)
  return labels.ops > longStep * sharers ? 1 : std::clamp<int64_t>(blocks, 1, mostBlocks);
}

SmallVector<Value> HeldFold::elements() const {
  SmallVector<Value> all;
  for (const Private& one : values)
    llvm::append_range(all, one.elements);
  return all;
}

bool simt::planHeldFold(HeldFold& held, int64_t threads, int64_t lanes) {
  FoldLabels labels = labelsOf(held.fold);
  int64_t dealt = countOf(labels.dealt);
  int64_t sharers = chooseSharers(labels, dealt, threads, lanes);
  held.dealt = labels.dealt;
  held.sharing = {};
  if (sharers > 1) {
    bool isWide = labels.longest.getSize() % (vectorWidth * sharers) == 0;
    held.sharing = {labels.longest.getName(), sharers, isWide ? vectorWidth : 1, {}};
  }
  held.blocks = chooseBlocks(held.fold, labels, sharers, threads);
  return canHold(labels, dealt, sharers, threads);
}

Slice simt::chooseHeldSlice(tile::KernelOp kernel, const Limits& limits, int64_t lanes) {
  Slice slice;
  HeldFold held;
  for (tile::SequenceOp sequence : kernel.getBlock()->getOps<tile::SequenceOp>())
    if (HeldFold one = findHeldFold(sequence); one.fold)
      held = one;
  if (!held.fold)
    return slice;
  FoldLabels labels = labelsOf(held.fold);
  llvm::StringSet<> mixed = mixedLabels(kernel);
  ssm::AxisAttr best;
  for (ssm::AxisAttr axis : labels.dealt)
    if (!mixed.contains(axis.getName()) && (!best || axis.getSize() > best.getSize()))
      best = axis;
  if (!best)
    return slice;
  int64_t sharers = 1;
  while (labels.longest && labels.held > wantedHeld * sharers && 2 * sharers <= lanes &&
         labels.longest.getSize() % (2 * sharers) == 0)
    sharers *= 2;
  slice.label = best.getName();
  slice.size = best.getSize();
  int64_t dealt = countOf(labels.dealt);
  auto isTooMuch = [&] {
    return dealt * sharers > limits.threads ||
           (slice.size / 2 >= fewestColumns && slice.leavesIdle(limits));
  };
  while (slice.size % 2 == 0 && isTooMuch()) {
    slice.halve();
    dealt /= 2;
  }
  // A fold that is not held in the end gains nothing.
  sharers = chooseSharers(labels, dealt, limits.threads, lanes);
  if (!canHold(labels, dealt, sharers, limits.threads))
    return {};
  return slice;
}

//===-- emitting -----------------------------------------------------------------------------===//

KernelEmitter::InFold::InFold(KernelEmitter& e, const HeldFold& held)
    : e(e), dealtLabels(e.dealtLabels), inPrivate(e.inPrivate), sharing(e.sharing) {
  e.dealtLabels.clear();
  for (ssm::AxisAttr axis : held.dealt)
    e.dealtLabels.insert(axis.getName());
  e.inPrivate = true;
  e.sharing = held.sharing;
  if (e.sharing.sharers > 1) {
    Value part = arith::RemUIOp::create(e.b, e.thread, e.i32(e.sharing.sharers));
    e.sharing.first = arith::MulIOp::create(e.b, part, e.i32(e.sharing.width));
  }
}

KernelEmitter::InFold::~InFold() {
  e.dealtLabels = std::move(dealtLabels);
  e.inPrivate = inPrivate;
  e.sharing = sharing;
}

Point KernelEmitter::heldPoint(const HeldFold& held) {
  Value number = thread;
  if (held.sharing.sharers > 1)
    number = arith::DivUIOp::create(b, thread, i32(held.sharing.sharers));
  return pointAt(number, held.dealt);
}

Value KernelEmitter::holds(const HeldFold& held) {
  int64_t count = countOf(held.dealt) * held.sharing.sharers;
  if (count == limits.threads)
    return {};
  return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, thread, i32(count));
}

SmallVector<Value> KernelEmitter::beginHeld(tile::SequenceOp op, HeldFold& held) {
  InFold inside(*this, held);
  auto read = [&] {
    SmallVector<Value> values;
    Point point = heldPoint(held);
    for (auto [number, carried] : held.carried) {
      Value init = op.getInits()[number];
      SmallVector<ssm::AxisAttr> axes = heldAxes(init);
      auto all = [&](Value from) { return evaluateAll(from, axes, point).elements; };
      auto load = init.getDefiningOp<tile::LoadOp>();
      Value present =
          load && !buffers.contains(init)
              ? isPresent(load, kernel.findLoaded(load.getName()), load.getRow().value_or(0))
              : Value();
      if (!present) {
        llvm::append_range(values, all(init));
        continue;
      }
      // Asked once, and not for each element.
      llvm::append_range(values, choose(
                                     present, [&] { return readState(load, axes, point); },
                                     [&] {
                                       return load.getOtherwise() ? all(load.getOtherwise())
                                                                  : zerosFor(init, countOf(axes));
                                     }));
    }
    return values;
  };
  SmallVector<Value> values;
  if (Value mine = holds(held))
    values = choose(mine, read, [&] {
      SmallVector<Value> none;
      for (auto [number, carried] : held.carried) {
        Value init = op.getInits()[number];
        llvm::append_range(none, zerosFor(init, countOf(heldAxes(init))));
      }
      return none;
    });
  else
    values = read();
  hold(op, held, values);
  return values;
}

/// Whether a lane's positions side by side are so in memory, in the caller's order of labels.
static bool liesInRuns(const Buffer& buffer, const Sharing& sharing, ArrayRef<ssm::AxisAttr> axes) {
  return sharing.width > 1 && buffer.storage.isF32() && !axes.empty() &&
         axes.back().getName() == sharing.label && llvm::all_of(buffer.dims, [&](const Dim& dim) {
           return !dim.dynamicStride &&
                  (dim.label == sharing.label ? dim.stride == 1 : dim.stride % vectorWidth == 0);
         });
}

SmallVector<Value> KernelEmitter::readState(tile::LoadOp load, ArrayRef<ssm::AxisAttr> axes,
                                            const Point& point) {
  int index = kernel.findLoaded(load.getName());
  Buffer source =
      userBuffer(load, index, load.getPart(), arrayType(load.getResult()).getElementType(),
                 load.getRow().value_or(0));
  SmallVector<Value> values;
  if (machine.hasWordsOnly() || !liesInRuns(source, sharing, axes)) {
    forHeld(axes, point, [&](const Point& at) { values.push_back(this->load(source, at)); });
    return values;
  }
  needsAligned(index, 4);
  Type vector = VectorType::get(vectorWidth, b.getF32Type());
  int64_t number = 0;
  forHeld(axes, point, [&](const Point& at) {
    if (number++ % vectorWidth)
      return;
    Value four = LLVM::LoadOp::create(b, vector, address(source, at), 16);
    for (int64_t i = 0; i < vectorWidth; ++i)
      values.push_back(LLVM::ExtractElementOp::create(b, four, i32(i)));
  });
  return values;
}

SmallVector<Value> KernelEmitter::zerosFor(Value value, int64_t count) {
  return SmallVector<Value>(
      count, arith::ConstantOp::create(b, b.getZeroAttr(arrayType(value).getElementType())));
}

void KernelEmitter::hold(tile::SequenceOp op, HeldFold& held, ValueRange values) {
  held.values.clear();
  InFold inside(*this, held);
  for (auto [number, carried] : held.carried) {
    Private one{heldAxes(op.getInits()[number]), {}};
    size_t count = countOf(one.axes);
    llvm::append_range(one.elements, values.take_front(count));
    values = values.drop_front(count);
    held.values.push_back(std::move(one));
  }
}

void KernelEmitter::endHeld(tile::SequenceOp op, const HeldFold& held) {
  auto shared = std::make_shared<HeldFold>(held);
  for (auto [i, entry] : llvm::enumerate(held.carried)) {
    Value result = op.getResult(entry.first);
    heldResults[result] = {shared, i};
    bool isStored = llvm::all_of(result.getUsers(), [&](Operation* user) {
      auto store = dyn_cast<tile::StoreOp>(user);
      return store && !store.getRest() && !restStoreOf(store) &&
             store->getBlock() == op->getBlock();
    });
    if (isStored)
      continue;
    Buffer target = makeBuffer(arrayType(result));
    storeHeld(result, target);
    buffers[result] = target;
    heldResults.erase(result);
    barrier();
  }
}

void KernelEmitter::storeHeld(Value value, Buffer target, int index) {
  auto [held, number] = heldResults.find(value)->second;
  InFold inside(*this, *held);
  const Private& one = held->values[number];
  Point point = heldPoint(*held);
  Value mine = holds(*held), first = isFirstOf(*held, value, point);
  if (mine && first)
    mine = arith::AndIOp::create(b, mine, first);
  int64_t width = 1;
  if (index >= 0 && !machine.hasWordsOnly() && liesInRuns(target, sharing, one.axes)) {
    needsAligned(index, 4);
    target.isAligned = true;
    width = vectorWidth;
  }
  when(mine ? mine : first, [&] {
    size_t next = 0;
    SmallVector<std::pair<Point, Value>> run;
    forHeld(one.axes, point, [&](const Point& at) {
      run.push_back({at, one.elements[next++]});
      if (int64_t(run.size()) < width)
        return;
      storeRun(target, run);
      run.clear();
    });
  });
}

/// Whether a thread is the first of those that have the same elements of a value; null if it is
/// the only one.
Value KernelEmitter::isFirstOf(const HeldFold& held, Value value, const Point& point) {
  Value mine;
  auto isZero = [&](Value index) {
    Value zero = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, index, i32(0));
    mine = mine ? arith::AndIOp::create(b, mine, zero).getResult() : zero;
  };
  for (ssm::AxisAttr axis : held.dealt)
    if (!arrayType(value).has(axis.getName()) && axis.getSize() > 1)
      isZero(indexValue(*point.find(axis.getName())));
  if (held.sharing.sharers > 1 && !arrayType(value).has(held.sharing.label))
    isZero(sharing.first);
  return mine;
}

//===-- shared labels ------------------------------------------------------------------------===//

bool KernelEmitter::isShared(StringRef label) const {
  return sharing.sharers > 1 && label == sharing.label;
}

/// The positions of a held label, of which a lane has `width` side by side in every round.
int64_t KernelEmitter::heldPosition(StringRef label, int64_t number) const {
  if (!isShared(label))
    return number;
  return number / sharing.width * sharing.width * sharing.sharers + number % sharing.width;
}

int64_t KernelEmitter::heldNumber(StringRef label, int64_t position) const {
  if (!isShared(label))
    return position;
  return position / (sharing.width * sharing.sharers) * sharing.width + position % sharing.width;
}

void KernelEmitter::forHeld(ArrayRef<ssm::AxisAttr> axes, Point point,
                            llvm::function_ref<void(const Point&)> body) {
  if (axes.empty())
    return body(point);
  StringRef label = axes.front().getName();
  Value first = isShared(label) ? sharing.first : Value();
  for (int64_t i = 0; i < axes.front().getSize(); ++i) {
    point.set(label, {first, heldPosition(label, i)});
    forHeld(axes.drop_front(), point, body);
  }
}

ssm::AxisAttr KernelEmitter::heldPart(ssm::AxisAttr axis) {
  if (!isShared(axis.getName()))
    return axis;
  return ssm::AxisAttr::get(b.getContext(), axis.getLabel(),
                            b.getI64IntegerAttr(axis.getSize() / sharing.sharers));
}

Value KernelEmitter::sumOfSharers(Operation* op, Value sum) {
  if (sharing.sharers > 1 && llvm::is_contained(reducedLabels(op), sharing.label))
    for (int64_t mask = sharing.sharers / 2; mask > 0; mask /= 2)
      sum = reductionCombine(b, op, sum, machine.exchange(b, sum, mask));
  return sum;
}
