// Runs one (batch, head) forward and then backward through all steps, for its gradient.
//
// The forward run keeps every state at every step. Going back, each step is evaluated again from
// those states, so that the values of all its ops are at hand; then its ops are visited from the
// last to the first, and each adds to the cotangents of its operands what those of its results say
// (Pullbacks.h). What a step reads of a state at another step adds to the state's cotangent there,
// which is complete before that step is visited.
#pragma once

#include "Machine.h"

namespace ssmc::reference {

class ReverseMachine : public Machine {
public:
  /// `cotangents` are those of outputs and final states; a missing one is zero. The schedule must
  /// keep every state at every step.
  static llvm::Expected<std::unique_ptr<ReverseMachine>> create(ssm::RecurrenceOp recurrence,
                                                                const Schedule& schedule,
                                                                const Sizes& sizes, Arrays arrays,
                                                                const Results& cotangents);

  static double bytesNeeded(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes);

  void run(int64_t batch, int64_t head);

  /// Adds the gradient of the item that was run last to arrays of all items.
  void addTo(runtime::ArrayMap& operands, runtime::ArrayMap& states);

private:
  using Machine::Machine;
  /// The gradient of one operand for the item at work: all steps of an input, or the param.
  struct OperandGradient {
    ssm::InOp operand;
    View view;
    std::vector<double> data;
  };

  llvm::Error compileBack(const Results& given);
  llvm::Expected<Kernel> pullOp(mlir::Operation* op);
  llvm::Expected<Kernel> pullFold(ssm::FoldOp fold);
  Kernel pullIn(ssm::InOp op);
  Kernel pullOut(ssm::OutOp op);

  void beginBack();
  void endBack();
  void addInto(const double* from, const View& view, bool complex, runtime::Array& array,
               int64_t offset);

  const Results* given = nullptr;
  /// Of the values of the step at work; of values that are constant in time, over the whole run.
  Buffers bars{recurrence, sizes};
  /// From the last op to the first, and what each step begins with zero cotangents.
  std::vector<Kernel> invariantBack;
  struct PassBack {
    std::vector<Kernel> kernels;
    std::vector<Buffer*> cleared;
  };
  std::vector<PassBack> passesBack;
  /// Of states and of what passes hand to later ones, at every step and outside the sequence.
  llvm::StringMap<State> stateBars;
  llvm::DenseMap<mlir::Value, Series> keptBars;
  llvm::DenseMap<mlir::Operation*, OperandGradient> gradients;
};

} // namespace ssmc::reference
