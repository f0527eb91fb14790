// Systems that mix the elements of their states: a matrix a step.
//
// Whatever the terms of a system are, its step is x_b[t] = sum over c of M_bc[t] x_c[t-1] + b_b[t].
// Labels that some term contracts (or renames) are mixed: as a column of M such a label K is called
// K0. All other labels stand for systems side by side. Each term is a part of a matrix:
//
//   decay d               d[K] same(K, K0)
//   feedback u (w . x)    u[K] w[K0]
//   a dense contraction   A[K, K0]
//
// so that the delta rule's state S[K, V] has M = same(K, K0) - b k[K] k[K0] for all columns V at
// once, and no label of V. For N = 2, x_1 <- a x_1 + x_2 and x_2 <- c x_1:
//
//   M = [[a, 1], [c, 0]]       M M = [[a a + c, a], [c a, c]]
//
// The scan form is x itself (`ssm.matrix_scan`): pairs (M, b) form a monoid, which any order of
// grouping computes. The chunked form cuts what follows from the state before the chunk from what
// does not, so that the chunks wait for nothing but one product each:
//
//   F[t] = M[t] ... M[1]                 l[t] = M[t] l[t-1] + b[t] from 0
//   x[t] = F[t] x_0 + l[t]               x_C  = F[C] x_0 + l[C]
#include "ChunkedForm.h"
#include "Coefficient.h"
#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

/// A matrix of more rows is not made: its products cost rows times what the steps themselves do.
static constexpr int64_t mostRows = 256;

namespace {
/// What a term reads: the label of each of the source's own, and which of them are contracted.
struct TermLabels {
  explicit TermLabels(Operation& term, StateOp source) {
    SmallVector<StringRef> from = strings(term.getAttrOfType<ArrayAttr>("from")),
                           to = strings(term.getAttrOfType<ArrayAttr>("to")), over;
    if (auto feedback = dyn_cast<FeedbackOp>(term))
      over = strings(feedback.getOver());
    for (StringRef label : labelsOf(cast<ArrayType>(source.getType()))) {
      auto renamed = llvm::find(from, label);
      StringRef name = renamed == from.end() ? label : to[renamed - from.begin()];
      labels.push_back({label, name, llvm::is_contained(over, name)});
    }
  }
  struct Label {
    StringRef own, name;
    bool contracted;
    bool isMixed() const { return contracted || own != name; }
  };
  SmallVector<Label> labels;
};

} // namespace

/// The labels that a system mixes, their names as columns, and as columns of what is read of the
/// start of the chunk.
struct ssmc::derive::DenseSystem {
  SmallVector<StateOp> states;
  SmallVector<StringRef> rows, columns, starts;
  SmallVector<Expr> matrixExprs, inputExprs; ///< matrices row by row
  Expr first;                                ///< what decays before micro-steps
  SmallVector<Value> matrices, inputs;

  StringRef columnOf(StringRef row) const { return columns[llvm::find(rows, row) - rows.begin()]; }
  ArrayType typeAt(size_t i) const { return cast<ArrayType>(StateOp(states[i]).getType()); }
  size_t indexOf(Operation& op, StringRef attribute) const {
    StringRef name = op.getAttrOfType<StringAttr>(attribute).getValue();
    return llvm::find_if(states, [&](StateOp state) { return state.getName() == name; }) -
           states.begin();
  }
};

StringRef ChunkedForm::freshLabel(StringRef label) {
  std::string name = label.str();
  do
    name += "0";
  while (freshLabels.contains(name) || StringRef(name).starts_with(steps.getName()) ||
         usesLabel(old, name));
  return freshLabels.insert(name).first->getKey();
}

/// 1 where two labels agree, else 0.
Expr ChunkedForm::same(AxisAttr axis, StringRef other) {
  Location loc = b.getUnknownLoc();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(chunk.getBlock());
  Value row = PositionOp::create(b, loc, axis);
  Value column =
      RelabelOp::create(b, loc, row, b.getArrayAttr(axis.getLabel()), b.getStrArrayAttr({other}));
  Value equal = CmpOp::create(b, loc, CmpPredicate::eq, row, column);
  Value value = SelectOp::create(b, loc, equal, ConstantOp::create(b, loc, 1.0),
                                 ConstantOp::create(b, loc, 0.0));
  lifted[value] = value;
  return context.leaf(value, ("same " + axis.getName() + " " + other).str());
}

LogicalResult ChunkedForm::findMixed(SystemOp system, const Transition& transition,
                                     DenseSystem& dense) {
  for (StringRef name : strings(system.getStates()))
    dense.states.push_back(old.getState(name));
  std::string name = ("state '" + dense.states.front().getName() + "'").str();
  if (system.getSemiring() != Semiring::PlusTimes)
    return fail(name + " is a maximum over a contraction of itself");
  if (dense.states.size() > 1 && transition.rows.micro)
    return fail(name + " and others depend on each other in micro-steps");
  for (size_t i = 0; i < dense.states.size(); ++i)
    if (dense.typeAt(i).getElementType() != dense.typeAt(0).getElementType())
      return fail(name + " depends on a state of another element type");
  for (Operation& op : *StageOp(transition.stage).getBlock())
    if (!isa<InputOp>(op))
      for (auto& label : TermLabels(op, dense.states[dense.indexOf(op, "source")]).labels)
        if (label.isMixed() && !llvm::is_contained(dense.rows, label.own))
          dense.rows.push_back(label.own);
  for (size_t i = 0; i < dense.states.size(); ++i) {
    int64_t elements = 1;
    for (StringRef label : dense.rows)
      if (AxisAttr axis = dense.typeAt(i).find(label))
        elements *= std::max<int64_t>(sizeOf(axis), 1);
    if (elements > mostRows)
      return fail("each step mixes " + Twine(elements) + " elements of state '" +
                  dense.states[i].getName() + "', and its matrix is made up to " + Twine(mostRows) +
                  " rows");
  }
  for (StringRef label : dense.rows) {
    dense.columns.push_back(freshLabel(label));
    dense.starts.push_back(freshLabel(label));
  }
  return success();
}

/// The part of a matrix that a term is.
Expr ChunkedForm::matrixOf(Operation& term, const DenseSystem& dense) {
  size_t from = dense.indexOf(term, "source");
  SmallVector<Expr> factors;
  Renaming toColumns;
  for (auto& label : TermLabels(term, dense.states[from]).labels) {
    if (label.contracted) {
      toColumns.push_back({label.name, dense.columnOf(label.own)});
    } else if (llvm::is_contained(dense.rows, label.own)) {
      Attribute extent = dense.typeAt(from).find(label.own).getExtent();
      auto axis = AxisAttr::get(b.getContext(), b.getStringAttr(label.name), extent);
      factors.push_back(same(axis, dense.columnOf(label.own)));
    }
  }
  if (auto decay = dyn_cast<DecayOp>(term)) {
    factors.push_back(decayCoefficient(context, reader, decay));
    return context.mul(factors);
  }
  auto feedback = cast<FeedbackOp>(term);
  SmallVector<StringRef> apart; // Summed, but no label of the state.
  for (StringRef label : strings(feedback.getOver()))
    if (llvm::none_of(toColumns, [&](auto& pair) { return pair.first == label; }))
      apart.push_back(label);
  factors.push_back(reader.read(feedback.getU()));
  Expr w = context.sum(reader.read(feedback.getW()), apart);
  factors.push_back(context.substitute(w, toColumns));
  return context.mul(factors);
}

LogicalResult ChunkedForm::collectDense(const Transition& transition, DenseSystem& dense) {
  size_t count = dense.states.size();
  SmallVector<SmallVector<Expr>> matrices(count * count), inputs(count);
  for (Operation& op : *StageOp(transition.stage).getBlock()) {
    size_t to = dense.indexOf(op, "state");
    if (auto input = dyn_cast<InputOp>(op)) {
      SmallVector<Expr> factors;
      for (Value factor : input.getFactors())
        factors.push_back(reader.read(factor));
      inputs[to].push_back(context.mul(factors));
    } else {
      matrices[to * count + dense.indexOf(op, "source")].push_back(matrixOf(op, dense));
    }
  }
  auto addUp = [&](ArrayRef<SmallVector<Expr>> all, SmallVector<Expr>& sums) {
    for (auto& terms : all) {
      FailureOr<Expr> sum = replaceReads(context.add(terms));
      if (failed(sum))
        return failure();
      sums.push_back(*sum);
    }
    return success();
  };
  FailureOr<Expr> first = replaceReads(context.mul(transition.decays));
  if (failed(first) || failed(addUp(matrices, dense.matrixExprs)) ||
      failed(addUp(inputs, dense.inputExprs)))
    return failure();
  dense.first = *first;
  return success();
}

static Value filled(OpBuilder& b, Value value, ArrayType type) {
  auto have = cast<ArrayType>(value.getType());
  if (type.isComplex() && !have.isComplex())
    value = CastOp::create(b, value.getLoc(), have.withElementType(type.getElementType()), value);
  return value.getType() == type ? value
                                 : Value(BroadcastOp::create(b, value.getLoc(), type, value));
}

void ChunkedForm::writeDense(const Rows& rows, DenseSystem& dense) {
  Value zero = ConstantOp::create(b, StateOp(dense.states.front()).getLoc(), 0.0);
  for (Expr expr : dense.matrixExprs) {
    // A matrix that params alone make is one for all steps.
    Value matrix = expr->isConstant(0) ? zero : rows.micro ? writeRows(rows, expr) : write(expr);
    // Its columns are of the state before the decay that the first micro-step brings along.
    if (rows.micro && !dense.first->isConstant(1))
      matrix = mul(matrix, renamed(b, writeFirsts(rows, dense.first), dense.rows, dense.columns));
    dense.matrices.push_back(matrix);
  }
  for (Expr expr : dense.inputExprs)
    dense.inputs.push_back(expr->isConstant(0) ? zero : writeRows(rows, expr));
}

SmallVector<Value> ChunkedForm::matrixScan(const Rows& rows, const DenseSystem& dense,
                                           ArrayRef<Value> inputs, ArrayRef<Value> initial) {
  Location loc = StateOp(dense.states.front()).getLoc();
  auto made = MatrixScanOp::create(b, loc, dense.matrices, inputs, initial, rows.axis,
                                   b.getStrArrayAttr(dense.rows), b.getStrArrayAttr(dense.columns),
                                   UnitAttr());
  return SmallVector<Value>(made.getResults());
}

/// The products of matrices from the start of the chunk that are multiplied with state `from`.
SmallVector<Value> ChunkedForm::matrixProducts(const Rows& rows, const DenseSystem& dense,
                                               size_t from) {
  Location loc = StateOp(dense.states.front()).getLoc();
  Value zero = ConstantOp::create(b, loc, 0.0);
  // Labels that matrices bear besides: one product for each.
  auto columns = ArrayType::get(b.getContext(), {}, dense.typeAt(0).getElementType());
  for (Value matrix : dense.matrices)
    for (AxisAttr axis : cast<ArrayType>(matrix.getType()).getAxes())
      if (axis != rows.axis && !columns.has(axis.getName()) &&
          !llvm::is_contained(dense.rows, axis.getName()) &&
          !llvm::is_contained(dense.columns, axis.getName()))
        columns = columns.withAxis(axis);
  SmallVector<Expr> diagonal;
  for (auto [row, start] : llvm::zip(dense.rows, dense.starts))
    if (AxisAttr axis = dense.typeAt(from).find(row)) {
      diagonal.push_back(same(axis, start));
      columns =
          columns.withAxis(AxisAttr::get(b.getContext(), b.getStringAttr(start), axis.getExtent()));
    }
  SmallVector<Value> initial;
  for (size_t to = 0; to < dense.states.size(); ++to) {
    ArrayType type = columns;
    for (StringRef row : dense.rows)
      if (AxisAttr axis = dense.typeAt(to).find(row))
        type = type.withAxis(axis);
    initial.push_back(filled(b, to == from ? write(context.mul(diagonal)) : zero, type));
  }
  return matrixScan(rows, dense, SmallVector<Value>(dense.states.size(), zero), initial);
}

LogicalResult ChunkedForm::takeDense(SystemOp system, const Transition& transition) {
  DenseSystem dense;
  if (failed(findMixed(system, transition, dense)) || failed(collectDense(transition, dense)))
    return failure();
  const Rows& rows = transition.rows;
  StringAttr label = rows.axis.getLabel();
  Location loc = system.getLoc();
  writeDense(rows, dense);
  SmallVector<Value> starts, nothing;
  for (auto [i, state] : llvm::enumerate(dense.states)) {
    starts.push_back(startOf(state));
    nothing.push_back(filled(b, ConstantOp::create(b, loc, 0.0), dense.typeAt(i)));
  }
  together = true;
  // The values at every row, and at the end.
  SmallVector<Value> all, ends;
  if (!options.eliminate) {
    all = matrixScan(rows, dense, dense.inputs, starts);
    for (Value value : all)
      ends.push_back(LastOp::create(b, loc, value, label));
  } else {
    all = matrixScan(rows, dense, dense.inputs, nothing);
    for (Value value : all)
      ends.push_back(LastOp::create(b, loc, value, label));
    for (size_t from = 0; from < starts.size(); ++from) {
      Value start = renamed(b, starts[from], dense.rows, dense.starts);
      for (auto [to, product] : llvm::enumerate(matrixProducts(rows, dense, from))) {
        Value end = LastOp::create(b, loc, product, label);
        ends[to] = add(ends[to], sumOver(mul(end, start), dense.starts));
        all[to] = add(all[to], sumOver(mul(product, start), dense.starts));
      }
    }
  }
  for (auto [i, state] : llvm::enumerate(dense.states)) {
    Value value = atSteps(rows, all[i], /*first=*/false);
    computedStates[state.getName()].all = value;
    lifted[system.getNew(state.getName())] = value;
    UpdateOp::create(b, loc, state.getName(), ends[i]);
  }
  return reason.empty() ? success() : failure();
}
