// The recurrent form, a block of steps at a time: what its adjoint is derived from.
//
// A pass over all steps becomes a chunk whose body is one fold over the steps of the block. Nothing
// is gained by that in itself; but states are then known at the starts of blocks only, and whatever
// is derived from chunks holds for the recurrent form too, nonlinear states included.
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;

static bool usesLabel(RecurrenceOp form, StringRef label) {
  bool used = false;
  form->walk([&](Operation* op) {
    for (Type type : op->getResultTypes())
      if (auto array = dyn_cast<ArrayType>(type))
        used |= array.has(label);
  });
  return used;
}

static void blockPass(RecurrenceOp form, PassOp pass, AxisAttr axis) {
  Location loc = pass.getLoc();
  OpBuilder b(pass);
  UnitAttr reverse =
      pass.getReverse() && !pass.getReverse()->empty() ? b.getUnitAttr() : UnitAttr();
  auto chunk = ChunkOp::create(b, loc, axis, reverse);
  b.setInsertionPointToEnd(&chunk.getBody().emplaceBlock());

  SmallVector<Value> inits, yields;
  SmallVector<Type> types;
  auto updates = llvm::to_vector(pass.getBlock()->getOps<UpdateOp>());
  auto outs = llvm::to_vector(pass.getBlock()->getOps<OutOp>());
  for (UpdateOp update : updates) {
    auto type = cast<ArrayType>(form.getState(update.getState()).getType());
    inits.push_back(
        PrevOp::create(b, loc, type, update.getState(), ArrayRef<int64_t>{reverse ? -1 : 1}));
    types.push_back(type);
  }
  for (OutOp out : outs)
    types.push_back(cast<ArrayType>(out.getValue().getType()).withAxis(axis));
  DenseMap<Value, Value> steps;
  pass->walk([&](Operation* op) {
    for (Value operand : op->getOperands())
      if (auto in = operand.getDefiningOp<InOp>(); in && !in.getParam() && !steps.contains(operand))
        steps[operand] = StepsOp::create(b, in.getLoc(), operand, axis);
  });
  auto fold = FoldOp::create(b, loc, types, axis, reverse, inits);
  Block* body = &fold.getBody().emplaceBlock();
  IRMapping mapping;
  llvm::StringMap<Value> before;
  for (auto [update, init] : llvm::zip(updates, inits))
    before[update.getState()] = body->addArgument(init.getType(), loc);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(body);
    for (auto [value, lifted] : steps)
      mapping.map(value, AtOp::create(b, loc, lifted, axis.getLabel()).getResult());
    for (Operation& op : *pass.getBlock()) {
      if (auto prev = dyn_cast<PrevOp>(op))
        mapping.map(prev.getResult(), before.lookup(prev.getState()));
      else if (!isa<UpdateOp, OutOp>(op))
        b.clone(op, mapping);
    }
    for (auto [update, init] : llvm::zip(updates, inits)) {
      Value next = mapping.lookupOrDefault(update.getValue());
      if (next.getType() != init.getType())
        next = BroadcastOp::create(b, loc, init.getType(), next);
      yields.push_back(next);
    }
    for (OutOp out : outs)
      yields.push_back(mapping.lookupOrDefault(out.getValue()));
    YieldOp::create(b, loc, yields);
  }
  for (auto [update, value] : llvm::zip(updates, fold.getResults()))
    UpdateOp::create(b, loc, update.getState(), value);
  for (auto [out, value] : llvm::zip(outs, fold.getResults().drop_front(updates.size())))
    OutOp::create(b, out.getLoc(), out.getNameAttr(), out.getOrder(), out.getTempAttr(), value);
  pass.erase();
}

LogicalResult derive::blockSteps(RecurrenceOp form, int64_t count) {
  if (form.getNumTimeAxes() != 1)
    return failure();
  std::string label = strings(form.getTime()).front().str();
  while (usesLabel(form, label))
    label += "t";
  OpBuilder b(form);
  auto axis = AxisAttr::get(form.getContext(), b.getStringAttr(label), b.getI64IntegerAttr(count));
  for (PassOp pass : llvm::to_vector(form.getBlock()->getOps<PassOp>()))
    blockPass(form, pass, axis);
  return success();
}
