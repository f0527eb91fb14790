// Opening a device: instance, choice, features.
#include "VulkanApi.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

using namespace ssmc::vulkan;

static constexpr const char* validationLayer = "VK_LAYER_KHRONOS_validation";
static constexpr const char* cooperativeMatrixExtension = "VK_KHR_cooperative_matrix";
static constexpr const char* bfloat16Extension = "VK_KHR_shader_bfloat16";

namespace {
/// VkPhysicalDeviceCooperativeMatrixFeaturesKHR, VkCooperativeMatrixPropertiesKHR and
/// VkPhysicalDeviceShaderBfloat16FeaturesKHR, which are younger than some of the headers that this
/// is built with.
struct CooperativeMatrixFeatures {
  VkStructureType sType = VkStructureType(1000506000);
  void* pNext = nullptr;
  VkBool32 cooperativeMatrix = VK_FALSE, robustBufferAccess = VK_FALSE;
};
struct CooperativeMatrixProperties {
  VkStructureType sType = VkStructureType(1000506001);
  void* pNext = nullptr;
  uint32_t rows = 0, lanes = 0, depth = 0;
  int32_t left = 0, right = 0, sums = 0, result = 0; ///< VkComponentTypeKHR
  VkBool32 saturates = VK_FALSE;
  int32_t scope = 0; ///< VkScopeKHR
};
struct Bfloat16Features {
  VkStructureType sType = VkStructureType(1000141000);
  void* pNext = nullptr;
  VkBool32 type = VK_FALSE, dotProduct = VK_FALSE, cooperativeMatrix = VK_FALSE;
};

/// Vulkan's lists are asked for their length first.
template <typename T, typename Ask> std::vector<T> listOf(Ask ask) {
  uint32_t count = 0;
  ask(&count, static_cast<T*>(nullptr));
  std::vector<T> list(count);
  if (count)
    ask(&count, list.data());
  list.resize(count);
  return list;
}
} // namespace

static bool contains(const std::vector<VkExtensionProperties>& list, const char* name) {
  return std::any_of(list.begin(), list.end(), [&](const VkExtensionProperties& extension) {
    return std::strcmp(extension.extensionName, name) == 0;
  });
}

//===-- instance ------------------------------------------------------------------------------===//

static std::atomic<int64_t> messages = 0;

int64_t ssmc::vulkan::validationMessages() {
  return messages;
}

static VKAPI_ATTR VkBool32 VKAPI_CALL print(VkDebugUtilsMessageSeverityFlagBitsEXT,
                                            VkDebugUtilsMessageTypeFlagsEXT,
                                            const VkDebugUtilsMessengerCallbackDataEXT* data,
                                            void*) {
  ++messages;
  std::fprintf(stderr, "vulkan validation: %s\n", data->pMessage);
  return VK_FALSE;
}

bool Context::makeInstance(std::string& error) {
  // A loader without this function is of Vulkan 1.0.
  auto askVersion = reinterpret_cast<PFN_vkEnumerateInstanceVersion>(
      api.vkGetInstanceProcAddr(nullptr, "vkEnumerateInstanceVersion"));
  uint32_t version = VK_API_VERSION_1_0;
  if (askVersion)
    askVersion(&version);
  if (version < VK_API_VERSION_1_1) {
    error = "the Vulkan loader is of version 1.0, and 1.1 is needed";
    return false;
  }
  VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
  application.pApplicationName = application.pEngineName = "ssmc";
  application.apiVersion = std::min<uint32_t>(version, VK_API_VERSION_1_3);
  limits.apiVersion = application.apiVersion;

  VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
  info.pApplicationInfo = &application;
  auto available = listOf<VkExtensionProperties>([&](uint32_t* count, VkExtensionProperties* list) {
    return api.vkEnumerateInstanceExtensionProperties(nullptr, count, list);
  });
  std::vector<const char*> extensions;
  if (contains(available, VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) {
    extensions.push_back(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME);
    info.flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
  }

  VkDebugUtilsMessengerCreateInfoEXT messenger{
      VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
  messenger.messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                              VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                          VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT;
  messenger.pfnUserCallback = print;
  const char* wanted = std::getenv("SSMC_VULKAN_VALIDATION");
  bool validate = wanted && std::strcmp(wanted, "1") == 0;
  if (validate) {
    auto layers = listOf<VkLayerProperties>([&](uint32_t* count, VkLayerProperties* list) {
      return api.vkEnumerateInstanceLayerProperties(count, list);
    });
    if (std::none_of(layers.begin(), layers.end(), [](const VkLayerProperties& layer) {
          return std::strcmp(layer.layerName, validationLayer) == 0;
        })) {
      error = fmt::format("SSMC_VULKAN_VALIDATION asks for the layer {}, which is not installed",
                          validationLayer);
      return false;
    }
    // The layer brings this extension itself where the loader does not.
    extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    info.enabledLayerCount = 1;
    info.ppEnabledLayerNames = &validationLayer;
    info.pNext = &messenger;
  }
  info.enabledExtensionCount = uint32_t(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();

  VkResult result = api.vkCreateInstance(&info, nullptr, &instance);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
    error = "there is no Vulkan driver on this machine (vkCreateInstance failed with "
            "VK_ERROR_INCOMPATIBLE_DRIVER)";
    return false;
  }
  if (!check(result, "vkCreateInstance", error) || !api.findInstance(instance, error))
    return false;
  if (!validate)
    return true;
  auto create = reinterpret_cast<PFN_vkCreateDebugUtilsMessengerEXT>(
      api.vkGetInstanceProcAddr(instance, "vkCreateDebugUtilsMessengerEXT"));
  VkDebugUtilsMessengerEXT made;
  return check(create ? create(instance, &messenger, nullptr, &made)
                      : VK_ERROR_EXTENSION_NOT_PRESENT,
               "vkCreateDebugUtilsMessengerEXT", error);
}

//===-- choice --------------------------------------------------------------------------------===//

/// How late a kind of device comes.
static int rank(VkPhysicalDeviceType type) {
  switch (type) {
  case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
    return 0;
  case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
    return 1;
  case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
    return 2;
  case VK_PHYSICAL_DEVICE_TYPE_CPU:
    return 3;
  default:
    return 4;
  }
}

bool Context::choose(std::string& error) {
  auto devices = listOf<VkPhysicalDevice>([&](uint32_t* count, VkPhysicalDevice* list) {
    return api.vkEnumeratePhysicalDevices(instance, count, list);
  });
  if (devices.empty()) {
    error = "the Vulkan drivers of this machine know no device";
    return false;
  }
  const char* environment = std::getenv("SSMC_VULKAN_DEVICE");
  std::string wish = environment ? environment : "";
  bool byIndex = !wish.empty() && wish.find_first_not_of("0123456789") == std::string::npos;

  std::string names, refused;
  int best = 5;
  for (size_t index = 0; index < devices.size(); ++index) {
    VkPhysicalDeviceProperties properties;
    api.vkGetPhysicalDeviceProperties(devices[index], &properties);
    std::string name = properties.deviceName;
    names += fmt::format("{}{} ({})", index ? ", " : "", index, name);
    if (byIndex ? wish != std::to_string(index) : name.find(wish) == std::string::npos)
      continue;
    if (properties.apiVersion < VK_API_VERSION_1_1) {
      refused = fmt::format("the Vulkan device {} is of version 1.0, and 1.1 is needed", name);
      continue;
    }
    auto families =
        listOf<VkQueueFamilyProperties>([&](uint32_t* count, VkQueueFamilyProperties* list) {
          api.vkGetPhysicalDeviceQueueFamilyProperties(devices[index], count, list);
        });
    // The first family that computes, rather one with timestamps.
    int chosen = -1;
    for (size_t family = 0; family < families.size(); ++family)
      if ((families[family].queueFlags & VK_QUEUE_COMPUTE_BIT) &&
          (chosen < 0 ||
           (!families[chosen].timestampValidBits && families[family].timestampValidBits)))
        chosen = int(family);
    if (chosen < 0) {
      refused = fmt::format("the Vulkan device {} has no queue that computes", name);
      continue;
    }
    if (rank(properties.deviceType) >= best)
      continue;
    best = rank(properties.deviceType);
    physical = devices[index];
    family = uint32_t(chosen);
    tickBits = families[chosen].timestampValidBits;
  }
  if (physical)
    return true;
  error = !refused.empty()
              ? refused
              : fmt::format("SSMC_VULKAN_DEVICE asks for '{}', and there is {}", wish, names);
  return false;
}

//===-- device --------------------------------------------------------------------------------===//

namespace {
/// What a device says of itself. The features, as they are left by `ask`, are what is enabled.
struct Abilities {
  std::vector<const char*> extensions;
  VkPhysicalDeviceFeatures2 features{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
  VkPhysicalDevice16BitStorageFeatures storage16{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES};
  VkPhysicalDeviceVariablePointersFeatures variablePointers{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VARIABLE_POINTERS_FEATURES};
  VkPhysicalDeviceShaderFloat16Int8Features float16{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES};
  VkPhysicalDeviceShaderSubgroupExtendedTypesFeatures subgroupTypes{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SUBGROUP_EXTENDED_TYPES_FEATURES};
  VkPhysicalDeviceVulkanMemoryModelFeatures memoryModel{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES};
  VkPhysicalDeviceSubgroupSizeControlFeatures sizeControl{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
  VkPhysicalDeviceWorkgroupMemoryExplicitLayoutFeaturesKHR sharedLayout{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_WORKGROUP_MEMORY_EXPLICIT_LAYOUT_FEATURES_KHR};
  CooperativeMatrixFeatures cooperativeMatrix;
  Bfloat16Features bfloat16;
  bool hasMatrices = false; ///< of the kind that kernels multiply

  VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
  VkPhysicalDeviceSubgroupProperties subgroups{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
  VkPhysicalDeviceSubgroupSizeControlProperties sizes{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
  VkPhysicalDeviceMaintenance3Properties allocations{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
  VkPhysicalDeviceMaintenance4Properties buffers{
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES};

  void ask(const Functions& api, VkInstance instance, VkPhysicalDevice device, uint32_t version);
  /// Limits but for the name and version.
  void tell(DeviceLimits& limits) const;
  bool pinsSubgroups() const;
};
} // namespace

void Abilities::ask(const Functions& api, VkInstance instance, VkPhysicalDevice device,
                    uint32_t version) {
  auto offered = listOf<VkExtensionProperties>([&](uint32_t* count, VkExtensionProperties* list) {
    return api.vkEnumerateDeviceExtensionProperties(device, nullptr, count, list);
  });
  // Whether something is there by version, or by an extension, which is then enabled.
  constexpr uint32_t never = UINT32_MAX;
  auto has = [&](uint32_t coreSince, const char* extension) {
    if (version >= coreSince)
      return true;
    if (!contains(offered, extension))
      return false;
    extensions.push_back(extension);
    return true;
  };
  auto chain = [](auto& head, auto& link) {
    link.pNext = head.pNext;
    head.pNext = &link;
  };
  chain(features, storage16);
  chain(features, variablePointers);
  chain(properties, allocations);
  chain(properties, subgroups);
  if (has(VK_API_VERSION_1_2, VK_KHR_SHADER_FLOAT16_INT8_EXTENSION_NAME))
    chain(features, float16);
  if (has(VK_API_VERSION_1_2, VK_KHR_SHADER_SUBGROUP_EXTENDED_TYPES_EXTENSION_NAME))
    chain(features, subgroupTypes);
  if (has(VK_API_VERSION_1_2, VK_KHR_VULKAN_MEMORY_MODEL_EXTENSION_NAME))
    chain(features, memoryModel);
  if (has(VK_API_VERSION_1_3, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) {
    chain(features, sizeControl);
    chain(properties, sizes);
  }
  buffers.maxBufferSize = UINT64_MAX;
  if (version >= VK_API_VERSION_1_3)
    chain(properties, buffers);
  if (has(never, VK_KHR_WORKGROUP_MEMORY_EXPLICIT_LAYOUT_EXTENSION_NAME))
    chain(features, sharedLayout);
  if (has(never, bfloat16Extension))
    chain(features, bfloat16);
  if (has(never, cooperativeMatrixExtension)) {
    chain(features, cooperativeMatrix);
    // (Of the extension, and so of no use to other devices.)
    using Ask = VkResult(VKAPI_PTR*)(VkPhysicalDevice, uint32_t*, CooperativeMatrixProperties*);
    auto ask = reinterpret_cast<Ask>(
        api.vkGetInstanceProcAddr(instance, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR"));
    constexpr int32_t f32 = 1, bf16 = 1000141000, subgroup = 3;
    for (const CooperativeMatrixProperties& kind : listOf<CooperativeMatrixProperties>(
             [&](uint32_t* count, CooperativeMatrixProperties* list) {
               return ask ? ask(device, count, list) : VK_ERROR_EXTENSION_NOT_PRESENT;
             }))
      hasMatrices |= kind.rows == 16 && kind.lanes == 16 && kind.depth == 16 && kind.left == bf16 &&
                     kind.right == bf16 && kind.sums == f32 && kind.result == f32 &&
                     kind.scope == subgroup;
  }
  // A device that lacks parts of Vulkan wants to hear that this is known.
  has(never, "VK_KHR_portability_subset");

  api.vkGetPhysicalDeviceFeatures2(device, &features);
  api.vkGetPhysicalDeviceProperties2(device, &properties);
  const VkPhysicalDeviceFeatures all = features.features;
  features.features = {};
  features.features.shaderFloat64 = all.shaderFloat64;
  features.features.shaderInt64 = all.shaderInt64;
  features.features.shaderInt16 = all.shaderInt16;
  cooperativeMatrix.robustBufferAccess = VK_FALSE;
}

void Abilities::tell(DeviceLimits& limits) const {
  const VkPhysicalDeviceLimits& own = properties.properties.limits;
  limits.sharedBytes = own.maxComputeSharedMemorySize;
  limits.threads = std::min(own.maxComputeWorkGroupInvocations, own.maxComputeWorkGroupSize[0]);
  limits.gridX = own.maxComputeWorkGroupCount[0];
  limits.gridY = own.maxComputeWorkGroupCount[1];
  limits.bindings = std::min({own.maxPerStageDescriptorStorageBuffers, own.maxPerStageResources,
                              own.maxDescriptorSetStorageBuffers});
  // Allocations are rounded up, and what is bound is whole vectors of words.
  constexpr VkDeviceSize slack = 1 << 16;
  VkDeviceSize bytes =
      std::min(VkDeviceSize(own.maxStorageBufferRange),
               std::min(allocations.maxMemoryAllocationSize, buffers.maxBufferSize) - slack);
  limits.bufferBytes = int64_t(bytes & ~VkDeviceSize(15));
  limits.subgroupSize = subgroups.subgroupSize;
  // (Without the extension there is one size.)
  limits.fixedSubgroups = sizes.minSubgroupSize == sizes.maxSubgroupSize ||
                          (pinsSubgroups() && sizeControl.computeFullSubgroups);
  limits.subgroupShuffle = (subgroups.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) &&
                           (subgroups.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
  limits.float16 = float16.shaderFloat16;
  limits.storage16 = storage16.storageBuffer16BitAccess;
  limits.int16 = features.features.shaderInt16;
  limits.int64 = features.features.shaderInt64;
  limits.float64 = features.features.shaderFloat64;
  limits.cooperativeMatrix = cooperativeMatrix.cooperativeMatrix;
  limits.bfloat16 = bfloat16.type;
  limits.bfloat16Matrices =
      cooperativeMatrix.cooperativeMatrix && bfloat16.cooperativeMatrix && hasMatrices;
  limits.memoryModel = memoryModel.vulkanMemoryModel;
  limits.sharedLayout = sharedLayout.workgroupMemoryExplicitLayout;
  limits.sharedLayout16 = sharedLayout.workgroupMemoryExplicitLayout16BitAccess;
}

bool Abilities::pinsSubgroups() const {
  return sizeControl.subgroupSizeControl &&
         (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) &&
         sizes.minSubgroupSize <= subgroups.subgroupSize &&
         subgroups.subgroupSize <= sizes.maxSubgroupSize;
}

bool Context::makeDevice(std::string& error) {
  VkPhysicalDeviceProperties own;
  api.vkGetPhysicalDeviceProperties(physical, &own);
  limits.name = own.deviceName;
  limits.isProcessor = own.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
  limits.apiVersion = std::min(own.apiVersion, limits.apiVersion);

  Abilities abilities;
  abilities.ask(api, instance, physical, limits.apiVersion);
  abilities.tell(limits);
  api.vkGetPhysicalDeviceMemoryProperties(physical, &memory);
  alignment = int64_t(own.limits.minStorageBufferOffsetAlignment);
  tick = own.limits.timestampPeriod;
  pinnedSubgroups = abilities.pinsSubgroups() ? abilities.sizes.maxComputeWorkgroupSubgroups : 0;
  fullSubgroups = abilities.sizeControl.computeFullSubgroups;

  float priority = 1;
  VkDeviceQueueCreateInfo queues{VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO};
  queues.queueFamilyIndex = family;
  queues.queueCount = 1;
  queues.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO};
  info.pNext = &abilities.features;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queues;
  info.enabledExtensionCount = uint32_t(abilities.extensions.size());
  info.ppEnabledExtensionNames = abilities.extensions.data();
  if (!check(api.vkCreateDevice(physical, &info, nullptr, &device), "vkCreateDevice", error) ||
      !api.findDevice(device, error))
    return false;
  api.vkGetDeviceQueue(device, family, 0, &queue);
  return true;
}

bool Context::open(std::string& error) {
  if (!api.findGlobal(error))
    return false;
  if (makeInstance(error) && choose(error) && makeDevice(error))
    return true;
  // A device that was made but cannot be used stays: nothing has been asked of it.
  if (instance && !device && api.vkDestroyInstance)
    api.vkDestroyInstance(instance, nullptr);
  return false;
}

std::string ssmc::vulkan::toString(const DeviceLimits& limits) {
  auto version = limits.apiVersion;
  std::string text =
      fmt::format("{}: Vulkan {}.{}, {} threads, {} bytes of shared memory, grid {} x {}, {} "
                  "bindings, {} bytes "
                  "of a buffer, subgroups of {}",
                  limits.name, VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version),
                  limits.threads, limits.sharedBytes, limits.gridX, limits.gridY, limits.bindings,
                  limits.bufferBytes, limits.subgroupSize);
  auto say = [&](bool has, const char* what) { text += has ? fmt::format(", {}", what) : ""; };
  say(limits.subgroupShuffle, "subgroup shuffle");
  say(limits.float16, "f16");
  say(limits.storage16, "16-bit storage");
  say(limits.int16, "i16");
  say(limits.int64, "i64");
  say(limits.float64, "f64");
  say(limits.cooperativeMatrix, "cooperative matrices");
  say(limits.bfloat16Matrices, "of bf16");
  say(limits.isProcessor, "on the CPU");
  return text;
}
