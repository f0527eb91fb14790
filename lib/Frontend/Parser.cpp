//===- Parser.cpp - Files, recurrences and recovery ------------------------===//

#include "ssmc/Frontend/Parser.h"
#include "ParserImpl.h"
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
      // A list of indices that is not closed still begins a statement where '=' follows.
      while (token(ahead).kind != Token::RBracket && token(ahead).kind != Token::Equal &&
             token(ahead).kind != Token::End && !token(ahead).startsLine)
        ++ahead;
      if (token(ahead).kind == Token::RBracket)
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

} // namespace ssmc::frontend
