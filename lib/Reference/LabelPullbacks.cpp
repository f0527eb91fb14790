// Pullbacks of the ops that change labels: copies and sums in the opposite direction.
#include "Pullbacks.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;

/// Each element of the operand gets what the elements made of it got. `base` is where the part of
/// the operand begins that the op reads.
template <typename T>
static Kernel addBack(Buffer& result, Buffer& operand, Nest nest, std::function<int64_t()> base) {
  return [=, &result, &operand] {
    T *from = result.as<T>(), *to = operand.as<T>() + base();
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i)
        to[offsets[1] + i * steps[1]] += from[offsets[0] + i * steps[0]];
    });
  };
}

/// The elements that are the maximum share its cotangent equally.
static Kernel shareAmongLargest(ssm::MaximumOp op, Buffers& values, Buffers& cotangents) {
  Buffer &x = values.get(op.getOperand()), &z = values.get(op.getResult());
  Buffer &xBar = cotangents.get(op.getOperand()), &zBar = cotangents.get(op.getResult());
  Nest nest = resultAndOperand(op, values);
  return [=, &x, &z, &xBar, &zBar] {
    auto eachLargest = [&](auto visit) {
      nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
        for (int64_t i = 0; i < n; ++i) {
          int64_t result = offsets[0] + i * steps[0], operand = offsets[1] + i * steps[1];
          if (x.data[operand] == z.data[result])
            visit(result, operand);
        }
      });
    };
    std::vector<double> ties(z.count);
    eachLargest([&](int64_t result, int64_t) { ++ties[result]; });
    eachLargest([&](int64_t result, int64_t operand) {
      xBar.data[operand] += zBar.data[result] / ties[result];
    });
  };
}

Kernel ssmc::reference::makeLabelPullback(Operation* op, Buffers& values, Buffers& cotangents) {
  auto moveBack = [&](std::function<int64_t()> base = [] { return 0; }) {
    Buffer& result = cotangents.get(op->getResult(0));
    Buffer& operand = cotangents.get(op->getOperand(0));
    Nest nest = resultAndOperand(op, values);
    return result.complex ? addBack<Complex>(result, operand, nest, base)
                          : addBack<double>(result, operand, nest, base);
  };
  return TypeSwitch<Operation*, Kernel>(op)
      .Case<ssm::SumOp, ssm::RelabelOp, ssm::BroadcastOp>([&](auto) { return moveBack(); })
      .Case([&](ssm::MaximumOp maximum) { return shareAmongLargest(maximum, values, cotangents); })
      .Case([&](ssm::AtOp at) {
        int64_t& position = values.position(foldOf(at));
        int64_t stride = strideOf(at, values);
        return moveBack([=, &position] { return position * stride; });
      })
      .Default([](Operation*) { return Kernel(); });
}
