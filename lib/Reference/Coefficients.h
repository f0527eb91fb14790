// How a state's new value depends on earlier ones: the products along each way back.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"

#include <string>
#include <vector>

namespace ssmc::reference {

/// One way from a state's definition to an earlier value of its own system.
struct Path {
  /// Where it ends: `S [1]`, or `fold` for the value carried by a fold.
  std::string end;
  /// Factors passed outside, and after the first contraction inside of it.
  llvm::SmallVector<mlir::Value> outer, inner;
  /// Terms added below a maximum.
  llvm::SmallVector<mlir::Value> added;
  /// Labels that sums on the way remove.
  llvm::SmallVector<llvm::StringRef> contracted;
  double constant = 1;
  bool isContracted = false, isNegative = false, isBelowMaximum = false;
};

/// The states that depend on each other's earlier values together with `state`.
llvm::StringSet<> systemOf(llvm::StringRef state, ssm::RecurrenceOp recurrence);

/// All ways by which the definition of `state` is linear (or, below a maximum, additive) in earlier
/// values of `system`. Nonlinear ways are left out.
std::vector<Path> pathsOf(llvm::StringRef state, const llvm::StringSet<>& system,
                          ssm::RecurrenceOp recurrence);

} // namespace ssmc::reference
