// The ops over the steps of a chunk, written as loops over the steps.
//
// What each op means, as a fold that carries what the next step needs.
// A gram of C rows carries C keys and lets each decay as the steps pass, so that no
// exponent and no quotient of decays ever occurs:
//
//   r_s <- b_s at step s;  r_s <- decay_t r_s at each later step t;  gram[t, s] = a_t . r_s
//
// This is how any of these ops runs on a target that has nothing better for it, and what its
// derivative is derived from where no rule of its own is stated.
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;

namespace {

class Expander {
public:
  explicit Expander(Operation* op) : op(op), loc(op->getLoc()), b(op) {}
  /// The values that stand for the op's results; none where it is no op of this kind.
  SmallVector<Value> expand();

private:
  using Body = llvm::function_ref<SmallVector<Value>(ValueRange carried)>;
  /// A fold over `axis`; the body returns the next carried values, then those to stack.
  FoldOp fold(AxisAttr axis, bool reverse, ArrayRef<Value> inits, Body body);
  Value at(Value value, AxisAttr axis) {
    return typeOf(value).has(axis.getName()) ? Value(AtOp::create(b, loc, value, axis.getLabel()))
                                             : value;
  }
  Value number(double value) { return ConstantOp::create(b, loc, value); }
  Value broadcast(Value value, ArrayType type) {
    if (typeOf(value).isReal() && type.isComplex())
      value = CastOp::create(b, loc, typeOf(value).withElementType(type.getElementType()), value);
    return value.getType() == type ? value : Value(BroadcastOp::create(b, loc, type, value));
  }
  Value mul(Value x, Value y) { return MulOp::create(b, loc, x, y); }
  Value add(Value x, Value y) { return AddOp::create(b, loc, x, y); }
  Value relabel(Value value, StringAttr from, StringAttr to) {
    return RelabelOp::create(b, loc, value, b.getArrayAttr(from), b.getArrayAttr(to));
  }
  Value select(Value condition, Value yes, Value no) {
    return SelectOp::create(b, loc, condition, yes, no);
  }
  /// Whether column `columns` is the present row, inside a fold over `rows`:
  /// both taken before the fold.
  struct Diagonal {
    Value row, column;
  };
  Diagonal positions(AxisAttr rows, StringAttr columns);
  Value isHere(const Diagonal& diagonal, AxisAttr rows) {
    return CmpOp::create(b, loc, CmpPredicate::eq, diagonal.column, at(diagonal.row, rows));
  }

  SmallVector<Value> expand(ShiftOp);
  SmallVector<Value> expand(ScanOp);
  SmallVector<Value> expand(MatrixScanOp);
  SmallVector<Value> expand(CumprodOp);
  SmallVector<Value> expand(SpanOp);
  SmallVector<Value> expand(GramOp);
  SmallVector<Value> expand(ApplyOp);
  SmallVector<Value> expand(SolveOp);

  Operation* op;
  Location loc;
  OpBuilder b;
};

} // namespace

FoldOp Expander::fold(AxisAttr axis, bool reverse, ArrayRef<Value> inits, Body body) {
  // The yields tell the types of stacked values, so the region is built first.
  auto region = std::make_unique<Region>();
  Block* block = &region->emplaceBlock();
  for (Value init : inits)
    block->addArgument(init.getType(), loc);
  SmallVector<Value> yields;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(block);
    yields = body(block->getArguments());
    YieldOp::create(b, loc, yields);
  }
  SmallVector<Type> types;
  for (auto [i, value] : llvm::enumerate(yields))
    types.push_back(i < inits.size() ? value.getType() : typeOf(value).withAxis(axis));
  auto made = FoldOp::create(b, loc, types, axis, reverse ? b.getUnitAttr() : UnitAttr(), inits);
  made.getBody().takeBody(*region);
  return made;
}

Expander::Diagonal Expander::positions(AxisAttr rows, StringAttr columns) {
  Value row = PositionOp::create(b, loc, rows);
  return {row, relabel(row, rows.getLabel(), columns)};
}

SmallVector<Value> Expander::expand(ShiftOp shift) {
  AxisAttr axis = shift.getOperand().getType().find(shift.getLabel());
  auto made = fold(axis, shift.getReverse(), {shift.getFirst()}, [&](ValueRange carried) {
    return SmallVector<Value>{at(shift.getOperand(), axis), carried[0]};
  });
  return {made.getResult(1)};
}

SmallVector<Value> Expander::expand(ScanOp scan) {
  AxisAttr axis = scan.getType().find(scan.getLabel());
  ArrayType type = scan.getType().without({scan.getLabel()});
  Value initial = broadcast(scan.getInitial(), type);
  auto made = fold(axis, scan.getReverse(), {initial}, [&](ValueRange carried) {
    Value decay = at(scan.getDecay(), axis), input = at(scan.getInput(), axis), next;
    if (scan.getSemiring() == Semiring::PlusTimes)
      next = add(mul(decay, carried[0]), input);
    else
      next = MaxOp::create(b, loc, add(decay, carried[0]), input);
    return SmallVector<Value>{broadcast(next, type), next};
  });
  return {made.getResult(1)};
}

SmallVector<Value> Expander::expand(MatrixScanOp scan) {
  AxisAttr axis = scan.getAxis();
  size_t count = scan.getInitial().size();
  auto made =
      fold(axis, scan.getReverse(), SmallVector<Value>(scan.getInitial()), [&](ValueRange carried) {
        SmallVector<Value> next;
        for (size_t row = 0; row < count; ++row) {
          Value sum = at(scan.getInputs()[row], axis);
          for (size_t from = 0; from < count; ++from) {
            Value matrix = scan.getMatrix(row, from);
            if (!matrix)
              continue;
            Value product = mul(at(matrix, axis), scan.asColumns(b, carried[from]));
            SmallVector<Attribute> over;
            for (Attribute column : scan.getColumns())
              if (typeOf(product).has(cast<StringAttr>(column).getValue()))
                over.push_back(column);
            sum = add(sum, over.empty()
                               ? product
                               : Value(SumOp::create(b, loc, product, b.getArrayAttr(over))));
          }
          next.push_back(broadcast(sum, typeOf(carried[row])));
        }
        next.append(next.begin(), next.end());
        return next;
      });
  return SmallVector<Value>(made.getResults().drop_front(count));
}

SmallVector<Value> Expander::expand(CumprodOp product) {
  AxisAttr axis = product.getType().find(product.getLabel());
  ArrayType type = product.getType().without({product.getLabel()});
  auto made =
      fold(axis, product.getReverse(), {broadcast(number(1), type)}, [&](ValueRange carried) {
        Value next = mul(carried[0], at(product.getOperand(), axis));
        return SmallVector<Value>{next, product.getExclusive() ? carried[0] : next};
      });
  return {made.getResult(1)};
}

SmallVector<Value> Expander::expand(SpanOp span) {
  AxisAttr axis = span.getDecay().getType().find(span.getRows());
  ArrayType type = span.getType().without({span.getRows()});
  Diagonal diagonal = positions(axis, span.getColumnsAttr());
  auto made = fold(axis, false, {broadcast(number(0), type)}, [&](ValueRange carried) {
    Value next =
        select(isHere(diagonal, axis), number(1), mul(carried[0], at(span.getDecay(), axis)));
    return SmallVector<Value>{next, span.getStrict() ? carried[0] : next};
  });
  return {made.getResult(1)};
}

SmallVector<Value> Expander::expand(GramOp gram) {
  AxisAttr axis = gram.getA().getType().find(gram.getRows());
  StringAttr columns = gram.getColumnsAttr();
  if (llvm::none_of(strings(gram.getOver()),
                    [&](StringRef label) { return gram.getDecay().getType().has(label); })) {
    Value key = relabel(gram.getB(), axis.getLabel(), columns);
    Value span =
        SpanOp::create(b, loc, gram.getDecay(), gram.getRowsAttr(), columns, gram.getStrictAttr());
    return {mul(SumOp::create(b, loc, mul(gram.getA(), key), gram.getOver()), span)};
  }
  Value key = relabel(gram.getB(), axis.getLabel(), columns);
  ArrayType type = typeOf(key).unionWith(gram.getDecay().getType().without({axis.getName()}));
  if (gram.getDecay().getType().isComplex())
    type = type.withElementType(gram.getDecay().getType().getElementType());
  Diagonal diagonal = positions(axis, columns);
  auto made = fold(axis, false, {broadcast(number(0), type)}, [&](ValueRange carried) {
    Value next = select(isHere(diagonal, axis), key, mul(carried[0], at(gram.getDecay(), axis)));
    Value keys = gram.getStrict() ? carried[0] : next;
    Value row = SumOp::create(b, loc, mul(at(gram.getA(), axis), keys), gram.getOver());
    return SmallVector<Value>{next, row};
  });
  return {made.getResult(1)};
}

/// Where the decay has no label of the vectors it belongs to the matrix. Else vectors decay as the
/// steps pass, as in a gram; transposed, what each step gets is gathered from all later ones.
SmallVector<Value> Expander::expand(ApplyOp apply) {
  AxisAttr axis = apply.getB().getType().find(apply.getRows());
  StringAttr rows = apply.getRowsAttr(), columns = apply.getColumnsAttr();
  ArrayType decay = apply.getDecay().getType();
  bool transpose = apply.getTranspose();
  auto back = [&](Value value) { return relabel(value, columns, rows); };
  if (decay.without({apply.getRows()}).isSubsetOf(apply.getMatrix().getType())) {
    Value span = SpanOp::create(b, loc, apply.getDecay(), rows, columns, apply.getStrictAttr());
    Value matrix = mul(apply.getMatrix(), span);
    Value vectors = transpose ? apply.getB() : relabel(apply.getB(), rows, columns);
    Value sum =
        SumOp::create(b, loc, mul(matrix, vectors), b.getArrayAttr(transpose ? rows : columns));
    return {broadcast(transpose ? back(sum) : sum, apply.getType())};
  }
  Diagonal diagonal = positions(axis, columns);
  auto columnAxis = AxisAttr::get(b.getContext(), columns, axis.getExtent());
  ArrayType type = apply.getType().without({apply.getRows()}).withAxis(columnAxis);
  Value nothing = broadcast(number(0), type);
  if (!transpose) {
    Value key = relabel(apply.getB(), rows, columns);
    auto made = fold(axis, false, {nothing}, [&](ValueRange carried) {
      Value next = select(isHere(diagonal, axis), key, mul(carried[0], at(apply.getDecay(), axis)));
      Value keys = apply.getStrict() ? carried[0] : next;
      Value row =
          SumOp::create(b, loc, mul(at(apply.getMatrix(), axis), keys), b.getArrayAttr(columns));
      return SmallVector<Value>{broadcast(next, type), row};
    });
    return {made.getResult(1)};
  }
  // The same from the last step to the first: vectors of later steps decay back to the present one,
  // which takes its column of the matrix.
  Value key = relabel(apply.getB(), rows, columns);
  Value matrix = RelabelOp::create(b, loc, apply.getMatrix(), b.getArrayAttr({rows, columns}),
                                   b.getArrayAttr({columns, rows}));
  auto made = fold(axis, true, {nothing}, [&](ValueRange carried) {
    Value decay = at(apply.getDecay(), axis), here = isHere(diagonal, axis);
    Value now = apply.getStrict() ? carried[0] : select(here, key, carried[0]);
    Value row = SumOp::create(b, loc, mul(at(matrix, axis), now), b.getArrayAttr(columns));
    Value next = mul(now, decay);
    if (apply.getStrict())
      next = select(here, key, next);
    return SmallVector<Value>{broadcast(next, type), row};
  });
  return {made.getResult(1)};
}

SmallVector<Value> Expander::expand(SolveOp solve) {
  auto type = cast<ArrayType>(solve.getResult(0).getType());
  AxisAttr axis = type.find(solve.getRows());
  auto column = AxisAttr::get(b.getContext(), solve.getColumnsAttr(), axis.getExtent());
  ArrayType columnType = type.without({solve.getRows()}).withAxis(column);
  Diagonal diagonal = positions(axis, solve.getColumnsAttr());
  size_t count = solve.getRight().size();
  SmallVector<Value> inits(count, broadcast(number(0), columnType));
  // Unknowns that are not known yet are 0, so that whatever a matrix holds there does not count.
  auto made = fold(axis, solve.getReverse(), inits, [&](ValueRange known) {
    SmallVector<Value> next, rows;
    for (size_t r = 0; r < count; ++r) {
      Value row = at(solve.getRight()[r], axis);
      for (size_t q = 0; q < count; ++q) {
        Value lower = at(solve.getLower()[r * count + q], axis);
        Value before =
            CmpOp::create(b, loc, solve.getReverse() ? CmpPredicate::gt : CmpPredicate::lt,
                          diagonal.column, at(diagonal.row, axis));
        Value product = select(before, mul(lower, known[q]), number(0));
        row = add(row, SumOp::create(b, loc, product, b.getArrayAttr(solve.getColumnsAttr())));
      }
      rows.push_back(broadcast(row, type.without({solve.getRows()})));
    }
    Value here = isHere(diagonal, axis);
    for (size_t r = 0; r < count; ++r)
      next.push_back(select(here, rows[r], known[r]));
    next.append(rows);
    return next;
  });
  return SmallVector<Value>(made.getResults().drop_front(count));
}

SmallVector<Value> Expander::expand() {
  return llvm::TypeSwitch<Operation*, SmallVector<Value>>(op)
      .Case<ShiftOp, ScanOp, MatrixScanOp, CumprodOp, SpanOp, GramOp, ApplyOp, SolveOp>(
          [&](auto one) { return expand(one); })
      .Default([](Operation*) { return SmallVector<Value>(); });
}

void derive::expandSteps(Operation* root, llvm::function_ref<bool(Operation*)> keep) {
  SmallVector<Operation*> work;
  root->walk([&](Operation* op) { work.push_back(op); });
  // A gram or an apply may become a product with a span, which is expanded in turn.
  while (!work.empty()) {
    Operation* op = work.pop_back_val();
    if (op == root || keep(op))
      continue;
    Operation* before = op->getPrevNode();
    SmallVector<Value> values = Expander(op).expand();
    if (values.empty())
      continue;
    op->replaceAllUsesWith(values);
    for (Operation* made = op->getPrevNode(); made != before; made = made->getPrevNode())
      work.push_back(made);
    op->erase();
  }
}

namespace {
struct ExpandStepsPass : PassWrapper<ExpandStepsPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ExpandStepsPass)
  StringRef getArgument() const final { return "expand-steps"; }
  StringRef getDescription() const final { return "Write ops over the steps of a chunk as loops"; }
  void runOnOperation() final {
    derive::expandSteps(getOperation(), [](Operation*) { return false; });
  }
};
} // namespace

std::unique_ptr<Pass> derive::createExpandStepsPass() {
  return std::make_unique<ExpandStepsPass>();
}
