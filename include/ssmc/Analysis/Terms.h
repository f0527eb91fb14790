// Collected terms of a stage, before they are written as ops.
#pragma once

#include "ssmc/Analysis/Linearize.h"

namespace ssmc::analysis {

/// Where a term reads: a state (by its name), its offsets, and the free renaming of its labels.
struct Source {
  llvm::StringRef state;
  llvm::SmallVector<int64_t, 2> by;
  Renaming renaming;
  bool operator==(const Source&) const = default;
};

/// coefficient * source
struct Decay {
  Source source;
  llvm::SmallVector<Expr> coefficients; ///< to be added
};

/// u * sum over `over` (w * source). Contracted labels of `w` are named `~` and the source's label.
struct Feedback {
  Source source;
  llvm::SmallVector<llvm::StringRef> over; ///< labels of the source
  Expr u, w;
};

/// A product of parts with different sets of labels.
struct Input {
  llvm::SmallVector<Expr> parts;
};

/// The terms that make up the new value of one state in one stage.
struct Row {
  llvm::StringRef state;
  llvm::SmallVector<Decay, 0> decays;
  llvm::SmallVector<Feedback, 0> feedbacks;
  llvm::SmallVector<Input, 0> inputs;
};

/// Turns reads of a state's diagonal into contractions (Diagonals.cpp), after which no two labels
/// of what a term reads have one name. Positions are numbered by ops at `builder`.
void contractDiagonals(ExprReader& reader, mlir::OpBuilder& builder, ssm::Semiring semiring,
                       llvm::MutableArrayRef<Term> terms);

/// Sorts expanded terms into a row: merges terms that read alike, splits inputs by their labels.
/// `describe` tells where a state's leaf reads. `order` are the state's labels as in memory.
Row collect(ExprContext& context, ssm::Semiring semiring, llvm::StringRef state,
            llvm::ArrayRef<llvm::StringRef> order, llvm::ArrayRef<Term> terms,
            llvm::function_ref<Source(mlir::Value)> describe);

/// Writes the row's terms at `builder`; their operands are written through `writer`, which stands
/// before the system.
void emit(ExprContext& context, ssm::Semiring semiring, const Row& row, mlir::OpBuilder& builder,
          ExprWriter& writer, mlir::Location location);

} // namespace ssmc::analysis
