// In which order the ops of a declaration run: passes over the steps, and what they keep.
//
// A declaration may hold causal and anti-causal states together. Ops that depend on each other
// within a step or across steps form a unit; units are put into passes, each a walk over all steps
// in one direction, so that every value read has been computed. One pass is enough unless
// directions mix. Values that a later pass reads are kept for all steps; all others live for one
// step.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"

#include <array>

namespace ssmc::reference {

/// Offsets and coordinates have two axes everywhere here; with one time axis the first is (0, n).
using Offset = std::array<int64_t, 2>;

Offset offsetOf(llvm::ArrayRef<int64_t> by);

/// `S` for number 1, else `S~number`.
std::string stateName(llvm::StringRef state, int64_t number);

/// An order of the steps: rows outermost or columns, each axis up (+1) or down (-1).
struct Direction {
  bool columnsFirst = false;
  std::array<int, 2> sign = {1, 1};

  /// Whether the step `by` back comes before this one.
  bool allows(Offset by) const;
  bool operator==(const Direction&) const = default;
};

/// How one state is kept.
struct StatePlan {
  ssm::StateOp declaration;
  /// What defines it, and the pass that computes it.
  ssm::UpdateOp update;
  unsigned pass = 0;
  /// Offsets at which it is read.
  llvm::SmallVector<Offset> reads;
  /// L: how many steps outside the sequence belong to it (one time axis).
  int64_t history = 1;
  /// It is read at later steps only.
  bool reversed = false;
  /// Its value at every step is kept.
  bool keepAll = false;
};

struct Pass {
  Direction direction;
  /// Top-level ops in program order.
  std::vector<mlir::Operation*> ops;
  /// Values that earlier passes computed and kept.
  llvm::SetVector<mlir::Value> loads;
  /// Values to keep for later passes.
  llvm::SetVector<mlir::Value> stores;
};

struct Schedule {
  /// Ops that depend on params and constants alone.
  std::vector<mlir::Operation*> invariant;
  std::vector<Pass> passes;
  llvm::MapVector<llvm::StringRef, StatePlan> states;
};

/// Fails where the body holds ops that are no part of a declaration, or where no order of steps
/// computes every state.
llvm::Expected<Schedule> buildSchedule(ssm::RecurrenceOp recurrence);

} // namespace ssmc::reference
