// Systems whose steps are taken one by one inside the chunk: a fold over the steps, with the state
// at every step as its result.
//
// It is how a small state that is dense, nonlinear, coupled to others or read several steps back
// gives its values to the rest of the chunk, whose states are taken many steps at once.
// For h = tanh(x + W prev(h)):
//
//   fold over t, h carried:   h <- tanh(x_t + W h), stacked to h[t]
//
// What does not depend on the states is computed for all steps before the fold. For a large state
// the recurrent form is the same with less memory, so there the chunked form is refused.
#include "ChunkedForm.h"
#include "Coefficient.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

/// More elements than this are not taken one step at a time for the sake of others.
static constexpr int64_t mostElements = 4096;

/// The new value of a state as an expression in what `source` gives for its earlier values.
static Expr assemble(ExprContext& context, ExprReader& reader, StageOp stage, Semiring semiring,
                     StringRef state, llvm::function_ref<Expr(StringRef, int64_t)> source) {
  bool maxPlus = semiring == Semiring::MaxPlus;
  auto times = [&](ArrayRef<Expr> factors) {
    return maxPlus ? context.add(factors) : context.mul(factors);
  };
  SmallVector<Expr> terms;
  for (Operation& op : *stage.getBlock()) {
    if (op.getAttrOfType<StringAttr>("state").getValue() != state)
      continue;
    if (auto input = dyn_cast<InputOp>(op)) {
      SmallVector<Expr> factors;
      for (Value factor : input.getFactors())
        factors.push_back(reader.read(factor));
      terms.push_back(times(factors));
      continue;
    }
    Expr read = context.substitute(
        source(op.getAttrOfType<StringAttr>("source").getValue(),
               op.getAttrOfType<DenseI64ArrayAttr>("by")[0]),
        renamingOf(op.getAttrOfType<ArrayAttr>("from"), op.getAttrOfType<ArrayAttr>("to")));
    if (auto decay = dyn_cast<DecayOp>(op)) {
      if (!maxPlus)
        terms.push_back(context.mul({decayCoefficient(context, reader, decay), read}));
      else
        terms.push_back(context.add({decayOffset(context, reader, decay), read}));
      continue;
    }
    auto feedback = cast<FeedbackOp>(op);
    Expr product = times({reader.read(feedback.getW()), read});
    SmallVector<StringRef> over = strings(feedback.getOver());
    terms.push_back(times({reader.read(feedback.getU()),
                           maxPlus ? context.maximum(product, over) : context.sum(product, over)}));
  }
  if (!maxPlus)
    return context.add(terms);
  return terms.size() == 1 ? terms.front()
                           : context.func("ssm.max", terms.front()->type.getElementType(), terms);
}

LogicalResult ChunkedForm::takeStepwise(SystemOp system, const Twine& why) {
  auto stages = llvm::to_vector(system.getBlock()->getOps<StageOp>());
  if (stages.size() != 1 || stages.front().getAxis())
    return fail(why);
  SmallVector<Stepwise> members;
  DenseMap<Value, std::pair<StringRef, int64_t>> reads;
  std::map<std::pair<StringRef, int64_t>, Expr> known;
  for (auto [name, result] : llvm::zip(strings(system.getStates()), system.getResults())) {
    Expr next = assemble(
        context, reader, stages.front(), system.getSemiring(), name,
        [&](StringRef source, int64_t by) {
          Expr& leaf = known[{source, by}];
          if (!leaf) {
            auto stand = UnrealizedConversionCastOp::create(
                outer, system.getLoc(), old.getState(source).getType(), ValueRange());
            placeholders.push_back(stand);
            reads[stand.getResult(0)] = {source, by};
            leaf = context.leaf(stand.getResult(0), ("carried " + source + "," + Twine(by)).str());
          }
          return leaf;
        });
    members.push_back({old.getState(name), result, next});
  }
  return takeStepwise(members, reads, why);
}

LogicalResult ChunkedForm::takeStepwise(ArrayRef<UpdateOp> given) {
  // A new value that another one is computed from comes first.
  SmallVector<UpdateOp> updates(given);
  llvm::stable_sort(updates, [](UpdateOp x, UpdateOp y) {
    Operation *first = x.getValue().getDefiningOp(), *second = y.getValue().getDefiningOp();
    return first != second && first->isBeforeInBlock(second);
  });
  SmallVector<Stepwise> members;
  DenseMap<Value, std::pair<StringRef, int64_t>> reads;
  llvm::StringMap<bool> isMember;
  for (UpdateOp update : updates) {
    isMember[update.getState()] = true;
    // Whoever uses the new value gets what the fold computes.
    members.push_back(
        {old.getState(update.getState()), update.getValue(), reader.read(update.getValue())});
    reader.define(update.getValue(),
                  context.leaf(update.getValue(), ("new " + update.getState()).str()));
  }
  for (PrevOp prev : old.getBlock()->getOps<PrevOp>())
    if (isMember.contains(prev.getState()))
      reads[prev.getResult()] = {prev.getState(), prev.getBy().front()};
  StateOp first = members.front().state;
  return takeStepwise(members, reads,
                      "state '" + first.getName() + "' is not linear in its earlier values");
}

LogicalResult ChunkedForm::takeStepwise(ArrayRef<Stepwise> members, const StepwiseReads& reads,
                                        const Twine& why) {
  int64_t elements = 0;
  for (const Stepwise& member : members) {
    int64_t count = 1;
    for (AxisAttr axis : cast<ArrayType>(StateOp(member.state).getType()).getAxes())
      count *= std::max<int64_t>(sizeOf(axis), 1);
    elements += count;
  }
  if (elements > mostElements)
    return fail(why + "; that its " + Twine(elements) +
                " elements are taken one step at a time is what the recurrent form is for");

  // Whatever does not depend on the states is computed for all steps, as one array a factor.
  llvm::StringMap<int64_t> furthest;
  auto isInside = [&](Value leaf) {
    return reads.contains(leaf) ||
           llvm::any_of(members, [&](const Stepwise& member) { return member.result == leaf; });
  };
  std::function<Expr(Expr)> lift = [&](Expr expr) -> Expr {
    if (expr->is(Node::Kind::Constant))
      return expr;
    if (!context.contains(expr, isInside)) {
      FailureOr<Expr> replaced = replaceReads(expr);
      if (failed(replaced))
        return expr;
      Value value = write(*replaced);
      lifted[value] = value;
      return context.leaf(value, "given " + std::to_string(givenCount++));
    }
    if (expr->is(Node::Kind::Leaf))
      return expr;
    SmallVector<StringRef> bound;
    SmallVector<Expr> operands(expr->operands.begin(), expr->operands.end());
    bool reduces = expr->is(Node::Kind::Sum) || expr->is(Node::Kind::Maximum);
    if (reduces)
      operands = {context.open(expr, bound)};
    for (Expr& operand : operands)
      operand = lift(operand);
    switch (expr->kind) {
    case Node::Kind::Add:
      return context.add(operands);
    case Node::Kind::Mul:
      return context.mul(operands);
    case Node::Kind::Sum:
      return context.sum(operands.front(), bound);
    case Node::Kind::Maximum:
      return context.maximum(operands.front(), bound);
    default:
      return context.func(expr->function, expr->type.getElementType(), operands, expr->attributes,
                          expr->location);
    }
  };
  SmallVector<Expr> nexts;
  for (const Stepwise& member : members) {
    furthest[StateOp(member.state).getName()] = 1;
    nexts.push_back(lift(member.next));
  }
  if (!reason.empty())
    return failure();
  for (auto& [leaf, read] : reads) {
    if (read.second < 1)
      return fail(why + ", and it is read at later steps");
    furthest[read.first] = std::max(furthest[read.first], read.second);
  }

  // The fold carries each state and its registers.
  Location loc = StateOp(members.front().state).getLoc();
  SmallVector<Value> inits;
  SmallVector<Type> types;
  std::map<std::pair<StringRef, int64_t>, unsigned> place;
  for (const Stepwise& member : members)
    for (int64_t distance = 1; distance <= furthest[StateOp(member.state).getName()]; ++distance) {
      place[{StateOp(member.state).getName(), distance}] = inits.size();
      inits.push_back(startOf(registerOf(StateOp(member.state).getName(), distance)));
      types.push_back(inits.back().getType());
    }
  for (const Stepwise& member : members)
    types.push_back(cast<ArrayType>(StateOp(member.state).getType()).withAxis(steps));
  auto fold = FoldOp::create(b, loc, types, steps, UnitAttr(), inits);
  Block* body = &fold.getBody().emplaceBlock();
  for (Value init : inits)
    body->addArgument(init.getType(), loc);
  OpBuilder inside = OpBuilder::atBlockEnd(body);
  DenseMap<Value, Value> made;
  ExprWriter inner(context, inside, [&](Expr leaf) -> Value {
    if (auto read = reads.find(leaf->leaf); read != reads.end())
      return ExprWriter::relabel(inside, leaf, body->getArgument(place.at(read->second)));
    if (Value known = made.lookup(leaf->leaf))
      return ExprWriter::relabel(inside, leaf, known);
    Value value = leaf->leaf;
    if (cast<ArrayType>(value.getType()).has(steps.getName()))
      value = AtOp::create(inside, loc, value, steps.getLabel());
    return ExprWriter::relabel(inside, leaf, value);
  });
  SmallVector<Value> yields(inits.size()), stacked;
  for (auto [member, next] : llvm::zip(members, nexts)) {
    Value value = inner.writeAs(next, cast<ArrayType>(StateOp(member.state).getType()));
    made[member.result] = value;
    stacked.push_back(value);
    StringRef name = StateOp(member.state).getName();
    for (int64_t distance = 1; distance <= furthest[name]; ++distance)
      yields[place.at({name, distance})] =
          distance == 1 ? value : Value(body->getArgument(place.at({name, distance - 1})));
  }
  llvm::append_range(yields, stacked);
  YieldOp::create(inside, loc, yields);
  for (auto [member, all] : llvm::zip(members, fold.getResults().drop_front(inits.size()))) {
    StringRef name = StateOp(member.state).getName();
    computed(name, member.result, all);
    (void)previous(name, furthest[name]); // Its registers are kept from chunk to chunk.
  }
  if (stepwise.empty())
    stepwise = why.str();
  return reason.empty() ? success() : failure();
}
