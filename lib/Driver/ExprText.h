/// Values of a recurrence as text in the language's own notation.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/ADT/StringMap.h"

#include <string>

namespace ssmc::driver {

class ExprText {
public:
  /// `declared` tells how its author calls the indices that `normal` calls by their dims.
  ExprText(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal);

  /// `exp(g[i])`, in as few brackets as the grammar needs.
  std::string print(mlir::Value value) const;
  /// As a factor: in brackets where it is a sum, and with `tight` also where it is a product.
  std::string printFactor(mlir::Value value, bool tight = false) const;
  /// A value that defines a state, written out.
  std::string printStep(mlir::Value value) const;
  /// `S[i,j]`, the indices in this order.
  std::string name(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> labels) const;
  /// `prev(S[i,j])`, `prev(h[p,n], x)`, `next(…)`.
  std::string delayed(llvm::StringRef text, llvm::ArrayRef<int64_t> by) const;
  /// A state at this step, or `by` steps from it; delay registers as the delays that they are.
  std::string state(llvm::StringRef name, llvm::ArrayRef<int64_t> by,
                    llvm::function_ref<std::string(llvm::StringRef)> rename) const;
  /// What the author calls a label.
  std::string label(llvm::StringRef label) const;
  std::string labels(llvm::ArrayRef<llvm::StringRef> labels) const;

private:
  enum Level { Compare, Sum, Product, Sign, Atom };
  /// Labels of a value -> labels to print.
  using Renaming = llvm::StringMap<std::string>;
  std::string print(mlir::Value value, const Renaming& renaming, Level level,
                    bool expand = false) const;
  std::string reduction(mlir::Operation* op, llvm::StringRef word, const Renaming& renaming) const;

  mutable ssm::RecurrenceOp normal; ///< accessors of ops are not const
  llvm::StringMap<std::string> indices;
  llvm::DenseMap<mlir::Value, llvm::StringRef> steps; ///< what updates define -> the state
};

} // namespace ssmc::driver
