//===- SemaKinds.cpp - Real, complex, bool, int ---------------------------===//
//
// Arithmetic is real or complex; an int is a real there. A bool is only a condition. The kind of a
// `let` follows from its value, that of a state is declared. An expression that was not understood
// counts as real, which is right nearly everywhere.
//
//===----------------------------------------------------------------------===//

#include "SemaImpl.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

/// The kind of a sum: complex if one operand is; unknown if nothing is known yet.
static ElemKind join(ElemKind a, ElemKind b) {
  return std::max(a, b);
}

void RecurrenceChecker::inferKinds() {
  // A `let` may depend on itself by way of `prev`, hence more than one round. Kinds only grow, and
  // in the order of evaluation few rounds change anything.
  do {
    kindsChanged = false;
    for (Statement* stmt : rec.order)
      inferKind(*stmt);
  } while (kindsChanged);
  for (Statement& stmt : rec.statements)
    if (stmt.symbol && stmt.symbol->elem == ElemKind::Unknown)
      stmt.symbol->elem = ElemKind::Real;
  for (OperandDecl& operand : rec.operands) {
    if (!operand.init)
      continue;
    ElemKind kind = number(operand.init, /*report=*/true);
    if (kind == ElemKind::Complex && operand.elem == ElemKind::Real)
      errorAt(operand.init, "the initial value is complex, but the state '" + operand.name.text +
                                "' is real; declare it ': complex'");
  }
  for (Statement& stmt : rec.statements)
    if (stmt.value)
      checkKind(stmt);
}

void RecurrenceChecker::learn(Symbol& symbol, ElemKind kind) {
  kind = join(kind, symbol.elem);
  kindsChanged |= std::exchange(symbol.elem, kind) != kind;
}

void RecurrenceChecker::inferKind(Statement& stmt) {
  if (!stmt.value)
    return;
  ElemKind kind = kindOf(stmt.value, /*report=*/false);
  if (!stmt.symbol || stmt.kind == Symbol::State)
    return;
  if (stmt.kind == Symbol::Out)
    kind = stmt.elem != ElemKind::Unknown ? stmt.elem : std::max(kind, ElemKind::Real);
  learn(*stmt.symbol, kind);
}

void RecurrenceChecker::checkKind(Statement& stmt) {
  current = &stmt;
  if (stmt.kind == Symbol::Let) {
    kindOf(stmt.value, /*report=*/true);
  } else {
    ElemKind kind = number(stmt.value, /*report=*/true);
    bool mustBeReal =
        stmt.symbol && (stmt.kind == Symbol::State ? stmt.symbol->elem == ElemKind::Real
                                                   : stmt.elem == ElemKind::Real);
    if (kind == ElemKind::Complex && mustBeReal)
      errorAt(stmt.value, "the value is complex, but the " + toString(stmt.kind) + " '" +
                              stmt.name.text + "' is real; declare it ': complex'")
          .note(stmt.symbol->name.loc, "declared here");
  }
  current = nullptr;
}

/// The kind of an operand of arithmetic.
ElemKind RecurrenceChecker::number(Expr* e, bool report) {
  ElemKind kind = kindOf(e, report);
  if (kind == ElemKind::Bool) {
    if (report)
      errorAt(e, "expected a number, found a condition; select(c, 1, 0) makes a number of it");
    return ElemKind::Real;
  }
  return kind == ElemKind::Int ? ElemKind::Real : kind;
}

/// The kind of an operand that must be real; `user` is what wants it.
ElemKind RecurrenceChecker::real(Expr* e, StringRef user, bool report) {
  ElemKind kind = number(e, report);
  if (kind != ElemKind::Complex)
    return kind;
  if (report)
    errorAt(e, "expected a real value for " + user + ", found a complex one");
  return ElemKind::Real;
}

ElemKind RecurrenceChecker::kindOf(Expr* e, bool report) {
  auto compute = [&] {
    switch (e->kind) {
    case Expr::Number:
      return ElemKind::Real;
    case Expr::Ref: {
      const Symbol* symbol = cast<RefExpr>(e)->symbol;
      return symbol ? symbol->elem : ElemKind::Real;
    }
    case Expr::Call:
      return kindOfCall(cast<CallExpr>(e), report);
    case Expr::Negate:
      return number(e->operands[0], report);
    case Expr::Binary: {
      BinaryOp op = cast<BinaryExpr>(e)->op;
      if (!isComparison(op)) {
        ElemKind left = number(e->operands[0], report);
        return join(left, number(e->operands[1], report));
      }
      for (Expr* operand : e->operands)
        real(operand, ("'" + toString(op) + "'").str(), report);
      return ElemKind::Bool;
    }
    case Expr::Reduce:
      return cast<ReduceExpr>(e)->isMax ? real(e->operands[0], "'maximum'", report)
                                        : number(e->operands[0], report);
    case Expr::Delay:
      return kindOf(e->operands[0], report);
    case Expr::Fold:
      return kindOfFold(cast<FoldExpr>(e), report);
    }
    llvm_unreachable("no such kind");
  };
  return e->elem = compute();
}

ElemKind RecurrenceChecker::kindOfFold(FoldExpr* fold, bool report) {
  if (!fold->symbol)
    return ElemKind::Real; // in an initial value, where it was refused
  // The body may be complex where the start is real; then the start is converted. One look at the
  // body a round: folds nest.
  learn(*fold->symbol, number(fold->start(), report));
  learn(*fold->symbol, number(fold->body(), report));
  return fold->symbol->elem;
}

ElemKind RecurrenceChecker::kindOfCall(CallExpr* call, bool report) {
  if (!call->func) {
    for (Expr* operand : call->operands)
      kindOf(operand, report);
    return ElemKind::Real;
  }
  const FuncInfo& info = *call->func;
  std::string quoted = ("'" + info.name + "'").str();
  size_t count = call->operands.size();
  if (count < info.minArgs || (info.maxArgs && count > info.maxArgs)) {
    if (report) {
      Diagnostic& error = errorAt(
          call, quoted + " takes " + (info.maxArgs ? "" : "at least ") + Twine(info.minArgs) +
                    (info.minArgs == 1 ? " argument" : " arguments") + ", found " + Twine(count));
      if (info.func == Func::Max && count == 1)
        error.message += "; the largest over an index is maximum[i](…)";
    }
    for (Expr* operand : call->operands)
      kindOf(operand, report);
    return ElemKind::Real;
  }

  switch (info.func) {
  case Func::Exp:
  case Func::Conj:
    return number(call->operands[0], report);
  case Func::Abs:
  case Func::Real:
  case Func::Imag:
    number(call->operands[0], report);
    return ElemKind::Real;
  case Func::Cis:
    real(call->operands[0], quoted, report);
    return ElemKind::Complex;
  case Func::Select: {
    ElemKind condition = kindOf(call->operands[0], report);
    if (condition == ElemKind::Complex && report)
      errorAt(call->operands[0],
              "expected a condition: a bool, a comparison or a real number, found a complex one");
    ElemKind left = number(call->operands[1], report);
    return join(left, number(call->operands[2], report));
  }
  default:
    for (Expr* operand : call->operands)
      real(operand, quoted, report);
    return ElemKind::Real;
  }
}

} // namespace ssmc::frontend
