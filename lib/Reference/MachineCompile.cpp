// From the ops of a schedule to kernels over the machine's buffers.
#include "Machine.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

Error Machine::compile() {
  for (auto& [name, plan] : schedule.states) {
    State& state = states[name];
    ssm::UpdateOp update = plan.update;
    state.plan = &plan;
    Buffer& value = buffers.get(update.getValue());
    int64_t width = int64_t(value.data.size());
    int64_t depth = depthOf(plan, schedule.passes[plan.pass].direction, steps);
    state.series = {&value, width, depth, plan.keepAll, std::vector<double>(width * depth)};
    state.initial.resize(width);
    state.history.resize(width * plan.history);
  }
  for (const Pass& pass : schedule.passes)
    for (Value value : pass.stores) {
      Buffer& buffer = buffers.get(value);
      int64_t width = int64_t(buffer.data.size()), depth = steps[0] * steps[1];
      kept[value] = {&buffer, width, depth, true, std::vector<double>(width * depth)};
    }

  auto append = [&](std::vector<Kernel>& kernels, Operation* op) -> Error {
    Expected<Kernel> kernel = compileOp(op);
    if (!kernel)
      return kernel.takeError();
    kernels.push_back(std::move(*kernel));
    return Error::success();
  };
  for (Operation* op : schedule.invariant)
    if (Error error = append(invariant, op))
      return error;
  for (const Pass& pass : schedule.passes) {
    std::vector<Kernel>& kernels = passes.emplace_back();
    for (Value value : pass.loads)
      kernels.push_back([this, series = &kept[value]] {
        std::memcpy(series->value->data.data(), slot(*series, now), series->width * sizeof(double));
      });
    for (Operation* op : pass.ops)
      if (Error error = append(kernels, op))
        return error;
    for (Value value : pass.stores)
      kernels.push_back([this, series = &kept[value]] {
        std::memcpy(slot(*series, now), series->value->data.data(), series->width * sizeof(double));
      });
  }
  return Error::success();
}

Expected<Kernel> Machine::compileOp(Operation* op) {
  using Result = Expected<Kernel>;
  return TypeSwitch<Operation*, Result>(op)
      .Case([&](ssm::InOp in) -> Result { return compileIn(in); })
      .Case([&](ssm::OutOp out) -> Result { return compileOut(out); })
      .Case([&](ssm::PrevOp prev) -> Result { return compilePrev(prev); })
      .Case([&](ssm::UpdateOp update) -> Result { return compileUpdate(update); })
      .Case([&](ssm::FoldOp fold) -> Result { return compileFold(fold); })
      .Default([&](Operation* op) -> Result {
        if (Kernel kernel = makeLabelKernel(op, buffers))
          return kernel;
        return makePointwiseKernel(op, buffers);
      });
}

//===-- Folds -------------------------------------------------------------------------------===//

void FoldLoop::begin() {
  for (Carried& value : carried)
    value.argument->data = value.init->data;
}

void FoldLoop::evaluate(int64_t step) {
  *position = reverse ? extent - 1 - step : step;
  for (const Kernel& kernel : body)
    kernel();
  for (const Stacked& value : stacked) {
    int64_t words = value.part->complex ? 2 : 1;
    value.nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i)
        for (int64_t word = 0; word < words; ++word)
          value.result
              ->data[(offsets[0] + i * steps[0] + *position * value.stride) * words + word] =
              value.part->data[(offsets[1] + i * steps[1]) * words + word];
    });
  }
}

void FoldLoop::advance() {
  for (Carried& value : carried)
    value.copy = value.next->data;
  for (Carried& value : carried)
    value.argument->data = value.copy;
}

void FoldLoop::end() {
  for (Carried& value : carried)
    value.result->data = value.argument->data;
}

Expected<std::unique_ptr<FoldLoop>> Machine::makeLoop(ssm::FoldOp fold) {
  auto loop = std::make_unique<FoldLoop>();
  for (Operation& op : fold.getBlock()->without_terminator()) {
    Expected<Kernel> kernel = compileOp(&op);
    if (!kernel)
      return kernel.takeError();
    loop->body.push_back(std::move(*kernel));
  }
  for (auto [index, yielded] : enumerate(fold.getYield().getValues())) {
    Buffer &next = buffers.get(yielded), &result = buffers.get(fold.getResult(index));
    if (index < fold.getNumCarried()) {
      Buffer& argument = buffers.get(fold.getBlock()->getArgument(index));
      loop->carried.push_back(
          {&buffers.get(fold.getInits()[index]), &argument, &next, &result, argument.data});
      continue;
    }
    auto type = cast<ssm::ArrayType>(fold.getResult(index).getType());
    unsigned axis = find(type.getAxes(), fold.getAxis()) - type.getAxes().begin();
    Nest nest = {next.extents, {{}, {}}};
    for (unsigned i = 0; i < next.extents.size(); ++i) {
      nest.strides[0].push_back(result.stride(i < axis ? i : i + 1));
      nest.strides[1].push_back(next.stride(i));
    }
    nest.collapse();
    loop->stacked.push_back({&next, &result, nest, result.stride(axis)});
  }
  loop->extent = buffers.extentOf(fold.getAxis());
  loop->reverse = fold.getReverse();
  loop->position = &buffers.position(fold);
  return loop;
}

Expected<Kernel> Machine::compileFold(ssm::FoldOp fold) {
  // A fold without state may be part of several passes.
  if (!folds.contains(fold)) {
    Expected<std::unique_ptr<FoldLoop>> made = makeLoop(fold);
    if (!made)
      return made.takeError();
    folds[fold] = std::move(*made);
  }
  return Kernel([loop = folds[fold].get()] {
    loop->begin();
    for (int64_t step = 0; step < loop->extent; ++step) {
      loop->evaluate(step);
      loop->advance();
    }
    loop->end();
  });
}

//===-- Memory ------------------------------------------------------------------------------===//

Kernel Machine::compileIn(ssm::InOp op) {
  const runtime::Array& array = arrays.operands.find(op.getName().str())->second;
  Buffer& buffer = buffers.get(op.getResult());
  View view = viewOf(op.getOrder(), op.getType());
  ssm::ArrayType type = op.getType();
  ssm::Scope scope = op.getScope();
  bool param = op.getParam();
  return [=, this, &array, &buffer] {
    load(array, rowOf(scope, param, indexOf(now)) * view.count, view, type, buffer.data.data());
  };
}

Kernel Machine::compileOut(ssm::OutOp op) {
  runtime::Array& array = arrays.outputs.find(op.getName().str())->second;
  Buffer& buffer = buffers.get(op.getValue());
  View view = viewOf(op.getOrder(), op.getValue().getType());
  return [=, this, &array, &buffer] {
    int64_t row = rowOf(ssm::Scope::Head, /*isParam=*/false, indexOf(now));
    store(buffer.data.data(), view, buffer.complex, array, row * view.count);
  };
}

Kernel Machine::compilePrev(ssm::PrevOp op) {
  Buffer& buffer = buffers.get(op.getResult());
  State& state = states[op.getState()];
  Offset by = offsetOf(op.getBy());
  return [=, this, &buffer, &state] {
    std::memcpy(buffer.data.data(), read(state, by), state.series.width * sizeof(double));
  };
}

Kernel Machine::compileUpdate(ssm::UpdateOp op) {
  State& state = states[op.getState()];
  return [this, &state] {
    std::memcpy(slot(state.series, now), state.series.value->data.data(),
                state.series.width * sizeof(double));
  };
}
