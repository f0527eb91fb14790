/// Values under other names of their labels.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::ssm {

/// A value with those of the labels `from` that it bears called as in `to`; itself if it bears
/// none.
mlir::Value renamed(mlir::OpBuilder& builder, mlir::Value value,
                    llvm::ArrayRef<llvm::StringRef> from, llvm::ArrayRef<llvm::StringRef> to);

/// Whether a relabel gives labels of its operand one name: what it gives is a diagonal, which does
/// not lie in memory as the operand does.
inline bool takesDiagonal(RelabelOp relabel) {
  return llvm::cast<ArrayType>(relabel.getType()).getRank() <
         llvm::cast<ArrayType>(relabel.getOperand().getType()).getRank();
}

/// The relabel by which a value is another one under other names, lying in memory as that does;
/// null if it is made otherwise.
inline RelabelOp asRenaming(mlir::Value value) {
  auto relabel = value.getDefiningOp<RelabelOp>();
  return relabel && !takesDiagonal(relabel) ? relabel : RelabelOp();
}

} // namespace ssmc::ssm
