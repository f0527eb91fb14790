// Vulkan's functions, found at run time, and the opened device.
#pragma once

#include "ssmc/Runtime/Vulkan.h"

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan.h>

#include <string>

namespace ssmc::vulkan {

// What is found without an instance, through one, and through a device.
#define SSMC_VULKAN_GLOBAL_FUNCTIONS(F)                                                            \
  F(vkCreateInstance)                                                                              \
  F(vkEnumerateInstanceExtensionProperties)                                                        \
  F(vkEnumerateInstanceLayerProperties)
#define SSMC_VULKAN_INSTANCE_FUNCTIONS(F)                                                          \
  F(vkCreateDevice)                                                                                \
  F(vkDestroyInstance)                                                                             \
  F(vkEnumerateDeviceExtensionProperties)                                                          \
  F(vkEnumeratePhysicalDevices)                                                                    \
  F(vkGetDeviceProcAddr)                                                                           \
  F(vkGetPhysicalDeviceFeatures2)                                                                  \
  F(vkGetPhysicalDeviceMemoryProperties)                                                           \
  F(vkGetPhysicalDeviceProperties)                                                                 \
  F(vkGetPhysicalDeviceProperties2)                                                                \
  F(vkGetPhysicalDeviceQueueFamilyProperties)
#define SSMC_VULKAN_DEVICE_FUNCTIONS(F)                                                            \
  F(vkAllocateCommandBuffers)                                                                      \
  F(vkAllocateDescriptorSets)                                                                      \
  F(vkAllocateMemory)                                                                              \
  F(vkBeginCommandBuffer)                                                                          \
  F(vkBindBufferMemory)                                                                            \
  F(vkCmdBindDescriptorSets)                                                                       \
  F(vkCmdBindPipeline)                                                                             \
  F(vkCmdCopyBuffer)                                                                               \
  F(vkCmdDispatch)                                                                                 \
  F(vkCmdFillBuffer)                                                                               \
  F(vkCmdPipelineBarrier)                                                                          \
  F(vkCmdResetQueryPool)                                                                           \
  F(vkCmdWriteTimestamp)                                                                           \
  F(vkCreateBuffer)                                                                                \
  F(vkCreateCommandPool)                                                                           \
  F(vkCreateComputePipelines)                                                                      \
  F(vkCreateDescriptorPool)                                                                        \
  F(vkCreateDescriptorSetLayout)                                                                   \
  F(vkCreateFence)                                                                                 \
  F(vkCreatePipelineCache)                                                                         \
  F(vkCreatePipelineLayout)                                                                        \
  F(vkCreateQueryPool)                                                                             \
  F(vkCreateShaderModule)                                                                          \
  F(vkDestroyBuffer)                                                                               \
  F(vkDestroyDescriptorSetLayout)                                                                  \
  F(vkDestroyPipeline)                                                                             \
  F(vkDestroyPipelineLayout)                                                                       \
  F(vkDestroyQueryPool)                                                                            \
  F(vkDestroyShaderModule)                                                                         \
  F(vkDeviceWaitIdle)                                                                              \
  F(vkEndCommandBuffer)                                                                            \
  F(vkFreeMemory)                                                                                  \
  F(vkGetBufferMemoryRequirements)                                                                 \
  F(vkGetDeviceQueue)                                                                              \
  F(vkGetQueryPoolResults)                                                                         \
  F(vkMapMemory)                                                                                   \
  F(vkQueueSubmit)                                                                                 \
  F(vkResetCommandPool)                                                                            \
  F(vkResetDescriptorPool)                                                                         \
  F(vkResetFences)                                                                                 \
  F(vkUpdateDescriptorSets)                                                                        \
  F(vkWaitForFences)

/// The functions under their own names.
struct Functions {
#define SSMC_VULKAN_MEMBER(name) PFN_##name name = nullptr;
  SSMC_VULKAN_GLOBAL_FUNCTIONS(SSMC_VULKAN_MEMBER)
  SSMC_VULKAN_INSTANCE_FUNCTIONS(SSMC_VULKAN_MEMBER)
  SSMC_VULKAN_DEVICE_FUNCTIONS(SSMC_VULKAN_MEMBER)
#undef SSMC_VULKAN_MEMBER
  PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr = nullptr;

  /// The groups above in turn, the first from the loader. On failure `error` names what is missing.
  bool findGlobal(std::string& error);
  bool findInstance(VkInstance instance, std::string& error);
  bool findDevice(VkDevice device, std::string& error);
};

/// "VK_ERROR_DEVICE_LOST".
std::string nameOf(VkResult result);

/// Whether `function` succeeded; if not, `error` says what it returned.
bool check(VkResult result, const char* function, std::string& error);

/// A buffer with memory of its own, which `host` maps where it was asked for.
struct Buffer {
  VkBuffer buffer = VK_NULL_HANDLE;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  int64_t bytes = 0;
  char* host = nullptr;
};

/// The open device: its handles, and what of its limits the host itself needs.
struct Context {
  Functions api;
  VkInstance instance = VK_NULL_HANDLE;
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  uint32_t family = 0;
  VkPhysicalDeviceMemoryProperties memory{};
  DeviceLimits limits;
  /// Descriptors start at multiples of this, a power of two of at most 256.
  int64_t alignment = 256;
  /// Nanoseconds a tick, and the bits of a tick that count: 0 where the queue has no timestamps.
  double tick = 1;
  uint32_t tickBits = 0;
  /// Subgroups of a workgroup that may ask for its subgroup size: 0 where it cannot be asked for.
  int64_t pinnedSubgroups = 0;
  bool fullSubgroups = false;

  /// Finds the loader, makes an instance and opens the device.
  bool open(std::string& error);

  /// Memory of a type that has all the flags of the first entry of `wishes` that can be had.
  bool makeBuffer(int64_t bytes, std::initializer_list<VkMemoryPropertyFlags> wishes, Buffer& made,
                  std::string& error) const;
  void drop(const Buffer& buffer) const;

private:
  bool makeInstance(std::string& error);
  bool choose(std::string& error);
  bool makeDevice(std::string& error);
};

} // namespace ssmc::vulkan
