// Of a chunk: which states a value depends on, and what a value is computed from.
#pragma once

#include "dialects/SSM/SSM.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SmallBitVector.h"

namespace ssmc::derive {

/// A set of states of a chunk, by number in the order of their updates.
using StateSet = llvm::SmallBitVector;

/// On which states before the block each value of a chunk depends. What a fold carries is told
/// apart, so that states that are merely carried side by side do not depend on each other.
class Dependence {
public:
  explicit Dependence(ssm::ChunkOp chunk);

  size_t size() const { return updates.size(); }
  ssm::UpdateOp updateOf(size_t state) const { return updates[state]; }
  llvm::StringRef nameOf(size_t state) const { return ssm::UpdateOp(updates[state]).getState(); }
  StateSet none() const { return StateSet(size()); }
  const StateSet& of(mlir::Value value) const;
  /// The states that a state depends on over any number of blocks.
  const StateSet& reach(size_t state) const { return reached[state]; }
  bool isCoupled(size_t a, size_t b) const { return a == b || (reached[a][b] && reached[b][a]); }

private:
  void visit(mlir::Block& block);
  void visitFold(ssm::FoldOp fold);

  llvm::SmallVector<ssm::UpdateOp> updates;
  llvm::SmallVector<StateSet> reached;
  llvm::DenseMap<mlir::Value, StateSet> known;
  StateSet empty;
};

/// What given values are computed from. Of folds only what is carried and stacked for their sake.
class Slice {
public:
  void add(mlir::Value value);
  bool contains(mlir::Value value) const { return values.contains(value); }
  bool containsAny(mlir::Operation* op) const {
    return llvm::any_of(op->getResults(), [&](mlir::Value value) { return contains(value); });
  }
  /// The numbers of the values that a fold carries, or stacks (counted after the carried ones).
  llvm::SmallVector<unsigned> resultsOf(ssm::FoldOp fold) const;
  /// Copies the ops of a block that are in the slice, in their order.
  void clone(mlir::Block& block, mlir::OpBuilder& b, mlir::IRMapping& mapping) const;
  void clone(mlir::Operation* op, mlir::OpBuilder& b, mlir::IRMapping& mapping) const;

private:
  void cloneFold(ssm::FoldOp fold, mlir::OpBuilder& b, mlir::IRMapping& mapping) const;
  llvm::DenseSet<mlir::Value> values;
};

} // namespace ssmc::derive
