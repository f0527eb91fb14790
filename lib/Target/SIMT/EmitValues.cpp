// One element of a value: pointwise ops, changes of labels, and reductions where they are used.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

//===-- points -------------------------------------------------------------------------------===//

const Index* Point::find(StringRef label) const {
  for (auto& [name, index] : indices)
    if (name == label)
      return &index;
  return nullptr;
}

void Point::set(StringRef label, Index index) {
  for (auto& [name, old] : indices)
    if (name == label) {
      old = index;
      return;
    }
  indices.push_back({label, index});
}

void Point::erase(StringRef label) {
  llvm::erase_if(indices, [&](auto& entry) { return entry.first == label; });
}

int64_t ssmc::simt::countOf(ArrayRef<ssm::AxisAttr> axes) {
  int64_t count = 1;
  for (ssm::AxisAttr axis : axes)
    count *= axis.getSize();
  return count;
}

bool ssmc::simt::isConstant(Value value) {
  Operation* op = value.getDefiningOp();
  if (isa_and_nonnull<ssm::BroadcastOp, ssm::RelabelOp>(op))
    return isConstant(op->getOperand(0));
  return isa_and_nonnull<ssm::ConstantOp>(op);
}

Value KernelEmitter::i32(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 32);
}

Value KernelEmitter::i64(int64_t value) {
  return arith::ConstantIntOp::create(b, value, 64);
}

Value KernelEmitter::indexValue(const Index& index) {
  if (!index.dynamic)
    return i32(index.constant);
  if (index.constant == 0)
    return index.dynamic;
  return arith::AddIOp::create(b, index.dynamic, i32(index.constant));
}

Value KernelEmitter::extentOf(StringRef label, int64_t extent) {
  auto found = partialExtents.find(label);
  return found == partialExtents.end() ? i32(extent) : found->second;
}

Value KernelEmitter::existsAt(ArrayRef<ssm::AxisAttr> axes, const Point& point) {
  Value exists;
  for (ssm::AxisAttr axis : axes) {
    const Index* index = point.find(axis.getName());
    if (!index || !isPartial(axis.getName()))
      continue;
    Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, indexValue(*index),
                                         partialExtents[axis.getName()]);
    exists = exists ? arith::AndIOp::create(b, exists, inside) : inside;
  }
  return exists;
}

Point KernelEmitter::operandPoint(Operation* op, const Point& point) {
  Point result = point;
  if (auto at = dyn_cast<ssm::AtOp>(op)) {
    auto found = foldPositions.find(at.getLabel());
    assert(found != foldPositions.end() && "ssm.at outside of its fold");
    result.set(found->first, found->second);
  } else if (auto last = dyn_cast<ssm::LastOp>(op)) {
    StringRef label = last.getLabel();
    int64_t extent = arrayType(last.getOperand()).find(label).getSize();
    if (last.getReverse())
      result.set(label, {Value(), 0});
    else if (isPartial(label))
      result.set(label, {partialExtents[label], -1});
    else
      result.set(label, {Value(), extent - 1});
  } else if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    for (auto [from, to] :
         llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo()))) {
      result.erase(from);
      if (const Index* index = point.find(to)) {
        Index copy = *index;
        result.set(from, copy);
      }
    }
  }
  return result;
}

/// A condition that is a number already.
static std::optional<bool> knownTruth(Value condition) {
  llvm::APInt truth;
  if (matchPattern(condition, m_ConstantInt(&truth)))
    return truth.getBoolValue();
  return {};
}

//===-- values -------------------------------------------------------------------------------===//

Value KernelEmitter::readPrivate(const Private& held, const Point& point) {
  // Known positions pick their element; others choose among all of their label.
  SmallVector<Value> elements = held.elements;
  for (ssm::AxisAttr axis : llvm::reverse(held.axes)) {
    const Index* index = point.find(axis.getName());
    assert(index && "a label of a private value has no index");
    int64_t extent = axis.getSize();
    SmallVector<Value> next;
    for (size_t row = 0; row < elements.size(); row += extent) {
      // (Of what lanes share a thread is asked for its own positions alone.)
      if (!index->dynamic || isShared(axis.getName())) {
        next.push_back(elements[row + heldNumber(axis.getName(), index->constant)]);
        continue;
      }
      Value at = indexValue(*index), chosen = elements[row];
      for (int64_t i = 1; i < extent; ++i) {
        Value here = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, at, i32(i));
        chosen = arith::SelectOp::create(b, here, elements[row + i], chosen);
      }
      next.push_back(chosen);
    }
    elements = std::move(next);
  }
  return elements.front();
}

KernelEmitter::Key KernelEmitter::keyOf(Value value, const Point& point) {
  Key key{value.getAsOpaquePointer(), {}};
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    if (const Index* index = point.find(axis.getName()))
      key.second.push_back(
          {axis.getName().data(), index->dynamic.getAsOpaquePointer(), index->constant});
  return key;
}

Value KernelEmitter::evaluate(Value value, const Point& point) {
  if (auto found = privates.find(value.getAsOpaquePointer()); found != privates.end())
    return readPrivate(found->second, point);
  Key key = keyOf(value, point);
  for (auto& scope : llvm::reverse(memo))
    if (auto found = scope.find(key); found != scope.end())
      return found->second;
  Value result = compute(value, point);
  memo.back()[key] = result;
  return result;
}

Value KernelEmitter::compute(Value value, const Point& point) {
  if (auto found = buffers.find(value); found != buffers.end())
    return load(found->second, point);
  Operation* op = value.getDefiningOp();
  assert(op && "a block argument is neither private nor buffered");
  if (auto constant = dyn_cast<ssm::ConstantOp>(op))
    return arith::ConstantOp::create(b, b.getF32FloatAttr(constant.getValue().convertToDouble()));
  if (auto position = dyn_cast<ssm::PositionOp>(op)) {
    StringRef label = position.getAxis().getName();
    const Index* index = point.find(label);
    // (Indices of a label in parts are those of the part.)
    bool isPart = sliceStart && label == slice.label;
    if (!index->dynamic && !isPart)
      return arith::ConstantOp::create(b, b.getF32FloatAttr(index->constant));
    Value place = indexValue(*index);
    if (isPart)
      place =
          arith::AddIOp::create(b, place, arith::TruncIOp::create(b, b.getI32Type(), sliceStart));
    return arith::SIToFPOp::create(b, b.getF32Type(), place);
  }
  if (auto operand = dyn_cast<tile::LoadOp>(op))
    return loadOperand(operand, point);
  if (auto fold = dyn_cast<ssm::FoldOp>(op)) {
    unrollFold(fold, point);
    return evaluate(value, point);
  }
  if (auto shift = dyn_cast<ssm::ShiftOp>(op))
    return emitShift(shift, point);
  if (isa<ssm::FlattenOp, ssm::UnflattenOp>(op))
    return emitFlat(op, point);
  if (isReduction(op))
    return inPrivate ? reduceInline(op, point) : reduceInLoop(op, point);
  Point inner = operandPoint(op, point);
  // Where steps are unrolled many conditions are known: what they rule out is not computed.
  if (auto select = dyn_cast<ssm::SelectOp>(op)) {
    Value condition = evaluate(select.getCondition(), inner);
    if (std::optional<bool> known = knownTruth(condition)) {
      Value chosen = evaluate(*known ? select.getOnTrue() : select.getOnFalse(), inner);
      if (chosen.getType().isF32() == select.getType().isReal())
        return chosen;
    }
  }
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(evaluate(operand, inner));
  // (Beside what products are rounded to, the machine's own function is exact.)
  if (roundsProducts && isa<ssm::ExpOp>(op)) {
    Value log2e = arith::ConstantOp::create(b, b.getF32FloatAttr(1.44269504f));
    return machine.powerOfTwo(b, arith::MulFOp::create(b, operands[0], log2e));
  }
  Value result = emitPointwise(b, op, operands, machine.hasDoubles());
  if (isa<ssm::CmpOp>(op)) {
    SmallVector<OpFoldResult> results;
    SmallVector<Attribute> constants;
    for (Value operand : result.getDefiningOp()->getOperands()) {
      Attribute constant;
      matchPattern(operand, m_Constant(&constant));
      constants.push_back(constant);
    }
    if (succeeded(result.getDefiningOp()->fold(constants, results)) && results.size() == 1)
      if (auto truth = dyn_cast_or_null<IntegerAttr>(dyn_cast<Attribute>(results[0])))
        return arith::ConstantOp::create(b, truth);
  }
  return result;
}

Value KernelEmitter::emitShift(ssm::ShiftOp shift, const Point& point) {
  StringRef label = shift.getLabel();
  int64_t extent = arrayType(shift.getOperand()).find(label).getSize();
  Value at = indexValue(*point.find(label)), edge, neighbour;
  if (shift.getReverse()) {
    edge = arith::SubIOp::create(b, extentOf(label, extent), i32(1));
    neighbour = arith::MinSIOp::create(b, arith::AddIOp::create(b, at, i32(1)), edge);
  } else {
    edge = i32(0);
    neighbour = arith::MaxSIOp::create(b, arith::SubIOp::create(b, at, i32(1)), edge);
  }
  Point inner = point;
  inner.set(label, {neighbour, 0});
  Value other = evaluate(shift.getOperand(), inner);
  inner = point;
  inner.erase(label);
  Value first = evaluate(shift.getFirst(), inner);
  Value isEdge = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, at, edge);
  return arith::SelectOp::create(b, isEdge, first, other);
}

Value KernelEmitter::emitFlat(Operation* op, const Point& point) {
  Point inner = point;
  auto split = [&](StringRef label, StringRef outer, StringRef into, int64_t extent) {
    Index index = *point.find(label);
    inner.erase(label);
    if (!index.dynamic) {
      inner.set(outer, {Value(), index.constant / extent});
      inner.set(into, {Value(), index.constant % extent});
      return;
    }
    Value at = indexValue(index);
    inner.set(outer, {arith::DivUIOp::create(b, at, i32(extent)), 0});
    inner.set(into, {arith::RemUIOp::create(b, at, i32(extent)), 0});
  };
  if (auto flatten = dyn_cast<ssm::FlattenOp>(op)) {
    split(flatten.getAxis().getName(), flatten.getOuter(), flatten.getInner(),
          flatten.getOperand().getType().find(flatten.getInner()).getSize());
  } else {
    auto unflatten = cast<ssm::UnflattenOp>(op);
    StringRef outer = unflatten.getOuter().getName(), into = unflatten.getInner().getName();
    int64_t extent = unflatten.getInner().getSize();
    Index high = *point.find(outer), low = *point.find(into);
    inner.erase(outer);
    inner.erase(into);
    Index joined{Value(), high.constant * extent + low.constant};
    if (high.dynamic)
      joined.dynamic = arith::MulIOp::create(b, high.dynamic, i32(extent));
    if (low.dynamic)
      joined.dynamic =
          joined.dynamic ? arith::AddIOp::create(b, joined.dynamic, low.dynamic) : low.dynamic;
    inner.set(unflatten.getLabel(), joined);
  }
  return evaluate(op->getOperand(0), inner);
}

//===-- reductions where they are used -------------------------------------------------------===//

static SmallVector<ssm::AxisAttr> reducedAxes(Operation* op) {
  SmallVector<ssm::AxisAttr> axes;
  for (StringRef label : reducedLabels(op))
    if (ssm::AxisAttr axis = arrayType(op->getOperand(0)).find(label))
      axes.push_back(axis);
  return axes;
}

Value KernelEmitter::reduceInline(Operation* op, const Point& point) {
  SmallVector<ssm::AxisAttr> axes = reducedAxes(op);
  for (ssm::AxisAttr& axis : axes)
    axis = heldPart(axis);
  Value identity = reductionIdentity(b, op, b.getF32Type());
  // Four sums side by side, as an addition waits for the one before.
  SmallVector<Value> sums;
  size_t i = 0;
  forHeld(axes, point, [&](const Point& one) {
    Value term = evaluate(op->getOperand(0), one);
    if (isa<ssm::SumOp>(op) && matchPattern(term, m_AnyZeroFloat()))
      return;
    if (Value exists = existsAt(axes, one))
      term = arith::SelectOp::create(b, exists, term, identity);
    if (sums.size() < 4)
      sums.push_back(term);
    else
      sums[i % 4] = reductionCombine(b, op, sums[i % 4], term);
    ++i;
  });
  if (sums.empty())
    return identity;
  while (sums.size() > 1) {
    Value last = sums.pop_back_val();
    sums[(sums.size() - 1) / 2] = reductionCombine(b, op, sums[(sums.size() - 1) / 2], last);
  }
  return sumOfSharers(op, sums.front());
}

Value KernelEmitter::reduceInLoop(Operation* op, const Point& point) {
  SmallVector<ssm::AxisAttr> axes = reducedAxes(op);
  std::function<Value(size_t, Point, Value)> run = [&](size_t depth, Point at, Value sum) -> Value {
    if (depth == axes.size())
      return reductionCombine(b, op, sum, evaluate(op->getOperand(0), at));
    ssm::AxisAttr axis = axes[depth];
    return loop(i32(0), extentOf(axis.getName(), axis.getSize()), i32(1), sum,
                [&](Value index, ValueRange carried) {
                  Point inner = at;
                  inner.set(axis.getName(), {index, 0});
                  return SmallVector<Value>{run(depth + 1, inner, carried[0])};
                })
        .front();
  };
  return run(0, point, reductionIdentity(b, op, b.getF32Type()));
}

//===-- control flow -------------------------------------------------------------------------===//

SmallVector<Value> KernelEmitter::loop(Value lower, Value upper, Value step, ValueRange inits,
                                       LoopBody body) {
  auto made = scf::ForOp::create(b, lower, upper, step, inits);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(made.getBody());
  Scope scope(*this);
  SmallVector<Value> results = body(made.getInductionVar(), made.getRegionIterArgs());
  if (!inits.empty())
    scf::YieldOp::create(b, results);
  return SmallVector<Value>(made.getResults());
}

void KernelEmitter::when(Value condition, llvm::function_ref<void()> body) {
  if (!condition)
    return body();
  auto branch = scf::IfOp::create(b, TypeRange(), condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&branch.getThenRegion().front());
  Scope scope(*this);
  body();
}

SmallVector<Value> KernelEmitter::choose(Value condition,
                                         llvm::function_ref<SmallVector<Value>()> yes,
                                         llvm::function_ref<SmallVector<Value>()> no) {
  auto fill = [&](OpBuilder& builder, Location, llvm::function_ref<SmallVector<Value>()> body) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(builder.getInsertionBlock(), builder.getInsertionPoint());
    Scope scope(*this);
    SmallVector<Value> results = body();
    scf::YieldOp::create(b, results);
  };
  auto branch = scf::IfOp::create(
      b, condition, [&](OpBuilder& builder, Location loc) { fill(builder, loc, yes); },
      [&](OpBuilder& builder, Location loc) { fill(builder, loc, no); });
  return SmallVector<Value>(branch.getResults());
}
