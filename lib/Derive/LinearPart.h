// The linear part of a chunk: what it does to a change of its states, inputs aside.
#pragma once

#include "Dependence.h"

#include "mlir/IR/Builders.h"

namespace ssmc::derive {

/// Walks the ops of a chunk and builds, for each value x that is affine in some states, its linear
/// part: x less what it is where those states are zero. Each op has a rule that says in which
/// operands it is linear:
///
///   plus_times   x + y, x - y, c x, x / c, sums, solve, gram and apply, scans, folds …
///   max_plus     max(x, y), x + c, maxima, scans of (max, +), folds
///
/// where c depends on none of the states. The states may be given with other labels than they have
/// in the chunk, more or fewer; every op then computes what it does side by side for those it does
/// not mention.
class LinearPart {
public:
  /// Linear in `states`; `active` are those of them whose linear parts are not zero all along.
  /// `mixed` are labels of states that ops remove or rename; `plain` maps values without states to
  /// what stands for them at the builder.
  LinearPart(mlir::OpBuilder& builder, ssm::Semiring semiring, const Dependence& dependence,
             const StateSet& states, const StateSet& active, const Slice& slice,
             llvm::ArrayRef<std::string> mixed, mlir::IRMapping plain)
      : b(builder), semiring(semiring), dependence(dependence), states(states), active(active),
        slice(slice), mixed(mixed), plain(std::move(plain)) {}

  void set(mlir::Value value, mlir::Value part) { parts[value] = part; }
  /// The linear part, null where it is zero.
  mlir::Value get(mlir::Value value) const { return parts.lookup(value); }
  /// All ops of the chunk; fails, with the reason, where a value is not linear in the states.
  mlir::LogicalResult run(mlir::Block& block) { return visit(block, /*inFold=*/false); }
  std::string reason;

  /// The zero of a semiring: 0 or -inf.
  static mlir::Value zero(mlir::OpBuilder& b, mlir::Location loc, ssm::Semiring semiring,
                          ssm::ArrayType type);
  /// With all labels of `type`, and its elements.
  static mlir::Value fit(mlir::OpBuilder& b, mlir::Value value, ssm::ArrayType type);
  /// The labels of both, and complex where one is.
  static ssm::ArrayType unite(ssm::ArrayType a, ssm::ArrayType b);

private:
  bool isLinear(mlir::Value value) const { return dependence.of(value).anyCommon(states); }
  mlir::LogicalResult visit(mlir::Block& block, bool inFold);
  mlir::LogicalResult visit(mlir::Operation* op);
  mlir::LogicalResult visitFold(ssm::FoldOp fold, bool inFold);
  mlir::LogicalResult copyMatrixScan(ssm::MatrixScanOp scan);
  /// A copy of an op on other operands, whose labels tell those of its results; these become parts.
  mlir::LogicalResult copy(mlir::Operation* op, llvm::ArrayRef<mlir::Value> operands);
  /// The linear part of an operand with those labels that the op goes along.
  mlir::Value partFor(mlir::Operation* op, mlir::Value operand);
  mlir::Value zero(ssm::ArrayType type) { return zero(b, b.getUnknownLoc(), semiring, type); }
  mlir::LogicalResult fail(mlir::Operation* op);

  mlir::OpBuilder& b;
  ssm::Semiring semiring;
  const Dependence& dependence;
  const StateSet& states;
  const StateSet& active;
  const Slice& slice;
  llvm::ArrayRef<std::string> mixed;
  mlir::IRMapping plain;
  llvm::DenseMap<mlir::Value, mlir::Value> parts;
};

/// The labels of the states that an op of the slice removes or renames on the way, in order.
std::vector<std::string> mixedLabels(ssm::ChunkOp chunk, const Dependence& dependence,
                                     const StateSet& states, const Slice& slice);

} // namespace ssmc::derive
