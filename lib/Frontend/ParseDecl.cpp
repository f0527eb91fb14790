//===- ParseDecl.cpp - Declarations and statements ------------------------===//

#include "ParserImpl.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

bool Parser::parseTime(Recurrence& rec) {
  take();
  do {
    Name axis;
    if (!expectName(axis, "a time axis")) {
      rec.incomplete = true;
      return false;
    }
    rec.timeAxes.push_back(axis);
  } while (accept(Token::Comma));
  return true;
}

bool Parser::parseDims(Recurrence& rec) {
  take();
  do {
    DimDecl dim;
    if (!expectName(dim.name, "a dim")) {
      rec.incomplete = true;
      return false;
    }
    DimDecl& added = rec.dims.emplace_back(dim);
    if (!accept(Token::Equal))
      continue;
    added.valueLoc = token().loc();
    int64_t value;
    if (!parsePositive(value, "the size of a dim")) {
      rec.incomplete = true;
      return false;
    }
    added.value = value;
  } while (accept(Token::Comma));
  return true;
}

bool Parser::parseScope(Scope& scope) {
  Token opening = take();
  std::optional<Scope> parsed = StringSwitch<std::optional<Scope>>(token().text)
                                    .Case("head", Scope::Head)
                                    .Case("group", Scope::Group)
                                    .Case("shared", Scope::Shared)
                                    .Default(std::nullopt);
  if (!parsed)
    return expected("'head', 'group' or 'shared'");
  take();
  scope = *parsed;
  return expectClosing(Token::RParen, opening);
}

bool Parser::parseElemKind(ElemKind& kind) {
  ElemKind parsed = StringSwitch<ElemKind>(token().text)
                        .Case("real", ElemKind::Real)
                        .Case("complex", ElemKind::Complex)
                        .Case("bool", ElemKind::Bool)
                        .Case("int", ElemKind::Int)
                        .Default(ElemKind::Unknown);
  if (parsed == ElemKind::Unknown)
    return expected("'real', 'complex', 'bool' or 'int'");
  take();
  kind = parsed;
  return true;
}

bool Parser::parseOperands(Recurrence& rec, Symbol::Kind kind) {
  take();
  Scope scope = Scope::Head;
  if (at(Token::LParen)) {
    if (kind == Symbol::State) {
      diags.error(token().loc(), "a state has no scope: there is one for each head");
      rec.incomplete = true;
      return false;
    }
    if (!parseScope(scope)) {
      rec.incomplete = true;
      return false;
    }
  }
  do {
    if (!parseOperand(rec, kind, scope)) {
      rec.incomplete = true;
      return false;
    }
  } while (accept(Token::Comma));
  return true;
}

bool Parser::parseOperand(Recurrence& rec, Symbol::Kind kind, Scope scope) {
  OperandDecl operand{kind, scope, {}, {}, ElemKind::Real, nullptr};
  StringRef what = kind == Symbol::In      ? "an input"
                   : kind == Symbol::Param ? "a parameter"
                                           : "a state";
  if (!expectName(operand.name, what))
    return false;

  if (at(Token::LBracket)) {
    Token opening = take();
    SmallVector<DimRef> dims;
    do {
      DimRef dim{{}, token().loc()};
      if (at(Token::Int)) {
        if (!parsePositive(dim.dim.size, "a size"))
          return false;
      } else if (at(Token::Ident)) {
        dim.dim.symbol = take().text;
      } else {
        return expected("a dim");
      }
      dims.push_back(dim);
    } while (accept(Token::Comma));
    if (!expectClosing(Token::RBracket, opening, "',' or "))
      return false;
    operand.dims = file.copy(dims);
  }
  if (accept(Token::Colon) && !parseElemKind(operand.elem))
    return false;
  if (at(Token::Equal)) {
    if (kind != Symbol::State) {
      diags.error(token().loc(), "only a state has an initial value; the values of " + what +
                                     " are supplied when running");
      return false;
    }
    take();
    operand.init = parseExpr();
    if (!operand.init)
      return false;
  }
  rec.operands.push_back(operand);
  return true;
}

bool Parser::parseStatement(Recurrence& rec, Symbol::Kind kind) {
  Statement stmt{kind, {}, {}};
  StringRef what = kind == Symbol::Let ? "a let" : kind == Symbol::Out ? "an out" : "a state";
  if (!expectName(stmt.name, what)) {
    rec.incomplete = true;
    return false;
  }
  bool parsed = !at(Token::LBracket) || parseIndices(stmt.indices, "an index");
  if (!parsed) // Of unknown rank: better not known at all.
    rec.incomplete = true;
  else if (kind == Symbol::Out && accept(Token::Colon))
    parsed = parseElemKind(stmt.elem);
  if (parsed && !accept(Token::Equal))
    parsed = kind == Symbol::State && stmt.indices.empty()
                 ? expected("'=' or '[' to define a state, or a declaration")
                 : expected("'=' after the left side");
  if (parsed)
    stmt.value = parseExpr();
  if (parsed || !rec.incomplete)
    rec.statements.push_back(stmt);
  return stmt.value != nullptr;
}

} // namespace ssmc::frontend
