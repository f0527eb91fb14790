// Stands in for the CPU target where that is not built.
#include "ssmc/Target/CPU.h"
#include "ssmc/Target/CPUCost.h"

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
Machine Machine::of(const TargetSpec&) {
  return {};
}
std::optional<Cost> ssmc::cpu::predict(mlir::ModuleOp, const TargetSpec&, const Machine&,
                                       const CallSizes&) {
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
