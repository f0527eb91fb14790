// An adjoint computes the gradient of each head by itself; what heads or batch entries share is
// summed here.
#include "Gradients.h"
#include "InitialGradients.h"

#include "ssmc/Driver/Driver.h"
#include "ssmc/Runtime/Convert.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

static std::string cotangentName(StringRef name) {
  return ("d:" + name).str();
}

/// Sums [outer, summed, kept, inner] over `summed` in ascending order.
static Expected<Array> sum(const Array& array, int64_t outer, int64_t summed, int64_t inner,
                           ArrayRef<int64_t> shape) {
  bool isComplex = runtime::isComplex(array.getDType());
  Expected<Array> result = Array::create(isComplex ? DType::Complex64 : DType::F32, shape);
  if (!result)
    return result.takeError();
  int64_t width = inner * (isComplex ? 2 : 1);
  std::vector<double> total(width), part(width);
  unsigned bytes = runtime::byteWidth(array.getDType());
  for (int64_t o = 0; o < outer; ++o) {
    std::fill(total.begin(), total.end(), 0.0);
    for (int64_t s = 0; s < summed; ++s) {
      runtime::toDoubles(array.getDType(),
                         static_cast<const char*>(array.getData()) +
                             (o * summed + s) * inner * bytes,
                         inner, part.data());
      for (int64_t i = 0; i < width; ++i)
        total[i] += part[i];
    }
    runtime::fromDoubles(result->getDType(), total.data(), inner,
                         static_cast<char*>(result->getData()) +
                             o * inner * runtime::byteWidth(result->getDType()));
  }
  return result;
}

/// The sum of two f32 (or complex) arrays of one shape.
static Error addTo(Array& sum, const Array& term) {
  int64_t count = sum.getNumElements() * (runtime::isComplex(sum.getDType()) ? 2 : 1);
  if (term.getNumElements() != sum.getNumElements() || term.getDType() != sum.getDType())
    return make_error<InternalError>("parts of a gradient differ in shape");
  auto* to = static_cast<float*>(sum.getData());
  auto* from = static_cast<const float*>(term.getData());
  for (int64_t i = 0; i < count; ++i)
    to[i] += from[i];
  return Error::success();
}

Expected<CompiledRecurrence::Launch>
driver::prepareGradients(const CompiledRecurrence& adjoint, ssm::RecurrenceOp declared,
                         const Signature& signature, const Inputs& inputs, ArrayMap& zeros) {
  const ArrayMap &outputCotangents = inputs.cotangents.outputs,
                 &stateCotangents = inputs.cotangents.states;
  const reference::Sizes& sizes = inputs.sizes;
  for (auto out : declared.getBlock()->getOps<ssm::OutOp>()) {
    if (outputCotangents.contains(out.getName()))
      continue;
    auto shape = reference::shapeOf(reference::layoutOf(out), declared, sizes);
    if (!shape)
      return shape.takeError();
    auto operand =
        find_if(signature.outputs, [&](const Operand& one) { return one.name == out.getName(); });
    Expected<Array> zero = Array::create(operand->dtype, *shape);
    if (!zero)
      return zero.takeError();
    zeros[out.getName().str()] = std::move(*zero);
  }
  auto find = [&](StringRef name, bool isState) -> const Array* {
    auto in = [&](const ArrayMap& arrays, StringRef key) -> const Array* {
      auto found = arrays.find(key);
      return found == arrays.end() ? nullptr : &found->second;
    };
    bool isCotangent = name.consume_front("d:");
    if (isState)
      return in(isCotangent ? stateCotangents : inputs.states, name);
    if (!isCotangent)
      return in(inputs.operands, name);
    const Array* given = in(outputCotangents, name);
    return given ? given : in(zeros, name);
  };
  return adjoint.prepare(sizes, inputs.offsets, find);
}

Expected<reference::Gradients> driver::runGradients(const CompiledRecurrence& adjoint,
                                                    ssm::RecurrenceOp declared,
                                                    const Signature& signature,
                                                    const Inputs& inputs, unsigned threads,
                                                    bool poison) {
  const reference::Sizes& sizes = inputs.sizes;
  ArrayMap zeros;
  Expected<CompiledRecurrence::Launch> launch =
      prepareGradients(adjoint, declared, signature, inputs, zeros);
  if (!launch)
    return launch.takeError();
  if (poison)
    launch->poison();
  if (Error error = launch->run(threads))
    return std::move(error);
  if (Error error = launch->fetch())
    return std::move(error);

  reference::Gradients gradients;
  for (auto in : declared.getBlock()->getOps<ssm::InOp>()) {
    std::string name = in.getName().str();
    if (!in.getType().isReal() && !in.getType().isComplex())
      continue;
    auto shape = reference::shapeOf(reference::layoutOf(in), declared, sizes);
    if (!shape)
      return shape.takeError();
    ArrayMap& source = in.getParam() ? launch->states : launch->outputs;
    auto found = source.find(cotangentName(name));
    auto operand = find_if(signature.inputs, [&](const Operand& one) { return one.name == name; });
    if (found == source.end()) { // Nothing depends on it.
      Expected<Array> zero = Array::create(operand->dtype, *shape);
      if (!zero)
        return zero.takeError();
      gradients.operands[name] = std::move(*zero);
      continue;
    }
    Array whole = std::move(found->second);
    if (in.getParam()) {
      // Forms of several chunks sum in each of them.
      for (unsigned k = 1;; ++k) {
        auto part = source.find(cotangentName(name) + "+" + std::to_string(k));
        if (part == source.end())
          break;
        if (Error error = addTo(whole, part->second))
          return std::move(error);
      }
    }
    int64_t sharers = in.getScope() == ssm::Scope::Head    ? sizes.heads
                      : in.getScope() == ssm::Scope::Group ? sizes.groups
                                                           : 1;
    int64_t perHead = 1;
    for (ssm::AxisAttr axis : in.getType().getAxes()) {
      Expected<int64_t> extent = reference::extentOf(axis, declared, sizes);
      if (!extent)
        return extent.takeError();
      perHead *= *extent;
    }
    if (sharers != sizes.heads && sharers) {
      SmallVector<int64_t> parts{
          whole.getNumElements() / std::max<int64_t>(perHead * sizes.heads, 1), sharers, perHead};
      Expected<Array> summed =
          sum(whole, parts[0] * sharers, sizes.heads / sharers, perHead, parts);
      if (!summed)
        return summed.takeError();
      whole = std::move(*summed);
    }
    if (in.getParam()) {
      int64_t inner = sharers * perHead;
      Expected<Array> summed = sum(whole, 1, inputs.sequences(), inner, {inner});
      if (!summed)
        return summed.takeError();
      whole = std::move(*summed);
    }
    if (Error error = whole.reshape(*shape))
      return std::move(error);
    gradients.operands[name] = std::move(whole);
  }
  if (Error error = addInitialGradients(declared, signature, inputs, launch->states,
                                        adjoint.getTarget(), threads, gradients.operands))
    return std::move(error);
  // Registers of delayed values are states of the signature, not of the declaration.
  for (const Operand& state : signature.states) {
    auto found = launch->states.find(cotangentName(state.name));
    if (found != launch->states.end() && inputs.states.contains(state.name))
      gradients.states[state.name] = std::move(found->second);
  }
  return gradients;
}
