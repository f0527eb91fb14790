/// Files that appear under their names only when all of them are whole.
#pragma once

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace ssmc::driver {

/// Whether a file of that name can be written, found out without leaving a trace: its folder exists
/// and can be written to, and it is no folder itself.
llvm::Error checkWritable(llvm::StringRef path);

/// Writes a file beside its place and renames it; `-` is the standard output. Nothing half-written
/// is left where that fails.
llvm::Error writeOutput(llvm::StringRef path, llvm::function_ref<void(llvm::raw_ostream&)> write);

} // namespace ssmc::driver
