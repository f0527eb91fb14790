/// Kernels in SPIR-V on a Vulkan device: memory, transfers, launches.
///
///   Device::open     one device for the process; nothing is linked, libvulkan.so.1 is found at run
///   time Device           memory by address, transfers, time Program          loaded kernels and
///   their launches
///
/// Everything is for one thread at a time. Sizes and offsets are in bytes. What fails returns false
/// or null and leaves one sentence in `error`; a failed Vulkan function is named with its VkResult.
/// Launches, fills, copies and uploads happen in the order in which they are asked for, each after
/// the one before has finished; they may still be under way when the call returns.
///
/// What a kernel sees: descriptor set 0. Binding 0 is a storage buffer of 32-bit words, one for
/// each parameter in order. A number is its low 32 bits. A pointer that is bound to binding n is
/// the byte offset into the storage buffer of binding n, which begins less than 256 bytes before
/// the first of the pointers bound to it; it is 0 for an address that allocate returned. 0xffffffff
/// is a null pointer, whose buffer may be bound but holds nothing. A buffer reaches at least to the
/// end of the allocation that it is in, so that whole 32-bit words can be accessed there, up to
/// bufferBytes from where it starts. Parameters may share an allocation; those of one binding must.
///
/// The environment can choose: SSMC_VULKAN_DEVICE is the device's index in Vulkan's order or part
/// of its name; SSMC_VULKAN_VALIDATION=1 runs under the Khronos validation layer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ssmc::vulkan {

/// What a device can do, of what kernels may need. What is true here is enabled on the open device.
struct DeviceLimits {
  std::string name;
  /// What the device and this host both speak, as VK_MAKE_API_VERSION: 1.1 to 1.3.
  uint32_t apiVersion = 0;
  /// Of a workgroup: shared memory, and invocations, all of them along x.
  int64_t sharedBytes = 0, threads = 0;
  /// Workgroups along the axes.
  int64_t gridX = 0, gridY = 0;
  /// Storage buffers of a kernel, the parameters' binding 0 among them.
  int64_t bindings = 0;
  /// Of an allocation: the least of the device's limits for memory, buffers and what of one can be
  /// bound.
  int64_t bufferBytes = 0;
  /// Invocations of a subgroup. Where sizes vary, kernels are pinned to this one if the device lets
  /// them; `fixedSubgroups` says that subgroups of kernels surely have it, and are full.
  int64_t subgroupSize = 0;
  bool fixedSubgroups = false;
  /// In compute: GroupNonUniformShuffle.
  bool subgroupShuffle = false;
  /// Arithmetic in f16; storage buffers of 16-bit elements; arithmetic in i16, i64 and f64.
  bool float16 = false, storage16 = false, int16 = false, int64 = false, float64 = false;
  /// VK_KHR_cooperative_matrix; with matrices of 16 x 16 bf16 and sums in f32.
  bool cooperativeMatrix = false, bfloat16Matrices = false;
  /// Numbers of type bf16, and Vulkan's memory model.
  bool bfloat16 = false, memoryModel = false;
  /// Views of shared memory as arrays of different elements, and of 16-bit ones.
  bool sharedLayout = false, sharedLayout16 = false;
  /// The device is the CPU.
  bool isProcessor = false;
};

/// Limits on one line.
std::string toString(const DeviceLimits& limits);

/// Warnings and errors that the validation layer has printed so far.
int64_t validationMessages();

/// A kernel: an entry point of a SPIR-V module.
struct KernelCode {
  /// The entry point.
  std::string name;
  /// The module.
  std::vector<uint32_t> words;
  /// The local size along x, as the module says too.
  int64_t threads = 128;
  int64_t sharedBytes = 0;
  /// For each parameter: 0, a number; n > 0, a pointer that is bound to binding n of set 0; -1, a
  /// pointer that the kernel does not use. Several pointers may have one binding.
  std::vector<int> bindings;
  /// Invocations next to each other that must run in one subgroup; 0: any number.
  int64_t subgroup = 0;
};

/// The Vulkan device of the process.
class Device {
public:
  /// Opened once for the process and kept for its life. A discrete GPU is preferred, then an
  /// integrated, a virtual one, the CPU. Null, with `error` set, where there is no loader, no
  /// driver or no device that computes, or none of those asked for by SSMC_VULKAN_DEVICE; the
  /// answer stays the same.
  static Device* open(std::string& error);

  const DeviceLimits& limits() const;
  std::string name() const;

  /// Device memory with undefined contents, by a made-up address that nothing on the host may
  /// follow: it is unique, a multiple of 256, and bytes may be added to it. Null, with `error` set,
  /// where an array is larger than the device can bind, or no memory is left.
  void* allocate(int64_t bytes, std::string& error);
  /// Null is fine. What has been launched may still use the memory.
  void release(void* memory);

  /// All of these take addresses within allocations; bytes that go past one are an error, and
  /// nothing is transferred. No bytes are always fine.
  bool upload(void* device, const void* host, int64_t bytes, std::string& error);
  bool download(void* host, const void* device, int64_t bytes, std::string& error);
  bool fill(void* device, int byte, int64_t bytes, std::string& error);
  /// Between two places on the device, which must not overlap.
  bool copy(void* to, const void* from, int64_t bytes, std::string& error);
  /// Until everything that was asked for has been done.
  bool wait(std::string& error);
  /// Runs `body`, which launches kernels, waits for them, and gives the milliseconds that they
  /// took: by the device's timestamps, or where it has none by the host's clock.
  bool time(const std::function<bool()>& body, double& milliseconds, std::string& error);

private:
  friend class Program;
  struct State;
  std::unique_ptr<State> state;
  Device();
  ~Device();
};

/// Loaded kernels. To be dropped before the process ends.
class Program {
public:
  /// Compiles kernels. Null, with `error` set, for one that needs more bindings, threads, shared
  /// memory or invocations of a subgroup than the device has, a version or a capability of SPIR-V
  /// that it does not have, or whose words are no SPIR-V with the entry point.
  static std::unique_ptr<Program> load(Device& device, std::vector<KernelCode> kernels,
                                       std::string& error);
  ~Program();
  /// `x` and `y` workgroups, none being fine; one parameter for each entry of KernelCode::bindings:
  /// a number between -2^31 and 2^32 - 1, or an address within an allocation or 0.
  bool launch(size_t kernel, int64_t x, int64_t y, const std::vector<int64_t>& parameters,
              std::string& error);

private:
  struct Impl;
  explicit Program(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace ssmc::vulkan
