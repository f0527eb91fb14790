// From the ops of a schedule to their pullbacks, in the opposite order.
#include "Arguments.h"
#include "Pullbacks.h"
#include "Reverse.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

static void clear(Buffer& buffer) {
  std::fill(buffer.data.begin(), buffer.data.end(), 0.0);
}

static void add(double* to, const double* from, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i] += from[i];
}

Error ReverseMachine::compileBack(const Results& cotangents) {
  given = &cotangents;
  for (auto& [name, plan] : schedule.states) {
    assert(states[name].series.all && "the schedule must keep every state at every step");
    stateBars[name] = states[name];
  }
  for (auto& [value, series] : kept)
    keptBars[value] = series;

  auto append = [&](std::vector<Kernel>& kernels, Operation* op) -> Error {
    Expected<Kernel> kernel = pullOp(op);
    if (!kernel)
      return kernel.takeError();
    if (*kernel)
      kernels.push_back(std::move(*kernel));
    return Error::success();
  };
  for (Operation* op : reverse(schedule.invariant))
    if (Error error = append(invariantBack, op))
      return error;
  for (const Pass& pass : schedule.passes) {
    PassBack& back = passesBack.emplace_back();
    for (Value value : pass.stores)
      back.kernels.push_back([this, series = &keptBars[value], bar = &bars.get(value)] {
        add(bar->data.data(), slot(*series, now), series->width);
      });
    for (Operation* op : reverse(pass.ops)) {
      if (Error error = append(back.kernels, op))
        return error;
      for (Value result : op->getResults())
        back.cleared.push_back(&bars.get(result));
    }
    for (Value value : pass.loads) {
      back.kernels.push_back([this, series = &keptBars[value], bar = &bars.get(value)] {
        add(slot(*series, now), bar->data.data(), series->width);
      });
      back.cleared.push_back(&bars.get(value));
    }
  }
  return Error::success();
}

Expected<Kernel> ReverseMachine::pullOp(Operation* op) {
  using Made = Expected<Kernel>;
  return TypeSwitch<Operation*, Made>(op)
      .Case([&](ssm::InOp in) -> Made { return pullIn(in); })
      .Case([&](ssm::OutOp out) -> Made { return pullOut(out); })
      .Case([&](ssm::PrevOp prev) -> Made {
        State& state = stateBars[prev.getState()];
        return Kernel(
            [this, &state, &bar = bars.get(prev.getResult()), by = offsetOf(prev.getBy())] {
              add(read(state, by), bar.data.data(), state.series.width);
            });
      })
      .Case([&](ssm::UpdateOp update) -> Made {
        State& state = stateBars[update.getState()];
        return Kernel([this, &state, &bar = bars.get(update.getValue())] {
          add(bar.data.data(), slot(state.series, now), state.series.width);
        });
      })
      .Case([&](ssm::FoldOp fold) -> Made { return pullFold(fold); })
      .Default([&](Operation* op) -> Made { return makePullback(op, buffers, bars); });
}

Kernel ReverseMachine::pullIn(ssm::InOp op) {
  if (!hasGradient(op.getType()))
    return {};
  OperandGradient& entry = gradients[op];
  Buffer& bar = bars.get(op.getResult());
  bool isParam = op.getParam();
  int64_t width = int64_t(bar.data.size());
  entry = {op, viewOf(op.getOrder(), op.getType()),
           std::vector<double>(width * (isParam ? 1 : steps[0] * steps[1]))};
  return [this, key = op.getOperation(), &bar, isParam, width] {
    double* to = gradients.find(key)->second.data.data() + (isParam ? 0 : indexOf(now) * width);
    add(to, bar.data.data(), width);
  };
}

Kernel ReverseMachine::pullOut(ssm::OutOp op) {
  auto it = given->outputs.find(op.getName().str());
  if (it == given->outputs.end())
    return {};
  ssm::ArrayType type = op.getValue().getType();
  Buffer& bar = bars.get(op.getValue());
  View view = viewOf(op.getOrder(), type);
  std::vector<double> loaded(bar.data.size());
  return [=, this, &array = it->second, &bar]() mutable {
    int64_t row = rowOf(ssm::Scope::Head, /*isParam=*/false, indexOf(now));
    load(array, row * view.count, view, type, loaded.data());
    add(bar.data.data(), loaded.data(), int64_t(loaded.size()));
  };
}

/// Runs forward once for the values that each position starts from, then backward: at each position
/// the body is evaluated again and pulled back.
Expected<Kernel> ReverseMachine::pullFold(ssm::FoldOp fold) {
  FoldLoop& loop = *folds[fold];
  std::vector<Kernel> body;
  std::vector<Buffer*> cleared;
  for (Operation& op : reverse(fold.getBlock()->without_terminator())) {
    Expected<Kernel> kernel = pullOp(&op);
    if (!kernel)
      return kernel.takeError();
    if (*kernel)
      body.push_back(std::move(*kernel));
    for (Value result : op.getResults())
      cleared.push_back(&bars.get(result));
  }
  unsigned carried = fold.getNumCarried();
  SmallVector<Buffer*> initBars, argumentBars, yieldedBars, resultBars;
  for (unsigned index = 0; index < carried; ++index) {
    initBars.push_back(&bars.get(fold.getInits()[index]));
    argumentBars.push_back(&bars.get(fold.getBlock()->getArgument(index)));
    cleared.push_back(argumentBars.back());
  }
  for (auto [result, yielded] : zip(fold.getResults(), fold.getYield().getValues())) {
    resultBars.push_back(&bars.get(result));
    yieldedBars.push_back(&bars.get(yielded));
  }

  return Kernel([=, &loop] {
    std::vector<std::vector<std::vector<double>>> starts(loop.extent);
    loop.begin();
    for (auto& start : starts) {
      for (FoldLoop::Carried& value : loop.carried)
        start.push_back(value.argument->data);
      loop.evaluate(&start - starts.data());
      loop.advance();
    }
    std::vector<std::vector<double>> carry;
    for (unsigned index = 0; index < carried; ++index)
      carry.push_back(resultBars[index]->data);
    for (int64_t step = loop.extent; step-- > 0;) {
      for (unsigned index = 0; index < carried; ++index)
        loop.carried[index].argument->data = starts[step][index];
      loop.evaluate(step);
      for (Buffer* bar : cleared)
        clear(*bar);
      for (unsigned index = 0; index < carried; ++index)
        add(yieldedBars[index]->data.data(), carry[index].data(), carry[index].size());
      for (auto [index, value] : enumerate(loop.stacked)) {
        Buffer &part = *yieldedBars[carried + index], &whole = *resultBars[carried + index];
        int64_t words = part.complex ? 2 : 1, base = *loop.position * value.stride;
        value.nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
          for (int64_t i = 0; i < n; ++i)
            for (int64_t word = 0; word < words; ++word)
              part.data[(offsets[1] + i * steps[1]) * words + word] +=
                  whole.data[(offsets[0] + i * steps[0] + base) * words + word];
        });
      }
      for (const Kernel& kernel : body)
        kernel();
      for (unsigned index = 0; index < carried; ++index)
        carry[index] = argumentBars[index]->data;
    }
    for (unsigned index = 0; index < carried; ++index)
      add(initBars[index]->data.data(), carry[index].data(), carry[index].size());
  });
}
