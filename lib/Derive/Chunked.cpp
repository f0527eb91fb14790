// From the normal form to the chunked and the scan form.
//
// Systems are taken in order. States that are read through contractions alone are eliminated
// (Eliminate.cpp, Coupled.cpp); any other is computed at every step of the chunk, by a scan if its
// transition is elementwise, by matrices if it is linear (Dense.cpp), else, if it is small, one
// step after the other (Sequential.cpp). Steps inside a token are rows as tokens are
// (MicroSteps.cpp). What depends on inputs and computed states alone is the declared expression
// over all steps at once: it gets the label of the steps from its operands.
#include "ChunkedForm.h"
#include "Coefficient.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

bool ChunkedForm::usesLabel(RecurrenceOp recurrence, StringRef label) {
  bool used = false;
  recurrence->walk([&](Operation* op) {
    for (Type type : op->getResultTypes())
      if (auto array = dyn_cast<ArrayType>(type))
        used |= array.has(label);
  });
  return used;
}

ChunkedForm::ChunkedForm(RecurrenceOp old, RecurrenceOp fresh, const ChunkOptions& options)
    : old(old), fresh(fresh), options(options), outer(OpBuilder::atBlockEnd(fresh.getBlock())),
      b(fresh.getContext()), context(fresh.getContext()), reader(context) {
  std::string label = strings(old.getTime()).front().str();
  // Also for columns, micro-steps, and rows of micro-steps: t0, t1, t2, t20.
  while (llvm::any_of(ArrayRef<const char*>{"", "0", "1", "2", "20"},
                      [&](const char* end) { return usesLabel(old, label + end); }))
    label += "t";
  steps = AxisAttr::get(b.getContext(), b.getStringAttr(label), b.getI64IntegerAttr(options.steps));
  columns = b.getStringAttr(label + "0");
  outerWriter = std::make_unique<ExprWriter>(context, outer,
                                             [this](Value value) { return moved.lookup(value); });
}

ChunkedForm::~ChunkedForm() {
  for (Operation* op : placeholders)
    op->erase();
}

int64_t ChunkedForm::sizeOf(AxisAttr axis) {
  auto dim = dyn_cast<StringAttr>(axis.getExtent());
  if (!dim)
    return axis.getSize();
  auto known = options.sizes.find(dim.getValue());
  return known != options.sizes.end() ? known->second : old.getDimSize(dim.getValue());
}

//===-- Values -------------------------------------------------------------------------------===//

Value ChunkedForm::withSteps(Value value) {
  auto type = cast<ArrayType>(value.getType());
  if (type.has(steps.getName()))
    return value;
  return BroadcastOp::create(b, value.getLoc(), type.withAxis(steps), value);
}

Value ChunkedForm::write(Expr expr) {
  return writer->write(expr);
}

Value ChunkedForm::writeSteps(Expr expr, ArrayType type) {
  Value value = withSteps(write(expr));
  auto have = cast<ArrayType>(value.getType());
  if (!type)
    return value;
  ArrayType want = type.withAxis(steps);
  if (have.getElementType() != want.getElementType())
    value = CastOp::create(b, value.getLoc(), have.withElementType(want.getElementType()), value);
  return value.getType() == want ? value
                                 : Value(BroadcastOp::create(b, value.getLoc(), want, value));
}

Value ChunkedForm::startOf(StateOp state) {
  Value& start = starts[state.getName()];
  if (!start) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(chunk.getBlock());
    start = PrevOp::create(b, state.getLoc(), cast<ArrayType>(state.getType()), state.getName(),
                           ArrayRef<int64_t>{1});
  }
  return start;
}

StateOp ChunkedForm::registerOf(StringRef state, int64_t distance) {
  StateOp declared = old.getState(state);
  if (distance == 1)
    return declared;
  std::string name = (state + "~" + Twine(distance)).str();
  StateOp& made = registers[name];
  if (!made) {
    Value init = declared.getInit() ? outerWriter->write(reader.read(declared.getInit())) : Value();
    made = StateOp::create(outer, declared.getLoc(), name, declared.getOrder(), declared.getType(),
                           /*hidden=*/true, init);
  }
  return made;
}

/// A computed state `distance` steps earlier, at every step.
/// What reaches behind the start of the chunk comes from registers, as in the recurrent form:
/// S~2 is the state two steps before the chunk.
Value ChunkedForm::previous(StringRef state, int64_t distance) {
  StateOp reg = registerOf(state, distance);
  std::string key = reg.getName().str();
  if (Value known = previouses.lookup(key))
    return known;
  Value later = distance > 1 ? previous(state, distance - 1) : computedStates[state].all;
  if (distance > 1) {
    Value last = LastOp::create(b, reg.getLoc(), later, steps.getLabel());
    UpdateOp::create(b, reg.getLoc(), key, last);
  }
  Value shifted =
      ShiftOp::create(b, reg.getLoc(), later, startOf(reg), steps.getLabel(), UnitAttr());
  return previouses[key] = shifted;
}

Value ChunkedForm::materialize(Value leaf) {
  if (Value known = lifted.lookup(leaf))
    return known;
  Operation* op = leaf.getDefiningOp();
  if (auto in = dyn_cast<InOp>(op)) {
    Value top = moved.lookup(leaf);
    if (in.getParam())
      return top;
    return lifted[leaf] = StepsOp::create(b, in.getLoc(), top, steps);
  }
  if (isa<PositionOp>(op))
    return lifted[leaf] = b.clone(*op)->getResult(0);
  if (auto prev = dyn_cast<PrevOp>(op))
    if (computedStates.contains(prev.getState()) && prev.getBy().front() > 0)
      return lifted[leaf] = previous(prev.getState(), prev.getBy().front());
  if (auto prev = dyn_cast<PrevOp>(op); prev && prev.getBy().front() < 1) {
    (void)fail("state '" + prev.getState() + "' is read at later steps");
    return Value();
  }
  (void)fail("the form of '" + op->getName().getStringRef() + "' over many steps is not known");
  return Value();
}

void ChunkedForm::computed(StringRef state, Value result, Value all) {
  computedStates[state].all = all;
  lifted[result] = all;
  Value last = LastOp::create(b, all.getLoc(), all, steps.getLabel());
  UpdateOp::create(b, all.getLoc(), state, last);
}

//===-- Systems ------------------------------------------------------------------------------===//

/// S = a S + b elementwise: a scan. Without a decay the state is its input.
LogicalResult ChunkedForm::scan(SystemOp system, const Transition& transition, StringRef name) {
  StateOp state = old.getState(name);
  const Rows& rows = transition.rows;
  auto type = cast<ArrayType>(state.getType());
  bool maxPlus = system.getSemiring() == Semiring::MaxPlus;
  SmallVector<Expr> decays, inputs, first(transition.decays);
  for (Operation& op : *StageOp(transition.stage).getBlock()) {
    if (auto decay = dyn_cast<DecayOp>(op)) {
      if (maxPlus)
        decays.push_back(decayOffset(context, reader, decay));
      else
        decays.push_back(decayCoefficient(context, reader, decay));
      continue;
    }
    SmallVector<Expr> parts;
    for (Value factor : cast<InputOp>(op).getFactors())
      parts.push_back(reader.read(factor));
    inputs.push_back(maxPlus ? context.add(parts) : context.mul(parts));
  }
  auto combine = [&](ArrayRef<Expr> exprs) {
    if (!maxPlus)
      return context.add(exprs);
    return exprs.size() == 1 ? exprs.front()
                             : context.func("ssm.max", exprs.front()->type.getElementType(), exprs);
  };
  for (auto* list : {&decays, &inputs, &first})
    for (Expr& expr : *list) {
      FailureOr<Expr> replaced = replaceReads(expr);
      if (failed(replaced))
        return failure();
      expr = *replaced;
    }
  bool isDecayed = !decays.empty();
  Value input =
      inputs.empty() ? Value() : writeRows(rows, combine(inputs), isDecayed ? ArrayType() : type);
  Value all = input;
  if (isDecayed) {
    if (!input)
      input = ConstantOp::create(b, system.getLoc(), maxPlus ? -INFINITY : 0.0);
    Value decay = writeRows(rows, combine(decays));
    if (rows.micro)
      decay = mul(decay, writeFirsts(rows, combine(first)));
    all = ScanOp::create(b, system.getLoc(), system.getSemiringAttr(), decay, input, startOf(state),
                         rows.axis.getLabel(), UnitAttr());
    together = true;
  }
  computed(name, system.getNew(name), atSteps(rows, all, /*first=*/false));
  return reason.empty() ? success() : failure();
}

/// All subsets of a state's labels, small ones first.
static SmallVector<SmallVector<StringRef>> subsetsOf(ArrayType type) {
  SmallVector<SmallVector<StringRef>> subsets;
  unsigned rank = type.getRank();
  for (unsigned mask = 1; mask < 1u << rank; ++mask) {
    SmallVector<StringRef> labels;
    for (unsigned i = 0; i < rank; ++i)
      if (mask & 1u << i)
        labels.push_back(type.getAxes()[i].getName());
    subsets.push_back(labels);
  }
  llvm::stable_sort(subsets, [](auto& a, auto& b) { return a.size() < b.size(); });
  return subsets;
}

LogicalResult ChunkedForm::addSystem(SystemOp system) {
  SmallVector<StringRef> states = strings(system.getStates());
  std::string name = ("state '" + states.front() + "'").str();
  // By how many steps the terms of its last stage reach back; micro-steps by none.
  bool isElementwise = true, isFar = false, isOfBefore = false;
  auto stages = llvm::to_vector(system.getBlock()->getOps<StageOp>());
  for (Operation& op : *stages.back().getBlock()) {
    if (auto by = op.getAttrOfType<DenseI64ArrayAttr>("by")) {
      if (by[0] < 0)
        return fail(name + " is read at later steps");
      isFar |= by[0] > 1;
    }
    isOfBefore |= isa<DecayOp, FeedbackOp>(op);
    auto from = op.getAttrOfType<ArrayAttr>("from");
    isElementwise &= !isa<FeedbackOp>(op) && (!from || from.empty());
  }
  bool isCoupled = states.size() > 1;
  if (isCoupled)
    name += " and others depend on each other: it";
  if (isFar)
    return takeStepwise(system, name + " reads itself at other steps than the one before");
  Transition transition;
  if (failed(arrange(system, transition)))
    return failure();
  StateOp first = old.getState(states.front());
  // (A vector that forgets what it was, such as an input of the step before, is known as it is: who
  // reads a state may have it as a factor.)
  bool isKnown = !isOfBefore && !isCoupled && !transition.rows.micro &&
                 cast<ArrayType>(first.getType()).getRank() <= 1;
  bool canEliminate = options.eliminate && system.getSemiring() == Semiring::PlusTimes &&
                      !(isCoupled && transition.rows.micro) && !isKnown;
  if (canEliminate)
    for (auto& key : subsetsOf(cast<ArrayType>(first.getType()))) {
      if (!llvm::all_of(states,
                        [&](StringRef state) { return onlyContracted(old.getState(state), key); }))
        continue;
      auto result = std::make_shared<Eliminated>();
      std::string saved = std::exchange(reason, "");
      if (succeeded(eliminate(system, transition, key, *result))) {
        for (StringRef state : states)
          eliminatedStates[state] = result;
        solve(*result);
        together = true;
        return reason.empty() ? success() : failure();
      }
      reason = saved;
    }
  if (isElementwise && !isCoupled)
    return scan(system, transition, states.front());
  std::string saved = std::exchange(reason, "");
  if (succeeded(takeDense(system, transition)))
    return success();
  std::string why = std::exchange(reason, saved);
  return takeStepwise(system, why);
}

//===-- The whole ----------------------------------------------------------------------------===//

LogicalResult ChunkedForm::run() {
  if (old.getNumTimeAxes() != 1)
    return fail("there are two time axes");
  for (InOp in : old.getBlock()->getOps<InOp>())
    moved[in.getResult()] = outer.clone(*in)->getResult(0);
  for (StateOp state : old.getBlock()->getOps<StateOp>()) {
    IRMapping mapping;
    if (Value init = state.getInit())
      mapping.map(init, outerWriter->write(reader.read(init)));
    outer.clone(*state, mapping);
  }
  chunk = ChunkOp::create(outer, old.getLoc(), steps, UnitAttr());
  b.setInsertionPointToEnd(&chunk.getBody().emplaceBlock());
  outer.setInsertionPoint(chunk);
  writer = std::make_unique<ExprWriter>(context, b, [this](Value value) -> Value {
    Value known = materialize(value);
    // What cannot be had is told at the end; until then any value of the type will do.
    return known ? known
                 : Value(BroadcastOp::create(b, value.getLoc(), cast<ArrayType>(value.getType()),
                                             ConstantOp::create(b, value.getLoc(), 0.0)));
  });
  for (SystemOp system : old.getBlock()->getOps<SystemOp>())
    for (auto [state, result] : llvm::zip(strings(system.getStates()), system.getResults()))
      reader.define(result, context.leaf(result, ("new " + state).str()));
  // Neighbours are taken together, as they may depend on each other.
  SmallVector<UpdateOp> nonlinear;
  auto takeUpdates = [&] {
    return nonlinear.empty() ? success() : takeStepwise(std::exchange(nonlinear, {}));
  };
  for (Operation& op : *old.getBlock()) {
    if (auto system = dyn_cast<SystemOp>(op)) {
      if (failed(takeUpdates()) || failed(addSystem(system)))
        return failure();
    } else if (auto update = dyn_cast<UpdateOp>(op)) {
      nonlinear.push_back(update);
    }
  }
  if (failed(takeUpdates()))
    return failure();
  if (!stepwise.empty() && !together)
    return fail(stepwise); // it would be the recurrent form
  for (OutOp out : old.getBlock()->getOps<OutOp>()) {
    FailureOr<Expr> expr = replaceReads(reader.read(out.getValue()));
    if (failed(expr))
      return failure();
    Value value = writeSteps(*expr, cast<ArrayType>(out.getValue().getType()));
    OutOp::create(b, out.getLoc(), out.getNameAttr(), out.getOrder(), UnitAttr(), value);
  }
  return reason.empty() ? success() : failure();
}

FailureOr<RecurrenceOp> derive::deriveChunked(RecurrenceOp recurrence, const ChunkOptions& options,
                                              std::string& reason) {
  OpBuilder builder(recurrence);
  auto fresh = RecurrenceOp::create(builder, recurrence.getLoc(), recurrence.getSymName(),
                                    recurrence.getTime(), recurrence.getDims(),
                                    builder.getStringAttr(options.eliminate ? "chunked" : "scan"));
  fresh.getBody().emplaceBlock();
  LogicalResult result = failure();
  {
    ChunkedForm form(recurrence, fresh, options);
    result = form.run();
    reason = form.reason;
  }
  if (failed(result)) {
    fresh.erase();
    return failure();
  }
  recurrence.erase();
  return fresh;
}
