// The LLVM dialect to LLVM IR, optimised, and on to assembly or an object.
#include "Emitter.h"

#include "ssmc/Target/CPU.h"

#include "lib/Target/Values/Optimise.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

#include <mutex>

using namespace mlir;
using namespace ssmc::cpu;

static std::unique_ptr<llvm::TargetMachine> makeMachine(const TargetSpec& target,
                                                        std::string& error) {
  static std::once_flag once;
  std::call_once(once, [] {
    // The architectures that this target supports; others would only make the program larger.
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  });
  llvm::Triple triple(target.triple);
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return nullptr;
  llvm::TargetOptions options;
  // Products and sums may become FMAs where the IR says `contract`, and only there.
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(found->createTargetMachine(
      triple, target.baseCPU(), target.features, options, llvm::Reloc::PIC_, std::nullopt,
      llvm::CodeGenOptLevel::Aggressive));
}

std::optional<std::string> ssmc::cpu::compile(ModuleOp module, const TargetSpec& target,
                                              Output output, std::string& error) {
  MLIRContext* context = module.getContext();
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  context->appendDialectRegistry(registry);

  PassManager manager(context);
  // Once, at the end: after each pass it would be a tenth of the time that a kernel takes. Passes
  // run one by one verify theirs.
  manager.enableVerifier(false);
  buildPipeline(manager, target);
  if (failed(manager.run(module)) || failed(verify(module))) {
    error = module->hasAttr(refusedAttr) ? "" : "lowering to the LLVM dialect failed";
    return std::nullopt;
  }
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> translated = translateModuleToLLVMIR(module, llvmContext, "ssmc");
  if (!translated) {
    error = "translation to LLVM IR failed";
    return std::nullopt;
  }
  std::unique_ptr<llvm::TargetMachine> machine = makeMachine(target, error);
  if (!machine)
    return std::nullopt;
  translated->setTargetTriple(llvm::Triple(target.triple));
  translated->setDataLayout(machine->createDataLayout());
  for (llvm::Function& function : *translated) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.baseCPU());
    function.addFnAttr("target-features", target.features);
    // Without this LLVM keeps to 256 bits on machines that once lowered their clock for 512.
    if (target.has("avx512f")) {
      function.addFnAttr("prefer-vector-width", "512");
      function.addFnAttr("min-legal-vector-width", "512");
    }
    function.addFnAttr(llvm::Attribute::NoUnwind);
  }
  // The emitter chose vectors and unrolling with the registers in mind.
  ssmc::target::optimise(*translated, *machine, /*unrollsLoops=*/false);

  llvm::SmallVector<char, 0> buffer;
  llvm::raw_svector_ostream stream(buffer);
  if (output == Output::LLVMText) {
    translated->print(stream, nullptr);
    return std::string(buffer.begin(), buffer.end());
  }
  llvm::legacy::PassManager emit;
  auto type = output == Output::Object ? llvm::CodeGenFileType::ObjectFile
                                       : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(emit, stream, nullptr, type)) {
    error = "this target cannot emit machine code";
    return std::nullopt;
  }
  emit.run(*translated);
  return std::string(buffer.begin(), buffer.end());
}
