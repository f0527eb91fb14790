//===- SemaDecls.cpp - What a recurrence declares and defines -------------===//

#include "SemaImpl.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

static std::string withArticle(Symbol::Kind kind) {
  bool vowel = kind == Symbol::In || kind == Symbol::Out;
  return ((vowel ? "an " : "a ") + toString(kind)).str();
}

void RecurrenceChecker::declareTime() {
  if (rec.timeAxes.empty())
    rec.timeAxes.push_back({"t", rec.name.loc});
  StringMap<SMLoc> seen;
  for (const Name& axis : rec.timeAxes) {
    auto [first, isNew] = seen.try_emplace(axis.text, axis.loc);
    if (!isNew)
      diags.error(axis.loc, "time axis '" + axis.text + "' is already declared")
          .note(first->second, "the earlier declaration");
  }
  if (rec.timeAxes.size() > 2)
    diags.error(rec.timeAxes[2].loc, "a recurrence has at most two time axes");
}

void RecurrenceChecker::declareDims() {
  for (DimDecl& dim : rec.dims) {
    auto [first, isNew] = dims.try_emplace(dim.name.text, &dim);
    if (!isNew)
      diags.error(dim.name.loc, "dim '" + dim.name.text + "' is already declared")
          .note(first->second->name.loc, "the earlier declaration");
  }
}

Symbol* RecurrenceChecker::declare(Symbol::Kind kind, Name name, StringRef what) {
  auto [earlier, isNew] = symbols.try_emplace(name.text, nullptr);
  if (!isNew) {
    diags.error(name.loc, "'" + name.text + "' is already " + what)
        .note(earlier->second->name.loc, "it is " + withArticle(earlier->second->kind) + " here");
    return nullptr;
  }
  return earlier->second = file.make<Symbol>(Symbol{kind, name});
}

void RecurrenceChecker::declareOperands() {
  SmallVector<StringRef> known;
  for (const DimDecl& dim : rec.dims)
    known.push_back(dim.name.text);
  for (OperandDecl& operand : rec.operands) {
    SmallVector<IndexVar*> axes;
    for (const DimRef& dim : operand.dims) {
      axes.push_back(file.make<IndexVar>(IndexVar{{}, dim.dim, dim.loc}));
      StringRef symbol = dim.dim.symbol;
      // Once for each name, and what follows from it is no error of its own.
      if (!symbol.empty() && !dims.contains(symbol) && undefinedDims.insert(symbol).second &&
          !mayMissNames())
        diags.error(dim.loc, "undefined dim '" + symbol + "'" + didYouMean(symbol, known));
    }
    if (operand.kind == Symbol::State && operand.elem != ElemKind::Real &&
        operand.elem != ElemKind::Complex) {
      diags.error(operand.name.loc, "a state is real or complex, not " + toString(operand.elem));
      operand.elem = ElemKind::Real;
    }
    operand.symbol = declare(operand.kind, operand.name, "declared");
    if (!operand.symbol)
      continue;
    operand.symbol->axes = file.copy(axes);
    operand.symbol->elem = operand.elem;
  }
  // Parameters may be declared after the states that start from them.
  for (OperandDecl& operand : rec.operands)
    if (operand.init)
      checkInit(operand, operand.init);
}

/// The initial value of a state is the same at every run of the step: it reads parameters only, and
/// those as wholes, for there is no left side to bind an index.
void RecurrenceChecker::checkInit(OperandDecl& state, Expr* e) {
  switch (e->kind) {
  case Expr::Ref: {
    auto* ref = cast<RefExpr>(e);
    Symbol* symbol = lookup(ref);
    if (!symbol) {
      // A definition may be yet to come; it would not be a parameter.
      bool defined = any_of(
          rec.statements, [&](const Statement& stmt) { return stmt.name.text == ref->name.text; });
      if (defined)
        errorAt(ref,
                "an initial value reads only parameters, and '" + ref->name.text + "' is none");
      else
        reportUndefined(ref);
      return;
    }
    if (symbol->kind != Symbol::Param) {
      errorAt(ref, "an initial value reads only parameters, and '" + ref->name.text + "' is " +
                       withArticle(symbol->kind))
          .note(symbol->name.loc, "declared here");
      return;
    }
    if (ref->hasBrackets) {
      diags.error(ref->indices[0].loc, "an initial value has no indices: write '" + ref->name.text +
                                           "', with the dims of the state");
      return;
    }
    bool fits = symbol->axes.empty() || symbol->axes.size() == state.dims.size();
    for (size_t i = 0; fits && i < symbol->axes.size(); ++i)
      fits = symbol->axes[i]->dim == state.dims[i].dim;
    if (!fits)
      errorAt(ref, "'" + ref->name.text + "' has other dims than the state '" + state.name.text +
                       "' that starts from it")
          .note(symbol->name.loc, "declared here");
    ref->symbol = symbol;
    return;
  }
  case Expr::Reduce:
  case Expr::Delay:
  case Expr::Fold:
    errorAt(e, "an initial value is made of numbers and parameters, elementwise");
    return;
  default:
    for (Expr* operand : e->operands)
      checkInit(state, operand);
  }
}

void RecurrenceChecker::declareStatements() {
  for (auto [number, stmt] : enumerate(rec.statements)) {
    statementNumber[&stmt] = number;
    if (stmt.kind == Symbol::State)
      continue;
    stmt.symbol = declare(stmt.kind, stmt.name, "defined");
    if (stmt.symbol)
      stmt.symbol->definition = &stmt;
    if (stmt.kind == Symbol::Out && (stmt.elem == ElemKind::Bool || stmt.elem == ElemKind::Int)) {
      diags.error(stmt.name.loc, "an out is real or complex, not " + toString(stmt.elem));
      stmt.elem = ElemKind::Unknown;
    }
  }
  // Then the states, so that 'S = …' beside 'let S = …' is found whichever comes first.
  for (Statement& stmt : rec.statements)
    if (stmt.kind == Symbol::State)
      declareState(stmt);
  for (Statement& stmt : rec.statements)
    bindLeft(stmt);

  if (mayMissNames())
    return;
  for (const OperandDecl& operand : rec.operands)
    if (operand.kind == Symbol::State && operand.symbol && !operand.symbol->definition)
      diags.error(operand.name.loc, "state '" + operand.name.text + "' is never defined; write '" +
                                        operand.name.text +
                                        (operand.dims.empty() ? " = …'" : "[…] = …'"));
}

void RecurrenceChecker::declareState(Statement& stmt) {
  Symbol* symbol = symbols.lookup(stmt.name.text);
  if (!symbol) {
    // A line that did not parse may have been meant as something else.
    if (mayMissNames() || !stmt.value)
      return;
    SmallVector<StringRef> states;
    for (const OperandDecl& operand : rec.operands)
      if (operand.kind == Symbol::State)
        states.push_back(operand.name.text);
    diags.error(stmt.name.loc, "'" + stmt.name.text +
                                   "' is not declared as a state; begin with 'let' or 'out' to "
                                   "define another value" +
                                   didYouMean(stmt.name.text, states));
    return;
  }
  if (symbol->kind == Symbol::In || symbol->kind == Symbol::Param) {
    diags
        .error(stmt.name.loc, "'" + stmt.name.text + "' is " + withArticle(symbol->kind) +
                                  " and cannot be defined")
        .note(symbol->name.loc, "declared here");
    return;
  }
  if (symbol->definition) {
    diags.error(stmt.name.loc, "'" + stmt.name.text + "' is already defined")
        .note(symbol->definition->name.loc, "it is " + withArticle(symbol->kind) + " here");
    return;
  }
  stmt.symbol = symbol;
  symbol->definition = &stmt;
}

/// The indices of the left side: each a new one, for a state over the declared dims.
void RecurrenceChecker::bindLeft(Statement& stmt) {
  SmallVector<IndexVar*> vars;
  for (const Name& index : stmt.indices) {
    for (IndexVar* earlier : vars)
      if (earlier->name.text == index.text) {
        diags.error(index.loc, "index '" + index.text + "' stands twice on the left side")
            .note(earlier->name.loc, "the earlier one");
        broken.insert(&stmt);
        break;
      }
    vars.push_back(file.make<IndexVar>(IndexVar{index}));
    bound.push_back({vars.back(), &stmt, nullptr});
  }
  stmt.indexVars = file.copy(vars);
  if (!stmt.symbol || !stmt.value)
    broken.insert(&stmt);
  if (!stmt.symbol)
    return;

  if (stmt.kind != Symbol::State) {
    stmt.symbol->axes = stmt.indexVars;
    return;
  }
  ArrayRef<IndexVar*> axes = stmt.symbol->axes;
  if (axes.size() != vars.size()) {
    diags
        .error(stmt.name.loc, "state '" + stmt.name.text + "' has " + Twine(axes.size()) +
                                  (axes.size() == 1 ? " axis" : " axes") + ", found " +
                                  Twine(vars.size()) + (vars.size() == 1 ? " index" : " indices"))
        .note(stmt.symbol->name.loc, "declared here");
    broken.insert(&stmt);
    return;
  }
  for (auto [var, axis] : zip(vars, axes)) {
    var->dim = axis->dim;
    var->dimLoc = axis->dimLoc;
  }
}

} // namespace ssmc::frontend
