// Runs the passes of a schedule for one (batch, head) after another.
#pragma once

#include "Buffers.h"
#include "Schedule.h"
#include "ssmc/Reference/Interpreter.h"

namespace ssmc::reference {

/// What a run reads and writes; shapes and dtypes have been checked.
struct Arrays {
  const runtime::ArrayMap& operands;
  const runtime::ArrayMap& givenStates;
  runtime::ArrayMap& outputs;
  runtime::ArrayMap& states;
};

/// `S` for number 1, else `S~number`.
std::string stateName(llvm::StringRef state, int64_t number);

/// How many steps of a state a pass must keep so that every read finds its value.
int64_t depthOf(const StatePlan& plan, Direction direction, Offset steps);

/// An evaluator with its own buffers, so that several can work on different items at once.
class Machine {
public:
  static llvm::Expected<std::unique_ptr<Machine>>
  create(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes, Arrays arrays);

  /// Bytes that one machine will allocate, as a double against overflow.
  static double bytesNeeded(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes);

  void run(int64_t batch, int64_t head);

private:
  /// Values of one state, or of one value that a later pass reads, at several steps.
  struct Series {
    Buffer* value = nullptr;
    int64_t width = 0; ///< doubles a step
    int64_t depth = 0; ///< steps kept; all of them, or the last that the pass has visited
    bool all = false;
    std::vector<double> steps;
  };
  struct State {
    const StatePlan* plan = nullptr;
    Series series;
    /// `width` doubles each: the declared initial value, and the values 1 … L steps outside.
    std::vector<double> initial, history;
  };
  /// The elements of a buffer in the order of an array in memory: operand 0 is the memory.
  struct View {
    Nest nest;
    int64_t count = 1;
    bool isSameOrder = false;
  };

  Machine(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes,
          Arrays arrays);

  llvm::Error compile();
  llvm::Expected<Kernel> compileOp(mlir::Operation* op);
  llvm::Expected<Kernel> compileFold(ssm::FoldOp fold);
  Kernel compileIn(ssm::InOp op);
  Kernel compileOut(ssm::OutOp op);
  Kernel compilePrev(ssm::PrevOp op);
  Kernel compileUpdate(ssm::UpdateOp op);

  View viewOf(mlir::ArrayAttr order, ssm::ArrayType type);
  void load(const runtime::Array& array, int64_t offset, const View& view, ssm::ArrayType type,
            double* to);
  void store(const double* from, const View& view, bool complex, runtime::Array& array,
             int64_t offset);

  /// Number of a step in C order, and in the order of the running pass.
  int64_t indexOf(Offset at) const { return at[0] * steps[1] + at[1]; }
  int64_t visitOf(Offset at) const;
  double* slot(Series& series, Offset at);
  const double* read(State& state, Offset by);
  void beginStates();
  void endStates();

  ssm::RecurrenceOp recurrence;
  const Schedule& schedule;
  const Sizes& sizes;
  Arrays arrays;
  Buffers buffers;
  /// Steps along both axes; the first is 1 with one time axis.
  Offset steps;

  std::vector<Kernel> invariant;
  std::vector<std::vector<Kernel>> passes;
  llvm::StringMap<State> states;
  llvm::DenseMap<mlir::Value, Series> kept;
  std::vector<double> scratch;

  // The item and the step at work.
  int64_t batch = 0, head = 0;
  Offset now = {0, 0};
  const Direction* direction = nullptr;
};

} // namespace ssmc::reference
