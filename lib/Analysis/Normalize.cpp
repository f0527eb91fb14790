// From a step to the normal form.
//
// 1. Condense: an edge from state a to state b where b's definition reads a at another step.
//    Strongly connected states are one system; systems come in dependency order.
// 2. Expand each definition over the system's states (Linearize.cpp); what fails stays as it was.
// 3. Collect the terms (Terms.cpp) and write them as an `ssm.system`.
// 4. Write outputs, expanded over all linear states.
//
// Labels are named anew: an axis over dim K is called K, a second one of the same array K2. The
// names that a declaration chose for its indices are gone then, so that they make no difference.
//
// A definition that is linear in a fold over its own state is a system of stages: the fold's
// initial value, the fold's body as micro-steps, and what the definition makes of the fold's
// result. A fold may start from what another one made, with a stage between for what is made of
// that.
#include "ssmc/Analysis/Passes.h"
#include "ssmc/Analysis/Terms.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

namespace {

class Normalizer {
public:
  Normalizer(RecurrenceOp old, RecurrenceOp fresh)
      : old(old), fresh(fresh), context(old.getContext()), reader(context),
        builder(OpBuilder::atBlockEnd(fresh.getBlock())),
        writer(context, builder, [this](Value value) { return materialize(value); }) {}

  void run();

private:
  using System = SmallVector<StringRef>;
  SmallVector<System> condense();
  /// The states whose other steps a value reads, through this step's values.
  const llvm::StringSet<>& reads(Value value);
  void defineSystem(const System& system);
  bool tryLinear(const System& system, Semiring semiring, std::optional<Nonlinear>& nonlinear);
  bool tryFold(StringRef state, std::optional<Nonlinear>& nonlinear);
  std::optional<Renaming> carriedLabels(FoldOp fold, StringRef state);
  FoldOp foldOver(Expr expr, StringRef state);
  Expr expandOutput(Expr expr);
  Expr expandNew(Expr expr);
  Value materialize(Value value);
  void declare();
  /// The labels that a declaration chose for an array, and those that it bears here.
  Renaming canonical(ArrayAttr order, ArrayType type);
  Renaming canonical(StateOp state) {
    return canonical(state.getOrder(), cast<ArrayType>(state.getType()));
  }
  ArrayType rename(ArrayType type, const Renaming& renaming);
  ArrayAttr rename(ArrayAttr order, const Renaming& renaming);
  /// The definition of a state in the labels used here.
  Expr definitionOf(StringRef state) {
    return context.substitute(reader.read(updateOf(state).getValue()),
                              canonical(old.getState(state)));
  }
  SmallVector<StringRef> orderOf(StringRef state) {
    return strings(fresh.getState(state).getOrder());
  }
  UpdateOp updateOf(StringRef state) { return updates.lookup(state); }
  /// Opens `ssm.system` with its results' types, and tells expressions of its results.
  SystemOp openSystem(const System& system, Semiring semiring, Location location);

  RecurrenceOp old, fresh;
  ExprContext context;
  ExprReader reader;
  OpBuilder builder;
  ExprWriter writer;
  llvm::StringMap<UpdateOp> updates;
  llvm::StringSet<> linear; ///< states of (+, *) systems
  DenseMap<Expr, Expr> expanded;
  DenseMap<Value, Value> moved;
  DenseMap<Value, llvm::StringSet<>> readCache;
  SmallVector<std::unique_ptr<Block>> standIns; ///< hold the carried values of folds
};

const llvm::StringSet<>& Normalizer::reads(Value value) {
  if (auto it = readCache.find(value); it != readCache.end())
    return it->second;
  llvm::StringSet<> names;
  if (Operation* op = value.getDefiningOp()) {
    op->walk([&](PrevOp prev) { names.insert(prev.getState()); });
    for (Value input : inputsOf(op))
      for (auto& entry : reads(input))
        names.insert(entry.first());
  }
  return readCache[value] = std::move(names);
}

/// Tarjan's algorithm; the result is in dependency order, states in the order of their
/// declarations.
SmallVector<Normalizer::System> Normalizer::condense() {
  SmallVector<StringRef> states;
  for (StateOp state : old.getBlock()->getOps<StateOp>())
    states.push_back(state.getName());
  SmallVector<System> systems;
  llvm::StringMap<unsigned> index, low;
  llvm::StringSet<> onStack;
  SmallVector<StringRef> stack;
  unsigned counter = 0;
  auto connect = [&](auto& self, StringRef state) -> void {
    index[state] = low[state] = ++counter;
    stack.push_back(state);
    onStack.insert(state);
    for (StringRef next : states) {
      if (!reads(updateOf(state).getValue()).contains(next))
        continue;
      if (!index.contains(next)) {
        self(self, next);
        low[state] = std::min(low[state], low[next]);
      } else if (onStack.contains(next)) {
        low[state] = std::min(low[state], index[next]);
      }
    }
    if (low[state] != index[state])
      return;
    System system;
    StringRef member;
    do {
      member = stack.pop_back_val();
      onStack.erase(member);
      system.push_back(member);
    } while (member != state);
    llvm::sort(system, [&](StringRef a, StringRef b) {
      return llvm::find(states, a) < llvm::find(states, b);
    });
    systems.push_back(std::move(system));
  };
  for (StringRef state : states)
    if (!index.contains(state))
      connect(connect, state);
  return systems;
}

static std::string canonicalStem(AxisAttr axis) {
  if (auto dim = dyn_cast<StringAttr>(axis.getExtent()))
    return dim.getValue().str();
  return "n" + std::to_string(axis.getSize());
}

Renaming Normalizer::canonical(ArrayAttr order, ArrayType type) {
  Renaming renaming;
  llvm::StringMap<unsigned> count;
  for (StringRef label : strings(order)) {
    std::string name = canonicalStem(type.find(label));
    unsigned number = ++count[name];
    renaming.push_back({label, context.intern(number == 1 ? name : name + std::to_string(number))});
  }
  return renaming;
}

static Renaming inverse(const Renaming& renaming) {
  Renaming result;
  for (auto [from, to] : renaming)
    result.push_back({to, from});
  return result;
}

ArrayType Normalizer::rename(ArrayType type, const Renaming& renaming) {
  SmallVector<AxisAttr> axes;
  for (AxisAttr axis : type.getAxes()) {
    StringRef name = nameBy(renaming, axis.getName());
    axes.push_back(AxisAttr::get(type.getContext(), builder.getStringAttr(name), axis.getExtent()));
  }
  return ArrayType::get(type.getContext(), axes, type.getElementType());
}

ArrayAttr Normalizer::rename(ArrayAttr order, const Renaming& renaming) {
  SmallVector<Attribute> names;
  for (auto [from, to] : renaming)
    names.push_back(builder.getStringAttr(to));
  return builder.getArrayAttr(names);
}

/// Operands, states and reads of states, under canonical labels.
void Normalizer::declare() {
  for (InOp in : old.getBlock()->getOps<InOp>()) {
    Renaming renaming = canonical(in.getOrder(), in.getType());
    auto made = InOp::create(builder, in.getLoc(), rename(in.getType(), renaming), in.getName(),
                             rename(in.getOrder(), renaming), in.getParam(), in.getScope());
    reader.define(in.getResult(), context.leaf(made.getResult(), in.getName(), inverse(renaming)));
  }
  for (StateOp state : old.getBlock()->getOps<StateOp>()) {
    Renaming renaming = canonical(state);
    Value init;
    if (state.getInit())
      init = writer.write(context.substitute(reader.read(state.getInit()), renaming));
    StateOp::create(builder, state.getLoc(), state.getName(), rename(state.getOrder(), renaming),
                    rename(cast<ArrayType>(state.getType()), renaming), state.getHidden(), init);
  }
  llvm::StringMap<PrevOp> made;
  old.walk([&](PrevOp prev) {
    Renaming renaming = canonical(old.getState(prev.getState()));
    std::string name = ("prev " + prev.getState()).str();
    for (int64_t offset : prev.getBy())
      name += "," + std::to_string(offset);
    PrevOp& copy = made[name];
    if (!copy)
      copy = PrevOp::create(builder, prev.getLoc(), rename(prev.getType(), renaming),
                            prev.getState(), prev.getBy());
    reader.define(prev.getResult(), context.leaf(copy.getResult(), name, inverse(renaming)));
  });
}

Value Normalizer::materialize(Value value) {
  if (value.getParentBlock() == fresh.getBlock())
    return value;
  if (Value known = moved.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  IRMapping mapping;
  for (Value input : inputsOf(op))
    if (!mapping.contains(input))
      mapping.map(input, writer.writeAs(reader.read(input), cast<ArrayType>(input.getType())));
  Operation* copy = builder.clone(*op, mapping);
  for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
    moved[from] = to;
  return moved[value];
}

SystemOp Normalizer::openSystem(const System& system, Semiring semiring, Location location) {
  SmallVector<Type> types;
  SmallVector<Attribute> names;
  for (StringRef state : system) {
    types.push_back(fresh.getState(state).getType());
    names.push_back(builder.getStringAttr(state));
  }
  auto op = SystemOp::create(builder, location, types, semiring, builder.getArrayAttr(names));
  op.getBody().emplaceBlock();
  for (auto [state, result] : llvm::zip(system, op.getResults())) {
    reader.define(
        updateOf(state).getValue(),
        context.leaf(result, ("new " + state).str(), inverse(canonical(old.getState(state)))));
    if (semiring == Semiring::PlusTimes)
      linear.insert(state);
  }
  return op;
}

bool Normalizer::tryLinear(const System& system, Semiring semiring,
                           std::optional<Nonlinear>& nonlinear) {
  auto classify = [&](Value leaf) {
    if (auto prev = leaf.getDefiningOp<PrevOp>())
      return llvm::is_contained(system, prev.getState()) ? LeafKind::State : LeafKind::Free;
    if (leaf.getParentBlock() == fresh.getBlock())
      return LeafKind::Free;
    return llvm::any_of(system, [&](StringRef state) { return reads(leaf).contains(state); })
               ? LeafKind::Opaque
               : LeafKind::Free;
  };
  auto describe = [](Value leaf) {
    auto prev = leaf.getDefiningOp<PrevOp>();
    return Source{prev.getState(), SmallVector<int64_t, 2>(prev.getBy()), {}};
  };
  SmallVector<Row, 0> rows;
  for (StringRef state : system) {
    SmallVector<Term> terms;
    if (failed(linearize(context, definitionOf(state), semiring, classify, terms, nonlinear)))
      return false;
    contractDiagonals(reader, builder, semiring, terms);
    rows.push_back(collect(context, semiring, state, orderOf(state), terms, describe));
  }
  // Operands go before the system, the terms into it: the op is made last and its
  // terms are moved in.
  Block terms;
  OpBuilder inside(context.getContext()); // The block stands in no region yet.
  inside.setInsertionPointToEnd(&terms);
  Location location = updateOf(system.front()).getLoc();
  for (const Row& row : rows)
    emit(context, semiring, row, inside, writer, updateOf(row.state).getLoc());
  SystemOp op = openSystem(system, semiring, location);
  OpBuilder inSystem = OpBuilder::atBlockEnd(op.getBlock());
  auto stage = StageOp::create(inSystem, location, AxisAttr());
  stage.getBody().emplaceBlock().getOperations().splice(stage.getBody().front().end(),
                                                        terms.getOperations());
  return true;
}

/// The labels that a fold's carried array bears here: those of the state, by name where they are
/// the same, else by extent. Nothing if the array is not like the state.
std::optional<Renaming> Normalizer::carriedLabels(FoldOp fold, StringRef state) {
  Renaming left = canonical(old.getState(state)), labels;
  auto type = cast<ArrayType>(old.getState(state).getType()),
       carried = cast<ArrayType>(fold.getResult(0).getType());
  if (type.getRank() != carried.getRank() || type.getElementType() != carried.getElementType())
    return {};
  auto take = [&](StringRef label, function_ref<bool(StringRef)> suits) {
    auto* it = llvm::find_if(left, [&](auto& pair) { return suits(pair.first); });
    if (it == left.end())
      return;
    labels.push_back({label, it->second});
    left.erase(it);
  };
  for (AxisAttr axis : carried.getAxes())
    if (type.find(axis.getName()) == axis)
      take(axis.getName(), [&](StringRef own) { return own == axis.getName(); });
  for (AxisAttr axis : carried.getAxes())
    if (type.find(axis.getName()) != axis)
      take(axis.getName(), [&](StringRef own) {
        return !carried.has(own) && type.find(own).getExtent() == axis.getExtent();
      });
  return left.empty() ? std::optional(labels) : std::nullopt;
}

/// The one fold through which an expression reads the state; null if there is none, or more.
FoldOp Normalizer::foldOver(Expr expr, StringRef state) {
  FoldOp fold;
  for (Value leaf : expr->leaves) {
    auto other = leaf.getDefiningOp<FoldOp>();
    if (!other || !reads(leaf).contains(state))
      continue;
    if (fold || other.getNumCarried() != 1 || other.getNumResults() != 1)
      return {};
    fold = other;
  }
  return fold;
}

bool Normalizer::tryFold(StringRef state, std::optional<Nonlinear>& nonlinear) {
  // Each carried array is read under the state's canonical labels, each fold's label under its
  // dim's name. Expressions that read it stay known to the context: it lives as long, under a name
  // of its own. It is one for all folds, as no fold sees what another one carries.
  Block& standIn = *standIns.emplace_back(std::make_unique<Block>());
  std::string carriedName = ("carried " + state).str();
  auto type = cast<ArrayType>(fresh.getState(state).getType());
  Value carried = standIn.addArgument(type, updateOf(state).getLoc());
  auto fromPrevious = [&](Value leaf) {
    if (auto prev = leaf.getDefiningOp<PrevOp>())
      return prev.getState() == state ? LeafKind::State : LeafKind::Free;
    if (leaf.getParentBlock() == fresh.getBlock())
      return LeafKind::Free;
    return reads(leaf).contains(state) ? LeafKind::Opaque : LeafKind::Free;
  };
  struct Stage {
    AxisAttr over;
    SmallVector<Term> terms;
  };
  SmallVector<Stage, 4> stages; // the last one first
  // What is made of a fold's result or, with none left, of the state; then the fold's body; then
  // the same of what the fold starts from.
  Expr made = definitionOf(state);
  while (true) {
    FoldOp fold = foldOver(made, state);
    if (!fold && stages.empty())
      return false;
    std::optional<Renaming> labels;
    if (fold && !(labels = carriedLabels(fold, state)))
      return false;
    auto fromFolded = [&](Value leaf) {
      if (!fold)
        return fromPrevious(leaf);
      return leaf == fold.getResult(0)              ? LeafKind::State
             : fromPrevious(leaf) == LeafKind::Free ? LeafKind::Free
                                                    : LeafKind::Opaque;
    };
    Stage& after = stages.emplace_back();
    if (failed(linearize(context, made, Semiring::PlusTimes, fromFolded, after.terms, nonlinear)))
      return false;
    if (!fold)
      break;
    // The fold's result under the state's canonical labels, like the carried array.
    for (Term& term : after.terms) {
      if (!term.state)
        continue;
      Renaming renaming;
      for (auto [old, label] : *labels)
        renaming.push_back({label, nameBy(term.state->renaming, old)});
      term.state = context.leaf(carried, carriedName, renaming);
    }
    std::string stepName = canonicalStem(fold.getAxis());
    while (type.has(stepName))
      stepName += "'";
    AxisAttr axis = AxisAttr::get(fold.getContext(), builder.getStringAttr(stepName),
                                  fold.getAxis().getExtent());
    Renaming lifted = *labels;
    lifted.push_back({fold.getAxis().getName(), axis.getName()});
    auto fromCarried = [&](Value leaf) {
      if (leaf == carried)
        return LeafKind::State;
      // A nested fold may read the carried value: not expanded.
      if (Operation* op = leaf.getDefiningOp(); op && fold->isProperAncestor(op))
        return LeafKind::Opaque;
      LeafKind kind = fromPrevious(leaf);
      return kind == LeafKind::State ? LeafKind::Opaque : kind;
    };
    reader.define(fold.getBlock()->getArgument(0),
                  context.leaf(carried, carriedName, inverse(*labels)));
    Stage& body = stages.emplace_back(axis);
    Expr next = context.substitute(reader.read(fold.getYield().getValues()[0]), lifted);
    if (failed(linearize(context, next, Semiring::PlusTimes, fromCarried, body.terms, nonlinear)))
      return false;
    made = context.substitute(reader.read(fold.getInits()[0]), *labels);
  }

  SmallVector<int64_t, 2> here(old.getNumTimeAxes(), 0);
  auto describe = [&](Value leaf) {
    auto prev = leaf.getDefiningOp<PrevOp>();
    return Source{
        prev ? prev.getState() : state, prev ? SmallVector<int64_t, 2>(prev.getBy()) : here, {}};
  };
  // Operands go before the system, as in tryLinear.
  SmallVector<std::pair<AxisAttr, std::unique_ptr<Block>>> written;
  Location location = updateOf(state).getLoc();
  for (Stage& stage : llvm::reverse(stages)) {
    contractDiagonals(reader, builder, Semiring::PlusTimes, stage.terms);
    Row row = collect(context, Semiring::PlusTimes, state, orderOf(state), stage.terms, describe);
    bool isIdentity = row.feedbacks.empty() && row.inputs.empty() && row.decays.size() == 1 &&
                      row.decays.front().source.renaming.empty() &&
                      addFactored(context, row.decays.front().coefficients)->isConstant(1);
    if (isIdentity && !stage.over && !written.empty())
      continue;
    written.push_back({stage.over, std::make_unique<Block>()});
    OpBuilder inStage(context.getContext()); // The block stands in no region yet.
    inStage.setInsertionPointToEnd(written.back().second.get());
    emit(context, Semiring::PlusTimes, row, inStage, writer, location);
  }
  SystemOp op = openSystem({state}, Semiring::PlusTimes, location);
  OpBuilder inSystem = OpBuilder::atBlockEnd(op.getBlock());
  for (auto& [over, terms] : written) {
    auto stage = StageOp::create(inSystem, location, over);
    Block& body = stage.getBody().emplaceBlock();
    body.getOperations().splice(body.end(), terms->getOperations());
  }
  return true;
}

void Normalizer::defineSystem(const System& system) {
  std::optional<Nonlinear> nonlinear, ignored;
  if (tryLinear(system, Semiring::PlusTimes, nonlinear))
    return;
  if (system.size() == 1 && tryFold(system.front(), nonlinear))
    return;
  if (tryLinear(system, Semiring::MaxPlus, ignored))
    return;
  for (StringRef state : system) {
    Value value =
        writer.writeAs(definitionOf(state), cast<ArrayType>(fresh.getState(state).getType()));
    auto copy = UpdateOp::create(builder, nonlinear->location, state, value);
    copy->setAttr("nonlinear", builder.getStringAttr(nonlinear->reason));
  }
}

/// Expands what is linear in the linear states, at the root or else below it, so that an output
/// written from any of a step's values has one shape.
Expr Normalizer::expandOutput(Expr expr) {
  if (Expr known = expanded.lookup(expr))
    return known;
  Expr result = expandNew(expr);
  expanded[expr] = result;
  return result;
}

Expr Normalizer::expandNew(Expr expr) {
  auto classify = [&](Value leaf) {
    if (auto system = leaf.getDefiningOp<SystemOp>())
      return system.getSemiring() == Semiring::PlusTimes ? LeafKind::State : LeafKind::Free;
    if (auto prev = leaf.getDefiningOp<PrevOp>())
      return linear.contains(prev.getState()) ? LeafKind::State : LeafKind::Free;
    return LeafKind::Free;
  };
  if (!context.contains(expr, [&](Value leaf) { return classify(leaf) == LeafKind::State; }))
    return expr;
  SmallVector<Term> terms;
  std::optional<Nonlinear> nonlinear;
  if (succeeded(linearize(context, expr, Semiring::PlusTimes, classify, terms, nonlinear))) {
    SmallVector<Expr> sum;
    for (Term& term : terms) {
      if (term.state)
        term.factors.push_back(term.state);
      sum.push_back(context.sum(context.mul(term.factors), term.sums));
    }
    return context.add(sum);
  }
  SmallVector<Expr> operands;
  switch (expr->kind) {
  case Node::Kind::Sum:
  case Node::Kind::Maximum: {
    SmallVector<StringRef> bound;
    Expr body = expandOutput(context.open(expr, bound));
    return expr->is(Node::Kind::Sum) ? context.sum(body, bound) : context.maximum(body, bound);
  }
  default:
    for (Expr operand : expr->operands)
      operands.push_back(expandOutput(operand));
  }
  if (expr->is(Node::Kind::Add))
    return context.add(operands);
  if (expr->is(Node::Kind::Mul))
    return context.mul(operands);
  return context.func(expr->function, expr->type.getElementType(), operands, expr->attributes,
                      expr->location);
}

void Normalizer::run() {
  for (UpdateOp update : old.getBlock()->getOps<UpdateOp>())
    updates[update.getState()] = update;
  declare();
  for (const System& system : condense())
    defineSystem(system);
  for (OutOp out : old.getBlock()->getOps<OutOp>()) {
    auto type = cast<ArrayType>(out.getValue().getType());
    Renaming renaming = canonical(out.getOrder(), type);
    Expr expr = expandOutput(context.substitute(reader.read(out.getValue()), renaming));
    OutOp::create(builder, out.getLoc(), out.getNameAttr(), rename(out.getOrder(), renaming),
                  UnitAttr(), writer.writeAs(expr, rename(type, renaming)));
  }
  // The only read of a state stays, used or not: it tells which way along time the state runs.
  llvm::StringSet<> read;
  fresh.walk([&](Operation* op) {
    if (auto decay = dyn_cast<DecayOp>(op))
      read.insert(decay.getSource());
    else if (auto feedback = dyn_cast<FeedbackOp>(op))
      read.insert(feedback.getSource());
    else if (auto prev = dyn_cast<PrevOp>(op); prev && !prev->use_empty())
      read.insert(prev.getState());
  });
  for (PrevOp prev : llvm::make_early_inc_range(fresh.getBlock()->getOps<PrevOp>()))
    if (prev->use_empty() && !read.insert(prev.getState()).second)
      prev.erase();
}

struct NormalizePass : PassWrapper<NormalizePass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(NormalizePass)
  StringRef getArgument() const final { return "normalize"; }
  StringRef getDescription() const final {
    return "Prove each recurrence linear and rewrite its step into normal form";
  }
  void runOnOperation() final {
    for (RecurrenceOp recurrence :
         llvm::make_early_inc_range(getOperation().getOps<RecurrenceOp>()))
      if (!recurrence.getForm())
        normalize(recurrence);
  }
};

} // namespace

RecurrenceOp ssmc::analysis::normalize(RecurrenceOp recurrence) {
  OpBuilder builder(recurrence);
  auto fresh = RecurrenceOp::create(builder, recurrence.getLoc(), recurrence.getSymName(),
                                    recurrence.getTime(), recurrence.getDims(), StringAttr());
  fresh.getBody().emplaceBlock();
  Normalizer(recurrence, fresh).run();
  recurrence.erase();
  return fresh;
}

std::unique_ptr<Pass> ssmc::analysis::createNormalizePass() {
  return std::make_unique<NormalizePass>();
}

void ssmc::analysis::registerPasses() {
  registerPass(createNormalizePass);
}
