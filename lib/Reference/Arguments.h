// What callers hand over and get back: checks, and arrays of the right shapes.
#pragma once

#include "Schedule.h"
#include "ssmc/Reference/Interpreter.h"

namespace ssmc::reference {

/// The names of all states, in order of declaration.
std::vector<std::string> namesOf(const Schedule& schedule);

/// Whether an array of this type has a gradient: truth values and integers have none.
inline bool hasGradient(ssm::ArrayType type) {
  return type.isReal() || type.isComplex();
}

/// Fails, naming the culprit, where sizes are unknown or arrays are missing, surplus, of another
/// shape, or complex for real.
llvm::Error checkArguments(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                           const Sizes& sizes, const runtime::ArrayMap& operands,
                           const runtime::ArrayMap& states);
/// The same for cotangents of results, any of which may be missing.
llvm::Error checkCotangents(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes, const Results& cotangents);

/// Adds a zero array of a layout, F64 or Complex128, to a map.
llvm::Error allocate(runtime::ArrayMap& map, std::string name, const Layout& layout, bool complex,
                     ssm::RecurrenceOp recurrence, const Sizes& sizes);
/// Zero arrays for all outputs and final states.
llvm::Error allocateResults(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes, Results& results);

} // namespace ssmc::reference
