// The recurrent form as a kernel: tiles of steps, each a prologue, a loop over the steps and an
// epilogue.
//
//   hoisted once   what depends on constants and params alone
//   prologue       what depends on inputs, for all steps of the tile at once: a label for the
//                  steps is added
//   loop           what depends on a state, and products of inputs that are larger than these
//   epilogue       what nothing in the loop needs, again for all steps of the tile
#include "Operands.h"
#include "Placement.h"
#include "ssmc/Schedule/Schedule.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <functional>
#include <map>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;

namespace {

class KernelBuilder {
public:
  KernelBuilder(ssm::RecurrenceOp form, ssm::PassOp pass, const Options& options)
      : form(form), pass(pass), options(options), binder(form, options), builder(form.getContext()),
        operands(form.getContext(), binder, options) {}

  FailureOr<tile::KernelOp> build(StringRef name);

private:
  using Scope = DenseMap<Value, Value>;

  void collectOperands();

  /// The value of `value` at the current place; emits what is missing.
  Value use(Value value);
  Value lift(Operation* op, ArrayRef<Value> operands);
  Value emitInLoop(Value value);
  void emitFold(ssm::FoldOp fold);
  Value initialOf(StringRef name);
  /// Two time axes: whether the rows of a state are kept for those after them.
  bool isReadAcrossRows(StringRef state);
  /// `count` steps along a time axis, under a label that no array bears.
  AxisAttr stepsOf(unsigned axis, int64_t count);
  /// The value for all steps of a tile; what is the same at every step is repeated.
  Value atEveryStep(Value value);
  ArrayType tiledType(ArrayType type) {
    return timeAxis.getSize() > 1 ? type.withAxis(timeAxis) : type;
  }
  Value load(Operation* source, StringRef name, ArrayType type, int64_t row = 0,
             Value otherwise = {});
  void store(Operation* sink, StringRef name, Value value);

  SmallVector<Value> sequence(ValueRange carried);
  void buildTile();
  void buildLoop();
  void buildRows();

  ssm::RecurrenceOp form;
  ssm::PassOp pass;
  const Options& options;
  Binder binder;
  OpBuilder builder;
  std::unique_ptr<Placement> placement;
  OperandList operands;
  AxisAttr timeAxis; ///< the label of the steps of a tile
  bool reverse = false;
  Operation* loop = nullptr; ///< the fold over the steps, while its body is built

  Scope once, tiled, inLoop; ///< old value -> value before the sequence, in the tile, in the loop
  /// What the loop carries: a state, or a delayed value of one; the register behind
  /// it takes its value.
  struct Register {
    Value initial;
    std::function<Value()> next;
  };
  SmallVector<Register> registers;
  SmallVector<std::pair<ssm::PrevOp, unsigned>> readers; ///< prev -> register
  /// Two time axes: a state as it was some rows earlier, over the tile.
  std::map<std::pair<std::string, int64_t>, Value> rowValues;
};

} // namespace

//===-- Operands -----------------------------------------------------------------------------===//

void KernelBuilder::collectOperands() {
  auto usedHere = [&](ssm::InOp in) { // An initial value may need a param that no step reads.
    return placement->isLive(in.getResult()) || (in.getParam() && !in->use_empty());
  };
  for (ssm::InOp in : form.getBlock()->getOps<ssm::InOp>())
    if (usedHere(in))
      operands.add(in);
  bool rows = form.getNumTimeAxes() > 1;
  for (ssm::UpdateOp update : pass.getBlock()->getOps<ssm::UpdateOp>()) {
    ssm::StateOp state = form.getState(update.getState());
    if (!rows)
      operands.add(state);
    else if (isReadAcrossRows(state.getName()))
      operands.addRow(state);
  }
  for (ssm::OutOp out : pass.getBlock()->getOps<ssm::OutOp>())
    operands.add(out, cast<ArrayType>(out.getValue().getType()));
}

/// Rows of a complex state are kept in two arrays, so that each is a whole.
Value KernelBuilder::load(Operation* source, StringRef name, ArrayType type, int64_t row,
                          Value otherwise) {
  return tile::LoadOp::create(
      builder, source->getLoc(), type, name, row ? tile::Part::Whole : partOf(source),
      row ? builder.getI64IntegerAttr(row) : IntegerAttr(), ArrayAttr(), otherwise);
}

void KernelBuilder::store(Operation* sink, StringRef name, Value value) {
  tile::StoreOp::create(builder, sink->getLoc(), name, partOf(sink), value);
}

//===-- Values -------------------------------------------------------------------------------===//

/// A copy of an op without regions on other operands; a label for the steps in an operand
/// is one of the result.
Value KernelBuilder::lift(Operation* op, ArrayRef<Value> newOperands) {
  OperationState state(op->getLoc(), op->getName());
  state.addOperands(newOperands);
  for (NamedAttribute attribute : op->getAttrs()) {
    auto axis = dyn_cast<AxisAttr>(attribute.getValue());
    state.addAttribute(attribute.getName(), axis ? binder.bind(axis) : attribute.getValue());
  }
  ArrayType type = binder.bind(cast<ArrayType>(op->getResult(0).getType()));
  if (timeAxis && llvm::any_of(newOperands, [&](Value operand) {
        return cast<ArrayType>(operand.getType()).find(timeAxis.getName());
      }))
    type = type.withAxis(timeAxis);
  state.addTypes(type);
  return builder.create(state)->getResult(0);
}

/// Values outside the loop: hoisted ones and those of the prologue and epilogue.
Value KernelBuilder::use(Value value) {
  for (Scope* scope : {&tiled, &once})
    if (Value known = scope->lookup(value))
      return known;
  Operation* op = value.getDefiningOp();
  bool isOnce = placement->placeOf(value) == Place::Once;
  Scope& scope = isOnce ? once : tiled;
  if (auto in = dyn_cast<ssm::InOp>(op)) {
    ArrayType type = binder.bind(in.getType());
    if (!in.getParam())
      type = tiledType(type);
    return scope[value] = load(in, wholeName(in, in.getName()), type);
  }
  SmallVector<Value> newOperands;
  for (Value operand : op->getOperands())
    newOperands.push_back(use(operand));
  return scope[value] = lift(op, newOperands);
}

/// Values in the loop over the steps; those from outside are read at the current step.
Value KernelBuilder::emitInLoop(Value value) {
  if (Value known = inLoop.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  if (auto prev = dyn_cast<ssm::PrevOp>(op)) {
    // Not a register: a read of an earlier row at this column.
    Value row = rowValues[{prev.getState().str(), std::abs(prev.getBy()[0])}];
    return inLoop[value] = ssm::AtOp::create(builder, value.getLoc(), row, timeAxis.getLabel());
  }
  if (placement->placeOf(value) != Place::Loop) {
    Value outside;
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(loop);
      outside = use(value);
    }
    if (cast<ArrayType>(outside.getType()).find(timeAxis.getName()))
      outside = ssm::AtOp::create(builder, value.getLoc(), outside, timeAxis.getLabel());
    return inLoop[value] = outside;
  }
  if (auto fold = dyn_cast<ssm::FoldOp>(op)) {
    emitFold(fold);
    return inLoop[value];
  }
  SmallVector<Value> newOperands;
  for (Value operand : op->getOperands())
    newOperands.push_back(emitInLoop(operand));
  return inLoop[value] = lift(op, newOperands);
}

void KernelBuilder::emitFold(ssm::FoldOp fold) {
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (Value init : fold.getInits())
    inits.push_back(emitInLoop(init));
  // What the body captures is brought here first: it must not be made inside.
  for (Value input : ssm::inputsOf(fold))
    emitInLoop(input);
  for (Type type : fold.getResultTypes())
    types.push_back(binder.bind(cast<ArrayType>(type)));
  auto made = ssm::FoldOp::create(builder, fold.getLoc(), types, binder.bind(fold.getAxis()),
                                  fold.getReverseAttr(), inits);
  Block* body = &made.getBody().emplaceBlock();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(body);
  for (auto [argument, init] : llvm::zip(fold.getBlock()->getArguments(), inits))
    inLoop[argument] = body->addArgument(init.getType(), fold.getLoc());
  for (Operation& op : *fold.getBlock()) {
    if (auto yield = dyn_cast<ssm::YieldOp>(op)) {
      SmallVector<Value> values;
      for (Value value : yield.getValues())
        values.push_back(inLoop[value]);
      ssm::YieldOp::create(builder, yield.getLoc(), values);
    } else if (auto nested = dyn_cast<ssm::FoldOp>(op)) {
      emitFold(nested);
    } else {
      SmallVector<Value> newOperands;
      for (Value operand : op.getOperands())
        newOperands.push_back(inLoop[operand]);
      inLoop[op.getResult(0)] = lift(&op, newOperands);
    }
  }
  for (auto [old, fresh] : llvm::zip(fold.getResults(), made.getResults()))
    inLoop[old] = fresh;
}

//===-- Loops --------------------------------------------------------------------------------===//

AxisAttr KernelBuilder::stepsOf(unsigned axis, int64_t count) {
  std::string label = ssm::strings(form.getTime())[axis].str();
  while (binder.usesLabel(label))
    label += "'";
  return AxisAttr::get(builder.getContext(), builder.getStringAttr(label),
                       builder.getI64IntegerAttr(count));
}

bool KernelBuilder::isReadAcrossRows(StringRef state) {
  return llvm::any_of(pass.getBlock()->getOps<ssm::PrevOp>(), [&](ssm::PrevOp prev) {
    return prev.getState() == state && prev.getBy()[0] != 0 && placement->isLive(prev.getResult());
  });
}

Value KernelBuilder::atEveryStep(Value value) {
  Value known = use(value);
  ArrayType type = tiledType(binder.bind(cast<ArrayType>(value.getType())));
  return known.getType() == type
             ? known
             : ssm::BroadcastOp::create(builder, value.getLoc(), type, known).getResult();
}

/// Loads and the prologue, the loop over the steps, the epilogue and the stores of one tile.
void KernelBuilder::buildTile() {
  // What the loop reads from outside, and what the epilogue will need, in the order of the form.
  for (Operation& op : *pass.getBlock())
    for (Value result : op.getResults())
      if (placement->isLive(result) && placement->placeOf(result) == Place::Prologue)
        use(result);
  for (auto& [key, value] : rowValues) {
    auto [name, row] = key;
    ssm::StateOp state = form.getState(name);
    ArrayType type = binder.bind(cast<ArrayType>(state.getType()));
    value = load(state, name, tiledType(type), row, initialOf(name));
  }
  buildLoop();
  for (ssm::OutOp out : pass.getBlock()->getOps<ssm::OutOp>()) {
    store(out, wholeName(out, out.getName()), atEveryStep(out.getValue()));
  }
  if (form.getNumTimeAxes() > 1)
    for (ssm::UpdateOp update : pass.getBlock()->getOps<ssm::UpdateOp>())
      if (isReadAcrossRows(update.getState()))
        tile::StoreOp::create(builder, update.getLoc(), update.getState(), tile::Part::Whole,
                              atEveryStep(update.getValue()));
}

/// The body of a fold over one step, in its place; what it stacks has no axis for steps, like all
/// tiles of one.
static SmallVector<Value> inlineOneStep(OpBuilder& builder, ssm::FoldOp fold) {
  IRMapping mapping;
  mapping.map(fold.getBlock()->getArguments(), fold.getInits());
  SmallVector<Value> results;
  for (Operation& op : *fold.getBlock()) {
    if (auto yield = dyn_cast<ssm::YieldOp>(op)) {
      for (Value value : yield.getValues())
        results.push_back(mapping.lookup(value));
    } else {
      builder.clone(op, mapping);
    }
  }
  fold.erase();
  return results;
}

/// The loop itself. Block arguments of the enclosing sequence are the registers'
/// values before the tile.
void KernelBuilder::buildLoop() {
  Block* sequenceBlock = builder.getInsertionBlock();
  SmallVector<Value> inits(sequenceBlock->getArguments());
  llvm::SetVector<Value> stacked(placement->getStacked().begin(), placement->getStacked().end());
  if (form.getNumTimeAxes() > 1) // Rows are kept whole.
    for (ssm::UpdateOp update : pass.getBlock()->getOps<ssm::UpdateOp>())
      if (isReadAcrossRows(update.getState()) &&
          placement->placeOf(update.getValue()) == Place::Loop)
        stacked.insert(update.getValue());
  if (inits.empty() && stacked.empty()) {
    tile::YieldOp::create(builder, pass.getLoc(), ValueRange());
    builder.setInsertionPoint(builder.getInsertionBlock()->getTerminator());
    return;
  }
  SmallVector<Type> types;
  for (Value init : inits)
    types.push_back(init.getType());
  for (Value value : stacked)
    types.push_back(binder.bind(cast<ArrayType>(value.getType())).withAxis(timeAxis));
  auto fold = ssm::FoldOp::create(builder, pass.getLoc(), types, timeAxis,
                                  reverse ? builder.getUnitAttr() : UnitAttr(), inits);
  loop = fold;
  {
    OpBuilder::InsertionGuard guard(builder);
    Block* body = &fold.getBody().emplaceBlock();
    builder.setInsertionPointToEnd(body);
    for (Value init : inits)
      body->addArgument(init.getType(), pass.getLoc());
    for (auto [prev, index] : readers)
      inLoop[prev.getResult()] = body->getArgument(index);
    SmallVector<Value> yields;
    for (Register& reg : registers)
      yields.push_back(reg.next());
    for (Value value : stacked)
      yields.push_back(emitInLoop(value));
    ssm::YieldOp::create(builder, pass.getLoc(), yields);
  }
  SmallVector<Value> results = timeAxis.getSize() == 1 ? inlineOneStep(builder, fold)
                                                       : SmallVector<Value>(fold.getResults());
  for (auto [value, result] : llvm::zip(stacked, ArrayRef(results).drop_front(inits.size())))
    tiled[value] = result;
  tile::YieldOp::create(builder, pass.getLoc(), ArrayRef(results).take_front(inits.size()));
  builder.setInsertionPoint(builder.getInsertionBlock()->getTerminator());
}

/// A `tile.sequence` over the innermost time axis; its tile is built inside.
SmallVector<Value> KernelBuilder::sequence(ValueRange carried) {
  int64_t innermost = form.getNumTimeAxes() - 1;
  auto op = tile::SequenceOp::create(builder, pass.getLoc(), carried.getTypes(), timeAxis,
                                     innermost, reverse, carried);
  OpBuilder::InsertionGuard guard(builder);
  Block* body = &op.getBody().emplaceBlock();
  for (Value value : carried)
    body->addArgument(value.getType(), pass.getLoc());
  builder.setInsertionPointToEnd(body);
  buildTile();
  return llvm::to_vector_of<Value>(op.getResults());
}

/// Two time axes: rows in order, and along each row the loop. A read of an earlier row comes from
/// the row buffer; a read along the row goes through registers, which start anew in each row.
void KernelBuilder::buildRows() {
  auto reversed = pass.getReverse().value_or(ArrayRef<int64_t>());
  AxisAttr rowAxis = stepsOf(0, 1);
  auto rows = tile::SequenceOp::create(builder, pass.getLoc(), TypeRange(), rowAxis, 0,
                                       llvm::is_contained(reversed, 0), ValueRange());
  Block* body = &rows.getBody().emplaceBlock();
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(body);

  llvm::StringMap<Value> newValue;
  for (ssm::UpdateOp update : pass.getBlock()->getOps<ssm::UpdateOp>())
    newValue[update.getState()] = update.getValue();
  // Register chains: the first takes the value of this step, each next one the register before it.
  llvm::StringMap<unsigned> made;
  SmallVector<Value> initial;
  for (ssm::PrevOp prev : pass.getBlock()->getOps<ssm::PrevOp>()) {
    if (!placement->isLive(prev.getResult()))
      continue;
    int64_t row = std::abs(prev.getBy()[0]), column = std::abs(prev.getBy()[1]);
    StringRef state = prev.getState();
    if (row > 0)
      rowValues[{state.str(), row}] = Value();
    for (int64_t step = 1; step <= column; ++step) {
      std::string key = (state + "," + std::to_string(row) + "," + std::to_string(step)).str();
      auto [it, isNew] = made.try_emplace(key, registers.size());
      if (isNew) {
        Register reg{initialOf(state), nullptr};
        if (step > 1) {
          unsigned before =
              made[(state + "," + std::to_string(row) + "," + std::to_string(step - 1)).str()];
          reg.next = [this, before] { return builder.getInsertionBlock()->getArgument(before); };
        } else if (row == 0) {
          Value value = newValue[state];
          reg.next = [this, value] { return emitInLoop(value); };
        } else {
          std::string name = state.str();
          reg.next = [this, name, row] {
            Value value = rowValues[{name, row}];
            return ssm::AtOp::create(builder, value.getLoc(), value, timeAxis.getLabel())
                .getResult();
          };
        }
        initial.push_back(reg.initial);
        registers.push_back(std::move(reg));
      }
      if (step == column)
        readers.push_back({prev, it->second});
    }
  }
  sequence(initial);
  tile::YieldOp::create(builder, pass.getLoc(), ValueRange());
}

/// What a state is where there is no earlier step: its initial value, else zero.
Value KernelBuilder::initialOf(StringRef name) {
  ssm::StateOp state = form.getState(name);
  ArrayType type = binder.bind(cast<ArrayType>(state.getType()));
  Value init = state.getInit() ? use(state.getInit())
                               : ssm::ConstantOp::create(builder, state.getLoc(), 0.0).getResult();
  return init.getType() == type
             ? init
             : ssm::BroadcastOp::create(builder, state.getLoc(), type, init).getResult();
}

FailureOr<tile::KernelOp> KernelBuilder::build(StringRef name) {
  if (failed(binder.check()))
    return failure();
  placement = std::make_unique<Placement>(pass, binder);
  collectOperands();
  builder.setInsertionPoint(form);
  auto kernel = tile::KernelOp::create(builder, form.getLoc(), name, operands.get(), TypeAttr(),
                                       StringAttr());
  builder.setInsertionPointToEnd(&kernel.getBody().emplaceBlock());

  unsigned axes = form.getNumTimeAxes();
  timeAxis = stepsOf(axes - 1, options.tokenTile);
  reverse = llvm::is_contained(pass.getReverse().value_or(ArrayRef<int64_t>()), int64_t(axes) - 1);

  for (Value value : placement->getOnce())
    use(value);
  if (axes > 1) {
    buildRows();
    return kernel;
  }
  // One time axis: the states are the registers.
  SmallVector<Value> initial;
  SmallVector<ssm::StateOp> states;
  for (ssm::UpdateOp update : pass.getBlock()->getOps<ssm::UpdateOp>()) {
    ssm::StateOp state = form.getState(update.getState());
    Value init = state.getInit() ? use(state.getInit()) : Value();
    ArrayType type = binder.bind(cast<ArrayType>(state.getType()));
    for (ssm::PrevOp prev : pass.getBlock()->getOps<ssm::PrevOp>())
      if (prev.getState() == update.getState())
        readers.push_back({prev, unsigned(registers.size())});
    Value value = update.getValue();
    initial.push_back(load(state, wholeName(state, state.getName()), type, 0, init));
    registers.push_back(
        {initial.back(), [this, value, type] {
           Value next = emitInLoop(value);
           return next.getType() == type
                      ? next
                      : ssm::BroadcastOp::create(builder, value.getLoc(), type, next).getResult();
         }});
    states.push_back(state);
  }
  SmallVector<Value> last = sequence(initial);
  for (auto [state, value] : llvm::zip(states, last))
    store(state, wholeName(state, state.getName()), value);
  return kernel;
}

FailureOr<tile::KernelOp> schedule::schedulePass(ssm::RecurrenceOp form, ssm::PassOp pass,
                                                 const Options& options, StringRef name) {
  return KernelBuilder(form, pass, options).build(name);
}
