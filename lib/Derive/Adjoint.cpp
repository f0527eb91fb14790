// The adjoint of a form: its chunks again, as far as states at their starts are needed, then their
// derivatives from the last chunk to the first.
//
// A chunk is a map (states before, operands) -> (states after, outputs). Its adjoint computes the
// map again from the states that it started from, pulls the cotangents of outputs and of the states
// after it back, and hands those of the states before it to the chunk before. So nothing of the
// size of all steps times a state is kept: states are kept once a chunk (`ssm.out … temp` of a
// value without the label of the steps). What a solve gives is kept too: it is no longer than an
// operand, and what it is computed from, a product with the whole state, need not be computed
// again. The adjoint is a form like any other: it can be scheduled, and differentiated again.
//
// Names: the cotangent of `x` is `d:x` (`d2:x` where an adjoint is differentiated). Cotangents of
// outputs are operands, those of operands outputs. The state `d:S` starts as the cotangent of the
// final S and ends as the gradient of the initial S; a param's gradient is summed over the steps in
// a state too, which starts at zero. See FORMS in docs/architecture.md.
#include "MergeScans.h"
#include "PullBack.h"
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

namespace {

class Adjoint {
public:
  Adjoint(RecurrenceOp old, RecurrenceOp fresh, bool withOutputs)
      : old(old), fresh(fresh), withOutputs(withOutputs),
        outer(OpBuilder::atBlockEnd(fresh.getBlock())) {
    // Names of an adjoint's own cotangents are taken when it is differentiated again.
    if (size_t order = old.getForm().value_or("").count("adjoint"))
      prefix = "d" + std::to_string(order + 1) + ":";
  }
  LogicalResult run();

private:
  using Names = llvm::StringMap<Value>;
  std::string cotangentOf(StringRef name) { return (prefix + name).str(); }
  /// A read of an operand; declared where it is not yet.
  Value operand(StringRef name, ArrayType type, ArrayAttr order, bool temp, bool perChunk,
                Location loc);
  void declareState(StringRef name, ArrayType type, ArrayAttr order, bool hidden, Location loc);
  void cloneForward(ChunkOp chunk, const llvm::StringSet<>& needed);
  LogicalResult reverse(ChunkOp chunk);
  /// The temporary that keeps a state as it was before each chunk; a form that is an adjoint has
  /// some of its own.
  std::string startOf(StringRef state) {
    std::string name = (state + "@" + std::to_string(chunkNumber)).str();
    while (taken.contains(name))
      name += "'";
    return name;
  }

  /// What the solves over the steps of a chunk give, with the names of the temporaries that keep
  /// it.
  void forKept(ChunkOp chunk, llvm::function_ref<void(const std::string& name, Value result)> body);

  RecurrenceOp old, fresh;
  bool withOutputs;
  std::string prefix = "d:";
  OpBuilder outer;
  IRMapping top;
  Names operands;
  llvm::StringSet<> states, taken;
  llvm::StringMap<OutOp> gradients;
  llvm::DenseSet<Operation*> inherited;
  unsigned chunkNumber = 0;
  SmallVector<ChunkOp> backward;
};

bool isPerChunk(Operation* op) {
  return op->hasAttr("per_chunk");
}

} // namespace

Value Adjoint::operand(StringRef name, ArrayType type, ArrayAttr order, bool temp, bool perChunk,
                       Location loc) {
  Value& known = operands[name];
  if (!known) {
    OpBuilder::InsertionGuard guard(outer);
    outer.setInsertionPointToStart(fresh.getBlock());
    auto in = InOp::create(outer, loc, type, name, order, /*param=*/false, Scope::Head);
    if (temp)
      in->setAttr("temp", outer.getUnitAttr());
    if (perChunk)
      in->setAttr("per_chunk", outer.getUnitAttr());
    known = in;
  }
  return known;
}

void Adjoint::declareState(StringRef name, ArrayType type, ArrayAttr order, bool hidden,
                           Location loc) {
  if (!states.insert(name).second)
    return;
  OpBuilder::InsertionGuard guard(outer);
  outer.setInsertionPointToStart(fresh.getBlock());
  StateOp::create(outer, loc, name, order, type, hidden, Value());
}

void Adjoint::forKept(ChunkOp chunk,
                      llvm::function_ref<void(const std::string& name, Value result)> body) {
  unsigned count = 0;
  for (SolveOp solve : chunk.getBlock()->getOps<SolveOp>())
    for (Value result : solve.getResults()) {
      std::string name = "solve." + std::to_string(count++) + "@" + std::to_string(chunkNumber);
      while (taken.contains(name))
        name += "'";
      if (cast<ArrayType>(result.getType()).find(chunk.getLabel()) == chunk.getAxis())
        body(name, result);
    }
}

/// The names of the labels of a type in its own order.
static ArrayAttr orderOf(OpBuilder& b, ArrayType type) {
  SmallVector<StringRef> labels;
  for (AxisAttr axis : type.getAxes())
    labels.push_back(axis.getName());
  return b.getStrArrayAttr(labels);
}

/// The chunk as it was, without what nobody reads: outputs of the form, unless they are asked for.
void Adjoint::cloneForward(ChunkOp chunk, const llvm::StringSet<>& needed) {
  auto made = ChunkOp::create(outer, chunk.getLoc(), chunk.getAxis(), chunk.getReverseAttr());
  OpBuilder b = OpBuilder::atBlockEnd(&made.getBody().emplaceBlock());
  IRMapping mapping = top;
  for (Operation& op : *chunk.getBlock()) {
    if (auto out = dyn_cast<OutOp>(op);
        out && !(out.getTemp() ? needed.contains(out.getName()) : withOutputs))
      continue;
    Operation* copy = b.clone(op, mapping);
    auto prev = dyn_cast<PrevOp>(copy);
    std::string start = prev ? startOf(prev.getState()) : "";
    if (!prev || !needed.contains(start))
      continue;
    auto state = old.getState(prev.getState());
    auto out =
        OutOp::create(b, op.getLoc(), start, state.getOrder(), /*temp=*/true, prev.getResult());
    out->setAttr("per_chunk", b.getUnitAttr());
  }
  forKept(chunk, [&](const std::string& name, Value result) {
    auto type = cast<ArrayType>(result.getType()).without({chunk.getLabel()});
    if (needed.contains(name))
      OutOp::create(b, chunk.getLoc(), name, orderOf(b, type), /*temp=*/true,
                    mapping.lookup(result));
  });
}

/// The derivative of a chunk, as a chunk that runs the other way.
LogicalResult Adjoint::reverse(ChunkOp chunk) {
  Location loc = chunk.getLoc();
  AxisAttr axis = chunk.getAxis();
  auto made =
      ChunkOp::create(outer, loc, axis, chunk.getReverse() ? UnitAttr() : outer.getUnitAttr());
  backward.push_back(made);
  OpBuilder b = OpBuilder::atBlockEnd(&made.getBody().emplaceBlock());
  IRMapping mapping = top;
  SmallVector<Operation*> ops;
  SmallVector<Value> sinks; ///< of updates and outs, in order
  SmallVector<std::pair<StateOp, Value>> starts;
  int64_t back = chunk.getReverse() ? 1 : -1;

  for (Operation& op : *chunk.getBlock()) {
    if (auto prev = dyn_cast<PrevOp>(op)) {
      StateOp state = old.getState(prev.getState());
      Value start =
          operand(startOf(state.getName()), prev.getType(), state.getOrder(), true, true, loc);
      // Its own value here, apart from other reads of the temporary.
      Value local = BroadcastOp::create(b, loc, prev.getType(), start);
      mapping.map(prev.getResult(), local);
      starts.push_back({state, local});
    } else {
      b.clone(op, mapping);
    }
  }
  // Ops without a rule of their own become folds.
  {
    Block* block = made.getBlock();
    expandSteps(made, hasPullBack);
    // What is put out and what states become, after that: the values whose cotangents are given.
    for (Operation& op : llvm::make_early_inc_range(*block)) {
      if (!isa<UpdateOp, OutOp>(op)) {
        ops.push_back(&op);
        continue;
      }
      sinks.push_back(op.getOperand(0));
      op.erase();
    }
  }

  PullBack pull(b);
  auto sink = sinks.begin();
  for (Operation& op : *chunk.getBlock()) {
    if (auto update = dyn_cast<UpdateOp>(op)) {
      StateOp state = old.getState(update.getState());
      auto type = cast<ArrayType>(state.getType());
      std::string name = cotangentOf(state.getName());
      declareState(name, type, state.getOrder(), state.getHidden(), loc);
      pull.add(*sink++, PrevOp::create(b, loc, type, name, ArrayRef<int64_t>{back}));
    } else if (auto out = dyn_cast<OutOp>(op)) {
      Value value = *sink++;
      auto type = cast<ArrayType>(value.getType());
      Value g = operand(cotangentOf(out.getName()), type.without({axis.getName()}), out.getOrder(),
                        out.getTemp(), isPerChunk(out), loc);
      if (!isPerChunk(out))
        g = StepsOp::create(b, loc, g, axis);
      if (g.getType() != type) // The same at every step.
        g = SumOp::create(b, loc, g, b.getArrayAttr(axis.getLabel()));
      pull.add(value, g);
    }
  }
  SmallVector<std::pair<std::string, Value>> solved; // The derivative has solves of its own.
  forKept(made, [&](const std::string& name, Value result) { solved.push_back({name, result}); });
  if (failed(pull.run(ops)))
    return failure();
  for (auto& [name, result] : solved) {
    auto type = cast<ArrayType>(result.getType()).without({axis.getName()});
    Value kept = operand(name, type, orderOf(b, type), /*temp=*/true, /*perChunk=*/false, loc);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(made.getBlock());
    result.replaceAllUsesWith(StepsOp::create(b, loc, kept, axis));
  }

  auto gradient = [&](Value value, ArrayType type) -> Value {
    if (Value g = pull.get(value))
      return g;
    Value none = ConstantOp::create(b, loc, 0.0);
    if (type.isComplex())
      none =
          CastOp::create(b, loc, ArrayType::get(b.getContext(), {}, type.getElementType()), none);
    return none.getType() == type ? none : Value(BroadcastOp::create(b, loc, type, none));
  };
  // States before the chunk. One that no chunk reads still carries its cotangent to nowhere.
  for (Operation& op : *chunk.getBlock()) {
    auto update = dyn_cast<UpdateOp>(op);
    if (!update)
      continue;
    StateOp state = old.getState(update.getState());
    auto type = cast<ArrayType>(state.getType());
    Value sum;
    for (auto& [other, local] : starts)
      if (other == state)
        if (Value g = pull.get(local))
          sum = sum ? Value(AddOp::create(b, loc, sum, g)) : g;
    UpdateOp::create(b, loc, cotangentOf(state.getName()), sum ? sum : gradient(Value(), type));
  }
  // Operands: of each step, of each chunk, or of all steps.
  llvm::MapVector<Operation*, Value> bySource;
  auto collect = [&](Operation* source, Value g) {
    Value& known = bySource[source];
    known = known ? Value(AddOp::create(b, loc, known, g)) : g;
  };
  for (auto [value, g] : pull.all()) {
    if (auto steps = value.getDefiningOp<StepsOp>())
      collect(steps.getOperand().getDefiningOp(), g);
    else if (auto in = value.getDefiningOp<InOp>(); in && (in.getParam() || isPerChunk(in)))
      collect(in, g);
  }
  for (auto& [source, g] : bySource) {
    auto in = cast<InOp>(source);
    if (!in.getType().isReal() && !in.getType().isComplex())
      continue;
    if (!inherited.contains(in))
      continue; // A state before this chunk, taken above.
    std::string name = cotangentOf(in.getName());
    if (in.getParam()) {
      // Each chunk sums for itself; who reads the gradient adds them up.
      for (unsigned k = 1; states.contains(name); ++k)
        name = cotangentOf(in.getName()) + "+" + std::to_string(k);
      declareState(name, in.getType(), in.getOrder(), /*hidden=*/true, loc);
      Value before = PrevOp::create(b, loc, in.getType(), name, ArrayRef<int64_t>{back});
      UpdateOp::create(b, loc, name, AddOp::create(b, loc, before, g));
      continue;
    }
    // What a chunk found before this one is handed on to it.
    if (OutOp before = gradients.lookup(name)) {
      std::string part = name + "+" + std::to_string(gradients.size());
      before.setName(part);
      before.setTempAttr(b.getUnitAttr());
      Value known = operand(part, in.getType(), in.getOrder(), true, isPerChunk(in), loc);
      g = AddOp::create(b, loc,
                        isPerChunk(in) ? known : Value(StepsOp::create(b, loc, known, axis)), g);
      gradients[part] = before;
    }
    auto out = OutOp::create(b, loc, name, in.getOrder(), in->hasAttr("temp"), g);
    gradients[name] = out;
    if (isPerChunk(in))
      out->setAttr("per_chunk", b.getUnitAttr());
  }
  return success();
}

/// Erases what has no use, last op first.
static void eraseDead(Operation* root) {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<Operation*> dead;
    root->walk<WalkOrder::PostOrder>([&](Operation* op) {
      if (op != root && op->getNumResults() && op->use_empty() && !isa<InOp, SystemOp>(op))
        dead.push_back(op);
    });
    for (Operation* op : dead) { // What is inside an op comes before it.
      op->erase();
      changed = true;
    }
  }
}

LogicalResult Adjoint::run() {
  if (old.getNumTimeAxes() != 1)
    return old.emitError() << "has no adjoint: there are two time axes";
  if (!old.getBlock()->getOps<PassOp>().empty())
    return old.emitError() << "has no adjoint: its passes are to be blocked first";
  for (Operation& op : *old.getBlock())
    if (!isa<ChunkOp>(op)) {
      if (auto in = dyn_cast<InOp>(op))
        inherited.insert(
            (operands[in.getName()] = outer.clone(op, top)->getResult(0)).getDefiningOp());
      else
        outer.clone(op, top);
    }
  old.walk([&](OutOp out) { taken.insert(out.getName()); });
  for (StateOp state : fresh.getBlock()->getOps<StateOp>())
    states.insert(state.getName());
  auto chunks = llvm::to_vector(old.getBlock()->getOps<ChunkOp>());
  for (chunkNumber = chunks.size(); chunkNumber-- > 0;)
    if (failed(reverse(chunks[chunkNumber])))
      return failure();
  // (What chunks share stays for now: forward ones may need it.)
  for (ChunkOp chunk : fresh.getBlock()->getOps<ChunkOp>()) {
    eraseDead(chunk);
    mergeScans(*chunk.getBlock());
    eraseDead(chunk);
  }

  // Forward chunks, as far as what they hand on is read: a later one may need an earlier one.
  llvm::StringSet<> needed;
  for (InOp in : fresh.getBlock()->getOps<InOp>())
    if (in->hasAttr("temp") && !in->use_empty())
      needed.insert(in.getName());
  SmallVector<ChunkOp> kept;
  for (chunkNumber = chunks.size(); chunkNumber-- > 0;) {
    ChunkOp chunk = chunks[chunkNumber];
    bool isNeeded = false;
    for (Operation& op : *chunk.getBlock()) {
      auto out = dyn_cast<OutOp>(op);
      auto prev = dyn_cast<PrevOp>(op);
      isNeeded |= (out && (out.getTemp() ? needed.contains(out.getName()) : withOutputs)) ||
                  (prev && needed.contains(startOf(prev.getState())));
    }
    forKept(chunk, [&](const std::string& name, Value) { isNeeded |= needed.contains(name); });
    if (!isNeeded)
      continue;
    kept.push_back(chunk);
    chunk.walk([&](Operation* op) {
      for (Value operand : op->getOperands())
        if (auto in = operand.getDefiningOp<InOp>(); in && in->hasAttr("temp"))
          needed.insert(in.getName());
    });
  }
  if (!backward.empty())
    outer.setInsertionPoint(backward.front());
  for (auto [number, chunk] : llvm::enumerate(chunks))
    if (llvm::is_contained(kept, chunk)) {
      chunkNumber = number;
      cloneForward(chunk, needed);
    }
  // What is not read or defined by any chunk is not declared.
  llvm::StringSet<> defined;
  fresh.walk([&](UpdateOp update) { defined.insert(update.getState()); });
  for (Operation& op : llvm::make_early_inc_range(*fresh.getBlock())) {
    if (auto state = dyn_cast<StateOp>(op); state && !defined.contains(state.getName()))
      state.erase();
    else if (isa<InOp>(op) && op.use_empty())
      op.erase();
  }
  eraseDead(fresh);
  return success();
}

FailureOr<RecurrenceOp> derive::deriveAdjoint(RecurrenceOp form, bool withOutputs) {
  OpBuilder builder(form);
  builder.setInsertionPointAfter(form);
  std::string name = (form.getSymName() + "_adjoint").str();
  auto fresh = RecurrenceOp::create(builder, form.getLoc(), name, form.getTime(), form.getDims(),
                                    builder.getStringAttr((*form.getForm() + " adjoint").str()));
  fresh.getBody().emplaceBlock();
  if (failed(Adjoint(form, fresh, withOutputs).run())) {
    fresh.erase();
    return failure();
  }
  return fresh;
}
