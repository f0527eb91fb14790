/// Long sequences in segments that run side by side (DESIGN 4.6, ssmc/Derive/Segments.h).
///
/// A sequence of segments 0, 1 … n-1, in the order in which a kernel takes steps:
///
///   side by side   the kernel on segment 0; the summaries of segments 1 … n-2
///   apply          these summaries to the state after segment 0: the states before segments
///                  2 … n-1
///   side by side   the kernel on segments 1 … n-1
///
/// States whose coefficients depend on others come a level after them: summaries and application
/// once more, before the last stage.
///
/// So nothing is computed of the last segment but its result, and of the first one nothing twice.
/// What is computed depends on the number of segments and the length of the sequence alone: the
/// same bits on any number of threads, packed or not.
#pragma once

#include "Kernels.h"

namespace ssmc::driver {

/// Derives the summaries of a form and what applies them, after it; with `compositions` also what
/// composes them, which segments do without. Fails where there are none, with the reason.
llvm::Error addSummaries(ssm::RecurrenceOp form, bool compositions);

/// What the summaries of a recurrence in a form are, as a phrase: `S by a decay [K]`. Null where it
/// has none, with the reason.
llvm::Expected<std::optional<std::string>>
describeSummaries(ssm::RecurrenceOp declared, LoweringOptions options, std::string& reason);

/// Arrays of one state, one for each segment.
struct SegmentSlots {
  char* data = nullptr;
  int64_t bytes = 0; ///< of all heads at one segment
  char* at(int64_t slot) const { return data ? data + slot * bytes : nullptr; }
};
using SegmentSlotMap = std::map<std::string, SegmentSlots, std::less<>>;

/// Makes such arrays among the temporaries of a launch.
class SegmentArrays {
public:
  SegmentArrays(runtime::ArrayMap& temporaries, int64_t slots, int64_t heads)
      : temporaries(temporaries), slots(slots), heads(heads) {}
  llvm::Expected<SegmentSlots> make(const std::string& key, const artifact::Operand& operand);
  /// What applies the summaries of a level reads: states before segments, P and Q.
  llvm::Error makeLevel(const std::string& key, const artifact::Kernel& apply,
                        SegmentSlotMap& starts, SegmentSlotMap& maps);

private:
  runtime::ArrayMap& temporaries;
  int64_t slots, heads;
};

/// Plans the calls of a launch in segments.
class SegmentPlanner {
public:
  using Launch = CompiledRecurrence::Launch;
  SegmentPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
                 llvm::ArrayRef<int64_t> offsets, CompiledRecurrence::Find find, bool keepStates);
  llvm::Expected<Launch> plan();

private:
  using KernelInfo = CompiledRecurrence::KernelInfo;
  using OperandInfo = CompiledRecurrence::OperandInfo;
  struct Sequence {
    int64_t number, first, last;
    int64_t steps; ///< of each segment but the last
    int64_t count; ///< segments, at least one
    int64_t slot;  ///< of the first of them
  };
  struct Level {
    const KernelInfo *summary, *apply;
    SegmentSlotMap maps; ///< of P and Q
  };
  /// One kernel and what its segments leave.
  struct Work {
    const KernelInfo& kernel;
    std::vector<Level> levels;
    SegmentSlotMap starts;   ///< states before each segment
    SegmentSlotMap partials; ///< of sums, after each segment
  };

  void cut();
  const KernelInfo* find(llvm::StringRef name) const;
  llvm::Expected<Work> makeWork(const KernelInfo& kernel, size_t number);
  llvm::Error add(const KernelInfo& kernel, const Sequence& sequence, int64_t segment,
                  llvm::function_ref<llvm::Expected<void*>(const OperandInfo&)> stateAt);
  llvm::Error addKernel(const Work& work, const Sequence& sequence, int64_t segment);
  llvm::Error addSummary(const Work& work, size_t level, const Sequence& sequence, int64_t segment);
  llvm::Error addApply(const Work& work, size_t level, const Sequence& sequence);
  llvm::Error planWork(Work& work);
  llvm::Expected<void*> finalState(const OperandInfo& operand, const Sequence& sequence);

  const CompiledRecurrence& compiled;
  const reference::Sizes& sizes;
  llvm::ArrayRef<int64_t> offsets;
  CompiledRecurrence::Find given;
  bool keepStates;
  Launch launch;
  std::vector<Sequence> sequences;
  int64_t slots = 0;
};

} // namespace ssmc::driver
