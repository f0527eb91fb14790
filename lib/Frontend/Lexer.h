//===- Lexer.h - Tokens of a .ssm file --------------------------*- C++ -*-===//

#ifndef SSMC_LIB_FRONTEND_LEXER_H
#define SSMC_LIB_FRONTEND_LEXER_H

#include "ssmc/Frontend/Diagnostics.h"
#include "llvm/ADT/StringRef.h"
#include <vector>

namespace ssmc::frontend {

struct Token {
  enum Kind : uint8_t {
    // Names: an identifier of the user's, a reserved word that begins a declaration or statement
    // (Def … Out), or one that stands in an expression.
    Ident,
    Def,
    Recurrence,
    Time,
    Dim,
    In,
    Param,
    State,
    Let,
    Out,
    Sum,
    Maximum,
    Prev,
    Next,
    Fold,
    Inf,
    Func,
    Int,
    Float,
    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Comma,
    Colon,
    Equal,
    Plus,
    Minus,
    Star,
    Slash,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    EqualEqual,
    NotEqual,
    Unknown, ///< reported by the lexer
    End
  };

  Kind kind;
  bool startsLine; ///< the first of its line; where a parser that lost its way starts again
  llvm::StringRef text;

  llvm::SMLoc loc() const { return llvm::SMLoc::getFromPointer(text.begin()); }
  bool isWord() const { return kind <= Func; }
  bool isReserved() const { return kind > Ident && kind <= Func; }
  /// How a message names this token.
  std::string describe() const;
};

/// How a message names a token of this kind: "'('", "a name", …
llvm::StringRef describe(Token::Kind kind);

/// Splits `text` into tokens, the last one End. Bytes that belong to no token are reported and
/// skipped.
std::vector<Token> lex(llvm::StringRef text, Diagnostics& diags);

} // namespace ssmc::frontend

#endif // SSMC_LIB_FRONTEND_LEXER_H
