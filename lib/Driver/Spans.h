/// Gradients with less room for what their forward pass keeps (Derive/Adjoint.cpp).
///
/// An adjoint's forward pass leaves in temporaries what its backward pass reads: the state before
/// each chunk, and what solves give. For a long sequence that is far more than its operands. There
/// are two ways to have less of it, and a launch may go both.
///
/// Units, which are some heads of a sequence, run one after another, as many side by side as are
/// wanted, from their first kernel to their last. Temporaries are those of the units that run side
/// by side. Nothing is computed twice.
///
/// A unit is cut into spans of whole chunks along time, and temporaries are those of one span:
///
///   a walk     the kernels that carry states one way, span after span. The states before each
///              span are kept.
///   next walk  the kernels after them, which carry states the other way. Before each span of
///              theirs, what they read of earlier walks is computed again for that span, from the
///              states that were kept.
///
/// Forward and backward are two walks; states in both directions of time make more. A span's
/// kernels begin with the states that the one before it left, sums of gradients among them, and
/// read the same operands as without spans: every result has the same bits.
#pragma once

#include "Kernels.h"

#include "llvm/ADT/SetVector.h"

namespace ssmc::driver {

/// What a choice goes by.
struct SpanNeeds {
  /// Of an item, a head of a sequence: bytes of temporaries for each step, and of its states.
  double rowBytes = 0, stateBytes = 0;
  int64_t items = 0, longest = 0; ///< items, and steps of the longest sequence
  double steps = 0;               ///< of all items
  int64_t threads = 1;
  double memory = 0; ///< that there is
};
/// The plan of a launch: what is asked for; else as few items side by side as fill the threads
/// where all of them need much, and spans where even that is too much.
SpanPlan chooseSpans(const SpanChoice& choice, const SpanNeeds& needs);

/// Plans the calls of an adjoint's launch.
class SpanPlanner {
public:
  using Launch = CompiledRecurrence::Launch;
  SpanPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
              llvm::ArrayRef<int64_t> offsets, CompiledRecurrence::Find find, bool keepStates,
              SpanPlan plan);
  llvm::Expected<Launch> plan();

private:
  using KernelInfo = CompiledRecurrence::KernelInfo;
  using OperandInfo = CompiledRecurrence::OperandInfo;
  using Place = CompiledRecurrence::Place;
  struct Unit {
    int64_t sequence, head;
    int64_t first, last; ///< steps
    int64_t count;       ///< spans, at least one
    int64_t place;       ///< among the units that run side by side
    int64_t row;         ///< the first of its steps in temporaries
    int64_t slot;        ///< the first of its kept states
  };
  /// A kernel, and what its spans leave.
  struct Work {
    const KernelInfo* kernel;
    unsigned walk;
    bool hasResults = false;                    ///< not only temporaries
    bool isRepeated = false;                    ///< whether a later walk reads its temporaries
    llvm::SmallSetVector<size_t, 4> needs = {}; ///< the kernels whose temporaries it reads
    std::map<std::string, runtime::Array*, std::less<>> starts = {}; ///< states before spans
  };

  void order();
  int64_t headsOfUnit() const;
  void cut();
  llvm::Error makeArrays();
  Place startAt(const Work& work, const OperandInfo& operand, const Unit& unit,
                int64_t number) const;
  llvm::Expected<Place> placeOf(const Work& work, const OperandInfo& operand, const Unit& unit,
                                int64_t span, bool isRepetition);
  llvm::Error addCall(size_t number, const Unit& unit, int64_t span, bool isRepetition);
  /// Adds the call of a kernel for a span unless its temporaries are that span's already.
  llvm::Error require(size_t number, const Unit& unit, int64_t span, unsigned walk);
  llvm::Error planUnit(const Unit& unit);

  const CompiledRecurrence& compiled;
  llvm::ArrayRef<KernelInfo> kernels;
  const reference::Sizes& sizes;
  llvm::ArrayRef<int64_t> offsets;
  CompiledRecurrence::Find given;
  bool keepStates;
  SpanPlan wanted;
  Launch launch;
  std::vector<Work> works;
  std::vector<bool> directions; ///< of the walks: whether backwards in time
  std::vector<Unit> units;
  int64_t together = 1;       ///< units side by side
  reference::Sizes rowSizes;  ///< of temporaries: the spans of units side by side, as one sequence
  reference::Sizes slotSizes; ///< of kept states that are read again: a sequence for each
  std::vector<int64_t> held;  ///< the span that each kernel's temporaries are of; -1: none
  size_t stage = 0;           ///< the next one of the unit that is planned
};

} // namespace ssmc::driver
