// Summaries as operands: their types, and the recurrences that compose and apply them.
#pragma once

#include "ssmc/Derive/Segments.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringMap.h"

namespace ssmc::derive {

/// `to<from`
std::string transitionName(llvm::StringRef to, llvm::StringRef from);

/// A name for each label that nothing of the form bears.
std::vector<std::string> freshLabels(ssm::RecurrenceOp form,
                                     const std::vector<std::string>& labels);

/// The types of the transitions of a level while they are found: mixed labels as rows and columns
/// at first, and what the coefficients turn out to bear.
class SpanTypes {
public:
  void add(SpanLevel& level, ssm::StateOp to, ssm::StateOp from);
  ssm::ArrayType operator[](llvm::StringRef name) const { return types.lookup(name); }
  /// Adds the labels of `type`; false where that changed anything.
  bool widen(llvm::StringRef name, ssm::ArrayType type);
  /// Adds what a composition of two maps would bear.
  void close(const SpanLevel& level);
  /// Declares the transitions, which start as the identity.
  void declare(mlir::OpBuilder& b, const SpanLevel& level, ssm::RecurrenceOp form) const;

private:
  llvm::StringMap<ssm::ArrayType> types;
};

ssm::RecurrenceOp makeCompose(mlir::OpBuilder& builder, ssm::RecurrenceOp form,
                              const SpanLevel& level, llvm::StringRef name);
ssm::RecurrenceOp makeApply(mlir::OpBuilder& builder, ssm::RecurrenceOp form,
                            const SpanLevel& level, llvm::StringRef name);

} // namespace ssmc::derive
