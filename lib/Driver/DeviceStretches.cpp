#include "DeviceStretches.h"

#include "Choose.h"
#include "Segments.h"

#include <cmath>
#include <numeric>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using simt::Queue;
using tile::Role;

ArrayRef<artifact::Kernel> DeviceStretchPlanner::kernels() const {
  return ArrayRef(compiled.kernels).take_front(compiled.formKernels);
}

bool DeviceStretchPlanner::canBeCut() const {
  if (sizes.time.size() > 1 || carriesStates(kernels().front()) ||
      none_of(kernels(), carriesStates))
    return false;
  for (auto [kernel, info] : zip(kernels(), compiled.gpu->kernels())) {
    if (kernel.reverse || info.workspaceBytes || info.workspacePerColumn || !info.together.empty())
      return false;
    // What a kernel begins with is what it leaves.
    for (const OperandInfo& operand : kernel.operands)
      if (operand.isState() && none_of(kernel.operands, [&](const OperandInfo& other) {
            return other.isState() && other.role != operand.role && other.name == operand.name;
          }))
        return false;
  }
  return true;
}

artifact::CallSizes DeviceStretchPlanner::sizesOf(int64_t steps) const {
  return {sizes.batch, sizes.batch, sizes.heads, std::max<int64_t>(sizes.groups, 1), steps};
}

int64_t DeviceStretchPlanner::blocksOfStates() const {
  artifact::CallSizes all = sizesOf(sizes.time[0]);
  int64_t most = 0;
  for (auto [kernel, info] : zip(kernels(), compiled.gpu->kernels()))
    if (carriesStates(kernel))
      most = std::max(most, artifact::gridOf(info).x.at(all));
  return most;
}

/// What is computed ahead of the first stretch, and the states of the last one, are computed alone:
/// these are shorter, and those after the first one longer by as much as what is ahead of states
/// takes less time than they. Of the longest stretch (docs/performance.md).
static constexpr double firstLength = 0.35, growth = 1.4, lastLength = 0.6;

bool DeviceStretchPlanner::cut(int64_t asked) {
  if (asked == 1 || !canBeCut() || (!asked && !compiled.gpu->device().hasQueues()))
    return false;
  int64_t tile = 1;
  for (const KernelInfo& kernel : kernels())
    tile = std::lcm(tile, kernel.tile);
  if (!asked)
    asked = stretchesFor(blocksOfStates(), simt::Limits().processors, sizes.time[0]);
  int64_t tiles = divideCeil(sizes.time[0], tile);
  asked = std::min(asked, tiles);
  if (asked < 2)
    return false;
  std::vector<double> ends;
  double sum = 0, length = firstLength;
  for (int64_t stretch = 0; stretch < asked; ++stretch, length *= growth)
    ends.push_back(sum += std::min(length, 1.0) * (stretch + 1 < asked ? 1 : lastLength));
  begins = {0};
  for (double end : ends) {
    // (Of few tiles each stretch has one at least.)
    int64_t stretch = int64_t(begins.size()) - 1, least = begins.back() / tile + 1;
    int64_t next = std::clamp<int64_t>(std::llround(end / sum * double(tiles)), least,
                                       tiles - (asked - 1 - stretch));
    begins.push_back(std::min(next * tile, sizes.time[0]));
  }
  for (int64_t i = 0; i < count(); ++i)
    longest = std::max(longest, begins[i + 1] - begins[i]);
  return true;
}

/// In two arrays by turns: blocks of a kernel may still read what others have written anew.
Expected<ArrayPlace> DeviceStretchPlanner::stateAfter(const OperandInfo& operand, size_t kernel,
                                                      int64_t stretch) {
  std::string name =
      std::to_string(kernel) + ":" + operand.name + ">" + std::to_string(stretch % 2);
  if (!launch.temporaries.contains(name))
    if (auto made = SegmentArrays(launch.temporaries, sizes.batch, sizes.heads).make(name, operand);
        !made)
      return made.takeError();
  runtime::Array& array = launch.temporaries.find(name)->second;
  launch.device->add(array.getData(), array.getNumBytes(), /*isResult=*/false);
  return ArrayPlace{array.getData()};
}

Expected<ArrayPlace> DeviceStretchPlanner::placeOf(const OperandInfo& operand, size_t kernel,
                                                   int64_t stretch,
                                                   std::array<int64_t, 4>& strides) {
  strides = CompiledRecurrence::stridesOf(operand, sizes, {});
  if (operand.role == Role::StateIn && stretch)
    return stateAfter(operand, kernel, stretch - 1);
  if (operand.role == Role::StateOut && stretch + 1 < count())
    return stateAfter(operand, kernel, stretch);
  if (operand.isTemporary()) {
    reference::Sizes ofStretch = sizes;
    ofStretch.time[0] = longest;
    strides = CompiledRecurrence::stridesOf(operand, ofStretch, {});
    OperandInfo one = operand;
    one.name += "@" + std::to_string(stretch % 2);
    Expected<void*> array = compiled.place(one, launch, ofStretch, {}, given, keepStates);
    return array ? Expected<ArrayPlace>(ArrayPlace{*array}) : array.takeError();
  }
  Expected<void*> array = compiled.place(operand, launch, sizes, {}, given, keepStates);
  if (!array)
    return array.takeError();
  bool isTimed = operand.role == Role::In || operand.role == Role::Out;
  return ArrayPlace{*array, isTimed ? begins[stretch] * strides[1] *
                                          int64_t(runtime::byteWidth(operand.dtype))
                                    : 0};
}

Error DeviceStretchPlanner::add(size_t number, int64_t stretch, Queue queue) {
  const KernelInfo& kernel = compiled.kernels[number];
  int64_t steps = begins[stretch + 1] - begins[stretch];
  DeviceCall call{number, &kernel, sizesOf(steps), nullptr, {}, {}, queue};
  for (const OperandInfo& operand : kernel.operands) {
    std::array<int64_t, 4> strides;
    Expected<ArrayPlace> place = placeOf(operand, number, stretch, strides);
    if (!place)
      return place.takeError();
    call.operands.push_back(*place);
    append_range(call.strides, strides);
  }
  launch.device->append(std::move(call));
  return Error::success();
}

Expected<DeviceStretchPlanner::Launch> DeviceStretchPlanner::plan() {
  launch.device = std::make_unique<DeviceArrays>(compiled.gpu);
  launch.stretches = count();
  size_t ahead = find_if(kernels(), carriesStates) - kernels().begin();
  auto addAll = [&](size_t first, size_t last, int64_t stretch, Queue queue) -> Error {
    for (size_t number = first; number < last; ++number)
      if (Error error = add(number, stretch, queue))
        return error;
    return Error::success();
  };
  for (Queue queue : {Queue::First, Queue::Second})
    launch.device->append(DeviceOrder{queue, Queue::Main});
  if (Error error = addAll(0, ahead, 0, Queue::Second))
    return std::move(error);
  for (int64_t stretch = 0; stretch < count(); ++stretch) {
    // What is a stretch ahead writes where the states of the stretch before have been made of; and
    // begins together with those of this stretch, not before, or these would find no room.
    launch.device->append(DeviceOrder{Queue::First, Queue::Second});
    launch.device->append(DeviceOrder{Queue::Second, Queue::First});
    if (Error error = addAll(ahead, kernels().size(), stretch, Queue::First))
      return std::move(error);
    if (stretch + 1 < count())
      if (Error error = addAll(0, ahead, stretch + 1, Queue::Second))
        return std::move(error);
  }
  for (Queue queue : {Queue::First, Queue::Second})
    launch.device->append(DeviceOrder{Queue::Main, queue});
  return std::move(launch);
}
