#include "lib/Target/Values/Optimise.h"

#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Target/TargetMachine.h"

void ssmc::target::optimise(llvm::Module& module, llvm::TargetMachine& machine, bool unrollsLoops) {
  llvm::PipelineTuningOptions tuning;
  // (Emitters choose vectors themselves.)
  tuning.LoopVectorization = false;
  tuning.SLPVectorization = false;
  tuning.LoopUnrolling = unrollsLoops;
  // What takes a third of the time and changes nothing in what emitters write: a search for loads
  // that repeat a store of the round before, which compares all accesses of a loop with each other,
  // and loops that are asked whether to be unrolled where none is to be.
  llvm::PassInstrumentationCallbacks callbacks;
  callbacks.registerShouldRunOptionalPassCallback([=](llvm::StringRef pass, llvm::Any) {
    return pass != "LoopLoadEliminationPass" &&
           (unrollsLoops || (pass != "LoopUnrollPass" && pass != "LoopFullUnrollPass"));
  });
  llvm::PassBuilder builder(&machine, tuning, std::nullopt, &callbacks);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}
