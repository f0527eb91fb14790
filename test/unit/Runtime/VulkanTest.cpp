// On whatever Vulkan device there is; where there is none, that this is said.
#include "ssmc/Runtime/Vulkan.h"
#include "Check.h"
#include "DoubleAndAdd.h"

#include <cstdlib>
#include <numeric>

using namespace ssmc::vulkan;
using ssmc::test::doubleAndAdd;

static constexpr int64_t threads = 32;

#define CHECK_MESSAGE(message, text)                                                               \
  do {                                                                                             \
    if (!llvm::StringRef(message).contains(text))                                                  \
      ssmc::test::fail(__FILE__, __LINE__,                                                         \
                       "expected a message with \"" + std::string(text) + "\", found \"" +         \
                           (message) + "\"");                                                      \
  } while (false)

/// CHECK of what sets `error`, which is printed.
#define CHECK_DONE(call)                                                                           \
  do {                                                                                             \
    if (!(call))                                                                                   \
      ssmc::test::fail(__FILE__, __LINE__, #call ": " + error);                                    \
  } while (false)

/// The device; null where there is none, with the reason printed.
static Device* open() {
  std::string error;
  Device* device = Device::open(error);
  if (!device)
    std::printf("no Vulkan device, nothing is run: %s\n", error.c_str());
  return device;
}

static std::vector<uint32_t> counted(size_t size) {
  std::vector<uint32_t> values(size);
  std::iota(values.begin(), values.end(), 3);
  return values;
}

static int64_t bytesOf(const std::vector<uint32_t>& values) {
  return int64_t(values.size() * sizeof(uint32_t));
}

static int64_t number(const void* address) {
  return reinterpret_cast<int64_t>(address);
}

TEST(vulkanOpens) {
  std::string error, again;
  Device* device = Device::open(error);
  CHECK(Device::open(again) == device && again == error);
  if (device) {
    const DeviceLimits& limits = device->limits();
    std::printf("%s\n", toString(limits).c_str());
    CHECK(error.empty() && device->name() == limits.name && !limits.name.empty());
    // What Vulkan promises of any device.
    CHECK(limits.sharedBytes >= 16384 && limits.threads >= 128 && limits.gridX >= 65535 &&
          limits.gridY >= 65535 && limits.bindings >= 4 && limits.bufferBytes >= 1 << 27 &&
          limits.bufferBytes % 16 == 0 && limits.subgroupSize >= 1);
    return;
  }
  std::printf("no Vulkan device: %s\n", error.c_str());
  bool said = false;
  for (const char* reason :
       {"there is no Vulkan loader on this machine (libvulkan.so.1)",
        "there is no Vulkan driver on this machine", "know no device", "no queue that computes",
        "is of version 1.0, and 1.1 is needed", "SSMC_VULKAN_"})
    said |= error.find(reason) != std::string::npos;
  CHECK(said);
}

TEST(vulkanTransfersOddSizes) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  for (int64_t bytes : {1, 3, 4, 7, 255, 256, 257, (1 << 20) + 13}) {
    std::vector<char> sent(bytes), back(bytes);
    std::iota(sent.begin(), sent.end(), char(bytes));
    char *one = static_cast<char*>(device->allocate(bytes, error)),
         *two = static_cast<char*>(device->allocate(bytes, error));
    CHECK(one && two && number(one) % 256 == 0 && number(two) % 256 == 0 && one != two);
    CHECK_DONE(device->upload(one, sent.data(), bytes, error));
    CHECK_DONE(device->copy(two, one, bytes, error));
    CHECK_DONE(device->download(back.data(), two, bytes, error));
    CHECK(back == sent);
    // Fills of every length and every start within a word, nothing beside them.
    for (int64_t from = 0; from < std::min<int64_t>(bytes, 5); ++from)
      for (int64_t length : {int64_t(0), int64_t(1), int64_t(2), int64_t(6), bytes - from}) {
        if (from + length > bytes)
          continue;
        CHECK_DONE(device->copy(two, one, bytes, error));
        CHECK_DONE(device->fill(two + from, 0x1a5, length, error));
        CHECK_DONE(device->download(back.data(), two, bytes, error));
        std::vector<char> expected = sent;
        std::fill_n(expected.begin() + from, length, char(0xa5));
        CHECK(back == expected);
      }
    device->release(one);
    device->release(two);
  }
  device->release(nullptr);
}

TEST(vulkanTransfersInPieces) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  std::vector<uint32_t> sent = counted((40 << 18) + 1), back(sent.size());
  void* memory = device->allocate(bytesOf(sent), error);
  CHECK_DONE(memory);
  CHECK_DONE(device->upload(memory, sent.data(), bytesOf(sent), error));
  CHECK_DONE(device->download(back.data(), memory, bytesOf(sent), error));
  CHECK(back == sent);
  device->release(memory);
}

TEST(vulkanLaunches) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  auto program = Program::load(*device, {doubleAndAdd(), doubleAndAdd()}, error);
  CHECK_DONE(program);
  if (!program)
    return;
  for (int64_t count : {1, 31, 32, 33, 1001})
    for (int64_t rows : {1, 3})
      for (int64_t skipped : {0, 1, 5, 67}) { // words before what the pointers point to
        std::vector<uint32_t> a = counted(skipped + count * rows), y(a.size() + 7), expected;
        auto* onA = static_cast<char*>(device->allocate(bytesOf(a), error));
        auto* onY = static_cast<char*>(device->allocate(bytesOf(y), error));
        CHECK_DONE(onA && onY);
        CHECK_DONE(device->upload(onA, a.data(), bytesOf(a), error));
        CHECK_DONE(device->fill(onY, 0xff, bytesOf(y), error));
        int64_t groups = (count + threads - 1) / threads;
        CHECK_DONE(program->launch(
            1, groups, rows, {count, number(onA + 4 * skipped), 99, number(onY + 4 * skipped), -2},
            error));
        CHECK_DONE(device->download(y.data(), onY, bytesOf(y), error));
        expected.assign(y.size(), 0xffffffff);
        for (int64_t i = 0; i < count * rows; ++i)
          expected[skipped + i] = 2 * a[skipped + i] - 2;
        CHECK(y == expected);

        // Without input.
        CHECK_DONE(program->launch(
            0, groups, rows, {count, 0, 0, number(onY + 4 * skipped), int64_t(UINT32_MAX)}, error));
        CHECK_DONE(device->download(y.data(), onY, bytesOf(y), error));
        CHECK(y == std::vector<uint32_t>(y.size(), 0xffffffff));
        device->release(onA);
        device->release(onY);
      }
}

// Two pointers of one binding, in either order: the buffer is bound from the first of them on.
TEST(vulkanSharesBindings) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  KernelCode code = doubleAndAdd();
  code.bindings[2] = 2; // (One that the kernel does not follow.)
  auto program = Program::load(*device, {code}, error);
  CHECK_DONE(program);
  if (!program)
    return;
  std::vector<uint32_t> a = counted(3), y(3);
  auto *onA = static_cast<char*>(device->allocate(12, error)),
       *onY = static_cast<char*>(device->allocate(1036, error));
  CHECK_DONE(onA && onY && device->upload(onA, a.data(), 12, error));
  for (int64_t before : {0, 4, 512, 1024, 1036}) {
    CHECK_DONE(device->fill(onY, 0xff, 1036, error));
    CHECK_DONE(program->launch(
        0, 1, 1, {3, number(onA), number(onY + before), number(onY + 1024), 1}, error));
    CHECK_DONE(device->download(y.data(), onY + 1024, 12, error));
    CHECK((y == std::vector<uint32_t>{7, 9, 11}));
  }
  CHECK(!program->launch(0, 1, 1, {3, number(onA), number(onA), number(onY), 1}, error));
  CHECK_MESSAGE(error, "parameter 3 of the kernel double_and_add lies in another allocation");
  device->release(onA);
  device->release(onY);
}

// Each launch reads what the one before wrote; there are more than a batch, a descriptor pool and
// the parameters' memory hold.
TEST(vulkanLaunchesInOrder) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  auto program = Program::load(*device, {doubleAndAdd()}, error);
  CHECK_DONE(program);
  if (!program)
    return;
  constexpr int64_t count = 77, launches = 5001;
  std::vector<uint32_t> values = counted(count), expected = values;
  char *one = static_cast<char*>(device->allocate(bytesOf(values), error)),
       *two = static_cast<char*>(device->allocate(bytesOf(values), error));
  CHECK_DONE(one && two);
  CHECK_DONE(device->upload(one, values.data(), bytesOf(values), error));
  double milliseconds = -1;
  auto body = [&] {
    for (int64_t i = 0; i < launches; ++i) {
      for (uint32_t& value : expected)
        value = 2 * value + uint32_t(i);
      if (!program->launch(0, 3, 1, {count, number(one), 0, number(two), i}, error))
        return false;
      std::swap(one, two);
    }
    return true;
  };
  CHECK_DONE(device->time(body, milliseconds, error));
  std::printf("%d launches: %.1f ms\n", int(launches), milliseconds);
  CHECK(milliseconds > 0 && milliseconds < 600000);
  // Released while it may be in use.
  CHECK_DONE(program->launch(0, 3, 1, {count, number(one), 0, number(two), 0}, error));
  device->release(two);
  CHECK_DONE(device->download(values.data(), one, bytesOf(values), error));
  CHECK(values == expected);
  CHECK_DONE(!device->time([] { return false; }, milliseconds, error));
  CHECK_DONE(program->launch(0, 0, 1, {count, 0, 0, 0, 0}, error));
  device->release(one);
  CHECK_DONE(device->wait(error));
}

TEST(vulkanRefusesMemory) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  CHECK(!device->allocate(device->limits().bufferBytes + 1, error));
  CHECK_MESSAGE(error, "maxStorageBufferRange");
  CHECK(!device->allocate(-1, error));
  char byte = 0;
  auto* memory = static_cast<char*>(device->allocate(100, error));
  CHECK_DONE(memory);
  CHECK_DONE(device->upload(memory + 99, &byte, 1, error));
  CHECK(!device->upload(memory + 99, &byte, 2, error));
  CHECK_MESSAGE(error, "2 bytes are to be transferred where the allocation has 1");
  CHECK(!device->fill(memory, 0, 101, error) && !device->fill(memory - 1, 0, 1, error));
  CHECK_MESSAGE(error, "is in no live allocation");
  CHECK(!device->copy(memory, memory + 10, 11, error));
  CHECK_MESSAGE(error, "overlaps");
  CHECK_DONE(device->copy(memory, memory + 10, 10, error));
  device->release(memory);
  CHECK(!device->download(&byte, memory, 1, error));
  CHECK_MESSAGE(error, "is in no live allocation");
  CHECK_DONE(device->upload(nullptr, nullptr, 0, error));
  // Nothing can be had of it, but it has an address.
  void* empty = device->allocate(0, error);
  CHECK_DONE(empty);
  device->release(empty);
}

/// The message with which a kernel that is not quite right is refused.
static std::string refusal(Device& device, void (*change)(KernelCode&, const DeviceLimits&)) {
  KernelCode code = doubleAndAdd();
  change(code, device.limits());
  std::string error;
  CHECK(!Program::load(device, {doubleAndAdd(), code}, error));
  return error;
}

TEST(vulkanRefusesKernels) {
  Device* device = open();
  if (!device)
    return;
  auto threads = [](KernelCode& code, const DeviceLimits& limits) {
    code.threads = limits.threads + 1;
  };
  auto shared = [](KernelCode& code, const DeviceLimits& limits) {
    code.sharedBytes = limits.sharedBytes + 1;
  };
  auto bindings = [](KernelCode& code, const DeviceLimits& limits) {
    code.bindings.resize(size_t(limits.bindings));
    std::iota(code.bindings.begin(), code.bindings.end(), 1);
  };
  auto name = [](KernelCode& code, const DeviceLimits&) { code.name = "double_and"; };
  auto words = [](KernelCode& code, const DeviceLimits&) { code.words.resize(20); };
  auto end = [](KernelCode& code, const DeviceLimits&) { code.words.pop_back(); };
  auto empty = [](KernelCode& code, const DeviceLimits&) { code.words = {}; };
  auto version = [](KernelCode& code, const DeviceLimits&) { code.words[1] = 0x00010700; };
  auto subgroup = [](KernelCode& code, const DeviceLimits& limits) {
    code.subgroup = limits.subgroupSize + 1;
  };
  // (The first instruction is a capability.)
  auto unknown = [](KernelCode& code, const DeviceLimits&) { code.words[6] = 5297; };
  auto matrices = [](KernelCode& code, const DeviceLimits&) { code.words[6] = 6022; };
  auto halves = [](KernelCode& code, const DeviceLimits&) { code.words[6] = 4433; };
  CHECK_MESSAGE(refusal(*device, threads), "threads in a workgroup, and the Vulkan device");
  CHECK_MESSAGE(refusal(*device, shared), "bytes of shared memory, and the Vulkan device");
  if (device->limits().bindings <= 1 << 16)
    CHECK_MESSAGE(refusal(*device, bindings), "bindings of storage buffers, and the Vulkan device");
  CHECK_MESSAGE(refusal(*device, name), "double_and is no entry point");
  CHECK_MESSAGE(refusal(*device, words), "compute of a whole SPIR-V module");
  CHECK_MESSAGE(refusal(*device, end), "compute of a whole SPIR-V module");
  CHECK_MESSAGE(refusal(*device, empty), "compute of a whole SPIR-V module");
  CHECK_MESSAGE(refusal(*device, version), "is of SPIR-V 1.7, and the Vulkan device");
  CHECK_MESSAGE(refusal(*device, subgroup), "of a subgroup, and the Vulkan device");
  CHECK_MESSAGE(refusal(*device, unknown), "needs the capability 5297 of SPIR-V, which is not");
  if (!device->limits().cooperativeMatrix)
    CHECK_MESSAGE(refusal(*device, matrices), "lacks the feature cooperativeMatrix");
  if (!device->limits().storage16)
    CHECK_MESSAGE(refusal(*device, halves), "lacks the feature storageBuffer16BitAccess");
}

TEST(vulkanRefusesLaunches) {
  Device* device = open();
  if (!device)
    return;
  std::string error;
  auto program = Program::load(*device, {doubleAndAdd()}, error);
  CHECK_DONE(program);
  void* memory = device->allocate(64, error);
  if (!program || !memory)
    return;
  int64_t y = number(memory);
  CHECK(!program->launch(1, 1, 1, {1, 0, 0, y, 0}, error));
  CHECK_MESSAGE(error, "there is no kernel 1 in a program of 1");
  CHECK(!program->launch(0, 1, 1, {1, 0, 0, y}, error));
  CHECK_MESSAGE(error, "takes 5 parameters, not 4");
  for (int64_t value : {int64_t(1) << 32, -(int64_t(1) << 31) - 1}) {
    CHECK(!program->launch(0, 1, 1, {1, 0, 0, y, value}, error));
    CHECK_MESSAGE(error, "which does not fit into 32 bits");
  }
  CHECK(!program->launch(0, 1, 1, {1, y + 65, 0, y, 0}, error));
  CHECK_MESSAGE(error, "parameter 1 of the kernel double_and_add: the address 0x");
  CHECK(!program->launch(0, device->limits().gridX + 1, 1, {1, 0, 0, y, 0}, error));
  CHECK_MESSAGE(error, "workgroups is asked for");
  CHECK(!program->launch(0, 1, -1, {1, 0, 0, y, 0}, error));
  device->release(memory);
  CHECK(!program->launch(0, 1, 1, {1, 0, 0, y, 0}, error));
  CHECK_MESSAGE(error, "is in no live allocation");
}

// After all others of this file.
TEST(vulkanValidationIsSilent) {
  const char* wanted = std::getenv("SSMC_VULKAN_VALIDATION");
  bool on = wanted && std::string(wanted) == "1";
  if (Device* device = open())
    std::printf("%s: validation is %s\n", device->name().c_str(), on ? "on" : "off");
  CHECK(validationMessages() == 0);
}
