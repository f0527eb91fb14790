// An object, loaded into this process by ORC: what runs is what `--emit obj` writes.
#include "ssmc/Target/CPU.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"

using namespace ssmc::cpu;

struct Jit::Impl {
  std::unique_ptr<llvm::orc::LLJIT> jit;
};

Jit::Jit(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Jit::~Jit() = default;

std::unique_ptr<Jit> Jit::load(const std::string& object, std::string& error) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto created = llvm::orc::LLJITBuilder().create();
  if (!created) {
    error = llvm::toString(created.takeError());
    return nullptr;
  }
  auto impl = std::make_unique<Impl>();
  impl->jit = std::move(*created);
  // The C library, for memset and the few calls that odd functions need.
  auto symbols = llvm::orc::DynamicLibrarySearchGenerator::GetForCurrentProcess(
      impl->jit->getDataLayout().getGlobalPrefix());
  if (!symbols) {
    error = llvm::toString(symbols.takeError());
    return nullptr;
  }
  impl->jit->getMainJITDylib().addGenerator(std::move(*symbols));
  auto buffer = llvm::MemoryBuffer::getMemBufferCopy(object, "kernel");
  if (llvm::Error failed = impl->jit->addObjectFile(std::move(buffer))) {
    error = llvm::toString(std::move(failed));
    return nullptr;
  }
  return std::unique_ptr<Jit>(new Jit(std::move(impl)));
}

Kernel Jit::lookup(const std::string& name, std::string& error) const {
  Kernel kernel;
  auto run = impl->jit->lookup(name);
  if (!run) {
    error = llvm::toString(run.takeError());
    return kernel;
  }
  auto workspace = impl->jit->lookup(name + "_workspace");
  if (!workspace) {
    error = llvm::toString(workspace.takeError());
    return kernel;
  }
  kernel.run = run->toPtr<decltype(kernel.run)>();
  kernel.workspace = workspace->toPtr<decltype(kernel.workspace)>();
  return kernel;
}
