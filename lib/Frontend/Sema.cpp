//===- Sema.cpp - Names, indices, kinds and cycles ------------------------===//

#include "ssmc/Frontend/Sema.h"
#include "SemaImpl.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

Diagnostic& errorAt(Diagnostics& diags, const Expr* e, const Twine& message) {
  if (!e->use)
    return diags.error(e->loc, message);
  SmallVector<const MacroUse*> uses; // from the inside out
  for (const MacroUse* use = e->use; use; use = use->outer)
    uses.push_back(use);
  Diagnostic& error =
      diags.error(uses.back()->macro.loc, "in '" + uses.back()->macro.text + "': " + message);
  for (const MacroUse* use : reverse(ArrayRef(uses).drop_back()))
    error.note(use->macro.loc, "which uses '" + use->macro.text + "' here");
  return error.note(e->loc, "'" + uses.front()->macro.text + "' is defined with it here");
}

Diagnostic& RecurrenceChecker::errorAt(const Expr* e, const Twine& message) {
  if (current)
    broken.insert(current);
  return frontend::errorAt(diags, e, message);
}

void RecurrenceChecker::run() {
  declareTime();
  declareDims();
  declareOperands();
  declareStatements();
  for (Statement& stmt : rec.statements)
    resolve(stmt);
  inferDims();
  checkCycles();
  checkDirections();
  inferKinds();
  for (Statement& stmt : rec.statements) {
    current = &stmt;
    if (stmt.value)
      annotateLabels(stmt.value);
  }

  bool computes = any_of(rec.statements, [](const Statement& s) { return s.kind != Symbol::Let; });
  if (!computes && !rec.incomplete)
    diags.error(rec.name.loc, "recurrence '" + rec.name.text + "' has neither a state nor an out");
}

bool check(File& file, Diagnostics& diags) {
  MacroExpander macros(file, diags);
  macros.checkDefinitions();

  StringMap<const Recurrence*> named;
  for (Recurrence& rec : file.recurrences) {
    auto [earlier, isNew] = named.try_emplace(rec.name.text, &rec);
    if (!isNew && !rec.name.text.empty())
      diags.error(rec.name.loc, "recurrence '" + rec.name.text + "' is already defined")
          .note(earlier->second->name.loc, "the earlier definition");
    for (OperandDecl& operand : rec.operands)
      if (operand.init)
        macros.expand(operand.init);
    for (Statement& stmt : rec.statements)
      if (stmt.value)
        macros.expand(stmt.value);
    RecurrenceChecker(file, rec, diags).run();
  }
  if (file.recurrences.empty() && !diags.hasErrors())
    diags.error(file.end, "expected 'recurrence', found the end of the file");
  return !diags.hasErrors();
}

} // namespace ssmc::frontend
