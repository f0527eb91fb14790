// The operands of a kernel: what a form reads and writes, and how it lies in memory.
#pragma once

#include "Placement.h"

namespace ssmc::schedule {

/// The name of the operand in memory: a half of a complex one is named after the whole.
llvm::StringRef wholeName(mlir::Operation* op, llvm::StringRef name);

/// Which half of a complex operand an op of a split form reads or writes.
tile::Part partOf(mlir::Operation* op);

/// Whether a temporary has one value a chunk, and not one a step.
bool isPerChunk(mlir::Operation* op);

/// Collects operands, each once, in the order in which they are added.
class OperandList {
public:
  OperandList(mlir::MLIRContext* context, const Binder& binder, const Options& options)
      : context(context), binder(binder), options(options) {}

  void add(ssm::InOp in);
  /// A state is read before the first step and written after the last.
  void add(ssm::StateOp state);
  /// `type` is that of the value at one step.
  void add(ssm::OutOp out, ssm::ArrayType type);
  /// A state of which earlier rows are kept.
  void addRow(ssm::StateOp state);
  mlir::ArrayAttr get() const { return mlir::ArrayAttr::get(context, operands); }

private:
  void add(llvm::StringRef name, tile::Role role, mlir::ArrayAttr order, ssm::ArrayType type,
           mlir::Type storage, ssm::Scope scope, bool complexPart);
  mlir::Type storageOf(ssm::ArrayType type) const;

  mlir::MLIRContext* context;
  const Binder& binder;
  const Options& options;
  llvm::SmallVector<mlir::Attribute> operands;
};

} // namespace ssmc::schedule
