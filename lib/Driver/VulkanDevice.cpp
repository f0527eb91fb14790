#include "VulkanDevice.h"

#include "ssmc/Runtime/Vulkan.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

static std::string targetName(const vulkan::TargetSpec& target) {
  return target.profile.empty() ? "vulkan" : "vulkan:" + target.profile;
}

VulkanDevice* VulkanDevice::open(std::string& error) {
  vulkan::Device* device = vulkan::Device::open(error);
  if (!device)
    return nullptr;
  static VulkanDevice made(*device);
  return &made;
}

Error VulkanDevice::check(const vulkan::TargetSpec& target) {
  std::string message;
  vulkan::Device* device = vulkan::Device::open(message);
  if (!device)
    return createStringError(message + "; --emit spirv needs none");
  const vulkan::DeviceLimits& limits = device->limits();
  std::string kernels = "kernels for " + targetName(target) + " need ";
  auto refuse = [&](const Twine& what, int64_t wanted, int64_t there) {
    return createStringError(kernels + what + " of " + Twine(wanted) + "; " + limits.name +
                             " has " + Twine(there));
  };
  auto lacks = [&](const Twine& what) {
    return createStringError(kernels + what + ", which " + limits.name + " lacks");
  };
  if (target.threads > limits.threads)
    return refuse("work groups", target.threads, limits.threads);
  if (target.sharedBytes > limits.sharedBytes)
    return refuse("shared memory, in bytes,", target.sharedBytes, limits.sharedBytes);
  if (target.storage16 && !limits.storage16)
    return lacks("the feature storageBuffer16BitAccess");
  if (target.storage16 && !limits.int16)
    return lacks("the feature shaderInt16");
  if (target.matrices && !limits.cooperativeMatrix)
    return lacks("VK_KHR_cooperative_matrix");
  if (target.matrices && !(limits.bfloat16 && limits.bfloat16Matrices))
    return lacks("VK_KHR_shader_bfloat16 with products of 16 x 16 matrices by subgroups");
  if (target.matrices && !limits.memoryModel)
    return lacks("the feature vulkanMemoryModel");
  if (target.matrices && !(limits.sharedLayout && limits.sharedLayout16))
    return lacks("VK_KHR_workgroup_memory_explicit_layout with 16-bit access");
  if (target.subgroup > 1 && !limits.subgroupShuffle)
    return lacks("VK_SUBGROUP_FEATURE_SHUFFLE_BIT in compute shaders");
  if (target.subgroup > 1 && target.subgroup > limits.subgroupSize)
    return refuse("subgroups", target.subgroup, limits.subgroupSize);
  return Error::success();
}

void VulkanDevice::narrow(vulkan::TargetSpec& target) {
  std::string message;
  vulkan::Device* device = vulkan::Device::open(message);
  if (!device)
    return;
  target.sharedBytes = std::min(target.sharedBytes, device->limits().sharedBytes);
  target.bindings = std::min(target.bindings, device->limits().bindings);
  target.storage16 = device->limits().storage16 && device->limits().int16;
}

Error driver::checkBindings(const std::vector<vulkan::Kernel>& kernels,
                            const vulkan::TargetSpec& target) {
  for (const vulkan::Kernel& kernel : kernels)
    if (kernel.countBindings() > target.bindings)
      return createStringError("kernel '" + kernel.info.name + "' needs " +
                               Twine(kernel.countBindings()) +
                               " storage buffers, with arrays that share them as far as they can; "
                               "devices of --target " +
                               targetName(target) + " have " + Twine(target.bindings));
  return Error::success();
}

std::string VulkanDevice::name() const {
  return device.name();
}
void* VulkanDevice::allocate(int64_t bytes, std::string& error) {
  return device.allocate(bytes, error);
}
void VulkanDevice::release(void* memory) {
  device.release(memory);
}
bool VulkanDevice::upload(void* to, const void* host, int64_t bytes, std::string& error) {
  return device.upload(to, host, bytes, error);
}
bool VulkanDevice::download(void* host, const void* from, int64_t bytes, std::string& error) {
  return device.download(host, from, bytes, error);
}
bool VulkanDevice::fill(void* memory, int byte, int64_t bytes, std::string& error) {
  return device.fill(memory, byte, bytes, error);
}
bool VulkanDevice::copy(void* to, const void* from, int64_t bytes, std::string& error) {
  return device.copy(to, from, bytes, error);
}
bool VulkanDevice::wait(std::string& error) {
  return device.wait(error);
}
bool VulkanDevice::time(const std::function<bool()>& body, double& milliseconds,
                        std::string& error) {
  return device.time(body, milliseconds, error);
}
int64_t VulkanDevice::mostBlocks() const {
  return device.limits().gridX;
}

namespace {
class VulkanProgram : public simt::Program {
public:
  VulkanProgram(VulkanDevice& owner, std::unique_ptr<vulkan::Program> program,
                std::vector<simt::KernelInfo> infos)
      : owner(owner), program(std::move(program)), infos(std::move(infos)) {}
  simt::Device& device() const override { return owner; }
  const std::vector<simt::KernelInfo>& kernels() const override { return infos; }
  bool launch(size_t kernel, const simt::Call& call, std::string& error) override {
    return program->launch(kernel, call.x, call.y, call.parameters, error);
  }

private:
  VulkanDevice& owner;
  std::unique_ptr<vulkan::Program> program;
  std::vector<simt::KernelInfo> infos;
};
} // namespace

std::shared_ptr<simt::Program> VulkanDevice::load(const std::vector<vulkan::Kernel>& kernels,
                                                  std::string& error) {
  VulkanDevice* owner = open(error);
  if (!owner)
    return nullptr;
  std::vector<vulkan::KernelCode> codes;
  std::vector<simt::KernelInfo> infos;
  for (const vulkan::Kernel& kernel : kernels) {
    codes.push_back({kernel.info.name, kernel.words, kernel.info.threads, kernel.info.sharedBytes,
                     kernel.bindings, kernel.requirements.subgroup});
    infos.push_back(kernel.info);
  }
  std::unique_ptr<vulkan::Program> program =
      vulkan::Program::load(owner->device, std::move(codes), error);
  if (!program)
    return nullptr;
  return std::make_shared<VulkanProgram>(*owner, std::move(program), std::move(infos));
}
