/// A launch on a device of this machine: copies of its arrays there, and its calls.
#pragma once

#include "Kernels.h"

#include <variant>

namespace ssmc::driver {

/// Whether a kernel begins with states, or leaves any.
bool carriesStates(const artifact::Kernel& kernel);

/// This machine's device of a target that has one.
llvm::Expected<simt::Device*> openDevice(const CodeTarget& target);

/// Compiles a module of kernels and loads them.
llvm::Expected<std::shared_ptr<simt::Program>>
loadOnDevice(mlir::ModuleOp module, const CodeTarget& target, int64_t items);

/// A place in an array of the host's, which stands for that in its copy; null: nowhere.
struct ArrayPlace {
  void* array = nullptr;
  int64_t bytes = 0; ///< after its begin
};

/// A call of a kernel. What it points to outlives it.
struct DeviceCall {
  size_t number = 0; ///< of the kernel, in the program
  const artifact::Kernel* kernel = nullptr;
  artifact::CallSizes sizes;
  const int64_t* offsets = nullptr; ///< an array that was added, where sequences are packed
  llvm::SmallVector<ArrayPlace> operands;
  llvm::SmallVector<int64_t> strides; ///< four of each operand
  simt::Queue queue = simt::Queue::Main;
};

/// What one queue is given after it waits for what the other has been given before it.
struct DeviceOrder {
  simt::Queue queue, other;
};

/// Bytes that are copied from one array to another between calls.
struct DeviceCopy {
  ArrayPlace to, from;
  int64_t bytes = 0;
};

class DeviceArrays {
public:
  explicit DeviceArrays(std::shared_ptr<simt::Program> program) : program(std::move(program)) {}
  ~DeviceArrays();

  /// The allocation that a kernel's operand shares with others (KernelInfo::together); 0: none.
  int64_t allocationOf(size_t kernel, size_t operand) const;
  /// An array of the host that kernels read or write; adding one again does nothing.
  void add(void* host, size_t bytes, bool isResult, int64_t allocation = 0);
  /// What `run` does, in this order.
  void append(DeviceCall call) { steps.emplace_back(std::move(call)); }
  void append(const DeviceCopy& copy) { steps.emplace_back(copy); }
  void append(const DeviceOrder& order) { steps.emplace_back(order); }
  /// Copies all arrays to the device, at the first call; takes the steps, and waits for them.
  llvm::Error run();
  /// The milliseconds of each call of `run`, one after the other, and what it is.
  llvm::Expected<std::vector<KernelTime>> timeCalls();
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
  int64_t deviceAddress(ArrayPlace place, int64_t allocation = 0) const;
  llvm::Error allocate();
  llvm::Error upload();
  llvm::Error launch(const DeviceCall& call);
  llvm::Error reserveWorkspace(int64_t bytes);

  std::shared_ptr<simt::Program> program;
  std::vector<std::variant<DeviceCall, DeviceCopy, DeviceOrder>> steps;
  /// By array and allocation.
  llvm::MapVector<std::pair<void*, int64_t>, Copy> copies;
  std::vector<void*> allocations;
  void* workspace = nullptr;
  int64_t workspaceBytes = 0;
  bool isThere = false, poisonsWorkspace = false;
};

} // namespace ssmc::driver
