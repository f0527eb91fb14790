//===- SemaDims.cpp - The dim that each index ranges over -----------------===//

#include "SemaImpl.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Casting.h"
#include <deque>

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

static std::string spell(const DimSize& dim) {
  return dim.symbol.empty() ? std::to_string(dim.size) : dim.symbol.str();
}

/// Dims flow from declarations to the indices used there, and on through the left sides of `let`.
void RecurrenceChecker::inferDims() {
  DenseMap<const IndexVar*, std::vector<const DimUse*>> usesOfAxis;
  std::deque<const DimUse*> work;
  for (const DimUse& use : dimUses) {
    usesOfAxis[use.axis].push_back(&use);
    if (use.axis->dim.known())
      work.push_back(&use);
  }
  while (!work.empty()) {
    const DimUse* use = work.front();
    work.pop_front();
    if (use->var->dim.known())
      continue;
    use->var->dim = use->axis->dim;
    use->var->dimLoc = use->loc;
    for (const DimUse* next : usesOfAxis.lookup(use->var))
      work.push_back(next);
  }

  for (const DimUse& use : dimUses) {
    if (!use.var->dim.known() || !use.axis->dim.known() || use.var->dim == use.axis->dim)
      continue;
    dimsClash = true;
    if (undefinedDims.contains(use.var->dim.symbol) || undefinedDims.contains(use.axis->dim.symbol))
      continue;
    diags
        .error(use.loc, "index '" + use.var->name.text + "' ranges over " + spell(use.var->dim) +
                            ", but axis " + Twine(use.position + 1) + " of '" + use.what + "' is " +
                            spell(use.axis->dim))
        .note(use.var->dimLoc, "it ranges over " + spell(use.var->dim) + " because of this");
  }
  reportUnknownDims();
}

void RecurrenceChecker::reportUnknownDims() {
  if (mayMissNames())
    return;
  DenseSet<const IndexVar*> used;
  for (const DimUse& use : dimUses)
    used.insert(use.var);
  // First those that nothing determines; only without any of them, those that hang in a cycle.
  bool found = false;
  for (bool inCycle : {false, true}) {
    if (inCycle && (found || dimsClash || !broken.empty()))
      return;
    for (const Bound& index : bound) {
      if (index.var->dim.known() || broken.contains(index.stmt) ||
          used.contains(index.var) != inCycle)
        continue;
      StringRef name = index.var->name.text;
      found = true;
      if (inCycle)
        diags.error(index.var->name.loc,
                    "cannot tell which dim index '" + name +
                        "' ranges over: its uses are defined in terms of each other");
      else if (index.binder && isa<FoldExpr>(index.binder))
        diags.error(index.var->name.loc, "step index '" + name +
                                             "' is not used in the fold, so the number of steps "
                                             "is not known");
      else if (index.binder)
        diags.error(index.var->name.loc,
                    "index '" + name + "' is not used in the body, so its dim is not known");
      else
        diags.error(index.var->name.loc, "index '" + name +
                                             "' is not used on the right side, so its dim is "
                                             "not known");
    }
  }
}

static SmallVector<IndexVar*> sortedUnique(SmallVector<IndexVar*> labels) {
  sort(labels, [](const IndexVar* a, const IndexVar* b) { return a->name.text < b->name.text; });
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

/// Sets the free indices of each expression in `e`.
void RecurrenceChecker::annotateLabels(Expr* e) {
  // What stands in prev is computed outside of the folds around it.
  SmallVector<const IndexVar*> outerSteps = openSteps;
  if (isa<DelayExpr>(e))
    openSteps.clear();
  if (auto* fold = dyn_cast<FoldExpr>(e))
    openSteps.push_back(fold->stepVar);
  SmallVector<IndexVar*> labels;
  for (Expr* operand : e->operands) {
    annotateLabels(operand);
    labels.append(operand->labels.begin(), operand->labels.end());
  }
  openSteps = outerSteps;
  if (auto* ref = dyn_cast<RefExpr>(e))
    labels.assign(ref->indexVars.begin(), ref->indexVars.end());
  erase(labels, nullptr);
  if (auto* reduce = dyn_cast<ReduceExpr>(e))
    erase_if(labels, [&](IndexVar* label) { return is_contained(reduce->indexVars, label); });
  if (auto* fold = dyn_cast<FoldExpr>(e)) {
    for (IndexVar* label : fold->body()->labels) {
      // At a step, an index that steps is a position and no label.
      if (label == fold->stepVar || is_contained(openSteps, label) ||
          is_contained(fold->bodyIndices, label))
        continue;
      if (!broken.contains(current) && fold->symbol->rankKnown)
        errorAt(fold, "the body varies over '" + label->name.text +
                          "', which is no axis of the fold's variable '" + fold->variable.text +
                          "'");
    }
    labels.assign(fold->bodyIndices.begin(), fold->bodyIndices.end());
  }
  e->labels = file.copy(sortedUnique(std::move(labels)));
}

} // namespace ssmc::frontend
