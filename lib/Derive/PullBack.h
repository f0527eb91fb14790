// Reverse-mode differentiation of a block of labelled algebra.
#pragma once

#include "dialects/SSM/SSM.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/MapVector.h"

namespace ssmc::derive {

/// Walks ops backwards and builds the cotangents of what they read from those of what they compute.
/// What an op contributes is told by the op (DifferentiableOpInterface, LinearOpInterface); the
/// rules of folds and of the ops over steps are here. Convention of cotangents: SSMInterfaces.td.
class PullBack {
public:
  /// Cotangents are built at `builder`, which the ops and what they read dominate.
  explicit PullBack(mlir::OpBuilder& builder) : b(builder) {}

  /// Adds to the cotangent of a value.
  void add(mlir::Value value, mlir::Value cotangent);
  /// The cotangent that was found, null where it is zero.
  mlir::Value get(mlir::Value value) const { return cotangents.lookup(value); }
  /// All ops of the list, last to first. Fails with a message on an op without a rule.
  mlir::LogicalResult run(llvm::ArrayRef<mlir::Operation*> ops);
  /// Every value with a cotangent, in the order in which they were met.
  const llvm::MapVector<mlir::Value, mlir::Value>& all() const { return cotangents; }

private:
  mlir::LogicalResult visit(mlir::Operation* op);
  mlir::LogicalResult visitFold(ssm::FoldOp fold);
  void visitLast(ssm::LastOp last, mlir::Value g);
  void visitShift(ssm::ShiftOp shift, mlir::Value g);
  void visitScan(ssm::ScanOp scan, mlir::Value g);
  void visitMatrixScan(ssm::MatrixScanOp scan);
  void visitSolve(ssm::SolveOp solve);
  void visitGram(ssm::GramOp gram, mlir::Value g);
  void visitSpan(ssm::SpanOp span, mlir::Value g);
  void visitCumprod(ssm::CumprodOp product, mlir::Value g);
  /// Adds the cotangent of the logarithm of a decay that is made of exponentials.
  void addToLog(mlir::Value decay, mlir::Value g);
  mlir::Value cumsum(mlir::Value value, mlir::StringAttr label, bool exclusive, bool reverse);
  mlir::Value zero(ssm::ArrayType type);
  /// With the labels of `type`: summed over those that it lacks.
  mlir::Value fit(mlir::Value value, ssm::ArrayType type);
  mlir::Value conj(mlir::Value value);
  mlir::Value mul(mlir::Value x, mlir::Value y);
  /// The value at the first step of a label (at the last with `last`).
  mlir::Value atEnd(mlir::Value value, mlir::StringAttr label, bool last);

  mlir::OpBuilder& b;
  llvm::MapVector<mlir::Value, mlir::Value> cotangents;
};

/// Whether a value is a product of exponentials: then its logarithm has a cotangent where the value
/// itself is too small to have a quotient.
bool isExponential(mlir::Value value);

/// Whether the op has a rule of its own here; others become folds first (expandSteps).
bool hasPullBack(mlir::Operation* op);

} // namespace ssmc::derive
