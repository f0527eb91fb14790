/// A launch on a device of this machine: copies of its arrays there, and its calls.
#pragma once

#include "Kernels.h"

namespace ssmc::driver {

/// This machine's device of a target that has one.
llvm::Expected<simt::Device*> openDevice(const CodeTarget& target);

/// Compiles a module of kernels and loads them.
llvm::Expected<std::shared_ptr<simt::Program>>
loadOnDevice(mlir::ModuleOp module, const CodeTarget& target, int64_t items);

class DeviceArrays {
public:
  DeviceArrays(std::shared_ptr<simt::Program> program, const artifact::CallSizes& sizes)
      : program(std::move(program)), sizes(sizes) {}
  ~DeviceArrays();

  /// The allocation that a kernel's operand shares with others (KernelInfo::together); 0: none.
  int64_t allocationOf(size_t kernel, size_t operand) const;
  /// An array of the host that kernels read or write; adding one again does nothing.
  void add(void* host, size_t bytes, bool isResult, int64_t allocation = 0);
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
  int64_t deviceAddress(const void* host, int64_t allocation = 0) const;
  llvm::Error allocate();
  llvm::Error reserveWorkspace(int64_t bytes);

  std::shared_ptr<simt::Program> program;
  artifact::CallSizes sizes;
  /// By array and allocation.
  llvm::MapVector<std::pair<void*, int64_t>, Copy> copies;
  std::vector<void*> allocations;
  void* workspace = nullptr;
  int64_t workspaceBytes = 0;
  bool isThere = false, poisonsWorkspace = false;
};

} // namespace ssmc::driver
