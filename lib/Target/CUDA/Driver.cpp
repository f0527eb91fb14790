// The driver API, found at run time.
#include "ssmc/Target/CUDA.h"

#include <algorithm>
#include <cstring>
#include <dlfcn.h>
#include <functional>
#include <utility>

using namespace ssmc::cuda;
using ssmc::simt::KernelInfo;
namespace simt = ssmc::simt;

// The driver's C interface, as far as it is used here: names and numbers of cuda.h.
using CUresult = int;
using CUdevice = int;
using CUcontext = void*;
using CUmodule = void*;
using CUfunction = void*;
using CUstream = void*;
using CUevent = void*;
using CUdeviceptr = unsigned long long;
static constexpr int attributeProcessors = 16, attributeMajor = 75, attributeMinor = 76;
static constexpr int functionSharedBytes = 8;
static constexpr unsigned streamNonBlocking = 1, eventWithoutTime = 2;

struct Device::Api {
  CUresult (*init)(unsigned);
  CUresult (*getDevice)(CUdevice*, int);
  CUresult (*getName)(char*, int, CUdevice);
  CUresult (*getAttribute)(int*, int, CUdevice);
  CUresult (*retain)(CUcontext*, CUdevice);
  CUresult (*setCurrent)(CUcontext);
  CUresult (*loadModule)(CUmodule*, const void*, unsigned, int*, void**);
  CUresult (*unloadModule)(CUmodule);
  CUresult (*getFunction)(CUfunction*, CUmodule, const char*);
  CUresult (*setFunction)(CUfunction, int, int);
  CUresult (*launch)(CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     unsigned, CUstream, void**, void**);
  CUresult (*allocate)(CUdeviceptr*, size_t);
  CUresult (*release)(CUdeviceptr);
  CUresult (*upload)(CUdeviceptr, const void*, size_t);
  CUresult (*download)(void*, CUdeviceptr, size_t);
  CUresult (*fill)(CUdeviceptr, unsigned char, size_t);
  CUresult (*copy)(CUdeviceptr, CUdeviceptr, size_t, CUstream);
  CUresult (*wait)();
  CUresult (*errorString)(CUresult, const char**);
  CUresult (*makeEvent)(CUevent*, unsigned);
  CUresult (*dropEvent)(CUevent);
  CUresult (*record)(CUevent, CUstream);
  CUresult (*waitEvent)(CUevent);
  CUresult (*elapsed)(float*, CUevent, CUevent);
  CUresult (*makeStream)(CUstream*, unsigned, int);
  CUresult (*priorities)(int*, int*);
  CUresult (*streamWait)(CUstream, CUevent, unsigned);

  bool hasStreams = false; ///< more than the context's own one
  /// The context's own one, and two that are made when they are first wanted.
  CUstream streams[3] = {};
  CUevent reached[3] = {};   ///< where a stream stands that another one waits for
  CUstream stream = nullptr; ///< that launches go to
  bool haveStreams(std::string& error);

  CUdevice device = 0;
  CUcontext context = nullptr;

  bool find(std::string& error);
  bool check(CUresult result, const char* what, std::string& error) const {
    if (result == 0)
      return true;
    const char* text = nullptr;
    errorString(result, &text);
    error = std::string(what) + ": " + (text ? text : "error " + std::to_string(result));
    return false;
  }
};

bool Device::Api::find(std::string& error) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    error = "there is no CUDA driver on this machine (libcuda.so.1)";
    return false;
  }
  const char* missing = nullptr;
  auto get = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (!function && !missing)
      missing = name;
  };
  get(init, "cuInit");
  get(getDevice, "cuDeviceGet");
  get(getName, "cuDeviceGetName");
  get(getAttribute, "cuDeviceGetAttribute");
  get(retain, "cuDevicePrimaryCtxRetain");
  get(setCurrent, "cuCtxSetCurrent");
  get(loadModule, "cuModuleLoadDataEx");
  get(unloadModule, "cuModuleUnload");
  get(getFunction, "cuModuleGetFunction");
  get(setFunction, "cuFuncSetAttribute");
  get(launch, "cuLaunchKernel");
  get(allocate, "cuMemAlloc_v2");
  get(release, "cuMemFree_v2");
  get(upload, "cuMemcpyHtoD_v2");
  get(download, "cuMemcpyDtoH_v2");
  get(fill, "cuMemsetD8_v2");
  get(copy, "cuMemcpyDtoDAsync_v2");
  get(wait, "cuCtxSynchronize");
  get(errorString, "cuGetErrorString");
  get(makeEvent, "cuEventCreate");
  get(dropEvent, "cuEventDestroy_v2");
  get(record, "cuEventRecord");
  get(waitEvent, "cuEventSynchronize");
  get(elapsed, "cuEventElapsedTime");
  const char* needed = std::exchange(missing, nullptr);
  // (Without these there is one stream.)
  get(makeStream, "cuStreamCreateWithPriority");
  get(priorities, "cuCtxGetStreamPriorityRange");
  get(streamWait, "cuStreamWaitEvent");
  hasStreams = !std::exchange(missing, needed);
  if (missing) {
    error = std::string("the CUDA driver lacks ") + missing;
    return false;
  }
  if (init(0) != 0 || getDevice(&device, 0) != 0) {
    error = "there is no GPU that the CUDA driver knows";
    return false;
  }
  return check(retain(&context, device), "opening the GPU", error) &&
         check(setCurrent(context), "opening the GPU", error);
}

Device::Device() : api(std::make_unique<Api>()) {}
Device::~Device() = default;

Device* Device::open(std::string& error) {
  // Kept for the life of the process: the driver tears itself down at its end.
  static Device* device = nullptr;
  static std::string failure;
  if (!device && failure.empty()) {
    auto* made = new Device();
    if (made->api->find(failure))
      device = made;
    else
      delete made;
  }
  error = failure;
  if (device)
    device->api->setCurrent(device->api->context);
  return device;
}

std::string Device::name() const {
  char text[256] = "";
  api->getName(text, sizeof(text), api->device);
  return text;
}

std::string Device::arch() const {
  int major = 0, minor = 0;
  api->getAttribute(&major, attributeMajor, api->device);
  api->getAttribute(&minor, attributeMinor, api->device);
  std::string arch = "sm_" + std::to_string(major) + std::to_string(minor);
  return arch == "sm_90" ? "sm_90a" : arch;
}

int64_t Device::processors() const {
  int count = 1;
  api->getAttribute(&count, attributeProcessors, api->device);
  return count;
}

void* Device::allocate(int64_t bytes, std::string& error) {
  CUdeviceptr memory = 0;
  if (!api->check(api->allocate(&memory, std::max<int64_t>(bytes, 16)), "allocating on the GPU",
                  error))
    return nullptr;
  return reinterpret_cast<void*>(memory);
}

static CUdeviceptr address(const void* memory) {
  return reinterpret_cast<CUdeviceptr>(memory);
}

void Device::release(void* memory) {
  if (memory)
    api->release(address(memory));
}
bool Device::upload(void* device, const void* host, int64_t bytes, std::string& error) {
  return bytes == 0 ||
         api->check(api->upload(address(device), host, bytes), "copying to the GPU", error);
}
bool Device::download(void* host, const void* device, int64_t bytes, std::string& error) {
  return bytes == 0 ||
         api->check(api->download(host, address(device), bytes), "copying from the GPU", error);
}
bool Device::fill(void* device, int byte, int64_t bytes, std::string& error) {
  return bytes == 0 ||
         api->check(api->fill(address(device), byte, bytes), "filling on the GPU", error);
}
bool Device::copy(void* to, const void* from, int64_t bytes, std::string& error) {
  return bytes == 0 || api->check(api->copy(address(to), address(from), bytes, api->stream),
                                  "copying on the GPU", error);
}
bool Device::wait(std::string& error) {
  return api->check(api->wait(), "running on the GPU", error);
}

/// (The context's own stream waits for no other here, nor others for it.)
bool Device::Api::haveStreams(std::string& error) {
  if (streams[1])
    return true;
  int least = 0, greatest = 0;
  if (!check(priorities(&least, &greatest), "making a stream", error))
    return false;
  for (int i = 0; i < 3; ++i)
    if ((i && !check(makeStream(&streams[i], streamNonBlocking, i == 1 ? greatest : least),
                     "making a stream", error)) ||
        !check(makeEvent(&reached[i], eventWithoutTime), "making an event", error))
      return false;
  return true;
}

bool Device::hasQueues() const {
  return api->hasStreams;
}

bool Device::use(simt::Queue queue, std::string& error) {
  if (!api->hasStreams)
    return true;
  if (queue != simt::Queue::Main && !api->haveStreams(error))
    return false;
  api->stream = api->streams[int(queue)];
  return true;
}

bool Device::follow(simt::Queue queue, simt::Queue other, std::string& error) {
  if (!api->hasStreams)
    return true;
  if (!api->haveStreams(error))
    return false;
  return api->check(api->record(api->reached[int(other)], api->streams[int(other)]),
                    "ordering streams", error) &&
         api->check(api->streamWait(api->streams[int(queue)], api->reached[int(other)], 0),
                    "ordering streams", error);
}

bool Device::time(const std::function<bool()>& body, double& milliseconds, std::string& error) {
  CUevent start = nullptr, end = nullptr;
  if (!api->check(api->makeEvent(&start, 0), "making an event", error) ||
      !api->check(api->makeEvent(&end, 0), "making an event", error))
    return false;
  float elapsed = 0;
  // (Where the body has gone to another stream, what it did ends there.)
  api->stream = api->streams[int(simt::Queue::Main)];
  bool done = api->check(api->record(start, api->stream), "timing", error) && body() &&
              api->check(api->record(end, api->stream), "timing", error) &&
              api->check(api->waitEvent(end), "running on the GPU", error) &&
              api->check(api->elapsed(&elapsed, start, end), "timing", error);
  api->stream = api->streams[int(simt::Queue::Main)];
  api->dropEvent(start);
  api->dropEvent(end);
  milliseconds = elapsed;
  return done;
}

//===-- modules ------------------------------------------------------------------------------===//

struct Module::Impl {
  Device& device;
  CUmodule module = nullptr;
  std::vector<KernelInfo> kernels;
  std::vector<CUfunction> functions;
};

Module::Module(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}

Module::~Module() {
  impl->device.api->unloadModule(impl->module);
}

std::unique_ptr<Module> Module::load(Device& device, const std::string& code,
                                     const std::vector<KernelInfo>& kernels, std::string& error) {
  auto impl = std::make_unique<Impl>(Impl{device, nullptr, kernels, {}});
  const Device::Api& api = *device.api;
  if (!api.check(api.loadModule(&impl->module, code.c_str(), 0, nullptr, nullptr),
                 "loading the kernels", error))
    return nullptr;
  std::unique_ptr<Module> module(new Module(std::move(impl)));
  for (const KernelInfo& info : kernels) {
    CUfunction& function = module->impl->functions.emplace_back();
    if (!api.check(api.getFunction(&function, module->impl->module, info.name.c_str()),
                   "finding a kernel", error))
      return nullptr;
    if (info.sharedBytes > (48 << 10) &&
        !api.check(api.setFunction(function, functionSharedBytes, int(info.sharedBytes)),
                   "asking for shared memory", error))
      return nullptr;
  }
  return module;
}

simt::Device& Module::device() const {
  return impl->device;
}

const std::vector<KernelInfo>& Module::kernels() const {
  return impl->kernels;
}

bool Module::launch(size_t kernel, const simt::Call& call, std::string& error) {
  const KernelInfo& info = impl->kernels[kernel];
  std::vector<int64_t> values = call.parameters;
  std::vector<void*> parameters;
  for (int64_t& value : values)
    parameters.push_back(&value);
  const Device::Api& api = *impl->device.api;
  return api.check(api.launch(impl->functions[kernel], unsigned(call.x), unsigned(call.y), 1,
                              unsigned(info.threads), 1, 1, unsigned(info.sharedBytes), api.stream,
                              parameters.data(), nullptr),
                   "launching a kernel", error);
}
