/// What every target does with the value of one op: pointwise ops, and how reductions add up, on
/// scalars or on vectors of lanes.
#pragma once

#include "dialects/SSM/SSM.h"
#include "lib/Target/Values/Math.h"

namespace ssmc::target {

inline ssm::ArrayType arrayType(mlir::Value value) {
  return llvm::cast<ssm::ArrayType>(value.getType());
}
/// `element`, or a vector of it as wide as `like`.
mlir::Type vectorLike(mlir::Type element, mlir::Type like);

/// The result of a pointwise op (or of one that changes labels alone) for operands of one shape.
/// Without doubles nothing is computed in f64. Fails, with a message at the op, where it is none.
mlir::Value emitPointwise(mlir::ImplicitLocOpBuilder& b, mlir::Operation* op,
                          llvm::ArrayRef<mlir::Value> operands, bool hasDoubles = true);
/// Whether an op asks if two reals are equal: what it compares is to be computed once, as a value
/// that is computed in two places may differ in its last bit (products that become part of a sum).
bool comparesBits(mlir::Operation* op);
/// A pointwise op that costs many instructions.
bool isExpensive(mlir::Operation* op);

/// Reductions: the labels that one removes, its identity, and how two values combine.
bool isReduction(mlir::Operation* op);
llvm::SmallVector<llvm::StringRef> reducedLabels(mlir::Operation* op);
mlir::Value reductionIdentity(mlir::ImplicitLocOpBuilder& b, mlir::Operation* op, mlir::Type type);
mlir::Value reductionCombine(mlir::ImplicitLocOpBuilder& b, mlir::Operation* op, mlir::Value x,
                             mlir::Value y);

} // namespace ssmc::target
