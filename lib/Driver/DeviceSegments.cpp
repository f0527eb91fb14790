#include "DeviceSegments.h"

#include "ssmc/Driver/Driver.h"

#include "llvm/ADT/StringExtras.h"

#include <numeric>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using tile::Role;

DeviceSegmentPlanner::DeviceSegmentPlanner(const CompiledRecurrence& compiled,
                                           const reference::Sizes& sizes,
                                           CompiledRecurrence::Find find, bool keepStates)
    : compiled(compiled), sizes(sizes), given(find), keepStates(keepStates) {}

static ArrayPlace segmentAt(const SegmentSlots& slots, int64_t slot) {
  return {slots.data, slot * slots.bytes};
}

/// Whether a kernel is one of those of a summary: NAME_summary, NAME_summary_1 … are.
static bool isOfSummary(StringRef kernel, StringRef summary) {
  return kernel.consume_front(summary) &&
         (kernel.empty() || (kernel.consume_front("_") && all_of(kernel, isDigit)));
}

/// The summaries of the states that a kernel carries, level by level: they come in that order.
/// (Kernels of a form are numbered otherwise here than where its summaries were derived.)
std::vector<DeviceSegmentPlanner::Level>
DeviceSegmentPlanner::findLevels(const KernelInfo& kernel) const {
  std::vector<Level> levels;
  auto carries = [&](StringRef state) {
    return any_of(kernel.operands, [&](const OperandInfo& operand) {
      return operand.role == Role::StateOut && operand.name == state;
    });
  };
  auto all = ArrayRef(compiled.kernels);
  for (size_t apply = compiled.formKernels; apply < all.size(); ++apply) {
    StringRef name = all[apply].name;
    if (!name.consume_back("_apply") ||
        !all_of(all[apply].operands, [&](const OperandInfo& operand) {
          return operand.role != Role::StateIn || carries(operand.name);
        }))
      continue;
    Level& level = levels.emplace_back(Level{{}, apply, {}});
    for (size_t number = compiled.formKernels; number < all.size(); ++number)
      if (isOfSummary(all[number].name, (name + "_summary").str()))
        level.summaries.push_back(number);
  }
  return levels;
}

/// As many segments of whole tiles as were asked for, as long as they can be; false where there is
/// but one.
bool DeviceSegmentPlanner::cut() {
  int64_t tile = 1;
  for (auto [number, kernel] : enumerate(compiled.kernels)) {
    StringRef name = kernel.name;
    bool isOfSteps = number < compiled.formKernels || !name.ends_with("_apply");
    tile = isOfSteps ? std::lcm(tile, kernel.tile) : tile;
  }
  int64_t tiles = sizes.time[0] / tile;
  count = std::min(compiled.segments, tiles);
  if (count < 2)
    return false;
  steps = tiles / count * tile;
  return true;
}

//===-- Arrays -------------------------------------------------------------------------------===//

Expected<DeviceSegmentPlanner::Work> DeviceSegmentPlanner::makeWork(size_t number) {
  Work work{number, {}, {}, {}, {}, {}};
  const KernelInfo& kernel = compiled.kernels[number];
  SegmentArrays arrays(launch.temporaries, sizes.batch * count, sizes.heads);
  SegmentArrays ofSequences(launch.temporaries, sizes.batch, sizes.heads);
  std::string key = std::to_string(number) + ":";
  work.levels = findLevels(kernel);
  for (Level& level : work.levels)
    if (Error error = arrays.makeLevel(key, compiled.kernels[level.apply], work.starts, level.maps))
      return std::move(error);
  for (const OperandInfo& operand : kernel.operands) {
    if (operand.role != Role::StateOut)
      continue;
    std::string name = key + operand.name + ">";
    bool isSum = !work.starts.contains(operand.name);
    if (isSum) {
      auto found = SegmentArrays(launch.temporaries, sizes.batch * sumsOfSequence(), sizes.heads)
                       .make(name, operand);
      if (!found)
        return found.takeError();
      work.sums[operand.name] = *found;
      launch.device->add(found->data, launch.temporaries[name].getNumBytes(), /*isResult=*/true);
      if (Error error = addSums(operand, *found))
        return std::move(error);
      continue;
    }
    auto found = arrays.make(name, operand);
    if (!found)
      return found.takeError();
    work.ends[operand.name] = *found;
    if (!kernel.reverse || !left())
      continue;
    auto rest = ofSequences.make(name + ">", operand);
    if (!rest)
      return rest.takeError();
    work.rest[operand.name] = *rest;
  }
  for (auto& [name, array] : launch.temporaries)
    launch.device->add(array.getData(), array.getNumBytes(), /*isResult=*/false);
  return std::move(work);
}

/// Has the sums of segments added up where the caller wants them.
Error DeviceSegmentPlanner::addSums(const OperandInfo& operand, const SegmentSlots& parts) {
  Expected<void*> total = arrayOf(operand);
  if (!total)
    return total.takeError();
  int64_t stride = stridesOf(operand)[0] * runtime::byteWidth(operand.dtype);
  int64_t each = sumsOfSequence();
  for (int64_t sequence = 0; *total && sequence < sizes.batch; ++sequence)
    launch.sums.push_back({static_cast<char*>(*total) + sequence * stride,
                           parts.at(sequence * each), each, parts.bytes});
  return Error::success();
}

Expected<void*> DeviceSegmentPlanner::arrayOf(const OperandInfo& operand) {
  return compiled.place(operand, launch, sizes, {}, given, keepStates);
}

std::array<int64_t, 4> DeviceSegmentPlanner::stridesOf(const OperandInfo& operand) const {
  return CompiledRecurrence::stridesOf(operand, sizes, {});
}

DeviceSegmentPlanner::Strided DeviceSegmentPlanner::find(const SegmentSlotMap& map,
                                                         const OperandInfo& operand,
                                                         int64_t slot) const {
  auto found = map.find(operand.name);
  return found == map.end() ? Strided()
                            : Strided(segmentAt(found->second, slot), stridesOf(operand));
}

Expected<DeviceSegmentPlanner::Strided>
DeviceSegmentPlanner::callersState(const OperandInfo& operand, int64_t sequence) {
  Expected<void*> array = arrayOf(operand);
  if (!array)
    return array.takeError();
  std::array<int64_t, 4> strides = stridesOf(operand);
  return Strided({*array, sequence * strides[0] * runtime::byteWidth(operand.dtype)}, strides);
}

//===-- Calls --------------------------------------------------------------------------------===//

/// Strides of arrays with a segment for each step.
std::array<int64_t, 4> DeviceSegmentPlanner::segmentStrides(const OperandInfo& operand) const {
  reference::Sizes ofSegments = sizes;
  ofSegments.time[0] = count;
  return CompiledRecurrence::stridesOf(operand, ofSegments, {});
}

/// A call for all segments of a span, each a sequence: one begins where the one before ends, also
/// from one sequence to the next, which follows it in memory.
Error DeviceSegmentPlanner::add(size_t number, const Span& span, StateAt stateAt) {
  const KernelInfo& kernel = compiled.kernels[number];
  int64_t sequences = span.count * span.segments;
  DeviceCall call{number, &kernel, {}, nullptr, {}, {}};
  call.sizes = {sequences, sequences, sizes.heads, std::max<int64_t>(sizes.groups, 1), span.steps};
  for (const OperandInfo& operand : kernel.operands) {
    if (operand.isState()) {
      auto state = stateAt(operand);
      if (!state)
        return state.takeError();
      call.operands.push_back(state->first);
      append_range(call.strides, state->second);
      continue;
    }
    Expected<void*> array = arrayOf(operand);
    if (!array)
      return array.takeError();
    std::array<int64_t, 4> strides = stridesOf(operand);
    ArrayPlace place{*array};
    if (operand.role != Role::Param) {
      // (Of a temporary with one array for each chunk, a step is a chunk.)
      int64_t each = operand.role == Role::ChunkTemp ? operand.chunk : 1;
      place.bytes = (span.first * strides[0] + span.begin / each * strides[1]) *
                    runtime::byteWidth(operand.dtype);
      if (span.segments > 1)
        strides[0] = span.steps / each * strides[1];
    }
    call.operands.push_back(place);
    append_range(call.strides, strides);
  }
  launch.device->append(std::move(call));
  return Error::success();
}

/// Applies the summaries of so many segments from one on, one after the other, to the state before
/// that: states before segments after it. Of none: the initial state becomes the one before it.
Error DeviceSegmentPlanner::addApply(const Work& work, const Level& level, const Span& span,
                                     int64_t from, int64_t segments) {
  const KernelInfo& kernel = compiled.kernels[level.apply];
  DeviceCall call{level.apply, &kernel, {}, nullptr, {}, {}};
  call.sizes = {span.count, span.count, sizes.heads, std::max<int64_t>(sizes.groups, 1), segments};
  int64_t slot = span.first * count + from;
  int64_t next = compiled.kernels[work.kernel].reverse ? -1 : 1;
  auto stateBefore = [&](const OperandInfo& operand) {
    Strided found = find(work.starts, operand, slot);
    found.second[0] *= count;
    return found;
  };
  for (const OperandInfo& operand : kernel.operands) {
    StringRef name = operand.name;
    Strided found;
    if (operand.role == Role::StateIn && segments) {
      found = stateBefore(operand);
    } else if (operand.role == Role::StateIn && !work.rest.empty()) {
      found = find(work.rest, operand, span.first);
    } else if (operand.role == Role::StateIn) {
      Expected<Strided> initial = callersState(operand, span.first);
      if (!initial)
        return initial.takeError();
      found = *initial;
    } else if (operand.role == Role::StateOut) {
      if (!segments)
        found = stateBefore(operand);
    } else {
      // Summaries, and the state after each of them: a step is a segment.
      bool isMap = name.consume_front("s:");
      name.consume_back("+");
      const SegmentSlots& slots = (isMap ? level.maps : work.starts).find(name)->second;
      found = {segmentAt(slots, isMap ? slot : slot + next), segmentStrides(operand)};
    }
    call.operands.push_back(found.first);
    append_range(call.strides, found.second);
  }
  launch.device->append(std::move(call));
  return Error::success();
}

/// Backwards one by one: arrays are read from where they begin on.
Error DeviceSegmentPlanner::addApplies(const Work& work, const Level& level, const Span& span) {
  if (!compiled.kernels[work.kernel].reverse) {
    Error error = addApply(work, level, span, 0, 0);
    return error ? std::move(error) : addApply(work, level, span, 0, count - 1);
  }
  if (Error error = addApply(work, level, span, count - 1, 0))
    return error;
  for (int64_t segment = count - 1; segment > 0; --segment)
    if (Error error = addApply(work, level, span, segment, 1))
      return error;
  return Error::success();
}

/// A call for whole sequences.
Error DeviceSegmentPlanner::addWhole(size_t number, int64_t first, int64_t sequences) {
  return add(number, {first, sequences, 0, 1, sizes.time[0]},
             [&](const OperandInfo& operand) { return callersState(operand, first); });
}

Error DeviceSegmentPlanner::addSummaries(const Work& work, const Level& level, Span span) {
  // The last segment's summary is nobody's; of several sequences it is made all the same, as
  // segments are taken in one row.
  int64_t slot = span.first * count;
  if (span.count == 1) {
    --span.segments;
    if (compiled.kernels[work.kernel].reverse) {
      span.begin += span.steps;
      ++slot;
    }
  }
  for (size_t number : level.summaries) {
    Error error = carriesStates(compiled.kernels[number])
                      ? add(number, span,
                            [&](const OperandInfo& operand) -> Expected<Strided> {
                              bool isOwn = level.maps.contains(operand.name);
                              if (operand.role == Role::StateOut)
                                return find(level.maps, operand, slot);
                              return isOwn ? Strided() : find(work.starts, operand, slot);
                            })
                      : addWhole(number, span.first, span.count);
    if (error)
      return error;
  }
  return Error::success();
}

Error DeviceSegmentPlanner::addSegments(const Work& work, const Span& span) {
  for (const Level& level : work.levels) {
    if (Error error = addSummaries(work, level, span))
      return error;
    if (Error error = addApplies(work, level, span))
      return error;
  }
  return add(work.kernel, span, [&](const OperandInfo& operand) -> Expected<Strided> {
    int64_t slot = span.first * count;
    if (operand.role == Role::StateIn)
      return find(work.starts, operand, slot);
    if (work.sums.contains(operand.name))
      return find(work.sums, operand, span.first * sumsOfSequence());
    return find(work.ends, operand, slot);
  });
}

/// The steps of one sequence after its segments.
Error DeviceSegmentPlanner::addRest(const Work& work, const Span& rest) {
  bool isFirst = compiled.kernels[work.kernel].reverse;
  return add(work.kernel, rest, [&](const OperandInfo& operand) -> Expected<Strided> {
    if (operand.role == Role::StateOut && work.sums.contains(operand.name))
      return find(work.sums, operand, rest.first * sumsOfSequence() + count);
    if (operand.role == Role::StateIn && !isFirst)
      return find(work.ends, operand, lastSlot(compiled.kernels[work.kernel], rest.first));
    if (operand.role == Role::StateOut && isFirst)
      return find(work.rest, operand, rest.first);
    return callersState(operand, rest.first);
  });
}

//===-- The plan -----------------------------------------------------------------------------===//

Error DeviceSegmentPlanner::planWork(const Work& work) {
  const KernelInfo& kernel = compiled.kernels[work.kernel];
  if (!left()) {
    // Sequences follow each other in memory, and so do their segments.
    if (Error error = addSegments(work, {0, sizes.batch, 0, count, steps}))
      return error;
  }
  for (int64_t sequence = 0; sequence < sizes.batch; ++sequence) {
    if (left()) {
      Span segments{sequence, 1, 0, count, steps}, rest{sequence, 1, count * steps, 1, left()};
      if (kernel.reverse)
        if (Error error = addRest(work, rest))
          return error;
      if (Error error = addSegments(work, segments))
        return error;
      if (!kernel.reverse) {
        if (Error error = addRest(work, rest))
          return error;
        continue; // Which leaves the final states.
      }
    }
    for (const OperandInfo& operand : kernel.operands) {
      auto ends = work.ends.find(operand.name);
      if (operand.role != Role::StateOut || ends == work.ends.end())
        continue;
      Expected<Strided> final = callersState(operand, sequence);
      if (!final)
        return final.takeError();
      if (final->first.array)
        launch.device->append(DeviceCopy{
            final->first, segmentAt(ends->second, lastSlot(kernel, sequence)), ends->second.bytes});
    }
  }
  return Error::success();
}

Expected<DeviceSegmentPlanner::Launch> DeviceSegmentPlanner::plan() {
  launch.device = std::make_unique<DeviceArrays>(compiled.gpu);
  for (const simt::KernelInfo& kernel : compiled.gpu->kernels())
    if (!kernel.together.empty())
      return createStringError("kernels have more arrays than " + compiled.gpu->device().name() +
                               " has storage buffers, and such are not cut into segments");
  bool isCut = cut();
  for (size_t number = 0; number < compiled.formKernels; ++number) {
    // (What only adds up what lies there already is as fast on whole sequences.)
    if (!isCut || !carriesStates(compiled.kernels[number]) ||
        findLevels(compiled.kernels[number]).empty()) {
      if (Error error = addWhole(number, 0, sizes.batch))
        return std::move(error);
      continue;
    }
    Expected<Work> work = makeWork(number);
    if (!work)
      return work.takeError();
    if (Error error = planWork(*work))
      return std::move(error);
  }
  return std::move(launch);
}
