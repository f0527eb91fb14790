/// Texts that files of a bundle are made of, put into the compiler when it is built.
#pragma once

#include "llvm/ADT/StringRef.h"

namespace ssmc::artifact {

/// Shared.h.in: types and codes that the headers of all bundles declare.
llvm::StringRef sharedText();
/// Launcher/*.c.in, one after the other: a launcher, with @WORDS@ for what is a bundle's own.
llvm::StringRef launcherTemplate();

} // namespace ssmc::artifact
