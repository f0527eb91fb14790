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

Error DeviceArrays::launch(size_t kernel, const ssmc_kernel_args& args, ArrayRef<void*> operands,
                           ArrayRef<int64_t> strides) {
  Expected<cuda::Device*> device = open();
  if (!device)
    return device.takeError();
  std::string message;
  cuda::Call call;
  call.items = args.batch * args.heads;
  call.steps = args.time[0];
  call.parameters = {
      args.batch, args.heads, args.groups, args.time[0], args.time[1], deviceAddress(args.offsets),
      0};
  for (auto [index, operand] : enumerate(operands)) {
    call.parameters.push_back(deviceAddress(operand));
    append_range(call.parameters, strides.slice(4 * index, 4));
  }
  int64_t needed = module->workspace(kernel, call);
  if (needed > workspaceBytes) {
    (*device)->release(workspace);
    workspace = (*device)->allocate(needed, message);
    if (!workspace)
      return createStringError(message);
    workspaceBytes = needed;
  }
  call.parameters[6] = reinterpret_cast<int64_t>(workspace);
  if (!module->launch(kernel, call, message))
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
