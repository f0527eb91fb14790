/// Long sequences in segments on a device (DESIGN 4.6, ssmc/Derive/Segments.h): segments are
/// sequences of their own to a kernel, all of them in one call.
///
/// A sequence of segments 0, 1 … n-1 of one length, and what is left over after them:
///
///   one call   the summaries of segments 0 … n-2 (or several: their kernels)
///   one call   these summaries, one after the other, applied to the initial state: the states
///              before segments 0 … n-1
///   one call   the kernel on segments 0 … n-1
///   one call   the kernel on what is left over, from the state after segment n-1
///
/// States whose coefficients depend on others come a level after them: two calls more. Kernels that
/// carry no state take whole sequences. What is computed depends on the number of segments and the
/// sizes alone.
///
/// Segments are numbered as they lie in memory. A kernel that goes backwards in time takes what is
/// left over first, and then segments n-1 … 0, whose summaries it has applied one a call. What a
/// kernel merely adds up (the gradient of a param) is added up for each segment, and those sums on
/// the host.
///
/// For dense arrays: the stride of a sequence is that of its steps, times as many as there are.
#pragma once

#include "DeviceArrays.h"
#include "Segments.h"

namespace ssmc::driver {

class DeviceSegmentPlanner {
public:
  using Launch = CompiledRecurrence::Launch;
  DeviceSegmentPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
                       CompiledRecurrence::Find find, bool keepStates);
  llvm::Expected<Launch> plan();

private:
  using KernelInfo = CompiledRecurrence::KernelInfo;
  using OperandInfo = CompiledRecurrence::OperandInfo;
  struct Level {
    llvm::SmallVector<size_t> summaries; ///< numbers of kernels
    size_t apply;
    SegmentSlotMap maps; ///< of P and Q
  };
  /// One kernel and what its segments leave.
  struct Work {
    size_t kernel;
    std::vector<Level> levels;
    SegmentSlotMap starts; ///< states before each segment
    SegmentSlotMap ends;   ///< states after each
    SegmentSlotMap rest;   ///< states between what is left over and the segments, if that is first
    SegmentSlotMap sums;   ///< of each segment, and what is left over
  };
  /// Sequences that a call takes together, as segments of so many steps.
  struct Span {
    int64_t first, count;    ///< of sequences
    int64_t begin, segments; ///< of steps before the first segment, and of segments of a sequence
    int64_t steps;           ///< of a segment
  };
  /// Where an operand lies, and its four strides.
  using Strided = std::pair<ArrayPlace, std::array<int64_t, 4>>;
  using StateAt = llvm::function_ref<llvm::Expected<Strided>(const OperandInfo&)>;

  bool cut();
  std::vector<Level> findLevels(const KernelInfo& kernel) const;
  llvm::Expected<Work> makeWork(size_t number);
  llvm::Error addSums(const OperandInfo& operand, const SegmentSlots& parts);
  /// The array of an operand; null for a state that is not given or that nobody wants.
  llvm::Expected<void*> arrayOf(const OperandInfo& operand);
  std::array<int64_t, 4> stridesOf(const OperandInfo& operand) const;
  std::array<int64_t, 4> segmentStrides(const OperandInfo& operand) const;
  llvm::Error add(size_t kernel, const Span& span, StateAt stateAt);
  llvm::Error addApply(const Work& work, const Level& level, const Span& span, int64_t from,
                       int64_t segments);
  llvm::Error addApplies(const Work& work, const Level& level, const Span& span);
  /// Where a state of a segment lies, if it is one of those.
  Strided find(const SegmentSlotMap& map, const OperandInfo& operand, int64_t slot) const;
  /// Where the caller's state of a sequence lies.
  llvm::Expected<Strided> callersState(const OperandInfo& operand, int64_t sequence);
  llvm::Error addWhole(size_t kernel, int64_t first, int64_t sequences);
  llvm::Error addSummaries(const Work& work, const Level& level, Span span);
  llvm::Error addSegments(const Work& work, const Span& span);
  llvm::Error addRest(const Work& work, const Span& rest);
  /// The last segment of a sequence that a kernel takes.
  int64_t lastSlot(const KernelInfo& kernel, int64_t sequence) const {
    return sequence * count + (kernel.reverse ? 0 : count - 1);
  }
  /// Steps of a sequence after its segments.
  int64_t left() const { return sizes.time[0] - count * steps; }
  /// Sums of a sequence: of its segments, and of what is left over.
  int64_t sumsOfSequence() const { return count + (left() ? 1 : 0); }
  llvm::Error planWork(const Work& work);

  const CompiledRecurrence& compiled;
  const reference::Sizes& sizes;
  CompiledRecurrence::Find given;
  bool keepStates;
  Launch launch;
  int64_t count = 1; ///< segments of a sequence
  int64_t steps = 0; ///< of each
};

} // namespace ssmc::driver
