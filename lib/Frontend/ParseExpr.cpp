//===- ParseExpr.cpp - Expressions ----------------------------------------===//
//
// Precedence, from the weakest: comparison (not associative), + -, * /, unary minus, primary.
//
//===----------------------------------------------------------------------===//

#include "ParserImpl.h"
#include "llvm/ADT/ScopeExit.h"
#include <cmath>

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

Expr* Parser::adopt(Expr* e, ArrayRef<Expr*> children) {
  e->operands = file.copy(children);
  for (Expr* child : children)
    e->height = std::max(e->height, child->height + 1);
  if (e->height <= maxHeight)
    return e;
  diags.error(e->loc, "expression of more than " + Twine(maxHeight) +
                          " operations in a row; give parts of it names with 'let'");
  return nullptr;
}

static std::optional<BinaryOp> comparison(Token::Kind kind) {
  switch (kind) {
  case Token::Less:
    return BinaryOp::Lt;
  case Token::LessEqual:
    return BinaryOp::Le;
  case Token::Greater:
    return BinaryOp::Gt;
  case Token::GreaterEqual:
    return BinaryOp::Ge;
  case Token::EqualEqual:
    return BinaryOp::Eq;
  case Token::NotEqual:
    return BinaryOp::Ne;
  default:
    return std::nullopt;
  }
}

Expr* Parser::parseExpr() {
  Expr* left = parseSum();
  if (!left)
    return nullptr;
  std::optional<BinaryOp> op = comparison(token().kind);
  if (!op)
    return left;
  Token first = take();
  Expr* right = parseSum();
  if (!right)
    return nullptr;
  if (comparison(token().kind)) {
    diags.error(token().loc(), "comparisons cannot be chained")
        .note(first.loc(), "the first comparison");
    return nullptr;
  }
  return adopt(file.make<BinaryExpr>(first.loc(), *op), {left, right});
}

Expr* Parser::parseSum() {
  Expr* left = parseProduct();
  while (left && (at(Token::Plus) || at(Token::Minus))) {
    Token op = take();
    Expr* right = parseProduct();
    if (!right)
      return nullptr;
    left = adopt(
        file.make<BinaryExpr>(op.loc(), op.kind == Token::Plus ? BinaryOp::Add : BinaryOp::Sub),
        {left, right});
  }
  return left;
}

Expr* Parser::parseProduct() {
  Expr* left = parseNegation();
  while (left && (at(Token::Star) || at(Token::Slash))) {
    Token op = take();
    Expr* right = parseNegation();
    if (!right)
      return nullptr;
    left = adopt(
        file.make<BinaryExpr>(op.loc(), op.kind == Token::Star ? BinaryOp::Mul : BinaryOp::Div),
        {left, right});
  }
  return left;
}

Expr* Parser::parseNegation() {
  // All recursion of the expression grammar passes through here.
  if (nesting >= maxNesting) {
    diags.error(token().loc(), "expression nested deeper than " + Twine(maxNesting) + " levels");
    return nullptr;
  }
  ++nesting;
  scope_exit leave([&] { --nesting; });
  if (!at(Token::Minus))
    return parsePrimary();
  Token minus = take();
  Expr* operand = parseNegation();
  return operand ? adopt(file.make<NegateExpr>(minus.loc()), operand) : nullptr;
}

Expr* Parser::parsePrimary() {
  switch (token().kind) {
  case Token::Int:
  case Token::Float:
    return parseNumber();
  case Token::Inf:
    return file.make<NumberExpr>(take().loc(), INFINITY);
  case Token::Ident:
    return token(1).kind == Token::LParen ? parseCall() : parseRef();
  case Token::Func:
    return parseCall();
  case Token::Sum:
  case Token::Maximum:
    return parseReduce();
  case Token::Prev:
  case Token::Next:
    return parseDelay();
  case Token::Fold:
    return parseFold();
  case Token::LParen:
    return parseBracketed();
  case Token::Plus:
    diags.error(token().loc(), "expected an expression; there is no unary '+'");
    return nullptr;
  default:
    expected("an expression");
    return nullptr;
  }
}

Expr* Parser::parseNumber() {
  Token number = take();
  double value = 0;
  if (number.text.size() > 400 || number.text.getAsDouble(value) || std::isinf(value)) {
    diags.error(number.loc(), "number out of the range of a 64 bit float; infinity is 'inf'");
    value = 0;
  }
  return file.make<NumberExpr>(number.loc(), value);
}

bool Parser::parseIndices(ArrayRef<Name>& indices, StringRef what) {
  Token opening = take();
  SmallVector<Name> names;
  do {
    if (at(Token::Int)) {
      diags.error(token().loc(),
                  "expected the name of " + what + ", found a number; an index is always a name");
      return false;
    }
    Name index;
    if (!expectName(index, what))
      return false;
    names.push_back(index);
  } while (accept(Token::Comma));
  indices = file.copy(names);
  return expectClosing(Token::RBracket, opening, "',' or ");
}

Expr* Parser::parseRef() {
  Token ident = take();
  ArrayRef<Name> indices;
  if (at(Token::LBracket) && !parseIndices(indices, "an index"))
    return nullptr;
  return file.make<RefExpr>(Name{ident.text, ident.loc()}, indices);
}

Expr* Parser::parseCall() {
  Token callee = take();
  Token opening = token();
  if (!expect(Token::LParen, "after '" + callee.text + "'"))
    return nullptr;
  SmallVector<Expr*> args;
  if (!at(Token::RParen)) {
    do {
      Expr* arg = parseExpr();
      if (!arg)
        return nullptr;
      args.push_back(arg);
    } while (accept(Token::Comma));
  }
  if (!expectClosing(Token::RParen, opening, "an operator, ',' or "))
    return nullptr;
  const FuncInfo* func = callee.kind == Token::Func ? lookupFunc(callee.text) : nullptr;
  return adopt(file.make<CallExpr>(Name{callee.text, callee.loc()}, func), args);
}

Expr* Parser::parseReduce() {
  Token keyword = take();
  if (!at(Token::LBracket)) {
    diags.error(
        token().loc(),
        "expected '[' and the indices to reduce after '" + keyword.text + "', found " +
            token().describe() +
            (keyword.kind == Token::Maximum ? "; the larger of two values is max(a, b)" : ""));
    return nullptr;
  }
  ArrayRef<Name> indices;
  if (!parseIndices(indices, "an index"))
    return nullptr;
  Token opening = token();
  if (!expect(Token::LParen, "after the indices of '" + keyword.text + "'"))
    return nullptr;
  Expr* body = parseExpr();
  if (!body || !expectClosing(Token::RParen, opening, "an operator or "))
    return nullptr;
  return adopt(file.make<ReduceExpr>(keyword.loc(), keyword.kind == Token::Maximum, indices), body);
}

bool Parser::parseStep(Step& step) {
  step.loc = token().loc();
  if (at(Token::Ident)) {
    Token axis = take();
    step.axis = Name{axis.text, axis.loc()};
    if (!accept(Token::Colon))
      return true;
  } else if (!at(Token::Int) && !at(Token::Minus)) {
    return expected("a step: a number, or a time axis");
  }
  return parsePositive(step.count, "a step");
}

Expr* Parser::parseDelay() {
  Token keyword = take();
  Token opening = token();
  if (!expect(Token::LParen, "after '" + keyword.text + "'"))
    return nullptr;
  Expr* body = parseExpr();
  if (!body)
    return nullptr;
  SmallVector<Step> steps;
  while (accept(Token::Comma)) {
    Step step;
    if (!parseStep(step))
      return nullptr;
    steps.push_back(step);
  }
  if (!expectClosing(Token::RParen, opening, "an operator, ',' or "))
    return nullptr;
  return adopt(file.make<DelayExpr>(keyword.loc(), keyword.kind == Token::Next, file.copy(steps)),
               body);
}

Expr* Parser::parseFold() {
  Token keyword = take();
  if (!at(Token::LBracket)) {
    expected("'[' and the index of the steps after 'fold'");
    return nullptr;
  }
  ArrayRef<Name> indices;
  if (!parseIndices(indices, "the step index"))
    return nullptr;
  if (indices.size() != 1) {
    diags.error(indices[1].loc, "a fold steps over one index");
    return nullptr;
  }
  Token opening = token();
  Name variable;
  if (!expect(Token::LParen, "after 'fold[" + indices[0].text + "]'") ||
      !expectName(variable, "the variable of the fold"))
    return nullptr;
  if (!accept(Token::Equal)) {
    expected("'=' and the start of the fold");
    return nullptr;
  }
  Expr* start = parseExpr();
  if (!start || !expectClosing(Token::RParen, opening))
    return nullptr;
  Expr* body = parseExpr();
  if (!body)
    return nullptr;
  return adopt(file.make<FoldExpr>(keyword.loc(), indices[0], variable), {start, body});
}

Expr* Parser::parseBracketed() {
  Token opening = take();
  Expr* inner = parseExpr();
  if (!inner || !expectClosing(Token::RParen, opening, "an operator or "))
    return nullptr;
  return inner;
}

} // namespace ssmc::frontend
