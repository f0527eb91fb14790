//===- Parser.cpp - Declarations and statements ---------------------------===//

#include "ssmc/Frontend/Parser.h"
#include "ParserImpl.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

/// Sizes are 32 bit quantities nearly everywhere below, so more is refused here.
static constexpr int64_t maxSize = INT32_MAX;

std::unique_ptr<File> parseFile(const SourceMgr& sources, Diagnostics& diags) {
  auto file = std::make_unique<File>();
  StringRef text = sources.getMemoryBuffer(sources.getMainFileID())->getBuffer();
  Parser(lex(text, diags), *file, diags).parseFile();
  return file;
}

//===----------------------------------------------------------------------===//
// Tokens
//===----------------------------------------------------------------------===//

SMLoc Parser::gap() const {
  if (next == 0 || !(token().startsLine || at(Token::End)))
    return token().loc();
  return SMLoc::getFromPointer(tokens[next - 1].text.end());
}

bool Parser::expected(const Twine& what) {
  if (at(Token::Unknown))
    return false; // the lexer reported it
  diags.error(gap(), "expected " + what + ", found " + token().describe());
  return false;
}

bool Parser::expect(Token::Kind kind, const Twine& where) {
  return accept(kind) || expected(describe(kind) + " " + where);
}

bool Parser::expectClosing(Token::Kind kind, const Token& opening, const Twine& also) {
  if (accept(kind))
    return true;
  if (at(Token::Unknown))
    return false;
  diags.error(gap(), "expected " + also + describe(kind) + ", found " + token().describe())
      .note(opening.loc(), "to match this " + opening.describe());
  return false;
}

bool Parser::expectName(Name& name, StringRef what) {
  if (at(Token::Ident)) {
    Token ident = take();
    name = {ident.text, ident.loc()};
    return true;
  }
  if (token().isReserved()) {
    diags.error(token().loc(), "expected the name of " + what + ", but " + token().describe() +
                                   " is a reserved word");
    return false;
  }
  return expected("the name of " + what);
}

bool Parser::parsePositive(int64_t& value, StringRef what) {
  SMLoc loc = token().loc();
  bool isNegative = at(Token::Minus) && token(1).kind == Token::Int;
  if (isNegative)
    take();
  if (!at(Token::Int))
    return expected("a positive integer as " + what);
  bool isHuge = take().text.getAsInteger(10, value) || value > maxSize;
  if (!isNegative && !isHuge && value > 0)
    return true;
  // The text is in order, so that what follows can be parsed.
  diags.error(loc, what + " must be from 1 to " + Twine(maxSize));
  value = 1;
  return true;
}

//===----------------------------------------------------------------------===//
// Files and recurrences
//===----------------------------------------------------------------------===//

void Parser::parseFile() {
  while (!at(Token::End)) {
    if (at(Token::Recurrence)) {
      parseRecurrence();
      continue;
    }
    if (at(Token::Def)) {
      if (parseMacro())
        continue;
    } else {
      file.incomplete = true;
      if (!at(Token::Unknown))
        diags.error(token().loc(), "expected 'recurrence' or 'def', found " + token().describe());
    }
    while (!at(Token::End) && !(token().startsLine && (at(Token::Def) || at(Token::Recurrence))))
      take();
  }
  file.end = token().loc();
}

bool Parser::parseMacro() {
  take();
  MacroDef macro;
  macro.body = nullptr;
  if (!expectName(macro.name, "a macro")) {
    file.incomplete = true;
    return false;
  }
  auto parseRest = [&] {
    if (!expect(Token::LParen, "after the name of a macro"))
      return false;
    Token opening = tokens[next - 1];
    do {
      Name param;
      if (!expectName(param, "a parameter"))
        return false;
      macro.params.push_back(param);
    } while (accept(Token::Comma));
    if (!expectClosing(Token::RParen, opening, "',' or ") ||
        !expect(Token::Equal, "after the parameters of a macro"))
      return false;
    macro.body = parseExpr();
    return macro.body != nullptr;
  };
  bool parsed = parseRest();
  // Even without a body: a use of it is not one of an undefined name.
  file.macros.push_back(std::move(macro));
  if (parsed && !at(Token::End) && !at(Token::Def) && !at(Token::Recurrence))
    return expected("an operator, 'def' or 'recurrence' after the body of a macro");
  return parsed;
}

void Parser::parseRecurrence() {
  take();
  Recurrence& rec = file.recurrences.emplace_back();
  rec.name.loc = token().loc();
  if (!expectName(rec.name, "a recurrence") || !expect(Token::LBrace, "to begin the recurrence")) {
    rec.incomplete = true;
    // A missing name or brace should not hide the errors of the body.
    while (!at(Token::End) && !at(Token::LBrace) && !beginsItem() && !at(Token::RBrace) &&
           !at(Token::Recurrence) && !at(Token::Def))
      take();
    accept(Token::LBrace);
  }
  Token opening = tokens[next - 1];
  while (!at(Token::End) && !at(Token::RBrace) && !at(Token::Recurrence) && !at(Token::Def)) {
    if (!parseItem(rec)) {
      skipToItem();
      continue;
    }
    if (!at(Token::End) && !at(Token::RBrace) && !at(Token::Recurrence) && !at(Token::Def) &&
        !beginsItem()) {
      expected("an operator, the next statement, or '}'");
      skipToItem();
    }
  }
  rec.end = token().loc();
  if (!accept(Token::RBrace)) {
    diags
        .error(at(Token::End) ? gap() : token().loc(),
               "expected '}' to end the recurrence, found " + token().describe())
        .note(opening.loc(), "the recurrence begins here");
  }
}

/// Whether a declaration or statement can begin here. The names of states begin a statement only
/// where a '=' follows, so that a continued line is not taken for one.
bool Parser::beginsItem() const {
  switch (token().kind) {
  case Token::Time:
  case Token::Dim:
  case Token::In:
  case Token::Param:
  case Token::State:
  case Token::Let:
  case Token::Out:
    return true;
  case Token::Ident: {
    size_t ahead = 1;
    if (token(ahead).kind == Token::LBracket) {
      while (token(ahead).kind != Token::RBracket && token(ahead).kind != Token::End &&
             !token(ahead).startsLine)
        ++ahead;
      ++ahead;
    }
    return token(ahead).kind == Token::Equal;
  }
  default:
    return false;
  }
}

/// Skips what is left of a statement that could not be parsed. The next one begins on a line of its
/// own, with something that cannot continue the line before.
void Parser::skipToItem() {
  for (bool skipped = false; !at(Token::End); take(), skipped = true) {
    Token::Kind last = next ? tokens[next - 1].kind : Token::End;
    bool mayContinue = last >= Token::LParen && last != Token::RParen && last != Token::RBracket;
    bool isOperand = token().isWord() || at(Token::Int) || at(Token::Float);
    if (token().startsLine && (at(Token::Recurrence) || at(Token::Def) || at(Token::RBrace) ||
                               beginsItem() || (skipped && isOperand && !mayContinue)))
      return;
    // A one-line recurrence closes in mid-line.
    if (at(Token::RBrace))
      return;
  }
}

bool Parser::parseItem(Recurrence& rec) {
  switch (token().kind) {
  case Token::Time:
    return parseTime(rec);
  case Token::Dim:
    return parseDims(rec);
  case Token::In:
    return parseOperands(rec, Symbol::In);
  case Token::Param:
    return parseOperands(rec, Symbol::Param);
  case Token::State:
    return parseOperands(rec, Symbol::State);
  case Token::Let:
    take();
    return parseStatement(rec, Symbol::Let);
  case Token::Out:
    take();
    return parseStatement(rec, Symbol::Out);
  case Token::Ident:
    return parseStatement(rec, Symbol::State);
  default:
    rec.incomplete = true;
    if (token().isReserved() && (token(1).kind == Token::Equal)) {
      diags.error(token().loc(), token().describe() + " is a reserved word and cannot be defined");
      return false;
    }
    if (!at(Token::Unknown))
      diags.error(token().loc(),
                  "expected a declaration or a statement, found " + token().describe());
    return false;
  }
}

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
