// Folds without feedback: a few rows of the state stay in registers for all steps of a tile.
//
// Where no carried value depends on a reduction over the rows, the rows too are independent of one
// another; they meet only in the readouts, which are sums over them. Then the order is strip, block
// of rows, step: the block's state is loaded and stored once for all steps instead of at each of
// them, and each block adds its part of the readouts to a buffer. The blocks are added in order.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

namespace {
/// Why and how a fold can be blocked.
struct Blocking {
  StringRef row;
  int64_t rows = 0;
  SmallVector<unsigned> readouts; ///< stacked results that are sums over the rows
  SmallVector<unsigned> perRow;   ///< stacked results that have the row label
  SmallVector<unsigned> perStep;  ///< stacked results that do not depend on the rows
};
} // namespace

/// Finds the blocking of a fold along `lane`; false where it has none.
static bool findBlocking(Emitter& e, ssm::FoldOp fold, StringRef lane, Blocking& blocking) {
  unsigned carried = fold.getNumCarried();
  ssm::ArrayType state = arrayType(fold.getBlock()->getArgument(0));
  if (state.getRank() != 2 ||
      !llvm::all_of(fold.getInits().getTypes(), [&](Type type) { return type == state; }))
    return false;
  for (ssm::AxisAttr axis : state.getAxes())
    if (axis.getName() != lane) {
      blocking.row = axis.getName();
      blocking.rows = axis.getSize();
    }
  if (e.dynamicExtents.count(blocking.row)) // Blocks of rows are of a fixed size.
    return false;
  DenseSet<Value> dependent(fold.getBlock()->args_begin(), fold.getBlock()->args_end());
  DenseSet<Operation*> sums;
  for (Operation& op : fold.getBlock()->without_terminator()) {
    if (op.getNumRegions())
      return false;
    bool depends =
        llvm::any_of(op.getOperands(), [&](Value operand) { return dependent.contains(operand); });
    auto type = arrayType(op.getResult(0));
    if (isReduction(&op) && !e.isUnrolled(&op)) {
      SmallVector<StringRef> over = reducedLabels(&op);
      bool onlyYielded =
          llvm::all_of(op.getUsers(), [](Operation* user) { return isa<ssm::YieldOp>(user); });
      if (over.size() != 1 || over[0] != blocking.row || !onlyYielded || !isa<ssm::SumOp>(op))
        return false;
      for (ssm::AxisAttr axis : type.getAxes())
        if (axis.getName() != lane)
          return false;
      if (!type.has(lane))
        return false;
      sums.insert(&op);
      continue;
    }
    if (depends && isa<ssm::RelabelOp>(op))
      return false;
    // Many registers are wanted for what is expensive: the state better streams through.
    if (type.has(blocking.row) && type.has(lane) && isExpensive(&op))
      return false;
    if (depends)
      dependent.insert(op.getResult(0));
  }
  for (auto [i, value] : llvm::enumerate(fold.getYield().getValues())) {
    Operation* op = value.getDefiningOp();
    if (i < carried) {
      if (op && sums.contains(op))
        return false;
    } else if (fold.getResult(i).use_empty()) {
      continue;
    } else if (op && sums.contains(op)) {
      blocking.readouts.push_back(i);
    } else if (arrayType(value) == state) {
      blocking.perRow.push_back(i);
    } else if (!arrayType(value).has(blocking.row)) {
      blocking.perStep.push_back(i);
    } else {
      return false;
    }
  }
  return true;
}

bool Emitter::emitBlocked(ssm::FoldOp fold, const Point& point, StringRef lane) {
  Blocking blocking;
  if (!findBlocking(*this, fold, lane, blocking))
    return false;
  unsigned carried = fold.getNumCarried();
  auto yielded = fold.getYield().getValues();
  StringRef label = fold.getAxis().getName();
  Value count = extentOf(label, fold.getAxis().getSize());
  auto vectors = [&](Value value, const Point& at) {
    return asLanes(evaluate(value, at), arrayType(value), at, lane);
  };

  int64_t most = std::max<int64_t>(shape.registers / 2 / (point.parts * carried), 1);
  int64_t rows = std::min(blocking.rows, most), whole = blocking.rows / rows * rows;

  // One block: rows base + constant ... for all steps. Each asks for as many steps of the next
  // head.
  int64_t asked = llvm::divideCeil(fold.getAxis().getSize(), llvm::divideCeil(blocking.rows, rows));
  auto askForSteps = [&](Value base, int64_t constant) {
    if (ahead.fold != fold)
      return;
    Value block = i64(constant / rows);
    if (base)
      block = arith::DivUIOp::create(b, base, i64(rows));
    Value from = arith::MulIOp::create(b, block, i64(asked));
    Value to = arith::MinSIOp::create(b, arith::AddIOp::create(b, from, i64(asked)), count);
    loop(from, to, 1, {}, [&](Value step, ValueRange) {
      askAhead(fold, point, step);
      return SmallVector<Value>();
    });
  };
  auto emitRows = [&](Value base, int64_t constant, int64_t rows, bool first) {
    Scope scope(*this);
    askForSteps(base, constant);
    SmallVector<Point> rowPoints(rows, point);
    for (int64_t r = 0; r < rows; ++r)
      rowPoints[r].set(blocking.row, {base, constant + r});
    SmallVector<Value> inits;
    for (const Point& at : rowPoints)
      for (BlockArgument argument : fold.getBlock()->getArguments())
        llvm::append_range(inits, load(buffers.find(argument)->second, at).parts);
    auto lanesOf = [&](ValueRange values, int64_t row, unsigned state) {
      Lanes lanes;
      for (int64_t part = 0; part < point.parts; ++part)
        lanes.parts.push_back(values[(row * carried + state) * point.parts + part]);
      return lanes;
    };
    auto savedBound = bound;
    auto savedPositions = foldPositions;
    SmallVector<Value> last =
        loop(i64(0), count, 1, inits, [&](Value counter, ValueRange values) -> SmallVector<Value> {
          Value position = counter;
          if (fold.getReverse())
            position = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i64(1)), counter);
          foldPositions[label] = {position};
          Point step = point;
          step.set(label, {position});
          SmallVector<Value> roots(yielded.begin(), yielded.end());
          for (unsigned i : blocking.readouts)
            roots[i] = yielded[i].getDefiningOp()->getOperand(0);
          // A result that nobody reads is no root: a sum over the rows would be taken here and now.
          for (auto [i, root] : llvm::enumerate(roots))
            if (i < carried || !fold.getResult(i).use_empty())
              hoist(root, step);
          SmallVector<Value> next;
          SmallVector<Lanes> sums(blocking.readouts.size());
          if (!first)
            for (auto [k, i] : llvm::enumerate(blocking.readouts))
              sums[k] = load(buffers.find(fold.getResult(i))->second, step);
          SmallVector<std::tuple<unsigned, int64_t, Lanes>> rowResults;
          for (int64_t r = 0; r < rows; ++r) {
            Point at = rowPoints[r];
            at.set(label, {position});
            for (auto [i, argument] : llvm::enumerate(fold.getBlock()->getArguments()))
              bound[argument] = lanesOf(values, r, i);
            for (unsigned i = 0; i < carried; ++i)
              llvm::append_range(next, vectors(yielded[i], at).parts);
            for (auto [k, i] : llvm::enumerate(blocking.readouts)) {
              Lanes term = vectors(roots[i], at);
              if (sums[k].parts.empty()) {
                sums[k] = term;
                continue;
              }
              for (auto [sum, one] : llvm::zip(sums[k].parts, term.parts))
                sum = reductionCombine(b, yielded[i].getDefiningOp(), sum, one);
            }
            for (unsigned i : blocking.perRow)
              rowResults.push_back({i, r, vectors(yielded[i], at)});
          }
          for (auto& [i, r, lanes] : rowResults) {
            Point at = rowPoints[r];
            at.set(label, {position});
            store(buffers.find(fold.getResult(i))->second, at, lanes);
          }
          for (auto [k, i] : llvm::enumerate(blocking.readouts))
            store(buffers.find(fold.getResult(i))->second, step, sums[k]);
          if (first)
            for (unsigned i : blocking.perStep)
              store(buffers.find(fold.getResult(i))->second, step, vectors(yielded[i], step));
          return next;
        });
    bound = std::move(savedBound);
    foldPositions = std::move(savedPositions);
    for (int64_t r = 0; r < rows; ++r)
      for (auto [i, argument] : llvm::enumerate(fold.getBlock()->getArguments()))
        store(buffers.find(argument)->second, rowPoints[r], lanesOf(last, r, i));
  };

  emitRows(Value(), 0, rows, /*first=*/true);
  if (whole > rows)
    loop(i64(rows), i64(whole), rows, {}, [&](Value base, ValueRange) {
      emitRows(base, 0, rows, /*first=*/false);
      return SmallVector<Value>();
    });
  if (whole < blocking.rows)
    emitRows(Value(), whole, blocking.rows - whole, /*first=*/false);
  return true;
}
