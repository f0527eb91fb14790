// What an open device consists of.
#pragma once

#include "VulkanQueue.h"

#include <map>
#include <optional>

namespace ssmc::vulkan {

/// Where an address lies.
struct Place {
  VkBuffer buffer = VK_NULL_HANDLE;
  int64_t offset = 0;
  /// From there to the end of what was asked for, and to the end of the buffer.
  int64_t bytes = 0, room = 0;
};

struct Device::State {
  Context context;
  Queue queue{context};
  /// What null pointers are bound to.
  Buffer nothing;
  VkPipelineCache cache = VK_NULL_HANDLE;

  struct Allocation {
    Buffer buffer;
    int64_t bytes;
  };
  /// By address.
  std::map<uint64_t, Allocation> allocations;
  uint64_t nextAddress = uint64_t(1) << 40;

  bool open(std::string& error);
  /// The place of an address in an allocation or right behind it; nothing, with `error` set, where
  /// there is none.
  std::optional<Place> find(uint64_t address, std::string& error) const;
  /// The same, for a transfer of so many bytes.
  std::optional<Place> find(const void* address, int64_t bytes, std::string& error) const;
  bool copy(VkBuffer from, int64_t fromOffset, VkBuffer to, int64_t toOffset, int64_t bytes,
            std::string& error);
  /// At most three bytes, so that what is between them can be filled in words.
  bool fillEdge(const Place& place, int byte, int64_t bytes, std::string& error);
};

} // namespace ssmc::vulkan
