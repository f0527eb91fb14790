//===- Parser.h - From text to a tree ---------------------------*- C++ -*-===//

#ifndef SSMC_FRONTEND_PARSER_H
#define SSMC_FRONTEND_PARSER_H

#include "ssmc/Frontend/AST.h"
#include "ssmc/Frontend/Diagnostics.h"
#include <memory>

namespace ssmc::frontend {

/// Parses the main file of `sources`. Never fails: what could not be understood is reported and
/// left out, so that check() can find the errors in the rest.
std::unique_ptr<ast::File> parseFile(const llvm::SourceMgr& sources, Diagnostics& diags);

} // namespace ssmc::frontend

#endif // SSMC_FRONTEND_PARSER_H
