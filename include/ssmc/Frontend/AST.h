//===- AST.h - The tree of a .ssm file --------------------------*- C++ -*-===//
//
// What the parser builds and the checker annotates. Nodes live in the arena of their File and are
// never freed one by one: they hold only references. Names refer to the text of the source buffer,
// so a File must not outlive the SourceMgr it was parsed from.
//
// A field marked "checked" is set by check() (Sema.h), and only in a file without errors is it
// always set.
//
//===----------------------------------------------------------------------===//

#ifndef SSMC_FRONTEND_AST_H
#define SSMC_FRONTEND_AST_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Allocator.h"
#include "llvm/Support/SMLoc.h"
#include <deque>
#include <optional>
#include <vector>

namespace ssmc::frontend::ast {

using llvm::ArrayRef;
using llvm::MutableArrayRef;
using llvm::SMLoc;
using llvm::StringRef;

/// What an element of an array is. Unknown: not yet inferred, or wrong.
enum class ElemKind : uint8_t { Unknown, Bool, Int, Real, Complex };

StringRef toString(ElemKind kind);

/// An identifier where it stands in the source.
struct Name {
  StringRef text;
  SMLoc loc;
};

/// The extent of an axis: a declared dim, or a number. Neither while unknown.
struct DimSize {
  StringRef symbol;
  int64_t size = 0;

  bool known() const { return !symbol.empty() || size != 0; }
  bool operator==(const DimSize& other) const = default;
};

/// Something that an index name stands for: an axis of a declaration, an index that the left side
/// of a statement introduces, or one bound by sum, maximum or fold.
struct IndexVar {
  Name name;         ///< empty for an axis of a declaration
  DimSize dim = {};  ///< checked
  SMLoc dimLoc = {}; ///< where `dim` was learned
};

struct Statement;

/// A named array of a recurrence.
struct Symbol {
  enum Kind : uint8_t { In, Param, State, Let, Out, FoldVar };

  Kind kind;
  Name name;
  ElemKind elem = ElemKind::Unknown;
  ArrayRef<IndexVar*> axes = {};   ///< in the order of the declaration or definition
  Statement* definition = nullptr; ///< of a State, Let or Out
  bool rankKnown = true;           ///< false after an error: then any number of indices is right
};

StringRef toString(Symbol::Kind kind);

//===----------------------------------------------------------------------===//
// Expressions
//===----------------------------------------------------------------------===//

/// One use of a macro: where an expression came from that does not stand where it is used.
struct MacroUse {
  Name macro; ///< at the use
  SMLoc definition;
  const MacroUse* outer; ///< the use in whose expansion this one stands, if any
};

/// An expression; children are uniform, `operands`, so that walks need not know each class.
struct Expr {
  enum Kind : uint8_t { Number, Ref, Call, Negate, Binary, Reduce, Delay, Fold };

  Kind kind;
  ElemKind elem = ElemKind::Unknown; ///< checked
  unsigned height = 1;               ///< of the tree below, bounded by the parser
  SMLoc loc;
  MutableArrayRef<Expr*> operands;
  const MacroUse* use = nullptr;
  ArrayRef<IndexVar*> labels; ///< checked: free indices, sorted by name

protected:
  Expr(Kind kind, SMLoc loc) : kind(kind), loc(loc) {}
};

/// A number, or `inf`.
struct NumberExpr : Expr {
  double value;

  NumberExpr(SMLoc loc, double value) : Expr(Number, loc), value(value) {}
  static bool classof(const Expr* e) { return e->kind == Number; }
};

/// A name with its indices.
struct RefExpr : Expr {
  Name name;
  ArrayRef<Name> indices;
  bool hasBrackets;              ///< `x[]` is refused by the parser, so: has indices
  Symbol* symbol = nullptr;      ///< checked
  ArrayRef<IndexVar*> indexVars; ///< checked; empty for a whole array (fold's start, init)

  RefExpr(Name name, ArrayRef<Name> indices)
      : Expr(Ref, name.loc), name(name), indices(indices), hasBrackets(!indices.empty()) {}
  static bool classof(const Expr* e) { return e->kind == Ref; }
};

enum class Func : uint8_t {
  Exp,
  Log,
  Sqrt,
  Rsqrt,
  Abs,
  Sign,
  Sin,
  Cos,
  Tanh,
  Sigmoid,
  Softplus,
  Silu,
  Relu,
  Min,
  Max,
  Pow,
  Select,
  Cis,
  Real,
  Imag,
  Conj
};

struct FuncInfo {
  StringRef name;
  Func func;
  unsigned minArgs, maxArgs; ///< maxArgs is 0 where there is no bound
};

/// All functions of the language.
ArrayRef<FuncInfo> allFuncs();
const FuncInfo* lookupFunc(StringRef name);
const FuncInfo& getInfo(Func func);

/// A call of a function; of a macro only before check(), which replaces it by its expansion.
struct CallExpr : Expr {
  Name callee;
  const FuncInfo* func; ///< null for a macro

  CallExpr(Name callee, const FuncInfo* func)
      : Expr(Call, callee.loc), callee(callee), func(func) {}
  static bool classof(const Expr* e) { return e->kind == Call; }
};

struct NegateExpr : Expr {
  explicit NegateExpr(SMLoc loc) : Expr(Negate, loc) {}
  static bool classof(const Expr* e) { return e->kind == Negate; }
};

enum class BinaryOp : uint8_t { Add, Sub, Mul, Div, Lt, Le, Gt, Ge, Eq, Ne };

StringRef toString(BinaryOp op);
inline bool isComparison(BinaryOp op) {
  return op >= BinaryOp::Lt;
}

/// Two operands and an operator; `loc` is the operator's.
struct BinaryExpr : Expr {
  BinaryOp op;

  BinaryExpr(SMLoc loc, BinaryOp op) : Expr(Binary, loc), op(op) {}
  static bool classof(const Expr* e) { return e->kind == Binary; }
};

/// `sum[i,j](e)` or `maximum[i,j](e)`.
struct ReduceExpr : Expr {
  bool isMax;
  ArrayRef<Name> indices;
  ArrayRef<IndexVar*> indexVars; ///< checked

  ReduceExpr(SMLoc loc, bool isMax, ArrayRef<Name> indices)
      : Expr(Reduce, loc), isMax(isMax), indices(indices) {}
  static bool classof(const Expr* e) { return e->kind == Reduce; }
};

/// One step of prev or next: how far along which time axis.
struct Step {
  std::optional<Name> axis;
  int64_t count = 1;
  SMLoc loc;
};

/// `prev(e, steps)` or `next(e, steps)`.
struct DelayExpr : Expr {
  bool isNext;
  ArrayRef<Step> steps;
  ArrayRef<int64_t> offsets; ///< checked: one per time axis; positive looks back, negative ahead

  DelayExpr(SMLoc loc, bool isNext, ArrayRef<Step> steps)
      : Expr(Delay, loc), isNext(isNext), steps(steps) {}
  static bool classof(const Expr* e) { return e->kind == Delay; }
};

/// `fold[s](M = start) body`; operands are start and body.
struct FoldExpr : Expr {
  Name step, variable;
  IndexVar* stepVar = nullptr;     ///< checked
  Symbol* symbol = nullptr;        ///< checked: the variable
  ArrayRef<IndexVar*> bodyIndices; ///< checked: the body's index for each axis of the variable

  FoldExpr(SMLoc loc, Name step, Name variable) : Expr(Fold, loc), step(step), variable(variable) {}
  static bool classof(const Expr* e) { return e->kind == Fold; }
  Expr* start() const { return operands[0]; }
  Expr* body() const { return operands[1]; }
};

//===----------------------------------------------------------------------===//
// Declarations and statements
//===----------------------------------------------------------------------===//

enum class Scope : uint8_t { Head, Group, Shared };

StringRef toString(Scope scope);

struct DimDecl {
  Name name;
  std::optional<int64_t> value; ///< the default
  SMLoc valueLoc;
};

/// A size where a declaration names one.
struct DimRef {
  DimSize dim;
  SMLoc loc;
};

/// An input, parameter or state.
struct OperandDecl {
  Symbol::Kind kind;
  Scope scope;
  Name name;
  ArrayRef<DimRef> dims;
  ElemKind elem;            ///< as declared, Real if not
  Expr* init;               ///< of a state, or null
  Symbol* symbol = nullptr; ///< checked; null if the name is defined twice
};

/// `let a[i] = e`, `out o[i] = e`, or the definition of a state.
struct Statement {
  Symbol::Kind kind; ///< Let, Out or State
  Name name;
  ArrayRef<Name> indices;
  ElemKind elem = ElemKind::Unknown;  ///< as declared for an out
  Expr* value = nullptr;              ///< null where the parser failed: only the name is known
  ArrayRef<IndexVar*> indexVars = {}; ///< checked
  Symbol* symbol = nullptr;           ///< checked; null if the name cannot be defined
};

/// A pointwise macro.
struct MacroDef {
  Name name;
  std::vector<Name> params;
  Expr* body; ///< null where the parser failed
};

struct Recurrence {
  Name name;
  std::vector<Name> timeAxes; ///< after check() never empty: `t` if none is declared
  std::vector<DimDecl> dims;
  std::vector<OperandDecl> operands;
  std::deque<Statement> statements;
  /// Something could not be parsed, so names may be missing.
  bool incomplete = false;
  SMLoc end;
  /// Checked: the statements such that each follows those whose current values it reads.
  std::vector<Statement*> order;
};

/// A parsed file. Owns all of its nodes.
class File {
public:
  std::vector<MacroDef> macros;
  std::deque<Recurrence> recurrences;
  SMLoc end;
  bool incomplete = false;

  /// A node in the arena.
  template <typename T, typename... Args> T* make(Args&&... args) {
    return new (arena.Allocate<T>()) T(std::forward<Args>(args)...);
  }

  /// A copy of `range` in the arena.
  template <typename Range> auto copy(const Range& range) {
    using T = std::decay_t<decltype(*range.begin())>;
    T* data = arena.Allocate<T>(range.size());
    std::uninitialized_copy(range.begin(), range.end(), data);
    return MutableArrayRef<T>(data, range.size());
  }

private:
  llvm::BumpPtrAllocator arena;
};

/// Trees higher than this are refused, so that every walk may recurse.
constexpr unsigned maxHeight = 1000;

/// Brackets, calls and minus signs nested deeper than this are refused.
constexpr unsigned maxNesting = 200;

} // namespace ssmc::frontend::ast

#endif // SSMC_FRONTEND_AST_H
