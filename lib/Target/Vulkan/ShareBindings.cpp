// Arrays share a binding, where a kernel has more of them than a device has storage buffers.
//
// A pointer is a number of bytes from the start of its binding, so several arrays may have one
// binding, if the caller lays them in one buffer. Which arrays must is the same for all kernels of
// a module. They are taken together by what they are, in the order in which that is the least
// bother: temporaries, which the caller has for nothing else; states, which are kept and moved
// together anyway; then gradients and outputs, params, inputs, and in the end all of them. The last
// kind that is needed makes as many buffers as there are bindings for, of about the same size, as
// the range of a binding is bounded too. Arrays of words and of 16-bit elements never share one.
#include "Machine.h"
#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <map>
#include <set>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::vulkan;
using tile::Role;

/// Sizes, offsets and workspace come first; then of each array a pointer and its strides.
static constexpr unsigned firstArray = 7, parametersOfArray = 5;

unsigned vulkan::parameterOf(size_t array) {
  return firstArray + parametersOfArray * unsigned(array);
}

SmallVector<KernelArray> vulkan::arraysOf(tile::KernelOp kernel, const TargetSpec& target) {
  // (Of many steps: only the ratios count.)
  constexpr int64_t steps = 4096, stepsOfTile = 64;
  SmallVector<KernelArray> arrays;
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>()) {
    Role role = operand.getRole();
    if (role == Role::Row)
      continue;
    Type storage = operand.getStorage();
    KernelArray& array = arrays.emplace_back();
    array.name = operand.getName().str();
    array.role = role;
    array.ofHalves = target.storage16 && (storage.isBF16() || storage.isF16());
    array.weight = role == Role::ChunkTemp ? steps / stepsOfTile
                   : role == Role::In || role == Role::Out || role == Role::Temp ? steps
                                                                                 : 1;
    for (ssm::AxisAttr axis : operand.getAxes())
      array.weight *= axis.getSize();
  }
  return arrays;
}

namespace {

/// An array of the caller's: kernels of a module know one by its name and role.
struct Key {
  Role role;
  std::string name;
  bool ofHalves;
  bool operator<(const Key& other) const {
    return std::tie(ofHalves, role, name) < std::tie(other.ofHalves, other.role, other.name);
  }
};
struct Member {
  Key key;
  int64_t weight;
};

class Sharing {
public:
  Sharing(MutableArrayRef<LoweredKernel> kernels, int64_t bindings)
      : kernels(kernels), bindings(bindings) {}
  void decide();
  void apply(LoweredKernel& kernel);

private:
  static Key keyOf(const KernelArray& array) { return {array.role, array.name, array.ofHalves}; }
  bool isUsed(const LoweredKernel& kernel, size_t array) const {
    return kernel.bindings[parameterOf(array)] > 0;
  }
  bool fits() const;
  bool take(ArrayRef<Role> roles, bool ofHalves);

  MutableArrayRef<LoweredKernel> kernels;
  int64_t bindings;
  /// The buffer of an array, from 1 on; arrays that are not here have one each.
  std::map<Key, int64_t> buffers;
  int64_t next = 1;
};

} // namespace

bool Sharing::fits() const {
  return llvm::all_of(kernels, [&](const LoweredKernel& kernel) {
    int64_t count = 1; // (That of the parameters.)
    for (int binding : kernel.bindings)
      count += binding > 0;
    std::set<int64_t> seen;
    for (auto [number, array] : llvm::enumerate(kernel.arrays))
      if (auto found = buffers.find(keyOf(array)); found != buffers.end() && isUsed(kernel, number))
        count -= !seen.insert(found->second).second;
    return count <= bindings;
  });
}

/// Takes arrays of those roles together, in as many buffers as fit, else in one. Whether all
/// kernels fit then.
bool Sharing::take(ArrayRef<Role> roles, bool ofHalves) {
  std::map<Key, int64_t> found;
  for (const LoweredKernel& kernel : kernels)
    for (auto [number, array] : llvm::enumerate(kernel.arrays))
      if (array.ofHalves == ofHalves && llvm::is_contained(roles, array.role) &&
          isUsed(kernel, number))
        found[keyOf(array)] = array.weight;
  SmallVector<Member> members;
  for (const auto& [key, weight] : found)
    members.push_back({key, weight});
  llvm::stable_sort(members, [](const Member& a, const Member& b) { return a.weight > b.weight; });
  int64_t first = next;
  for (int64_t count = int64_t(members.size()) - 1; count > 0; --count) {
    SmallVector<int64_t> loads(count);
    for (const Member& member : members) {
      auto least = llvm::min_element(loads);
      *least += member.weight;
      buffers[member.key] = first + (least - loads.begin());
    }
    next = first + count;
    if (fits())
      return true;
  }
  return false;
}

void Sharing::decide() {
  if (fits())
    return;
  const Role all[] = {Role::Temp, Role::ChunkTemp, Role::StateIn, Role::StateOut,
                      Role::Out,  Role::Param,     Role::In};
  const SmallVector<Role> kinds[] = {{Role::Temp, Role::ChunkTemp},
                                     {Role::StateIn},
                                     {Role::StateOut},
                                     {Role::Out},
                                     {Role::Param},
                                     {Role::In},
                                     llvm::to_vector(all)};
  for (const SmallVector<Role>& kind : kinds)
    for (bool ofHalves : {false, true})
      if (take(kind, ofHalves))
        return;
}

void Sharing::apply(LoweredKernel& kernel) {
  std::map<int64_t, int64_t> counts;
  for (const auto& [key, buffer] : buffers)
    ++counts[buffer];
  gpu::GPUFuncOp function = *kernel.module.getOps<gpu::GPUFuncOp>().begin();
  llvm::BitVector dropped(function.getNumArguments());
  std::map<int64_t, int> leaders;
  for (auto [number, array] : llvm::enumerate(kernel.arrays)) {
    auto found = buffers.find(keyOf(array));
    if (found == buffers.end() || counts[found->second] < 2)
      continue;
    kernel.together.push_back({int64_t(number), found->second});
    int& binding = kernel.bindings[parameterOf(number)];
    if (binding <= 0)
      continue;
    auto [leader, isFirst] = leaders.try_emplace(found->second, binding);
    if (isFirst)
      continue;
    function.getArgument(binding).replaceAllUsesWith(function.getArgument(leader->second));
    dropped.set(binding);
    binding = leader->second;
  }
  // Bindings have no gaps.
  SmallVector<int> renumbered(dropped.size());
  int count = 0;
  for (unsigned argument = 0; argument < dropped.size(); ++argument)
    renumbered[argument] = dropped[argument] ? -1 : count++;
  for (int& binding : kernel.bindings)
    if (binding > 0)
      binding = renumbered[binding];
  if (failed(function.eraseArguments(dropped)))
    llvm_unreachable("arguments without uses can be erased");
}

void vulkan::shareBindings(MutableArrayRef<LoweredKernel> kernels, const TargetSpec& target) {
  Sharing sharing(kernels, target.bindings);
  sharing.decide();
  for (LoweredKernel& kernel : kernels)
    sharing.apply(kernel);
}
