// Batches of commands.
#include "VulkanQueue.h"

#include <algorithm>
#include <chrono>

using namespace ssmc::vulkan;

static constexpr int64_t wordBytes = 1 << 20, stagingBytes = 16 << 20;
static constexpr int64_t droppedBytesAtMost = 256 << 20;
/// Enough that submitting costs little, so few that the device is soon at work.
static constexpr int commandsOfBatch = 64;

bool Queue::open(std::string& error) {
  constexpr VkMemoryPropertyFlags coherent =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  VkCommandPoolCreateInfo info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  info.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT;
  info.queueFamilyIndex = context.family;
  // Every workgroup reads the words: near the device. The host reads what is staged: cached.
  return check(context.api.vkCreateCommandPool(context.device, &info, nullptr, &pool),
               "vkCreateCommandPool", error) &&
         context.makeBuffer(wordBytes, {coherent | VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, coherent},
                            wordRing.buffer, error) &&
         context.makeBuffer(stagingBytes, {coherent | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, coherent},
                            stagingRing.buffer, error);
}

/// The next `bytes` of a ring, which has them.
static Slice take(Ring& ring, int64_t bytes) {
  Slice slice{ring.buffer.buffer, ring.used, ring.buffer.host + ring.used};
  ring.used = std::min((ring.used + bytes + 255) / 256 * 256, ring.buffer.bytes);
  return slice;
}

bool Queue::words(int64_t bytes, Slice& slice, std::string& error) {
  if (bytes > wordRing.buffer.bytes - wordRing.used && !wait(error))
    return false;
  if (bytes > wordRing.buffer.bytes) {
    error = "a kernel has more parameters than there is room for";
    return false;
  }
  slice = take(wordRing, bytes);
  return true;
}

bool Queue::staging(int64_t& bytes, Slice& slice, std::string& error) {
  if (bytes > stagingRing.buffer.bytes - stagingRing.used && !wait(error))
    return false;
  bytes = std::min(bytes, stagingRing.buffer.bytes);
  slice = take(stagingRing, bytes);
  return true;
}

bool Queue::set(VkDescriptorSetLayout layout, uint32_t buffers, VkDescriptorSet& made,
                std::string& error) {
  const Functions& api = context.api;
  auto full = [&](const Sets& pool) {
    return pool.usedSets == pool.sets || buffers > pool.buffers - pool.usedBuffers;
  };
  while (openPool < pools.size() && full(pools[openPool]))
    ++openPool;
  if (openPool == pools.size()) {
    Sets sets{VK_NULL_HANDLE, 256, std::max<uint32_t>(256 * 8, buffers)};
    VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets.buffers};
    VkDescriptorPoolCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
    info.maxSets = sets.sets;
    info.poolSizeCount = 1;
    info.pPoolSizes = &size;
    if (!check(api.vkCreateDescriptorPool(context.device, &info, nullptr, &sets.pool),
               "vkCreateDescriptorPool", error))
      return false;
    pools.push_back(sets);
  }
  Sets& sets = pools[openPool];
  VkDescriptorSetAllocateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
  info.descriptorPool = sets.pool;
  info.descriptorSetCount = 1;
  info.pSetLayouts = &layout;
  if (!check(api.vkAllocateDescriptorSets(context.device, &info, &made), "vkAllocateDescriptorSets",
             error))
    return false;
  ++sets.usedSets;
  sets.usedBuffers += buffers;
  return true;
}

bool Queue::fail(const std::string& why, std::string& error) {
  error = failure = why;
  return false;
}

bool Queue::begin(std::string& error) {
  const Functions& api = context.api;
  if (submitted == commands.size()) {
    VkCommandBufferAllocateInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO};
    info.commandPool = pool;
    info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
    info.commandBufferCount = 1;
    VkFenceCreateInfo fenceInfo{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    VkCommandBuffer command = VK_NULL_HANDLE;
    VkFence fence = VK_NULL_HANDLE;
    if (!check(api.vkCreateFence(context.device, &fenceInfo, nullptr, &fence), "vkCreateFence",
               error) ||
        !check(api.vkAllocateCommandBuffers(context.device, &info, &command),
               "vkAllocateCommandBuffers", error))
      return fail(error, error);
    commands.push_back(command);
    fences.push_back(fence);
  }
  VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  return check(api.vkBeginCommandBuffer(commands[submitted], &info), "vkBeginCommandBuffer",
               error) ||
         fail(error, error);
}

/// What was written before is there for whatever comes after, on the device or on the host.
static void barrier(const Functions& api, VkCommandBuffer command, bool toHost) {
  constexpr VkPipelineStageFlags onDevice =
      VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  constexpr VkPipelineStageFlags onHost = VK_PIPELINE_STAGE_HOST_BIT;
  VkMemoryBarrier all{VK_STRUCTURE_TYPE_MEMORY_BARRIER};
  all.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  all.dstAccessMask = toHost ? VK_ACCESS_HOST_READ_BIT
                             : VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                   VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  api.vkCmdPipelineBarrier(command, onDevice, toHost ? onHost : onDevice, 0, 1, &all, 0, nullptr, 0,
                           nullptr);
}

VkCommandBuffer Queue::next(std::string& error) {
  if (recorded == commandsOfBatch && !submit(error))
    return VK_NULL_HANDLE;
  if (!failure.empty()) {
    error = failure;
    return VK_NULL_HANDLE;
  }
  if (recorded == 0 && !begin(error))
    return VK_NULL_HANDLE;
  ++recorded;
  // The first of a batch waits for the batch before.
  barrier(context.api, commands[submitted], false);
  return commands[submitted];
}

bool Queue::submit(std::string& error) {
  const Functions& api = context.api;
  if (!failure.empty()) {
    error = failure;
    return false;
  }
  if (recorded == 0)
    return true;
  VkCommandBuffer command = commands[submitted];
  barrier(api, command, true);
  VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO};
  info.commandBufferCount = 1;
  info.pCommandBuffers = &command;
  if (!check(api.vkEndCommandBuffer(command), "vkEndCommandBuffer", error) ||
      !check(api.vkQueueSubmit(context.queue, 1, &info, fences[submitted]), "vkQueueSubmit", error))
    return fail(error, error);
  ++submitted;
  recorded = 0;
  return true;
}

/// Waits for all of some fences. Being woken up takes some 50 us, so that what is short is asked
/// after instead; devices that are processors need theirs for the work.
static VkResult waitFor(const Context& context, uint32_t count, const VkFence* fences) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds patience(5);
  auto wait = [&](uint64_t nanoseconds) {
    return context.api.vkWaitForFences(context.device, count, fences, VK_TRUE, nanoseconds);
  };
  if (!context.limits.isProcessor)
    for (auto start = Clock::now(); Clock::now() - start < patience;)
      if (VkResult result = wait(0); result != VK_TIMEOUT)
        return result;
  return wait(UINT64_MAX);
}

bool Queue::wait(std::string& error) {
  const Functions& api = context.api;
  if (!submit(error))
    return false;
  if (submitted > 0) {
    if (!check(waitFor(context, uint32_t(submitted), fences.data()), "vkWaitForFences", error) ||
        !check(api.vkResetFences(context.device, uint32_t(submitted), fences.data()),
               "vkResetFences", error) ||
        !check(api.vkResetCommandPool(context.device, pool, 0), "vkResetCommandPool", error))
      return fail(error, error);
    submitted = 0;
  }
  for (Sets& sets : pools) {
    if (!check(api.vkResetDescriptorPool(context.device, sets.pool, 0), "vkResetDescriptorPool",
               error))
      return fail(error, error);
    sets.usedSets = sets.usedBuffers = 0;
  }
  openPool = 0;
  wordRing.used = stagingRing.used = 0;
  for (const Buffer& buffer : dropped)
    context.drop(buffer);
  dropped.clear();
  droppedBytes = 0;
  return true;
}

void Queue::drop(const Buffer& buffer) {
  if (idle()) {
    context.drop(buffer);
    return;
  }
  dropped.push_back(buffer);
  droppedBytes += buffer.bytes;
  // A failure is told by whatever is asked for next.
  std::string later;
  if (droppedBytes > droppedBytesAtMost)
    wait(later);
}
