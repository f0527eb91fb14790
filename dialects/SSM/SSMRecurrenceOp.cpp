// Verification of a recurrence as a whole, and of its passes.
#include "dialects/SSM/SSM.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;

StateOp RecurrenceOp::getState(StringRef name) {
  for (StateOp state : getBlock()->getOps<StateOp>())
    if (state.getName() == name)
      return state;
  return {};
}

int64_t RecurrenceOp::getDimSize(StringRef name) {
  for (DimAttr dim : getDims().getAsRange<DimAttr>())
    if (dim.getName().getValue() == name)
      return dim.getSize();
  return -1;
}

/// recurrence_c6
static LogicalResult checkAxesAndDims(RecurrenceOp op) {
  llvm::StringSet<> times, dims;
  for (StringRef axis : strings(op.getTime()))
    if (!times.insert(axis).second)
      return op.emitOpError() << "declares time axis '" << axis << "' twice";
  if (times.empty())
    return op.emitOpError() << "expected at least one time axis";
  for (DimAttr dim : op.getDims().getAsRange<DimAttr>())
    if (!dims.insert(dim.getName().getValue()).second)
      return op.emitOpError() << "declares dim '" << dim.getName().getValue() << "' twice";
  return success();
}

/// recurrence_c4
static LogicalResult checkExtents(RecurrenceOp recurrence, Operation* op) {
  auto check = [&](Type type) -> LogicalResult {
    if (auto array = dyn_cast<ArrayType>(type))
      for (AxisAttr axis : array.getAxes())
        if (auto name = dyn_cast<StringAttr>(axis.getExtent());
            name && !recurrence.declaresDim(name))
          return op->emitOpError() << "uses dim '" << name.getValue() << "', which is not declared";
    return success();
  };
  for (Type type : op->getResultTypes())
    if (failed(check(type)))
      return failure();
  if (auto state = dyn_cast<StateOp>(op))
    return check(state.getType());
  auto axis = op->getAttrOfType<AxisAttr>("axis"); // of a fold or a stage
  return axis ? check(ArrayType::get(op->getContext(), {axis}, Float32Type::get(op->getContext())))
              : success();
}

namespace {
/// What a recurrence's verifier has seen of names so far.
struct Names {
  RecurrenceOp recurrence;
  llvm::StringMap<StateOp> states;
  llvm::StringMap<unsigned> definitions;
  llvm::StringSet<> outputs;
  llvm::DenseSet<std::pair<Block*, StringRef>> operands;

  LogicalResult declare(StateOp state) { // recurrence_c2
    if (states.try_emplace(state.getName(), state).second)
      return success();
    return state.emitOpError() << "'" << state.getName() << "' is declared twice";
  }

  LogicalResult checkState(Operation* op, StringRef name, Type type) { // recurrence_c3
    auto it = states.find(name);
    if (it == states.end())
      return op->emitOpError() << "names '" << name << "', which is no state";
    if (it->second.getType() != type)
      return op->emitOpError() << "has type " << type << ", but state '" << name << "' has type "
                               << it->second.getType();
    return success();
  }

  LogicalResult checkOffsets(Operation* op, ArrayRef<int64_t> by) { // recurrence_c5
    unsigned count = recurrence.getNumTimeAxes();
    if (by.size() == count)
      return success();
    return op->emitOpError() << "has " << by.size() << " offsets for " << count << " time axes";
  }

  LogicalResult define(Operation* op, StringRef name, Type type) {
    ++definitions[name];
    return checkState(op, name, type);
  }

  LogicalResult visit(Operation* op) {
    if (auto in = dyn_cast<InOp>(op)) {
      if (!operands.insert({op->getBlock(), in.getName()}).second) // recurrence_c2
        return op->emitOpError() << "'" << in.getName() << "' is declared twice";
    } else if (auto out = dyn_cast<OutOp>(op)) {
      if (!outputs.insert(out.getName()).second) // recurrence_c2
        return op->emitOpError() << "'" << out.getName() << "' is defined twice";
    } else if (auto prev = dyn_cast<PrevOp>(op)) {
      if (failed(checkState(op, prev.getState(), prev.getType())))
        return failure();
      return checkOffsets(op, prev.getBy());
    } else if (auto update = dyn_cast<UpdateOp>(op)) {
      return define(op, update.getState(), update.getValue().getType());
    } else if (auto system = dyn_cast<SystemOp>(op)) {
      for (auto [name, value] : llvm::zip(strings(system.getStates()), system.getResults()))
        if (failed(define(op, name, value.getType())))
          return failure();
    } else if (isa<DecayOp, FeedbackOp>(op)) {
      return checkOffsets(op, op->getAttrOfType<DenseI64ArrayAttr>("by"));
    }
    return success();
  }
};
} // namespace

bool RecurrenceOp::declaresDim(StringAttr name) {
  return llvm::any_of(getDims().getAsRange<DimAttr>(),
                      [&](DimAttr dim) { return dim.getName() == name; });
}

LogicalResult RecurrenceOp::verifyRegions() {
  if (failed(checkAxesAndDims(*this)))
    return failure();
  Names names{*this, {}, {}, {}, {}};
  for (StateOp state : getBlock()->getOps<StateOp>())
    if (failed(names.declare(state)))
      return failure();
  WalkResult walk = getBody().walk<WalkOrder::PreOrder>([&](Operation* op) {
    return failed(names.visit(op)) || failed(checkExtents(*this, op)) ? WalkResult::interrupt()
                                                                      : WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return failure();
  for (StateOp state : getBlock()->getOps<StateOp>()) // recurrence_c1
    if (unsigned count = names.definitions.lookup(state.getName()); count != 1)
      return state.emitOpError() << "'" << state.getName() << "' is defined " << count
                                 << " times, expected once";
  return success();
}

LogicalResult PassOp::verify() {
  llvm::SmallDenseSet<int64_t> seen;
  unsigned count = cast<RecurrenceOp>((*this)->getParentOp()).getNumTimeAxes();
  for (int64_t axis : getReverse().value_or(ArrayRef<int64_t>())) // pass_c1
    if (axis < 0 || axis >= count || !seen.insert(axis).second)
      return emitOpError() << "reverses time axis " << axis << ", which is not one of " << count
                           << " or is listed twice";
  return success();
}
