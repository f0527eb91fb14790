/// Test data for any recurrence, chosen by how the declaration uses each operand, never by its
/// name.
///
/// Random numbers must neither blow a state up nor leave the domain of a function. So the
/// coefficients of every state's earlier values are made to contract where that can be arranged: a
/// factor gets values in (0, 1), the argument of an `exp` that is a factor becomes negative, a key
/// of a delta rule gets length one and its rate values in (0, 1), and roots and logarithms get
/// positive arguments. What is left over is standard normal, divided by the root of the last axis's
/// extent.
#pragma once

#include "ssmc/Reference/Sizes.h"
#include "ssmc/Runtime/Random.h"

namespace ssmc::reference {

struct InputPlan {
  /// What each operand is filled with, by name; truth values and integers included.
  std::map<std::string, runtime::FillSpec, std::less<>> operands;
  /// Whether every coefficient of a linear way from earlier values was shown to contract. Otherwise
  /// the operands that it depends on are small normal numbers, which keeps moderate lengths finite
  /// but proves nothing.
  bool provenStable = true;
};

/// Chooses by sign analysis of the step. `strength` scales the logarithms of decays: 0.25 forgets
/// over some five steps, 8 at once, 0.01 over a hundred. Sizes must be known.
llvm::Expected<InputPlan> chooseInputs(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                       double strength = 0.25);

/// A filled array for one operand. `real` is the dtype of real operands (f16, bf16, f32 or f64);
/// complex ones are complex64, or complex128 with f64; truth values are bool, integers i32.
llvm::Expected<runtime::Array> makeOperand(ssm::InOp operand, const Sizes& sizes,
                                           runtime::FillSpec spec, runtime::DType real,
                                           uint64_t seed);

/// Arrays for every operand, as chooseInputs and makeOperand have it, less those in `given`.
llvm::Expected<runtime::ArrayMap> makeOperands(ssm::RecurrenceOp recurrence, const Sizes& sizes,
                                               runtime::DType real, uint64_t seed,
                                               const runtime::ArrayMap& given = {},
                                               double strength = 0.25);

} // namespace ssmc::reference
