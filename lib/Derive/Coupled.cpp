// States that depend on each other, eliminated together.
//
// N states of one type, each a sum of decayed earlier values of all of them and of outer products,
// are one state whose decay at step t is an N x N matrix A[t]:
//
//   S_b[t] = sum over c of A[t]_bc S_c[t-1] + products
//
// What was a product of decays is a product of matrices, which needs an order but nothing else:
//
//   from step s to step t   A[t] A[t-1] ... A[s+1]
//   its entry (b, c)        how much of what entered c at s is in b at t
//
// and a query of state b meets a product that entered c through entry (b, c). For momentum S and
// memory M (Titans), S = e S' + x, M = a M' + S, with e and a constant:
//
//   A = [[e, 0], [e, a]]    A A = [[e e, 0], [e e + a e, a a]]
//
// and as x enters both, M two steps later holds (e e + a e + a a) x.
//
// Entries that are 0 in every such product are not computed. One fold over the steps of the chunk
// makes all that are.
#include "ChunkedForm.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

/// Whether each state reaches each in any number of steps, none included.
static SmallVector<bool> reached(ArrayRef<Expr> matrix, size_t count) {
  SmallVector<bool> result(count * count);
  for (size_t b = 0; b < count; ++b)
    for (size_t c = 0; c < count; ++c)
      result[b * count + c] = b == c || matrix[b * count + c];
  for (size_t through = 0; through < count; ++through)
    for (size_t b = 0; b < count; ++b)
      for (size_t c = 0; c < count; ++c)
        result[b * count + c] |= result[b * count + through] && result[through * count + c];
  return result;
}

void ChunkedForm::couple(Eliminated& states) {
  size_t count = states.states.size(), entries = count * count;
  Location loc = states.states.front().getLoc();
  AxisAttr axis = states.rows.axis;
  auto column = AxisAttr::get(b.getContext(), states.rows.columns, axis.getExtent());
  SmallVector<bool> isReached = reached(states.matrix, count);

  auto entryType = ArrayType::get(b.getContext(), {}, b.getF32Type());
  SmallVector<Value> matrix(entries);
  for (size_t i = 0; i < entries; ++i)
    if (states.matrix[i]) {
      matrix[i] = writeRows(states.rows, states.matrix[i]);
      auto type = cast<ArrayType>(matrix[i].getType());
      entryType = entryType.unionWith(
          type.without({axis.getName()}).withElementType(entryType.getElementType()));
      if (type.isComplex())
        entryType = entryType.withElementType(type.getElementType());
    }
  ArrayType columnType = entryType.withAxis(column);
  auto filled = [&](OpBuilder& builder, double number, ArrayType type) -> Value {
    Value value = ConstantOp::create(builder, loc, number);
    if (type.isComplex())
      value = CastOp::create(builder, loc,
                             ArrayType::get(b.getContext(), {}, type.getElementType()), value);
    return value.getType() == type ? value : Value(BroadcastOp::create(builder, loc, type, value));
  };

  // Carried: from each row to this one, then from the start to this one.
  SmallVector<Value> inits;
  SmallVector<Type> types;
  SmallVector<int> place(entries, -1);
  int kept = 0;
  for (size_t i = 0; i < entries; ++i)
    if (isReached[i])
      place[i] = kept++;
  for (int part : {0, 1})
    for (size_t i = 0; i < entries; ++i)
      if (isReached[i]) {
        bool one = part == 1 && i / count == i % count;
        inits.push_back(filled(b, one ? 1 : 0, part ? entryType : columnType));
        types.push_back(inits.back().getType());
      }
  // Stacked: the same after this row, and before it.
  for (int times : {0, 1}) {
    (void)times;
    for (Value init : inits)
      types.push_back(cast<ArrayType>(init.getType()).withAxis(axis));
  }
  Value row = PositionOp::create(b, loc, axis);
  Value position = RelabelOp::create(b, loc, row, b.getArrayAttr(axis.getLabel()),
                                     b.getArrayAttr(column.getLabel()));
  auto fold = FoldOp::create(b, loc, types, axis, UnitAttr(), inits);
  Block* body = &fold.getBody().emplaceBlock();
  for (Value init : inits)
    body->addArgument(init.getType(), loc);
  OpBuilder in = OpBuilder::atBlockEnd(body);
  Value isHere = CmpOp::create(in, loc, CmpPredicate::eq, position,
                               AtOp::create(in, loc, row, axis.getLabel()));
  SmallVector<Value> now(entries);
  for (size_t i = 0; i < entries; ++i)
    if (matrix[i])
      now[i] = AtOp::create(in, loc, matrix[i], axis.getLabel());
  SmallVector<Value> next;
  for (int part : {0, 1})
    for (size_t i = 0; i < entries; ++i) {
      if (!isReached[i])
        continue;
      size_t to = i / count, from = i % count;
      Value sum;
      for (size_t through = 0; through < count; ++through) {
        Value step = now[to * count + through];
        int before = place[through * count + from];
        if (!step || before < 0)
          continue;
        Value term = MulOp::create(in, loc, step, body->getArgument(part * kept + before));
        sum = sum ? Value(AddOp::create(in, loc, sum, term)) : term;
      }
      ArrayType type = part ? entryType : columnType;
      if (!sum)
        sum = filled(in, 0, type);
      if (part == 0) // What enters at this row is not decayed yet.
        sum = SelectOp::create(in, loc, isHere, filled(in, to == from, type), sum);
      if (sum.getType() != type)
        sum = BroadcastOp::create(in, loc, type, sum);
      next.push_back(sum);
    }
  SmallVector<Value> yields(next);
  llvm::append_range(yields, next);
  llvm::append_range(yields, body->getArguments());
  YieldOp::create(in, loc, yields);

  Coupling& coupling = states.coupling;
  for (auto* list :
       {&coupling.between, &coupling.strict, &coupling.upTo, &coupling.before, &coupling.toEnd})
    list->resize(entries);
  for (size_t i = 0; i < entries; ++i) {
    if (!isReached[i])
      continue;
    int here = place[i];
    coupling.toEnd[i] =
        RelabelOp::create(b, loc, fold.getResult(here), b.getArrayAttr(column.getLabel()),
                          b.getArrayAttr(axis.getLabel()));
    coupling.between[i] = fold.getResult(2 * kept + here);
    coupling.upTo[i] = fold.getResult(3 * kept + here);
    coupling.strict[i] = fold.getResult(4 * kept + here);
    coupling.before[i] = fold.getResult(5 * kept + here);
  }
}

Value ChunkedForm::coupledGram(Eliminated& states, unsigned of, Value query, const Product& product,
                               bool strict) {
  Value left;
  for (unsigned into : product.into)
    if (Value entry = (strict ? states.coupling.strict
                              : states.coupling.between)[of * states.states.size() + into])
      left = add(left, entry);
  if (!left)
    return Value();
  Value both = mul(query, asColumns(states.rows, product.keys));
  if (bearsAny(cast<ArrayType>(left.getType()), states.key))
    return sumOver(mul(both, left), states.key);
  return mul(sumOver(both, states.key), left);
}
