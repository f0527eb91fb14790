// Hoisting and sinking: what does not read a state leaves the loop, what only consumes
// it follows the loop.
#include "Placement.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;

//===-- Sizes --------------------------------------------------------------------------------===//

int64_t Binder::sizeOf(StringRef dim) const {
  auto it = options.dims.find(dim);
  return it != options.dims.end() ? it->second : form.getDimSize(dim);
}

LogicalResult Binder::check() {
  for (ssm::DimAttr dim : form.getDims().getAsRange<ssm::DimAttr>())
    if (sizeOf(dim.getName().getValue()) < 1)
      return form.emitError() << "dim '" << dim.getName().getValue()
                              << "' has no size: expected --dims " << dim.getName().getValue()
                              << "=<size>";
  return success();
}

AxisAttr Binder::bind(AxisAttr axis) const {
  auto name = dyn_cast<StringAttr>(axis.getExtent());
  if (!name)
    return axis;
  MLIRContext* context = axis.getContext();
  return AxisAttr::get(context, axis.getLabel(),
                       IntegerAttr::get(IntegerType::get(context, 64), sizeOf(name.getValue())));
}

ArrayType Binder::bind(ArrayType type) const {
  SmallVector<AxisAttr> axes;
  for (AxisAttr axis : type.getAxes())
    axes.push_back(bind(axis));
  return ArrayType::get(type.getContext(), axes, type.getElementType());
}

bool Binder::usesLabel(StringRef label) const {
  WalkResult walk = form->walk([&](Operation* op) {
    for (Type type : op->getResultTypes())
      if (auto array = dyn_cast<ArrayType>(type); array && array.has(label))
        return WalkResult::interrupt();
    return WalkResult::advance();
  });
  return walk.wasInterrupted();
}

//===-- Places -------------------------------------------------------------------------------===//

Placement::Placement(ssm::PassOp pass, const Binder& binder) : pass(pass), binder(binder) {
  for (Operation& op : *pass.getBlock())
    if (isa<ssm::UpdateOp, ssm::OutOp>(op))
      markLive(op.getOperand(0));
  // Operands and what initial values need, outside of the pass.
  for (Operation& op : *pass->getParentRegion()->begin())
    if (op.getNumResults() && live.contains(op.getResult(0)))
      place(&op);
  for (Operation& op : *pass.getBlock())
    if (op.getNumResults() && live.contains(op.getResult(0)))
      place(&op);
  for (Operation& op : llvm::reverse(*pass.getBlock()))
    if (op.getNumResults() && live.contains(op.getResult(0)))
      sink(&op);
  for (Operation& op : *pass.getBlock()) {
    auto note = [&](Value value) {
      if (placeOf(value) == Place::Loop)
        stacked.insert(value);
    };
    if (isa<ssm::OutOp>(op))
      note(op.getOperand(0));
    else if (op.getNumResults() && live.contains(op.getResult(0)) &&
             placeOf(op.getResult(0)) == Place::Epilogue)
      llvm::for_each(op.getOperands(), note);
  }
}

void Placement::markLive(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || !live.insert(value).second)
    return;
  for (Value result : op->getResults())
    live.insert(result);
  for (Value input : ssm::inputsOf(op))
    markLive(input);
}

Place Placement::placeOf(Value value) const {
  auto it = places.find(value);
  return it == places.end() ? Place::Once : it->second;
}

void Placement::place(Operation* op) {
  /// An array larger than what it is made from is not worth its room unless it is small.
  constexpr int64_t small = 512;
  Place where = Place::Once;
  int64_t largest = small;
  if (auto in = dyn_cast<ssm::InOp>(op)) {
    where = in.getParam() ? Place::Once : Place::Prologue;
  } else if (isa<ssm::PrevOp, ssm::FoldOp>(op)) {
    where = Place::Loop;
  } else {
    for (Value input : ssm::inputsOf(op)) {
      where = std::max(where, placeOf(input));
      if (placeOf(input) == Place::Prologue)
        largest = std::max(largest, binder.bind(cast<ArrayType>(input.getType())).getNumElements());
    }
    int64_t size = binder.bind(cast<ArrayType>(op->getResult(0).getType())).getNumElements();
    if (where == Place::Prologue && size > largest)
      where = Place::Loop;
  }
  for (Value result : op->getResults())
    places[result] = where;
  if (where == Place::Once)
    once.push_back(op->getResult(0));
}

bool Placement::isUsed(Value value, function_ref<bool(Operation*)> predicate) const {
  for (Operation* user : value.getUsers()) {
    // A user in a fold's region stands for the fold.
    while (user->getParentOp() && user->getParentOp() != pass.getOperation() &&
           user->getParentOp() != pass->getParentOp())
      user = user->getParentOp();
    if (!pass->isAncestor(user))
      continue; // Another pass makes its own.
    if (user->getNumResults() && !live.contains(user->getResult(0)))
      continue;
    if (predicate(user))
      return true;
  }
  return false;
}

void Placement::sink(Operation* op) {
  Value result = op->getResult(0);
  if (placeOf(result) != Place::Loop)
    return;
  if (!op->hasTrait<ssm::Pointwise>() && !isa<ssm::BroadcastOp>(op))
    return;
  bool needed = isUsed(result, [&](Operation* user) {
    return !isa<ssm::OutOp>(user) &&
           (user->getNumResults() == 0 || placeOf(user->getResult(0)) != Place::Epilogue);
  });
  if (needed)
    return;
  int64_t size = binder.bind(cast<ArrayType>(result.getType())).getNumElements();
  bool fromLoop = false;
  for (Value operand : op->getOperands()) {
    if (placeOf(operand) != Place::Loop)
      continue;
    fromLoop = true;
    if (binder.bind(cast<ArrayType>(operand.getType())).getNumElements() > size)
      return;
  }
  if (fromLoop)
    places[result] = Place::Epilogue;
}
