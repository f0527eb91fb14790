/// LLVM's optimiser, as all targets run it.
#pragma once

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace ssmc::target {

/// Optimises a module for a machine. Nothing is turned into vectors; loops are unrolled if asked.
void optimise(llvm::Module& module, llvm::TargetMachine& machine, bool unrollsLoops);

} // namespace ssmc::target
