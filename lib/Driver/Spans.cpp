#include "Spans.h"

#include "ssmc/Driver/Driver.h"

#include <numeric>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using tile::Role;

SpanPlanner::SpanPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
                         ArrayRef<int64_t> offsets, CompiledRecurrence::Find find, bool keepStates,
                         SpanPlan plan)
    : compiled(compiled), kernels(ArrayRef(compiled.kernels).take_front(compiled.formKernels)),
      sizes(sizes), offsets(offsets), given(find), keepStates(keepStates), wanted(plan) {}

/// Deals kernels out to walks, and finds what they need of each other.
void SpanPlanner::order() {
  std::map<StringRef, size_t> makers;
  std::optional<bool> direction;
  for (auto [number, kernel] : enumerate(kernels)) {
    bool carries = any_of(kernel.operands, [](auto& operand) { return operand.isState(); });
    if (carries && direction.value_or(kernel.reverse) != kernel.reverse)
      directions.push_back(*direction);
    if (carries)
      direction = kernel.reverse;
    Work& work = works.emplace_back(Work{&kernel, unsigned(directions.size())});
    for (const OperandInfo& operand : kernel.operands) {
      work.hasResults |= operand.role == Role::Out || operand.role == Role::StateOut;
      // Whoever has a temporary first makes it.
      if (operand.isTemporary())
        if (size_t maker = makers.try_emplace(operand.name, number).first->second; maker != number)
          work.needs.insert(maker);
    }
  }
  directions.push_back(direction.value_or(false));
  // What a later walk needs, and what that needs.
  for (const Work& work : reverse(works))
    for (size_t need : work.needs)
      works[need].isRepeated |= work.isRepeated || works[need].walk < work.walk;
}

/// As many as are wanted side by side, so that every unit has whole groups or a part of one; whole
/// groups alone where kernels take these.
int64_t SpanPlanner::headsOfUnit() const {
  int64_t shared = std::max<int64_t>(sizes.heads / std::max<int64_t>(sizes.groups, 1), 1);
  bool hasGroups = any_of(kernels, [](const KernelInfo& kernel) { return kernel.isOfGroups; });
  int64_t best = 0;
  for (int64_t heads = 1; heads <= sizes.heads; ++heads) {
    bool isWhole = heads % shared == 0, isPart = shared % heads == 0 && !hasGroups;
    if (sizes.heads % heads == 0 && (isWhole || isPart) && (!best || heads <= wanted.items))
      best = heads;
  }
  return std::max<int64_t>(best, 1);
}

/// Spans are of whole tiles of every kernel, so that no tile has other steps than without spans.
void SpanPlanner::cut() {
  int64_t tile = 1, total = sizes.time[0];
  for (const KernelInfo& kernel : kernels)
    tile = std::lcm(tile, kernel.tile);
  // (Without spans, one of the whole sequence.)
  int64_t steps = wanted.steps ? wanted.steps : std::max<int64_t>(total, 1);
  wanted.steps = int64_t(divideCeil(steps, tile)) * tile;
  int64_t count = offsets.empty() ? sizes.batch : int64_t(offsets.size()) - 1;
  if (!wanted.items)
    wanted.items = std::max<int64_t>(count * sizes.heads, 1);
  int64_t heads = headsOfUnit();
  together = std::max<int64_t>(wanted.items / heads, 1);
  int64_t rows = 0, slots = 0, mostRows = 0, mostSlots = 0;
  for (int64_t sequence = 0; sequence < count; ++sequence)
    for (int64_t head = 0; head < sizes.heads; head += heads) {
      Unit& unit = units.emplace_back();
      unit.sequence = sequence;
      unit.head = head;
      unit.first = offsets.empty() ? sequence * total : offsets[sequence];
      unit.last = offsets.empty() ? unit.first + total : offsets[sequence + 1];
      int64_t length = unit.last - unit.first;
      unit.count = std::max<int64_t>(divideCeil(length, wanted.steps), 1);
      unit.place = int64_t(units.size() - 1) % together;
      unit.row = rows = unit.place ? rows : 0;
      unit.slot = slots = unit.place ? slots : 0;
      rows += std::min(int64_t(divideCeil(length, tile)) * tile, wanted.steps);
      slots += unit.count;
      mostRows = std::max(mostRows, rows);
      mostSlots = std::max(mostSlots, slots);
    }
  rowSizes = sizes;
  rowSizes.heads = heads;
  rowSizes.groups = std::max<int64_t>(
      heads * std::max<int64_t>(sizes.groups, 1) / std::max<int64_t>(sizes.heads, 1), 1);
  slotSizes = rowSizes;
  rowSizes.batch = 1;
  rowSizes.time[0] = mostRows;
  slotSizes.batch = mostSlots;
}

//===-- Arrays -------------------------------------------------------------------------------===//

Error SpanPlanner::makeArrays() {
  for (auto [number, work] : enumerate(works))
    for (const OperandInfo& operand : work.kernel->operands) {
      if (operand.role == Role::Out || operand.role == Role::StateOut) {
        // Every array exists, also where there is nothing to run.
        if (Error error =
                compiled.place(operand, launch, sizes, offsets, given, keepStates).takeError())
          return error;
      } else if (operand.isTemporary() && !launch.temporaries.contains(operand.name)) {
        Expected<Array> array = compiled.allocate(operand, rowSizes, {});
        if (!array)
          return array.takeError();
        launch.temporaries[operand.name] = std::move(*array);
      } else if (operand.role == Role::StateIn) {
        reference::Sizes kept = slotSizes;
        // What nobody computes again is there for the next span alone.
        if (!work.isRepeated)
          kept.batch = 2 * together;
        Expected<Array> array = compiled.allocate(operand, kept, {});
        if (!array)
          return array.takeError();
        Array& made = launch.temporaries[std::to_string(number) + ":" + operand.name];
        made = std::move(*array);
        work.starts[operand.name] = &made;
      }
    }
  return Error::success();
}

/// Where the state before the span of that number of its walk is kept, which is not the first.
SpanPlanner::Place SpanPlanner::startAt(const Work& work, const OperandInfo& operand,
                                        const Unit& unit, int64_t number) const {
  auto strides = CompiledRecurrence::stridesOf(operand, slotSizes, {});
  auto found = work.starts.find(operand.name);
  if (found == work.starts.end())
    return {nullptr, strides};
  int64_t slot = work.isRepeated ? unit.slot + number : 2 * unit.place + number % 2;
  return {static_cast<char*>(found->second->getData()) +
              slot * strides[0] * runtime::byteWidth(operand.dtype),
          strides};
}

Expected<SpanPlanner::Place> SpanPlanner::placeOf(const Work& work, const OperandInfo& operand,
                                                  const Unit& unit, int64_t span,
                                                  bool isRepetition) {
  int64_t width = runtime::byteWidth(operand.dtype);
  if (operand.isTemporary()) {
    auto strides = CompiledRecurrence::stridesOf(operand, rowSizes, {});
    // The kernel goes from the first array to those of its steps.
    int64_t first = unit.first + span * wanted.steps;
    int64_t moved = operand.role == Role::ChunkTemp
                        ? unit.row / operand.chunk - first / operand.chunk
                        : unit.row - first;
    char* data = static_cast<char*>(launch.temporaries.find(operand.name)->second.getData());
    return Place{data + moved * strides[1] * width, strides};
  }
  auto strides = CompiledRecurrence::stridesOf(operand, sizes, offsets);
  bool isIn = operand.role == Role::StateIn;
  if (operand.isState()) {
    if (!isIn && isRepetition)
      return Place{nullptr, strides};
    int64_t number = directions[work.walk] ? unit.count - 1 - span : span;
    if (isIn ? number > 0 : number + 1 < unit.count)
      return startAt(work, operand, unit, number + (isIn ? 0 : 1));
  }
  char* data = nullptr;
  if (isIn) {
    if (const Array* first = given(operand.name, /*isState=*/true))
      data = static_cast<char*>(const_cast<void*>(first->getData()));
  } else {
    Expected<void*> found = compiled.place(operand, launch, sizes, offsets, given, keepStates);
    if (!found)
      return found.takeError();
    data = static_cast<char*>(*found);
  }
  if (!data)
    return Place{nullptr, strides};
  int64_t head = operand.scope == ssm::Scope::Group
                     ? unit.head * std::max<int64_t>(sizes.groups, 1) / sizes.heads
                     : unit.head;
  int64_t moved = head * strides[3] + (operand.isState() ? unit.sequence * strides[0] : 0);
  return Place{data + moved * width, strides};
}

//===-- Calls --------------------------------------------------------------------------------===//

Error SpanPlanner::addCall(size_t number, const Unit& unit, int64_t span, bool isRepetition) {
  const Work& work = works[number];
  int64_t first = unit.first + span * wanted.steps;
  auto call = compiled.makeCall(
      *work.kernel, rowSizes, first, std::min(unit.last, first + wanted.steps),
      [&](const OperandInfo& operand) { return placeOf(work, operand, unit, span, isRepetition); });
  if (!call)
    return call.takeError();
  if (stage == launch.stages.size())
    launch.stages.emplace_back();
  launch.stages[stage++].push_back(std::move(*call));
  held[number] = span;
  return Error::success();
}

Error SpanPlanner::require(size_t number, const Unit& unit, int64_t span, unsigned walk) {
  if (held[number] == span)
    return Error::success();
  for (size_t need : works[number].needs)
    if (Error error = require(need, unit, span, walk))
      return error;
  return addCall(number, unit, span, works[number].walk < walk);
}

Error SpanPlanner::planUnit(const Unit& unit) {
  held.assign(works.size(), -1);
  for (auto [walk, backwards] : enumerate(directions))
    for (int64_t number = 0; number < unit.count; ++number) {
      int64_t span = backwards ? unit.count - 1 - number : number;
      for (auto [index, work] : enumerate(works))
        if (work.walk == walk && work.hasResults)
          if (Error error = require(index, unit, span, walk))
            return error;
    }
  return Error::success();
}

Expected<SpanPlanner::Launch> SpanPlanner::plan() {
  order();
  cut();
  if (Error error = makeArrays())
    return std::move(error);
  // Units side by side do not wait for each other: the calls of each are stages, in order.
  size_t before = 0;
  for (const Unit& unit : units) {
    stage = before = unit.place ? before : launch.stages.size();
    if (Error error = planUnit(unit))
      return std::move(error);
  }
  return std::move(launch);
}
