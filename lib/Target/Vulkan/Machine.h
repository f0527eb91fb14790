/// How tile kernels become modules of SPIR-V: first programs of threads with addresses as in the
/// LLVM dialect, for the machine below, then arrays of words in place of addresses
/// (LowerAddresses.cpp), which share bindings where there are too many (ShareBindings.cpp), then
/// the spirv dialect by upstream's conversions (Codegen.cpp), in which variables get what the
/// memory model and readers of other elements want (Variables.cpp).
#pragma once

#include "ssmc/Target/Vulkan.h"

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

#include <memory>

namespace mlir::func {
class FuncOp;
} // namespace mlir::func
namespace mlir::spirv {
class ModuleOp;
} // namespace mlir::spirv

namespace ssmc::vulkan {

/// Address spaces: the caller's arrays, the block's shared memory.
constexpr unsigned globalSpace = 1, sharedSpace = 3;

std::unique_ptr<simt::Machine> makeMachine(const TargetSpec& target);

/// An array of a kernel, in the order of parameters.
struct KernelArray {
  std::string name;
  tile::Role role = tile::Role::In;
  /// Whether it is one of 16-bit elements, and not of words.
  bool ofHalves = false;
  /// How large it is next to others.
  int64_t weight = 1;
};
llvm::SmallVector<KernelArray> arraysOf(tile::KernelOp kernel, const TargetSpec& target);
/// The number of an array's pointer among the parameters.
unsigned parameterOf(size_t array);

/// A kernel as a gpu.module, whose function has an argument for each binding.
struct LoweredKernel {
  llvm::SmallVector<KernelArray> arrays;
  mlir::gpu::GPUModuleOp module;
  /// As in Kernel, and KernelInfo.
  std::vector<int> bindings;
  std::vector<std::pair<int64_t, int64_t>> together;
};

/// Makes a gpu.module, with a function for the device, of a function of simt::lowerKernel; the
/// kernel's arrays are known. Each pointer has a binding of its own. With `hasViews` one memory may
/// be seen as arrays of different elements: what the block shares is variables of the spirv
/// dialect then, and an array of which that is wanted is cast to a pointer. Fails, with a message,
/// on what has no such form.
mlir::LogicalResult lowerAddresses(mlir::func::FuncOp function, const simt::KernelInfo& info,
                                   bool hasViews, LoweredKernel& kernel);

/// Every gpu.module as a spirv.module in its place.
mlir::LogicalResult convertToSPIRV(mlir::ModuleOp module);

/// Makes pointers of such casts: to variables of their own, which are aliases of the arrays'. Of
/// modules of the spirv dialect whose entry points have arguments still.
void resolveViews(mlir::spirv::ModuleOp module);

/// Says of the variables of a module without such arguments, and of what accesses them, who else
/// does.
void describeMemory(mlir::spirv::ModuleOp module);

/// Lets arrays share bindings until all kernels of a module have no more of them than a target, or
/// nothing is left to be shared.
void shareBindings(llvm::MutableArrayRef<LoweredKernel> kernels, const TargetSpec& target);

/// Every tile kernel of a module as a gpu.module in its place. Nothing, with a message, where it
/// cannot be done.
std::optional<std::vector<Kernel>> lowerKernels(mlir::ModuleOp module, const TargetSpec& target,
                                                const simt::Limits& limits);

} // namespace ssmc::vulkan
