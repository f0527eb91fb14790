// How much of a gradient runs side by side, and whether it is computed again: the least time that
// its memory allows.
#include "Spans.h"

#include "llvm/ADT/StringSet.h"

#include <cmath>
#include <numeric>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using tile::Role;

/// Temporaries of so many bytes are made for everything at once. Beyond, fewer items side by side
/// take about as long.
static constexpr double freely = 256 << 20;

/// Items side by side that keep a thread busy; heads that one reads together lie side by side.
static constexpr int64_t itemsOfThread = 8;

/// The part of the memory that temporaries may take. Beyond, they are computed again, which takes
/// as long as a forward pass and has never been the faster way (docs/performance.md).
static constexpr double largestPart = 0.25;

SpanPlan driver::chooseSpans(const SpanChoice& choice, const SpanNeeds& needs) {
  SpanPlan plan{choice.steps.value_or(0), 0};
  double all = double(needs.items), room = needs.memory * largestPart;
  // Bytes of one item, with spans of so many steps or without any.
  auto bytesOf = [&](int64_t steps) {
    double longest = double(needs.longest), length = steps ? double(steps) : longest;
    return std::min(length, longest) * needs.rowBytes +
           (steps ? longest / length * needs.stateBytes : 0);
  };
  auto itemsFor = [&](double bytes, int64_t least) {
    double some = std::floor((least ? freely : room) / std::max(bytes, 1.0));
    return std::min(std::max(some, double(least ? least : needs.threads)), all);
  };
  double bytes = bytesOf(plan.steps), items = all;
  // (Packed sequences may have far fewer steps than the longest of them.)
  auto total = [&] {
    return plan.steps ? items * bytes : std::min(items * bytes, needs.steps * needs.rowBytes);
  };
  if (total() > freely)
    items = itemsFor(bytes, itemsOfThread * needs.threads);
  if (!choice.steps && total() > room) {
    items = itemsFor(bytes, 0);
    if (total() > room) {
      // Of spans and of states between them there is as much, together the least.
      plan.steps = std::max<int64_t>(int64_t(std::sqrt(double(needs.longest) * needs.stateBytes /
                                                       std::max(needs.rowBytes, 1.0))),
                                     1);
      items = itemsFor(bytesOf(plan.steps), itemsOfThread * needs.threads);
    }
  }
  plan.items = choice.items ? *choice.items : items < all ? int64_t(items) : 0;
  return plan;
}

SpanPlan CompiledRecurrence::spansOf(const reference::Sizes& sizes,
                                     ArrayRef<int64_t> offsets) const {
  if (gpu || segments > 1)
    return {};
  if (spans.steps && spans.items)
    return {*spans.steps, *spans.items};
  SpanNeeds needs;
  int64_t count = offsets.empty() ? sizes.batch : int64_t(offsets.size()) - 1;
  needs.items = count * sizes.heads;
  needs.steps = double(sizes.time[0]) * double(sizes.heads * sizes.batch);
  needs.longest = offsets.empty() ? sizes.time[0] : 0;
  for (size_t n = 1; n < offsets.size(); ++n)
    needs.longest = std::max(needs.longest, offsets[n] - offsets[n - 1]);
  // Of one tile of steps of all heads.
  ArrayRef<KernelInfo> ofForm = ArrayRef(kernels).take_front(formKernels);
  artifact::CallSizes tile;
  tile.heads = std::max<int64_t>(sizes.heads, 1);
  tile.groups = std::max<int64_t>(sizes.groups, 1);
  tile.steps = 1;
  for (const KernelInfo& kernel : ofForm)
    tile.steps = std::lcm(tile.steps, kernel.tile);
  StringSet<> seen;
  for (const KernelInfo& kernel : ofForm)
    for (const OperandInfo& operand : kernel.operands) {
      double bytes = double(operand.elements().at(tile)) * runtime::byteWidth(operand.dtype) /
                     double(tile.heads);
      if (operand.role == Role::StateIn)
        needs.stateBytes += bytes;
      else if (operand.isTemporary() && seen.insert(operand.name).second)
        needs.rowBytes += bytes / double(tile.steps);
    }
  needs.threads = defaultThreads();
  needs.memory = runtime::installedMemory();
  return chooseSpans(spans, needs);
}
