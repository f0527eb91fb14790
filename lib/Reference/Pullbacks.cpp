// Pullbacks of the pointwise ops.
#include "Pullbacks.h"
#include "Arguments.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <type_traits>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;

//===-- Numbers -----------------------------------------------------------------------------===//

static double conjugate(double x) {
  return x;
}
static Complex conjugate(Complex x) {
  return std::conj(x);
}

/// A real number takes the real part.
static void add(double& to, double g) {
  to += g;
}
static void add(double& to, Complex g) {
  to += g.real();
}
template <typename G> static void add(Complex& to, G g) {
  to += g;
}

template <typename To, typename Partial, typename G>
static void pull(To& to, Partial partial, G g) {
  if (g != 0.0)
    add(to, times(conjugate(partial), g));
}

/// 1 - tanh(x)^2, which cancels for large x.
static double slopeOfTanh(double x, double) {
  double secant = 1 / std::cosh(x);
  return secant * secant;
}
static Complex slopeOfTanh(Complex, Complex z) {
  return 1.0 - z * z;
}

template <typename X, typename Y>
using Result =
    std::conditional_t<std::is_same_v<X, Y> && std::is_same_v<X, double>, double, Complex>;

/// y x^(y - 1); x^0 is 1 for every x, so that its derivative by x is 0 even at 0.
template <typename X, typename Y> static Result<X, Y> powByBase(X x, Y y) {
  return y == 0.0 ? 0.0 : times(y, std::pow(x, y - 1.0));
}

/// x^y log x; 0^y is 0 for every y > 0.
template <typename X, typename Y> static Result<X, Y> powByExponent(X x, Result<X, Y> z) {
  return x == 0.0 ? 0.0 : times(z, std::log(Result<X, Y>(x)));
}

//===-- Loops -------------------------------------------------------------------------------===//

namespace {

/// Picks a loop by the element types of operands and result.
struct PullbackBuilder {
  Operation* op;
  Buffers& values;
  Buffers& cotangents;

  Buffer& value(unsigned index) const { return values.get(op->getOperand(index)); }
  Buffer& bar(unsigned index) const { return cotangents.get(op->getOperand(index)); }
  Buffer& result() const { return values.get(op->getResult(0)); }
  Buffer& resultBar() const { return cotangents.get(op->getResult(0)); }
  bool isComplex(unsigned index) const { return value(index).complex; }

  /// Of a function of one operand: `partial(x, z)`.
  template <typename X, typename Z, typename F> Kernel unary(F partial) const {
    Buffer &x = value(0), &z = result(), &xBar = bar(0), &zBar = resultBar();
    return [=, &x, &z, &xBar, &zBar] {
      for (int64_t i = 0; i < x.count; ++i)
        pull(xBar.as<X>()[i], partial(x.as<X>()[i], z.as<Z>()[i]), zBar.as<Z>()[i]);
    };
  }
  template <typename F> Kernel same(F partial) const {
    return isComplex(0) ? unary<Complex, Complex>(partial) : unary<double, double>(partial);
  }

  /// Of a function that is linear over the reals: `transpose(g)`.
  template <typename X, typename Z, typename F> Kernel linear(F transpose) const {
    Buffer &xBar = bar(0), &zBar = resultBar();
    return [=, &xBar, &zBar] {
      for (int64_t i = 0; i < xBar.count; ++i)
        add(xBar.as<X>()[i], transpose(zBar.as<Z>()[i]));
    };
  }
  /// The transpose is the embedding of the reals, or the real part.
  Kernel passOn() const {
    auto same = [](auto g) { return g; };
    bool z = result().complex;
    return isComplex(0) ? (z ? linear<Complex, Complex>(same) : linear<Complex, double>(same))
                        : (z ? linear<double, Complex>(same) : linear<double, double>(same));
  }

  /// Of a function of two operands: `byX(x, y, z)` and `byY(x, y, z)`.
  template <typename X, typename Y, typename FX, typename FY> Kernel binary(FX byX, FY byY) const {
    using Z = Result<X, Y>;
    Nest nest = alignByLabel(op->getResult(0), op->getOperands(), values);
    Buffer &x = value(0), &y = value(1), &z = result();
    Buffer &xBar = bar(0), &yBar = bar(1), &zBar = resultBar();
    return [=, &x, &y, &z, &xBar, &yBar, &zBar] {
      nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
        for (int64_t i = 0; i < n; ++i) {
          int64_t atZ = offsets[0] + i * steps[0], atX = offsets[1] + i * steps[1],
                  atY = offsets[2] + i * steps[2];
          X xi = x.as<X>()[atX];
          Y yi = y.as<Y>()[atY];
          Z zi = z.as<Z>()[atZ], g = zBar.as<Z>()[atZ];
          pull(xBar.as<X>()[atX], byX(xi, yi, zi), g);
          pull(yBar.as<Y>()[atY], byY(xi, yi, zi), g);
        }
      });
    };
  }
  template <typename FX, typename FY> Kernel pair(FX byX, FY byY) const {
    return isComplex(0) ? (isComplex(1) ? binary<Complex, Complex>(byX, byY)
                                        : binary<Complex, double>(byX, byY))
                        : (isComplex(1) ? binary<double, Complex>(byX, byY)
                                        : binary<double, double>(byX, byY));
  }

  Expected<Kernel> order(bool largest) const;
  Kernel select() const;
};

} // namespace

/// The operand that is the result takes all; two that tie take half each.
Expected<Kernel> PullbackBuilder::order(bool largest) const {
  if (isComplex(0) || isComplex(1))
    return createStringError("'" + op->getName().getStringRef() +
                             "' is not defined for complex numbers");
  Nest nest = alignByLabel(op->getResult(0), op->getOperands(), values);
  Buffer &x = value(0), &y = value(1), &xBar = bar(0), &yBar = bar(1), &zBar = resultBar();
  return Kernel([=, &x, &y, &xBar, &yBar, &zBar] {
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i) {
        int64_t atX = offsets[1] + i * steps[1], atY = offsets[2] + i * steps[2];
        double g = zBar.data[offsets[0] + i * steps[0]];
        double xi = x.data[atX], yi = y.data[atY];
        if (xi == yi) {
          xBar.data[atX] += g / 2;
          yBar.data[atY] += g / 2;
        } else if (largest ? xi > yi : xi < yi) {
          xBar.data[atX] += g;
        } else if (largest ? xi < yi : xi > yi) {
          yBar.data[atY] += g;
        }
      }
    });
  });
}

/// All goes to the value that was taken.
Kernel PullbackBuilder::select() const {
  Nest nest = alignByLabel(op->getResult(0), op->getOperands(), values);
  Buffer &condition = value(0), &zBar = resultBar(), &onTrue = bar(1), &onFalse = bar(2);
  return [=, &condition, &zBar, &onTrue, &onFalse] {
    nest.run([&](ArrayRef<int64_t> offsets, int64_t n, ArrayRef<int64_t> steps) {
      for (int64_t i = 0; i < n; ++i) {
        int64_t from = offsets[0] + i * steps[0];
        Complex g = zBar.complex ? zBar.as<Complex>()[from] : zBar.data[from];
        unsigned taken = condition.data[offsets[1] + i * steps[1]] != 0 ? 2 : 3;
        int64_t to = offsets[taken] + i * steps[taken];
        Buffer& operand = taken == 2 ? onTrue : onFalse;
        if (operand.complex)
          operand.as<Complex>()[to] += g;
        else
          operand.data[to] += g.real();
      }
    });
  };
}

Expected<Kernel> ssmc::reference::makePullback(Operation* op, Buffers& values,
                                               Buffers& cotangents) {
  if (Kernel kernel = makeLabelPullback(op, values, cotangents))
    return kernel;
  PullbackBuilder build{op, values, cotangents};
  using Made = Expected<Kernel>;
  return TypeSwitch<Operation*, Made>(op)
      // Nothing flows back through what is constant in steps.
      .Case<ssm::ConstantOp, ssm::CmpOp, ssm::SignOp>([](auto) -> Made { return Kernel(); })
      .Case([&](ssm::AddOp) -> Made {
        auto one = [](auto, auto, auto) { return 1.0; };
        return build.pair(one, one);
      })
      .Case([&](ssm::SubOp) -> Made {
        return build.pair([](auto, auto, auto) { return 1.0; },
                          [](auto, auto, auto) { return -1.0; });
      })
      .Case([&](ssm::MulOp) -> Made {
        return build.pair([](auto, auto y, auto) { return y; },
                          [](auto x, auto, auto) { return x; });
      })
      .Case([&](ssm::DivOp) -> Made {
        return build.pair([](auto, auto y, auto) { return 1.0 / y; },
                          [](auto, auto y, auto z) { return -z / y; });
      })
      .Case([&](ssm::PowOp) -> Made {
        return build.pair(
            [](auto x, auto y, auto) { return powByBase(x, y); },
            [](auto x, auto y, auto z) { return powByExponent<decltype(x), decltype(y)>(x, z); });
      })
      .Case([&](ssm::MaxOp) -> Made { return build.order(/*largest=*/true); })
      .Case([&](ssm::MinOp) -> Made { return build.order(/*largest=*/false); })
      .Case([&](ssm::NegOp) -> Made { return build.same([](auto, auto) { return -1.0; }); })
      .Case([&](ssm::ExpOp) -> Made { return build.same([](auto, auto z) { return z; }); })
      .Case([&](ssm::LogOp) -> Made { return build.same([](auto x, auto) { return 1.0 / x; }); })
      .Case([&](ssm::SqrtOp) -> Made { return build.same([](auto, auto z) { return 0.5 / z; }); })
      .Case([&](ssm::RsqrtOp) -> Made {
        return build.same([](auto x, auto z) { return -0.5 * z / x; });
      })
      .Case(
          [&](ssm::SinOp) -> Made { return build.same([](auto x, auto) { return std::cos(x); }); })
      .Case(
          [&](ssm::CosOp) -> Made { return build.same([](auto x, auto) { return -std::sin(x); }); })
      .Case([&](ssm::TanhOp) -> Made {
        return build.same([](auto x, auto z) { return slopeOfTanh(x, z); });
      })
      .Case([&](ssm::SigmoidOp) -> Made {
        return build.same([](auto x, auto z) { return times(z, sigmoid(-x)); });
      })
      .Case([&](ssm::SoftplusOp) -> Made {
        return build.same([](auto x, auto) { return sigmoid(x); });
      })
      .Case([&](ssm::SiluOp) -> Made {
        return build.same([](auto x, auto z) { return sigmoid(x) + times(z, sigmoid(-x)); });
      })
      .Case([&](ssm::ReluOp) -> Made {
        return build.unary<double, double>([](double x, double) { return double(x > 0); });
      })
      .Case([&](ssm::AbsOp) -> Made {
        if (!build.isComplex(0))
          return build.unary<double, double>(
              [](double x, double) { return double(x > 0) - double(x < 0); });
        // Not holomorphic, d|x| = Re(conj(x) dx) / |x|: conj(x) / |x| stands for the derivative.
        return build.unary<Complex, double>(
            [](Complex x, double z) { return z > 0 ? std::conj(x) / z : 0.0; });
      })
      .Case([&](ssm::CisOp) -> Made {
        auto turned = [](auto, Complex z) { return times(Complex(0, 1), z); };
        return build.isComplex(0) ? build.unary<Complex, Complex>(turned)
                                  : build.unary<double, Complex>(turned);
      })
      .Case([&](ssm::ConjOp) -> Made {
        auto conj = [](auto g) { return conjugate(g); };
        return build.isComplex(0) ? build.linear<Complex, Complex>(conj)
                                  : build.linear<double, double>(conj);
      })
      .Case([&](ssm::RealOp) -> Made { return build.passOn(); })
      .Case([&](ssm::ImagOp) -> Made {
        if (!build.isComplex(0))
          return Kernel();
        return build.linear<Complex, double>([](double g) { return Complex(0, g); });
      })
      .Case([&](ssm::SelectOp) -> Made { return build.select(); })
      .Case([&](ssm::CastOp cast) -> Made {
        bool passes =
            hasGradient(cast.getOperand().getType()) && hasGradient(cast.getResult().getType());
        return passes ? build.passOn() : Kernel();
      })
      .Default([](Operation* op) -> Made {
        return createStringError("the reference has no derivative of '" +
                                 op->getName().getStringRef() + "'");
      });
}
