#include "Kernels.h"
#include "Console.h"
#include "DeviceArrays.h"
#include "DeviceSegments.h"
#include "DeviceStretches.h"
#include "OptionTable.h"
#include "Segments.h"
#include "Spans.h"
#include "VulkanDevice.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Threading.h"
#include "llvm/TargetParser/Triple.h"

#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;
using tile::Role;

void driver::suitTo(const CodeTarget& target, LoweringOptions& options) {
  options.threads = target.isDevice();
  options.pairs = target.multipliesPairs();
  if (target.vulkan && !target.vulkan->matrices)
    options.precision = Precision::Exact;
}

Expected<CodeTarget> driver::targetOf(const Options& options) {
  if (options.target && options.target->kind == Target::Vulkan) {
    std::string message;
    auto target = vulkan::TargetSpec::parse(options.target->text(), message);
    if (!target)
      return createStringError(message);
    // Without a profile, what this machine's device has, if there is one.
    if (target->profile.empty() && options.command != Command::Compile)
      VulkanDevice::narrow(*target);
    return CodeTarget{cpu::TargetSpec::host(), std::nullopt, *target};
  }
  if (options.target && options.target->kind == Target::CUDA) {
    std::string message;
    if (StringRef(options.target->triple).contains(','))
      return createStringError("several architectures are for --emit bundle alone");
    auto target = cuda::TargetSpec::parse(options.target->text(), message);
    if (!target)
      return createStringError(message);
    // Without an architecture, this machine's, if it has one.
    if (options.target->triple.empty())
      if (cuda::Device* device = cuda::Device::open(message);
          device && is_contained(cuda::TargetSpec::architectures(), device->arch()))
        target->arch = device->arch();
    return CodeTarget{cpu::TargetSpec::host(), *target};
  }
  if (!options.target || (options.target->triple.empty() && options.target->features.empty()))
    return CodeTarget{cpu::TargetSpec::host()};
  std::string message;
  if (auto target = cpu::TargetSpec::parse(options.target->text(), message))
    return CodeTarget{*target};
  return createStringError(message);
}

static Error checkRunsHere(const cuda::TargetSpec& target) {
  std::string message;
  cuda::Device* device = cuda::Device::open(message);
  if (!device)
    return createStringError(message + "; --emit ptx and --emit cubin need none");
  if (device->arch() != target.arch && device->arch() + "a" != target.arch)
    return createStringError("code for " + target.arch + " does not run on this GPU (" +
                             device->name() + ", " + device->arch() + ")");
  return Error::success();
}

Error driver::checkRunsHere(const CodeTarget& code) {
  if (code.cuda)
    return ::checkRunsHere(*code.cuda);
  if (code.vulkan)
    return VulkanDevice::check(*code.vulkan);
  const cpu::TargetSpec &target = code.cpu, host = cpu::TargetSpec::host();
  if (Triple(target.triple).getArch() != Triple(host.triple).getArch())
    return createStringError("code for " + target.triple + " does not run on this machine (" +
                             host.triple + "); --emit obj makes an object for it");
  SmallVector<StringRef> features;
  StringRef(target.features).split(features, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : features)
    if (feature.consume_front("+") && !host.has(feature))
      return createStringError("this machine lacks the feature '" + feature + "'");
  return Error::success();
}

unsigned driver::defaultThreads() {
  unsigned threads = 0;
  if (const char* text = std::getenv("OMP_NUM_THREADS");
      text && !StringRef(text).getAsInteger(10, threads) && threads)
    return threads;
  return std::max(1u, hardware_concurrency().compute_thread_count());
}

Expected<CompiledRecurrence> CompiledRecurrence::compile(ssm::RecurrenceOp declared,
                                                         const LoweringOptions& options,
                                                         const CodeTarget& target) {
  CompiledRecurrence compiled;
  compiled.declared = declared;
  compiled.target = target;
  compiled.segments = options.segments;
  ssm::RecurrenceOp copy;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, copy);
  LoweringOptions lowering = options;
  suitTo(target, lowering);
  if (Error error = lowerModule(*module, Stage::Tile, lowering))
    return error;
  if (lowering.times)
    lowering.times->begin("code generation");
  compiled.kernels = artifact::describeKernels(*module, declared.getNumTimeAxes() > 1);
  // NAME, NAME_1 …
  std::string first = compiled.kernels.front().name, name = first;
  for (const KernelInfo& info : compiled.kernels)
    if (info.name == name)
      name = first + "_" + std::to_string(++compiled.formKernels);
  if (target.isDevice()) {
    Expected<std::shared_ptr<simt::Program>> gpu =
        loadOnDevice(*module, target, options.items * options.segments);
    if (!gpu)
      return gpu.takeError();
    compiled.gpu = std::move(*gpu);
    return std::move(compiled);
  }
  std::string message;
  std::optional<std::string> object =
      cpu::compile(*module, target.cpu, cpu::Output::Object, message);
  if (!object && message.empty())
    return make_error<ReportedError>();
  if (!object)
    return make_error<InternalError>("compiling '" + declared.getSymName().str() +
                                     "' failed: " + message);
  compiled.jit = cpu::Jit::load(*object, message);
  if (!compiled.jit)
    return make_error<InternalError>("loading '" + declared.getSymName().str() +
                                     "' failed: " + message);
  return std::move(compiled);
}

static int64_t countSequences(const reference::Sizes& sizes, ArrayRef<int64_t> offsets) {
  return offsets.empty() ? sizes.batch : int64_t(offsets.size()) - 1;
}

static artifact::CallSizes callSizes(const reference::Sizes& sizes, ArrayRef<int64_t> offsets) {
  return {sizes.batch,     countSequences(sizes, offsets),
          sizes.heads,     std::max<int64_t>(sizes.groups, 1),
          sizes.time[0],   sizes.time.size() > 1 ? sizes.time[1] : 1,
          !offsets.empty()};
}

Expected<Array> CompiledRecurrence::allocate(const OperandInfo& operand,
                                             const reference::Sizes& sizes,
                                             ArrayRef<int64_t> offsets) const {
  artifact::CallSizes known = callSizes(sizes, offsets);
  SmallVector<int64_t> shape;
  for (const artifact::Extent& extent : operand.axes())
    shape.push_back(extent.at(known));
  Expected<Array> array = Array::create(operand.dtype, shape);
  if (!array)
    return createStringError("'" + operand.name + "': " + toString(array.takeError()));
  return array;
}

Expected<CompiledRecurrence::Launch>
CompiledRecurrence::prepare(const Signature&, const Inputs& inputs, bool keepStates) const {
  auto find = [&](StringRef name, bool isState) -> const Array* {
    const ArrayMap& arrays = isState ? inputs.states : inputs.operands;
    auto found = arrays.find(name);
    return found == arrays.end() ? nullptr : &found->second;
  };
  return prepare(inputs.sizes, inputs.offsets, find, keepStates);
}

Expected<void*> CompiledRecurrence::place(const OperandInfo& operand, Launch& launch,
                                          const reference::Sizes& sizes, ArrayRef<int64_t> offsets,
                                          Find find, bool keepStates, int64_t allocation) const {
  ArrayMap* made = operand.role == Role::Out        ? &launch.outputs
                   : operand.role == Role::StateOut ? &launch.states
                   : operand.isTemporary()          ? &launch.temporaries
                                                    : nullptr;
  if (made) {
    if (operand.role == Role::StateOut && !keepStates)
      return nullptr;
    if (!made->contains(operand.name)) {
      Expected<Array> array = allocate(operand, sizes, offsets);
      if (!array)
        return array.takeError();
      (*made)[operand.name] = std::move(*array);
    }
    Array& array = made->find(operand.name)->second;
    if (launch.device)
      launch.device->add(array.getData(), array.getNumBytes(), /*isResult=*/!operand.isTemporary(),
                         allocation);
    return array.getData();
  }
  if (const Array* found = find(operand.name, operand.role == Role::StateIn)) {
    if (found->getDType() != operand.dtype)
      return make_error<InternalError>("'" + operand.name + "' is not of the kernel's dtype");
    if (launch.device)
      launch.device->add(const_cast<void*>(found->getData()), found->getNumBytes(),
                         /*isResult=*/false, allocation);
    return const_cast<void*>(found->getData());
  }
  if (operand.role != Role::StateIn)
    return make_error<InternalError>("the kernel wants '" + operand.name + "', which is not there");
  return nullptr;
}

std::array<int64_t, 4> CompiledRecurrence::stridesOf(const OperandInfo& operand,
                                                     const reference::Sizes& sizes,
                                                     ArrayRef<int64_t> offsets) {
  artifact::CallSizes known = callSizes(sizes, offsets);
  std::array<int64_t, 4> strides;
  for (auto [stride, extent] : zip(strides, operand.strides()))
    stride = extent.at(known);
  return strides;
}

Expected<std::unique_ptr<CompiledRecurrence::Launch::Call>>
CompiledRecurrence::makeCall(const KernelInfo& kernel, const reference::Sizes& sizes, int64_t first,
                             int64_t last,
                             function_ref<Expected<Place>(const OperandInfo&)> placeOf) const {
  auto call = std::make_unique<Launch::Call>();
  std::string message;
  call->kernel = jit->lookup(kernel.name, message);
  if (!call->kernel.run)
    return make_error<InternalError>(message);
  for (const OperandInfo& operand : kernel.operands) {
    Expected<Place> place = placeOf(operand);
    if (!place)
      return place.takeError();
    call->operands.push_back(place->data);
    append_range(call->strides, place->strides);
  }
  call->bounds[0] = first;
  call->bounds[1] = last;
  int64_t groups = std::max<int64_t>(sizes.groups, 1);
  call->args = {1,
                kernel.isOfGroups ? groups : sizes.heads,
                groups,
                {last, 1},
                call->operands.data(),
                call->strides.data(),
                call->bounds};
  return std::move(call);
}

Expected<CompiledRecurrence::Launch> CompiledRecurrence::prepare(const reference::Sizes& sizes,
                                                                 ArrayRef<int64_t> offsets,
                                                                 Find find, bool keepStates) const {
  // (Packed sequences are many already, and only the device knows where they begin.)
  if (segments > 1 && gpu && offsets.empty())
    return DeviceSegmentPlanner(*this, sizes, find, keepStates).plan();
  if (gpu && offsets.empty()) {
    DeviceStretchPlanner planner(*this, sizes, find, keepStates);
    if (planner.cut(stretches))
      return planner.plan();
  }
  if (segments > 1 && !gpu)
    return SegmentPlanner(*this, sizes, offsets, find, keepStates).plan();
  if (SpanPlan plan = spansOf(sizes, offsets); plan.steps || plan.items)
    return SpanPlanner(*this, sizes, offsets, find, keepStates, plan).plan();
  artifact::CallSizes known = callSizes(sizes, offsets);
  Launch launch;
  if (gpu)
    launch.device = std::make_unique<DeviceArrays>(gpu);
  const int64_t* begins = offsets.empty() ? nullptr : offsets.data();
  for (auto [number, info] : enumerate(ArrayRef(kernels).take_front(formKernels))) {
    SmallVector<void*> operands;
    SmallVector<int64_t> strides;
    for (auto [index, operand] : enumerate(info.operands)) {
      int64_t allocation = launch.device ? launch.device->allocationOf(number, index) : 0;
      Expected<void*> data = place(operand, launch, sizes, offsets, find, keepStates, allocation);
      if (!data)
        return data.takeError();
      operands.push_back(*data);
      append_range(strides, stridesOf(operand, sizes, offsets));
    }
    if (gpu) {
      launch.device->append(DeviceCall{
          number, &info, known, begins,
          to_vector(map_range(operands, [](void* array) { return ArrayPlace{array}; })), strides});
      continue;
    }
    Launch::Call& call = launch.calls.emplace_back();
    std::string message;
    call.kernel = jit->lookup(info.name, message);
    if (!call.kernel.run)
      return make_error<InternalError>(message);
    call.operands.assign(operands.begin(), operands.end());
    call.strides.assign(strides.begin(), strides.end());
    call.args = {known.sequences,
                 info.isOfGroups ? known.groups : known.heads,
                 known.groups,
                 {known.steps, known.columns},
                 call.operands.data(),
                 call.strides.data(),
                 begins};
  }
  if (launch.device && !offsets.empty())
    launch.device->add(const_cast<int64_t*>(offsets.data()), offsets.size() * sizeof(int64_t),
                       /*isResult=*/false);
  return std::move(launch);
}

CompiledRecurrence::Launch::Launch() = default;
CompiledRecurrence::Launch::Launch(Launch&&) = default;
CompiledRecurrence::Launch& CompiledRecurrence::Launch::operator=(Launch&&) = default;
CompiledRecurrence::Launch::~Launch() = default;

Error CompiledRecurrence::Launch::fetch() {
  if (!device)
    return Error::success();
  Error error = device->download();
  if (!error)
    addSums();
  return error;
}

Error CompiledRecurrence::Launch::run(unsigned threads) {
  if (device)
    return device->run();
  if (!stages.empty())
    return runStages(threads);
  std::string message;
  for (Call& call : calls) {
    if (call.args.batch * call.args.heads == 0)
      continue;
    if (!cpu::launch(call.kernel, call.args, threads, message))
      return createStringError(message);
  }
  return Error::success();
}

Expected<std::vector<KernelTime>> CompiledRecurrence::Launch::timeKernels() {
  if (!device)
    return std::vector<KernelTime>();
  return device->timeCalls();
}

int64_t CompiledRecurrence::Launch::temporaryBytes() const {
  int64_t bytes = 0;
  for (auto& [name, array] : temporaries)
    bytes += int64_t(array.getNumBytes());
  return bytes;
}

void CompiledRecurrence::Launch::poison() {
  for (ArrayMap* arrays : {&outputs, &states, &temporaries})
    for (auto& [name, array] : *arrays)
      std::memset(array.getData(), 0xff, array.getNumBytes());
  if (device)
    device->poisonWorkspace();
}

Expected<reference::Results> CompiledRecurrence::run(const Signature& signature,
                                                     const Inputs& inputs, unsigned threads,
                                                     bool poison) const {
  Expected<Launch> launch = prepare(signature, inputs);
  if (!launch)
    return launch.takeError();
  if (poison)
    launch->poison();
  if (Error error = launch->run(threads))
    return error;
  if (Error error = launch->fetch())
    return error;
  return reference::Results{std::move(launch->outputs), std::move(launch->states)};
}
