// An adjoint is a form like any other, so it has an adjoint. What that computes, on the CPU in f32,
// is compared with differences of the f64 reference's gradient.
//
// For a loss L and a direction u of its operands let G(x) = <u, grad L(x)>. The adjoint takes (x,
// d:o) to grad L, `d:x`; its adjoint takes the cotangents `d2:d:x` = u to grad G, `d2:x`. Along a
// direction v that is <grad G, v> = (G(x + h v) - G(x - h v)) / 2h.
#include "Check.h"
#include "Kernels.h"

#include "ssmc/Frontend/Import.h"
#include "ssmc/Reference/Gradient.h"
#include "ssmc/Runtime/Random.h"

#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SourceMgr.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using namespace ssmc::test;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

namespace {

/// A recurrence of the zoo on one sequence and head, so that a gradient of a head is the gradient.
class SecondDerivative {
public:
  explicit SecondDerivative(StringRef name);
  void check(Form form, std::optional<int64_t> chunk);

private:
  Array normalLike(const Array& array, const Twine& name);
  /// <u, grad L> where an operand or state is moved by h times a direction.
  double derivativeAt(StringRef moved, bool isState, const Array& direction, double h);
  void compare(StringRef moved, bool isState, const Array& gradient);

  SourceMgr sources;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  ssm::RecurrenceOp declared;
  Signature signature;
  Inputs inputs; ///< x, the states before the first step, and d:o and d:S
  ArrayMap u, uOfStates;
};

} // namespace

SecondDerivative::SecondDerivative(StringRef name) {
  sources.AddNewSourceBuffer(
      std::move(*MemoryBuffer::getFile(SSMC_SOURCE_DIR "/zoo/" + name + ".ssm")), SMLoc());
  Diagnostics diagnostics(sources);
  module = frontend::importSource(sources, context, diagnostics);
  declared = *module->getOps<ssm::RecurrenceOp>().begin();
  signature = UNWRAP(signatureOf(declared, DType::F32));
  inputs.sizes = {1, {21}, 1, 1, {}};
  int64_t next = 4;
  for (auto dim : declared.getDims().getAsRange<ssm::DimAttr>())
    inputs.sizes.dims[dim.getName().str()] = next++;
  inputs.operands = UNWRAP(randomInputs(declared, signature.inputs, inputs.sizes, /*seed=*/1));
  inputs.states = UNWRAP(randomStates(declared, signature.states, inputs.sizes, /*seed=*/1));
  for (const Operand& out : signature.outputs) {
    auto shape = UNWRAP(reference::shapeOf(out.layout, declared, inputs.sizes));
    Array like = UNWRAP(Array::create(DType::F32, shape));
    inputs.cotangents.outputs[out.name] = normalLike(like, "d:" + out.name);
  }
  for (auto& [state, array] : inputs.states) {
    inputs.cotangents.states[state] = normalLike(array, "d:" + state);
    uOfStates[state] = normalLike(array, "u " + state);
  }
  for (auto& [operand, array] : inputs.operands)
    u[operand] = normalLike(array, "u " + operand);
}

Array SecondDerivative::normalLike(const Array& array, const Twine& name) {
  Array result = UNWRAP(Array::create(array.getDType(), array.getShape()));
  runtime::fill(result, {runtime::Fill::Normal, 1}, runtime::seedFor(1, name.str()));
  return result;
}

static double inner(const Array& a, const Array& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.getNumElements(); ++i)
    sum += a.get(i).real() * b.get(i).real();
  return sum;
}

static double normOf(const Array& a) {
  return std::sqrt(inner(a, a));
}

static ArrayMap doubled(const ArrayMap& arrays) {
  ArrayMap result;
  for (auto& [name, array] : arrays)
    result[name] = UNWRAP(array.convertTo(DType::F64));
  return result;
}

double SecondDerivative::derivativeAt(StringRef moved, bool isState, const Array& direction,
                                      double h) {
  ArrayMap operands = doubled(inputs.operands), states = doubled(inputs.states);
  auto* values = static_cast<double*>((isState ? states : operands).find(moved)->second.getData());
  for (int64_t i = 0; i < direction.getNumElements(); ++i)
    values[i] += h * direction.get(i).real();
  auto gradients =
      UNWRAP(reference::differentiate(declared, inputs.sizes, operands, states, inputs.cotangents));
  double sum = 0;
  for (auto& [name, gradient] : gradients.operands)
    sum += inner(gradient, u.at(name));
  for (auto& [name, gradient] : gradients.states)
    sum += inner(gradient, uOfStates.at(name));
  return sum;
}

void SecondDerivative::compare(StringRef moved, bool isState, const Array& gradient) {
  const double h = 1e-4;
  // Four directions, and the gradient's own: there the sum is of positive terms.
  for (unsigned k = 0; k < 5; ++k) {
    Array direction = k ? normalLike(gradient, "v" + Twine(k) + moved) : UNWRAP(gradient.clone());
    double norm = normOf(direction);
    if (!(norm > 1e-3))
      return fail(__FILE__, __LINE__, ("the second derivative by " + moved + " is zero").str());
    double step = h / norm * std::sqrt(double(direction.getNumElements()));
    double wanted = (derivativeAt(moved, isState, direction, step) -
                     derivativeAt(moved, isState, direction, -step)) /
                    (2 * step);
    double found = inner(gradient, direction);
    if (!(std::abs(found - wanted) <= 1e-4 * normOf(gradient) * norm))
      fail(__FILE__, __LINE__,
           ("the second derivative of " + declared.getSymName() + " by " + moved + " is " +
            std::to_string(found) + ", differences give " + std::to_string(wanted))
               .str());
  }
}

void SecondDerivative::check(Form form, std::optional<int64_t> chunk) {
  LoweringOptions options{inputs.sizes.dims, DType::F32, form, chunk};
  options.adjoint = 2;
  auto compiled =
      UNWRAP(CompiledRecurrence::compile(declared, options, CodeTarget{cpu::TargetSpec::host()}));
  auto in = [](const ArrayMap& arrays, StringRef name) -> const Array* {
    auto found = arrays.find(name);
    return found == arrays.end() ? nullptr : &found->second;
  };
  // Params have their gradients, and the cotangents of those, in states.
  auto find = [&](StringRef name, bool isState) -> const Array* {
    if (name.consume_front("d2:d:")) {
      const Array* state = isState ? in(uOfStates, name) : nullptr;
      return state ? state : in(u, name);
    }
    if (name.starts_with("d2:")) // Of what the adjoint keeps of the forward pass: nobody reads it.
      return nullptr;
    bool isCotangent = name.consume_front("d:");
    if (isState)
      return in(isCotangent ? inputs.cotangents.states : inputs.states, name);
    return in(isCotangent ? inputs.cotangents.outputs : inputs.operands, name);
  };
  auto launch = UNWRAP(compiled.prepare(inputs.sizes, {}, find));
  launch.poison();
  if (Error error = launch.run(2))
    return fail(__FILE__, __LINE__, toString(std::move(error)));
  for (auto& [name, array] : inputs.operands) {
    const Array* found = in(launch.outputs, "d2:" + name);
    if (!found)
      found = in(launch.states, "d2:" + name);
    if (!found) {
      fail(__FILE__, __LINE__, "no second derivative by " + name);
      continue;
    }
    Array gradient = UNWRAP(found->clone());
    for (unsigned k = 1;; ++k) { // Each chunk of the form sums for itself.
      const Array* part = in(launch.states, "d2:" + name + "+" + std::to_string(k));
      if (!part)
        break;
      for (int64_t i = 0; i < gradient.getNumElements(); ++i)
        static_cast<float*>(gradient.getData())[i] += float(part->get(i).real());
    }
    compare(name, false, gradient);
  }
  for (auto& [name, array] : inputs.states)
    if (const Array* found = in(launch.states, "d2:" + name))
      compare(name, true, *found);
    else
      fail(__FILE__, __LINE__, "no second derivative by the state " + name);
}

static void checkForms(StringRef name) {
  SecondDerivative test(name);
  test.check(Form::Recurrent, std::nullopt);
  test.check(Form::Chunked, 8);
}

TEST(secondDerivativeOfGatedLinearAttention) {
  checkForms("gla");
}
TEST(secondDerivativeOfTheGatedDeltaRule) {
  checkForms("gated_delta_rule");
}
TEST(secondDerivativeOfMamba) {
  checkForms("mamba1");
}
