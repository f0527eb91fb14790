// Setting up, reading and writing memory, and walking the steps.
#include "Machine.h"
#include "ssmc/Runtime/Convert.h"

#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

static Offset stepsOf(const Sizes& sizes) {
  return sizes.time.size() == 1 ? Offset{1, sizes.time[0]} : Offset{sizes.time[0], sizes.time[1]};
}

int64_t ssmc::reference::depthOf(const StatePlan& plan, Direction direction, Offset steps) {
  int64_t all = steps[0] * steps[1];
  if (plan.keepAll)
    return all;
  int64_t furthest = plan.history;
  unsigned outer = direction.columnsFirst ? 1 : 0, inner = 1 - outer;
  for (Offset by : plan.reads)
    furthest = std::max(furthest, direction.sign[outer] * by[outer] * steps[inner] +
                                      direction.sign[inner] * by[inner]);
  return std::min(all, furthest + 1);
}

Machine::Machine(ssm::RecurrenceOp recurrence, const Schedule& schedule, const Sizes& sizes,
                 Arrays arrays)
    : recurrence(recurrence), schedule(schedule), sizes(sizes), arrays(arrays),
      buffers(recurrence, sizes), steps(stepsOf(sizes)) {}

Expected<std::unique_ptr<Machine>> Machine::create(ssm::RecurrenceOp recurrence,
                                                   const Schedule& schedule, const Sizes& sizes,
                                                   Arrays arrays) {
  std::unique_ptr<Machine> machine(new Machine(recurrence, schedule, sizes, arrays));
  if (Error error = machine->compile())
    return error;
  return machine;
}

double ssmc::reference::bytesPerStep(mlir::Type type, ssm::RecurrenceOp recurrence,
                                     const Sizes& sizes) {
  auto array = cast<ssm::ArrayType>(type);
  double bytes = array.isComplex() ? 16 : 8;
  for (ssm::AxisAttr axis : array.getAxes())
    bytes *= double(cantFail(extentOf(axis, recurrence, sizes)));
  return bytes;
}

double Machine::bytesNeeded(ssm::RecurrenceOp recurrence, const Schedule& schedule,
                            const Sizes& sizes) {
  auto bytesOf = [&](mlir::Type type) { return bytesPerStep(type, recurrence, sizes); };
  double bytes = 0, all = 1;
  for (int64_t extent : sizes.time)
    all *= double(extent);
  recurrence.getBody().walk([&](Operation* op) {
    for (Value result : op->getResults())
      bytes += bytesOf(result.getType());
    for (mlir::Region& region : op->getRegions())
      for (Value argument : region.getArguments())
        bytes += bytesOf(argument.getType());
  });
  for (const Pass& pass : schedule.passes)
    for (Value value : pass.stores)
      bytes += all * bytesOf(value.getType());
  for (auto& [name, plan] : schedule.states) {
    ssm::StateOp declaration = plan.declaration;
    double depth = all <= 1e15
                       ? double(depthOf(plan, schedule.passes[plan.pass].direction, stepsOf(sizes)))
                       : all;
    bytes += (depth + double(plan.history) + 1) * bytesOf(declaration.getType());
  }
  return bytes;
}

//===-- Memory ------------------------------------------------------------------------------===//

Machine::View Machine::viewOf(mlir::ArrayAttr order, ssm::ArrayType type) {
  Buffer buffer = buffers.shapeOf(type);
  View view;
  view.count = buffer.count;
  view.nest.strides.resize(2);
  SmallVector<int64_t, 4> buffered;
  for (StringRef label : ssm::strings(order)) {
    unsigned axis = find(type.getAxes(), type.find(label)) - type.getAxes().begin();
    view.nest.extents.push_back(buffer.extents[axis]);
    view.nest.strides[1].push_back(buffer.stride(axis));
  }
  Buffer memory;
  memory.extents = view.nest.extents;
  for (unsigned axis = 0; axis < memory.extents.size(); ++axis)
    view.nest.strides[0].push_back(memory.stride(axis));
  view.nest.collapse();
  view.isSameOrder = view.nest.extents.size() == 1;
  return view;
}

void Machine::load(const runtime::Array& array, int64_t offset, const View& view,
                   ssm::ArrayType type, double* to) {
  bool complex = type.isComplex(), widen = complex && !runtime::isComplex(array.getDType());
  const char* from =
      static_cast<const char*>(array.getData()) + offset * byteWidth(array.getDType());
  int64_t words = complex ? 2 : 1;
  scratch.resize(std::max<size_t>(scratch.size(), view.count * words));
  double* values = view.isSameOrder ? to : scratch.data();
  runtime::toDoubles(array.getDType(), from, view.count, values);
  if (widen)
    for (int64_t i = view.count; i-- > 0;) {
      values[2 * i] = values[i];
      values[2 * i + 1] = 0;
    }
  if (type.isBool())
    for (int64_t i = 0; i < view.count; ++i)
      values[i] = values[i] != 0;
  if (view.isSameOrder)
    return;
  view.nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> strides) {
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(to + (offsets[1] + i * strides[1]) * words,
                  values + (offsets[0] + i * strides[0]) * words, words * sizeof(double));
  });
}

void Machine::store(const double* from, const View& view, bool complex, runtime::Array& array,
                    int64_t offset) {
  int64_t words = complex ? 2 : 1;
  double* to = static_cast<double*>(array.getData()) + offset * words;
  view.nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> strides) {
    for (int64_t i = 0; i < n; ++i)
      std::memcpy(to + (offsets[0] + i * strides[0]) * words,
                  from + (offsets[1] + i * strides[1]) * words, words * sizeof(double));
  });
}

int64_t Machine::visitOf(Offset at) const {
  for (unsigned axis : {0u, 1u})
    if (direction->sign[axis] < 0)
      at[axis] = steps[axis] - 1 - at[axis];
  return direction->columnsFirst ? at[1] * steps[0] + at[0] : at[0] * steps[1] + at[1];
}

double* Machine::slot(Series& series, Offset at) {
  int64_t index = series.all ? indexOf(at) : visitOf(at) % series.depth;
  return series.steps.data() + index * series.width;
}

int64_t Machine::rowOf(ssm::Scope scope, bool isParam, int64_t step) const {
  int64_t row = isParam ? 0 : batch * steps[0] * steps[1] + step;
  if (scope == ssm::Scope::Head)
    return row * sizes.heads + head;
  if (scope == ssm::Scope::Group)
    return row * sizes.groups + head * sizes.groups / sizes.heads;
  return row;
}

double* Machine::read(State& state, Offset by) {
  Offset at = {now[0] - by[0], now[1] - by[1]};
  if (at[0] >= 0 && at[0] < steps[0] && at[1] >= 0 && at[1] < steps[1])
    return slot(state.series, at);
  int64_t outside = by[1] > 0 ? -at[1] : at[1] - steps[1] + 1;
  if (sizes.time.size() == 1 && state.plan->reversed == (by[1] < 0))
    return state.outside(outside);
  return state.initial.data();
}

double* Machine::result(State& state, int64_t number) {
  // Steps outside the sequence are those of the history, further out.
  if (number > steps[1])
    return state.outside(number - steps[1]);
  direction = &schedule.passes[state.plan->pass].direction;
  return slot(state.series, {0, state.plan->reversed ? number - 1 : steps[1] - number});
}

//===-- One item ----------------------------------------------------------------------------===//

Nest Machine::initialNest(ssm::StateOp declaration) {
  auto type = cast<ssm::ArrayType>(declaration.getType());
  Value init = declaration.getInit();
  Buffer shape = buffers.shapeOf(type);
  Nest nest = {shape.extents, {{}, {}}};
  auto axes = cast<ssm::ArrayType>(init.getType()).getAxes();
  for (auto [index, axis] : enumerate(type.getAxes())) {
    nest.strides[0].push_back(shape.stride(index));
    nest.strides[1].push_back(
        is_contained(axes, axis) ? buffers.get(init).stride(find(axes, axis) - axes.begin()) : 0);
  }
  nest.collapse();
  return nest;
}

/// Sets what lies outside the sequence: the given states, else initial values, else zero.
void Machine::beginStates() {
  for (auto& [name, plan] : schedule.states) {
    State& state = states[name];
    ssm::StateOp declaration = plan.declaration;
    auto type = cast<ssm::ArrayType>(declaration.getType());
    std::fill(state.initial.begin(), state.initial.end(), 0.0);
    if (Value init = declaration.getInit()) {
      Buffer& value = buffers.get(init);
      int64_t words = type.isComplex() ? 2 : 1, given = value.complex ? 2 : 1;
      initialNest(declaration)
          .run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> strides) {
            for (int64_t i = 0; i < n; ++i)
              std::memcpy(&state.initial[(offsets[0] + i * strides[0]) * words],
                          &value.data[(offsets[1] + i * strides[1]) * given],
                          std::min(words, given) * sizeof(double));
          });
    }
    View view = viewOf(declaration.getOrder(), type);
    for (int64_t number = 1; number <= plan.history; ++number) {
      auto it = arrays.givenStates.find(stateName(name, number));
      if (it == arrays.givenStates.end())
        std::copy(state.initial.begin(), state.initial.end(), state.outside(number));
      else
        load(it->second, itemRow() * view.count, view, type, state.outside(number));
    }
  }
}

void Machine::endStates() {
  if (sizes.time.size() != 1)
    return;
  for (auto& [name, plan] : schedule.states) {
    State& state = states[name];
    ssm::StateOp declaration = plan.declaration;
    View view = viewOf(declaration.getOrder(), cast<ssm::ArrayType>(declaration.getType()));
    for (int64_t number = 1; number <= plan.history; ++number)
      store(result(state, number), view, state.series.value->complex,
            arrays.states.find(stateName(name, number))->second, itemRow() * view.count);
  }
}

void Machine::walk(const Direction& order, bool backwards, function_ref<void()> visit) {
  direction = &order;
  unsigned outer = order.columnsFirst ? 1 : 0, inner = 1 - outer;
  auto place = [&](unsigned axis, int64_t visited) {
    return (order.sign[axis] > 0) != backwards ? visited : steps[axis] - 1 - visited;
  };
  for (int64_t row = 0; row < steps[outer]; ++row)
    for (int64_t column = 0; column < steps[inner]; ++column) {
      now[outer] = place(outer, row);
      now[inner] = place(inner, column);
      visit();
    }
}

void Machine::run(int64_t itemBatch, int64_t itemHead) {
  batch = itemBatch;
  head = itemHead;
  for (const Kernel& kernel : invariant)
    kernel();
  beginStates();
  for (auto [pass, kernels] : zip(schedule.passes, passes))
    walk(pass.direction, /*backwards=*/false, [&kernels = kernels] {
      for (const Kernel& kernel : kernels)
        kernel();
    });
  endStates();
}
