// Where each value of a pass is computed, and the sizes it has.
#pragma once

#include "ssmc/Schedule/Schedule.h"

#include "llvm/ADT/SetVector.h"

namespace ssmc::schedule {

/// Replaces the names of dims by their sizes.
class Binder {
public:
  Binder(ssm::RecurrenceOp form, const Options& options) : form(form), options(options) {}
  /// Fails, with a message, where a dim has no size of at least 1.
  mlir::LogicalResult check();
  ssm::AxisAttr bind(ssm::AxisAttr axis) const;
  ssm::ArrayType bind(ssm::ArrayType type) const;
  bool usesLabel(llvm::StringRef label) const;

private:
  int64_t sizeOf(llvm::StringRef dim) const;
  mutable ssm::RecurrenceOp form;
  const Options& options;
};

/// Once: before all steps. Prologue, Epilogue: for all steps of a tile at once, before or after the
/// loop over them. Loop: step by step.
enum class Place { Once, Prologue, Loop, Epilogue };

class Placement {
public:
  Placement(ssm::PassOp pass, const Binder& binder);
  bool isLive(mlir::Value value) const { return live.contains(value); }
  Place placeOf(mlir::Value value) const;
  /// Live values computed once, operands before users.
  llvm::ArrayRef<mlir::Value> getOnce() const { return once; }
  /// Values of the loop that an output or the epilogue reads.
  llvm::ArrayRef<mlir::Value> getStacked() const { return stacked.getArrayRef(); }

private:
  void markLive(mlir::Value value);
  void place(mlir::Operation* op);
  void sink(mlir::Operation* op);
  bool isUsed(mlir::Value value, llvm::function_ref<bool(mlir::Operation*)> predicate) const;

  mutable ssm::PassOp pass;
  const Binder& binder;
  llvm::DenseSet<mlir::Value> live;
  llvm::DenseMap<mlir::Value, Place> places;
  llvm::SmallVector<mlir::Value> once;
  llvm::SetVector<mlir::Value> stacked;
};

} // namespace ssmc::schedule
