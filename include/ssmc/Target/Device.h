/// Devices with memory of their own that run the kernels of ssmc/Target/SIMT.h: what a driver of
/// CUDA and one of Vulkan have in common.
#pragma once

#include "ssmc/Target/SIMT.h"

#include <functional>
#include <string>
#include <vector>

namespace ssmc::simt {

enum class Queue { Main, First, Second };

class Device {
public:
  virtual ~Device() = default;

  virtual std::string name() const = 0;
  /// Device memory, by an address to which bytes may be added; null, with `error` set, where there
  /// is none left. All of what follows is false, with `error` set, where it fails.
  virtual void* allocate(int64_t bytes, std::string& error) = 0;
  virtual void release(void* memory) = 0;
  virtual bool upload(void* device, const void* host, int64_t bytes, std::string& error) = 0;
  virtual bool download(void* host, const void* device, int64_t bytes, std::string& error) = 0;
  virtual bool fill(void* device, int byte, int64_t bytes, std::string& error) = 0;
  /// Between two places on the device. It is under way when this returns.
  virtual bool copy(void* to, const void* from, int64_t bytes, std::string& error) = 0;
  virtual bool wait(std::string& error) = 0;
  /// Whether queues run side by side. A device on which they do not takes all launches in their
  /// order.
  virtual bool hasQueues() const { return false; }
  /// Launches go to this queue from now on, to the main one before. Where the first one and the
  /// second one both want room the first one has it.
  virtual bool use(Queue, std::string&) { return true; }
  /// What `queue` is given from now on waits for all that `other` has been given.
  virtual bool follow(Queue /*queue*/, Queue /*other*/, std::string&) { return true; }
  /// Runs `body`, which launches kernels, and gives the milliseconds that they took on the device.
  virtual bool time(const std::function<bool()>& body, double& milliseconds,
                    std::string& error) = 0;
  /// Blocks along the first axis of a grid.
  virtual int64_t mostBlocks() const = 0;
};

/// A call of a kernel: blocks along the axes of its grid, and the parameters of
/// ssmc/Target/SIMT.h. What they are is said by ssmc/Artifact/Launches.h.
struct Call {
  int64_t x = 0, y = 1;
  std::vector<int64_t> parameters;
};

/// Kernels that a device has loaded.
class Program {
public:
  virtual ~Program() = default;
  virtual Device& device() const = 0;
  virtual const std::vector<KernelInfo>& kernels() const = 0;
  virtual bool launch(size_t kernel, const Call& call, std::string& error) = 0;
};

} // namespace ssmc::simt
