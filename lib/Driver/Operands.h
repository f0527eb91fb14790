/// The arrays that cross the command line: which there are, how large they are, and where each
/// comes from.
#pragma once

#include "Spec.h"

#include "ssmc/Reference/Interpreter.h"
#include "ssmc/Reference/Sizes.h"

namespace ssmc::driver {

/// One array that a recurrence takes or gives.
struct Operand {
  enum Kind { In, Param, State, Out } kind;
  std::string name;
  reference::Layout layout;
  ssm::ArrayType type;
  /// As the target wants it in memory.
  runtime::DType dtype;

  /// `input 'q'`.
  std::string describe() const;
};

/// What a recurrence takes and gives, in the order of its declaration.
struct Signature {
  std::vector<Operand> inputs; ///< ins and params
  std::vector<Operand> states; ///< delay registers included; none with two time axes
  std::vector<Operand> outputs;
};

/// `real` is the type of real inputs and outputs; params and states are F32, all of them F64 where
/// `real` is F64.
llvm::Expected<Signature> signatureOf(ssm::RecurrenceOp declared, runtime::DType real);

/// What one run computes on.
struct Inputs {
  reference::Sizes sizes;
  runtime::ArrayMap operands, states;
  /// Of outputs and final states, where a gradient is asked for.
  reference::Results cotangents;
  /// Where packed sequences begin, and where the last one ends; empty where the sequences are batch
  /// entries.
  std::vector<int64_t> offsets;

  bool isPacked() const { return !offsets.empty(); }
  int64_t sequences() const { return isPacked() ? int64_t(offsets.size()) - 1 : sizes.batch; }
  /// Sizes of the states: they have a batch entry for each sequence.
  reference::Sizes stateSizes() const;
};

/// NumPy's name of a dtype, which is what its users know.
std::string numpyName(runtime::DType dtype);

/// Sizes of the command line alone, with `defaults` for what it does not say.
llvm::Expected<reference::Sizes> sizesFromOptions(ssm::RecurrenceOp declared,
                                                  const Options& options);

/// Gives what is still unknown the sizes of a small example.
void completeSizes(ssm::RecurrenceOp declared, reference::Sizes& sizes);

/// Checks --in, --state-in, --cotangent and --cu-seqlens against the signature and each other by
/// the files' headers alone, then that all arrays fit into memory, then reads them. What --in does
/// not name is random where that is asked for, and else an error that lists it.
llvm::Expected<Inputs> gatherInputs(ssm::RecurrenceOp declared, const Signature& signature,
                                    const Options& options);

/// Fails where a name is not among the operands, or what all arrays take exceeds the memory.
llvm::Error checkNames(const NamedPaths& paths, llvm::StringRef option,
                       llvm::ArrayRef<Operand> operands, const Signature& signature);
llvm::Error checkMemoryFor(ssm::RecurrenceOp declared, const Signature& signature,
                           const Inputs& inputs);

/// Fails where a state, an operand or the steps of a fold are more in one step and head than any
/// kernel can hold. Dims that have no size yet are not looked at.
llvm::Error checkStepSizes(ssm::RecurrenceOp declared,
                           const std::map<std::string, int64_t, std::less<>>& dims);

/// How strong gates and decays are in random data.
enum class Gates { Usual, Strong, Weak };

/// A random array for every input, with numbers that suit what the recurrence does with them
/// (ssmc/Reference/Inputs.h).
llvm::Expected<runtime::ArrayMap> randomInputs(ssm::RecurrenceOp declared,
                                               llvm::ArrayRef<Operand> inputs,
                                               const reference::Sizes& sizes, uint64_t seed,
                                               Gates gates = Gates::Usual);

/// A random array for every state before the first step.
llvm::Expected<runtime::ArrayMap> randomStates(ssm::RecurrenceOp declared,
                                               llvm::ArrayRef<Operand> states,
                                               const reference::Sizes& sizes, uint64_t seed);

} // namespace ssmc::driver
