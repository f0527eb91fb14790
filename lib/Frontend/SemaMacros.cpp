//===- SemaMacros.cpp - Checking and expanding macros ---------------------===//
//
// Definitions are expanded first, each after those it calls, so that a use is a single copy. After
// that no tree holds a call of a macro, except one that was reported.
//
//===----------------------------------------------------------------------===//

#include "Graph.h"
#include "SemaImpl.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

/// Macros that double their argument can make a tree of any size from a short text.
static constexpr unsigned maxNodesMade = 200'000;

/// What a copy of a macro's body puts in place of its parameters.
struct MacroExpander::Substitution {
  const MacroDef* macro = nullptr; ///< null: a plain copy
  ArrayRef<Expr*> args;
  const MacroUse* use = nullptr;
  DenseMap<const MacroUse*, const MacroUse*> uses;
};

/// Calls `visit` for each call of a macro in `e`.
static void forEachMacroCall(Expr* e, function_ref<void(CallExpr*)> visit) {
  for (Expr* operand : e->operands)
    forEachMacroCall(operand, visit);
  if (auto* call = dyn_cast<CallExpr>(e); call && !call->func)
    visit(call);
}

void MacroExpander::checkDefinitions() {
  for (MacroDef& macro : file.macros) {
    auto [earlier, isNew] = macros.try_emplace(macro.name.text, &macro);
    if (!isNew)
      diags.error(macro.name.loc, "macro '" + macro.name.text + "' is already defined")
          .note(earlier->second->name.loc, "the earlier definition");
    StringMap<SMLoc> params;
    for (const Name& param : macro.params) {
      auto [first, isNewParam] = params.try_emplace(param.text, param.loc);
      if (!isNewParam)
        diags
            .error(param.loc,
                   "'" + param.text + "' is already a parameter of '" + macro.name.text + "'")
            .note(first->second, "the earlier one");
    }
    if (macro.body)
      checkBody(macro, macro.body);
    else
      broken.insert(&macro);
  }

  std::vector<std::vector<unsigned>> calls(file.macros.size());
  for (auto [number, macro] : enumerate(file.macros))
    if (macro.body)
      forEachMacroCall(macro.body, [&](CallExpr* call) {
        if (MacroDef* callee = macros.lookup(call->callee.text))
          calls[number].push_back(callee - file.macros.data());
      });
  std::vector<unsigned> depth(file.macros.size(), 1); // of definitions in terms of others
  for (ArrayRef<unsigned> component : stronglyConnected(calls)) {
    MacroDef& macro = file.macros[component.front()];
    bool recursive =
        component.size() > 1 || is_contained(calls[component.front()], component.front());
    if (recursive) {
      Diagnostic& error =
          diags.error(macro.name.loc, "macro '" + macro.name.text + "' is defined by itself");
      for (unsigned other : component.drop_front())
        error.note(file.macros[other].name.loc, "by way of '" + file.macros[other].name.text + "'");
      for (unsigned member : component)
        broken.insert(&file.macros[member]);
      continue;
    }
    for (unsigned callee : calls[component.front()])
      depth[component.front()] = std::max(depth[component.front()], depth[callee] + 1);
    if (depth[component.front()] > maxNesting) {
      diags.error(macro.name.loc,
                  "macro defined by way of more than " + Twine(maxNesting) + " others");
      broken.insert(&macro);
    }
    if (macro.body && !broken.contains(&macro))
      expand(macro.body);
  }
}

void MacroExpander::checkBody(const MacroDef& macro, Expr* e) {
  auto refuse = [&](const Twine& message) {
    diags.error(e->loc, message);
    broken.insert(&macro);
  };
  switch (e->kind) {
  case Expr::Ref: {
    auto* ref = cast<RefExpr>(e);
    SmallVector<StringRef> params;
    for (const Name& param : macro.params)
      params.push_back(param.text);
    if (!is_contained(params, ref->name.text))
      refuse("undefined name '" + ref->name.text + "'; a macro reads only its parameters" +
             didYouMean(ref->name.text, params));
    else if (ref->hasBrackets)
      refuse("a parameter of a macro has no indices: it stands for a value, elementwise");
    break;
  }
  case Expr::Reduce:
    refuse("a macro is pointwise: it cannot contain 'sum' or 'maximum'");
    break;
  case Expr::Delay:
    refuse("a macro is pointwise: it cannot contain 'prev' or 'next'");
    break;
  case Expr::Fold:
    refuse("a macro is pointwise: it cannot contain 'fold'");
    break;
  default:
    break;
  }
  for (Expr* operand : e->operands)
    checkBody(macro, operand);
}

void MacroExpander::reportUnknown(const CallExpr* call) {
  SmallVector<StringRef> known{"sum", "maximum", "prev", "next", "fold"};
  for (const FuncInfo& func : allFuncs())
    known.push_back(func.name);
  for (const MacroDef& macro : file.macros)
    known.push_back(macro.name.text);
  errorAt(diags, call,
          "undefined function '" + call->callee.text + "'" + didYouMean(call->callee.text, known));
}

void MacroExpander::expand(Expr*& e) {
  for (Expr*& operand : e->operands) {
    expand(operand);
    e->height = std::max(e->height, operand->height + 1);
  }
  if (auto* call = dyn_cast<CallExpr>(e); call && !call->func)
    if (Expr* expansion = expandCall(call))
      e = expansion;
}

Expr* MacroExpander::expandCall(CallExpr* call) {
  MacroDef* macro = macros.lookup(call->callee.text);
  if (!macro) {
    if (!file.incomplete)
      reportUnknown(call);
    return nullptr;
  }
  if (call->operands.size() != macro->params.size()) {
    errorAt(diags, call,
            "'" + call->callee.text + "' takes " + Twine(macro->params.size()) +
                (macro->params.size() == 1 ? " argument" : " arguments") + ", found " +
                Twine(call->operands.size()))
        .note(macro->name.loc, "defined here");
    return nullptr;
  }
  if (broken.contains(macro) || tooLarge)
    return nullptr;

  Substitution substitution;
  substitution.macro = macro;
  substitution.args = call->operands;
  substitution.use = file.make<MacroUse>(MacroUse{call->callee, macro->name.loc, call->use});
  Expr* expansion = clone(macro->body, substitution);
  if (tooLarge || expansion->height > maxHeight) {
    tooLarge = true;
    errorAt(diags, call, "the expansion of '" + call->callee.text + "' is too large");
    return nullptr;
  }
  return expansion;
}

const MacroUse* MacroExpander::cloneUse(const MacroUse* use, Substitution& substitution) {
  if (!use)
    return substitution.use;
  if (const MacroUse* known = substitution.uses.lookup(use))
    return known;
  const MacroUse* copy = file.make<MacroUse>(
      MacroUse{use->macro, use->definition, cloneUse(use->outer, substitution)});
  substitution.uses[use] = copy;
  return copy;
}

Expr* MacroExpander::clone(const Expr* e, Substitution& substitution) {
  if (++nodesMade > maxNodesMade)
    tooLarge = true;
  if (auto* ref = dyn_cast<RefExpr>(e); ref && substitution.macro) {
    auto isParam = [&](const Name& param) { return param.text == ref->name.text; };
    const auto& params = substitution.macro->params;
    auto param = find_if(params, isParam);
    // Arguments are written where the macro is used: they keep their own place.
    Substitution plain;
    return clone(substitution.args[param - params.begin()], plain);
  }

  Expr* copy;
  switch (e->kind) {
  case Expr::Number:
    copy = file.make<NumberExpr>(*cast<NumberExpr>(e));
    break;
  case Expr::Ref:
    copy = file.make<RefExpr>(*cast<RefExpr>(e));
    break;
  case Expr::Call:
    copy = file.make<CallExpr>(*cast<CallExpr>(e));
    break;
  case Expr::Negate:
    copy = file.make<NegateExpr>(*cast<NegateExpr>(e));
    break;
  case Expr::Binary:
    copy = file.make<BinaryExpr>(*cast<BinaryExpr>(e));
    break;
  case Expr::Reduce:
    copy = file.make<ReduceExpr>(*cast<ReduceExpr>(e));
    break;
  case Expr::Delay:
    copy = file.make<DelayExpr>(*cast<DelayExpr>(e));
    break;
  case Expr::Fold:
    copy = file.make<FoldExpr>(*cast<FoldExpr>(e));
    break;
  }
  if (substitution.macro)
    copy->use = cloneUse(e->use, substitution);
  copy->operands = file.copy(e->operands);
  copy->height = 1;
  for (Expr*& operand : copy->operands) {
    if (tooLarge)
      break; // the tree is thrown away
    operand = clone(operand, substitution);
    copy->height = std::max(copy->height, operand->height + 1);
  }
  return copy;
}

} // namespace ssmc::frontend
