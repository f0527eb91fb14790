// Vulkan's functions, the names of its results, buffers.
#include "VulkanApi.h"

#include <dlfcn.h>
#include <fmt/format.h>

using namespace ssmc::vulkan;

/// Fills a member by `get`; the first that is not there stays in `missing`.
#define SSMC_VULKAN_FIND(name)                                                                     \
  name = reinterpret_cast<PFN_##name>(get(#name));                                                 \
  if (!name && !missing)                                                                           \
    missing = #name;

static bool complete(const char* part, const char* missing, std::string& error) {
  if (missing)
    error = fmt::format("the Vulkan {} lacks {}", part, missing);
  return !missing;
}

bool Functions::findGlobal(std::string& error) {
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    error = "there is no Vulkan loader on this machine (libvulkan.so.1)";
    return false;
  }
  vkGetInstanceProcAddr =
      reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
  if (!vkGetInstanceProcAddr) {
    error = "the Vulkan loader lacks vkGetInstanceProcAddr";
    return false;
  }
  auto get = [&](const char* name) { return vkGetInstanceProcAddr(nullptr, name); };
  const char* missing = nullptr;
  SSMC_VULKAN_GLOBAL_FUNCTIONS(SSMC_VULKAN_FIND)
  return complete("loader", missing, error);
}

bool Functions::findInstance(VkInstance instance, std::string& error) {
  auto get = [&](const char* name) { return vkGetInstanceProcAddr(instance, name); };
  const char* missing = nullptr;
  SSMC_VULKAN_INSTANCE_FUNCTIONS(SSMC_VULKAN_FIND)
  return complete("loader", missing, error);
}

bool Functions::findDevice(VkDevice device, std::string& error) {
  auto get = [&](const char* name) { return vkGetDeviceProcAddr(device, name); };
  const char* missing = nullptr;
  SSMC_VULKAN_DEVICE_FUNCTIONS(SSMC_VULKAN_FIND)
  return complete("driver", missing, error);
}

std::string ssmc::vulkan::nameOf(VkResult result) {
  switch (result) {
#define SSMC_VULKAN_RESULT(name)                                                                   \
  case name:                                                                                       \
    return #name;
    SSMC_VULKAN_RESULT(VK_SUCCESS)
    SSMC_VULKAN_RESULT(VK_NOT_READY)
    SSMC_VULKAN_RESULT(VK_TIMEOUT)
    SSMC_VULKAN_RESULT(VK_INCOMPLETE)
    SSMC_VULKAN_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY)
    SSMC_VULKAN_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    SSMC_VULKAN_RESULT(VK_ERROR_INITIALIZATION_FAILED)
    SSMC_VULKAN_RESULT(VK_ERROR_DEVICE_LOST)
    SSMC_VULKAN_RESULT(VK_ERROR_MEMORY_MAP_FAILED)
    SSMC_VULKAN_RESULT(VK_ERROR_LAYER_NOT_PRESENT)
    SSMC_VULKAN_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT)
    SSMC_VULKAN_RESULT(VK_ERROR_FEATURE_NOT_PRESENT)
    SSMC_VULKAN_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER)
    SSMC_VULKAN_RESULT(VK_ERROR_TOO_MANY_OBJECTS)
    SSMC_VULKAN_RESULT(VK_ERROR_FRAGMENTED_POOL)
    SSMC_VULKAN_RESULT(VK_ERROR_UNKNOWN)
    SSMC_VULKAN_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY)
    SSMC_VULKAN_RESULT(VK_ERROR_FRAGMENTATION)
    SSMC_VULKAN_RESULT(VK_PIPELINE_COMPILE_REQUIRED)
    SSMC_VULKAN_RESULT(VK_ERROR_INVALID_SHADER_NV)
#undef SSMC_VULKAN_RESULT
  default:
    return fmt::format("VkResult {}", int(result));
  }
}

bool ssmc::vulkan::check(VkResult result, const char* function, std::string& error) {
  if (result == VK_SUCCESS)
    return true;
  error = fmt::format("{} failed with {}", function, nameOf(result));
  return false;
}

//===-- buffers -------------------------------------------------------------------------------===//

/// Memory for a buffer, of one type, mapped if that is asked for.
static bool allocate(const Context& context, VkDeviceSize bytes, uint32_t type, bool mapped,
                     Buffer& buffer, std::string& error) {
  const Functions& api = context.api;
  VkMemoryAllocateInfo info{VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
  info.allocationSize = bytes;
  info.memoryTypeIndex = type;
  if (!check(api.vkAllocateMemory(context.device, &info, nullptr, &buffer.memory),
             "vkAllocateMemory", error))
    return false;
  void* host = nullptr;
  if (mapped && !check(api.vkMapMemory(context.device, buffer.memory, 0, VK_WHOLE_SIZE, 0, &host),
                       "vkMapMemory", error))
    return false;
  buffer.host = static_cast<char*>(host);
  return check(api.vkBindBufferMemory(context.device, buffer.buffer, buffer.memory, 0),
               "vkBindBufferMemory", error);
}

bool Context::makeBuffer(int64_t bytes, std::initializer_list<VkMemoryPropertyFlags> wishes,
                         Buffer& made, std::string& error) const {
  // Kinds of memory that mean something else than what is asked for here.
  constexpr VkMemoryPropertyFlags unwanted = VK_MEMORY_PROPERTY_PROTECTED_BIT |
                                             VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT |
                                             VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD;
  VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
  info.size = VkDeviceSize(bytes);
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
               VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  std::string failure = "the Vulkan device has no memory of the kind that is needed";
  for (VkMemoryPropertyFlags wish : wishes)
    for (uint32_t type = 0; type < memory.memoryTypeCount; ++type) {
      VkMemoryPropertyFlags flags = memory.memoryTypes[type].propertyFlags;
      if ((flags & wish) != wish || (flags & unwanted))
        continue;
      Buffer buffer;
      buffer.bytes = bytes;
      if (!check(api.vkCreateBuffer(device, &info, nullptr, &buffer.buffer), "vkCreateBuffer",
                 error))
        return false;
      VkMemoryRequirements needs;
      api.vkGetBufferMemoryRequirements(device, buffer.buffer, &needs);
      if ((needs.memoryTypeBits >> type & 1) &&
          allocate(*this, needs.size, type, wish & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT, buffer,
                   failure)) {
        made = buffer;
        return true;
      }
      drop(buffer);
    }
  error = failure;
  return false;
}

void Context::drop(const Buffer& buffer) const {
  api.vkDestroyBuffer(device, buffer.buffer, nullptr);
  api.vkFreeMemory(device, buffer.memory, nullptr);
}
