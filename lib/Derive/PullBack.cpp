// The rules of reverse mode for what is more than one value of its operands:
// folds, and ops over steps.
//
//   shift           the other way; what was shifted in gets the value at the end
//   scan            l_t = g_t + conj(a_(t+1)) l_(t+1), a scan the other way with the decay shifted
//                   by one; the input gets l, the decay l_t conj(h_(t-1))
//   matrix_scan     the same, transposed; the matrix gets l_t conj(h_(t-1)), row by column
//   solve           r = transposed solve of g; the right side gets r, the matrix, where it is
//                   read, r_t conj(p_s)
//   fold            the body again at every step, from the last to the first; the values that it
//                   carried are kept
//   gram            SSMChunkOps.td, ssm.apply
//   span, cumprod   the logarithm of step l gets all that passes through it, summed
//
// Products of decays are differentiated by the logarithm where they are products of exponentials.
// Other decays, which may be 0, are folded first (ExpandSteps.cpp): products are then
// differentiated as products, which is exact there.
#include "PullBack.h"
#include "dialects/SSM/SSMFormula.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

void PullBack::add(Value value, Value cotangent) {
  if (!cotangent)
    return;
  Value& known = cotangents[value];
  known = known ? Value(AddOp::create(b, value.getLoc(), known, cotangent)) : cotangent;
}

Value PullBack::zero(ArrayType type) {
  Location loc = b.getUnknownLoc();
  Value value = ConstantOp::create(b, loc, 0.0);
  if (type.isComplex())
    value = CastOp::create(b, loc, typeOf(value).withElementType(type.getElementType()), value);
  return value.getType() == type ? value : Value(BroadcastOp::create(b, loc, type, value));
}

Value PullBack::fit(Value value, ArrayType type) {
  return formula::fit(formula::Term(b, value.getLoc(), value), type).get();
}

Value PullBack::conj(Value value) {
  return typeOf(value).isComplex() ? Value(ConjOp::create(b, value.getLoc(), value)) : value;
}

Value PullBack::mul(Value x, Value y) {
  return MulOp::create(b, x.getLoc(), x, y);
}

Value PullBack::atEnd(Value value, StringAttr label, bool last) {
  return LastOp::create(b, value.getLoc(), value, label, last ? UnitAttr() : b.getUnitAttr());
}

//===-- ops over steps -----------------------------------------------------------------------===//

void PullBack::visitLast(LastOp last, Value g) {
  Value nothing = zero(last.getOperand().getType());
  add(last.getOperand(),
      ShiftOp::create(b, last.getLoc(), nothing, g, last.getLabelAttr(),
                      /*reverse=*/last.getReverse() ? UnitAttr() : b.getUnitAttr()));
}

void PullBack::visitShift(ShiftOp shift, Value g) {
  bool reverse = shift.getReverse();
  Value back = ShiftOp::create(b, shift.getLoc(), g, zero(shift.getFirst().getType()),
                               shift.getLabelAttr(), reverse ? UnitAttr() : b.getUnitAttr());
  add(shift.getOperand(), back);
  add(shift.getFirst(), atEnd(g, shift.getLabelAttr(), reverse));
}

void PullBack::visitScan(ScanOp scan, Value g) {
  Location loc = scan.getLoc();
  StringAttr label = scan.getLabelAttr();
  bool reverse = scan.getReverse();
  UnitAttr other = reverse ? UnitAttr() : b.getUnitAttr();
  ArrayType type = scan.getType(), at = type.without({label.getValue()});
  Value decay = conj(scan.getDecay());
  ArrayType decayType = typeOf(decay);
  AxisAttr axis = type.find(label.getValue());
  if (!decayType.has(label.getValue()))
    decay = BroadcastOp::create(b, loc, decayType.withAxis(axis), decay);
  Value later =
      ShiftOp::create(b, loc, decay, zero(typeOf(decay).without({label.getValue()})), label, other);
  auto semiring = SemiringAttr::get(b.getContext(), Semiring::PlusTimes);
  Value all = ScanOp::create(b, loc, semiring, later, g, zero(at), label, other);
  add(scan.getInput(), fit(all, scan.getInput().getType()));
  Value initial = fit(scan.getInitial(), at);
  Value before = ShiftOp::create(b, loc, scan.getResult(), initial, label, scan.getReverseAttr());
  add(scan.getDecay(), fit(mul(all, conj(before)), scan.getDecay().getType()));
  add(scan.getInitial(), fit(atEnd(mul(decay, all), label, reverse), scan.getInitial().getType()));
}

void PullBack::visitMatrixScan(MatrixScanOp scan) {
  Location loc = scan.getLoc();
  size_t count = scan.getInitial().size();
  StringAttr label = scan.getAxis().getLabel();
  UnitAttr other = scan.getReverse() ? UnitAttr() : b.getUnitAttr();
  SmallVector<Value> given, nothing, turned(count * count), later;
  for (auto [result, initial] : llvm::zip(scan.getResults(), scan.getInitial())) {
    Value g = get(result);
    given.push_back(g ? g : zero(typeOf(result)));
    nothing.push_back(zero(typeOf(initial)));
  }
  // What the step after this one reads of it. At the last step that is 0, whatever its matrix is,
  // as `nothing` follows.
  for (size_t row = 0; row < count; ++row)
    for (size_t column = 0; column < count; ++column) {
      Value& matrix = turned[row * count + column];
      matrix = scan.getMatrix(column, row);
      if (matrix)
        matrix = scan.transpose(b, conj(matrix));
      if (!matrix)
        later.push_back(ConstantOp::create(b, loc, 0.0));
      else if (!typeOf(matrix).has(label.getValue()))
        later.push_back(matrix);
      else
        later.push_back(ShiftOp::create(
            b, loc, matrix, zero(typeOf(matrix).without({label.getValue()})), label, other));
    }
  auto all = MatrixScanOp::create(b, loc, later, given, nothing, scan.getAxis(), scan.getRows(),
                                  scan.getColumns(), other);
  for (size_t row = 0; row < count; ++row) {
    Value g = all.getResult(row);
    add(scan.getInputs()[row], fit(g, typeOf(scan.getInputs()[row])));
    Value first = scan.asColumns(b, atEnd(g, label, scan.getReverse()));
    for (size_t column = 0; column < count; ++column) {
      Value matrix = scan.getMatrix(row, column);
      if (!matrix)
        continue;
      Value initial = scan.getInitial()[column];
      Value before =
          ShiftOp::create(b, loc, scan.getResult(column), initial, label, scan.getReverseAttr());
      add(matrix, fit(mul(g, conj(scan.asColumns(b, before))), typeOf(matrix)));
      Value back = turned[column * count + row];
      if (typeOf(back).has(label.getValue()))
        back = atEnd(back, label, scan.getReverse());
      add(initial, fit(mul(back, first), typeOf(initial)));
    }
  }
}

void PullBack::visitSolve(SolveOp solve) {
  Location loc = solve.getLoc();
  size_t count = solve.getRight().size();
  StringAttr rows = solve.getRowsAttr(), columns = solve.getColumnsAttr();
  SmallVector<Value> right, lower;
  for (Value result : solve.getResults()) {
    Value g = get(result);
    right.push_back(g ? g : zero(typeOf(result)));
  }
  for (size_t r = 0; r < count; ++r)
    for (size_t q = 0; q < count; ++q)
      lower.push_back(RelabelOp::create(b, loc, conj(solve.getLower()[q * count + r]),
                                        b.getArrayAttr({rows, columns}),
                                        b.getArrayAttr({columns, rows})));
  auto back = SolveOp::create(b, loc, right, lower, rows, columns,
                              solve.getReverse() ? UnitAttr() : b.getUnitAttr());
  AxisAttr axis = typeOf(solve.getResult(0)).find(rows.getValue());
  Value row = PositionOp::create(b, loc, axis);
  Value column = RelabelOp::create(b, loc, row, b.getArrayAttr(rows), b.getArrayAttr(columns));
  Value isRead =
      CmpOp::create(b, loc, solve.getReverse() ? CmpPredicate::gt : CmpPredicate::lt, column, row);
  for (size_t r = 0; r < count; ++r) {
    add(solve.getRight()[r], fit(back.getResult(r), typeOf(solve.getRight()[r])));
    for (size_t q = 0; q < count; ++q) {
      Value matrix = solve.getLower()[r * count + q];
      Value known = RelabelOp::create(b, loc, conj(solve.getResult(q)), b.getArrayAttr(rows),
                                      b.getArrayAttr(columns));
      Value g = fit(mul(back.getResult(r), known), typeOf(matrix));
      add(matrix, SelectOp::create(b, loc, isRead, g, ConstantOp::create(b, loc, 0.0)));
    }
  }
}

//===-- products of decays -------------------------------------------------------------------===//

bool derive::isExponential(Value value) {
  if (typeOf(value).isComplex())
    return false;
  Operation* op = value.getDefiningOp();
  if (auto mul = dyn_cast_or_null<MulOp>(op))
    return isExponential(mul.getLhs()) && isExponential(mul.getRhs());
  if (isa_and_nonnull<BroadcastOp, RelabelOp>(op))
    return isExponential(op->getOperand(0));
  if (auto constant = dyn_cast_or_null<ConstantOp>(op))
    return constant.getValue().convertToDouble() > 0;
  return isa_and_nonnull<ExpOp>(op);
}

bool derive::hasPullBack(Operation* op) {
  if (auto scan = dyn_cast<ScanOp>(op))
    return scan.getSemiring() == Semiring::PlusTimes;
  if (auto gram = dyn_cast<GramOp>(op)) // Else a product and a span.
    return llvm::any_of(strings(gram.getOver()),
                        [&](StringRef label) { return gram.getDecay().getType().has(label); }) &&
           isExponential(gram.getDecay()) && !gram.getA().getType().isComplex() &&
           !gram.getB().getType().isComplex();
  if (isa<SpanOp, CumprodOp>(op))
    return isExponential(op->getOperand(0));
  return !isa<ApplyOp>(op);
}

void PullBack::addToLog(Value decay, Value g) {
  Operation* op = decay.getDefiningOp();
  if (auto mul = dyn_cast<MulOp>(op)) {
    addToLog(mul.getLhs(), fit(g, mul.getLhs().getType()));
    addToLog(mul.getRhs(), fit(g, mul.getRhs().getType()));
  } else if (auto exp = dyn_cast<ExpOp>(op)) {
    add(exp.getOperand(), fit(g, exp.getOperand().getType()));
  } else if (!isa<ConstantOp>(op)) {
    addToLog(op->getOperand(0), cast<LinearOpInterface>(op).transpose(b, g));
  }
}

Value PullBack::cumsum(Value value, StringAttr label, bool exclusive, bool reverse) {
  Location loc = value.getLoc();
  ArrayType type = typeOf(value), at = type.without({label.getValue()});
  AxisAttr axis = type.find(label.getValue());
  Value one =
      BroadcastOp::create(b, loc, ArrayType::get(b.getContext(), {axis}, type.getElementType()),
                          ConstantOp::create(b, loc, 1.0));
  UnitAttr flag = reverse ? b.getUnitAttr() : UnitAttr();
  Value sum = ScanOp::create(b, loc, SemiringAttr::get(b.getContext(), Semiring::PlusTimes), one,
                             value, zero(at), label, flag);
  return exclusive ? Value(ShiftOp::create(b, loc, sum, zero(at), label, flag)) : sum;
}

void PullBack::visitGram(GramOp gram, Value g) {
  Location loc = gram.getLoc();
  StringAttr rows = gram.getRowsAttr(), columns = gram.getColumnsAttr();
  // Nothing decays between a step and itself. That part would cancel in the decay's gradient,
  // and beside strong decays it is so much the largest that no digit of the rest would be left:
  // it goes its own way.
  Value diagonal;
  if (!gram.getStrict()) {
    Value nothing = ConstantOp::create(b, loc, 0.0);
    Value row = PositionOp::create(b, loc, typeOf(g).find(rows.getValue()));
    Value column = RelabelOp::create(b, loc, row, b.getArrayAttr(rows), b.getArrayAttr(columns));
    Value isSame = CmpOp::create(b, loc, CmpPredicate::eq, row, column);
    diagonal = SumOp::create(b, loc, SelectOp::create(b, loc, isSame, g, nothing),
                             b.getArrayAttr(columns));
    g = SelectOp::create(b, loc, isSame, nothing, g);
  }
  auto apply = [&](Value vectors, bool transpose) -> Value {
    return ApplyOp::create(b, loc, g, vectors, gram.getDecay(), rows, columns, gram.getStrictAttr(),
                           transpose ? b.getUnitAttr() : UnitAttr());
  };
  // Each side's own labels, and those that the other brings along, are summed where
  // they are not borne.
  Value da = fit(apply(gram.getB(), false), gram.getA().getType());
  Value db = fit(apply(gram.getA(), true), gram.getB().getType());
  add(gram.getA(), da);
  add(gram.getB(), db);
  if (diagonal) {
    add(gram.getA(), fit(mul(diagonal, gram.getB()), gram.getA().getType()));
    add(gram.getB(), fit(mul(diagonal, gram.getA()), gram.getB().getType()));
  }
  ArrayType decay = gram.getDecay().getType();
  Value later = cumsum(fit(mul(gram.getA(), da), decay), rows, gram.getStrict(), /*reverse=*/true);
  Value inside = cumsum(fit(mul(gram.getB(), db), decay), rows, false, /*reverse=*/true);
  addToLog(gram.getDecay(), SubOp::create(b, loc, later, inside));
}

void PullBack::visitSpan(SpanOp span, Value g) {
  Location loc = span.getLoc();
  StringAttr rows = span.getRowsAttr(), columns = span.getColumnsAttr();
  // What passes through step l comes from before it and goes to it or behind it. Sums of just that:
  // a difference of larger sums would lose digits.
  Value later = cumsum(mul(g, span.getResult()), rows, span.getStrict(), /*reverse=*/true);
  Value row = PositionOp::create(b, loc, span.getDecay().getType().find(span.getRows()));
  Value column = RelabelOp::create(b, loc, row, b.getArrayAttr(rows), b.getArrayAttr(columns));
  Value isBefore = CmpOp::create(b, loc, CmpPredicate::lt, column, row);
  Value through = SelectOp::create(b, loc, isBefore, later, ConstantOp::create(b, loc, 0.0));
  addToLog(span.getDecay(), SumOp::create(b, loc, through, b.getArrayAttr(columns)));
}

void PullBack::visitCumprod(CumprodOp product, Value g) {
  addToLog(product.getOperand(), cumsum(mul(g, product.getResult()), product.getLabelAttr(),
                                        product.getExclusive(), !product.getReverse()));
}

//===-- folds --------------------------------------------------------------------------------===//

/// Takes reads at the position of an outer fold out of the folds inside,
/// so that a body captures what it reads.
static void hoistReads(FoldOp fold) {
  fold.getBody().walk([&](AtOp at) {
    if (at->getParentOp() != fold &&
        at.getOperand().getType().find(at.getLabel()) == fold.getAxis() &&
        !at.getOperand().getDefiningOp<FoldOp>() &&
        at.getOperand().getParentRegion()->isProperAncestor(&fold.getBody()))
      at->moveBefore(fold.getBlock(), fold.getBlock()->begin());
  });
}

LogicalResult PullBack::visitFold(FoldOp fold) {
  Location loc = fold.getLoc();
  AxisAttr axis = fold.getAxis();
  unsigned carriedCount = fold.getNumCarried();
  hoistReads(fold);

  // The same fold, which also keeps what it carries into each step.
  SmallVector<Value> kept;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(fold);
    SmallVector<Type> types(fold.getResultTypes());
    for (Value init : fold.getInits())
      types.push_back(typeOf(init).withAxis(axis));
    auto made = FoldOp::create(b, loc, types, axis, fold.getReverseAttr(), fold.getInits());
    made.getBody().takeBody(fold.getBody());
    SmallVector<Value> yields(made.getYield().getValues());
    llvm::append_range(yields, made.getBlock()->getArguments());
    made.getYield().getValuesMutable().assign(yields);
    for (auto [old, value] : llvm::zip(fold.getResults(), made.getResults())) {
      old.replaceAllUsesWith(value);
      if (auto it = cotangents.find(old); it != cotangents.end()) {
        Value g = it->second;
        cotangents.erase(old);
        cotangents[value] = g;
      }
    }
    kept.assign(made.getResults().drop_front(fold.getNumResults()).begin(),
                made.getResults().end());
    fold.erase();
    fold = made;
  }
  unsigned stackedCount = fold.getNumResults() - 2 * carriedCount;

  // What comes in from behind: cotangents of the last carried values, and of each stacked one.
  SmallVector<Value> inits, stacked;
  for (unsigned i = 0; i < carriedCount; ++i) {
    Value g = get(fold.getResult(i));
    inits.push_back(g ? g : zero(typeOf(fold.getResult(i))));
  }
  for (unsigned i = 0; i < stackedCount; ++i)
    stacked.push_back(get(fold.getResult(carriedCount + i)));

  auto region = std::make_unique<Region>();
  Block* body = &region->emplaceBlock();
  for (Value init : inits)
    body->addArgument(init.getType(), loc);
  SmallVector<Value> nextCarried, parts;     // yielded
  SmallVector<Value> sums, partOf, captured; // what sums over the steps go to; what parts go to
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(body);
    IRMapping mapping;
    for (auto [argument, values] : llvm::zip(fold.getBlock()->getArguments(), kept))
      mapping.map(argument, AtOp::create(b, loc, values, axis.getLabel()).getResult());
    SmallVector<Operation*> ops;
    for (Operation& op : fold.getBlock()->without_terminator())
      ops.push_back(b.clone(op, mapping));
    PullBack inner(b);
    auto yields = fold.getYield().getValues();
    for (unsigned i = 0; i < carriedCount + stackedCount; ++i) {
      Value value = mapping.lookupOrDefault(yields[i]);
      if (i < carriedCount)
        inner.add(value, body->getArgument(i));
      else if (Value g = stacked[i - carriedCount])
        inner.add(value, AtOp::create(b, loc, g, axis.getLabel()));
    }
    DenseSet<Value> keptNow;
    for (Value argument : fold.getBlock()->getArguments())
      keptNow.insert(mapping.lookup(argument));
    // Reads of arrays at this step are taken care of here.
    SmallVector<Operation*> pointwise;
    llvm::copy_if(ops, std::back_inserter(pointwise), [&](Operation* op) {
      auto at = dyn_cast<AtOp>(op);
      return !at || at.getLabel() != axis.getName();
    });
    if (failed(inner.run(pointwise)))
      return failure();
    for (Value argument : fold.getBlock()->getArguments()) {
      Value g = inner.get(mapping.lookup(argument));
      nextCarried.push_back(g ? g : inner.zero(typeOf(argument)));
    }
    for (auto [value, g] : inner.all()) {
      if (keptNow.contains(value))
        continue;
      if (auto at = value.getDefiningOp<AtOp>();
          at && at->getBlock() == body && at.getLabel() == axis.getName()) {
        partOf.push_back(at.getOperand());
        parts.push_back(g);
      } else if (value.getParentRegion() != region.get()) {
        captured.push_back(value);
        Value sum = body->addArgument(value.getType(), loc);
        sums.push_back(AddOp::create(b, loc, sum, g));
      }
    }
    SmallVector<Value> all(nextCarried);
    llvm::append_range(all, sums);
    llvm::append_range(all, parts);
    YieldOp::create(b, loc, all);
  }
  for (Value value : captured)
    inits.push_back(zero(typeOf(value)));
  SmallVector<Type> types;
  for (Value init : inits)
    types.push_back(init.getType());
  for (Value part : parts)
    types.push_back(typeOf(part).withAxis(axis));
  auto back =
      FoldOp::create(b, loc, types, axis, fold.getReverse() ? UnitAttr() : b.getUnitAttr(), inits);
  back.getBody().takeBody(*region);

  unsigned next = 0;
  SmallVector<Value> initials(fold.getInits());
  for (Value init : initials)
    add(init, back.getResult(next++));
  for (Value value : captured)
    add(value, back.getResult(next++));
  for (Value array : partOf)
    add(array, fit(back.getResult(next++), typeOf(array)));
  return success();
}

//===-- the walk -----------------------------------------------------------------------------===//

LogicalResult PullBack::visit(Operation* op) {
  bool isReached =
      llvm::any_of(op->getResults(), [&](Value result) { return get(result) != nullptr; });
  if (!isReached)
    return success();
  if (auto fold = dyn_cast<FoldOp>(op))
    return visitFold(fold);
  if (auto solve = dyn_cast<SolveOp>(op)) {
    visitSolve(solve);
    return success();
  }
  if (auto scan = dyn_cast<MatrixScanOp>(op)) {
    visitMatrixScan(scan);
    return success();
  }
  Value g = get(op->getResult(0));
  if (auto last = dyn_cast<LastOp>(op)) {
    visitLast(last, g);
  } else if (auto shift = dyn_cast<ShiftOp>(op)) {
    visitShift(shift, g);
  } else if (auto scan = dyn_cast<ScanOp>(op)) {
    visitScan(scan, g);
  } else if (auto gram = dyn_cast<GramOp>(op)) {
    visitGram(gram, g);
  } else if (auto span = dyn_cast<SpanOp>(op)) {
    visitSpan(span, g);
  } else if (auto product = dyn_cast<CumprodOp>(op)) {
    visitCumprod(product, g);
  } else if (auto linear = dyn_cast<LinearOpInterface>(op)) {
    if (!linear.getStackedLabel().empty())
      return op->emitError() << "reads at the position of a fold that is not differentiated";
    add(op->getOperand(0), linear.transpose(b, g));
  } else if (auto differentiable = dyn_cast<DifferentiableOpInterface>(op)) {
    for (OpOperand& operand : op->getOpOperands())
      add(operand.get(), pullBack(differentiable, b, operand.getOperandNumber(), g));
  } else if (op->getNumOperands() && !isa<PrevOp, StepsOp, CmpOp, PositionOp, ConstantOp>(op)) {
    return op->emitError() << "has no derivative rule";
  }
  return success();
}

LogicalResult PullBack::run(ArrayRef<Operation*> ops) {
  for (Operation* op : llvm::reverse(ops))
    if (failed(visit(op)))
      return failure();
  return success();
}
