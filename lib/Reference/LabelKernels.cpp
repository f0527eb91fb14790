// Kernels of the ops that change labels, and the buffers themselves.
#include "Buffers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

//===-- Buffers -----------------------------------------------------------------------------===//

int64_t Buffer::stride(unsigned axis) const {
  int64_t stride = 1;
  for (int64_t extent : ArrayRef(extents).drop_front(axis + 1))
    stride *= extent;
  return stride;
}

int64_t Buffers::extentOf(ssm::AxisAttr axis) const {
  // Sizes were checked before any buffer was made.
  return cantFail(reference::extentOf(axis, recurrence, sizes));
}

Buffer Buffers::shapeOf(ssm::ArrayType type) const {
  Buffer buffer;
  buffer.complex = type.isComplex();
  buffer.count = 1;
  for (ssm::AxisAttr axis : type.getAxes()) {
    buffer.extents.push_back(extentOf(axis));
    buffer.count *= buffer.extents.back();
  }
  return buffer;
}

Buffer& Buffers::get(Value value) {
  std::unique_ptr<Buffer>& buffer = buffers[value];
  if (!buffer) {
    buffer = std::make_unique<Buffer>(shapeOf(cast<ssm::ArrayType>(value.getType())));
    buffer->data.resize(buffer->count * (buffer->complex ? 2 : 1));
  }
  return *buffer;
}

int64_t& Buffers::position(Operation* fold) {
  std::unique_ptr<int64_t>& position = positions[fold];
  if (!position)
    position = std::make_unique<int64_t>(0);
  return *position;
}

//===-- Nests -------------------------------------------------------------------------------===//

void Nest::collapse() {
  auto erase = [&](size_t loop) {
    extents.erase(extents.begin() + loop);
    for (auto& operand : strides)
      operand.erase(operand.begin() + loop);
  };
  for (size_t loop = extents.size(); loop-- > 0;)
    if (extents[loop] == 1)
      erase(loop);
  for (size_t loop = extents.size(); loop-- > 1;) {
    bool joined = all_of(
        strides, [&](auto& operand) { return operand[loop - 1] == operand[loop] * extents[loop]; });
    if (!joined)
      continue;
    extents[loop] *= extents[loop - 1];
    erase(loop - 1);
  }
  if (!extents.empty())
    return;
  extents.push_back(1);
  for (auto& operand : strides)
    operand.push_back(1);
}

/// The strides of a value for loops over the axes of `type`, by label.
static SmallVector<int64_t, 4> stridesOver(ssm::ArrayType type, Value value, Buffers& buffers) {
  const Buffer& buffer = buffers.get(value);
  ArrayRef<ssm::AxisAttr> axes = cast<ssm::ArrayType>(value.getType()).getAxes();
  SmallVector<int64_t, 4> strides;
  for (ssm::AxisAttr axis : type.getAxes()) {
    auto it = find_if(axes, [&](ssm::AxisAttr mine) { return mine.getName() == axis.getName(); });
    strides.push_back(it == axes.end() ? 0 : buffer.stride(it - axes.begin()));
  }
  return strides;
}

Nest ssmc::reference::alignByLabel(Value result, mlir::ValueRange operands, Buffers& buffers) {
  auto type = cast<ssm::ArrayType>(result.getType());
  Nest nest;
  nest.extents = buffers.get(result).extents;
  nest.strides.push_back(stridesOver(type, result, buffers));
  for (Value operand : operands)
    nest.strides.push_back(stridesOver(type, operand, buffers));
  nest.collapse();
  return nest;
}

static Nest nestOfRelabel(ssm::RelabelOp op, Buffers& buffers) {
  Buffer &in = buffers.get(op.getOperand()), &out = buffers.get(op.getResult());
  SmallVector<StringRef> from = ssm::strings(op.getFrom()), to = ssm::strings(op.getTo());
  ArrayRef<ssm::AxisAttr> axes = op.getType().getAxes();
  Nest nest;
  nest.extents = out.extents;
  nest.strides = {stridesOver(op.getType(), op.getResult(), buffers),
                  SmallVector<int64_t, 4>(out.extents.size(), 0)};
  // Axes that become one move together: along the diagonal.
  for (auto [index, axis] : enumerate(op.getOperand().getType().getAxes())) {
    auto renamed = find(from, axis.getName());
    StringRef name = renamed == from.end() ? axis.getName() : to[renamed - from.begin()];
    auto target = find_if(axes, [&](ssm::AxisAttr other) { return other.getName() == name; });
    nest.strides[1][target - axes.begin()] += in.stride(index);
  }
  nest.collapse();
  return nest;
}

Nest ssmc::reference::resultAndOperand(Operation* op, Buffers& buffers) {
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op))
    return nestOfRelabel(relabel, buffers);
  Value operand = op->getOperand(0), result = op->getResult(0);
  if (!isa<ssm::SumOp, ssm::MaximumOp>(op))
    return alignByLabel(result, operand, buffers);
  auto type = cast<ssm::ArrayType>(operand.getType());
  Nest nest;
  nest.extents = buffers.get(operand).extents;
  nest.strides = {stridesOver(type, result, buffers), stridesOver(type, operand, buffers)};
  nest.collapse();
  return nest;
}

ssm::FoldOp ssmc::reference::foldOf(ssm::AtOp at) {
  ssm::AxisAttr axis = at.getOperand().getType().find(at.getLabel());
  auto fold = at->getParentOfType<ssm::FoldOp>();
  while (fold.getAxis() != axis)
    fold = fold->getParentOfType<ssm::FoldOp>();
  return fold;
}

int64_t ssmc::reference::strideOf(ssm::AtOp at, Buffers& buffers) {
  ssm::ArrayType type = at.getOperand().getType();
  ssm::AxisAttr axis = type.find(at.getLabel());
  return buffers.get(at.getOperand()).stride(find(type.getAxes(), axis) - type.getAxes().begin());
}

//===-- Kernels -----------------------------------------------------------------------------===//

/// Copies elements; operand 0 is the result, operand 1 starts at *base.
template <typename T>
static Kernel
copy(Buffer& out, Buffer& in, Nest nest, std::function<int64_t()> base = [] { return 0; }) {
  return [=, &out, &in] {
    T *to = out.as<T>(), *from = in.as<T>() + base();
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i)
        to[offsets[0] + i * steps[0]] = from[offsets[1] + i * steps[1]];
    });
  };
}

static Kernel
copyAny(Buffer& out, Buffer& in, Nest nest, std::function<int64_t()> base = [] { return 0; }) {
  return out.complex ? copy<Complex>(out, in, nest, base) : copy<double>(out, in, nest, base);
}

/// Combines all elements that differ in the removed labels alone, in ascending order.
template <typename T, typename Combine>
static Kernel reduce(Operation* op, Buffers& buffers, T start, Combine combine) {
  Buffer &in = buffers.get(op->getOperand(0)), &out = buffers.get(op->getResult(0));
  Nest nest = resultAndOperand(op, buffers);
  return [=, &in, &out] {
    T *to = out.as<T>(), *from = in.as<T>();
    std::fill_n(to, out.count, start);
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      T *a = to + offsets[0], *b = from + offsets[1];
      if (steps[0] == 1 && steps[1] == 1) {
        for (int64_t i = 0; i < n; ++i)
          a[i] = combine(a[i], b[i]);
        return;
      }
      if (steps[0] == 0) {
        T total = *a;
        for (int64_t i = 0; i < n; ++i)
          total = combine(total, b[i * steps[1]]);
        *a = total;
        return;
      }
      for (int64_t i = 0; i < n; ++i)
        a[i * steps[0]] = combine(a[i * steps[0]], b[i * steps[1]]);
    });
  };
}

Kernel ssmc::reference::makeLabelKernel(Operation* op, Buffers& buffers) {
  return TypeSwitch<Operation*, Kernel>(op)
      .Case([&](ssm::ConstantOp constant) {
        double value = constant.getValue().convertToDouble();
        Buffer& out = buffers.get(constant.getResult());
        return [=, &out] { out.data[0] = value; };
      })
      .Case([&](ssm::SumOp sum) {
        auto add = [](auto a, auto b) { return a + b; };
        return sum.getType().isComplex() ? reduce<Complex>(op, buffers, 0.0, add)
                                         : reduce<double>(op, buffers, 0.0, add);
      })
      .Case([&](ssm::MaximumOp) {
        return reduce<double>(op, buffers, -std::numeric_limits<double>::infinity(),
                              [](double a, double b) { return std::isnan(a) || a > b ? a : b; });
      })
      .Case<ssm::RelabelOp, ssm::BroadcastOp>([&](auto) {
        return copyAny(buffers.get(op->getResult(0)), buffers.get(op->getOperand(0)),
                       resultAndOperand(op, buffers));
      })
      .Case([&](ssm::AtOp at) {
        int64_t& position = buffers.position(foldOf(at));
        int64_t stride = strideOf(at, buffers);
        return copyAny(buffers.get(at.getResult()), buffers.get(at.getOperand()),
                       resultAndOperand(at, buffers), [=, &position] { return position * stride; });
      })
      .Default([](Operation*) { return Kernel(); });
}
