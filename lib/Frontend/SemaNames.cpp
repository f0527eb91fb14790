//===- SemaNames.cpp - Names, indices and steps ---------------------------===//

#include "SemaImpl.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

void RecurrenceChecker::resolve(Statement& stmt) {
  if (!stmt.value)
    return;
  current = &stmt;
  scope.assign(stmt.indexVars.begin(), stmt.indexVars.end());
  resolve(stmt.value);
  current = nullptr;
}

void RecurrenceChecker::resolve(Expr* e) {
  switch (e->kind) {
  case Expr::Ref:
    return resolveRef(cast<RefExpr>(e));
  case Expr::Reduce:
    return resolveReduce(cast<ReduceExpr>(e));
  case Expr::Delay:
    return resolveDelay(cast<DelayExpr>(e));
  case Expr::Fold:
    return resolveFold(cast<FoldExpr>(e));
  case Expr::Call:
    if (!cast<CallExpr>(e)->func)
      broken.insert(current); // reported by the expander
    [[fallthrough]];
  default:
    for (Expr* operand : e->operands)
      resolve(operand);
  }
}

//===----------------------------------------------------------------------===//
// Names
//===----------------------------------------------------------------------===//

Symbol* RecurrenceChecker::lookup(const RefExpr* ref) {
  for (Symbol* var : reverse(foldVars))
    if (var->name.text == ref->name.text)
      return var;
  return symbols.lookup(ref->name.text);
}

void RecurrenceChecker::reportUndefined(const RefExpr* ref) {
  if (current)
    broken.insert(current);
  if (mayMissNames())
    return;
  StringRef name = ref->name.text;
  auto isNamed = [&](const auto* named) { return named->name.text == name; };
  if (dims.contains(name)) {
    errorAt(ref, "'" + name + "' is a dim and has no value")
        .note(dims.lookup(name)->name.loc, "declared here");
  } else if (auto index = find_if(scope, isNamed); index != scope.end()) {
    errorAt(ref, "'" + name + "' is an index and has no value")
        .note((*index)->name.loc, "bound here");
  } else if (any_of(file.macros, [&](const MacroDef& m) { return m.name.text == name; })) {
    errorAt(ref, "'" + name + "' is a macro: expected its arguments");
  } else {
    SmallVector<StringRef> known;
    for (const Symbol* var : foldVars)
      known.push_back(var->name.text);
    for (const OperandDecl& operand : rec.operands)
      known.push_back(operand.name.text);
    for (const Statement& stmt : rec.statements)
      if (stmt.kind == Symbol::Let)
        known.push_back(stmt.name.text);
    errorAt(ref, "undefined name '" + name + "'" + didYouMean(name, known));
  }
}

void RecurrenceChecker::resolveRef(RefExpr* ref, bool wholeArray) {
  Symbol* symbol = lookup(ref);
  if (!symbol)
    reportUndefined(ref);
  else if (symbol->kind == Symbol::Out)
    errorAt(ref, "'" + ref->name.text +
                     "' is an out and cannot be read; give its value a name "
                     "with 'let'")
        .note(symbol->name.loc, "defined here");
  else
    ref->symbol = symbol;

  if (wholeArray) {
    if (ref->hasBrackets)
      errorAt(ref,
              "a fold starts from a whole array: write '" + ref->name.text + "' without indices");
    if (ref->symbol)
      recordRead(ref);
    return;
  }

  SmallVector<IndexVar*> vars;
  for (const Name& index : ref->indices)
    vars.push_back(lookupIndex(index));
  ref->indexVars = file.copy(vars);
  if (!ref->symbol)
    return;
  recordRead(ref);
  if (!symbol->rankKnown)
    return;
  if (symbol->axes.size() != vars.size()) {
    size_t rank = symbol->axes.size();
    errorAt(ref, "'" + ref->name.text + "' has " + Twine(rank) + (rank == 1 ? " axis" : " axes") +
                     ", found " + (vars.empty() ? Twine("no") : Twine(vars.size())) +
                     (vars.size() == 1 ? " index" : " indices"))
        .note(symbol->name.loc, symbol->kind == Symbol::Let ? "defined here" : "declared here");
    return;
  }
  for (auto [position, var] : enumerate(vars))
    if (var)
      dimUses.push_back({var, symbol->axes[position], unsigned(position), ref->name.text,
                         ref->indices[position].loc, ref});
}

/// Notes that the current statement depends on another.
void RecurrenceChecker::recordRead(const RefExpr* ref) {
  if (ref->symbol->kind != Symbol::State && ref->symbol->kind != Symbol::Let)
    return;
  if (!ref->symbol->definition || !current)
    return;
  Read read{
      statementNumber.lookup(current), statementNumber.lookup(ref->symbol->definition), ref, {}};
  read.looks.resize(rec.timeAxes.size());
  for (const DelayExpr* delay : delays)
    for (auto [axis, offset] : enumerate(delay->offsets)) {
      read.looks[axis].first |= offset > 0;
      read.looks[axis].second |= offset < 0;
    }
  // A step whose axis is wrong is still a step.
  if (!delays.empty() && !read.delayed() && !read.looks.empty())
    (delays.back()->isNext ? read.looks[0].second : read.looks[0].first) = true;
  reads.push_back(std::move(read));
}

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

IndexVar* RecurrenceChecker::lookupIndex(Name name) {
  for (IndexVar* var : reverse(scope))
    if (var->name.text == name.text)
      return var;
  SmallVector<StringRef> known;
  for (const IndexVar* var : scope)
    known.push_back(var->name.text);
  StringRef hint = dims.contains(name.text) ? "; it is a dim, and an index is needed here" : "";
  broken.insert(current);
  diags.error(name.loc, "index '" + name.text +
                            "' is not bound, neither on the left nor by sum, maximum or fold" +
                            hint + didYouMean(name.text, known));
  return nullptr;
}

IndexVar* RecurrenceChecker::bind(Name name, const Expr* binder) {
  for (IndexVar* var : scope)
    if (var->name.text == name.text) {
      diags.error(name.loc, "index '" + name.text + "' is already bound; choose another name")
          .note(var->name.loc, "bound here");
      broken.insert(current);
      break;
    }
  IndexVar* var = file.make<IndexVar>(IndexVar{name});
  bound.push_back({var, current, binder});
  scope.push_back(var);
  return var;
}

void RecurrenceChecker::resolveReduce(ReduceExpr* reduce) {
  SmallVector<IndexVar*> vars;
  for (const Name& index : reduce->indices)
    vars.push_back(bind(index, reduce));
  reduce->indexVars = file.copy(vars);
  resolve(reduce->operands[0]);
  scope.pop_back_n(vars.size());
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

static const RefExpr* findFoldVar(const Expr* e) {
  if (auto* ref = dyn_cast<RefExpr>(e); ref && ref->symbol && ref->symbol->kind == Symbol::FoldVar)
    return ref;
  for (const Expr* operand : e->operands)
    if (const RefExpr* found = findFoldVar(operand))
      return found;
  return nullptr;
}

void RecurrenceChecker::resolveDelay(DelayExpr* delay, bool wholeArray) {
  StringRef keyword = delay->isNext ? "next" : "prev";
  SmallVector<int64_t, 2> offsets(rec.timeAxes.size(), 0);
  SmallVector<StringRef> axes;
  for (const Name& axis : rec.timeAxes)
    axes.push_back(axis.text);
  auto fail = [&](SMLoc loc, const Twine& message) {
    diags.error(loc, message);
    broken.insert(current);
  };

  for (const Step& step : delay->steps) {
    size_t axis = 0;
    if (step.axis) {
      axis = find(axes, step.axis->text) - axes.begin();
      if (axis == axes.size()) {
        if (!mayMissNames())
          fail(step.axis->loc,
               "undefined time axis '" + step.axis->text + "'; expected " + join(axes, " or "));
        continue;
      }
    } else if (axes.size() > 1) {
      fail(step.loc, "expected a time axis for this step, for there are " + Twine(axes.size()) +
                         ": write '" + axes.back() + ":" + Twine(step.count) + "'");
      continue;
    }
    if (axis >= offsets.size())
      continue;
    if (offsets[axis] != 0)
      fail(step.loc, "a second step along '" + axes[axis] + "'");
    offsets[axis] = delay->isNext ? -step.count : step.count;
  }
  if (delay->steps.empty()) {
    if (axes.size() > 1)
      fail(delay->loc, "'" + keyword + "' needs a time axis, for there are " + Twine(axes.size()) +
                           ": expected '" + keyword + "(…, " + axes.back() + ")'");
    else if (!offsets.empty())
      offsets[0] = delay->isNext ? -1 : 1;
  }
  delay->offsets = file.copy(offsets);

  delays.push_back(delay);
  Expr* operand = delay->operands[0];
  auto* ref = dyn_cast<RefExpr>(operand);
  if (ref)
    resolveRef(ref, wholeArray);
  else
    resolve(operand);
  delays.pop_back();

  if (ref && ref->symbol && ref->symbol->kind == Symbol::Param)
    errorAt(delay, "'" + ref->name.text + "' is a parameter, constant in time: '" + keyword +
                       "' of it has no meaning")
        .note(ref->symbol->name.loc, "declared here");
  if (const RefExpr* var = findFoldVar(operand))
    errorAt(var, "the fold variable '" + var->name.text + "' lives within one step: '" + keyword +
                     "' of it has no meaning");
}

} // namespace ssmc::frontend
