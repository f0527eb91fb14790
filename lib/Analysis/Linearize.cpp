// The proof of linearity: expansion to sums of products with at most one state each.
#include "ssmc/Analysis/Linearize.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

Expr ssmc::analysis::addFactored(ExprContext& context, ArrayRef<Expr> terms) {
  Expr together = context.add(terms);
  if (!together->is(Node::Kind::Add))
    return together;
  // As often as it is a factor of every term: x x + x has x once in common.
  SmallVector<Expr> common;
  SmallVector<SmallVector<Expr>> rests;
  for (Expr term : together->operands)
    rests.push_back(factorsOf(term));
  for (Expr factor : factorsOf(together->operands.front())) {
    if (factor->is(Node::Kind::Constant) ||
        !llvm::all_of(rests, [&](auto& rest) { return llvm::is_contained(rest, factor); }))
      continue;
    common.push_back(factor);
    for (auto& rest : rests)
      rest.erase(llvm::find(rest, factor));
  }
  if (common.empty())
    return together;
  SmallVector<Expr> remainders;
  for (auto& rest : rests)
    remainders.push_back(context.mul(rest));
  common.push_back(context.add(remainders));
  return context.mul(common);
}

namespace {

class Linearizer {
public:
  Linearizer(ExprContext& context, Semiring semiring, Classify classify,
             std::optional<Nonlinear>& nonlinear)
      : context(context), semiring(semiring), classify(classify), nonlinear(nonlinear) {}

  /// Appends the terms of `expr`. What occurs more than once is expanded once.
  LogicalResult run(Expr expr, SmallVectorImpl<Term>& terms) {
    auto it = known.find(expr);
    if (it == known.end()) {
      SmallVector<Term> own;
      if (failed(runNew(expr, own)))
        return failure();
      it = known.try_emplace(expr, std::move(own)).first;
    }
    llvm::append_range(terms, it->second);
    return success();
  }

private:
  LogicalResult runNew(Expr expr, SmallVectorImpl<Term>& terms);
  bool depends(Expr expr) {
    return context.contains(expr, [&](Value leaf) { return classify(leaf) != LeafKind::Free; });
  }
  LogicalResult fail(Expr expr, const Twine& reason) {
    nonlinear = Nonlinear{reason.str(), expr->location};
    return failure();
  }
  LogicalResult runSum(Expr expr, SmallVectorImpl<Term>& terms);
  LogicalResult runProduct(Expr expr, SmallVectorImpl<Term>& terms);
  LogicalResult runReduction(Expr expr, SmallVectorImpl<Term>& terms);
  LogicalResult runSelect(Expr expr, SmallVectorImpl<Term>& terms);
  LogicalResult runMaxPlus(Expr expr, SmallVectorImpl<Term>& terms);
  LogicalResult runMaxPlusSelect(Expr condition, Expr onTrue, Expr onFalse,
                                 SmallVectorImpl<Term>& terms);

  ExprContext& context;
  Semiring semiring;
  Classify classify;
  std::optional<Nonlinear>& nonlinear;
  llvm::DenseMap<Expr, SmallVector<Term>> known;
};

LogicalResult Linearizer::runNew(Expr expr, SmallVectorImpl<Term>& terms) {
  if (!depends(expr)) {
    // Nothing to add, over (+, *).
    if (semiring == Semiring::MaxPlus || !expr->isConstant(0))
      terms.push_back({{expr}, nullptr, {}});
    return success();
  }
  if (expr->is(Node::Kind::Leaf)) {
    if (classify(expr->leaf) == LeafKind::Opaque)
      return fail(expr, "a fold that depends on the state is not expanded here");
    terms.push_back({{}, expr, {}});
    return success();
  }
  if (semiring == Semiring::MaxPlus)
    return runMaxPlus(expr, terms);
  switch (expr->kind) {
  case Node::Kind::Add:
    return runSum(expr, terms);
  case Node::Kind::Mul:
    return runProduct(expr, terms);
  case Node::Kind::Sum:
    return runReduction(expr, terms);
  case Node::Kind::Maximum:
    return fail(expr, "a maximum over the state is not linear");
  default:
    break;
  }
  if (expr->isFunc("ssm.select"))
    return runSelect(expr, terms);
  StringRef name = expr->function;
  if (name == "recip")
    return fail(expr, "division by the state is not linear");
  name.consume_front("ssm.");
  if (name == "real" || name == "imag" || name == "conj")
    return fail(expr, "'" + name + "' of the state is not linear over the complex numbers");
  return fail(expr, "'" + name + "' of the state is not linear");
}

/// Terms that read one state in one way meet here: a definition that names the same part over and
/// over would else grow with every use.
LogicalResult Linearizer::runSum(Expr expr, SmallVectorImpl<Term>& terms) {
  SmallVector<Term> inner;
  for (Expr operand : expr->operands)
    if (failed(run(operand, inner)))
      return failure();
  if (inner.size() <= 16) {
    llvm::append_range(terms, inner);
    return success();
  }
  llvm::MapVector<Expr, SmallVector<Expr>> byState;
  for (Term& term : inner) {
    if (term.sums.empty())
      byState[term.state].push_back(context.mul(term.factors));
    else
      terms.push_back(std::move(term));
  }
  for (auto& [state, coefficients] : byState)
    terms.push_back({{addFactored(context, coefficients)}, state, {}});
  constexpr size_t most = 1024;
  if (terms.size() > most)
    return fail(expr, "its expansion has more than " + Twine(most) + " terms");
  return success();
}

LogicalResult Linearizer::runProduct(Expr expr, SmallVectorImpl<Term>& terms) {
  Expr dependent = nullptr;
  SmallVector<Expr> rest;
  for (Expr factor : expr->operands) {
    if (!depends(factor)) {
      rest.push_back(factor);
      continue;
    }
    if (factor->isFunc("unless"))
      return fail(expr, "a selection whose condition depends on the state is not linear");
    if (dependent)
      return fail(expr, "a product of two factors that both depend on the state is not linear");
    dependent = factor;
  }
  size_t first = terms.size();
  if (failed(run(dependent, terms)))
    return failure();
  for (Term& term : MutableArrayRef(terms).drop_front(first))
    llvm::append_range(term.factors, rest);
  return success();
}

LogicalResult Linearizer::runReduction(Expr expr, SmallVectorImpl<Term>& terms) {
  SmallVector<StringRef> bound;
  Expr body = context.open(expr, bound);
  SmallVector<Term> inner;
  if (failed(run(body, inner)))
    return failure();
  for (Term& term : inner) {
    Expr product = context.mul(term.factors);
    for (StringRef label : bound)
      if (!product->type.has(label) && !(term.state && term.state->type.has(label)))
        return fail(expr, "a sum over a label that one of its terms lacks is not expanded");
    if (term.state)
      llvm::append_range(term.sums, bound);
    else
      term.factors = {context.sum(product, bound)};
    constexpr size_t most = 4;
    if (term.sums.size() > most)
      return fail(expr, "its expansion sums over more than " + Twine(most) + " labels at once");
    terms.push_back(std::move(term));
  }
  return success();
}

/// select(c, x, y) is x where c holds plus y where it does not. Terms without the state
/// stay one selection.
LogicalResult Linearizer::runSelect(Expr expr, SmallVectorImpl<Term>& terms) {
  Expr condition = expr->operands[0];
  if (depends(condition))
    return fail(expr, "a selection whose condition depends on the state is not linear");
  Expr masks[2] = {context.unless(context.negate(condition)), context.unless(condition)};
  Expr free[2];
  for (int arm : {0, 1}) {
    SmallVector<Term> inner;
    if (failed(run(expr->operands[1 + arm], inner)))
      return failure();
    SmallVector<Expr> withoutState;
    for (Term& term : inner) {
      if (!term.state) {
        withoutState.push_back(context.mul(term.factors));
        continue;
      }
      term.factors.push_back(masks[arm]);
      terms.push_back(std::move(term));
    }
    free[arm] = context.add(withoutState);
  }
  if (free[0]->isConstant(0) && free[1]->isConstant(0))
    return success();
  Expr chosen = context.func("ssm.select", expr->type.getElementType(),
                             {condition, free[0], free[1]}, {}, expr->location);
  for (Expr term : termsOf(chosen))
    terms.push_back({{term}, nullptr, {}});
  return success();
}

LogicalResult Linearizer::runMaxPlus(Expr expr, SmallVectorImpl<Term>& terms) {
  if (expr->isFunc("ssm.max")) {
    for (Expr operand : expr->operands)
      if (failed(run(operand, terms)))
        return failure();
    return success();
  }
  if (expr->is(Node::Kind::Maximum)) {
    SmallVector<StringRef> bound;
    size_t first = terms.size();
    Expr body = context.open(expr, bound);
    if (failed(run(body, terms)))
      return failure();
    for (Term& term : MutableArrayRef(terms).drop_front(first)) {
      if (term.state)
        llvm::append_range(term.sums, bound);
      else
        term.factors = {context.maximum(context.add(term.factors), bound)};
    }
    return success();
  }
  if (expr->is(Node::Kind::Add)) {
    Expr dependent = nullptr;
    SmallVector<Expr> rest;
    for (Expr operand : expr->operands) {
      if (depends(operand) && dependent)
        return fail(expr,
                    "a sum of two terms that both depend on the state is not linear over (max, +)");
      if (depends(operand))
        dependent = operand;
      else
        rest.push_back(operand);
    }
    size_t first = terms.size();
    if (failed(run(dependent, terms)))
      return failure();
    for (Term& term : MutableArrayRef(terms).drop_front(first))
      llvm::append_range(term.factors, rest);
    return success();
  }
  // A reset: the terms of an arm that is not chosen are -inf.
  if (expr->isFunc("ssm.select"))
    return runMaxPlusSelect(expr->operands[0], expr->operands[1], expr->operands[2], terms);
  if (expr->is(Node::Kind::Mul))
    for (Expr factor : expr->operands)
      if (factor->isFunc("unless")) {
        SmallVector<Expr> rest = factorsOf(expr);
        llvm::erase(rest, factor);
        return runMaxPlusSelect(factor->operands.front(), context.constant(0), context.mul(rest),
                                terms);
      }
  return fail(expr, "not a maximum of sums");
}

LogicalResult Linearizer::runMaxPlusSelect(Expr condition, Expr onTrue, Expr onFalse,
                                           SmallVectorImpl<Term>& terms) {
  if (depends(condition))
    return fail(condition, "a selection whose condition depends on the state is not linear");
  Type real = Float32Type::get(context.getContext());
  Expr nothing = context.constant(-INFINITY), one = context.constant(0);
  Expr free[2];
  for (int arm : {0, 1}) {
    Expr excluded = arm == 0 ? context.negate(condition) : condition;
    SmallVector<Term> inner;
    if (failed(run(arm == 0 ? onTrue : onFalse, inner)))
      return failure();
    SmallVector<Expr> withoutState;
    for (Term& term : inner) {
      if (!term.state) {
        withoutState.push_back(context.add(term.factors));
        continue;
      }
      term.factors.push_back(context.func("ssm.select", real, {excluded, nothing, one}));
      terms.push_back(std::move(term));
    }
    free[arm] = withoutState.empty() ? nothing : context.func("ssm.max", real, withoutState);
  }
  if (free[0] != nothing || free[1] != nothing)
    terms.push_back(
        {{context.func("ssm.select", real, {condition, free[0], free[1]})}, nullptr, {}});
  return success();
}

} // namespace

LogicalResult ssmc::analysis::linearize(ExprContext& context, Expr expr, Semiring semiring,
                                        Classify classify, SmallVectorImpl<Term>& terms,
                                        std::optional<Nonlinear>& nonlinear) {
  return Linearizer(context, semiring, classify, nonlinear).run(expr, terms);
}
