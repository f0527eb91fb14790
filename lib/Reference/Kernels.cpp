// Kernels of the pointwise ops, over f64 and complex128.
#include "Buffers.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;

//===-- Functions that the standard library lacks -------------------------------------------===//

static double max(double x, double y) {
  return std::isnan(x) || x > y ? x : y;
}
static double min(double x, double y) {
  return std::isnan(x) || x < y ? x : y;
}
static double softplus(double x) {
  return max(x, 0) + std::log1p(std::exp(-std::abs(x)));
}
static double sign(double x) {
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

static Complex softplus(Complex x) {
  return x.real() > 0 ? x + std::log(1.0 + std::exp(-x)) : std::log(1.0 + std::exp(x));
}
static Complex sign(Complex x) {
  return x == 0.0 ? x : x / std::abs(x);
}

//===-- Loops -------------------------------------------------------------------------------===//

template <typename T, typename F> static Kernel unary(Buffer& out, Buffer& in, F f) {
  using R = decltype(f(T()));
  return [=, &out, &in] {
    R* to = out.as<R>();
    T* from = in.as<T>();
    for (int64_t i = 0; i < out.count; ++i)
      to[i] = f(from[i]);
  };
}

template <typename X, typename Y, typename F>
static Kernel binary(Buffer& out, Buffer& lhs, Buffer& rhs, Nest nest, F f) {
  using R = decltype(f(X(), Y()));
  return [=, &out, &lhs, &rhs] {
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      R* to = out.as<R>() + offsets[0];
      X* x = lhs.as<X>() + offsets[1];
      Y* y = rhs.as<Y>() + offsets[2];
      // Along the last label each operand either moves with the result or stands.
      if (steps[1] == 1 && steps[2] == 1)
        for (int64_t i = 0; i < n; ++i)
          to[i] = f(x[i], y[i]);
      else if (steps[1] == 1)
        for (int64_t i = 0; i < n; ++i)
          to[i] = f(x[i], *y);
      else if (steps[2] == 1)
        for (int64_t i = 0; i < n; ++i)
          to[i] = f(*x, y[i]);
      else
        std::fill_n(to, n, f(*x, *y));
    });
  };
}

namespace {

/// Picks a loop by the operands' element types.
struct KernelBuilder {
  Operation* op;
  Buffers& buffers;

  Buffer& in(unsigned index) const { return buffers.get(op->getOperand(index)); }
  Buffer& out() const { return buffers.get(op->getResult(0)); }
  bool anyComplex() const {
    return any_of(op->getOperands(),
                  [&](mlir::Value operand) { return buffers.get(operand).complex; });
  }
  Error noComplex() const {
    return createStringError("'" + op->getName().getStringRef() +
                             "' is not defined for complex numbers");
  }

  template <typename F> Expected<Kernel> any(F f) const {
    return in(0).complex ? unary<Complex>(out(), in(0), f) : unary<double>(out(), in(0), f);
  }
  template <typename F> Expected<Kernel> real(F f) const {
    if (anyComplex())
      return noComplex();
    return unary<double>(out(), in(0), f);
  }
  template <typename F> Expected<Kernel> anyPair(F f) const {
    Nest nest = alignByLabel(op->getResult(0), op->getOperands(), buffers);
    bool x = in(0).complex, y = in(1).complex;
    return x ? (y ? binary<Complex, Complex>(out(), in(0), in(1), nest, f)
                  : binary<Complex, double>(out(), in(0), in(1), nest, f))
             : (y ? binary<double, Complex>(out(), in(0), in(1), nest, f)
                  : binary<double, double>(out(), in(0), in(1), nest, f));
  }
  template <typename F> Expected<Kernel> realPair(F f) const {
    if (anyComplex())
      return noComplex();
    return binary<double, double>(out(), in(0), in(1),
                                  alignByLabel(op->getResult(0), op->getOperands(), buffers), f);
  }
  Expected<Kernel> compare(ssm::CmpPredicate predicate) const;
  Kernel select() const;
  Expected<Kernel> cast() const;
};

} // namespace

Expected<Kernel> KernelBuilder::compare(ssm::CmpPredicate predicate) const {
  switch (predicate) {
  case ssm::CmpPredicate::lt:
    return realPair([](double x, double y) { return double(x < y); });
  case ssm::CmpPredicate::le:
    return realPair([](double x, double y) { return double(x <= y); });
  case ssm::CmpPredicate::gt:
    return realPair([](double x, double y) { return double(x > y); });
  case ssm::CmpPredicate::ge:
    return realPair([](double x, double y) { return double(x >= y); });
  case ssm::CmpPredicate::eq:
    return anyPair([](auto x, auto y) { return double(x == y); });
  case ssm::CmpPredicate::ne:
    return anyPair([](auto x, auto y) { return double(x != y); });
  }
  llvm_unreachable("all predicates are listed");
}

Kernel KernelBuilder::select() const {
  Nest nest = alignByLabel(op->getResult(0), op->getOperands(), buffers);
  Buffer &result = out(), &condition = in(0), &onTrue = in(1), &onFalse = in(2);
  return [=, &result, &condition, &onTrue, &onFalse] {
    auto load = [](Buffer& buffer, int64_t index) -> Complex {
      return buffer.complex ? buffer.as<Complex>()[index] : buffer.data[index];
    };
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i) {
        bool taken = condition.data[offsets[1] + i * steps[1]] != 0;
        Complex value = taken ? load(onTrue, offsets[2] + i * steps[2])
                              : load(onFalse, offsets[3] + i * steps[3]);
        if (result.complex)
          result.as<Complex>()[offsets[0] + i] = value;
        else
          result.data[offsets[0] + i] = value.real();
      }
    });
  };
}

Expected<Kernel> KernelBuilder::cast() const {
  ssm::ArrayType to = llvm::cast<ssm::ArrayType>(op->getResult(0).getType());
  if (to.isComplex())
    return any([](auto x) { return Complex(x); });
  if (to.isBool())
    return real([](double x) { return double(x != 0); });
  if (to.isReal())
    return real([](double x) { return x; });
  return real([](double x) { return std::trunc(x); });
}

Expected<Kernel> ssmc::reference::makePointwiseKernel(Operation* op, Buffers& buffers) {
  KernelBuilder build{op, buffers};
  using Result = Expected<Kernel>;
  return TypeSwitch<Operation*, Result>(op)
      .Case(
          [&](ssm::AddOp) -> Result { return build.anyPair([](auto x, auto y) { return x + y; }); })
      .Case(
          [&](ssm::SubOp) -> Result { return build.anyPair([](auto x, auto y) { return x - y; }); })
      .Case([&](ssm::MulOp) -> Result {
        return build.anyPair([](auto x, auto y) { return times(x, y); });
      })
      .Case(
          [&](ssm::DivOp) -> Result { return build.anyPair([](auto x, auto y) { return x / y; }); })
      .Case([&](ssm::PowOp) -> Result {
        return build.anyPair([](auto x, auto y) { return std::pow(x, y); });
      })
      .Case([&](ssm::MaxOp) -> Result {
        return build.realPair([](double x, double y) { return max(x, y); });
      })
      .Case([&](ssm::MinOp) -> Result {
        return build.realPair([](double x, double y) { return min(x, y); });
      })
      .Case([&](ssm::NegOp) -> Result { return build.any([](auto x) { return -x; }); })
      .Case([&](ssm::ExpOp) -> Result { return build.any([](auto x) { return std::exp(x); }); })
      .Case([&](ssm::LogOp) -> Result { return build.any([](auto x) { return std::log(x); }); })
      .Case([&](ssm::SqrtOp) -> Result { return build.any([](auto x) { return std::sqrt(x); }); })
      .Case([&](ssm::RsqrtOp) -> Result {
        return build.any([](auto x) { return 1.0 / std::sqrt(x); });
      })
      .Case([&](ssm::AbsOp) -> Result { return build.any([](auto x) { return std::abs(x); }); })
      .Case([&](ssm::SignOp) -> Result { return build.any([](auto x) { return sign(x); }); })
      .Case([&](ssm::SinOp) -> Result { return build.any([](auto x) { return std::sin(x); }); })
      .Case([&](ssm::CosOp) -> Result { return build.any([](auto x) { return std::cos(x); }); })
      .Case([&](ssm::TanhOp) -> Result { return build.any([](auto x) { return std::tanh(x); }); })
      .Case([&](ssm::SigmoidOp) -> Result { return build.any([](auto x) { return sigmoid(x); }); })
      .Case(
          [&](ssm::SoftplusOp) -> Result { return build.any([](auto x) { return softplus(x); }); })
      .Case([&](ssm::SiluOp) -> Result {
        return build.any([](auto x) { return times(x, sigmoid(x)); });
      })
      .Case([&](ssm::ReluOp) -> Result { return build.real([](double x) { return max(x, 0); }); })
      .Case([&](ssm::CisOp) -> Result {
        return build.any(
            [](auto x) { return Complex(std::cos(x)) + times(Complex(0, 1), std::sin(x)); });
      })
      .Case([&](ssm::ConjOp) -> Result {
        if (!buffers.get(op->getOperand(0)).complex)
          return build.real([](double x) { return x; });
        return unary<Complex>(build.out(), build.in(0), [](Complex x) { return std::conj(x); });
      })
      .Case([&](ssm::RealOp) -> Result { return build.any([](auto x) { return std::real(x); }); })
      .Case([&](ssm::ImagOp) -> Result { return build.any([](auto x) { return std::imag(x); }); })
      .Case([&](ssm::CmpOp cmp) -> Result { return build.compare(cmp.getPredicate()); })
      .Case([&](ssm::SelectOp) -> Result { return build.select(); })
      .Case([&](ssm::CastOp) -> Result { return build.cast(); })
      .Default([](Operation* op) -> Result {
        return createStringError("the reference does not know '" + op->getName().getStringRef() +
                                 "'");
      });
}
