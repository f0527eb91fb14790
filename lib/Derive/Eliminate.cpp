// Feedback elimination: a state that is only read through contractions is never computed at the
// steps of a chunk.
//
// Take one state with key label K and free label V, decay d_t over K (or over nothing), R feedbacks
// and M outer products. Name the feedback p_r[t] = w_r[t] . S[t-1]. As soon as it has a name the
// step is elementwise,
//
//   S[t]    = d[t] S[t-1] + sum over m of key_m[t] (x) value_m[t],
//   value_m = given_m + sum over r of c_mr p_r,
//
// so with D the products of decays from the start of the chunk and `span` those between two steps,
//
//   q . S[t]   = (q D[t]) . S0  + sum over m, s <= t of gram(q, key_m)[t, s] value_m[s]
//   q . S[t-1] = the same with D before t and s < t.
//
// Reading p itself so gives a unit lower triangular system in p, which does not contain the state:
//
//   p_r[t] = (w_r D[t-1]) . S0 + sum over m, s < t of gram(w_r, key_m)[t, s] value_m[s],
//   value_m[s] = given_m[s] + sum over q of c_mq[s] p_q[s].
//
// Worked on four steps of the delta rule (d = 1, key = k, w = k, value = b (v - p), S0 = 0), with
// g_ts = k_t . k_s:
//
//   p_0 = 0
//   p_1 = g_10 b_0 (v_0 - p_0)
//   p_2 = g_20 b_0 (v_0 - p_0) + g_21 b_1 (v_1 - p_1)
//   p_3 = g_30 b_0 (v_0 - p_0) + g_31 b_1 (v_1 - p_1) + g_32 b_2 (v_2 - p_2)
//
// which is p = L (v - p) with L[t, s] = g_ts b_s below the diagonal: (1 + L) p = L v. Decays enter
// as factors of g_ts, never as quotients. Source: DeltaNet over sequence length (Yang et al.,
// 2024), for any R and M.
//
// The R feedbacks of a step may be one with a label r of its own, a dense transition that is a sum
// of products: sum over r of u_r (w_r . S). Then p has the label too, and the system the rows
// (t, r), of which those of one step do not meet.
#include "ChunkedForm.h"
#include "Coefficient.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

/// Takes key[K] value[V] apart, both of them expressions in the inputs;
/// the value is linear in the feedback.
LogicalResult ChunkedForm::addProduct(Expr key, Expr value, ArrayRef<StringRef> ranks,
                                      unsigned into, Eliminated& result) {
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
  // What feedback of ranks writes, and an input of as many that has the same key, are one.
  if (ranks.size() == 1)
    for (Product& other : result.products) {
      if (other.ranks.size() != 1 || other.into != SmallVector<unsigned>{into})
        continue;
      auto renamed = [&](Expr expr) {
        return context.substitute(expr, {{ranks.front(), other.ranks.front()}});
      };
      bool isFed = llvm::any_of(other.feedback, [](Expr expr) { return expr; });
      if (!isFed || !product.given || renamed(product.key) != other.key)
        continue;
      Expr given = renamed(product.given);
      other.given = other.given ? context.add({other.given, given}) : given;
      return success();
    }
  // One product may go into several states.
  for (Product& other : result.products)
    if (ranks.empty() && other.ranks.empty() && other.key == product.key &&
        other.given == product.given && other.feedback == product.feedback) {
      other.into.push_back(into);
      return success();
    }
  product.into = {into};
  result.products.push_back(std::move(product));
  return success();
}

/// An input is a product; a factor with labels of both sides must be a sum of products, of which
/// the summed labels become ranks.
LogicalResult ChunkedForm::splitInput(InputOp input, unsigned into, SmallVectorImpl<Term>& terms,
                                      Eliminated& result) {
  ArrayRef<StringRef> key = result.key;
  SmallVector<StringRef> labels = labelsOf(result.getType()), free, ranks;
  llvm::copy_if(labels, std::back_inserter(free),
                [&](StringRef label) { return !llvm::is_contained(key, label); });
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
  return addProduct(context.mul(keys), context.mul(values), ranks, into, result);
}

/// Labels that decays and w may bear.
static SmallVector<StringRef> coefficientLabels(const Eliminated& state) {
  SmallVector<StringRef> labels(state.key);
  if (state.rows.micro)
    labels.push_back(state.rows.declared);
  return labels;
}

LogicalResult ChunkedForm::addFeedback(FeedbackOp feedback, unsigned source, Eliminated& result,
                                       SmallVectorImpl<Term>& terms) {
  SmallVector<StringRef> over = strings(feedback.getOver());
  Expr w = reader.read(feedback.getW());
  if (over.size() != result.key.size() ||
      !llvm::all_of(over, [&](StringRef label) { return llvm::is_contained(result.key, label); }) ||
      !bearsOnly(w->type, coefficientLabels(result)))
    return fail(" has feedback that contracts other labels than its readouts");
  FailureOr<Expr> replaced = replaceReads(w);
  if (failed(replaced))
    return failure();
  auto known = llvm::find_if(result.reads, [&](const FeedbackRead& read) {
    return read.of == source && read.key == *replaced;
  });
  size_t index = known - result.reads.begin();
  if (known == result.reads.end()) {
    result.reads.push_back({source, *replaced});
    ArrayType type = result.getType(), freeType = type.without(result.key);
    bool complex = w->type.isComplex() || type.isComplex();
    auto placeholder = UnrealizedConversionCastOp::create(
        outer, feedback.getLoc(),
        TypeRange{complex ? freeType.withElementType(type.getElementType()) : freeType},
        ValueRange());
    placeholders.push_back(placeholder);
    unknowns.push_back(placeholder.getResult(0));
  }
  Term term;
  term.factors = factorsOf(reader.read(feedback.getU()));
  size_t number = placeholders.size() - unknowns.size() + index + 1;
  term.factors.push_back(context.leaf(unknowns[index], "feedback " + std::to_string(number)));
  terms.push_back(std::move(term));
  return success();
}

LogicalResult ChunkedForm::splitFeedback(FeedbackOp feedback, unsigned source, unsigned into,
                                         Eliminated& result, SmallVectorImpl<RankedWrite>& writes) {
  auto isDense = [&] { return fail(" has a dense transition"); };
  if (result.rows.micro || result.isCoupled())
    return isDense();
  // The key's labels as w calls those that it contracts.
  SmallVector<StringRef> from = strings(feedback.getFrom()), to = strings(feedback.getTo()),
                         over = strings(feedback.getOver()), called;
  Renaming back;
  for (StringRef label : result.key) {
    auto renamed = llvm::find(from, label);
    if (renamed == from.end())
      return isDense();
    called.push_back(to[renamed - from.begin()]);
    back.push_back({called.back(), label});
  }
  if (from.size() != result.key.size() || over.size() != called.size() ||
      !llvm::all_of(over, [&](StringRef label) { return llvm::is_contained(called, label); }))
    return isDense();
  SmallVector<Expr> reads, keys, values;
  SmallVector<StringRef> bound;
  for (Value part : {feedback.getU(), feedback.getW()})
    for (Expr factor : factorsOf(reader.read(part))) {
      bool isOfBoth = bearsAny(factor->type, called) && bearsAny(factor->type, result.key);
      if (isOfBoth && (!factor->is(Node::Kind::Sum) || !bound.empty()))
        return isDense();
      for (Expr one :
           isOfBoth ? factorsOf(context.open(factor, bound)) : SmallVector<Expr>{factor}) {
        bool isRead = bearsAny(one->type, called), isKey = bearsAny(one->type, result.key);
        if (isRead && isKey)
          return isDense();
        bool isOfRank = !bound.empty() && one->type.has(bound.front());
        (isRead ? reads : isKey || isOfRank ? keys : values).push_back(one);
      }
    }
  if (bound.size() != 1)
    return isDense();
  StringRef rank = bound.front(), rankInKey = context.intern(rank + "'");
  back.push_back({rank, rankInKey});
  AxisAttr axis;
  for (Expr one : reads)
    if (one->type.has(rank))
      axis = one->type.find(rank);
  if (!axis || sizeOf(axis) < 1)
    return isDense();
  SmallVector<StringRef> allowed(result.key);
  allowed.push_back(rankInKey);
  FailureOr<Expr> key = replaceReads(context.substitute(context.mul(reads), back));
  if (failed(key))
    return failure();
  if (!bearsOnly((*key)->type, allowed))
    return isDense();
  result.reads.push_back({source, *key, axis, rankInKey});
  ArrayType type = result.getType().without(result.key).withAxis(axis);
  auto placeholder =
      UnrealizedConversionCastOp::create(outer, feedback.getLoc(), TypeRange{type}, ValueRange());
  placeholders.push_back(placeholder);
  unknowns.push_back(placeholder.getResult(0));
  values.push_back(
      context.leaf(unknowns.back(), "feedback " + std::to_string(placeholders.size())));
  writes.push_back({context.mul(keys), context.mul(values), rank, into});
  return success();
}

LogicalResult ChunkedForm::addDecays(const Transition& transition, Eliminated& result) {
  size_t count = result.states.size();
  auto indexOf = [&](StringRef name) {
    return llvm::find_if(result.states, [&](StateOp state) { return state.getName() == name; }) -
           result.states.begin();
  };
  SmallVector<SmallVector<Expr>> decays(count * count);
  for (DecayOp decay : StageOp(transition.stage).getBlock()->getOps<DecayOp>()) {
    Expr coefficient = decayCoefficient(context, reader, decay);
    if (!bearsOnly(coefficient->type, coefficientLabels(result)))
      return fail(" decays over labels that are not contracted");
    decays[indexOf(decay.getState()) * count + indexOf(decay.getSource())].push_back(coefficient);
  }
  for (Expr decay : transition.decays)
    if (!bearsOnly(decay->type, result.key))
      return fail(" decays over labels that are not contracted");
  for (auto& terms : decays) {
    FailureOr<Expr> sum = replaceReads(context.add(terms));
    if (failed(sum))
      return failure();
    result.matrix.push_back((*sum)->isConstant(0) && result.isCoupled() ? nullptr : *sum);
  }
  if (!result.isCoupled() && !result.matrix.front()->isConstant(1))
    result.decay = result.matrix.front();
  FailureOr<Expr> first = replaceReads(context.add(transition.decays));
  if (failed(first))
    return failure();
  if (result.rows.micro && !(*first)->isConstant(1))
    result.first = *first;
  return success();
}

LogicalResult ChunkedForm::eliminate(SystemOp system, const Transition& transition,
                                     ArrayRef<StringRef> key, Eliminated& result) {
  for (StringRef name : strings(system.getStates())) {
    result.states.push_back(old.getState(name));
    if (result.states.back().getType() != result.states.front().getType())
      return fail(" and others of another type depend on each other");
  }
  result.rows = transition.rows;
  result.key.append(key.begin(), key.end());
  unknowns.clear();
  SmallVector<SmallVector<Term>> terms(result.states.size());
  auto indexOf = [&](Operation& op, StringRef attribute) {
    StringRef name = op.getAttrOfType<StringAttr>(attribute).getValue();
    return llvm::find_if(result.states, [&](StateOp state) { return state.getName() == name; }) -
           result.states.begin();
  };
  Block& block = *StageOp(transition.stage).getBlock();
  SmallVector<RankedWrite> ranked;
  for (Operation& op : block) {
    auto from = op.getAttrOfType<ArrayAttr>("from");
    bool isRenamed = from && !from.empty();
    auto feedback = dyn_cast<FeedbackOp>(op);
    if (isRenamed && !feedback)
      return fail(" has a dense transition");
    if (!feedback)
      continue;
    unsigned source = indexOf(op, "source"), into = indexOf(op, "state");
    if (failed(isRenamed ? splitFeedback(feedback, source, into, result, ranked)
                         : addFeedback(feedback, source, result, terms[into])))
      return failure();
  }
  if (!ranked.empty() && result.reads.size() > 1)
    return fail(" has several feedbacks, of more than one rank");
  for (const RankedWrite& write : ranked)
    if (failed(addProduct(write.key, write.value, {write.rank}, write.into, result)))
      return failure();
  for (Operation& op : block)
    if (auto input = dyn_cast<InputOp>(op))
      if (failed(splitInput(input, indexOf(op, "state"), terms[indexOf(op, "state")], result)))
        return failure();
  if (failed(addDecays(transition, result)))
    return failure();

  // Outer products that share a key become one, feedback and input alike.
  SmallVector<StringRef> free = labelsOf(result.getType().without(key));
  for (auto [into, state] : llvm::enumerate(result.states)) {
    Row row = collect(context, Semiring::PlusTimes, state.getName(), strings(state.getOrder()),
                      terms[into],
                      [](Value) -> Source { llvm_unreachable("feedback is a factor here"); });
    for (const Input& input : row.inputs) {
      SmallVector<Expr> keys, values;
      for (Expr part : input.parts)
        for (Expr factor : factorsOf(part)) {
          bool keyed = bearsAny(factor->type, key);
          if (keyed && bearsAny(factor->type, free))
            return fail(
                " has an input that is no outer product of what is contracted and what is not");
          (keyed ? keys : values).push_back(factor);
        }
      if (failed(addProduct(context.mul(keys), context.mul(values), {}, into, result)))
        return failure();
    }
  }
  return success();
}
