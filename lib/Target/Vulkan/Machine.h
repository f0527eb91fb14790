/// How tile kernels become modules of SPIR-V: first programs of threads with addresses as in the
/// LLVM dialect, for the machine below, then arrays of words in place of addresses
/// (LowerAddresses.cpp), then the spirv dialect by upstream's conversions (Codegen.cpp).
#pragma once

#include "ssmc/Target/Vulkan.h"

#include "llvm/ADT/BitVector.h"

#include <memory>

namespace mlir {
class OpBuilder;
namespace func {
class FuncOp;
} // namespace func
namespace gpu {
class GPUModuleOp;
} // namespace gpu
} // namespace mlir

namespace ssmc::vulkan {

/// Address spaces: the caller's arrays, the block's shared memory.
constexpr unsigned globalSpace = 1, sharedSpace = 3;

std::unique_ptr<simt::Machine> makeMachine(const TargetSpec& target);

/// Makes a gpu.module, with a function for the device, of a function of simt::lowerKernel, and
/// says which binding each parameter has. Those of `halves` are arrays of 16-bit elements. Fails,
/// with a message, on what has no such form.
mlir::FailureOr<mlir::gpu::GPUModuleOp> lowerAddresses(mlir::func::FuncOp function,
                                                       const simt::KernelInfo& info,
                                                       const llvm::BitVector& halves,
                                                       std::vector<int>& bindings);

/// The parameters of a kernel that point to elements of 16 bits, where a target has arrays of such.
llvm::BitVector findHalves(tile::KernelOp kernel, const TargetSpec& target);

} // namespace ssmc::vulkan
