// Reads of eliminated states: where an expression contracts such a state,
// it becomes products over the steps.
#include "ChunkedForm.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::analysis;
using namespace ssmc::derive;

namespace {
/// How a term of a sum reads a state: the query under the state's labels,
/// and what is left around the read.
struct Read {
  SmallVector<Expr> query, around;
  Renaming toQuery, ofResult;
  /// Labels of the state that have the name of a contracted one, and that one: where these agree.
  Renaming diagonal;
  SmallVector<StringRef> sums;
};
} // namespace

/// Takes a term apart into a contraction of the state over `key` and what surrounds it.
static std::optional<Read> matchRead(const Term& term, ArrayRef<StringRef> key) {
  Read read;
  SmallVector<StringRef> names; // of the key labels, in the term
  SmallVector<StringRef> stateLabels = labelsOf(cast<ArrayType>(term.state->leaf.getType()));
  for (StringRef label : key) {
    StringRef name = nameBy(term.state->renaming, label);
    if (!llvm::is_contained(term.sums, name) || llvm::is_contained(names, name))
      return {};
    names.push_back(name);
    if (name != label)
      read.toQuery.push_back({name, label});
  }
  for (StringRef label : stateLabels) {
    if (llvm::is_contained(key, label))
      continue;
    StringRef name = nameBy(term.state->renaming, label);
    if (auto met = llvm::find(names, name); met != names.end())
      read.diagonal.push_back({label, key[met - names.begin()]});
    else if (name != label)
      read.ofResult.push_back({label, name});
  }
  for (Expr factor : term.factors)
    (bearsAny(factor->type, names) ? read.query : read.around).push_back(factor);
  for (Expr factor : read.query)
    for (StringRef label : labelsOf(factor->type))
      if (!llvm::is_contained(names, label) && llvm::is_contained(stateLabels, label))
        return {}; // A label of the state that is not contracted, or would be taken for it.
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
      result &=
          prev.getState() != name || prev.getBy() == ArrayRef<int64_t>{1} || prev->use_empty();
  }
  return result;
}

Eliminated* ChunkedForm::eliminatedBy(Value leaf, bool& before, unsigned& of) {
  auto find = [&](StringRef name) -> Eliminated* {
    auto it = eliminatedStates.find(name);
    if (it == eliminatedStates.end())
      return nullptr;
    of = llvm::find_if(it->second->states, [&](StateOp state) { return state.getName() == name; }) -
         it->second->states.begin();
    return it->second.get();
  };
  Operation* op = leaf.getDefiningOp();
  if (auto prev = dyn_cast_or_null<PrevOp>(op)) {
    before = true;
    return find(prev.getState());
  }
  if (auto system = dyn_cast_or_null<SystemOp>(op)) {
    before = false;
    for (auto [state, result] : llvm::zip(strings(system.getStates()), system.getResults()))
      if (result == leaf)
        return find(state);
  }
  return nullptr;
}

bool ChunkedForm::readsEliminated(Expr expr) {
  return context.contains(expr, [&](Value leaf) {
    bool before;
    unsigned of;
    return eliminatedBy(leaf, before, of) != nullptr;
  });
}

FailureOr<Expr> ChunkedForm::replaceSum(Expr expr) {
  SmallVector<Term> terms;
  std::optional<Nonlinear> nonlinear;
  auto classify = [&](Value leaf) {
    bool before;
    unsigned of;
    return eliminatedBy(leaf, before, of) ? LeafKind::State : LeafKind::Free;
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
    unsigned of = 0;
    Eliminated* state = eliminatedBy(term.state->leaf, before, of);
    std::optional<Read> match = matchRead(term, state->key);
    if (!match)
      return failure();
    Expr query = context.substitute(context.mul(match->query), match->toQuery);
    // The result has the free labels of the state, but for those of a diagonal, and those that the
    // query has besides the key.
    Expr& known = knownReads[{state, of, const_cast<Node*>(query), before, match->diagonal}];
    if (!known) {
      Value value = read(*state, of, query, before, /*atRows=*/false, match->diagonal);
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
    return context.func(expr->function, expr->type.getElementType(), operands, expr->attributes,
                        expr->location);
  }
}
