// The inverse of a unit triangular system over the steps of a chunk, by blocks.
//
// Blocks of sixteen steps on the diagonal by substitution: a lane has a column in registers, two
// blocks are a warp's. Then neighbours become blocks of twice as many steps, again and again,
//
//   (I - N)^-1 of  | N11      |   is   | X11              |
//                  | N21  N22 |        | X22 N21 X11  X22 |
//
// by products of pairs of bf16, three terms each, so that both sides have sixteen digits at least.
// They are computed transposed, as then the sums of the first are the left side of the second as
// they lie in registers: U = X11' N21', and U X22' is what is wanted.
//
// (Blocks merged by products: Yang et al., parallelizing linear transformers with the delta rule,
// 2024, and what has been done since for chunks of 64 steps.)
#include "lib/Target/SIMT/Halves.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// The label of an identity matrix beside that of its rows; none if it is none.
static StringRef columnsOfIdentity(Value value, StringRef rows) {
  auto isNumber = [](Value value, double number) {
    auto constant = value.getDefiningOp<ssm::ConstantOp>();
    return constant && constant.getValue().convertToDouble() == number;
  };
  auto select = value.getDefiningOp<ssm::SelectOp>();
  if (!select || !isNumber(select.getOnTrue(), 1) || !isNumber(select.getOnFalse(), 0))
    return {};
  auto compare = select.getCondition().getDefiningOp<ssm::CmpOp>();
  if (!compare || compare.getPredicate() != ssm::CmpPredicate::eq)
    return {};
  StringRef columns;
  bool hasRows = false;
  for (Value side : {compare.getLhs(), compare.getRhs()}) {
    auto position = side.getDefiningOp<ssm::PositionOp>();
    if (!position || arrayType(side).getRank() != 1)
      return {};
    StringRef label = arrayType(side).getAxes().front().getName();
    if (label == rows)
      hasRows = true;
    else
      columns = label;
  }
  return hasRows ? columns : StringRef();
}

bool simt::lowersInverse(ssm::SolveOp solve) {
  if (solve.getRight().size() != 1)
    return false;
  StringRef rows = solve.getRows();
  ssm::ArrayType matrix = arrayType(solve.getLower().front());
  if (!matrix.isReal() || matrix.getRank() != 2 || !matrix.has(rows) ||
      !matrix.has(solve.getColumns()) || columnsOfIdentity(solve.getRight().front(), rows).empty())
    return false;
  return takesBlocks(solve, matrix.find(rows).getSize());
}

namespace ssmc::simt {

class InverseEmitter : OverSteps {
public:
  InverseEmitter(KernelEmitter& e, ssm::SolveOp solve)
      : OverSteps(e, solve.getRows(),
                  arrayType(solve.getResult(0)).find(solve.getRows()).getSize()),
        solve(solve), columns(solve.getColumns()),
        across(columnsOfIdentity(solve.getRight().front(), rows)) {
    target = e.makeBuffer(arrayType(solve.getResult(0)), {rows, across});
    one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
    pairs = llvm::divideCeil(steps, 2 * blockSteps);
    Value number = e.numberAmong(32 * pairs);
    lane = arith::RemUIOp::create(b, number, e.i32(32));
    warp = arith::DivUIOp::create(b, number, e.i32(32));
    warps = e.limits.threads / 32;
  }

  void emit() {
    e.loop(warp, e.i32(pairs), e.i32(warps), {}, [&](Value task, ValueRange) {
      emitDiagonal(task);
      // What a pair of blocks becomes is made of nothing but these two.
      if (steps > blockSteps) {
        e.machine.meetWarp(b);
        merge(blockSteps, task, Value());
      }
      return SmallVector<Value>();
    });
    emitZeros();
    for (int64_t half = 2 * blockSteps; half < steps; half *= 2) {
      e.barrier();
      int64_t tiles = half / blockSteps;
      e.loop(warp, e.i32(steps / (2 * half) * tiles), e.i32(warps), {},
             [&](Value task, ValueRange) {
               merge(half, arith::DivUIOp::create(b, task, e.i32(tiles)),
                     arith::RemUIOp::create(b, task, e.i32(tiles)));
               return SmallVector<Value>();
             });
    }
    e.buffers[solve.getResult(0)] = target;
  }

private:
  /// The step of a number, counted from the last one where that is solved first.
  Index stepOf(Index number) {
    if (!solve.getReverse())
      return number;
    if (!number.dynamic)
      return {Value(), steps - 1 - number.constant};
    return {arith::SubIOp::create(b, e.i32(steps - 1), number.dynamic), -number.constant};
  }
  /// An element of the system; 0 where there is no such step.
  Value systemAt(Index row, Index column) {
    Point point;
    Index late = stepOf(row), early = stepOf(column);
    point.set(rows, late);
    point.set(columns, early);
    Value element = e.evaluate(solve.getLower().front(), point);
    return ifThere(element, solve.getReverse() ? early : late);
  }
  Point placeOf(Index row, Index column) {
    Point point;
    point.set(rows, stepOf(row));
    point.set(across, stepOf(column));
    return point;
  }

  /// Two blocks, a column for each lane.
  void emitDiagonal(Value task) {
    Value block = plus(times(task, 2), arith::DivUIOp::create(b, lane, e.i32(blockSteps)));
    Value column = arith::RemUIOp::create(b, lane, e.i32(blockSteps));
    bool isAlone = steps == blockSteps;
    Value first = isAlone ? e.i32(0) : times(block, blockSteps);
    SmallVector<Value> known;
    for (int64_t i = 0; i < blockSteps; ++i) {
      Value isOwn = equal(column, e.i32(i));
      Value sum = arith::SelectOp::create(b, isOwn, one, zero);
      for (int64_t j = 0; j < i; ++j)
        sum = LLVM::FMAOp::create(b, systemAt({first, i}, {first, j}), known[j], sum);
      known.push_back(sum);
    }
    auto write = [&] {
      for (auto [i, value] : llvm::enumerate(known))
        e.store(target, placeOf({first, int64_t(i)}, {plus(first, column), 0}), value);
    };
    if (!isAlone)
      return write();
    e.when(equal(block, e.i32(0)), write);
  }

  /// In the blocks of sixteen steps above the diagonal.
  void emitZeros() {
    if (steps == blockSteps)
      return;
    // (Of steps that do not exist too: what they are is multiplied by 0.)
    ssm::AxisAttr axes[] = {axisOf(b, rows, steps), axisOf(b, across, steps)};
    e.dealNumbers(steps * steps, [&](Value number) {
      Point point = e.pointAt(number, axes);
      auto blockOf = [&](StringRef label) -> Value {
        return arith::DivUIOp::create(b, e.indexValue(*point.find(label)), e.i32(blockSteps));
      };
      auto isAbove = solve.getReverse() ? arith::CmpIPredicate::ugt : arith::CmpIPredicate::ult;
      e.when(arith::CmpIOp::create(b, isAbove, blockOf(rows), blockOf(across)),
             [&] { e.store(target, point, zero); });
    });
  }

  using Fragment = SmallVector<KernelEmitter::Pair>;
  /// Pairs of a side of a tile of products: elements `at` rows (or lanes) 8 apart and terms 8
  /// apart.
  Fragment fragmentOf(ArrayRef<int64_t> apart,
                      llvm::function_ref<Value(int64_t own, int64_t term)> at) {
    Fragment pairs;
    for (int64_t term : {0, 8})
      for (int64_t own : apart)
        pairs.push_back(e.roundedPair(at(own, term), at(own, term + 1), /*wantsRest=*/true));
    return pairs;
  }
  void multiply(const Fragment& left, const Fragment& right, SmallVector<Value>& sums) {
    auto parts = [](const Fragment& all, bool rest) {
      SmallVector<Value> values;
      for (const KernelEmitter::Pair& pair : all)
        values.push_back(rest ? pair.rest : pair.value);
      return values;
    };
    for (auto [x, y] : {std::pair(true, false), {false, true}, {false, false}})
      sums = e.machine.multiplyPairs(b, parts(left, x), parts(right, y), sums);
  }

  /// Sixteen columns of what joins the two blocks of a pair of them.
  void merge(int64_t half, Value pair, Value tile) {
    Value r = arith::DivUIOp::create(b, lane, e.i32(4));
    Value c = times(arith::RemUIOp::create(b, lane, e.i32(4)), 2);
    Value first = times(pair, 2 * half), second = plus(first, e.i32(half));
    Value column = tile ? plus(first, times(tile, blockSteps)) : first;
    Value columnOfLane = plus(column, r), term = plus(first, c), lateTerm = plus(second, c);
    Value row = plus(second, r), lateRow = plus(second, c);
    int64_t deep = half / blockSteps, wide = half / 8;
    SmallVector<SmallVector<Value>> sums(wide, SmallVector<Value>(4, e.nought));
    for (int64_t k = 0; k < deep; ++k) {
      Fragment left = fragmentOf({0, 8}, [&](int64_t own, int64_t at) {
        return e.load(target, placeOf({term, 16 * k + at}, {columnOfLane, own}));
      });
      for (int64_t n = 0; n < wide; ++n)
        multiply(left,
                 fragmentOf({0},
                            [&](int64_t, int64_t at) {
                              return systemAt({row, 8 * n}, {term, 16 * k + at});
                            }),
                 sums[n]);
    }
    SmallVector<SmallVector<Value>> results(wide, SmallVector<Value>(4, zero));
    for (int64_t k = 0; k < deep; ++k) {
      // (The sums of two tiles lie as a left side does.)
      Fragment left = fragmentOf(
          {0, 8}, [&](int64_t own, int64_t at) { return sums[2 * k + at / 8][own / 4 + at % 8]; });
      // What is right of the diagonal is 0.
      for (int64_t n = 2 * k; n < wide; ++n)
        multiply(left,
                 fragmentOf({0},
                            [&](int64_t, int64_t at) {
                              return e.load(target, placeOf({row, 8 * n}, {lateTerm, 16 * k + at}));
                            }),
                 results[n]);
    }
    for (int64_t n = 0; n < wide; ++n)
      for (int64_t own : {0, 8})
        for (int64_t i : {0, 1})
          e.store(target, placeOf({lateRow, 8 * n + i}, {columnOfLane, own}),
                  results[n][own / 4 + i]);
  }

  ssm::SolveOp solve;
  StringRef columns, across;
  int64_t pairs = 0; ///< of blocks on the diagonal
  int64_t warps = 0;
  Buffer target;
  Value one, lane, warp;
};

} // namespace ssmc::simt

void KernelEmitter::emitInverse(ssm::SolveOp solve) {
  InverseEmitter(*this, solve).emit();
}
