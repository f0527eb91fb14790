// Micro-steps: a stage `over [J]` takes J steps inside each token.
//
// Nothing but the order of maps counts for elimination and for scans, so C tokens of J micro-steps
// are C J rows: coefficients get the labels of steps and micro-steps, which become one
// (`ssm.flatten`). What a stage before the micro-steps decays by is what the first of them decays
// by in addition. For J = 2, a token's decay g and micro-steps without a decay of their own, two
// tokens are four rows:
//
//   row     decay   key       read before it   read after it
//   (0,0)   g_0     k_(0,0)   S before 0
//   (0,1)   1       k_(0,1)                    S after 0
//   (1,0)   g_1     k_(1,0)   S before 1
//   (1,1)   1       k_(1,1)                    S after 1
#include "ChunkedForm.h"
#include "Coefficient.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

LogicalResult ChunkedForm::arrange(SystemOp system, Transition& transition) {
  auto stages = llvm::to_vector(system.getBlock()->getOps<StageOp>());
  transition.stage = stages.back();
  transition.rows = {steps, columns, {}, {}};
  if (stages.size() == 1 && !stages.front().getAxis())
    return success();
  std::string name = ("state '" + strings(system.getStates()).front() + "'").str();
  std::optional<AxisAttr> axis = stages.back().getAxis();
  if (stages.size() != 2 || !axis || stages.front().getAxis() ||
      system.getSemiring() != Semiring::PlusTimes)
    return fail(name + " has other stages than a decay and then micro-steps");
  for (Operation& op : *stages.front().getBlock()) {
    auto decay = dyn_cast<DecayOp>(op);
    if (!decay || !decay.getFrom().empty() || decay.getState() != decay.getSource())
      return fail(name + " is more than decayed before its micro-steps");
    if (decay.getBy() != ArrayRef<int64_t>{1})
      return fail(name + " reads itself at other steps than the one before");
    transition.decays.push_back(decayCoefficient(context, reader, decay));
  }
  int64_t size = sizeOf(*axis);
  if (size < 1)
    return fail("the number of micro-steps of " + name + " is not known");
  std::string label = (steps.getName() + "1").str(), flat = (steps.getName() + "2").str();
  Rows& rows = transition.rows;
  rows.declared = axis->getName();
  rows.micro = AxisAttr::get(b.getContext(), b.getStringAttr(label), axis->getExtent());
  rows.axis = AxisAttr::get(b.getContext(), b.getStringAttr(flat),
                            b.getI64IntegerAttr(size * options.steps));
  rows.columns = b.getStringAttr(flat + "0");
  return success();
}

Value ChunkedForm::asRows(const Rows& rows, Value value) {
  value = withSteps(value);
  if (!rows.micro)
    return value;
  return flattened(value, steps.getLabel(), rows.micro, rows.axis);
}

Value ChunkedForm::flattened(Value value, StringAttr outer, AxisAttr inner, AxisAttr axis) {
  auto type = cast<ArrayType>(value.getType());
  if (!type.has(inner.getName()))
    value = BroadcastOp::create(b, value.getLoc(), type.withAxis(inner), value);
  return FlattenOp::create(b, value.getLoc(), value, outer, inner.getLabel(), axis);
}

Value ChunkedForm::writeRows(const Rows& rows, Expr expr, ArrayType type) {
  if (!rows.micro)
    return writeSteps(expr, type);
  Expr renamed = context.substitute(expr, {{rows.declared, rows.micro.getName()}});
  if (type && renamed->type.has(rows.micro.getName()))
    type = type.withAxis(rows.micro);
  return asRows(rows, writeSteps(renamed, type));
}

Value ChunkedForm::atSteps(const Rows& rows, Value value, bool first) {
  if (!rows.micro)
    return value;
  Value each =
      UnflattenOp::create(b, value.getLoc(), value, rows.axis.getLabel(), steps, rows.micro);
  return LastOp::create(b, value.getLoc(), each, rows.micro.getLabel(),
                        first ? b.getUnitAttr() : UnitAttr());
}

Value ChunkedForm::writeFirsts(const Rows& rows, Expr x) {
  if (!x)
    return Value();
  Value first = writeSteps(x);
  Location loc = first.getLoc();
  auto type = cast<ArrayType>(first.getType());
  Value ones = ConstantOp::create(b, loc, 1.0);
  if (type.isComplex())
    ones = CastOp::create(b, loc, ArrayType::get(b.getContext(), {}, type.getElementType()), ones);
  ones = BroadcastOp::create(b, loc, type.withAxis(rows.micro), ones);
  return asRows(rows, ShiftOp::create(b, loc, ones, first, rows.micro.getLabel(), UnitAttr()));
}
