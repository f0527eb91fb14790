/// Values under other names of their labels.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::ssm {

/// A value with those of the labels `from` that it bears called as in `to`; itself if it bears
/// none.
mlir::Value renamed(mlir::OpBuilder& builder, mlir::Value value,
                    llvm::ArrayRef<llvm::StringRef> from, llvm::ArrayRef<llvm::StringRef> to);

} // namespace ssmc::ssm
