//===- Lexer.cpp - Tokens of a .ssm file ----------------------------------===//

#include "Lexer.h"
#include "ssmc/Frontend/AST.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;

namespace ssmc::frontend {

StringRef describe(Token::Kind kind) {
  switch (kind) {
  case Token::Ident:
    return "a name";
  case Token::Def:
    return "'def'";
  case Token::Recurrence:
    return "'recurrence'";
  case Token::Int:
    return "an integer";
  case Token::Float:
    return "a number";
  case Token::LParen:
    return "'('";
  case Token::RParen:
    return "')'";
  case Token::LBracket:
    return "'['";
  case Token::RBracket:
    return "']'";
  case Token::LBrace:
    return "'{'";
  case Token::RBrace:
    return "'}'";
  case Token::Comma:
    return "','";
  case Token::Colon:
    return "':'";
  case Token::Equal:
    return "'='";
  case Token::End:
    return "the end of the file";
  default:
    return "a token";
  }
}

std::string Token::describe() const {
  if (kind == End)
    return "the end of the file";
  StringRef shown = text.take_front(40);
  return ("'" + shown + (shown.size() < text.size() ? "…'" : "'")).str();
}

static Token::Kind wordKind(StringRef word) {
  Token::Kind kind = StringSwitch<Token::Kind>(word)
                         .Case("def", Token::Def)
                         .Case("recurrence", Token::Recurrence)
                         .Case("time", Token::Time)
                         .Case("dim", Token::Dim)
                         .Case("in", Token::In)
                         .Case("param", Token::Param)
                         .Case("state", Token::State)
                         .Case("let", Token::Let)
                         .Case("out", Token::Out)
                         .Case("sum", Token::Sum)
                         .Case("maximum", Token::Maximum)
                         .Case("prev", Token::Prev)
                         .Case("next", Token::Next)
                         .Case("fold", Token::Fold)
                         .Case("inf", Token::Inf)
                         .Default(Token::Ident);
  return kind == Token::Ident && ast::lookupFunc(word) ? Token::Func : kind;
}

/// What a character of other notations is written as here, or an empty string.
static StringRef plainSpelling(StringRef character) {
  return StringSwitch<StringRef>(character)
      .Cases({"−", "–", "—"}, "'-'")
      .Cases({"·", "×", "∗", "⊙"}, "'*'")
      .Cases({"÷", "∕"}, "'/'")
      .Case("≤", "'<='")
      .Case("≥", "'>='")
      .Case("≠", "'!='")
      .Case("∞", "'inf'")
      .Cases({"Σ", "∑"}, "'sum'")
      .Case("^", "'pow(a, b)'")
      .Case("#", "'//'")
      .Case("!", "'!='")
      .Default("");
}

namespace {
class Lexer {
public:
  Lexer(StringRef text, Diagnostics& diags) : text(text), diags(diags) {}

  std::vector<Token> run() {
    while (skipBlanks())
      lexToken();
    add(Token::End, 0);
    return std::move(tokens);
  }

private:
  /// Skips white space and comments; false at the end of the text.
  bool skipBlanks();
  void lexToken();
  void lexNumber();
  void lexUnknown();

  void add(Token::Kind kind, size_t length) {
    tokens.push_back({kind, startsLine, text.substr(at, length)});
    startsLine = false;
    at += length;
  }

  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : 0; }

  StringRef text;
  Diagnostics& diags;
  size_t at = 0;
  bool startsLine = true;
  std::vector<Token> tokens;
};
} // namespace

bool Lexer::skipBlanks() {
  while (at < text.size()) {
    char c = text[at];
    if (c == '\n' || c == '\r') {
      startsLine = true;
      ++at;
    } else if (c == ' ' || c == '\t' || c == '\f' || c == '\v') {
      ++at;
    } else if (c == '/' && peek(1) == '/') {
      at = std::min(text.find_first_of("\r\n", at), text.size());
    } else if (at == 0 && text.starts_with("\xef\xbb\xbf")) {
      at = 3; // a byte order mark
    } else {
      return true;
    }
  }
  return false;
}

void Lexer::lexToken() {
  char c = text[at];
  if (isAlpha(c) || c == '_') {
    size_t length =
        text.substr(at).take_while([](char d) { return isAlnum(d) || d == '_'; }).size();
    return add(wordKind(text.substr(at, length)), length);
  }
  if (isDigit(c) || (c == '.' && isDigit(peek(1))))
    return lexNumber();

  bool equalFollows = peek(1) == '=';
  switch (c) {
  case '(':
    return add(Token::LParen, 1);
  case ')':
    return add(Token::RParen, 1);
  case '[':
    return add(Token::LBracket, 1);
  case ']':
    return add(Token::RBracket, 1);
  case '{':
    return add(Token::LBrace, 1);
  case '}':
    return add(Token::RBrace, 1);
  case ',':
    return add(Token::Comma, 1);
  case ':':
    return add(Token::Colon, 1);
  case '+':
    return add(Token::Plus, 1);
  case '-':
    return add(Token::Minus, 1);
  case '*':
    return add(Token::Star, 1);
  case '/':
    return add(Token::Slash, 1);
  case '=':
    return equalFollows ? add(Token::EqualEqual, 2) : add(Token::Equal, 1);
  case '<':
    return equalFollows ? add(Token::LessEqual, 2) : add(Token::Less, 1);
  case '>':
    return equalFollows ? add(Token::GreaterEqual, 2) : add(Token::Greater, 1);
  case '!':
    if (equalFollows)
      return add(Token::NotEqual, 2);
    [[fallthrough]];
  default:
    return lexUnknown();
  }
}

void Lexer::lexNumber() {
  auto digits = [&](size_t from) {
    while (isDigit(peek(from)))
      ++from;
    return from;
  };
  size_t length = digits(0);
  bool isInt = true;
  if (peek(length) == '.') {
    isInt = false;
    length = digits(length + 1);
  }
  if (peek(length) == 'e' || peek(length) == 'E') {
    size_t sign = peek(length + 1) == '+' || peek(length + 1) == '-';
    if (isDigit(peek(length + 1 + sign))) {
      isInt = false;
      length = digits(length + 1 + sign);
    }
  }
  size_t rest = length;
  while (isAlnum(peek(rest)) || peek(rest) == '_' || peek(rest) == '.')
    ++rest;
  if (rest == length)
    return add(isInt ? Token::Int : Token::Float, length);
  diags.error(SMLoc::getFromPointer(text.data() + at),
              "'" + text.substr(at, std::min<size_t>(rest, 40)) +
                  "' is neither a number nor a name");
  add(Token::Unknown, rest);
}

void Lexer::lexUnknown() {
  SMLoc loc = SMLoc::getFromPointer(text.data() + at);
  auto characterLength = [&]() -> size_t {
    auto* begin = reinterpret_cast<const UTF8*>(text.data() + at);
    auto* end = reinterpret_cast<const UTF8*>(text.end());
    return isLegalUTF8Sequence(begin, end) ? getNumBytesForUTF8(*begin) : 0;
  };
  // One message for a run of bytes that are no text.
  size_t length = characterLength();
  if (length == 0 || text[at] == 0) {
    diags.error(loc, length ? "unexpected NUL byte; a .ssm file is text" : "invalid UTF-8");
    size_t begin = at;
    while (at < text.size() && (length ? text[at] == 0 : characterLength() == 0))
      ++at;
    length = at - begin;
    at = begin;
    return add(Token::Unknown, length);
  }

  StringRef character = text.substr(at, length);
  unsigned char first = character.front();
  if (first == ';') {
    diags.error(loc, "unexpected ';'; a statement ends where the next one begins");
    ++at; // and nothing is wrong with the statement
    return;
  }
  if (first < 0x20 || first == 0x7f)
    diags.error(loc, "unexpected control character 0x" + toHex(character));
  else if (StringRef plain = plainSpelling(character); !plain.empty())
    diags.error(loc, "unexpected '" + character + "'; did you mean " + plain + "?");
  else
    diags.error(loc, "unexpected '" + character + "'");
  add(Token::Unknown, length);
}

std::vector<Token> lex(StringRef text, Diagnostics& diags) {
  return Lexer(text, diags).run();
}

} // namespace ssmc::frontend
