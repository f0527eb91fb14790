// The order of the backward run, and what lies before and after it.
#include "Reverse.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

Expected<std::unique_ptr<ReverseMachine>> ReverseMachine::create(ssm::RecurrenceOp recurrence,
                                                                 const Schedule& schedule,
                                                                 const Sizes& sizes, Arrays arrays,
                                                                 const Results& cotangents) {
  std::unique_ptr<ReverseMachine> machine(new ReverseMachine(recurrence, schedule, sizes, arrays));
  if (Error error = machine->compile())
    return error;
  if (Error error = machine->compileBack(cotangents))
    return error;
  return machine;
}

double ReverseMachine::bytesNeeded(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                                   const Sizes& sizes) {
  // Each value and state has a cotangent beside it.
  double bytes = 2 * Machine::bytesNeeded(recurrence, schedule, sizes);
  auto bytesOf = [&](Value value) { return bytesPerStep(value.getType(), recurrence, sizes); };
  recurrence.getBody().walk([&](Operation* op) {
    if (auto in = dyn_cast<ssm::InOp>(op)) {
      double all = bytesOf(in.getResult());
      if (!in.getParam())
        for (int64_t extent : sizes.time)
          all *= double(extent);
      bytes += all;
    } else if (auto fold = dyn_cast<ssm::FoldOp>(op)) {
      for (Value init : fold.getInits())
        bytes += double(cantFail(extentOf(fold.getAxis(), recurrence, sizes))) * bytesOf(init);
    }
  });
  return bytes;
}

/// The loss holds the final states with these cotangents.
void ReverseMachine::beginBack() {
  auto clear = [](std::vector<double>& data) { std::fill(data.begin(), data.end(), 0.0); };
  for (auto& [op, gradient] : gradients)
    clear(gradient.data);
  for (auto& [value, series] : keptBars)
    clear(series.steps);
  for (Operation* op : schedule.invariant)
    for (Value result : op->getResults())
      clear(bars.get(result).data);
  for (auto& [name, plan] : schedule.states) {
    State& state = stateBars[name];
    clear(state.series.steps);
    clear(state.initial);
    clear(state.history);
    ssm::StateOp declaration = plan.declaration;
    auto type = cast<ssm::ArrayType>(declaration.getType());
    View view = viewOf(declaration.getOrder(), type);
    std::vector<double> loaded(state.series.width);
    for (int64_t number = 1; number <= plan.history; ++number) {
      auto it = given->states.find(stateName(name, number));
      if (it == given->states.end())
        continue;
      load(it->second, itemRow() * view.count, view, type, loaded.data());
      double* to = result(state, number);
      for (int64_t i = 0; i < state.series.width; ++i)
        to[i] += loaded[i];
    }
  }
}

/// Hands what was read outside of the sequence to the declared initial values where no state was
/// supplied. Those of supplied ones stay in the history, for addTo.
void ReverseMachine::endBack() {
  for (auto& [name, plan] : schedule.states) {
    State& state = stateBars[name];
    for (int64_t number = 1; number <= plan.history; ++number)
      if (!arrays.givenStates.contains(stateName(name, number)))
        for (int64_t i = 0; i < state.series.width; ++i)
          state.initial[i] += state.outside(number)[i];
    ssm::StateOp declaration = plan.declaration;
    Value init = declaration.getInit();
    if (!init)
      continue;
    Buffer& bar = bars.get(init);
    int64_t words = cast<ssm::ArrayType>(declaration.getType()).isComplex() ? 2 : 1;
    int64_t initWords = bar.complex ? 2 : 1;
    initialNest(declaration)
        .run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> strides) {
          for (int64_t i = 0; i < n; ++i)
            for (int64_t word = 0; word < std::min(words, initWords); ++word)
              bar.data[(offsets[1] + i * strides[1]) * initWords + word] +=
                  state.initial[(offsets[0] + i * strides[0]) * words + word];
        });
  }
}

void ReverseMachine::run(int64_t itemBatch, int64_t itemHead) {
  Machine::run(itemBatch, itemHead);
  beginBack();
  for (unsigned pass = passes.size(); pass-- > 0;) {
    PassBack& back = passesBack[pass];
    walk(schedule.passes[pass].direction, /*backwards=*/true, [&] {
      for (const Kernel& kernel : passes[pass])
        kernel();
      for (Buffer* bar : back.cleared)
        std::fill(bar->data.begin(), bar->data.end(), 0.0);
      for (const Kernel& kernel : back.kernels)
        kernel();
    });
  }
  endBack();
  for (const Kernel& kernel : invariantBack)
    kernel();
}

//===-- Results -----------------------------------------------------------------------------===//

void ReverseMachine::addInto(const double* from, const View& view, bool complex,
                             runtime::Array& array, int64_t offset) {
  int64_t words = complex ? 2 : 1;
  double* to = static_cast<double*>(array.getData()) + offset * words;
  view.nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> strides) {
    for (int64_t i = 0; i < n; ++i)
      for (int64_t word = 0; word < words; ++word)
        to[(offsets[0] + i * strides[0]) * words + word] +=
            from[(offsets[1] + i * strides[1]) * words + word];
  });
}

void ReverseMachine::addTo(runtime::ArrayMap& operandGradients, runtime::ArrayMap& stateGradients) {
  for (auto& [op, gradient] : gradients) {
    ssm::InOp in = gradient.operand;
    runtime::Array& array = operandGradients.find(in.getName().str())->second;
    bool complex = in.getType().isComplex();
    const View& view = gradient.view;
    int64_t count = in.getParam() ? 1 : steps[0] * steps[1];
    for (int64_t step = 0; step < count; ++step)
      addInto(gradient.data.data() + step * view.count * (complex ? 2 : 1), view, complex, array,
              rowOf(in.getScope(), in.getParam(), step) * view.count);
  }
  for (auto& [name, plan] : schedule.states) {
    ssm::StateOp declaration = plan.declaration;
    auto type = cast<ssm::ArrayType>(declaration.getType());
    View view = viewOf(declaration.getOrder(), type);
    for (int64_t number = 1; number <= plan.history; ++number)
      if (auto it = stateGradients.find(stateName(name, number)); it != stateGradients.end())
        addInto(stateBars[name].outside(number), view, type.isComplex(), it->second,
                itemRow() * view.count);
  }
}
