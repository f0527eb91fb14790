/// Test data for any recurrence, chosen by how the declaration uses each operand, never by its
/// name.
///
/// Random numbers must neither blow a state up nor leave the domain of a function. So the
/// coefficients of every state's earlier values are made to contract where that can be arranged: a
/// factor gets values in (0, 1), the argument of an `exp` that is a factor becomes negative, a key
/// of a delta rule gets length one and its rate values in (0, 1), and roots and logarithms get
/// positive arguments. What is left over is standard normal, params with several axes divided by
/// the root of the last one's extent.
#pragma once

#include "ssmc/Reference/Sizes.h"
#include "ssmc/Runtime/Random.h"

namespace ssmc::reference {

struct InputPlan {
  /// What each operand is filled with, by name; truth values and integers included.
  std::map<std::string, runtime::FillSpec, std::less<>> operands;
  /// What the value of each state before the first step is filled with where it is supplied, by the
  /// state's name; `S~2` is filled as `S` is.
  std::map<std::string, runtime::FillSpec, std::less<>> states;
  /// Whether every coefficient of a linear way from earlier values was shown to contract. Otherwise
  /// the operands that it depends on are small normal numbers, which keeps moderate lengths finite
  /// but proves nothing.
  bool provenStable = true;
};

/// Scale of the logarithms of decays: this forgets over some three steps, 6 at once, 0.01 over a
/// hundred.
constexpr double usualStrength = 0.5;

/// Chooses by sign analysis of the step. Sizes must be known.
llvm::Expected<InputPlan> chooseInputs(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                       double strength = usualStrength);

/// An array of a layout with random numbers; `seed` is that of the run, `name` tells its arrays
/// apart.
llvm::Expected<runtime::Array> draw(llvm::StringRef name, const Layout& layout,
                                    runtime::DType dtype, runtime::FillSpec spec,
                                    ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                    uint64_t seed);

} // namespace ssmc::reference
