// The device: memory, transfers, time.
#include "VulkanDevice.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>

using namespace ssmc::vulkan;

Device::Device() : state(std::make_unique<State>()) {}
Device::~Device() = default;

bool Device::State::open(std::string& error) {
  if (!context.open(error) || !queue.open(error) ||
      !context.makeBuffer(256, {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT}, nothing, error))
    return false;
  VkPipelineCacheCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
  return check(context.api.vkCreatePipelineCache(context.device, &info, nullptr, &cache),
               "vkCreatePipelineCache", error);
}

Device* Device::open(std::string& error) {
  // Kept for the life of the process: drivers tear themselves down at its end, in an order of their
  // own. Until then, what is under way must come to rest.
  static Device* device = nullptr;
  static std::string failure;
  if (!device && failure.empty()) {
    auto* made = new Device();
    if (made->state->open(failure)) {
      device = made;
      std::atexit([] {
        const Context& context = device->state->context;
        context.api.vkDeviceWaitIdle(context.device);
      });
    } else {
      delete made;
    }
  }
  error = failure;
  return device;
}

const DeviceLimits& Device::limits() const {
  return state->context.limits;
}

std::string Device::name() const {
  return limits().name;
}

//===-- memory --------------------------------------------------------------------------------===//

void* Device::allocate(int64_t bytes, std::string& error) {
  int64_t most = limits().bufferBytes;
  if (bytes < 0 || bytes > most) {
    error =
        fmt::format("an array of {} bytes cannot be on the Vulkan device {}, where one may have "
                    "{} (of maxStorageBufferRange, maxMemoryAllocationSize and maxBufferSize "
                    "the least)",
                    bytes, name(), most);
    return nullptr;
  }
  // Kernels access whole words, and vectors of them. What goes past the limit is never bound.
  int64_t size = (bytes + 15) / 16 * 16 + 16;
  Buffer buffer;
  auto make = [&] {
    return state->context.makeBuffer(size, {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT}, buffer, error);
  };
  // What has been released is still held where it may be in use.
  std::string failure;
  if (!make() && !(state->queue.wait(failure) && make())) {
    error = fmt::format("{} bytes cannot be had on the Vulkan device {}: {}", bytes, name(), error);
    return nullptr;
  }
  uint64_t address = state->nextAddress;
  // A gap keeps what runs past one allocation from reaching the next.
  state->nextAddress += uint64_t(size + 511) / 256 * 256;
  state->allocations[address] = {buffer, bytes};
  return reinterpret_cast<void*>(address);
}

void Device::release(void* memory) {
  auto found = state->allocations.find(reinterpret_cast<uint64_t>(memory));
  if (found == state->allocations.end())
    return;
  state->queue.drop(found->second.buffer);
  state->allocations.erase(found);
}

std::optional<Place> Device::State::find(uint64_t address, std::string& error) const {
  auto after = allocations.upper_bound(address);
  if (after != allocations.begin()) {
    const auto& [base, allocation] = *std::prev(after);
    int64_t offset = int64_t(address - base);
    if (offset <= allocation.bytes)
      return Place{allocation.buffer.buffer, offset, allocation.bytes - offset,
                   allocation.buffer.bytes - offset};
  }
  error = fmt::format("the address {:#x} is in no live allocation of the Vulkan device", address);
  return std::nullopt;
}

std::optional<Place> Device::State::find(const void* address, int64_t bytes,
                                         std::string& error) const {
  auto place = find(reinterpret_cast<uint64_t>(address), error);
  if (place && (bytes < 0 || bytes > place->bytes)) {
    error = fmt::format("{} bytes are to be transferred where the allocation has {}", bytes,
                        place->bytes);
    return std::nullopt;
  }
  return place;
}

//===-- transfers -----------------------------------------------------------------------------===//

bool Device::State::copy(VkBuffer from, int64_t fromOffset, VkBuffer to, int64_t toOffset,
                         int64_t bytes, std::string& error) {
  VkCommandBuffer command = queue.next(error);
  if (!command)
    return false;
  VkBufferCopy region{VkDeviceSize(fromOffset), VkDeviceSize(toOffset), VkDeviceSize(bytes)};
  context.api.vkCmdCopyBuffer(command, from, to, 1, &region);
  return true;
}

bool Device::upload(void* device, const void* host, int64_t bytes, std::string& error) {
  if (bytes == 0)
    return true;
  auto place = state->find(device, bytes, error);
  if (!place)
    return false;
  for (int64_t done = 0, piece = 0; done < bytes; done += piece) {
    Slice slice;
    piece = bytes - done;
    if (!state->queue.staging(piece, slice, error))
      return false;
    std::memcpy(slice.host, static_cast<const char*>(host) + done, size_t(piece));
    if (!state->copy(slice.buffer, slice.offset, place->buffer, place->offset + done, piece, error))
      return false;
  }
  return true;
}

bool Device::download(void* host, const void* device, int64_t bytes, std::string& error) {
  if (bytes == 0)
    return true;
  auto place = state->find(device, bytes, error);
  if (!place)
    return false;
  for (int64_t done = 0, piece = 0; done < bytes; done += piece) {
    Slice slice;
    piece = bytes - done;
    if (!state->queue.staging(piece, slice, error) ||
        !state->copy(place->buffer, place->offset + done, slice.buffer, slice.offset, piece,
                     error) ||
        !state->queue.wait(error))
      return false;
    std::memcpy(static_cast<char*>(host) + done, slice.host, size_t(piece));
  }
  return true;
}

bool Device::State::fillEdge(const Place& place, int byte, int64_t bytes, std::string& error) {
  Slice slice;
  if (!queue.staging(bytes, slice, error))
    return false;
  std::memset(slice.host, byte, size_t(bytes));
  return copy(slice.buffer, slice.offset, place.buffer, place.offset, bytes, error);
}

bool Device::fill(void* device, int byte, int64_t bytes, std::string& error) {
  if (bytes == 0)
    return true;
  auto place = state->find(device, bytes, error);
  if (!place)
    return false;
  // The device fills whole words.
  int64_t head = std::min(-place->offset & 3, bytes), words = (bytes - head) & ~int64_t(3);
  int64_t tail = bytes - head - words;
  if (head > 0 && !state->fillEdge(*place, byte, head, error))
    return false;
  place->offset += head;
  if (words > 0) {
    VkCommandBuffer command = state->queue.next(error);
    if (!command)
      return false;
    state->context.api.vkCmdFillBuffer(command, place->buffer, VkDeviceSize(place->offset),
                                       VkDeviceSize(words), uint32_t(byte & 0xff) * 0x01010101u);
  }
  place->offset += words;
  return tail == 0 || state->fillEdge(*place, byte, tail, error);
}

bool Device::copy(void* to, const void* from, int64_t bytes, std::string& error) {
  if (bytes == 0)
    return true;
  auto target = state->find(to, bytes, error), source = state->find(from, bytes, error);
  if (!target || !source)
    return false;
  if (target->buffer == source->buffer && std::abs(target->offset - source->offset) < bytes) {
    error = fmt::format("{} bytes are to be copied to a place that overlaps theirs", bytes);
    return false;
  }
  return state->copy(source->buffer, source->offset, target->buffer, target->offset, bytes, error);
}

bool Device::wait(std::string& error) {
  return state->queue.wait(error);
}

//===-- time ----------------------------------------------------------------------------------===//

bool Device::time(const std::function<bool()>& body, double& milliseconds, std::string& error) {
  const Context& context = state->context;
  const Functions& api = context.api;
  // From rest, so that the first launches of the body go to the device together with the first
  // timestamp.
  if (!wait(error))
    return false;
  if (context.tickBits == 0) {
    auto start = std::chrono::steady_clock::now();
    if (!body() || !wait(error))
      return false;
    std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    milliseconds = elapsed.count();
    return true;
  }
  VkQueryPoolCreateInfo info{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO};
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = 2;
  VkQueryPool queries = VK_NULL_HANDLE;
  if (!check(api.vkCreateQueryPool(context.device, &info, nullptr, &queries), "vkCreateQueryPool",
             error))
    return false;
  auto stamp = [&](uint32_t query) {
    VkCommandBuffer command = state->queue.next(error);
    if (!command)
      return false;
    if (query == 0)
      api.vkCmdResetQueryPool(command, queries, 0, 2);
    api.vkCmdWriteTimestamp(command, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, queries, query);
    return true;
  };
  uint64_t ticks[2] = {0, 0};
  bool done = stamp(0) && body() && stamp(1);
  std::string failure;
  // Waited for in any case: the queries must not be in use when they go.
  bool rested = wait(failure);
  if (done && !rested)
    error = failure;
  done = done && rested &&
         check(api.vkGetQueryPoolResults(context.device, queries, 0, 2, sizeof(ticks), ticks,
                                         sizeof(ticks[0]),
                                         VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
               "vkGetQueryPoolResults", error);
  if (rested)
    api.vkDestroyQueryPool(context.device, queries, nullptr);
  uint64_t mask = context.tickBits >= 64 ? ~uint64_t(0) : (uint64_t(1) << context.tickBits) - 1;
  milliseconds = double((ticks[1] - ticks[0]) & mask) * context.tick * 1e-6;
  return done;
}
