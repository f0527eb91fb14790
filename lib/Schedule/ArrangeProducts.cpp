// The body of a kernel of columns (Columns.cpp) as products with matrices: triangular systems by
// their inverse, factors where they are multiplied least often.
#include "ColumnSplit.h"

#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;

static void appendFactors(OpBuilder& b, Value value, SmallVectorImpl<Value>& factors) {
  if (auto mul = value.getDefiningOp<ssm::MulOp>()) {
    appendFactors(b, mul.getLhs(), factors);
    appendFactors(b, mul.getRhs(), factors);
    return;
  }
  // A product under other names: so that its factors can go to different places.
  if (auto relabel = value.getDefiningOp<ssm::RelabelOp>();
      relabel && relabel.getOperand().getDefiningOp<ssm::MulOp>()) {
    SmallVector<Value> inner;
    appendFactors(b, relabel.getOperand(), inner);
    for (Value factor : inner)
      factors.push_back(
          ssm::renamed(b, factor, ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())));
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

/// A matrix with two labels called by each other's names.
static Value transposed(OpBuilder& b, Value matrix, StringRef x, StringRef y) {
  auto relabel = matrix.getDefiningOp<ssm::RelabelOp>();
  if (relabel) {
    SmallVector<StringRef> from = ssm::strings(relabel.getFrom());
    SmallVector<StringRef> to = ssm::strings(relabel.getTo());
    if (from.size() == 2 && to[0] == from[1] && to[1] == from[0] && llvm::is_contained(from, x) &&
        llvm::is_contained(from, y))
      return relabel.getOperand();
  }
  return ssm::renamed(b, matrix, {x, y}, {y, x});
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
  // From the last step to the first it is the transposed system: its inverse is that of the system
  // from the first to the last, transposed, which passes over the same steps share.
  SmallVector<Value> lower(solve.getLower());
  if (solve.getReverse())
    for (size_t i = 0; i < count; ++i)
      for (size_t j = 0; j < count; ++j)
        lower[i * count + j] =
            transposed(b, solve.getLower()[j * count + i], rows, solve.getColumns());
  SmallVector<ssm::SolveOp> systems;
  for (size_t i = 0; i < count; ++i) {
    SmallVector<Value> sides(count, nothing);
    sides[i] = identity;
    systems.push_back(
        ssm::SolveOp::create(b, loc, sides, lower, rows, solve.getColumns(), /*reverse=*/false));
    for (Value result : systems.back().getResults())
      inverses[result] = std::pair(rows.str(), label);
  }
  SmallVector<Value> results(count);
  for (size_t i = 0; i < count; ++i) {
    Value side = ssm::RelabelOp::create(b, loc, solve.getRight()[i], old, renamed);
    for (size_t j = 0; j < count; ++j) {
      Value inverse = systems[i].getResult(j);
      if (solve.getReverse()) {
        inverse = transposed(b, systems[j].getResult(i), rows, label);
        inverses[inverse] = std::pair(label, rows.str());
      }
      Value product = ssm::MulOp::create(b, loc, inverse, side);
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
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(sum);
  SmallVector<Value> factors, both, summed, rest, columns;
  appendFactors(b, sum.getOperand(), factors);
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
  Location loc = sum.getLoc();
  // A matrix that has to be computed takes all that it can. (An inverse by itself is the same one
  // for other passes over the steps.)
  if (both.size() > 1 || !(isStoredAsBF16(both[0]) || inverses.contains(both[0]))) {
    for (SmallVector<Value>* others : {&summed, &rest}) {
      both.append(others->begin(), others->end());
      others->clear();
    }
  }
  columns.append(summed);
  Value side = multiply(b, loc, columns);
  if (!arrayType(side).has(over[0]))
    return false;
  Value matrix = multiply(b, loc, both);
  if (llvm::any_of(both, [&](Value factor) { return inverses.contains(factor); }))
    solving.push_back(matrix);
  Value product = ssm::MulOp::create(b, loc, matrix, side);
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
