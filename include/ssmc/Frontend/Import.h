//===- Import.h - From a checked tree to the ssm dialect --------*- C++ -*-===//

#ifndef SSMC_FRONTEND_IMPORT_H
#define SSMC_FRONTEND_IMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "ssmc/Frontend/AST.h"
#include "ssmc/Frontend/Diagnostics.h"

namespace ssmc::frontend {

/// The module of a file that check() found right: one ssm.recurrence for each declaration, every op
/// with the place in the source that it stems from. Loads the ssm dialect. Null only by a mistake
/// of this importer, with the verifier's message on the context's diagnostic engine.
mlir::OwningOpRef<mlir::ModuleOp> importFile(const ast::File& file, const llvm::SourceMgr& sources,
                                             mlir::MLIRContext& context);

/// Parses, checks and imports the main file of `sources`. Null if it has errors, all of which are
/// then in `diags`.
mlir::OwningOpRef<mlir::ModuleOp> importSource(const llvm::SourceMgr& sources,
                                               mlir::MLIRContext& context, Diagnostics& diags);

} // namespace ssmc::frontend

#endif // SSMC_FRONTEND_IMPORT_H
