//===- ParserImpl.h - Recursive descent -------------------------*- C++ -*-===//
//
// A function that parses one construct returns null, or false, after it has reported an error; its
// callers return at once, up to the statement, which skips to the next one. So a statement has at
// most one syntax error, and all statements are seen.
//
//===----------------------------------------------------------------------===//

#ifndef SSMC_LIB_FRONTEND_PARSERIMPL_H
#define SSMC_LIB_FRONTEND_PARSERIMPL_H

#include "Lexer.h"
#include "ssmc/Frontend/AST.h"

namespace ssmc::frontend {

class Parser {
public:
  Parser(std::vector<Token> tokens, ast::File& file, Diagnostics& diags)
      : tokens(std::move(tokens)), file(file), diags(diags) {}

  void parseFile();

private:
  // Parser.cpp: files, recurrences and recovery.
  bool parseMacro();
  void parseRecurrence();
  bool parseItem(ast::Recurrence& rec);
  void skipToItem();
  bool beginsItem() const;

  // ParseDecl.cpp: declarations and statements.
  bool parseTime(ast::Recurrence& rec);
  bool parseDims(ast::Recurrence& rec);
  bool parseOperands(ast::Recurrence& rec, ast::Symbol::Kind kind);
  bool parseOperand(ast::Recurrence& rec, ast::Symbol::Kind kind, ast::Scope scope);
  bool parseScope(ast::Scope& scope);
  bool parseElemKind(ast::ElemKind& kind);
  bool parseStatement(ast::Recurrence& rec, ast::Symbol::Kind kind);

  // ParseExpr.cpp: expressions.
  ast::Expr* parseExpr();
  ast::Expr* parseSum();
  ast::Expr* parseProduct();
  ast::Expr* parseNegation();
  ast::Expr* parsePrimary();
  ast::Expr* parseNumber();
  ast::Expr* parseRef();
  ast::Expr* parseCall();
  ast::Expr* parseReduce();
  ast::Expr* parseDelay();
  ast::Expr* parseFold();
  ast::Expr* parseBracketed();
  bool parseStep(ast::Step& step);
  bool parseIndices(llvm::ArrayRef<ast::Name>& indices, llvm::StringRef what);
  /// Gives `e` its children; null, with an error, if the tree becomes too high.
  ast::Expr* adopt(ast::Expr* e, llvm::ArrayRef<ast::Expr*> children);

  // Tokens.
  const Token& token(size_t ahead = 0) const {
    return tokens[std::min(next + ahead, tokens.size() - 1)];
  }
  bool at(Token::Kind kind) const { return token().kind == kind; }
  Token take() {
    Token taken = token();
    if (next + 1 < tokens.size())
      ++next;
    return taken;
  }
  bool accept(Token::Kind kind) {
    if (!at(kind))
      return false;
    take();
    return true;
  }
  /// Takes a token of this kind, or reports that it was expected `where`.
  bool expect(Token::Kind kind, const llvm::Twine& where);
  /// Takes a closing bracket, or reports it missing and points at the opening one.
  bool expectClosing(Token::Kind kind, const Token& opening, const llvm::Twine& also = "");
  /// Takes a name; `what` says of what.
  bool expectName(ast::Name& name, llvm::StringRef what);
  /// Reports that `what` was expected instead of the next token; returns false.
  bool expected(const llvm::Twine& what);
  /// Where something is missing: at the next token or, where that is on another line, right after
  /// the last one.
  llvm::SMLoc gap() const;
  /// Takes a positive integer that fits a size.
  bool parsePositive(int64_t& value, llvm::StringRef what);

  std::vector<Token> tokens;
  size_t next = 0;
  unsigned nesting = 0;
  ast::File& file;
  Diagnostics& diags;
};

} // namespace ssmc::frontend

#endif // SSMC_LIB_FRONTEND_PARSERIMPL_H
