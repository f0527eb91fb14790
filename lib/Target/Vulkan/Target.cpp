// Profiles of Vulkan devices.
#include "ssmc/Target/Vulkan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace ssmc::vulkan;
namespace json = llvm::json;

const std::vector<std::string>& TargetSpec::profiles() {
  static const std::vector<std::string> names = {"nvidia-hopper"};
  return names;
}

std::string TargetSpec::versionText() const {
  return std::to_string(version / 10) + "." + std::to_string(version % 10);
}

std::string TargetSpec::vulkanVersion() const {
  return version >= 16 ? "1.3" : version > 13 ? "1.2" : "1.1";
}

int64_t Kernel::countBindings() const {
  return 1 + (bindings.empty() ? 0 : std::max(0, *llvm::max_element(bindings)));
}

/// A member of that name, wherever it is in an object of objects and lists; a truth value is 0
/// or 1.
static std::optional<int64_t> findNumber(const json::Value& value, llvm::StringRef name) {
  if (const json::Array* array = value.getAsArray()) {
    for (const json::Value& one : *array)
      if (std::optional<int64_t> found = findNumber(one, name))
        return found;
    return std::nullopt;
  }
  const json::Object* object = value.getAsObject();
  if (!object)
    return std::nullopt;
  if (std::optional<int64_t> found = object->getInteger(name))
    return found;
  if (std::optional<bool> found = object->getBoolean(name))
    return *found;
  for (const auto& [key, one] : *object)
    if (std::optional<int64_t> found = findNumber(one, name))
      return found;
  return std::nullopt;
}

/// Whether a list of that name, wherever it is, has a text.
static bool hasText(const json::Value& value, llvm::StringRef name, llvm::StringRef text) {
  auto isIn = [&](const json::Value& one) { return hasText(one, name, text); };
  if (const json::Array* array = value.getAsArray())
    return llvm::any_of(*array, isIn);
  const json::Object* object = value.getAsObject();
  if (!object)
    return false;
  if (const json::Array* list = object->getArray(name))
    if (llvm::any_of(*list, [&](const json::Value& one) { return one.getAsString() == text; }))
      return true;
  return llvm::any_of(*object, [&](const auto& member) { return isIn(member.second); });
}

/// Invocations that surely run in one subgroup and exchange values.
static int64_t subgroupOf(const json::Value& value, int64_t size) {
  bool shuffles = false;
  for (const char* list : {"supportedOperations", "subgroupSupportedOperations"})
    shuffles |= hasText(value, list, "VK_SUBGROUP_FEATURE_SHUFFLE_BIT");
  if (!shuffles)
    return 1;
  // Where sizes vary and none can be required, it may be the least.
  bool isFixed = findNumber(value, "subgroupSizeControl").value_or(0) &&
                 findNumber(value, "computeFullSubgroups").value_or(0);
  if (!isFixed)
    size = std::min(size, findNumber(value, "minSubgroupSize").value_or(size));
  // (Groups of lanes are of powers of two, of 32 at most.)
  return std::clamp<int64_t>(llvm::bit_floor(uint64_t(std::max<int64_t>(size, 1))), 1, 32);
}

/// Whether an object, wherever it is, is a kind of matrices that kernels multiply; nothing where
/// there are no kinds.
static std::optional<bool> listsMatrices(const json::Value& value) {
  std::optional<bool> found;
  auto look = [&](const json::Value& one) {
    if (std::optional<bool> inside = listsMatrices(one))
      found = found.value_or(false) || *inside;
  };
  if (const json::Array* array = value.getAsArray())
    llvm::for_each(*array, look);
  const json::Object* object = value.getAsObject();
  if (!object)
    return found;
  if (object->getInteger("MSize")) {
    auto is = [&](llvm::StringRef name, llvm::StringRef kind) {
      return object->getString(name) == kind;
    };
    bool fits = true;
    for (const char* size : {"MSize", "NSize", "KSize"})
      fits &= object->getInteger(size) == 16;
    for (const char* factor : {"AType", "BType"})
      fits &= is(factor, "VK_COMPONENT_TYPE_BFLOAT16_KHR");
    for (const char* sum : {"CType", "ResultType"})
      fits &= is(sum, "VK_COMPONENT_TYPE_FLOAT32_KHR");
    return fits;
  }
  for (const auto& member : *object)
    look(member.second);
  return found;
}

static bool readFile(llvm::StringRef path, TargetSpec& spec, std::string& error) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer) {
    error = "there is no profile '" + path.str() +
            "', and no such file can be read: " + buffer.getError().message() + "; known are " +
            llvm::join(TargetSpec::profiles(), ", ");
    return false;
  }
  llvm::Expected<json::Value> value = json::parse((*buffer)->getBuffer());
  if (!value) {
    error = "'" + path.str() + "' is no JSON: " + llvm::toString(value.takeError());
    return false;
  }
  int64_t invocations = 0;
  struct Entry {
    const char* name;
    int64_t& number;
    int64_t least;
  };
  // (The least that every device of Vulkan 1.1 has, but for bindings, of which kernels need some.)
  for (const Entry& entry : {Entry{"maxComputeSharedMemorySize", spec.sharedBytes, 16 << 10},
                             Entry{"maxComputeWorkGroupInvocations", invocations, 128},
                             Entry{"maxPerStageDescriptorStorageBuffers", spec.bindings, 4},
                             Entry{"subgroupSize", spec.subgroup, 1}})
    if (std::optional<int64_t> found = findNumber(*value, entry.name)) {
      if (*found < entry.least) {
        error = "'" + path.str() + "': " + entry.name + " is " + std::to_string(*found) +
                ", below the " + std::to_string(entry.least) + " that kernels need";
        return false;
      }
      entry.number = *found;
    }
  spec.storage16 = findNumber(*value, "storageBuffer16BitAccess").value_or(0) &&
                   findNumber(*value, "shaderInt16").value_or(0);
  spec.subgroup = subgroupOf(*value, spec.subgroup);
  spec.matrices = spec.storage16 && spec.subgroup == 32 && listsMatrices(*value).value_or(true);
  for (const char* feature :
       {"cooperativeMatrix", "shaderBFloat16Type", "shaderBFloat16CooperativeMatrix",
        "vulkanMemoryModel", "workgroupMemoryExplicitLayout",
        "workgroupMemoryExplicitLayout16BitAccess"})
    spec.matrices &= findNumber(*value, feature).value_or(0) != 0;
  return true;
}

std::optional<TargetSpec> TargetSpec::parse(std::string_view text, std::string& error) {
  llvm::StringRef rest(text.data(), text.size());
  TargetSpec spec;
  bool asksVersion = false;
  if (!rest.consume_front("vulkan") ||
      (!rest.empty() && !rest.starts_with(":") && !rest.starts_with(","))) {
    error = "no target of Vulkan: '" + std::string(text) + "'";
    return std::nullopt;
  }
  // (A file's name may have commas.)
  bool isNamed = rest.consume_front(":");
  if ((isNamed && rest.empty()) || rest.ends_with(",")) {
    error = "nothing follows the '" + std::string(1, text.back()) + "' of target '" +
            std::string(text) +
            "'; expected vulkan, vulkan:nvidia-hopper or vulkan:FILE.json, and ,spirv1.4 to "
            ",spirv1.6 behind any of these";
    return std::nullopt;
  }
  llvm::StringRef profile = rest;
  if (size_t comma = rest.rfind(",spirv"); comma != llvm::StringRef::npos) {
    llvm::StringRef version = rest.drop_front(comma + strlen(",spirv"));
    if (!version.consume_front("1.") || version.size() != 1 || version[0] < '3' ||
        version[0] > '6') {
      error = "'" + rest.drop_front(comma + 1).str() +
              "' is none of spirv1.3, spirv1.4, spirv1.5 and spirv1.6";
      return std::nullopt;
    }
    spec.version = 10 + (version[0] - '0');
    asksVersion = true;
    profile = rest.take_front(comma);
  }
  spec.profile = profile.str();
  if (profile == "nvidia-hopper") {
    spec.sharedBytes = 48 << 10;
    spec.threads = 128;
    spec.bindings = 1 << 20;
    spec.processors = 132;
    spec.subgroup = 32;
    spec.storage16 = true;
    spec.matrices = true;
    spec.fragmentLayout = true;
  } else if (!profile.empty() && !readFile(profile, spec, error)) {
    return std::nullopt;
  }
  // Matrices are of the last version alone.
  if (spec.matrices && !asksVersion)
    spec.version = 16;
  spec.matrices &= spec.version >= 16;
  return spec;
}
