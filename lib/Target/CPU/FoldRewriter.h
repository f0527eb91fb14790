/// What the rewrites of folds share (SinkReductions.cpp, SplitFolds.cpp).
#pragma once

#include "Emitter.h"

namespace ssmc::cpu {

/// A fold, and ways to compute values of its body for all of its steps at once.
struct FoldRewriter {
  explicit FoldRewriter(ssm::FoldOp fold) : fold(fold), label(fold.getAxis().getName()) {
    for (mlir::BlockArgument argument : fold.getBlock()->getArguments())
      dependences[argument] = 1u << argument.getArgNumber();
    for (Operation& op : *fold.getBlock()) {
      uint64_t bits = 0;
      op.walk([&](Operation* inner) {
        for (Value operand : inner->getOperands())
          bits |= dependences.lookup(operand);
      });
      for (Value result : op.getResults())
        dependences[result] = bits;
    }
  }

  bool isInside(Value value) { return fold->isAncestor(value.getParentBlock()->getParentOp()); }
  /// The carried values that a value depends on, as bits.
  uint64_t carriedOf(Value value) { return dependences.lookup(value); }

  ssm::FoldOp fold;
  StringRef label;
  llvm::DenseMap<Value, uint64_t> dependences; ///< carried values that a value depends on, as bits
};

/// Clones an op for all steps at once: its operands may have gained the fold's label.
Value cloneLifted(mlir::OpBuilder& b, Operation* op, mlir::ValueRange operands);

/// Lets sums of vectors leave a fold; returns the fold that takes its place.
ssm::FoldOp sinkReductions(ssm::FoldOp fold);

} // namespace ssmc::cpu
