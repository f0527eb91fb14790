//===- SemaFold.cpp - Steps inside one token ------------------------------===//
//
// `fold[s](M = start) body`: the body computes the next M as an array over its free indices, and
// those must be matched with the axes of M. Where the fold is all of the right side, the left side
// gives their order. Elsewhere the first use of M in the body that binds no index of its own does.
//
//===----------------------------------------------------------------------===//

#include "SemaImpl.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

void RecurrenceChecker::resolveFold(FoldExpr* fold) {
  Expr* start = fold->start();
  auto* delay = dyn_cast<DelayExpr>(start);
  auto* ref = dyn_cast<RefExpr>(delay ? delay->operands[0] : start);
  Symbol* var = file.make<Symbol>(Symbol{Symbol::FoldVar, fold->variable});
  fold->symbol = var;
  if (!ref) {
    errorAt(start, "a fold starts from the name of a whole array, or prev of one; give the start "
                   "a name with 'let'");
    resolve(start);
  } else if (delay) {
    resolveDelay(delay, /*wholeArray=*/true);
  } else {
    resolveRef(ref, /*wholeArray=*/true);
  }
  var->rankKnown = ref && ref->symbol && ref->symbol->rankKnown;
  if (var->rankKnown)
    var->axes = ref->symbol->axes;

  Symbol* shadowed = symbols.lookup(fold->variable.text);
  for (Symbol* outer : foldVars)
    if (outer->name.text == fold->variable.text)
      shadowed = outer;
  if (shadowed)
    errorAt(fold, "the fold variable '" + fold->variable.text + "' needs a name of its own")
        .note(shadowed->name.loc, "this has the same name");

  size_t outside = scope.size();
  fold->stepVar = bind(fold->step, fold);
  foldVars.push_back(var);
  steps.push_back(fold->stepVar);
  // Within a fold, `prev` looks at another time, not at another step.
  resolve(fold->body());
  steps.pop_back();
  foldVars.pop_back();
  scope.resize(outside);
  bindFoldAxes(fold);
}

/// The first use of `var` whose indices are all in `free`, each once.
static const RefExpr* findFreeUse(const Expr* e, const Symbol* var, ArrayRef<IndexVar*> free) {
  if (auto* ref = dyn_cast<RefExpr>(e); ref && ref->symbol == var) {
    DenseSet<const IndexVar*> seen;
    for (const IndexVar* index : ref->indexVars)
      if (!is_contained(free, index) || !seen.insert(index).second)
        return nullptr;
    return ref;
  }
  for (const Expr* operand : e->operands)
    if (const RefExpr* found = findFreeUse(operand, var, free))
      return found;
  return nullptr;
}

void RecurrenceChecker::bindFoldAxes(FoldExpr* fold) {
  Symbol* var = fold->symbol;
  if (!var->rankKnown)
    return;
  size_t rank = var->axes.size();
  if (current->value == fold) {
    if (rank != current->indexVars.size()) {
      errorAt(fold, "the fold's variable '" + fold->variable.text + "' has " + Twine(rank) +
                        (rank == 1 ? " axis" : " axes") + ", the left side " +
                        Twine(current->indexVars.size()));
      return;
    }
    fold->bodyIndices = current->indexVars;
  } else if (rank != 0) {
    // The step of a fold around is one position, not an axis.
    SmallVector<IndexVar*> free = scope;
    erase_if(free, [&](IndexVar* index) { return is_contained(steps, index); });
    const RefExpr* use = findFreeUse(fold->body(), var, free);
    if (!use || use->indexVars.size() != rank) {
      if (!broken.contains(current))
        errorAt(fold, "cannot tell which indices of the body are the axes of '" +
                          fold->variable.text +
                          "': expected a use of it without indices bound in the body, or the "
                          "fold alone on the right side of a 'let'");
      return;
    }
    fold->bodyIndices = use->indexVars;
  }
  for (auto [position, index] : enumerate(fold->bodyIndices))
    dimUses.push_back(
        {index, var->axes[position], unsigned(position), fold->variable.text, fold->loc, fold});
}

} // namespace ssmc::frontend
