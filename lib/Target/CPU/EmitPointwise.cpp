// Values at a point: pointwise ops, changes of labels, and small reductions without a loop.
#include "Emitter.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

bool Between::holds(ssm::ArrayType type) const {
  return llvm::all_of(type.getAxes(), [&](ssm::AxisAttr axis) { return axis.getName() == lane; });
}

Value Emitter::splat(Value scalar, Type like) {
  auto vector = dyn_cast<VectorType>(like);
  if (!vector || isa<VectorType>(scalar.getType()))
    return scalar;
  return vector::BroadcastOp::create(b, VectorType::get(vector.getShape(), scalar.getType()),
                                     scalar);
}

//===-- points and the memo ------------------------------------------------------------------===//

Emitter::Key Emitter::keyOf(Value value, const Point& point) {
  Key key{value.getAsOpaquePointer(), {}};
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    if (const Index* index = point.find(axis.getName()))
      key.second.push_back({axis.getName().data(), index->dynamic.getAsOpaquePointer(),
                            index->constant, index->lane});
  return key;
}

Point Emitter::operandPoint(Operation* op, const Point& point) {
  Point result = point;
  if (auto at = dyn_cast<ssm::AtOp>(op)) {
    auto found = foldPositions.find(at.getLabel());
    assert(found != foldPositions.end() && "ssm.at outside of its fold");
    result.set(found->first, found->second);
  } else if (auto last = dyn_cast<ssm::LastOp>(op)) {
    StringRef label = last.getLabel();
    auto found = dynamicExtents.find(label);
    if (last.getReverse())
      result.set(label, {Value(), 0});
    else if (found == dynamicExtents.end())
      result.set(label, {Value(), arrayType(last.getOperand()).find(label).getSize() - 1});
    else
      result.set(label, {found->second, -1});
  } else if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    for (auto [from, to] : llvm::zip(relabel.getFrom().getAsRange<StringAttr>(),
                                     relabel.getTo().getAsRange<StringAttr>())) {
      llvm::erase_if(result.indices, [&](auto& entry) { return entry.first == from.getValue(); });
      if (const Index* index = point.find(to.getValue())) {
        Index copy = *index;
        result.set(from.getValue(), copy);
      }
    }
  }
  return result;
}

Lanes Emitter::evaluate(Value value, const Point& point) {
  if (auto found = bound.find(value); found != bound.end())
    return found->second;
  Key key = keyOf(value, point);
  for (auto& scope : llvm::reverse(memo))
    if (auto found = scope.find(key); found != scope.end())
      return found->second;
  Lanes result = compute(value, point);
  memo.back()[key] = result;
  return result;
}

Lanes Emitter::compute(Value value, const Point& point) {
  if (auto found = buffers.find(value); found != buffers.end())
    return load(found->second, point);
  Operation* op = value.getDefiningOp();
  assert(op && "a block argument is neither bound nor buffered");
  if (auto constant = dyn_cast<ssm::ConstantOp>(op))
    return {
        {arith::ConstantOp::create(b, b.getF32FloatAttr(constant.getValue().convertToDouble()))}};
  if (auto position = dyn_cast<ssm::PositionOp>(op))
    return emitPosition(position, point);
  if (isReduction(op))
    return reduceInline(op, point);
  Point inner = operandPoint(op, point);
  SmallVector<Lanes> operands;
  for (Value operand : op->getOperands())
    operands.push_back(evaluate(operand, inner));
  return combine(op, operands, point.parts);
}

/// The index along the label, in lanes where it runs over them.
Lanes Emitter::emitPosition(ssm::PositionOp position, const Point& point) {
  const Index* index = point.find(position.getAxis().getName());
  Arithmetic scalar{b, b.getF32Type()};
  Value first = scalar.constant(index->constant);
  if (index->dynamic)
    first = scalar.add(arith::SIToFPOp::create(b, b.getF32Type(), index->dynamic), first);
  if (!index->lane)
    return {{first}};
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  Lanes result;
  for (int64_t part = 0; part < point.parts; ++part) {
    SmallVector<float> counts;
    for (int64_t lane = 0; lane < shape.lanes; ++lane)
      counts.push_back(part * shape.lanes + lane);
    Value count =
        arith::ConstantOp::create(b, DenseElementsAttr::get(vector, ArrayRef<float>(counts)));
    result.parts.push_back(arith::AddFOp::create(b, splat(first, vector), count));
  }
  return result;
}

void Emitter::hoist(Value value, const Point& point) {
  if (bound.contains(value))
    return;
  auto known = [&](ssm::AxisAttr axis) { return point.find(axis.getName()) != nullptr; };
  Operation* op = value.getDefiningOp();
  if (op && isa<ssm::ConstantOp>(op))
    return;
  if (llvm::all_of(arrayType(value).getAxes(), known)) {
    evaluate(value, point);
    return;
  }
  if (buffers.contains(value) || !op || isWhole(op) || isa<tile::LoadOp>(op))
    return;
  // A renamed label could stand for another index inside the loop.
  Point inner = operandPoint(op, point);
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op))
    for (auto to : relabel.getTo().getAsRange<StringAttr>())
      if (!point.find(to.getValue()))
        return;
  if (isReduction(op))
    for (StringRef label : reducedLabels(op))
      llvm::erase_if(inner.indices, [&](auto& entry) { return entry.first == label; });
  for (Value operand : op->getOperands())
    hoist(operand, inner);
}

//===-- reductions without a loop ------------------------------------------------------------===//

Lanes Emitter::reduceInline(Operation* op, const Point& point) {
  SmallVector<Point> points{point};
  auto type = arrayType(op->getOperand(0));
  for (StringRef label : reducedLabels(op)) {
    int64_t extent = type.find(label).getSize();
    SmallVector<Point> next;
    for (Point& outer : points)
      for (int64_t i = 0; i < extent; ++i) {
        next.push_back(outer);
        next.back().set(label, {Value(), i});
      }
    points = std::move(next);
  }
  Lanes sum;
  for (Point& one : points) {
    Lanes term = evaluate(op->getOperand(0), one);
    if (sum.parts.empty()) {
      sum = term;
      continue;
    }
    for (auto [x, y] : llvm::zip(sum.parts, term.parts))
      x = reductionCombine(b, op, x, y);
  }
  if (points.empty())
    sum.parts = {reductionIdentity(b, op, type.getElementType())};
  return sum;
}

//===-- pointwise ops ------------------------------------------------------------------------===//

static bool isFunction(Operation* op) {
  return isExpensive(op) && !isa<ssm::DivOp>(op);
}

Lanes Emitter::combine(Operation* op, ArrayRef<Lanes> operands, int64_t parts) {
  Type vector;
  for (const Lanes& operand : operands)
    if (operand.isVector())
      vector = operand.parts.front().getType();
  Lanes result;
  for (int64_t part = 0; part < (vector ? parts : 1); ++part) {
    SmallVector<Value> x;
    for (const Lanes& operand : operands) {
      Value one = operand.parts[operand.isVector() ? part : 0];
      x.push_back(vector ? splat(one, vector) : one);
    }
    result.parts.push_back(emitPointwise(b, op, x));
    // For those who count: the polynomial does not show what it computes.
    if (isFunction(op))
      result.parts.back().getDefiningOp()->setAttr("function", b.getUnitAttr());
  }
  return result;
}
