#include "Segments.h"

#include "ssmc/Driver/Driver.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using tile::Role;

SegmentPlanner::SegmentPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
                               ArrayRef<int64_t> offsets, CompiledRecurrence::Find find,
                               bool keepStates)
    : compiled(compiled), sizes(sizes), offsets(offsets), given(find), keepStates(keepStates) {}

const CompiledRecurrence::KernelInfo* SegmentPlanner::find(StringRef name) const {
  for (const KernelInfo& kernel : compiled.kernels)
    if (kernel.name == name)
      return &kernel;
  return nullptr;
}

/// Segments are of whole tiles but for the last one of a sequence, all of one length but for it.
void SegmentPlanner::cut() {
  int64_t tile = 1, total = sizes.time[0];
  for (const KernelInfo& kernel : compiled.kernels)
    tile = std::max(tile, kernel.tile);
  int64_t count = offsets.empty() ? sizes.batch : int64_t(offsets.size()) - 1;
  for (int64_t number = 0; number < count; ++number) {
    Sequence& sequence = sequences.emplace_back();
    sequence.number = number;
    sequence.first = offsets.empty() ? number * total : offsets[number];
    sequence.last = offsets.empty() ? sequence.first + total : offsets[number + 1];
    int64_t length = sequence.last - sequence.first;
    sequence.steps =
        std::max<int64_t>(divideCeil(divideCeil(length, compiled.segments), tile) * tile, 1);
    sequence.count = std::max<int64_t>(divideCeil(length, sequence.steps), 1);
    sequence.slot = slots;
    slots += sequence.count;
  }
}

//===-- Arrays -------------------------------------------------------------------------------===//

Expected<SegmentSlots> SegmentArrays::make(const std::string& key,
                                           const artifact::Operand& operand) {
  SmallVector<int64_t> shape = {slots, heads};
  append_range(shape, operand.shape);
  Expected<Array> array = Array::create(operand.dtype, shape);
  if (!array)
    return createStringError("'" + operand.name + "' of segments: " + toString(array.takeError()));
  Array& made = temporaries[key] = std::move(*array);
  int64_t bytes = slots ? int64_t(made.getNumBytes()) / slots : 0;
  return SegmentSlots{static_cast<char*>(made.getData()), bytes};
}

Error SegmentArrays::makeLevel(const std::string& key, const artifact::Kernel& apply,
                               SegmentSlotMap& starts, SegmentSlotMap& maps) {
  for (const artifact::Operand& operand : apply.operands) {
    StringRef name = operand.name;
    bool isState = operand.role == Role::StateIn;
    if (!isState && !name.consume_front("s:"))
      continue;
    auto found = make(key + operand.name, operand);
    if (!found)
      return found.takeError();
    (isState ? starts : maps)[name.str()] = *found;
  }
  return Error::success();
}

Expected<SegmentPlanner::Work> SegmentPlanner::makeWork(const KernelInfo& kernel, size_t number) {
  Work work{kernel, {}, {}, {}};
  SegmentArrays arrays(launch.temporaries, slots, sizes.heads);
  std::string key = std::to_string(number) + ":";
  for (unsigned level = 0;; ++level) {
    std::string name = kernel.name + (level ? "_level" + std::to_string(level) : "");
    Level made{this->find(name + "_summary"), this->find(name + "_apply"), {}};
    if (!made.summary || !made.apply)
      break;
    if (Error error = arrays.makeLevel(key, *made.apply, work.starts, made.maps))
      return std::move(error);
    work.levels.push_back(std::move(made));
  }
  for (const OperandInfo& operand : kernel.operands)
    if (operand.role == Role::StateOut && !work.starts.contains(operand.name)) {
      auto found = arrays.make(key + operand.name, operand);
      if (!found)
        return found.takeError();
      work.partials[operand.name] = *found;
    }
  return std::move(work);
}

/// Where the state after the whole sequence goes, or null.
Expected<void*> SegmentPlanner::finalState(const OperandInfo& operand, const Sequence& sequence) {
  Expected<void*> data = compiled.place(operand, launch, sizes, offsets, given, keepStates);
  if (!data || !*data)
    return data;
  auto stride = CompiledRecurrence::stridesOf(operand, sizes, offsets)[0];
  return static_cast<char*>(*data) + sequence.number * stride * runtime::byteWidth(operand.dtype);
}

//===-- Calls --------------------------------------------------------------------------------===//

Error SegmentPlanner::add(const KernelInfo& kernel, const Sequence& sequence, int64_t segment,
                          function_ref<Expected<void*>(const OperandInfo&)> stateAt) {
  int64_t place = kernel.reverse ? sequence.count - 1 - segment : segment;
  int64_t first = sequence.first + place * sequence.steps;
  auto call = compiled.makeCall(
      kernel, sizes, first, std::min(sequence.last, first + sequence.steps),
      [&](const OperandInfo& operand) -> Expected<CompiledRecurrence::Place> {
        auto strides = CompiledRecurrence::stridesOf(operand, sizes, offsets);
        Expected<void*> data =
            operand.isState() ? stateAt(operand)
                              : compiled.place(operand, launch, sizes, offsets, given, keepStates);
        if (!data)
          return data.takeError();
        // The kernel takes the segment for the first sequence; its chunks come after those of all
        // before.
        if (operand.role == Role::ChunkTemp)
          *data = static_cast<char*>(*data) +
                  (sequence.slot + place) * strides[1] * runtime::byteWidth(operand.dtype);
        return CompiledRecurrence::Place{*data, strides};
      });
  if (!call)
    return call.takeError();
  launch.stages.back().push_back(std::move(*call));
  return Error::success();
}

Error SegmentPlanner::addKernel(const Work& work, const Sequence& sequence, int64_t segment) {
  bool isLast = segment + 1 == sequence.count;
  return add(work.kernel, sequence, segment, [&](const OperandInfo& operand) -> Expected<void*> {
    auto start = work.starts.find(operand.name);
    bool isSum = start == work.starts.end();
    if (operand.role == Role::StateIn) {
      if (segment)
        return isSum ? nullptr : start->second.at(sequence.slot + segment);
      const Array* first = given(operand.name, /*isState=*/true);
      if (!first)
        return nullptr;
      auto stride = CompiledRecurrence::stridesOf(operand, sizes, offsets)[0];
      return static_cast<char*>(const_cast<void*>(first->getData())) +
             sequence.number * stride * runtime::byteWidth(operand.dtype);
    }
    if (isLast && !(isSum && segment))
      return finalState(operand, sequence);
    if (isSum)
      return work.partials.find(operand.name)->second.at(sequence.slot + segment);
    // Of the states after segments only that after the first is not known already.
    return segment ? nullptr : start->second.at(sequence.slot + 1);
  });
}

Error SegmentPlanner::addSummary(const Work& work, size_t level, const Sequence& sequence,
                                 int64_t segment) {
  const Level& made = work.levels[level];
  return add(*made.summary, sequence, segment, [&](const OperandInfo& operand) -> Expected<void*> {
    auto map = made.maps.find(operand.name);
    bool isOwn = map != made.maps.end();
    if (operand.role == Role::StateOut)
      return isOwn ? map->second.at(sequence.slot + segment) : nullptr;
    return isOwn ? nullptr : work.starts.find(operand.name)->second.at(sequence.slot + segment);
  });
}

/// A step for each summary, of segments 1 … n-2.
Error SegmentPlanner::addApply(const Work& work, size_t level, const Sequence& sequence) {
  const Level& made = work.levels[level];
  auto call = std::make_unique<Launch::Call>();
  std::string message;
  call->kernel = compiled.jit->lookup(made.apply->name, message);
  if (!call->kernel.run)
    return make_error<InternalError>(message);
  for (const OperandInfo& operand : made.apply->operands) {
    int64_t inner = 1;
    for (int64_t extent : operand.shape)
      inner *= extent;
    void* data = nullptr;
    StringRef name = operand.name;
    if (operand.role == Role::StateIn)
      data = work.starts.find(name)->second.at(sequence.slot + 1);
    else if (name.consume_front("s:"))
      data = made.maps.find(name)->second.at(sequence.slot + 1);
    else if (operand.role == Role::Temp && name.consume_back("+"))
      data = work.starts.find(name)->second.at(sequence.slot + 2);
    call->operands.push_back(data);
    call->strides.insert(call->strides.end(), {0, inner * sizes.heads, 0, inner});
  }
  call->args = {1,
                sizes.heads,
                std::max<int64_t>(sizes.groups, 1),
                {sequence.count - 2, 1},
                call->operands.data(),
                call->strides.data(),
                nullptr};
  launch.stages.back().push_back(std::move(call));
  return Error::success();
}

//===-- The plan -----------------------------------------------------------------------------===//

Error SegmentPlanner::planWork(Work& work) {
  auto each = [&](int64_t least, auto&& function) -> Error {
    launch.stages.emplace_back();
    for (const Sequence& sequence : sequences)
      if (sequence.count >= least)
        if (Error error = function(sequence))
          return error;
    return Error::success();
  };
  auto summaries = [&](size_t level) {
    return [&, level](const Sequence& sequence) -> Error {
      for (int64_t segment = 1; segment + 1 < sequence.count; ++segment)
        if (Error error = addSummary(work, level, sequence, segment))
          return error;
      return Error::success();
    };
  };
  Error error = each(1, [&](const Sequence& sequence) -> Error {
    if (Error error = addKernel(work, sequence, 0))
      return error;
    return work.levels.empty() ? Error::success() : summaries(0)(sequence);
  });
  for (size_t level = 0; level < work.levels.size() && !error; ++level) {
    error = each(3, [&](const Sequence& sequence) { return addApply(work, level, sequence); });
    if (!error && level + 1 < work.levels.size())
      error = each(3, summaries(level + 1));
  }
  if (error)
    return error;
  if (Error error = each(2, [&](const Sequence& sequence) -> Error {
        for (int64_t segment = 1; segment < sequence.count; ++segment)
          if (Error error = addKernel(work, sequence, segment))
            return error;
        return Error::success();
      }))
    return error;
  for (const OperandInfo& operand : work.kernel.operands) {
    auto parts = work.partials.find(operand.name);
    if (operand.role != Role::StateOut || parts == work.partials.end())
      continue;
    for (const Sequence& sequence : sequences) {
      Expected<void*> total = finalState(operand, sequence);
      if (!total)
        return total.takeError();
      if (*total && sequence.count > 1)
        launch.sums.push_back({static_cast<char*>(*total), parts->second.at(sequence.slot),
                               sequence.count, parts->second.bytes});
    }
  }
  return Error::success();
}

Expected<SegmentPlanner::Launch> SegmentPlanner::plan() {
  cut();
  if (sizes.heads == 0)
    sequences.clear();
  for (size_t number = 0; number < compiled.formKernels; ++number) {
    const KernelInfo& kernel = compiled.kernels[number];
    // Chunks of segments lie apart: a part at the end of each has room of its own.
    for (const OperandInfo& operand : kernel.operands)
      if (operand.role == Role::ChunkTemp && !launch.temporaries.contains(operand.name)) {
        SmallVector<int64_t> shape = {sizes.batch * sizes.time[0] / operand.chunk + slots,
                                      sizes.heads};
        shape.append(operand.shape.begin(), operand.shape.end());
        Expected<Array> array = Array::create(operand.dtype, shape);
        if (!array)
          return createStringError("'" + operand.name + "': " + toString(array.takeError()));
        launch.temporaries[operand.name] = std::move(*array);
      }
    // Every array exists, also where there is nothing to run.
    for (const OperandInfo& operand : kernel.operands)
      if (operand.role != Role::Row && operand.role != Role::StateIn)
        if (Error error =
                compiled.place(operand, launch, sizes, offsets, given, keepStates).takeError())
          return std::move(error);
    Expected<Work> work = makeWork(kernel, number);
    if (!work)
      return work.takeError();
    if (Error error = planWork(*work))
      return std::move(error);
  }
  return std::move(launch);
}

Error CompiledRecurrence::Launch::runStages(unsigned threads) {
  std::string message;
  for (auto& stage : stages) {
    // One call is cut evenly, so that heads of a thread are read together.
    if (stage.size() == 1) {
      if (!cpu::launch(stage.front()->kernel, stage.front()->args, threads, message))
        return createStringError(message);
      continue;
    }
    std::vector<cpu::Task> tasks;
    for (auto& call : stage)
      tasks.push_back({call->kernel, &call->args});
    if (!cpu::launch(tasks, threads, message))
      return createStringError(message);
  }
  addSums();
  return Error::success();
}

/// In the order of the segments, whichever was first.
void CompiledRecurrence::Launch::addSums() {
  for (const Sum& sum : sums) {
    auto* total = reinterpret_cast<float*>(sum.total);
    for (int64_t i = 0; i < sum.bytes / int64_t(sizeof(float)); ++i) {
      float value = 0;
      for (int64_t part = 0; part < sum.count; ++part)
        value += reinterpret_cast<const float*>(sum.parts + part * sum.bytes)[i];
      total[i] = value;
    }
  }
}
