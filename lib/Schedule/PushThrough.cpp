// A product less for each triangular system.
//
// x + d u, where u solves (1 - A d) u = r + A x, is what solves (1 - d A) z = x + d r: put z = x +
// d u. The system is of the same size, and the product of A with x, of as many columns as the state
// has, is gone (the push-through identity, Henderson and Searle, 1981). A has to be 0 on its
// diagonal: a system reads what is below alone, a product all.
#include "ColumnSplit.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;

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

void schedule::pushThrough(ssm::SolveOp solve) {
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
  if (!a || arrayType(d).getRank() != 1 || !isStrict(a) || x.getType() != total.getType())
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
  OpBuilder b(total);
  Location loc = solve.getLoc();
  Value side = ssm::AddOp::create(b, loc, x, ssm::MulOp::create(b, loc, d, r));
  Value matrix = ssm::MulOp::create(b, loc, d, a);
  auto made = ssm::SolveOp::create(b, loc, ValueRange{side}, ValueRange{matrix}, rows, columns,
                                   solve.getReverse());
  total.replaceAllUsesWith(made.getResult(0));
}
