// The architectures of CUDA.
#include "ssmc/Target/CUDA.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace ssmc::cuda;

namespace {
struct Architecture {
  const char* name;
  int64_t
      sharedKiB; ///< the most that a block may have (CUDA C++ Programming Guide, table of limits)
  const char* ptx;
};
} // namespace

static const Architecture table[] = {
    {"sm_80", 163, "+ptx80"},   {"sm_86", 99, "+ptx80"},   {"sm_89", 99, "+ptx80"},
    {"sm_90", 227, "+ptx80"},   {"sm_90a", 227, "+ptx80"}, {"sm_100", 227, "+ptx87"},
    {"sm_100a", 227, "+ptx87"}, {"sm_120", 99, "+ptx87"},
};

static const Architecture& find(const std::string& name) {
  return *llvm::find_if(table, [&](const Architecture& one) { return name == one.name; });
}

const std::vector<std::string>& TargetSpec::architectures() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Architecture& one : table)
      all.push_back(one.name);
    return all;
  }();
  return names;
}

std::optional<TargetSpec> TargetSpec::parse(std::string_view text, std::string& error) {
  llvm::StringRef rest(text.data(), text.size());
  TargetSpec spec;
  if (!rest.consume_front("cuda") || (!rest.empty() && !rest.consume_front(":"))) {
    error = "no target of CUDA: '" + std::string(text) + "'";
    return std::nullopt;
  }
  if (rest.empty() && text.back() == ':') {
    error = "no architecture follows the ':' of target '" + std::string(text) + "'; known are " +
            llvm::join(architectures(), ", ");
    return std::nullopt;
  }
  if (!rest.empty())
    spec.arch = rest.str();
  if (!llvm::is_contained(architectures(), spec.arch)) {
    error =
        "unknown architecture '" + spec.arch + "'; known are " + llvm::join(architectures(), ", ");
    return std::nullopt;
  }
  return spec;
}

int64_t TargetSpec::sharedBytes() const {
  return find(arch).sharedKiB * 1024;
}

std::string TargetSpec::features() const {
  return find(arch).ptx;
}
