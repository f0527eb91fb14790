// What a stage computes, dealt out to the threads of the block.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

void KernelEmitter::barrier() {
  machine.barrier(b);
  ++clock;
  firstFree = 0;
}

/// The number of a thread among `count`, which are those after the last ones that had work since
/// threads met, so that what a stage has for few threads is done side by side. Those that are not
/// among them have larger numbers. (Blocks that share a processor are side by side anyway, and
/// numbers cost registers.)
Value KernelEmitter::numberAmong(int64_t count) {
  int64_t taken = llvm::alignTo(count, machine.lanes());
  return ownsProcessor && taken < limits.threads ? takeThreads(taken) : thread;
}

Value KernelEmitter::takeThreads(int64_t count) {
  int64_t threads = limits.threads, first = firstFree;
  if (!llvm::isPowerOf2_64(threads))
    return thread;
  firstFree = (first + count) % threads;
  if (first == 0)
    return thread;
  Value turned = arith::AddIOp::create(b, thread, i32(threads - first));
  return arith::AndIOp::create(b, turned, i32(threads - 1));
}

/// The position of a number among all of some labels, the last one fastest.
Point KernelEmitter::pointAt(Value number, ArrayRef<ssm::AxisAttr> axes, Point point) {
  for (size_t i = axes.size(); i-- > 0;) {
    int64_t extent = axes[i].getSize();
    if (i == 0) {
      point.set(axes[i].getName(), {number, 0});
      break;
    }
    if (extent == 1) {
      point.set(axes[i].getName(), {Value(), 0});
      continue;
    }
    Value size = arith::ConstantIntOp::create(b, extent, 32);
    point.set(axes[i].getName(), {arith::RemUIOp::create(b, number, size), 0});
    number = arith::DivUIOp::create(b, number, size);
  }
  return point;
}

void KernelEmitter::dealNumbers(int64_t total, llvm::function_ref<void(Value)> body) {
  int64_t threads = limits.threads;
  if (total < threads) {
    Value number = numberAmong(total);
    Value mine = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, i32(total));
    when(mine, [&] { body(number); });
    return;
  }
  if (total == threads) {
    Scope scope(*this);
    return body(thread);
  }
  // Where all threads take as many, no one asks whether it is done.
  if (total % threads == 0) {
    loop(i32(0), i32(total), i32(threads), {}, [&](Value first, ValueRange) {
      body(arith::AddIOp::create(b, first, thread));
      return SmallVector<Value>();
    });
    return;
  }
  loop(thread, i32(total), i32(threads), {}, [&](Value number, ValueRange) {
    body(number);
    return SmallVector<Value>();
  });
}

void KernelEmitter::deal(ArrayRef<ssm::AxisAttr> axes,
                         llvm::function_ref<void(const Point&)> body) {
  int64_t total = countOf(axes);
  // Where steps that do not exist are the last numbers, nobody goes there: a step of decoding is
  // all there is of its tile. (Elsewhere the last tile is one of many, and loops cost registers.)
  bool isCut = !heldFolds.empty() && total > limits.threads && isPartial(axes.front().getName()) &&
               llvm::none_of(axes.drop_front(),
                             [&](ssm::AxisAttr axis) { return isPartial(axis.getName()); });
  if (isCut) {
    int64_t each = total / axes.front().getSize();
    Value there = arith::MulIOp::create(b, partialExtents[axes.front().getName()], i32(each));
    loop(thread, there, i32(limits.threads), {}, [&](Value number, ValueRange) {
      body(pointAt(number, axes));
      return SmallVector<Value>();
    });
    return;
  }
  dealNumbers(total, [&](Value number) {
    Point point = pointAt(number, axes);
    when(existsAt(axes, point), [&] { body(point); });
  });
}

/// Elements of a thread that are computed before the first is written, and those of them that lie
/// side by side. (Reads that follow a write wait for it, as both are of the same memory.)
static constexpr int64_t dealtAtOnce = 8, sideBySide = 4;

void KernelEmitter::dealElements(Value root, ArrayRef<ssm::AxisAttr> axes, Finish finish) {
  int64_t total = countOf(axes), threads = limits.threads, width = 1, groups = 1;
  bool isPart = llvm::any_of(axes, [&](ssm::AxisAttr axis) { return isPartial(axis.getName()); });
  Operation* op = root.getDefiningOp();
  bool isSum = op && isReduction(op) && !buffers.contains(root);
  if (!isPart && !isSum && total % threads == 0) {
    while (width < sideBySide && axes.back().getSize() % (2 * width) == 0 &&
           total % (2 * width * threads) == 0)
      width *= 2;
    while (groups * width < dealtAtOnce && total % (2 * groups * width * threads) == 0)
      groups *= 2;
  }
  if (width * groups == 1)
    return deal(axes, [&](const Point& point) { finish(std::pair(point, evaluate(root, point))); });
  SmallVector<ssm::AxisAttr> coarse(axes);
  ssm::AxisAttr last = axes.back();
  coarse.back() = ssm::AxisAttr::get(b.getContext(), last.getLabel(),
                                     b.getI64IntegerAttr(last.getSize() / width));
  auto emitGroups = [&](Value first) {
    SmallVector<std::pair<Point, Value>> done;
    for (int64_t i = 0; i < groups; ++i) {
      Value number = arith::AddIOp::create(b, first, i32(i * threads));
      Point point = pointAt(number, coarse);
      Value start = arith::MulIOp::create(b, indexValue(*point.find(last.getName())), i32(width));
      SmallVector<SmallVector<Point>> run;
      for (int64_t j = 0; j < width; ++j) {
        point.set(last.getName(), {start, j});
        run.push_back({point});
      }
      if (machine.matrices() && width == sideBySide)
        readRuns(root, last.getName(), "", /*keptTogether=*/true, run);
      for (ArrayRef<Point> at : run)
        done.push_back({at.front(), evaluate(root, at.front())});
    }
    for (int64_t i = 0; i < groups; ++i)
      finish(ArrayRef(done).slice(i * width, width));
  };
  if (total == threads * width * groups) {
    Scope scope(*this);
    return emitGroups(thread);
  }
  loop(i32(0), i32(total / width), i32(threads * groups), {}, [&](Value first, ValueRange) {
    emitGroups(arith::AddIOp::create(b, first, thread));
    return SmallVector<Value>();
  });
}

SmallVector<ssm::AxisAttr> ssmc::simt::axesOf(ssm::ArrayType type, const Buffer& buffer) {
  SmallVector<ssm::AxisAttr> axes;
  for (const Dim& dim : buffer.dims)
    if (ssm::AxisAttr axis = type.find(dim.label))
      axes.push_back(axis);
  return axes;
}

void KernelEmitter::emitNest(Value value, const Buffer& target) {
  Operation* op = value.getDefiningOp();
  if (isReduction(op) && !usesPairs(op) && !usesMatrices(op)) {
    // Few sums of many terms: several threads share each.
    int64_t terms = countOf(arrayType(op->getOperand(0)).getAxes()) /
                    std::max<int64_t>(1, countOf(arrayType(value).getAxes()));
    int64_t sums = countOf(arrayType(value).getAxes()), group = 1;
    while (group < machine.lanes() && sums * group * 2 <= limits.threads && group * 4 <= terms)
      group *= 2;
    if (group > 1)
      return emitGroupReduction(op, target, group);
  }
  emitElements(
      value, axesOf(arrayType(value), target), [&](Run run) { storeRun(target, run); }, &target);
}

void KernelEmitter::emitGroupReduction(Operation* op, const Buffer& target, int64_t group) {
  ssm::ArrayType type = arrayType(op->getResult(0)), from = arrayType(op->getOperand(0));
  SmallVector<ssm::AxisAttr> axes = axesOf(type, target), summed;
  for (ssm::AxisAttr axis : from.getAxes())
    if (llvm::is_contained(reducedLabels(op), axis.getName()))
      summed.push_back(axis);
  int64_t sums = countOf(axes), terms = countOf(summed);
  Scope scope(*this);
  Value mine = numberAmong(sums * group);
  Value lane = arith::RemUIOp::create(b, mine, i32(group));
  Value number = arith::DivUIOp::create(b, mine, i32(group));
  // All threads of a warp go along; those without a sum of their own compute the last one again.
  Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, i32(sums));
  auto sumUp = [&] {
    Point point = pointAt(arith::MinSIOp::create(b, number, i32(sums - 1)), axes);
    Value identity = reductionIdentity(b, op, b.getF32Type());
    // A thread takes terms side by side, as they may lie in memory, with a sum of its own for each:
    // an addition waits for the one before.
    bool isPart =
        llvm::any_of(summed, [&](ssm::AxisAttr axis) { return isPartial(axis.getName()); });
    int64_t width = 1;
    while (!isPart && width < sideBySide && summed.back().getSize() % (2 * width) == 0 &&
           terms % (2 * width * group) == 0)
      width *= 2;
    SmallVector<ssm::AxisAttr> coarse(summed);
    coarse.back() = ssm::AxisAttr::get(b.getContext(), summed.back().getLabel(),
                                       b.getI64IntegerAttr(summed.back().getSize() / width));
    SmallVector<Value> parts = loop(
        lane, i32(terms / width), i32(group), SmallVector<Value>(width, identity),
        [&](Value term, ValueRange carried) {
          Point at = pointAt(term, coarse, point);
          StringRef last = summed.back().getName();
          Value start = indexValue(*at.find(last));
          if (width > 1)
            start = arith::MulIOp::create(b, start, i32(width));
          SmallVector<Value> values;
          for (int64_t i = 0; i < width; ++i) {
            at.set(last, {start, i});
            auto read = [&] { return SmallVector<Value>{evaluate(op->getOperand(0), at)}; };
            Value exists = existsAt(summed, at);
            values.push_back(
                exists ? choose(exists, read, [&] { return SmallVector<Value>{identity}; }).front()
                       : read().front());
          }
          for (auto [value, before] : llvm::zip(values, carried))
            value = reductionCombine(b, op, before, value);
          return values;
        });
    while (parts.size() > 1) {
      Value last = parts.pop_back_val();
      parts[(parts.size() - 1) / 2] = reductionCombine(b, op, parts[(parts.size() - 1) / 2], last);
    }
    Value sum = parts.front();
    for (int64_t mask = group / 2; mask > 0; mask /= 2)
      sum = reductionCombine(b, op, sum, machine.exchange(b, sum, mask));
    Value first = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, lane, i32(0));
    inside = arith::AndIOp::create(b, inside, first);
    if (Value exists = existsAt(axes, point))
      inside = arith::AndIOp::create(b, inside, exists);
    when(inside, [&] { store(target, point, sum); });
  };
  int64_t taken = llvm::alignTo(sums * group, machine.lanes());
  if (taken < limits.threads)
    when(arith::CmpIOp::create(b, arith::CmpIPredicate::slt, mine, i32(taken)), sumUp);
  else
    sumUp();
}

void KernelEmitter::emitResult(const Result& result) {
  auto write = [&](Run run) {
    SmallVector<std::pair<Point, Value>> placed(run);
    for (auto& [point, element] : placed)
      if (!result.label.empty())
        point.set(result.label, foldPositions.find(result.label)->second);
    storeRun(result.target, placed);
  };
  emitElements(result.value, axesOf(arrayType(result.value), result.target), write,
               result.label.empty() ? &result.target : nullptr);
}

tile::StoreOp simt::restStoreOf(tile::StoreOp store) {
  if (store.getRest())
    return {};
  for (Operation* user : store.getValue().getUsers())
    if (auto other = dyn_cast<tile::StoreOp>(user);
        other && other.getRest() && other->getBlock() == store->getBlock())
      return other;
  return {};
}

bool simt::isWithAnother(tile::StoreOp store) {
  return store.getRest() && llvm::any_of(store.getValue().getUsers(), [&](Operation* user) {
           auto other = dyn_cast<tile::StoreOp>(user);
           return other && restStoreOf(other) == store;
         });
}

Buffer KernelEmitter::storedBuffer(tile::StoreOp op) {
  int number = kernel.findStored(op.getName());
  Buffer buffer =
      userBuffer(op, number, op.getPart(), arrayType(op.getValue()).getElementType(), /*row=*/0);
  // Rows of whole multiples of 16 bytes are asked to begin at such.
  tile::OperandAttr operand = kernel.getOperandAt(number);
  if (roundsProducts && operand.getRole() == tile::Role::Out && !operand.getAxes().empty() &&
      isa<FloatType>(operand.getStorage()) &&
      operand.getAxes().back().getSize() * operand.getStorage().getIntOrFloatBitWidth() % 128 ==
          0) {
    needsAligned(number, operand.getStorage().getIntOrFloatBitWidth() / 8);
    buffer.isAligned = true;
  }
  return buffer;
}

std::function<void(KernelEmitter::Run)> KernelEmitter::writerOf(tile::StoreOp op,
                                                                const Buffer& target) {
  Buffer rest;
  bool isRest = op.getRest(), hasRest = false;
  if (tile::StoreOp other = restStoreOf(op)) {
    hasRest = true;
    rest = storedBuffer(other);
  }
  return [=, this](Run run) {
    SmallVector<std::pair<Point, Value>> rests;
    if (hasRest || isRest)
      rests = restsOf(run);
    storeRun(target, isRest ? Run(rests) : run);
    if (hasRest)
      storeRun(rest, rests);
  };
}

bool KernelEmitter::storesAnywhere(tile::StoreOp op) {
  return kernel.getOperandAt(kernel.findStored(op.getName())).getRole() != tile::Role::StateOut &&
         !heldResults.contains(op.getValue()) &&
         (!isFirstSlice || arrayType(op.getValue()).has(slice.label));
}

void KernelEmitter::emitStore(tile::StoreOp op) {
  if (isWithAnother(op))
    return;
  Value value = op.getValue();
  int index = kernel.findStored(op.getName());
  auto write = [&] {
    Buffer target = storedBuffer(op);
    if (heldResults.contains(value))
      return storeHeld(value, target, index);
    emitElements(value, axesOf(arrayType(value), target), writerOf(op, target));
  };
  auto isWanted = [&] {
    if (kernel.getOperandAt(index).getRole() == tile::Role::StateOut)
      when(isPresent(op, index, 0), write);
    else
      write();
  };
  // What all slices compute the first one writes.
  if (isFirstSlice && !arrayType(value).has(slice.label))
    when(isFirstSlice, isWanted);
  else
    isWanted();
}
