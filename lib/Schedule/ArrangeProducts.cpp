// The body of a kernel of columns (Columns.cpp) as products with matrices: triangular systems by
// their inverse, factors where they are multiplied least often.
#include "ColumnSplit.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;

static void appendFactors(Value value, SmallVectorImpl<Value>& factors) {
  if (auto mul = value.getDefiningOp<ssm::MulOp>()) {
    appendFactors(mul.getLhs(), factors);
    appendFactors(mul.getRhs(), factors);
    return;
  }
  factors.push_back(value);
}

static Value multiply(OpBuilder& b, Location loc, ArrayRef<Value> factors) {
  Value product;
  for (Value factor : factors)
    product = product ? ssm::MulOp::create(b, loc, product, factor).getResult() : factor;
  return product;
}

/// Whether a matrix over steps is 0 on its diagonal and beyond.
static bool isStrict(Value matrix) {
  if (auto gram = matrix.getDefiningOp<ssm::GramOp>())
    return gram.getStrict();
  if (auto span = matrix.getDefiningOp<ssm::SpanOp>())
    return span.getStrict();
  Operation* op = matrix.getDefiningOp();
  // What a fold over steps stacks of before each step, having begun with zeros: effects of steps,
  // each there from its own step on.
  if (auto fold = dyn_cast_or_null<ssm::FoldOp>(op)) {
    unsigned number = cast<OpResult>(matrix).getResultNumber();
    auto before = dyn_cast<BlockArgument>(fold.getYield().getValues()[number]);
    if (number < fold.getNumCarried() || !before || before.getOwner() != fold.getBlock())
      return false;
    Value init = fold.getInits()[before.getArgNumber()];
    while (auto spread = init.getDefiningOp<ssm::BroadcastOp>())
      init = spread.getOperand();
    auto constant = init.getDefiningOp<ssm::ConstantOp>();
    return constant && constant.getValue().isZero();
  }
  if (isa_and_nonnull<ssm::AddOp, ssm::SubOp>(op))
    return llvm::all_of(op->getOperands(), isStrict);
  return isa_and_nonnull<ssm::MulOp, ssm::NegOp>(op) && llvm::any_of(op->getOperands(), isStrict);
}

/// x + d u where u solves (1 - A d) u = r + A x is what solves (1 - d A) z = x + d r: put z = x + d
/// u. The system is the same size, and the product of A with x, of as many columns as the state, is
/// gone (the push-through identity, Henderson and Searle, 1981). A has to be 0 on its diagonal: a
/// system reads what is below alone, a product all.
void ColumnSplit::pushThrough(ssm::SolveOp solve) {
  if (solve.getRight().size() != 1 || !solve.getResult(0).hasOneUse())
    return;
  auto scaled = dyn_cast<ssm::MulOp>(*solve.getResult(0).getUsers().begin());
  if (!scaled || !scaled->hasOneUse())
    return;
  auto total = dyn_cast<ssm::AddOp>(*scaled->getUsers().begin());
  auto right = solve.getRight()[0].getDefiningOp<ssm::AddOp>();
  auto lower = solve.getLower()[0].getDefiningOp<ssm::MulOp>();
  if (!total || !right || !lower)
    return;
  Value u = solve.getResult(0);
  Value d = scaled.getLhs() == u ? scaled.getRhs() : scaled.getLhs();
  Value x = total.getLhs() == scaled.getResult() ? total.getRhs() : total.getLhs();
  StringRef rows = solve.getRows(), columns = solve.getColumns();
  auto isRenamed = [&](Value value, Value original) {
    auto relabel = value.getDefiningOp<ssm::RelabelOp>();
    return relabel && relabel.getOperand() == original && relabel.getFrom().size() == 1 &&
           ssm::strings(relabel.getFrom())[0] == rows &&
           ssm::strings(relabel.getTo())[0] == columns;
  };
  // The matrix: A d, d by columns.
  Value a = isRenamed(lower.getRhs(), d)   ? lower.getLhs()
            : isRenamed(lower.getLhs(), d) ? lower.getRhs()
                                           : Value();
  if (!a || bearsColumn(d) || !isStrict(a) || x.getType() != total.getType())
    return;
  // The right side: r + A x.
  Value r;
  for (bool first : {true, false}) {
    auto sum = (first ? right.getLhs() : right.getRhs()).getDefiningOp<ssm::SumOp>();
    auto product = sum ? sum.getOperand().getDefiningOp<ssm::MulOp>() : ssm::MulOp();
    if (!product || sum.getOver().size() != 1 || ssm::strings(sum.getOver())[0] != columns)
      continue;
    if ((product.getLhs() == a && isRenamed(product.getRhs(), x)) ||
        (product.getRhs() == a && isRenamed(product.getLhs(), x)))
      r = first ? right.getRhs() : right.getLhs();
  }
  if (!r)
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(total);
  Location loc = solve.getLoc();
  Value side = ssm::AddOp::create(b, loc, x, ssm::MulOp::create(b, loc, d, r));
  Value matrix = ssm::MulOp::create(b, loc, d, a);
  auto made = ssm::SolveOp::create(b, loc, ValueRange{side}, ValueRange{matrix}, rows, columns,
                                   solve.getReverse());
  total.replaceAllUsesWith(made.getResult(0));
}

/// Where a matrix over steps is 0: (late, early) if it is so wherever the position along `early` is
/// past that along `late`.
std::optional<std::pair<StringRef, StringRef>> ColumnSplit::triangleOf(Value value) {
  if (auto known = inverses.find(value); known != inverses.end())
    return std::pair(StringRef(known->second.first), StringRef(known->second.second));
  Operation* op = value.getDefiningOp();
  if (auto gram = dyn_cast<ssm::GramOp>(op))
    return std::pair(gram.getRows(), gram.getColumns());
  if (auto span = dyn_cast<ssm::SpanOp>(op))
    return std::pair(span.getRows(), span.getColumns());
  if (isa<ssm::MulOp>(op))
    for (Value operand : op->getOperands())
      if (auto triangle = triangleOf(operand))
        return triangle;
  if (isa<ssm::NegOp>(op))
    return triangleOf(op->getOperand(0));
  return {};
}

/// A system for many columns: its inverse, once, and a product for each.
void ColumnSplit::invert(ssm::SolveOp solve) {
  Location loc = solve.getLoc();
  StringRef rows = solve.getRows();
  AxisAttr axis = arrayType(solve.getRight()[0]).find(rows);
  std::string label = (solve.getColumns() + "'").str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(solve);
  auto across = AxisAttr::get(b.getContext(), b.getStringAttr(label), axis.getExtent());
  Value one = ssm::ConstantOp::create(b, loc, 1.0), zero = ssm::ConstantOp::create(b, loc, 0.0);
  Value row = ssm::PositionOp::create(b, loc, axis);
  Value isDiagonal = ssm::CmpOp::create(b, loc, ssm::CmpPredicate::eq, row,
                                        ssm::PositionOp::create(b, loc, across));
  Value identity = ssm::SelectOp::create(b, loc, isDiagonal, one, zero);
  Value nothing = ssm::BroadcastOp::create(b, loc, identity.getType(), zero);
  size_t count = solve.getRight().size();
  auto old = b.getStrArrayAttr({rows}), renamed = b.getStrArrayAttr({label});
  SmallVector<Value> results(count);
  for (size_t i = 0; i < count; ++i) {
    SmallVector<Value> sides(count, nothing);
    sides[i] = identity;
    auto inverse = ssm::SolveOp::create(b, loc, sides, solve.getLower(), rows, solve.getColumns(),
                                        solve.getReverse());
    Value side = ssm::RelabelOp::create(b, loc, solve.getRight()[i], old, renamed);
    for (size_t j = 0; j < count; ++j) {
      inverses[inverse.getResult(j)] =
          solve.getReverse() ? std::pair(label, rows.str()) : std::pair(rows.str(), label);
      Value product = ssm::MulOp::create(b, loc, inverse.getResult(j), side);
      Value part = ssm::SumOp::create(b, loc, product, renamed);
      results[j] = results[j] ? ssm::AddOp::create(b, loc, results[j], part).getResult() : part;
    }
  }
  for (auto [result, made] : llvm::zip(solve.getResults(), results))
    result.replaceAllUsesWith(made);
  solve.erase();
}

/// Deals the factors of a sum to its matrix, its columns and its result.
bool ColumnSplit::arrange(ssm::SumOp sum) {
  SmallVector<StringRef> over = ssm::strings(sum.getOver());
  SmallVector<StringRef> kept;
  for (AxisAttr axis : arrayType(sum.getResult()).getAxes())
    if (axis.getName() != column)
      kept.push_back(axis.getName());
  if (over.size() != 1 || kept.size() != 1)
    return false;
  SmallVector<Value> factors, both, summed, rest, columns;
  appendFactors(sum.getOperand(), factors);
  for (Value factor : factors) {
    ArrayType type = arrayType(factor);
    bool isSummed = type.has(over[0]), isKept = type.has(kept[0]);
    if (bearsColumn(factor)) {
      if (isKept)
        return false;
      columns.push_back(factor);
    } else {
      (isSummed && isKept ? both : isSummed ? summed : rest).push_back(factor);
    }
  }
  if (both.empty() || columns.empty())
    return false;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(sum);
  Location loc = sum.getLoc();
  // A matrix that has to be computed takes all that it can.
  if (both.size() > 1 || !isStoredAsBF16(both[0])) {
    for (SmallVector<Value>* others : {&summed, &rest}) {
      both.append(others->begin(), others->end());
      others->clear();
    }
  }
  columns.append(summed);
  Value side = multiply(b, loc, columns);
  if (!arrayType(side).has(over[0]))
    return false;
  Value product = ssm::MulOp::create(b, loc, multiply(b, loc, both), side);
  Value result = ssm::SumOp::create(b, loc, product, sum.getOver());
  if (!rest.empty())
    result = ssm::MulOp::create(b, loc, result, multiply(b, loc, rest));
  if (result.getType() != sum.getType())
    return false;
  sum.replaceAllUsesWith(result);
  sum.erase();
  return true;
}

/// (X a) b is X (a b) where a and b have no columns: one vector, made before.
void ColumnSplit::gatherScales(ssm::MulOp outer) {
  auto split = [&](ssm::MulOp mul, Value& columns, Value& scale) {
    columns = bearsColumn(mul.getLhs()) ? mul.getLhs() : mul.getRhs();
    scale = bearsColumn(mul.getLhs()) ? mul.getRhs() : mul.getLhs();
    return bearsColumn(columns) && !bearsColumn(scale) && arrayType(scale).getRank() <= 1;
  };
  Value inside, scale, columns, first;
  if (!split(outer, inside, scale))
    return;
  auto inner = inside.getDefiningOp<ssm::MulOp>();
  if (!inner || !inner->hasOneUse() || !split(inner, columns, first) ||
      arrayType(first).unionWith(arrayType(scale)).getRank() > 1)
    return;
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(outer);
  outer.getLhsMutable().assign(columns);
  outer.getRhsMutable().assign(ssm::MulOp::create(b, outer.getLoc(), first, scale).getResult());
}
