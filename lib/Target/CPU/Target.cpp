// Which machine: triple, features, and what follows from them.
#include "ssmc/Target/CPU.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

using namespace ssmc::cpu;
using llvm::StringRef;

/// Linux lets a process use the tile registers when it has asked for them, which holds for its
/// threads to come too.
static bool grantsTiles() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long requestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr long tileData = 18;              // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
#else
  return false;
#endif
}

TargetSpec TargetSpec::host() {
  static const bool tiles = grantsTiles();
  TargetSpec target;
  target.triple = llvm::sys::getDefaultTargetTriple();
  // By feature, never by the CPU's name: a virtual machine may hide which model it is.
  llvm::SmallVector<std::string> features;
  for (auto& [name, present] : llvm::sys::getHostCPUFeatures())
    if (present && (tiles || !name.starts_with("amx")))
      features.push_back("+" + name.str());
  llvm::sort(features);
  target.features = llvm::join(features, ",");
  return target;
}

/// LLVM takes features that it does not know with no more than a warning. False, with `error` set,
/// where it does not know this one.
static bool checkFeature(StringRef feature, const TargetSpec& target, std::string& error) {
  LLVMInitializeX86TargetMC();
  LLVMInitializeAArch64TargetMC();
  llvm::Triple triple(target.triple);
  const llvm::Target* found = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!found)
    return false;
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      found->createMCSubtargetInfo(triple, target.baseCPU(), ""));
  if (!info)
    return true;
  constexpr size_t shown = 3;
  llvm::SmallVector<std::pair<unsigned, StringRef>> near;
  for (const llvm::SubtargetFeatureKV& known : info->getAllProcessorFeatures()) {
    if (feature == known.Key)
      return true;
    unsigned distance = feature.edit_distance(known.Key);
    if (distance * 2 <= feature.size() || StringRef(known.Key).starts_with(feature.take_front(3)))
      near.push_back({distance, known.Key});
  }
  llvm::sort(near);
  near.truncate(std::min(near.size(), shown));
  error = "'" + target.triple + "' has no feature '" + feature.str() + "'";
  for (auto [place, entry] : llvm::enumerate(near))
    error += (place ? ", '" : "; near are '") + entry.second.str() + "'";
  return false;
}

std::optional<TargetSpec> TargetSpec::parse(std::string_view text, std::string& error) {
  StringRef rest(text.data(), text.size());
  if (rest == "cpu")
    return host();
  if (!rest.consume_front("cpu:") || rest.empty()) {
    error = "expected 'cpu' or 'cpu:<triple>:<features>'";
    return std::nullopt;
  }
  auto [triple, features] = rest.split(':');
  TargetSpec target{llvm::Triple::normalize(triple), features.str()};
  LLVMInitializeX86TargetInfo();
  LLVMInitializeAArch64TargetInfo();
  llvm::Triple parsed(target.triple);
  if (!llvm::TargetRegistry::lookupTarget(parsed, error))
    return std::nullopt;
  llvm::SmallVector<StringRef> list;
  features.split(list, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : list) {
    if (!feature.starts_with("+") && !feature.starts_with("-")) {
      error = "feature '" + feature.str() + "' does not start with '+' or '-'";
      return std::nullopt;
    }
    if (!checkFeature(feature.drop_front(), target, error))
      return std::nullopt;
  }
  return target;
}

bool TargetSpec::has(std::string_view feature) const {
  llvm::SmallVector<StringRef> list;
  StringRef(features).split(list, ',');
  return llvm::is_contained(list, "+" + std::string(feature));
}

bool TargetSpec::isX86() const {
  return llvm::Triple(triple).isX86();
}

bool TargetSpec::hasSSE() const {
  return llvm::Triple(triple).getArch() == llvm::Triple::x86_64 || (isX86() && has("sse"));
}

int64_t TargetSpec::lanes() const {
  if (isX86())
    return has("avx512f") ? 16 : has("avx2") ? 8 : 4;
  return 4;
}

int64_t TargetSpec::registers() const {
  return isX86() && !has("avx512f") ? 16 : 32;
}

bool TargetSpec::hasPairVectors() const {
  return isX86() && has("avx512f") && has("avx512vl") && has("avx512bf16");
}

bool TargetSpec::hasPairTiles() const {
  return hasPairVectors() && has("amx-tile") && has("amx-bf16");
}

std::string TargetSpec::baseCPU() const {
  llvm::Triple parsed(triple);
  if (parsed.getArch() == llvm::Triple::x86_64)
    return "x86-64";
  return parsed.isX86() ? "i686" : "generic";
}
