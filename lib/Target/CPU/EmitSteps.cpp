// Ops along the steps of a chunk as loops in registers, lanes along another label.
#include "Emitter.h"
#include "ssmc/Target/CPU.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

bool ssmc::cpu::lowersSteps(Operation* op) {
  if (op->getParentOfType<ssm::FoldOp>() || op->getNumResults() == 0)
    return false;
  for (Value value : op->getOperands())
    if (auto type = dyn_cast<ssm::ArrayType>(value.getType()); !type || !type.isReal())
      return false;
  if (isa<ssm::ShiftOp, ssm::ScanOp, ssm::CumprodOp, ssm::SpanOp>(op))
    return true;
  // Without decays of the label that is summed a gram is a product, and a span beside it.
  if (auto gram = dyn_cast<ssm::GramOp>(op)) {
    SmallVector<StringRef> over = ssm::strings(gram.getOver());
    return over.size() == 1 && arrayType(gram.getDecay()).has(over.front());
  }
  if (auto apply = dyn_cast<ssm::ApplyOp>(op))
    return !applyLane(apply).empty();
  auto solve = dyn_cast<ssm::SolveOp>(op);
  return solve && !solveLane(solve).empty();
}

bool Emitter::isWhole(Operation* op) {
  return isa_and_nonnull<ssm::FoldOp, ssm::ShiftOp, ssm::ScanOp, ssm::CumprodOp, ssm::SpanOp,
                         ssm::GramOp, ssm::ApplyOp, ssm::SolveOp>(op) ||
         products.contains(op);
}

void Emitter::emitWhole(Operation* op, ArrayRef<Operation*> beside) {
  Scope scope(*this);
  llvm::TypeSwitch<Operation*>(op)
      .Case([&](ssm::SumOp sum) { emitProduct(sum); })
      .Case([&](ssm::GramOp gram) {
        SmallVector<ssm::GramOp> grams{gram};
        for (Operation* other : beside)
          grams.push_back(cast<ssm::GramOp>(other));
        emitGrams(grams);
      })
      .Case([&](ssm::ApplyOp apply) { emitApply(apply); })
      .Case([&](ssm::SolveOp solve) { emitSolve(solve); })
      .Case([&](ssm::SpanOp span) { emitSpan(span); })
      .Case(
          [&](ssm::CumprodOp product) { emitAlong(op, product.getLabel(), product.getReverse()); })
      .Case([&](ssm::ScanOp scan) { emitAlong(op, scan.getLabel(), scan.getReverse()); })
      .Case([&](ssm::ShiftOp shift) { emitAlong(op, shift.getLabel(), shift.getReverse()); })
      .Default([](Operation*) { llvm_unreachable("an op that is not emitted as a whole"); });
}

/// What the op carries along its label: the value before the first step,
/// the next one and the result.
namespace {
struct Along {
  Emitter& e;
  Operation* op;

  Lanes start(const Point& point) {
    if (auto scan = dyn_cast<ssm::ScanOp>(op))
      return e.evaluate(scan.getInitial(), point);
    if (auto shift = dyn_cast<ssm::ShiftOp>(op))
      return e.evaluate(shift.getFirst(), point);
    return {{Arithmetic{e.b, e.b.getF32Type()}.constant(1)}};
  }
  Lanes next(const Lanes& carried, const Point& point) {
    if (auto shift = dyn_cast<ssm::ShiftOp>(op))
      return e.evaluate(shift.getOperand(), point);
    Lanes factor = e.evaluate(op->getOperand(0), point), result = carried;
    auto scan = dyn_cast<ssm::ScanOp>(op);
    Lanes input = scan ? e.evaluate(scan.getInput(), point) : Lanes();
    for (auto [i, value] : llvm::enumerate(result.parts)) {
      Arithmetic a{e.b, value.getType()};
      auto part = [&](const Lanes& lanes) {
        return e.splat(lanes.parts[lanes.isVector() ? i : 0], value.getType());
      };
      if (!scan)
        value = a.mul(value, part(factor));
      else if (scan.getSemiring() == ssm::Semiring::PlusTimes)
        value = a.add(a.mul(part(factor), value), part(input));
      else
        value = arith::MaximumFOp::create(e.b, a.add(part(factor), value), part(input));
    }
    return result;
  }
  bool resultIsBefore() {
    auto product = dyn_cast<ssm::CumprodOp>(op);
    return isa<ssm::ShiftOp>(op) || (product && product.getExclusive());
  }
};
} // namespace

void Emitter::emitAlong(Operation* op, StringRef label, bool reverse) {
  Buffer target = buffers.find(op->getResult(0))->second;
  auto type = arrayType(op->getResult(0));
  Along along{*this, op};
  StringRef lane;
  int64_t extent = 0;
  for (ssm::AxisAttr axis : type.getAxes())
    if (axis.getName() != label && target.isUnit(axis.getName())) {
      lane = axis.getName();
      extent = axis.getSize();
    }
  Value count = extentOf(label, type.find(label).getSize());
  forEach(type, {label, lane}, Point(), [&](const Point& outer) {
    forStrips(lane, extent, extent >= 2 * shape.lanes ? 2 : 1, outer, [&](const Point& strip) {
      // With one lane label all carried values are vectors, without it scalars.
      Lanes first = asLanes(along.start(strip), type, strip, lane);
      loop(i64(0), count, 1, first.parts, [&](Value counter, ValueRange carried) {
        Value position = counter;
        if (reverse)
          position = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i64(1)), counter);
        Point point = strip;
        point.set(label, {position});
        Lanes before{llvm::to_vector<4>(carried)};
        Lanes next = asLanes(along.next(before, point), type, point, lane);
        store(target, point, along.resultIsBefore() ? before : next);
        return SmallVector<Value>(next.parts.begin(), next.parts.end());
      });
    });
  });
}

/// Row by row: the row before, decayed, and 1 on the diagonal.
void Emitter::emitSpan(ssm::SpanOp span) {
  Buffer target = buffers.find(span.getResult())->second;
  auto type = arrayType(span.getResult());
  StringRef rows = span.getRows(), columns = span.getColumns();
  int64_t extent = type.find(rows).getSize();
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  auto positions = VectorType::get({shape.lanes}, b.getI64Type());
  Arithmetic a{b, vector};
  SmallVector<int64_t> counts;
  for (int64_t lane = 0; lane < shape.lanes; ++lane)
    counts.push_back(lane);
  Value lanes =
      arith::ConstantOp::create(b, DenseElementsAttr::get(positions, ArrayRef<int64_t>(counts)));
  int64_t parts = std::clamp<int64_t>(extent / shape.lanes, 1, 4);
  forEach(type, {rows, columns}, Point(), [&](const Point& outer) {
    forStrips(columns, extent, parts, outer, [&](const Point& strip) {
      SmallVector<Value> none(strip.parts, a.constant(0));
      Value start = strip.find(columns)->dynamic;
      loop(i64(0), extentOf(rows, extent), 1, none, [&](Value row, ValueRange carried) {
        Point point = strip;
        point.set(rows, {row});
        Value decay = splat(evaluate(span.getDecay(), point).parts[0], vector);
        Value inside = arith::SubIOp::create(b, row, i64(strip.find(columns)->constant));
        if (start)
          inside = arith::SubIOp::create(b, inside, start);
        SmallVector<Value> next;
        for (auto [part, value] : llvm::enumerate(carried)) {
          Value here = arith::SubIOp::create(b, inside, i64(part * shape.lanes));
          Value diagonal =
              arith::CmpIOp::create(b, arith::CmpIPredicate::eq, splat(here, positions), lanes);
          next.push_back(a.select(diagonal, a.constant(1), a.mul(value, decay)));
        }
        store(target, point,
              {llvm::to_vector<4>(span.getStrict() ? ValueRange(carried) : ValueRange(next))});
        return next;
      });
    });
  });
}
