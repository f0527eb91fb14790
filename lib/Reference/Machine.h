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

/// How many steps of a state a pass must keep so that every read finds its value.
int64_t depthOf(const StatePlan& plan, Direction direction, Offset steps);

/// Bytes of one value, as a double against overflow.
double bytesPerStep(mlir::Type type, ssm::RecurrenceOp recurrence, const Sizes& sizes);

/// A fold at work: its body, and what goes in and comes out.
struct FoldLoop {
  struct Carried {
    Buffer *init, *argument, *next, *result;
    std::vector<double> copy; ///< a yielded value may be another carried value's argument
  };
  struct Stacked {
    Buffer *part, *result;
    Nest nest;      ///< over the part's elements: in the result, in the part
    int64_t stride; ///< of the fold's axis in the result
  };
  std::vector<Kernel> body;
  std::vector<Carried> carried;
  std::vector<Stacked> stacked;
  int64_t extent = 0;
  bool reverse = false;
  int64_t* position = nullptr;

  void begin();
  /// Evaluates the body with the carried values as they are, the `step`th that is run.
  void evaluate(int64_t step);
  void advance();
  void end();
};

/// An evaluator with its own buffers, so that several can work on different items at once.
class Machine {
public:
  static llvm::Expected<std::unique_ptr<Machine>>
  create(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes, Arrays arrays);
  Machine(const Machine&) = delete;
  virtual ~Machine() = default;

  /// Bytes that one machine will allocate, as a double against overflow.
  static double bytesNeeded(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes);

  void run(int64_t batch, int64_t head);

protected:
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
    double* outside(int64_t number) { return history.data() + (number - 1) * series.width; }
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
  llvm::Expected<std::unique_ptr<FoldLoop>> makeLoop(ssm::FoldOp fold);
  Kernel compileIn(ssm::InOp op);
  Kernel compileOut(ssm::OutOp op);
  Kernel compilePrev(ssm::PrevOp op);
  Kernel compileUpdate(ssm::UpdateOp op);

  /// Visits every step in an order, or from its end to its beginning; `now` is the step.
  void walk(const Direction& order, bool backwards, llvm::function_ref<void()> visit);

  View viewOf(mlir::ArrayAttr order, ssm::ArrayType type);
  /// The loops over a state with its strides and, second, those of the declared initial value.
  Nest initialNest(ssm::StateOp declaration);
  void load(const runtime::Array& array, int64_t offset, const View& view, ssm::ArrayType type,
            double* to);
  void store(const double* from, const View& view, bool complex, runtime::Array& array,
             int64_t offset);

  /// Number of a step in C order, and in the order of the running pass.
  int64_t indexOf(Offset at) const { return at[0] * steps[1] + at[1]; }
  int64_t visitOf(Offset at) const;
  /// Number of the present item's row at a step (in C order) in the memory of an operand.
  int64_t rowOf(ssm::Scope scope, bool isParam, int64_t step) const;
  /// Number of the present item's row in the memory of a state.
  int64_t itemRow() const { return batch * sizes.heads + head; }
  double* slot(Series& series, Offset at);
  /// What a state is `by` back from the present step.
  double* read(State& state, Offset by);
  /// What a result of a run returns as the state of this number.
  double* result(State& state, int64_t number);
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
  llvm::DenseMap<mlir::Operation*, std::unique_ptr<FoldLoop>> folds;
  std::vector<double> scratch;

  // The item and the step at work.
  int64_t batch = 0, head = 0;
  Offset now = {0, 0};
  const Direction* direction = nullptr;
};

} // namespace ssmc::reference
