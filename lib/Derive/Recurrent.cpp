// From the normal form to the recurrent form.
//
// A system's terms are put together again, but not as they were declared:
// outer products that share a factor become one, so that the state's elements are touched
// as rarely as possible. For the delta rule
//
//   S' = a S + (-b a k) (k . S) + k (b v)     becomes     S' = a S + k (b (v - a (k . S)))
//
// with one outer product instead of two. This is the same merge that collects inputs in the normal
// form, applied to feedback and input together; no recurrence is recognised.
//
// Passes: states read at earlier steps run forward, states read at later steps backward. A system
// goes into the first pass of its direction that is not before any system it depends on.
#include "Coefficient.h"
#include "ssmc/Analysis/Terms.h"
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using ssmc::derive::decayCoefficient;
using ssmc::derive::decayOffset;

namespace {

/// For each time axis, whether it is run from the end.
using Direction = SmallVector<bool, 2>;
/// For each time axis, whether earlier steps are read (1), later ones (-1), or none.
using Signs = SmallVector<int, 2>;

class RecurrentForm {
public:
  RecurrentForm(RecurrenceOp old, RecurrenceOp fresh)
      : old(old), fresh(fresh), context(old.getContext()), reader(context),
        outer(OpBuilder::atBlockEnd(fresh.getBlock())),
        outerWriter(context, outer, [this](Value value) { return moved.lookup(value); }) {}

  LogicalResult run();

private:
  struct Pass {
    Direction direction;
    PassOp op;
    OpBuilder builder;
    std::unique_ptr<ExprWriter> writer = nullptr;
    DenseMap<Value, Value> moved = DenseMap<Value, Value>();
    llvm::StringMap<Value> prevs = llvm::StringMap<Value>();
  };

  LogicalResult findDirections();
  /// The direction of states that are computed together.
  FailureOr<Direction> directionOf(ArrayRef<StringRef> states, Location location);
  /// The new value of a system's states, one expression each.
  SmallVector<Expr> assemble(SystemOp system);
  Expr assembleStage(StageOp stage, Semiring semiring, StringRef state,
                     llvm::function_ref<Expr(StringRef, ArrayRef<int64_t>)> source);
  Value microSteps(StageOp stage, Semiring semiring, StringRef state, Value start, Pass& pass);

  /// The pass in which a value is known: the latest of the states that it depends on, -1 for none.
  int passOf(Value leaf);
  int passOf(Expr expr);
  int choosePass(const Direction& direction, int earliest);
  Pass& getPass(int index) { return *passes[index]; }
  /// `expr` with what earlier passes know replaced by temporaries.
  Expr localize(Expr expr, int pass);
  Value write(Expr expr, ArrayType type, int pass);
  Value materialize(Value value, int pass);
  Value clone(Operation* op, Value value, int pass);
  Value readPrevious(StringRef state, ArrayRef<int64_t> by, ArrayType type, Pass& pass);
  void define(StringRef state, Value value, int pass);

  RecurrenceOp old, fresh;
  ExprContext context;
  ExprReader reader;
  OpBuilder outer; ///< where declarations go
  ExprWriter outerWriter;
  DenseMap<Value, Value> moved; ///< operands, at the top
  SmallVector<std::unique_ptr<Pass>> passes;
  llvm::StringMap<Signs> signs;
  llvm::StringMap<int> statePass;
  DenseMap<Value, Value> newStates; ///< results of systems -> values in their pass
  DenseMap<Expr, Expr> temporaries;
  llvm::StringSet<> registers;
  unsigned stageCount = 0;
};

} // namespace

//===-- Directions and passes ----------------------------------------------------------------===//

LogicalResult RecurrentForm::findDirections() {
  unsigned axes = old.getNumTimeAxes();
  LogicalResult result = success();
  auto note = [&](Operation* op, StringRef state, ArrayRef<int64_t> by) {
    auto& sign = signs[state];
    sign.resize(axes);
    for (auto [axis, offset] : llvm::enumerate(by)) {
      int here = offset > 0 ? 1 : offset < 0 ? -1 : 0;
      if (here && sign[axis] == -here)
        result =
            op->emitError() << "state '" << state << "' is read both earlier and later along axis '"
                            << strings(old.getTime())[axis] << "': no order of steps computes it";
      if (here)
        sign[axis] = here;
    }
  };
  old.walk([&](Operation* op) {
    if (auto prev = dyn_cast<PrevOp>(op))
      note(op, prev.getState(), prev.getBy());
    else if (auto decay = dyn_cast<DecayOp>(op))
      note(op, decay.getSource(), decay.getBy());
    else if (auto feedback = dyn_cast<FeedbackOp>(op))
      note(op, feedback.getSource(), feedback.getBy());
  });
  return result;
}

FailureOr<Direction> RecurrentForm::directionOf(ArrayRef<StringRef> states, Location location) {
  Signs together(old.getNumTimeAxes(), 0);
  for (StringRef state : states)
    for (auto [axis, sign] : llvm::enumerate(signs.lookup(state))) {
      if (together[axis] * sign < 0)
        return emitError(location)
               << "states that depend on each other are read both earlier and later along axis '"
               << strings(old.getTime())[axis] << "': no order of steps computes them";
      if (sign)
        together[axis] = sign;
    }
  return llvm::map_to_vector<2>(together, [](int sign) { return sign < 0; });
}

int RecurrentForm::choosePass(const Direction& direction, int earliest) {
  for (int index = std::max(earliest, 0), end = passes.size(); index < end; ++index)
    if (passes[index]->direction == direction)
      return index;
  SmallVector<int64_t> reversed;
  for (auto [axis, reverse] : llvm::enumerate(direction))
    if (reverse)
      reversed.push_back(axis);
  auto op =
      PassOp::create(outer, fresh.getLoc(),
                     reversed.empty() ? DenseI64ArrayAttr() : outer.getDenseI64ArrayAttr(reversed));
  Block* block = &op.getBody().emplaceBlock();
  int index = passes.size();
  passes.push_back(std::make_unique<Pass>(Pass{direction, op, OpBuilder::atBlockEnd(block)}));
  passes.back()->writer =
      std::make_unique<ExprWriter>(context, passes.back()->builder, [this, index](Value value) {
        return materialize(value, index);
      });
  // Declarations go before the first pass.
  outer.setInsertionPoint(passes.front()->op);
  op->moveBefore(fresh.getBlock(), fresh.getBlock()->end());
  return index;
}

int RecurrentForm::passOf(Value leaf) {
  Operation* op = leaf.getDefiningOp();
  if (!op)
    return -1;
  if (auto prev = dyn_cast<PrevOp>(op))
    return statePass.lookup(prev.getState());
  if (auto system = dyn_cast<SystemOp>(op))
    return statePass.lookup(strings(system.getStates()).front());
  int latest = -1;
  auto visit = [&](Value operand) { latest = std::max(latest, passOf(reader.read(operand))); };
  if (isa<FoldOp, SumOp, MaximumOp>(op)) {
    llvm::for_each(inputsOf(op), visit);
    op->walk([&](PrevOp prev) { latest = std::max(latest, statePass.lookup(prev.getState())); });
  }
  return latest;
}

int RecurrentForm::passOf(Expr expr) {
  int latest = -1;
  context.contains(expr, [&](Value leaf) {
    latest = std::max(latest, passOf(leaf));
    return false;
  });
  return latest;
}

Expr RecurrentForm::localize(Expr expr, int pass) {
  int latest = passOf(expr);
  if (latest < 0 || passes.size() == 1 || (latest == pass && expr->operands.empty()))
    return expr;
  if (latest < pass) {
    Expr& temporary = temporaries[expr];
    if (!temporary) {
      ArrayType type = expr->type;
      Value value = write(expr, type, latest);
      std::string name = "~" + std::to_string(temporaries.size());
      SmallVector<Attribute> order;
      for (AxisAttr axis : type.getAxes())
        order.push_back(axis.getLabel());
      OutOp::create(getPass(latest).builder, expr->location, name, outer.getArrayAttr(order),
                    /*temp=*/true, value);
      auto in = InOp::create(outer, expr->location, type, name, outer.getArrayAttr(order),
                             /*param=*/false, Scope::Head);
      in->setAttr("temp", outer.getUnitAttr());
      moved[in.getResult()] = in.getResult();
      temporary = context.leaf(in.getResult(), name);
    }
    return temporary;
  }
  if (expr->is(Node::Kind::Add) || expr->is(Node::Kind::Mul)) {
    // Operands of one pass meet there, so that one array is handed over.
    std::map<int, SmallVector<Expr>> groups;
    for (Expr operand : expr->operands)
      groups[passOf(operand)].push_back(operand);
    SmallVector<Expr> operands;
    for (auto& [known, members] : groups) {
      Expr together = expr->is(Node::Kind::Add) ? context.add(members) : context.mul(members);
      if (known < 0 || (known == pass && members.size() == expr->operands.size())) {
        for (Expr member : members)
          operands.push_back(known < 0 ? member : localize(member, pass));
        continue;
      }
      operands.push_back(localize(together, pass));
    }
    return expr->is(Node::Kind::Add) ? context.add(operands) : context.mul(operands);
  }
  if (expr->is(Node::Kind::Sum) || expr->is(Node::Kind::Maximum)) {
    SmallVector<StringRef> bound;
    Expr body = localize(context.open(expr, bound), pass);
    return expr->is(Node::Kind::Sum) ? context.sum(body, bound) : context.maximum(body, bound);
  }
  SmallVector<Expr> operands;
  for (Expr operand : expr->operands)
    operands.push_back(localize(operand, pass));
  return operands.empty() ? expr
                          : context.func(expr->function, expr->type.getElementType(), operands,
                                         expr->attributes, expr->location);
}

Value RecurrentForm::write(Expr expr, ArrayType type, int pass) {
  return getPass(pass).writer->writeAs(localize(expr, pass), type);
}

Value RecurrentForm::materialize(Value value, int pass) {
  if (Value top = moved.lookup(value))
    return top;
  if (Value state = newStates.lookup(value))
    return state;
  Pass& here = getPass(pass);
  if (Value known = here.moved.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  if (auto prev = dyn_cast<PrevOp>(op))
    return readPrevious(prev.getState(), prev.getBy(), prev.getType(), here);
  return clone(op, value, pass);
}

/// Copies an op that expressions do not show (a fold), its operands written in the pass.
Value RecurrentForm::clone(Operation* op, Value value, int pass) {
  IRMapping mapping;
  for (Value input : inputsOf(op))
    if (!mapping.contains(input))
      mapping.map(input, write(reader.read(input), cast<ArrayType>(input.getType()), pass));
  Pass& here = getPass(pass);
  Operation* copy = here.builder.clone(*op, mapping);
  for (auto [from, to] : llvm::zip(op->getResults(), copy->getResults()))
    here.moved[from] = to;
  return here.moved[value];
}

//===-- States -------------------------------------------------------------------------------===//

/// With one time axis a read n steps back goes through registers: S~2 holds S of one step before,
/// and so on.
Value RecurrentForm::readPrevious(StringRef state, ArrayRef<int64_t> by, ArrayType type,
                                  Pass& pass) {
  std::string key = state.str();
  for (int64_t offset : by)
    key += "," + std::to_string(offset);
  if (Value known = pass.prevs.lookup(key))
    return known;
  std::string name = state.str();
  SmallVector<int64_t, 2> step(by);
  int64_t distance = std::abs(by.front());
  if (by.size() == 1 && distance > 1) {
    name += "~" + std::to_string(distance);
    step = {by.front() / distance};
    Value before = readPrevious(state, {by.front() - step.front()}, type, pass);
    if (registers.insert(name).second) {
      StateOp declared = old.getState(state);
      Value init =
          declared.getInit() ? outerWriter.write(reader.read(declared.getInit())) : Value();
      StateOp::create(outer, declared.getLoc(), name, declared.getOrder(), declared.getType(),
                      /*hidden=*/true, init);
      UpdateOp::create(pass.builder, declared.getLoc(), name, before);
      statePass[name] = statePass.lookup(state);
    }
  }
  return pass.prevs[key] =
             PrevOp::create(pass.builder, old.getState(state).getLoc(), type, name, step);
}

void RecurrentForm::define(StringRef state, Value value, int pass) {
  UpdateOp::create(getPass(pass).builder, value.getLoc(), state, value);
}

Expr RecurrentForm::assembleStage(StageOp stage, Semiring semiring, StringRef state,
                                  llvm::function_ref<Expr(StringRef, ArrayRef<int64_t>)> source) {
  SmallVector<Term> outerProducts;
  SmallVector<Expr> terms;
  bool maxPlus = semiring == Semiring::MaxPlus;
  for (Operation& op : *stage.getBlock()) {
    if (auto decay = dyn_cast<DecayOp>(op); decay && decay.getState() == state) {
      Expr read = context.substitute(source(decay.getSource(), decay.getBy()),
                                     renamingOf(decay.getFrom(), decay.getTo()));
      if (!maxPlus)
        terms.push_back(context.mul({decayCoefficient(context, reader, decay), read}));
      else
        terms.push_back(context.add({decayOffset(context, reader, decay), read}));
    } else if (auto feedback = dyn_cast<FeedbackOp>(op); feedback && feedback.getState() == state) {
      Expr read = context.substitute(source(feedback.getSource(), feedback.getBy()),
                                     renamingOf(feedback.getFrom(), feedback.getTo()));
      Expr u = reader.read(feedback.getU()), w = reader.read(feedback.getW());
      SmallVector<StringRef> over = strings(feedback.getOver());
      if (maxPlus) {
        terms.push_back(context.add({u, context.maximum(context.add({w, read}), over)}));
        continue;
      }
      Term term;
      term.factors = factorsOf(u);
      term.factors.push_back(context.sum(context.mul({w, read}), over));
      outerProducts.push_back(std::move(term));
    } else if (auto input = dyn_cast<InputOp>(op); input && input.getState() == state) {
      Term term;
      for (Value factor : input.getFactors()) {
        Expr expr = reader.read(factor);
        // Over (max, +) the parts are added, and a product is one number.
        if (maxPlus)
          term.factors.push_back(expr);
        else
          llvm::append_range(term.factors, factorsOf(expr));
      }
      if (maxPlus)
        terms.push_back(context.add(term.factors));
      else
        outerProducts.push_back(std::move(term));
    }
  }
  if (maxPlus) {
    // No term at all is the maximum of nothing; a state that only forgets cannot be declared.
    return terms.size() == 1 ? terms.front()
                             : context.func("ssm.max", terms.front()->type.getElementType(), terms);
  }
  Row row =
      collect(context, semiring, state, strings(old.getState(state).getOrder()), outerProducts,
              [](Value) -> Source { llvm_unreachable("feedback is a factor here"); });
  for (const Input& input : row.inputs)
    terms.push_back(context.mul(input.parts));
  return context.add(terms);
}

/// A stage with micro-steps is a fold whose body reads the coefficients at the current step.
Value RecurrentForm::microSteps(StageOp stage, Semiring semiring, StringRef state, Value start,
                                Pass& pass) {
  AxisAttr axis = *stage.getAxis();
  auto fold = FoldOp::create(pass.builder, stage.getLoc(), TypeRange{start.getType()}, axis,
                             UnitAttr(), ValueRange{start});
  Block* body = &fold.getBody().emplaceBlock();
  Value carried = body->addArgument(start.getType(), stage.getLoc());
  OpBuilder inside = OpBuilder::atBlockEnd(body);
  int index =
      llvm::find_if(passes, [&](auto& other) { return other.get() == &pass; }) - passes.begin();
  // Coefficients are read at the current step by the label that they have here,
  // not by that of their operand.
  ExprWriter writer(context, inside, [&](Expr leaf) -> Value {
    if (leaf->leaf == carried)
      return ExprWriter::relabel(inside, leaf, carried);
    OpBuilder::InsertionGuard guard(pass.builder);
    pass.builder.setInsertionPoint(fold);
    Value value = ExprWriter::relabel(pass.builder, leaf, materialize(leaf->leaf, index));
    if (!cast<ArrayType>(value.getType()).has(axis.getName()))
      return value;
    return AtOp::create(inside, stage.getLoc(), value, axis.getLabel());
  });
  // A state may be carried through more than one fold.
  Expr leaf = context.leaf(carried, ("carried " + state + " " + Twine(stageCount++)).str());
  Expr next =
      assembleStage(stage, semiring, state, [&](StringRef, ArrayRef<int64_t>) { return leaf; });
  Value value = writer.writeAs(localize(next, index), cast<ArrayType>(start.getType()));
  YieldOp::create(inside, stage.getLoc(), value);
  return fold.getResult(0);
}

//===-- The whole ----------------------------------------------------------------------------===//

LogicalResult RecurrentForm::run() {
  if (failed(findDirections()))
    return failure();
  for (InOp in : old.getBlock()->getOps<InOp>())
    moved[in.getResult()] = outer.clone(*in)->getResult(0);
  for (StateOp state : old.getBlock()->getOps<StateOp>()) {
    IRMapping mapping;
    if (Value init = state.getInit())
      mapping.map(init, outerWriter.write(reader.read(init)));
    outer.clone(*state, mapping);
  }

  for (Operation& op : *old.getBlock()) {
    if (auto system = dyn_cast<SystemOp>(op)) {
      // Where the operands of the terms are known.
      int earliest = -1;
      system.walk([&](Operation* term) {
        for (Value operand : term->getOperands())
          earliest = std::max(earliest, passOf(reader.read(operand)));
      });
      SmallVector<StringRef> states = strings(system.getStates());
      FailureOr<Direction> direction = directionOf(states, system.getLoc());
      if (failed(direction))
        return failure();
      int index = choosePass(*direction, earliest);
      for (auto [state, result] : llvm::zip(states, system.getResults())) {
        statePass[state] = index;
        reader.define(result, context.leaf(result, ("new " + state).str()));
      }
      Pass& pass = getPass(index);
      SmallVector<Value> values;
      for (auto [state, result] : llvm::zip(states, system.getResults())) {
        auto type = cast<ArrayType>(result.getType());
        auto stages = system.getBlock()->getOps<StageOp>();
        Value value;
        for (StageOp stage : stages) {
          if (stage.getAxis()) {
            value = microSteps(stage, system.getSemiring(), state, value, pass);
            continue;
          }
          Expr expr = assembleStage(
              stage, system.getSemiring(), state, [&](StringRef source, ArrayRef<int64_t> by) {
                if (llvm::all_of(by, [](int64_t offset) { return offset == 0; })) {
                  pass.moved[value] = value; // What the stage before made.
                  return context.leaf(value, "stage " + std::to_string(stageCount++));
                }
                Value read =
                    readPrevious(source, by, cast<ArrayType>(old.getState(source).getType()), pass);
                std::string name = ("prev " + source).str();
                for (int64_t offset : by)
                  name += "," + std::to_string(offset);
                pass.moved[read] = read;
                return context.leaf(read, name);
              });
          value = write(expr, type, index);
        }
        values.push_back(value);
      }
      for (auto [state, value, result] : llvm::zip(states, values, system.getResults())) {
        newStates[result] = value;
        define(state, value, index);
      }
    } else if (auto update = dyn_cast<UpdateOp>(op)) {
      FailureOr<Direction> direction = directionOf(update.getState(), update.getLoc());
      if (failed(direction))
        return failure();
      Expr expr = reader.read(update.getValue());
      int index = choosePass(*direction, passOf(expr));
      statePass[update.getState()] = index;
      define(update.getState(), write(expr, update.getValue().getType(), index), index);
    }
  }
  for (OutOp out : old.getBlock()->getOps<OutOp>()) {
    Expr expr = reader.read(out.getValue());
    int index = passOf(expr);
    if (index < 0)
      index = choosePass(Direction(old.getNumTimeAxes(), false), 0);
    Value value = write(expr, out.getValue().getType(), index);
    OutOp::create(getPass(index).builder, out.getLoc(), out.getNameAttr(), out.getOrder(),
                  UnitAttr(), value);
  }
  return success();
}

FailureOr<RecurrenceOp> ssmc::derive::deriveRecurrent(RecurrenceOp recurrence) {
  OpBuilder builder(recurrence);
  auto fresh = RecurrenceOp::create(builder, recurrence.getLoc(), recurrence.getSymName(),
                                    recurrence.getTime(), recurrence.getDims(),
                                    builder.getStringAttr("recurrent"));
  fresh.getBody().emplaceBlock();
  if (failed(RecurrentForm(recurrence, fresh).run())) {
    fresh.erase();
    return failure();
  }
  recurrence.erase();
  return fresh;
}
