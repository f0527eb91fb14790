/// Vulkan's device of this machine as one of those that the driver knows.
#pragma once

#include "ssmc/Target/Device.h"
#include "ssmc/Target/Vulkan.h"

#include "llvm/Support/Error.h"

#include <memory>

namespace ssmc::vulkan {
class Device;
} // namespace ssmc::vulkan

namespace ssmc::driver {

class VulkanDevice : public simt::Device {
public:
  /// Null, with `error` set, where there is no loader, driver or device. Opened once.
  static VulkanDevice* open(std::string& error);
  static std::shared_ptr<simt::Program> load(const std::vector<vulkan::Kernel>& kernels,
                                             std::string& error);
  /// Fails where this machine cannot run code for a target.
  static llvm::Error check(const vulkan::TargetSpec& target);
  /// What this machine's device, if it has one, has less or more of than any device.
  static void narrow(vulkan::TargetSpec& target);

  std::string name() const override;
  void* allocate(int64_t bytes, std::string& error) override;
  void release(void* memory) override;
  bool upload(void* to, const void* host, int64_t bytes, std::string& error) override;
  bool download(void* host, const void* from, int64_t bytes, std::string& error) override;
  bool fill(void* memory, int byte, int64_t bytes, std::string& error) override;
  bool copy(void* to, const void* from, int64_t bytes, std::string& error) override;
  bool wait(std::string& error) override;
  bool time(const std::function<bool()>& body, double& milliseconds, std::string& error) override;
  int64_t mostBlocks() const override;

private:
  explicit VulkanDevice(vulkan::Device& device) : device(device) {}
  vulkan::Device& device;
};

/// Fails where a kernel has more bindings than the target's devices, though arrays share them.
llvm::Error checkBindings(const std::vector<vulkan::Kernel>& kernels,
                          const vulkan::TargetSpec& target);

} // namespace ssmc::driver
