/// The commands, one file each. All return an exit code, or an error for Console::finish.
#pragma once

#include "Spec.h"

namespace ssmc::driver {

llvm::Expected<int> compileCommand(const Options& options, Console& console);
llvm::Expected<int> runCommand(const Options& options, Console& console);
llvm::Expected<int> checkCommand(const Options& options, Console& console);
llvm::Expected<int> explainCommand(const Options& options, Console& console);
llvm::Expected<int> benchCommand(const Options& options, Console& console);

} // namespace ssmc::driver
