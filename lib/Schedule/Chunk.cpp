// A chunk as a kernel: the body of the chunk becomes the body of a sequence over blocks of steps.
//
// What depends on params alone is computed before the sequence; states are carried by it. Nothing
// else is to be decided here: a chunk already says what happens to a block of steps.
#include "ColumnSplit.h"
#include "Operands.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;

namespace {

class ChunkKernel {
public:
  ChunkKernel(ssm::RecurrenceOp form, ssm::ChunkOp chunk, const Options& options)
      : form(form), chunk(chunk), options(options), binder(form, options),
        builder(form.getContext()), operands(form.getContext(), binder, options) {}
  FailureOr<tile::KernelOp> build(StringRef name);

private:
  void collectOperands();
  /// What the chunk reads of the recurrence's own block: params, and what follows from them.
  Value outside(Value value);
  Value load(Operation* source, StringRef name, ArrayType type, Value otherwise = {});
  Operation* copy(Operation* op);
  void visit(Operation* op);
  bool isOneStep() { return chunk.getAxis().getSize() == 1; }

  ssm::RecurrenceOp form;
  ssm::ChunkOp chunk;
  const Options& options;
  Binder binder;
  OpBuilder builder;
  OperandList operands;
  IRMapping mapping;
  llvm::StringMap<Value> before; ///< states before the block
  llvm::StringMap<Value> after;
  tile::SequenceOp sequence;
};

} // namespace

void ChunkKernel::collectOperands() {
  DenseSet<Operation*> read;
  SmallVector<Operation*> work;
  auto need = [&](Operation* op) {
    for (Value input : ssm::inputsOf(op))
      if (Operation* def = input.getDefiningOp(); def && read.insert(def).second)
        work.push_back(def);
  };
  chunk->walk(need);
  for (ssm::UpdateOp update : chunk.getBlock()->getOps<ssm::UpdateOp>())
    need(form.getState(update.getState()));
  while (!work.empty())
    need(work.pop_back_val());
  for (ssm::InOp in : form.getBlock()->getOps<ssm::InOp>())
    if (read.contains(in))
      operands.add(in);
  for (ssm::UpdateOp update : chunk.getBlock()->getOps<ssm::UpdateOp>())
    operands.add(form.getState(update.getState()));
  for (ssm::OutOp out : chunk.getBlock()->getOps<ssm::OutOp>())
    operands.add(out, cast<ArrayType>(out.getValue().getType()).without({chunk.getLabel()}));
}

Value ChunkKernel::load(Operation* source, StringRef name, ArrayType type, Value otherwise) {
  return tile::LoadOp::create(builder, source->getLoc(), type, wholeName(source, name),
                              partOf(source), IntegerAttr(), ArrayAttr(), otherwise);
}

/// A copy on the mapped operands, all extents bound, its regions included.
Operation* ChunkKernel::copy(Operation* op) {
  Operation* made = builder.clone(*op, mapping);
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](ssm::AxisAttr axis) { return binder.bind(axis); });
  replacer.recursivelyReplaceElementsIn(made, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  return made;
}

Value ChunkKernel::outside(Value value) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation* op = value.getDefiningOp();
  OpBuilder::InsertionGuard guard(builder);
  if (sequence && !isPerChunk(op))
    builder.setInsertionPoint(sequence);
  if (auto in = dyn_cast<ssm::InOp>(op)) {
    Value loaded = load(in, in.getName(), binder.bind(in.getType()));
    mapping.map(value, loaded);
    return loaded;
  }
  for (Value input : ssm::inputsOf(op))
    outside(input);
  copy(op);
  return mapping.lookup(value);
}

void ChunkKernel::visit(Operation* op) {
  if (auto steps = dyn_cast<ssm::StepsOp>(op)) {
    auto in = steps.getOperand().getDefiningOp<ssm::InOp>();
    ArrayType type = binder.bind(steps.getType());
    // A tile of one step has no label of steps.
    Value loaded = load(in, in.getName(), isOneStep() ? type.without({chunk.getLabel()}) : type);
    if (isOneStep())
      loaded = ssm::BroadcastOp::create(builder, in.getLoc(), type, loaded);
    mapping.map(steps.getResult(), loaded);
    return;
  }
  if (auto prev = dyn_cast<ssm::PrevOp>(op)) {
    mapping.map(prev.getResult(), before.lookup(prev.getState()));
    return;
  }
  for (Value input : ssm::inputsOf(op))
    if (!mapping.contains(input))
      outside(input);
  if (auto update = dyn_cast<ssm::UpdateOp>(op)) {
    after[update.getState()] = mapping.lookup(update.getValue());
    return;
  }
  if (auto out = dyn_cast<ssm::OutOp>(op)) {
    Value value = mapping.lookup(out.getValue());
    auto type = cast<ArrayType>(value.getType());
    if (!type.has(chunk.getLabel()) && !isPerChunk(out))
      value =
          ssm::BroadcastOp::create(builder, out.getLoc(), type.withAxis(chunk.getAxis()), value);
    if (isOneStep() && cast<ArrayType>(value.getType()).has(chunk.getLabel()))
      value = ssm::SumOp::create(builder, out.getLoc(), value,
                                 builder.getArrayAttr(chunk.getAxis().getLabel()));
    tile::StoreOp::create(builder, out.getLoc(), wholeName(out, out.getName()), partOf(out), value);
    return;
  }
  copy(op);
}

FailureOr<tile::KernelOp> ChunkKernel::build(StringRef name) {
  if (failed(binder.check()))
    return failure();
  collectOperands();
  builder.setInsertionPoint(form);
  // (f16's range is too small for states.)
  bool rounds = options.operandType.isBF16() && !options.exactProducts;
  auto kernel = tile::KernelOp::create(builder, chunk.getLoc(), name, operands.get(),
                                       rounds ? TypeAttr::get(options.operandType) : TypeAttr(),
                                       StringAttr());
  builder.setInsertionPointToEnd(&kernel.getBody().emplaceBlock());

  SmallVector<ssm::StateOp> states;
  SmallVector<Value> initial;
  for (ssm::UpdateOp update : chunk.getBlock()->getOps<ssm::UpdateOp>()) {
    ssm::StateOp state = form.getState(update.getState());
    ArrayType type = binder.bind(cast<ArrayType>(state.getType()));
    Value otherwise;
    if (Value init = state.getInit()) {
      otherwise = outside(init);
      if (otherwise.getType() != type)
        otherwise = ssm::BroadcastOp::create(builder, state.getLoc(), type, otherwise);
    }
    states.push_back(state);
    initial.push_back(load(state, state.getName(), type, otherwise));
  }
  sequence = tile::SequenceOp::create(builder, chunk.getLoc(), ValueRange(initial).getTypes(),
                                      chunk.getAxis(), 0, chunk.getReverse(), initial);
  Block* body = &sequence.getBody().emplaceBlock();
  for (auto [state, value] : llvm::zip(states, initial))
    before[state.getName()] = body->addArgument(value.getType(), state.getLoc());
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(body);
    for (Operation& op : *chunk.getBlock())
      visit(&op);
    SmallVector<Value> last;
    for (auto [state, value] : llvm::zip(states, initial)) {
      Value next = after.lookup(state.getName());
      if (next.getType() != value.getType())
        next = ssm::BroadcastOp::create(builder, state.getLoc(), value.getType(), next);
      last.push_back(next);
    }
    tile::YieldOp::create(builder, chunk.getLoc(), last);
  }
  for (auto solve : llvm::make_early_inc_range(body->getOps<ssm::SolveOp>()))
    pushThrough(solve);
  eraseUnused(body);
  for (auto [state, value] : llvm::zip(states, sequence.getResults()))
    tile::StoreOp::create(builder, state.getLoc(), wholeName(state, state.getName()), partOf(state),
                          value);
  return kernel;
}

FailureOr<tile::KernelOp> schedule::scheduleChunk(ssm::RecurrenceOp form, ssm::ChunkOp chunk,
                                                  const Options& options, StringRef name) {
  return ChunkKernel(form, chunk, options).build(name);
}
