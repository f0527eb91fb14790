// Commands on their way to the device, and what lives as long as they do.
#pragma once

#include "VulkanApi.h"

namespace ssmc::vulkan {

/// A piece of a buffer that the host can write and read until everything is done.
struct Slice {
  VkBuffer buffer = VK_NULL_HANDLE;
  int64_t offset = 0;
  char* host = nullptr;
};

/// Memory handed out piece by piece, and taken back all at once.
struct Ring {
  Buffer buffer;
  int64_t used = 0;
};

/// Records commands and submits them in batches. Each command waits for the one before. What it
/// uses (slices, descriptor sets) is asked for first: that may wait for everything, which takes
/// back slices and sets that were handed out before. So: slices, then sets, then the command.
class Queue {
public:
  explicit Queue(const Context& context) : context(context) {}
  bool open(std::string& error);

  /// Room for the parameters of a kernel, or for bytes on their way from or to the device: as many
  /// as there is room for, at most `bytes`.
  bool words(int64_t bytes, Slice& slice, std::string& error);
  bool staging(int64_t& bytes, Slice& slice, std::string& error);
  /// A descriptor set of storage buffers.
  bool set(VkDescriptorSetLayout layout, uint32_t buffers, VkDescriptorSet& made,
           std::string& error);
  /// Where to record the next command; null, with `error` set, where there is no going on.
  VkCommandBuffer next(std::string& error);

  bool submit(std::string& error);
  /// Submits, waits for everything, and takes back what belonged to it.
  bool wait(std::string& error);
  /// Drops a buffer when nothing can use it any more: waits once too much is held for that.
  void drop(const Buffer& buffer);

private:
  const Context& context;
  Ring wordRing, stagingRing;

  VkCommandPool pool = VK_NULL_HANDLE;
  std::vector<VkCommandBuffer> commands;
  std::vector<VkFence> fences;
  /// The first so many of both are submitted.
  size_t submitted = 0;
  /// In the command buffer after those: none where it has not been begun.
  int recorded = 0;

  struct Sets {
    VkDescriptorPool pool;
    uint32_t sets, buffers, usedSets = 0, usedBuffers = 0;
  };
  std::vector<Sets> pools;
  size_t openPool = 0;

  std::vector<Buffer> dropped;
  int64_t droppedBytes = 0;
  /// Why nothing goes on: work was lost.
  std::string failure;

  bool begin(std::string& error);
  bool idle() const { return submitted == 0 && recorded == 0; }
  bool fail(const std::string& why, std::string& error);
};

} // namespace ssmc::vulkan
