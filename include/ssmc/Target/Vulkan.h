/// The Vulkan target: kernels of the `tile` dialect to SPIR-V modules for compute.
///
///   TargetSpec::parse     which devices: a profile
///   compile               a module of tile kernels to SPIR-V, one module for each kernel
///
/// A kernel's parameters are those of ssmc/Target/SIMT.h, as words of 32 bits in a storage buffer
/// at binding 0 of set 0, in the same order: of a pointer the bytes from the start of its binding
/// on, or 0xffffffff where it is null. Each pointer that a kernel uses has a binding of its own,
/// numbered from 1 on in the order of parameters: an array of words of 32 bits. Where these are
/// more than a device has, arrays share one (KernelInfo::together). Work groups are blocks, along x
/// and y as there; local size is along x. Invocations are told apart by their
/// number in the group alone, so that results do not depend on the size of subgroups.
#pragma once

#include "ssmc/Target/SIMT.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace ssmc::vulkan {

/// What devices must have.
struct TargetSpec {
  std::string profile;  ///< "", "nvidia-hopper" or the path of a file
  int64_t version = 13; ///< of SPIR-V: 13 for 1.3, up to 16
  int64_t sharedBytes = 32 << 10;
  int64_t threads = 128;  ///< of a work group
  int64_t bindings = 30;  ///< storage buffers that a kernel may have
  int64_t processors = 1; ///< work groups wanted to fill the device
  /// Whether arrays of 16-bit elements are such (storageBuffer16BitAccess and shaderInt16), and not
  /// of words whose halves are written by atomic operations.
  bool storage16 = false;
  /// Invocations that surely run in one subgroup, next to each other; 1: none.
  int64_t subgroup = 1;
  /// Whether subgroups multiply matrices of 16 x 16 by 16 x 16 bf16, with sums in f32, and memory
  /// of work groups may be seen as arrays of different elements. Such modules are of version 16,
  /// with Vulkan's memory model; there are arrays of 16-bit elements then, and subgroups.
  bool matrices = false;
  /// Whether it is known which components of matrices an invocation has
  /// (Machine::hasFragmentLayout), which SPV_KHR_cooperative_matrix leaves open. Kernels look, and
  /// give NaN where it is not so.
  bool fragmentLayout = false;

  /// `vulkan`, `vulkan:PROFILE` or `vulkan:FILE.json`, with `,spirv1.N` behind any of them. On
  /// failure sets `error`.
  ///
  /// A file is an object with any of the numbers "maxComputeSharedMemorySize" (bytes),
  /// "maxComputeWorkGroupInvocations", "maxPerStageDescriptorStorageBuffers" and "subgroupSize",
  /// of the features "storageBuffer16BitAccess" and "shaderInt16" and those that matrices need, of
  /// kinds of matrices, and of the operations of subgroups, all as vulkaninfo names them, wherever
  /// they are in it. Subgroups without VK_SUBGROUP_FEATURE_SHUFFLE_BIT are as none.
  static std::optional<TargetSpec> parse(std::string_view text, std::string& error);
  static const std::vector<std::string>& profiles();

  /// `1.3`, and the version of Vulkan that has it: `1.1`.
  std::string versionText() const;
  std::string vulkanVersion() const;
};

/// What a module asks of a device, beside its version and limits.
struct Requirements {
  std::vector<std::string> capabilities, extensions; ///< as SPIR-V names them
  std::vector<std::string> features;   ///< to be enabled: members of structures of Vulkan
  std::vector<std::string> operations; ///< of subgroups: `basic`, `shuffle`
  /// Invocations next to each other that must run in one subgroup, which must be full; 0: any.
  int64_t subgroup = 0;
};

/// One kernel.
struct Kernel {
  simt::KernelInfo info;
  std::vector<uint32_t> words; ///< of the SPIR-V module; its entry point has the kernel's name
  /// Of each parameter its binding: 0 for a number, -1 for a pointer that the kernel does not use.
  std::vector<int> bindings;
  Requirements requirements;

  /// Storage buffers, that of the parameters among them.
  int64_t countBindings() const;
};

/// Registers --lower-tile-to-vulkan, which does what `compile` does up to gpu.module.
void registerPasses();

/// Compiles a module of tile kernels for calls of so many sequences times heads (0: not known); the
/// module is left unusable. On failure sets `error` (what MLIR has to say goes to the context's
/// diagnostic handler).
std::optional<std::vector<Kernel>> compile(mlir::ModuleOp module, const TargetSpec& target,
                                           int64_t items, std::string& error);

/// As `compile`, as text of the spirv dialect.
std::optional<std::string> print(mlir::ModuleOp module, const TargetSpec& target, int64_t items,
                                 std::string& error);

/// What kernels would take, without code. Nothing where that fails.
std::optional<std::vector<simt::KernelInfo>> plan(mlir::ModuleOp module, const TargetSpec& target,
                                                  int64_t items);

} // namespace ssmc::vulkan
