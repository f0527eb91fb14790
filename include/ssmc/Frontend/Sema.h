//===- Sema.h - Names, indices, kinds and cycles ----------------*- C++ -*-===//

#ifndef SSMC_FRONTEND_SEMA_H
#define SSMC_FRONTEND_SEMA_H

#include "ssmc/Frontend/AST.h"
#include "ssmc/Frontend/Diagnostics.h"

namespace ssmc::frontend {

/// Checks what the grammar cannot say and annotates the tree: macros are replaced by their
/// expansion, names are resolved, every expression gets its free indices and the kind of its
/// elements, statements are put in an order of evaluation. True if the file has no error, those of
/// the parser included; only then are all annotations there.
bool check(ast::File& file, Diagnostics& diags);

} // namespace ssmc::frontend

#endif // SSMC_FRONTEND_SEMA_H
