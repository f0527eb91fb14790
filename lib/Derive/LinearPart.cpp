#include "LinearPart.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

/// The labels of its operands that an op removes, renames or goes along; all others pass through it
/// untouched.
static SmallVector<StringRef> mentionedBy(Operation* op) {
  using Labels = SmallVector<StringRef>;
  return TypeSwitch<Operation*, Labels>(op)
      .Case<SumOp, MaximumOp>([](auto reduction) { return strings(reduction.getOver()); })
      .Case([](RelabelOp relabel) { return strings(relabel.getFrom()); })
      .Case<LastOp, AtOp, ShiftOp, ScanOp, UnflattenOp>(
          [](auto along) { return Labels{along.getLabel()}; })
      .Case([](FlattenOp flatten) { return Labels{flatten.getOuter(), flatten.getInner()}; })
      .Case([](MatrixScanOp scan) {
        Labels labels = strings(scan.getRows());
        labels.push_back(scan.getLabel());
        return labels;
      })
      .Case([](SolveOp solve) { return Labels{solve.getRows()}; })
      .Case([](GramOp gram) {
        Labels labels = strings(gram.getOver());
        labels.push_back(gram.getRows());
        return labels;
      })
      .Case([](ApplyOp apply) { return Labels{apply.getRows(), apply.getColumns()}; })
      .Default([](Operation*) { return Labels(); });
}

std::vector<std::string> derive::mixedLabels(ChunkOp chunk, const Dependence& dependence,
                                             const StateSet& states, const Slice& slice) {
  auto form = chunk->getParentOfType<RecurrenceOp>();
  llvm::SetVector<StringRef> own, mixed;
  for (unsigned state : states.set_bits())
    for (AxisAttr axis :
         cast<ArrayType>(form.getState(dependence.nameOf(state)).getType()).getAxes())
      own.insert(axis.getName());
  chunk->walk([&](Operation* op) {
    bool isLinear = llvm::any_of(
        op->getOperands(), [&](Value operand) { return dependence.of(operand).anyCommon(states); });
    if (!isLinear || !slice.containsAny(op))
      return;
    for (StringRef label : mentionedBy(op))
      mixed.insert(label);
    if (auto relabel = dyn_cast<RelabelOp>(op))
      for (StringRef label : strings(relabel.getTo()))
        mixed.insert(label);
  });
  std::vector<std::string> labels;
  for (StringRef label : own)
    if (mixed.contains(label))
      labels.push_back(label.str());
  return labels;
}

//===-- Values -------------------------------------------------------------------------------===//

Value LinearPart::fit(OpBuilder& b, Value value, ArrayType type) {
  Location loc = value.getLoc();
  if (type.isComplex() && !typeOf(value).isComplex())
    value = CastOp::create(b, loc, typeOf(value).withElementType(type.getElementType()), value);
  return value.getType() == type ? value : Value(BroadcastOp::create(b, loc, type, value));
}

Value LinearPart::zero(OpBuilder& b, Location loc, Semiring semiring, ArrayType type) {
  return fit(b, ConstantOp::create(b, loc, semiring == Semiring::MaxPlus ? -INFINITY : 0.0), type);
}

/// The labels of both, and complex where one is.
ArrayType LinearPart::unite(ArrayType a, ArrayType b) {
  for (AxisAttr axis : b.getAxes())
    if (!a.has(axis.getName()))
      a = a.withAxis(axis);
  return b.isComplex() ? a.withElementType(b.getElementType()) : a;
}

LogicalResult LinearPart::fail(Operation* op) {
  std::string state;
  for (Value operand : op->getOperands())
    for (unsigned number : dependence.of(operand).set_bits())
      if (states[number] && state.empty())
        state = dependence.nameOf(number).str();
  if (reason.empty())
    reason = "state '" + state + "' passes through '" + op->getName().stripDialect().str() +
             "', which is not linear in it";
  return failure();
}

LogicalResult LinearPart::copy(Operation* op, ArrayRef<Value> operands) {
  Operation* made = b.clone(*op);
  made->setOperands(operands);
  ArrayType old = typeOf(op->getResult(0));
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    ArrayType type = typeOf(operands.front());
    for (AxisAttr axis : old.getAxes())
      if (!broadcast.getOperand().getType().has(axis.getName()) && !type.has(axis.getName()))
        type = type.withAxis(axis);
    made->getResult(0).setType(type);
  } else if (isa<CastOp>(op)) {
    made->getResult(0).setType(typeOf(operands.front()).withElementType(old.getElementType()));
  } else {
    SmallVector<Type> types;
    auto inference = cast<InferTypeOpInterface>(made);
    if (failed(inference.inferReturnTypes(op->getContext(), op->getLoc(), operands,
                                          made->getAttrDictionary(), made->getPropertiesStorage(),
                                          made->getRegions(), types)))
      return failure();
    for (auto [result, type] : llvm::zip(made->getResults(), types))
      result.setType(type);
  }
  for (auto [result, part] : llvm::zip(op->getResults(), made->getResults()))
    parts[result] = part;
  return success();
}

/// The linear part of an operand with those labels that the op goes along: it may lack what it is
/// the same along.
Value LinearPart::partFor(Operation* op, Value operand) {
  Value part = get(operand);
  if (!part)
    return part;
  ArrayType type = typeOf(part);
  for (StringRef label : mentionedBy(op))
    if (AxisAttr axis = typeOf(operand).find(label); axis && !type.has(label))
      type = type.withAxis(axis);
  return fit(b, part, type);
}

//===-- Ops ----------------------------------------------------------------------------------===//

LogicalResult LinearPart::visit(Block& block, bool inFold) {
  for (Operation& op : block) {
    bool linear = llvm::any_of(op.getResults(), [&](Value result) { return isLinear(result); });
    if (auto fold = dyn_cast<FoldOp>(op); fold && linear) {
      if (failed(visitFold(fold, inFold)))
        return failure();
    } else if (!linear) {
      if (inFold)
        slice.clone(&op, b, plain);
    } else if (slice.containsAny(&op) && failed(visit(&op))) {
      return failure();
    }
  }
  return success();
}

LogicalResult LinearPart::visit(Operation* op) {
  bool maxPlus = semiring == Semiring::MaxPlus;
  // In which operands the op is linear, if it is in those alone.
  auto areLinear = [&](std::initializer_list<unsigned> allowed) {
    for (unsigned i = 0; i < op->getNumOperands(); ++i)
      if (isLinear(op->getOperand(i)) && !llvm::is_contained(allowed, i))
        return false;
    return true;
  };
  SmallVector<Value> now;
  bool any = false;
  for (Value operand : op->getOperands()) {
    now.push_back(isLinear(operand) ? partFor(op, operand) : plain.lookupOrDefault(operand));
    any |= isLinear(operand) && now.back();
  }
  // Copies the op where some linear operand is not zero.
  auto copyIf = [&](bool admitted) {
    return !admitted ? fail(op) : any ? copy(op, now) : success();
  };
  auto binary = [&](bool sum, bool product) -> LogicalResult {
    bool both = isLinear(op->getOperand(0)) && isLinear(op->getOperand(1));
    if (sum) {
      for (unsigned i : {0u, 1u})
        if (!isLinear(op->getOperand(i)))
          now[i] = Value();
      if (now[0] && now[1])
        return copy(op, now);
      parts[op->getResult(0)] = now[0] ? now[0] : now[1];
      return success();
    }
    return copyIf(product && !both);
  };
  return TypeSwitch<Operation*, LogicalResult>(op)
      .Case([](PrevOp) { return success(); })
      .Case([&](AddOp) { return binary(!maxPlus, maxPlus); })
      .Case([&](MaxOp) { return binary(maxPlus, false); })
      .Case([&](MulOp) { return binary(false, !maxPlus); })
      .Case([&](DivOp) { return copyIf(!maxPlus && areLinear({0})); })
      .Case([&](NegOp) { return copyIf(!maxPlus); })
      .Case([&](SubOp) -> LogicalResult {
        if (maxPlus)
          return copyIf(areLinear({0}));
        if (isLinear(op->getOperand(1)) && now[1])
          now[1] = NegOp::create(b, op->getLoc(), now[1]);
        for (unsigned i : {0u, 1u})
          if (!isLinear(op->getOperand(i)))
            now[i] = Value();
        parts[op->getResult(0)] = now[0] && now[1]
                                      ? Value(AddOp::create(b, op->getLoc(), now[0], now[1]))
                                  : now[0] ? now[0]
                                           : now[1];
        return success();
      })
      .Case([&](SumOp) { return copyIf(!maxPlus); })
      .Case([&](MaximumOp) { return copyIf(maxPlus); })
      .Case<RelabelOp, BroadcastOp, LastOp, AtOp, FlattenOp, UnflattenOp>(
          [&](auto) { return copyIf(true); })
      .Case([&](CastOp cast) {
        return copyIf(cast.getType().isReal() || cast.getType().isComplex());
      })
      .Case([&](SelectOp) -> LogicalResult {
        if (!areLinear({1, 2}))
          return fail(op);
        for (unsigned i : {1u, 2u})
          if (!isLinear(op->getOperand(i)) || !now[i])
            now[i] = zero(ArrayType::get(op->getContext(), {}, b.getF32Type()));
        return copyIf(true);
      })
      .Case([&](ShiftOp shift) -> LogicalResult {
        if (!any)
          return success();
        AxisAttr axis = shift.getOperand().getType().find(shift.getLabel());
        auto type = ArrayType::get(op->getContext(), {}, b.getF32Type());
        for (unsigned i : {0u, 1u})
          if (!isLinear(op->getOperand(i)))
            now[i] = Value();
          else if (now[i])
            type = unite(type, typeOf(now[i]));
        ArrayType first = type.without({shift.getLabel()}), all = first.withAxis(axis);
        return copy(op, {now[0] ? fit(b, now[0], all) : zero(all),
                         now[1] ? fit(b, now[1], first) : zero(first)});
      })
      .Case([&](ScanOp scan) -> LogicalResult {
        if (scan.getSemiring() != semiring || !areLinear({1, 2}))
          return fail(op);
        if (!any)
          return success();
        auto scalar = ArrayType::get(op->getContext(), {}, b.getF32Type());
        ArrayType along = scalar.withAxis(scan.getType().find(scan.getLabel()));
        Value input = isLinear(scan.getInput()) ? now[1] : Value(),
              initial = isLinear(scan.getInitial()) ? now[2] : Value();
        return copy(op, {now[0], input ? input : zero(along), initial ? initial : zero(scalar)});
      })
      .Case([&](MatrixScanOp scan) {
        bool linearMatrix =
            llvm::any_of(scan.getMatrices(), [&](Value value) { return isLinear(value); });
        return maxPlus || linearMatrix ? fail(op) : any ? copyMatrixScan(scan) : success();
      })
      .Case([&](SolveOp solve) -> LogicalResult {
        if (maxPlus || llvm::any_of(solve.getLower(), [&](Value value) { return isLinear(value); }))
          return fail(op);
        if (!any)
          return success();
        AxisAttr axis = typeOf(solve.getResult(0)).find(solve.getRows());
        size_t count = solve.getRight().size();
        for (size_t i = 0; i < count; ++i)
          if (!isLinear(op->getOperand(i)) || !now[i])
            now[i] = zero(ArrayType::get(op->getContext(), {axis}, b.getF32Type()));
        return copy(op, now);
      })
      .Case([&](GramOp) { return copyIf(!maxPlus && (areLinear({0}) || areLinear({1}))); })
      .Case([&](ApplyOp) { return copyIf(!maxPlus && (areLinear({0}) || areLinear({1}))); })
      .Default([&](Operation*) { return fail(op); });
}

/// Initial values and inputs that are zero get the labels that the others' have, as one result's
/// are another's.
LogicalResult LinearPart::copyMatrixScan(MatrixScanOp scan) {
  SmallVector<StringRef> rows = strings(scan.getRows()), columns = strings(scan.getColumns());
  size_t count = scan.getInitial().size();
  auto side = ArrayType::get(scan.getContext(), {}, b.getF32Type());
  auto addSide = [&](Value value) {
    if (value)
      side = unite(side, typeOf(value));
  };
  SmallVector<Value> operands;
  for (Value matrix : scan.getMatrices()) {
    operands.push_back(plain.lookupOrDefault(matrix));
    addSide(operands.back());
  }
  SmallVector<Value> inputs, initial;
  for (auto [values, found] :
       {std::pair(scan.getInputs(), &inputs), std::pair(scan.getInitial(), &initial)})
    for (Value value : values) {
      found->push_back(isLinear(value) ? partFor(scan, value) : Value());
      addSide(found->back());
    }
  SmallVector<StringRef> apart(rows);
  apart.append(columns);
  apart.push_back(scan.getLabel());
  side = side.without(apart);
  Value nothing = ConstantOp::create(b, scan.getLoc(), 0.0);
  for (Value input : inputs)
    operands.push_back(input ? input : nothing);
  for (size_t i = 0; i < count; ++i) {
    ArrayType type = side;
    for (StringRef row : rows)
      if (AxisAttr axis = typeOf(scan.getInitial()[i]).find(row))
        type = type.withAxis(axis);
    operands.push_back(initial[i] ? fit(b, initial[i], type) : zero(type));
  }
  return copy(scan, operands);
}
