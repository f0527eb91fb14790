/// Expansion of an expression to a sum of terms, each with at most one state.
#pragma once

#include "ssmc/Analysis/Expr.h"

namespace ssmc::analysis {

/// One product of an expanded step: the sum over `sums` of all factors times the state, if there is
/// one. In the semiring (max, +) the factors are added, and the maximum over `sums` is taken.
struct Term {
  llvm::SmallVector<Expr> factors;
  Expr state = nullptr; ///< a leaf
  llvm::SmallVector<llvm::StringRef> sums;
};

/// What a leaf is to an expansion.
enum class LeafKind {
  Free,   ///< does not depend on the states in question
  State,  ///< is one of them
  Opaque, ///< depends on them in a way that expressions do not show (a fold)
};
using Classify = llvm::function_ref<LeafKind(mlir::Value)>;

/// Why an expression is not linear: a sentence, and the place of the offending term.
struct Nonlinear {
  std::string reason;
  mlir::Location location;
};

/// Expands `expr` over (+, *) or (max, +). On failure `nonlinear` tells why.
/// A coefficient that does not depend on a state is never expanded, however it is written.
mlir::LogicalResult linearize(ExprContext& context, Expr expr, ssm::Semiring semiring,
                              Classify classify, llvm::SmallVectorImpl<Term>& terms,
                              std::optional<Nonlinear>& nonlinear);

/// The sum of products with what all have in common taken out: a b - a c becomes a (b - c).
Expr addFactored(ExprContext& context, llvm::ArrayRef<Expr> terms);

} // namespace ssmc::analysis
