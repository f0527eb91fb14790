/// A launch on the GPU of this machine: copies of its arrays there, and its calls.
#pragma once

#include "Kernels.h"

namespace ssmc::driver {

/// Compiles a module of kernels and loads them.
llvm::Expected<std::shared_ptr<cuda::Module>>
loadOnDevice(mlir::ModuleOp module, const cuda::TargetSpec& target, int64_t items);

class DeviceArrays {
public:
  DeviceArrays(std::shared_ptr<cuda::Module> module, const artifact::CallSizes& sizes)
      : module(std::move(module)), sizes(sizes) {}
  ~DeviceArrays();

  /// An array of the host that kernels read or write; adding one again does nothing.
  void add(void* host, size_t bytes, bool isResult);
  /// Copies all arrays to the device, at the first call.
  llvm::Error upload();
  llvm::Error launch(size_t number, const artifact::Kernel& kernel, const ssmc_kernel_args& args,
                     llvm::ArrayRef<void*> operands, llvm::ArrayRef<int64_t> strides);
  llvm::Error wait();
  /// Fills what kernels have for themselves with NaN, once it is there.
  void poisonWorkspace() { poisonsWorkspace = true; }
  /// Copies results back.
  llvm::Error download();

private:
  struct Copy {
    void* device = nullptr;
    size_t bytes = 0;
    bool isResult = false;
  };
  llvm::Expected<cuda::Device*> open();
  int64_t deviceAddress(const void* host) const;
  llvm::Error reserveWorkspace(cuda::Device& device, int64_t bytes);

  std::shared_ptr<cuda::Module> module;
  artifact::CallSizes sizes;
  llvm::MapVector<void*, Copy> copies;
  void* workspace = nullptr;
  int64_t workspaceBytes = 0;
  bool isThere = false, poisonsWorkspace = false;
};

} // namespace ssmc::driver
