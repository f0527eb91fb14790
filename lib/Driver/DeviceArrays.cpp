#include "DeviceArrays.h"
#include "VulkanDevice.h"

#include "mlir/IR/BuiltinOps.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

bool driver::carriesStates(const artifact::Kernel& kernel) {
  return any_of(kernel.operands, [](const artifact::Operand& each) { return each.isState(); });
}

Expected<simt::Device*> driver::openDevice(const CodeTarget& target) {
  std::string message;
  simt::Device* device = nullptr;
  if (target.cuda)
    device = cuda::Device::open(message);
  else
    device = VulkanDevice::open(message);
  if (device)
    return device;
  return createStringError(message);
}

static Expected<std::shared_ptr<simt::Program>>
loadOnGPU(mlir::ModuleOp module, const cuda::TargetSpec& target, int64_t items) {
  std::string message;
  cuda::Device* device = cuda::Device::open(message);
  if (!device)
    return createStringError(message);
  std::optional<cuda::Image> image =
      cuda::compile(module, target, items, /*llvmText=*/false, message);
  if (!image)
    return make_error<InternalError>("generating code failed: " + message);
  // The driver assembles PTX itself; ptxas of the toolkit may be newer, and is not needed.
  std::unique_ptr<cuda::Module> loaded =
      cuda::Module::load(*device, image->code, image->kernels, message);
  if (!loaded)
    return createStringError(message);
  return std::shared_ptr<simt::Program>(std::move(loaded));
}

Expected<std::shared_ptr<simt::Program>>
driver::loadOnDevice(mlir::ModuleOp module, const CodeTarget& target, int64_t items) {
  if (target.cuda)
    return loadOnGPU(module, *target.cuda, items);
  std::string message;
  std::optional<std::vector<vulkan::Kernel>> kernels =
      vulkan::compile(module, *target.vulkan, items, message);
  if (!kernels)
    return make_error<InternalError>("generating code failed: " + message);
  if (Error error = checkBindings(*kernels, *target.vulkan))
    return std::move(error);
  std::shared_ptr<simt::Program> loaded = VulkanDevice::load(*kernels, message);
  if (!loaded)
    return createStringError(message);
  return loaded;
}

DeviceArrays::~DeviceArrays() {
  for (void* memory : allocations)
    program->device().release(memory);
  program->device().release(workspace);
}

int64_t DeviceArrays::allocationOf(size_t kernel, size_t operand) const {
  for (auto [number, allocation] : program->kernels()[kernel].together)
    if (number == int64_t(operand))
      return allocation;
  return 0;
}

void DeviceArrays::add(void* host, size_t bytes, bool isResult, int64_t allocation) {
  Copy& copy = copies[{host, allocation}];
  copy.bytes = std::max(copy.bytes, bytes);
  copy.isResult |= isResult;
}

/// Memory for all arrays, those that share an allocation one after the other in it.
Error DeviceArrays::allocate() {
  constexpr int64_t alignment = 256;
  std::string message;
  std::map<int64_t, int64_t> bytes; // (Of shared allocations, and as they fill.)
  for (auto& [key, copy] : copies)
    if (key.second)
      bytes[key.second] += alignTo(copy.bytes, alignment);
  std::map<int64_t, char*> shared;
  for (auto [allocation, size] : bytes) {
    void* memory = program->device().allocate(size, message);
    if (!memory)
      return createStringError("kernels have more arrays than " + program->device().name() +
                               " has storage buffers, and several of them share one: " + message);
    allocations.push_back(memory);
    shared[allocation] = static_cast<char*>(memory);
  }
  for (auto& [key, copy] : copies) {
    if (key.second) {
      char*& next = shared[key.second];
      copy.device = next;
      next += alignTo(copy.bytes, alignment);
      continue;
    }
    copy.device = program->device().allocate(copy.bytes, message);
    if (!copy.device)
      return createStringError(message);
    allocations.push_back(copy.device);
  }
  return Error::success();
}

Error DeviceArrays::upload() {
  if (isThere)
    return Error::success();
  if (Error error = allocate())
    return error;
  std::string message;
  for (auto& [key, copy] : copies)
    if (!program->device().upload(copy.device, key.first, copy.bytes, message))
      return createStringError(message);
  isThere = true;
  return Error::success();
}

int64_t DeviceArrays::deviceAddress(ArrayPlace place, int64_t allocation) const {
  auto found = copies.find({place.array, allocation});
  return found == copies.end() ? 0 : reinterpret_cast<int64_t>(found->second.device) + place.bytes;
}

Error DeviceArrays::reserveWorkspace(int64_t bytes) {
  simt::Device& device = program->device();
  if (bytes <= workspaceBytes)
    return Error::success();
  device.release(workspace);
  std::string message;
  workspace = device.allocate(bytes, message);
  if (!workspace)
    return createStringError(message);
  workspaceBytes = bytes;
  if (poisonsWorkspace && !device.fill(workspace, 0xFF, bytes, message))
    return createStringError(message);
  return Error::success();
}

/// Fails where an array, or its rows, do not begin where a kernel needs them to.
static Error checkAligned(const simt::KernelInfo& info, const artifact::Kernel& kernel,
                          ArrayRef<int64_t> addresses, ArrayRef<int64_t> strides) {
  for (auto [number, bytes] : info.aligned)
    if (addresses[number] % 16 ||
        any_of(strides.slice(4 * number, 4),
               [bytes = bytes](int64_t stride) { return stride * bytes % 16; }))
      return createStringError("'" + kernel.operands[number].name +
                               "' must begin at a multiple of 16 bytes, and so must each of its "
                               "rows");
  return Error::success();
}

Error DeviceArrays::launch(const DeviceCall& call) {
  const simt::KernelInfo& info = program->kernels()[call.number];
  const artifact::CallSizes& sizes = call.sizes;
  artifact::Grid grid = artifact::gridOf(info);
  if (Error error = reserveWorkspace(grid.workspaceAt(sizes)))
    return error;
  SmallVector<int64_t> addresses;
  for (auto [index, operand] : enumerate(call.operands))
    addresses.push_back(deviceAddress(operand, allocationOf(call.number, index)));
  if (Error error = checkAligned(info, *call.kernel, addresses, call.strides))
    return error;
  simt::Call made{grid.x.at(sizes), grid.y.at(sizes), {}};
  if (made.x > program->device().mostBlocks())
    return createStringError("more sequences times heads (times parts of each) than a grid of " +
                             program->device().name() + " has blocks: " + Twine(made.x) +
                             ", at most " + Twine(program->device().mostBlocks()));
  for (const artifact::Parameter& parameter : artifact::parametersOf(*call.kernel))
    switch (parameter.kind) {
    case artifact::Parameter::Size:
      made.parameters.push_back(
          artifact::Factor{artifact::Factor::Kind(parameter.which)}.at(sizes));
      break;
    case artifact::Parameter::Offsets:
      made.parameters.push_back(deviceAddress({const_cast<int64_t*>(call.offsets)}));
      break;
    case artifact::Parameter::Workspace:
      made.parameters.push_back(reinterpret_cast<int64_t>(workspace));
      break;
    case artifact::Parameter::Pointer:
      made.parameters.push_back(addresses[parameter.which]);
      break;
    case artifact::Parameter::Stride:
      made.parameters.push_back(call.strides[4 * parameter.which + parameter.axis]);
      break;
    }
  std::string message;
  if (made.x &&
      (!program->device().use(call.queue, message) || !program->launch(call.number, made, message)))
    return createStringError(message);
  return Error::success();
}

Expected<std::vector<KernelTime>> DeviceArrays::timeCalls() {
  std::vector<KernelTime> times;
  std::string message;
  for (const auto& step : steps) {
    const auto* call = std::get_if<DeviceCall>(&step);
    if (!call)
      continue;
    KernelTime& made = times.emplace_back();
    made.name = program->kernels()[call->number].name;
    Error error = Error::success();
    bool timed = program->device().time(
        [&] {
          error = launch(*call);
          return !error;
        },
        made.ms, message);
    if (error)
      return std::move(error);
    if (!timed)
      return createStringError(message);
  }
  return times;
}

Error DeviceArrays::run() {
  if (Error error = upload())
    return error;
  std::string message;
  for (const auto& step : steps) {
    if (const auto* call = std::get_if<DeviceCall>(&step)) {
      if (Error error = launch(*call))
        return error;
      continue;
    }
    if (const auto* order = std::get_if<DeviceOrder>(&step)) {
      if (!program->device().follow(order->queue, order->other, message))
        return createStringError(message);
      continue;
    }
    const auto& copy = std::get<DeviceCopy>(step);
    if (!program->device().use(simt::Queue::Main, message) ||
        !program->device().copy(reinterpret_cast<void*>(deviceAddress(copy.to)),
                                reinterpret_cast<void*>(deviceAddress(copy.from)), copy.bytes,
                                message))
      return createStringError(message);
  }
  return program->device().wait(message) ? Error::success() : createStringError(message);
}

Error DeviceArrays::download() {
  std::string message;
  for (auto& [key, copy] : copies)
    if (copy.isResult && !program->device().download(key.first, copy.device, copy.bytes, message))
      return createStringError(message);
  return Error::success();
}
