/// Labelled expressions in canonical shape: the algebra that the analysis and the derivations
/// compute in.
///
/// A recurrence's values are read into expressions, rearranged, and written back as ops.
/// Expressions are immutable and unique within their context, so two are equal exactly when they
/// are the same pointer. The constructors keep this shape:
///
///   sums are flat, like terms are merged, a product's number is its first factor;
///   products are flat and sorted by key; exponentials in one product are merged where that does
///     not enlarge the array that the exponential is taken of;
///   x / y is x * recip(y), -x is (-1) * x;
///   a gate is a sigmoid, however it is written (Logarithms.cpp), and what both arms of a selection
///     have in common stands outside of it (Selections.cpp);
///   the labels that a `Sum` binds have canonical names, made from their extent, so that renaming
///     a bound index does not change the expression.
///
/// The key of an expression is made from its structure and the names of operands, never from the
/// order in which a declaration was written: equal steps meet in one expression.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/FunctionExtras.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

#include <memory>

namespace ssmc::analysis {

struct Node;
using Expr = const Node*;
using Renaming = llvm::SmallVector<std::pair<llvm::StringRef, llvm::StringRef>, 4>;
/// The labels of two lists side by side.
Renaming renamingOf(mlir::ArrayAttr from, mlir::ArrayAttr to);
/// What a label is called by a renaming: itself where that does not name it.
llvm::StringRef nameBy(const Renaming& renaming, llvm::StringRef label);

struct Node {
  enum class Kind { Constant, Leaf, Add, Mul, Func, Sum, Maximum };
  Kind kind;
  ssm::ArrayType type;
  std::string key;
  mlir::Location location;
  llvm::SmallVector<Expr, 2> operands;
  /// Constant: its value.
  double value = 0;
  /// Leaf: a value of the recurrence, and how its labels are renamed.
  mlir::Value leaf;
  Renaming renaming;
  /// Func: the op's name, or `recip` (1/x), or `unless` (0 where the operand holds,
  /// else 1), and attributes.
  std::string function;
  mlir::DictionaryAttr attributes;
  /// Sum, Maximum: the labels bound.
  llvm::SmallVector<llvm::StringRef, 2> bound;
  /// The values of all leaves below, each once, so that questions about them need no walk:
  /// expressions share parts, and a walk over a shared part again and again takes exponential time.
  llvm::SmallVector<mlir::Value, 4> leaves;

  bool is(Kind other) const { return kind == other; }
  bool isFunc(llvm::StringRef name) const { return kind == Kind::Func && function == name; }
  bool isConstant(double number) const { return kind == Kind::Constant && value == number; }
};

class ExprContext {
public:
  explicit ExprContext(mlir::MLIRContext* context);
  ~ExprContext();
  mlir::MLIRContext* getContext() { return context; }

  Expr constant(double value);
  /// A value under a name that tells it from all others.
  Expr leaf(mlir::Value value, llvm::StringRef name, const Renaming& renaming = {});
  Expr add(llvm::ArrayRef<Expr> terms);
  Expr mul(llvm::ArrayRef<Expr> factors);
  Expr neg(Expr operand) { return mul({constant(-1), operand}); }
  Expr recip(Expr operand);
  Expr func(llvm::StringRef name, mlir::Type element, llvm::ArrayRef<Expr> operands,
            mlir::DictionaryAttr attributes = {}, std::optional<mlir::Location> location = {});
  Expr sum(Expr operand, llvm::ArrayRef<llvm::StringRef> labels);
  Expr maximum(Expr operand, llvm::ArrayRef<llvm::StringRef> labels);
  /// The logarithm of what is positive for certain, as far as it is no dearer to compute than the
  /// expression and nothing in it overflows where the expression does not; null for all else.
  Expr logOf(Expr expr);
  /// The truth of `not condition`.
  Expr negate(Expr condition);
  /// 0 where the condition holds, else 1.
  Expr unless(Expr condition);
  /// What the expression is where the condition holds, or does not.
  Expr assume(Expr expr, Expr condition, bool holds);
  /// The expression with free labels renamed, all at once.
  Expr substitute(Expr expr, const Renaming& renaming);
  /// The body of a Sum or Maximum with its bound labels renamed to fresh ones, which are appended.
  Expr open(Expr reduction, llvm::SmallVectorImpl<llvm::StringRef>& fresh);
  /// Whether a leaf on which `predicate` holds occurs.
  bool contains(Expr expr, llvm::function_ref<bool(mlir::Value)> predicate);
  /// A string that lives as long as the MLIR context.
  llvm::StringRef intern(const llvm::Twine& text);

private:
  /// The terms of a sum without their numbers, and these.
  using LikeTerms = llvm::MapVector<Expr, double>;
  // Rules of Logarithms.cpp and Selections.cpp. Where none applies the result is null, nothing or
  // false.
  Expr simplifyLogarithms(llvm::StringRef name, mlir::Type element, llvm::ArrayRef<Expr> operands);
  Expr recipOfSum(Expr sum);
  Expr mergeLogarithms(double number, llvm::ArrayRef<Expr> factors, llvm::ArrayRef<Expr> exponents);
  std::optional<llvm::SmallVector<Expr>> mergeTerms(const LikeTerms& like, double number);
  Expr exponentOf(Expr expr);
  Expr logOfSum(Expr sum, bool ofTwoExponentials);
  llvm::SmallVector<std::pair<double, Expr>> numberedTerms(Expr sum);
  Expr simplifySelection(mlir::Type element, Expr condition, Expr onTrue, Expr onFalse,
                         mlir::Location location);
  std::optional<llvm::SmallVector<Expr>> mergeMasks(const LikeTerms& like, double number);
  bool applyMasks(llvm::SmallVectorImpl<Expr>& factors, llvm::SmallVectorImpl<Expr>& exponents);
  mlir::Type elementOf(llvm::ArrayRef<Expr> operands);
  Expr unique(Node&& node);
  llvm::StringRef canonicalName(ssm::AxisAttr axis, ssm::ArrayType rest,
                                llvm::ArrayRef<llvm::StringRef> bound);
  Expr close(Node::Kind kind, Expr body, llvm::SmallVector<llvm::StringRef, 2> bound,
             ssm::ArrayType rest, mlir::Location location);
  Expr reduce(Node::Kind kind, Expr operand, llvm::ArrayRef<llvm::StringRef> labels);
  ssm::ArrayType unite(llvm::ArrayRef<Expr> operands, mlir::Type element);
  Expr substitute(Expr expr, const Renaming& renaming, llvm::DenseMap<Expr, Expr>& done);
  Expr substituteNew(Expr expr, const Renaming& renaming, llvm::DenseMap<Expr, Expr>& done);

  mlir::MLIRContext* context;
  llvm::StringMap<std::unique_ptr<Node>> nodes;
  unsigned freshLabels = 0;
};

/// The factors of a product (the expression itself where it is none).
llvm::SmallVector<Expr> factorsOf(Expr expr);
/// The terms of a sum (the expression itself where it is none; nothing for 0).
llvm::SmallVector<Expr> termsOf(Expr expr);

/// The condition of which this is the negation; null if it is none.
Expr negated(Expr condition);

/// Splits a product into its number and the rest.
std::pair<double, llvm::SmallVector<Expr>> splitNumber(Expr expr);

/// How often an expression changes: 0 for constants and params, 1 for inputs,
/// 2 for what depends on a state. Products and sums are written in this order,
/// so that what is known early is computed early.
unsigned levelOf(Expr expr);

/// Reads values of a recurrence into expressions.
class ExprReader {
public:
  ExprReader(ExprContext& context) : context(context) {}
  Expr read(mlir::Value value);
  /// From now on `value` is read as `expr`.
  void define(mlir::Value value, Expr expr) { known[value] = expr; }
  ExprContext& getContext() { return context; }

private:
  Expr readOp(mlir::Operation* op, mlir::Value value);
  ExprContext& context;
  llvm::DenseMap<mlir::Value, Expr> known;
  unsigned opaque = 0;
};

/// Writes expressions back as ops at the builder's insertion point;
/// equal expressions become one value.
class ExprWriter {
public:
  /// Leaves are looked up by `materialize`: the value in the new place that stands for an old one.
  using Materialize = llvm::unique_function<mlir::Value(mlir::Value)>;
  /// Or the value that stands for a leaf under its labels.
  using WriteLeaf = llvm::unique_function<mlir::Value(Expr)>;
  ExprWriter(ExprContext& context, mlir::OpBuilder& builder, Materialize materialize)
      : ExprWriter(context, builder, [&builder, look = std::move(materialize)](Expr leaf) mutable {
          return relabel(builder, leaf, look(leaf->leaf));
        }) {}
  ExprWriter(ExprContext& context, mlir::OpBuilder& builder, WriteLeaf writeLeaf)
      : context(context), builder(builder), writeLeaf(std::move(writeLeaf)) {}
  /// `value`, which stands for what the leaf is of, under the labels of the leaf.
  static mlir::Value relabel(mlir::OpBuilder& builder, Expr leaf, mlir::Value value);
  mlir::Value write(Expr expr);
  /// As `write`, broadcast and cast to a type of which the expression's labels are a part.
  mlir::Value writeAs(Expr expr, ssm::ArrayType type);

private:
  mlir::Value writeNew(Expr expr);
  mlir::Value writeProduct(llvm::ArrayRef<Expr> factors);
  mlir::Value writeReduction(Expr expr);

  ExprContext& context;
  mlir::OpBuilder& builder;
  WriteLeaf writeLeaf;
  llvm::DenseMap<Expr, mlir::Value> written;
};

} // namespace ssmc::analysis
