// Kernels and their launches.
#include "VulkanDevice.h"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <string_view>

using namespace ssmc::vulkan;

namespace {
struct Kernel {
  KernelCode code;
  /// The bindings of its pointers, from the least to the largest; 0 is not among them.
  std::vector<uint32_t> bound;
  VkDescriptorSetLayout set = VK_NULL_HANDLE;
  VkPipelineLayout layout = VK_NULL_HANDLE;
  VkPipeline pipeline = VK_NULL_HANDLE;
};
} // namespace

struct Program::Impl {
  Device::State& state;
  std::vector<Kernel> kernels;

  bool fits(Kernel& kernel, std::string& error) const;
  bool makeLayout(Kernel& kernel, std::string& error) const;
  bool makePipeline(Kernel& kernel, std::string& error) const;
  bool describe(const Kernel& kernel, const std::vector<int64_t>& parameters, VkDescriptorSet& set,
                std::string& error) const;
};

Program::Program(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}

Program::~Program() {
  const Context& context = impl->state.context;
  std::string ignored;
  // What could not be waited for may still use them.
  if (!impl->state.queue.wait(ignored))
    return;
  for (const Kernel& kernel : impl->kernels) {
    context.api.vkDestroyPipeline(context.device, kernel.pipeline, nullptr);
    context.api.vkDestroyPipelineLayout(context.device, kernel.layout, nullptr);
    context.api.vkDestroyDescriptorSetLayout(context.device, kernel.set, nullptr);
  }
}

//===-- loading -------------------------------------------------------------------------------===//

namespace {
/// What a module of SPIR-V says of itself. Drivers do not look, and crash.
struct Module {
  bool isWhole = false, hasEntry = false;
  uint32_t version = 0; ///< 0x00010300 is 1.3
  std::vector<uint32_t> capabilities;

  Module(const std::vector<uint32_t>& words, std::string_view entry);
};

/// What a device must have for a capability.
struct Capability {
  uint32_t number;
  const char* name;
  bool isThere;
  const char* what; ///< that is lacking where it is not
};
} // namespace

Module::Module(const std::vector<uint32_t>& words, std::string_view entry) {
  constexpr uint32_t magic = 0x07230203, entryPoint = 15, capability = 17, functionEnd = 56,
                     compute = 5;
  if (words.size() < 5 || words[0] != magic)
    return;
  version = words[1];
  uint32_t operation = 0;
  for (size_t at = 5, length = 0; at < words.size(); at += length) {
    length = words[at] >> 16;
    operation = words[at] & 0xffff;
    if (length == 0 || length > words.size() - at)
      return;
    if (operation == capability && length == 2)
      capabilities.push_back(words[at + 1]);
    if (operation != entryPoint || length <= 3 || words[at + 1] != compute)
      continue;
    std::string_view text(reinterpret_cast<const char*>(&words[at + 3]), (length - 3) * 4);
    hasEntry |= text.substr(0, text.find('\0')) == entry;
  }
  isWhole = operation == functionEnd;
}

/// What of a module a device lacks; empty where it has all.
static std::string lackOf(const Module& module, const DeviceLimits& limits) {
  uint32_t most = limits.apiVersion >= VK_API_VERSION_1_3   ? 6
                  : limits.apiVersion >= VK_API_VERSION_1_2 ? 5
                                                            : 3;
  uint32_t minor = module.version >> 8 & 0xff;
  if (module.version >> 16 != 1 || minor > most)
    return fmt::format("is of SPIR-V {}.{}, and the Vulkan device {} takes up to 1.{}",
                       module.version >> 16, minor, limits.name, most);
  const Capability known[] = {
      {0, "Matrix", true, ""},
      {1, "Shader", true, ""},
      {9, "Float16", limits.float16, "the feature shaderFloat16"},
      {10, "Float64", limits.float64, "the feature shaderFloat64"},
      {11, "Int64", limits.int64, "the feature shaderInt64"},
      {22, "Int16", limits.int16, "the feature shaderInt16"},
      {61, "GroupNonUniform", true, ""},
      {65, "GroupNonUniformShuffle", limits.subgroupShuffle,
       "VK_SUBGROUP_FEATURE_SHUFFLE_BIT in compute shaders"},
      {4428, "WorkgroupMemoryExplicitLayoutKHR", limits.sharedLayout,
       "the feature workgroupMemoryExplicitLayout"},
      {4430, "WorkgroupMemoryExplicitLayout16BitAccessKHR", limits.sharedLayout16,
       "the feature workgroupMemoryExplicitLayout16BitAccess"},
      {4433, "StorageBuffer16BitAccess", limits.storage16, "the feature storageBuffer16BitAccess"},
      {5116, "BFloat16TypeKHR", limits.bfloat16, "the feature shaderBFloat16Type"},
      {5118, "BFloat16CooperativeMatrixKHR", limits.bfloat16Matrices,
       "products of 16 x 16 bf16 matrices by subgroups"},
      {5345, "VulkanMemoryModel", limits.memoryModel, "the feature vulkanMemoryModel"},
      {6022, "CooperativeMatrixKHR", limits.cooperativeMatrix, "the feature cooperativeMatrix"},
  };
  for (uint32_t number : module.capabilities) {
    const Capability* found =
        std::find_if(std::begin(known), std::end(known),
                     [&](const Capability& one) { return one.number == number; });
    if (found == std::end(known))
      return fmt::format("needs the capability {} of SPIR-V, which is not one that kernels have",
                         number);
    if (!found->isThere)
      return fmt::format("needs the capability {}, and the Vulkan device {} lacks {}", found->name,
                         limits.name, found->what);
  }
  return "";
}

/// Checks a kernel against the device, and lists its bindings.
bool Program::Impl::fits(Kernel& kernel, std::string& error) const {
  const DeviceLimits& limits = state.context.limits;
  const KernelCode& code = kernel.code;
  auto refuse = [&](const std::string& why) {
    error = fmt::format("the kernel {} {}", code.name, why);
    return false;
  };
  Module module(code.words, code.name);
  if (!module.isWhole || !module.hasEntry)
    return refuse("is no entry point for compute of a whole SPIR-V module");
  if (std::string lack = lackOf(module, limits); !lack.empty())
    return refuse(lack);
  if (code.subgroup > 1 && !limits.fixedSubgroups)
    return refuse(fmt::format("needs subgroups of a known size, and those of the Vulkan device {} "
                              "vary",
                              limits.name));
  for (int binding : code.bindings)
    if (binding > 0)
      kernel.bound.push_back(uint32_t(binding));
  std::sort(kernel.bound.begin(), kernel.bound.end());
  kernel.bound.erase(std::unique(kernel.bound.begin(), kernel.bound.end()), kernel.bound.end());

  auto within = [&](int64_t has, int64_t most, const char* what) {
    return has <= most || refuse(fmt::format("takes {} {}, and the Vulkan device {} has {}", has,
                                             what, limits.name, most));
  };
  return within(int64_t(kernel.bound.size()) + 1, limits.bindings, "bindings of storage buffers") &&
         within(code.threads, limits.threads, "threads in a workgroup") &&
         within(code.subgroup, limits.subgroupSize, "invocations of a subgroup") &&
         within(code.sharedBytes, limits.sharedBytes, "bytes of shared memory");
}

bool Program::Impl::makeLayout(Kernel& kernel, std::string& error) const {
  const Context& context = state.context;
  std::vector<VkDescriptorSetLayoutBinding> bindings;
  auto add = [&](uint32_t binding) {
    bindings.push_back(
        {binding, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
  };
  add(0);
  for (uint32_t binding : kernel.bound)
    add(binding);
  VkDescriptorSetLayoutCreateInfo setInfo{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
  setInfo.bindingCount = uint32_t(bindings.size());
  setInfo.pBindings = bindings.data();
  if (!check(
          context.api.vkCreateDescriptorSetLayout(context.device, &setInfo, nullptr, &kernel.set),
          "vkCreateDescriptorSetLayout", error))
    return false;
  VkPipelineLayoutCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
  info.setLayoutCount = 1;
  info.pSetLayouts = &kernel.set;
  return check(context.api.vkCreatePipelineLayout(context.device, &info, nullptr, &kernel.layout),
               "vkCreatePipelineLayout", error);
}

bool Program::Impl::makePipeline(Kernel& kernel, std::string& error) const {
  const Context& context = state.context;
  const KernelCode& code = kernel.code;
  VkShaderModuleCreateInfo moduleInfo{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
  moduleInfo.codeSize = code.words.size() * sizeof(uint32_t);
  moduleInfo.pCode = code.words.data();
  VkComputePipelineCreateInfo info{VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
  info.layout = kernel.layout;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.pName = code.name.c_str();
  // Kernels are made for subgroups of the size that the device names, and for full ones.
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo pinned{
      VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO};
  int64_t size = context.limits.subgroupSize;
  if (code.threads <= size * context.pinnedSubgroups) {
    pinned.requiredSubgroupSize = uint32_t(size);
    info.stage.pNext = &pinned;
    if (context.fullSubgroups && code.threads % size == 0)
      info.stage.flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  if (!check(context.api.vkCreateShaderModule(context.device, &moduleInfo, nullptr,
                                              &info.stage.module),
             "vkCreateShaderModule", error))
    return false;
  bool made = check(context.api.vkCreateComputePipelines(context.device, state.cache, 1, &info,
                                                         nullptr, &kernel.pipeline),
                    "vkCreateComputePipelines", error);
  context.api.vkDestroyShaderModule(context.device, info.stage.module, nullptr);
  return made;
}

std::unique_ptr<Program> Program::load(Device& device, std::vector<KernelCode> kernels,
                                       std::string& error) {
  std::unique_ptr<Program> program(new Program(std::unique_ptr<Impl>(new Impl{*device.state})));
  for (KernelCode& code : kernels) {
    Kernel& kernel = program->impl->kernels.emplace_back();
    kernel.code = std::move(code);
    if (!program->impl->fits(kernel, error))
      return nullptr;
    if (!program->impl->makeLayout(kernel, error) || !program->impl->makePipeline(kernel, error)) {
      error = fmt::format("loading the kernel {}: {}", kernel.code.name, error);
      return nullptr;
    }
    kernel.code.words = {};
  }
  return program;
}

//===-- launching -----------------------------------------------------------------------------===//

/// Writes the words of the parameters, and binds them and what they point to.
bool Program::Impl::describe(const Kernel& kernel, const std::vector<int64_t>& parameters,
                             VkDescriptorSet& set, std::string& error) const {
  const Context& context = state.context;
  const std::vector<int>& bindings = kernel.code.bindings;
  constexpr uint32_t null = 0xffffffff;
  std::vector<uint32_t> words;
  std::vector<std::optional<Place>> places(bindings.size());
  // Of a binding its first array.
  std::map<int, Place> firsts;
  for (size_t i = 0; i < bindings.size(); ++i) {
    if (bindings[i] <= 0 || parameters[i] == 0)
      continue;
    places[i] = state.find(uint64_t(parameters[i]), error);
    if (!places[i]) {
      error = fmt::format("parameter {} of the kernel {}: {}", i, kernel.code.name, error);
      return false;
    }
    auto [found, isNew] = firsts.try_emplace(bindings[i], *places[i]);
    if (found->second.buffer != places[i]->buffer) {
      error = fmt::format("parameter {} of the kernel {} lies in another allocation than one that "
                          "has binding {} too",
                          i, kernel.code.name, bindings[i]);
      return false;
    }
    if (places[i]->offset < found->second.offset)
      found->second = *places[i];
  }
  std::vector<VkDescriptorBufferInfo> buffers(1);
  for (uint32_t binding : kernel.bound) {
    auto found = firsts.find(int(binding));
    if (found == firsts.end()) {
      buffers.push_back({state.nothing.buffer, 0, VK_WHOLE_SIZE});
      continue;
    }
    Place& first = found->second;
    int64_t rest = first.offset % context.alignment;
    first.offset -= rest;
    buffers.push_back({first.buffer, VkDeviceSize(first.offset),
                       VkDeviceSize(std::min(first.room + rest, context.limits.bufferBytes))});
  }
  for (size_t i = 0; i < bindings.size(); ++i) {
    int64_t value = parameters[i];
    if (bindings[i] == 0) {
      if (value < INT32_MIN || value > int64_t(UINT32_MAX)) {
        error = fmt::format("parameter {} of the kernel {} is {}, which does not fit into 32 bits",
                            i, kernel.code.name, value);
        return false;
      }
      words.push_back(uint32_t(value));
    } else {
      words.push_back(
          places[i] ? uint32_t(places[i]->offset - firsts.find(bindings[i])->second.offset) : null);
    }
  }
  words.resize(std::max<size_t>(words.size(), 1));
  int64_t bytes = int64_t(words.size() * sizeof(uint32_t));
  Slice slice;
  if (!state.queue.words(bytes, slice, error) ||
      !state.queue.set(kernel.set, uint32_t(buffers.size()), set, error))
    return false;
  std::copy(words.begin(), words.end(), reinterpret_cast<uint32_t*>(slice.host));
  buffers[0] = {slice.buffer, VkDeviceSize(slice.offset), VkDeviceSize(bytes)};

  std::vector<VkWriteDescriptorSet> writes;
  for (size_t i = 0; i < buffers.size(); ++i) {
    VkWriteDescriptorSet& write = writes.emplace_back();
    write = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
    write.dstSet = set;
    write.dstBinding = i == 0 ? 0 : kernel.bound[i - 1];
    write.descriptorCount = 1;
    write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
    write.pBufferInfo = &buffers[i];
  }
  context.api.vkUpdateDescriptorSets(context.device, uint32_t(writes.size()), writes.data(), 0,
                                     nullptr);
  return true;
}

bool Program::launch(size_t index, int64_t x, int64_t y, const std::vector<int64_t>& parameters,
                     std::string& error) {
  const Context& context = impl->state.context;
  if (index >= impl->kernels.size()) {
    error = fmt::format("there is no kernel {} in a program of {}", index, impl->kernels.size());
    return false;
  }
  const Kernel& kernel = impl->kernels[index];
  if (parameters.size() != kernel.code.bindings.size()) {
    error = fmt::format("the kernel {} takes {} parameters, not {}", kernel.code.name,
                        kernel.code.bindings.size(), parameters.size());
    return false;
  }
  if (x < 0 || y < 0 || x > context.limits.gridX || y > context.limits.gridY) {
    error = fmt::format("a grid of {} x {} workgroups is asked for, and the Vulkan device {} has "
                        "at most {} x {}",
                        x, y, context.limits.name, context.limits.gridX, context.limits.gridY);
    return false;
  }
  if (x == 0 || y == 0)
    return true;
  VkDescriptorSet set = VK_NULL_HANDLE;
  if (!impl->describe(kernel, parameters, set, error))
    return false;
  VkCommandBuffer command = impl->state.queue.next(error);
  if (!command)
    return false;
  context.api.vkCmdBindPipeline(command, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.pipeline);
  context.api.vkCmdBindDescriptorSets(command, VK_PIPELINE_BIND_POINT_COMPUTE, kernel.layout, 0, 1,
                                      &set, 0, nullptr);
  context.api.vkCmdDispatch(command, uint32_t(x), uint32_t(y), 1);
  return true;
}
