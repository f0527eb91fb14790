// Stands in for the CPU target where that is not built.
#include "ssmc/Target/CPU.h"

using namespace ssmc::cpu;

static const char* missing = "not available in this version: --target cpu";

TargetSpec TargetSpec::host() {
  return {};
}
std::optional<TargetSpec> TargetSpec::parse(std::string_view, std::string& error) {
  error = missing;
  return std::nullopt;
}
std::optional<std::string> ssmc::cpu::compile(mlir::ModuleOp, const TargetSpec&, Output,
                                              std::string& error) {
  error = missing;
  return std::nullopt;
}
struct Jit::Impl {};
Jit::~Jit() = default;
std::unique_ptr<Jit> Jit::load(const std::string&, std::string& error) {
  error = missing;
  return nullptr;
}
Kernel Jit::lookup(const std::string&, std::string& error) const {
  error = missing;
  return {};
}
bool ssmc::cpu::launch(const Kernel&, const ssmc_kernel_args&, int, std::string& error) {
  error = missing;
  return false;
}
