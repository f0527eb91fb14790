// Feedback elimination: a state that is only read through contractions is never computed inside a chunk.
//
// Take one state with key label K and free label V, decay d_t over K (or over nothing), R feedbacks and M outer
// products. Name the feedback p_r[t] = w_r[t] . S[t-1]. As soon as it has a name the step is elementwise,
//
//   S[t] = d[t] S[t-1] + sum over m of key_m[t] (x) value_m[t],   value_m = given_m + sum over r of c_mr p_r,
//
// so with D the products of decays from the start of the chunk and `span` those between two steps,
//
//   q . S[t]   = (q D[t]) . S0  + sum over m, s <= t of gram(q, key_m)[t, s] value_m[s]
//   q . S[t-1] = the same with D before t and s < t.
//
// Reading p itself so gives a unit lower triangular system in p, which does not contain the state:
//
//   p_r[t] = (w_r D[t-1]) . S0 + sum over m, s < t of gram(w_r, key_m)[t, s] (given_m[s] + sum over q of c_mq[s] p_q[s]).
//
// Worked on four steps of the delta rule (d = 1, key = k, w = k, value = b (v - p), S0 = 0): with g_ts = k_t . k_s,
//
//   p_0 = 0
//   p_1 = g_10 b_0 (v_0 - p_0)
//   p_2 = g_20 b_0 (v_0 - p_0) + g_21 b_1 (v_1 - p_1)
//   p_3 = g_30 b_0 (v_0 - p_0) + g_31 b_1 (v_1 - p_1) + g_32 b_2 (v_2 - p_2)
//
// which is p = L (v - p) with L[t, s] = g_ts b_s below the diagonal: (1 + L) p = L v. Decays enter as factors of
// g_ts, never as quotients. Source: DeltaNet over sequence length (Yang et al., 2024), for any R and M.
#include "ChunkedForm.h"
#include "Coefficient.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

static bool bearsAny(ArrayType type, ArrayRef<StringRef> labels) {
  return llvm::any_of(labels, [&](StringRef label) { return type.has(label); });
}

static bool bearsOnly(ArrayType type, ArrayRef<StringRef> labels) {
  return llvm::all_of(type.getAxes(), [&](AxisAttr axis) { return llvm::is_contained(labels, axis.getName()); });
}

static SmallVector<StringRef> labelsOf(ArrayType type) {
  return llvm::map_to_vector(type.getAxes(), [](AxisAttr axis) { return axis.getName(); });
}

//===-- Reads ---------------------------------------------------------------------------------------===//

namespace {
/// How a term of a sum reads a state: the query under the state's labels, and what is left around the read.
struct Read {
  SmallVector<Expr> query, around;
  Renaming toQuery, ofResult;
  SmallVector<StringRef> sums;
};
} // namespace

/// Takes a term apart into a contraction of the state over `key` and what surrounds it.
static std::optional<Read> matchRead(const Term& term, ArrayRef<StringRef> key) {
  Read read;
  SmallVector<StringRef> names; // of the key labels, in the term
  SmallVector<StringRef> stateLabels = labelsOf(cast<ArrayType>(term.state->leaf.getType()));
  for (StringRef label : stateLabels) {
    StringRef name = label;
    for (auto [from, to] : term.state->renaming)
      if (from == label)
        name = to;
    if (!llvm::is_contained(key, label)) {
      if (name != label)
        read.ofResult.push_back({label, name});
      continue;
    }
    if (!llvm::is_contained(term.sums, name))
      return {};
    names.push_back(name);
    if (name != label)
      read.toQuery.push_back({name, label});
  }
  for (Expr factor : term.factors)
    (bearsAny(factor->type, names) ? read.query : read.around).push_back(factor);
  for (Expr factor : read.query)
    for (StringRef label : labelsOf(factor->type))
      if (!llvm::is_contained(names, label) && llvm::is_contained(stateLabels, label))
        return {}; // A label of the state that is not contracted, or one that would be taken for it.
  for (StringRef label : term.sums)
    if (!llvm::is_contained(names, label))
      read.sums.push_back(label);
  return read;
}

bool ChunkedForm::onlyContracted(StateOp state, ArrayRef<StringRef> key) {
  StringRef name = state.getName();
  auto isState = [&](Value leaf) {
    Operation* op = leaf.getDefiningOp();
    if (auto prev = dyn_cast_or_null<PrevOp>(op))
      return prev.getState() == name;
    auto system = dyn_cast_or_null<SystemOp>(op);
    return system && system.getNew(name) == leaf;
  };
  auto classify = [&](Value leaf) { return isState(leaf) ? LeafKind::State : LeafKind::Free; };
  std::function<bool(Expr)> suits = [&](Expr expr) -> bool {
    if (!context.contains(expr, isState))
      return true;
    if (expr->is(Node::Kind::Leaf))
      return false;
    if (expr->is(Node::Kind::Sum)) {
      SmallVector<Term> terms;
      std::optional<Nonlinear> nonlinear;
      if (succeeded(linearize(context, expr, Semiring::PlusTimes, classify, terms, nonlinear)) &&
          llvm::all_of(terms, [&](Term& term) { return !term.state || matchRead(term, key); }))
        return true;
      SmallVector<StringRef> bound;
      return suits(context.open(expr, bound));
    }
    return llvm::all_of(expr->operands, suits);
  };
  bool result = true;
  for (Operation& op : *old.getBlock()) {
    if (auto out = dyn_cast<OutOp>(op))
      result &= suits(reader.read(out.getValue()));
    else if (auto system = dyn_cast<SystemOp>(op))
      system.walk([&](Operation* term) {
        for (Value operand : term->getOperands())
          result &= suits(reader.read(operand));
      });
    else if (auto prev = dyn_cast<PrevOp>(op))
      result &= prev.getState() != name || prev.getBy() == ArrayRef<int64_t>{1} || prev->use_empty();
  }
  return result;
}

Eliminated* ChunkedForm::eliminatedBy(Value leaf, bool& before) {
  Operation* op = leaf.getDefiningOp();
  if (auto prev = dyn_cast_or_null<PrevOp>(op)) {
    before = true;
    auto it = eliminatedStates.find(prev.getState());
    return it == eliminatedStates.end() ? nullptr : it->second.get();
  }
  if (auto system = dyn_cast_or_null<SystemOp>(op)) {
    before = false;
    for (auto [state, result] : llvm::zip(strings(system.getStates()), system.getResults()))
      if (auto it = eliminatedStates.find(state); result == leaf && it != eliminatedStates.end())
        return it->second.get();
  }
  return nullptr;
}

bool ChunkedForm::readsEliminated(Expr expr) {
  return context.contains(expr, [&](Value leaf) {
    bool before;
    return eliminatedBy(leaf, before) != nullptr;
  });
}

FailureOr<Expr> ChunkedForm::replaceSum(Expr expr) {
  SmallVector<Term> terms;
  std::optional<Nonlinear> nonlinear;
  auto classify = [&](Value leaf) {
    bool before;
    return eliminatedBy(leaf, before) ? LeafKind::State : LeafKind::Free;
  };
  if (failed(linearize(context, expr, Semiring::PlusTimes, classify, terms, nonlinear)))
    return failure();
  SmallVector<Expr> sum;
  for (Term& term : terms) {
    if (!term.state) {
      sum.push_back(context.sum(context.mul(term.factors), term.sums));
      continue;
    }
    bool before = false;
    Eliminated* state = eliminatedBy(term.state->leaf, before);
    std::optional<Read> match = matchRead(term, state->key);
    if (!match)
      return failure();
    Expr query = context.substitute(context.mul(match->query), match->toQuery);
    // The result has the free labels of the state and those that the query has besides the key.
    Expr& known = knownReads[{state, const_cast<Node*>(query), before}];
    if (!known) {
      Value value = read(*state, query, before);
      lifted[value] = value;
      known = context.leaf(value, "read " + std::to_string(knownReads.size()));
    }
    SmallVector<Expr> factors(match->around);
    factors.push_back(context.substitute(known, match->ofResult));
    sum.push_back(context.sum(context.mul(factors), match->sums));
  }
  return context.add(sum);
}

FailureOr<Expr> ChunkedForm::replaceReads(Expr expr) {
  if (!readsEliminated(expr))
    return expr;
  if (expr->is(Node::Kind::Sum))
    if (FailureOr<Expr> replaced = replaceSum(expr); succeeded(replaced))
      return replaced;
  if (expr->is(Node::Kind::Leaf))
    return fail("a state is read as a whole");
  SmallVector<StringRef> bound;
  SmallVector<Expr> operands(expr->operands.begin(), expr->operands.end());
  if (expr->is(Node::Kind::Sum) || expr->is(Node::Kind::Maximum))
    operands = {context.open(expr, bound)};
  for (Expr& operand : operands) {
    FailureOr<Expr> replaced = replaceReads(operand);
    if (failed(replaced))
      return failure();
    operand = *replaced;
  }
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
    return context.func(expr->function, expr->type.getElementType(), operands, expr->attributes, expr->location);
  }
}

//===-- Products over the steps ---------------------------------------------------------------------===//

Value ChunkedForm::mul(Value x, Value y) { return MulOp::create(b, x.getLoc(), x, y); }
Value ChunkedForm::add(Value x, Value y) { return x ? Value(AddOp::create(b, x.getLoc(), x, y)) : y; }

Value ChunkedForm::sumOver(Value value, ArrayRef<StringRef> labels) {
  SmallVector<Attribute> over;
  for (StringRef label : labels)
    if (cast<ArrayType>(value.getType()).has(label))
      over.push_back(b.getStringAttr(label));
  return over.empty() ? value : Value(SumOp::create(b, value.getLoc(), value, b.getArrayAttr(over)));
}

/// The value at the steps s of the columns.
Value ChunkedForm::asColumns(Value value) {
  return RelabelOp::create(b, value.getLoc(), withSteps(value), b.getArrayAttr(steps.getLabel()),
                           b.getArrayAttr(columns));
}

/// With all labels over which it is to be summed.
static Value withLabels(OpBuilder& b, Value value, ArrayType of, ArrayRef<StringRef> labels) {
  auto type = cast<ArrayType>(value.getType());
  for (StringRef label : labels)
    if (!type.has(label))
      type = type.withAxis(of.find(label));
  return type == value.getType() ? value : Value(BroadcastOp::create(b, value.getLoc(), type, value));
}

Value ChunkedForm::gram(Eliminated& state, Value query, const Product& product, bool strict) {
  auto key = std::make_tuple((void*)&state, query.getAsOpaquePointer(), product.keys.getAsOpaquePointer(), strict);
  Value& known = knownGrams[key];
  if (!known) {
    SmallVector<Attribute> over;
    for (StringRef label : state.key)
      over.push_back(b.getStringAttr(label));
    Value decay = state.decays ? state.decays : withSteps(ConstantOp::create(b, query.getLoc(), 1.0));
    known = GramOp::create(b, query.getLoc(), query, product.keys, decay, b.getArrayAttr(over), steps.getLabel(),
                           columns, strict ? b.getUnitAttr() : UnitAttr());
  }
  return known;
}

/// query . S at every step, before or after its update.
Value ChunkedForm::read(Eliminated& state, Expr query, bool before) {
  auto type = cast<ArrayType>(state.state.getType());
  SmallVector<Expr> vectors, scalars;
  for (Expr factor : factorsOf(query))
    (bearsAny(factor->type, state.key) ? vectors : scalars).push_back(factor);
  Value vector = withLabels(b, writeSteps(context.mul(vectors)), type, state.key);
  Value decay = before ? state.before : state.upTo;
  Value result = sumOver(mul(decay ? mul(vector, decay) : vector, state.start), state.key);
  for (Product& product : state.products) {
    if (!product.values)
      continue;
    SmallVector<StringRef> over(product.ranks);
    over.push_back(columns.getValue());
    result = add(result, sumOver(mul(gram(state, vector, product, before), asColumns(product.values)), over));
  }
  return scalars.empty() ? result : mul(write(context.mul(scalars)), result);
}

//===-- Elimination ---------------------------------------------------------------------------------===//

/// Takes key[K] value[V] apart, both of them expressions in the inputs; the value is linear in the feedback.
LogicalResult ChunkedForm::addProduct(Expr key, Expr value, ArrayRef<StringRef> ranks, Eliminated& result) {
  auto isUnknown = [&](Value leaf) { return llvm::is_contained(unknowns, leaf); };
  auto classify = [&](Value leaf) { return isUnknown(leaf) ? LeafKind::State : LeafKind::Free; };
  if (context.contains(key, isUnknown))
    return fail("its feedback is not apart from its keys");
  Product product{key};
  product.ranks.append(ranks.begin(), ranks.end());
  product.feedback.resize(unknowns.size());
  SmallVector<Term> terms;
  std::optional<Nonlinear> nonlinear;
  if (failed(linearize(context, value, Semiring::PlusTimes, classify, terms, nonlinear)))
    return fail("its feedback is not linear");
  SmallVector<Expr> given;
  for (Term& term : terms) {
    Expr factor = context.mul(term.factors);
    if (!term.state) {
      given.push_back(context.sum(factor, term.sums));
      continue;
    }
    if (!term.sums.empty() || !term.state->renaming.empty() ||
        bearsAny(factor->type, labelsOf(cast<ArrayType>(term.state->leaf.getType()))))
      return fail("its feedback varies over labels that are not contracted");
    Expr& known = product.feedback[llvm::find(unknowns, term.state->leaf) - unknowns.begin()];
    known = known ? context.add({known, factor}) : factor;
  }
  if (!given.empty())
    product.given = context.add(given);
  for (Expr* expr : {&product.key, &product.given}) {
    if (!*expr)
      continue;
    FailureOr<Expr> replaced = replaceReads(*expr);
    if (failed(replaced))
      return failure();
    *expr = *replaced;
  }
  for (Expr& expr : product.feedback)
    if (expr) {
      FailureOr<Expr> replaced = replaceReads(expr);
      if (failed(replaced))
        return failure();
      expr = *replaced;
    }
  result.products.push_back(std::move(product));
  return success();
}

/// An input is a product; a factor with labels of both sides must be a sum of products, of which the summed labels
/// become ranks.
LogicalResult ChunkedForm::splitInput(InputOp input, ArrayRef<StringRef> key, SmallVectorImpl<Term>& terms,
                                      Eliminated& result) {
  SmallVector<StringRef> labels = labelsOf(cast<ArrayType>(result.state.getType())), free, ranks;
  llvm::copy_if(labels, std::back_inserter(free), [&](StringRef label) { return !llvm::is_contained(key, label); });
  SmallVector<Expr> factors;
  for (Value factor : input.getFactors())
    llvm::append_range(factors, factorsOf(reader.read(factor)));
  for (size_t i = 0; i < factors.size(); ++i) {
    Expr factor = factors[i];
    if (!bearsAny(factor->type, key) || !bearsAny(factor->type, free))
      continue;
    if (!factor->is(Node::Kind::Sum))
      return fail("an input is no outer product of what is contracted and what is not");
    SmallVector<StringRef> bound;
    SmallVector<Expr> inner = factorsOf(context.open(factor, bound));
    ranks.append(bound);
    factors.erase(factors.begin() + i--);
    factors.append(inner);
  }
  if (ranks.empty()) {
    Term term;
    term.factors = factors;
    terms.push_back(term);
    return success();
  }
  SmallVector<Expr> keys, values;
  for (Expr factor : factors)
    (bearsAny(factor->type, key) ? keys : values).push_back(factor);
  return addProduct(context.mul(keys), context.mul(values), ranks, result);
}

LogicalResult ChunkedForm::eliminate(SystemOp system, StageOp stage, StateOp state, ArrayRef<StringRef> key,
                                     Eliminated& result) {
  result.state = state;
  result.key.append(key.begin(), key.end());
  auto type = cast<ArrayType>(state.getType());
  ArrayType freeType = type.without(key);
  unknowns.clear();
  SmallVector<Term> terms;
  SmallVector<Expr> decays;
  for (Operation& op : *stage.getBlock()) {
    if (auto from = op.getAttrOfType<ArrayAttr>("from"); from && !from.empty())
      return fail(" has a dense transition");
    if (auto decay = dyn_cast<DecayOp>(op)) {
      Expr coefficient = decayCoefficient(context, reader, decay);
      if (!bearsOnly(coefficient->type, key))
        return fail(" decays over labels that are not contracted");
      decays.push_back(coefficient);
    } else if (auto feedback = dyn_cast<FeedbackOp>(op)) {
      SmallVector<StringRef> over = strings(feedback.getOver());
      Expr w = reader.read(feedback.getW());
      if (over.size() != key.size() || !llvm::all_of(over, [&](StringRef label) {
            return llvm::is_contained(key, label);
          }) || !bearsOnly(w->type, key))
        return fail(" has feedback that contracts other labels than its readouts");
      FailureOr<Expr> replaced = replaceReads(w);
      if (failed(replaced))
        return failure();
      result.reads.push_back(*replaced);
      bool complex = w->type.isComplex() || type.isComplex();
      auto placeholder = UnrealizedConversionCastOp::create(
          outer, system.getLoc(), TypeRange{complex ? freeType.withElementType(type.getElementType()) : freeType},
          ValueRange());
      placeholders.push_back(placeholder);
      unknowns.push_back(placeholder.getResult(0));
      Term term;
      term.factors = factorsOf(reader.read(feedback.getU()));
      term.factors.push_back(context.leaf(unknowns.back(), "feedback " + std::to_string(placeholders.size())));
      terms.push_back(std::move(term));
    } else if (failed(splitInput(cast<InputOp>(op), key, terms, result))) {
      return failure();
    }
  }
  if (!decays.empty()) {
    FailureOr<Expr> replaced = replaceReads(context.add(decays));
    if (failed(replaced))
      return failure();
    if (!(*replaced)->isConstant(1))
      result.decay = *replaced;
  } else {
    result.decay = context.constant(0);
  }

  // Outer products that share a key become one, feedback and input alike.
  Row row = collect(context, Semiring::PlusTimes, state.getName(), strings(state.getOrder()), terms,
                    [](Value) -> Source { llvm_unreachable("feedback is a factor here"); });
  for (const Input& input : row.inputs) {
    SmallVector<Expr> keys, values;
    for (Expr part : input.parts)
      for (Expr factor : factorsOf(part)) {
        bool keyed = bearsAny(factor->type, key);
        if (keyed && bearsAny(factor->type, labelsOf(freeType)))
          return fail(" has an input that is no outer product of what is contracted and what is not");
        (keyed ? keys : values).push_back(factor);
      }
    if (failed(addProduct(context.mul(keys), context.mul(values), {}, result)))
      return failure();
  }
  return success();
}

/// Writes the products of an eliminated state, the feedback that they hold, and the state after the chunk.
void ChunkedForm::solve(Eliminated& state) {
  auto type = cast<ArrayType>(state.state.getType());
  Location loc = state.state.getLoc();
  state.start = startOf(state.state);
  Value toEnd;
  if (state.decay) {
    state.decays = writeSteps(state.decay);
    auto product = [&](bool exclusive, bool reverse) {
      return CumprodOp::create(b, loc, state.decays, steps.getLabel(), exclusive ? b.getUnitAttr() : UnitAttr(),
                               reverse ? b.getUnitAttr() : UnitAttr());
    };
    state.upTo = product(false, false);
    state.before = product(true, false);
    toEnd = product(true, true);
  }
  for (Product& product : state.products) {
    product.keys = withLabels(b, writeSteps(product.key), type, state.key);
    if (product.given)
      product.values = writeSteps(product.given);
  }

  size_t count = state.reads.size();
  if (count) {
    SmallVector<Value> right, lower;
    for (Expr w : state.reads) {
      right.push_back(withSteps(read(state, w, /*before=*/true)));
      SmallVector<Expr> vectors, scalars;
      for (Expr factor : factorsOf(w))
        (bearsAny(factor->type, state.key) ? vectors : scalars).push_back(factor);
      Value vector = withLabels(b, writeSteps(context.mul(vectors)), type, state.key);
      for (size_t q = 0; q < count; ++q) {
        Value sum;
        for (Product& product : state.products)
          if (Expr coefficient = product.feedback[q])
            sum = add(sum, sumOver(mul(gram(state, vector, product, true), asColumns(write(coefficient))),
                                   product.ranks));
        if (!sum) // This feedback is not written into the state.
          sum = asColumns(ConstantOp::create(b, loc, 0.0));
        if (!cast<ArrayType>(sum.getType()).has(steps.getName()))
          sum = withSteps(sum);
        lower.push_back(scalars.empty() ? sum : mul(writeSteps(context.mul(scalars)), sum));
      }
    }
    auto solved = SolveOp::create(b, loc, right, lower, steps.getLabel(), columns, UnitAttr());
    for (Product& product : state.products)
      for (size_t q = 0; q < count; ++q)
        if (Expr coefficient = product.feedback[q])
          product.values = add(product.values, mul(writeSteps(coefficient), solved.getResult(q)));
  }

  Value end = state.start;
  if (state.upTo) {
    Value decay = LastOp::create(b, loc, state.upTo, steps.getLabel());
    end = mul(decay, end);
  }
  for (Product& product : state.products) {
    if (!product.values)
      continue;
    SmallVector<StringRef> over(product.ranks);
    over.push_back(steps.getName());
    Value keys = toEnd ? mul(product.keys, toEnd) : product.keys;
    end = add(end, sumOver(mul(keys, product.values), over));
  }
  auto have = cast<ArrayType>(end.getType());
  if (have.getElementType() != type.getElementType())
    end = CastOp::create(b, loc, have.withElementType(type.getElementType()), end);
  if (end.getType() != type)
    end = BroadcastOp::create(b, loc, type, end);
  UpdateOp::create(b, loc, state.state.getName(), end);
}
