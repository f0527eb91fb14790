#include "DeviceArrays.h"

#include "mlir/IR/BuiltinOps.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

Expected<std::shared_ptr<cuda::Module>>
driver::loadOnDevice(mlir::ModuleOp module, const cuda::TargetSpec& target, int64_t items) {
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
  return std::shared_ptr<cuda::Module>(std::move(loaded));
}

Expected<cuda::Device*> DeviceArrays::open() {
  std::string message;
  if (cuda::Device* device = cuda::Device::open(message))
    return device;
  return createStringError(message);
}

DeviceArrays::~DeviceArrays() {
  std::string message;
  cuda::Device* device = cuda::Device::open(message);
  if (!device)
    return;
  for (auto& [host, copy] : copies)
    device->release(copy.device);
  device->release(workspace);
}

void DeviceArrays::add(void* host, size_t bytes, bool isResult) {
  Copy& copy = copies[host];
  copy.bytes = std::max(copy.bytes, bytes);
  copy.isResult |= isResult;
}

Error DeviceArrays::upload() {
  if (isThere)
    return Error::success();
  Expected<cuda::Device*> device = open();
  if (!device)
    return device.takeError();
  std::string message;
  for (auto& [host, copy] : copies) {
    copy.device = (*device)->allocate(copy.bytes, message);
    if (!copy.device || !(*device)->upload(copy.device, host, copy.bytes, message))
      return createStringError(message);
  }
  isThere = true;
  return Error::success();
}

int64_t DeviceArrays::deviceAddress(const void* host) const {
  auto found = copies.find(const_cast<void*>(host));
  return found == copies.end() ? 0 : reinterpret_cast<int64_t>(found->second.device);
}

Error DeviceArrays::reserveWorkspace(cuda::Device& device, int64_t bytes) {
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

Error DeviceArrays::launch(size_t number, const artifact::Kernel& kernel,
                           const ssmc_kernel_args& args, ArrayRef<void*> operands,
                           ArrayRef<int64_t> strides) {
  Expected<cuda::Device*> device = open();
  if (!device)
    return device.takeError();
  const simt::KernelInfo& info = module->kernels()[number];
  artifact::Grid grid = artifact::gridOf(info);
  if (Error error = reserveWorkspace(**device, grid.workspaceAt(sizes)))
    return error;
  SmallVector<int64_t> addresses;
  for (void* operand : operands)
    addresses.push_back(deviceAddress(operand));
  if (Error error = checkAligned(info, kernel, addresses, strides))
    return error;
  cuda::Call call{grid.x.at(sizes), grid.y.at(sizes), {}};
  if (call.x > artifact::maxGrid)
    return createStringError("more sequences times heads than a grid has blocks");
  for (const artifact::Parameter& parameter : artifact::parametersOf(kernel))
    switch (parameter.kind) {
    case artifact::Parameter::Size:
      call.parameters.push_back(
          artifact::Factor{artifact::Factor::Kind(parameter.which)}.at(sizes));
      break;
    case artifact::Parameter::Offsets:
      call.parameters.push_back(deviceAddress(args.offsets));
      break;
    case artifact::Parameter::Workspace:
      call.parameters.push_back(reinterpret_cast<int64_t>(workspace));
      break;
    case artifact::Parameter::Pointer:
      call.parameters.push_back(addresses[parameter.which]);
      break;
    case artifact::Parameter::Stride:
      call.parameters.push_back(strides[4 * parameter.which + parameter.axis]);
      break;
    }
  std::string message;
  if (call.x && !module->launch(number, call, message))
    return createStringError(message);
  return Error::success();
}

Error DeviceArrays::wait() {
  Expected<cuda::Device*> device = open();
  if (!device)
    return device.takeError();
  std::string message;
  return (*device)->wait(message) ? Error::success() : createStringError(message);
}

Error DeviceArrays::download() {
  Expected<cuda::Device*> device = open();
  if (!device)
    return device.takeError();
  std::string message;
  for (auto& [host, copy] : copies)
    if (copy.isResult && !(*device)->download(host, copy.device, copy.bytes, message))
      return createStringError(message);
  return Error::success();
}
