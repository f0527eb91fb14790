#include "RunGradient.h"
#include "Choose.h"
#include "Gradients.h"
#include "OptionTable.h"
#include "Output.h"
#include "Slices.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using reference::Gradients;
using runtime::ArrayMap;

static bool isReference(const Options& options) {
  return options.target && options.target->kind == Target::Reference;
}

static Error checkHasGradient(ssm::RecurrenceOp declared, const Options& options) {
  if (isReference(options) || declared.getNumTimeAxes() == 1)
    return Error::success();
  return notAvailable("gradients of two time axes with --target cpu; --cotangent and --grad-out "
                      "need --target reference");
}

/// With two time axes a state is no operand, though the declaration has one of that name.
static Error checkNoBorder(const NamedPaths& paths, StringRef option, ssm::RecurrenceOp declared) {
  for (auto& [name, path] : paths)
    if (declared.getNumTimeAxes() > 1 && declared.getState(name))
      return createStringError(option + " " + name +
                               "=…: with two time axes a state is the border of a plane, and is "
                               "neither taken nor returned");
  return Error::success();
}

Error driver::checkGradientOptions(ssm::RecurrenceOp declared, const Signature& signature,
                                   const Options& options) {
  if (!options.wantsGradient())
    return Error::success();
  if (Error error = checkHasGradient(declared, options))
    return error;
  for (auto& [paths, option, operands] :
       {std::tuple(&options.cotangent, "--cotangent", &signature.outputs),
        std::tuple(&options.gradOut, "--grad-out", &signature.inputs)}) {
    if (Error error = checkNoBorder(*paths, option, declared))
      return error;
    std::vector<Operand> known = *operands;
    append_range(known, signature.states);
    if (Error error = checkNames(*paths, option, known, signature))
      return error;
  }
  for (auto& [name, path] : options.gradOut) {
    auto isNamed = [&name = name](auto& operand) { return operand.name == name; };
    auto input = find_if(signature.inputs, isNamed);
    if (input != signature.inputs.end() && !input->type.isReal() && !input->type.isComplex())
      return createStringError("--grad-out " + name + "=…: " + input->describe() +
                               " is neither real nor complex and has no gradient");
    bool isGiven =
        any_of(options.stateIn, [&name = name](auto& entry) { return entry.first == name; });
    if (input == signature.inputs.end() && !isGiven)
      return createStringError("--grad-out " + name +
                               "=…: the gradient of an initial state needs " +
                               "that state; add --state-in " + name + "=FILE.npy");
    if (Error error = checkWritable(path))
      return error;
  }
  return Error::success();
}

//===-- Packed sequences ---------------------------------------------------------------------===//

/// The arrays that belong to one sequence.
static Expected<Inputs> sliceSequence(const Signature& signature, const Inputs& inputs,
                                      int64_t sequence) {
  // Where there is no sequence, one of no steps tells what gradients look like.
  bool exists = sequence < inputs.sequences();
  int64_t first = exists ? inputs.offsets[sequence] : 0,
          last = exists ? inputs.offsets[sequence + 1] : 0;
  Inputs one;
  one.sizes = inputs.sizes;
  one.sizes.time[0] = last - first;
  std::vector<Operand> outputs;
  copy_if(signature.outputs, std::back_inserter(outputs),
          [&](const Operand& output) { return inputs.cotangents.outputs.contains(output.name); });
  for (auto& [to, from, operands] :
       {std::tuple(&one.operands, &inputs.operands, &signature.inputs),
        std::tuple(&one.cotangents.outputs, &inputs.cotangents.outputs, &std::as_const(outputs))}) {
    Expected<ArrayMap> span = sliceTime(*from, *operands, first, last);
    if (!span)
      return span.takeError();
    *to = std::move(*span);
  }
  if (!exists)
    return one;
  for (auto& [to, from] : {std::pair(&one.states, &inputs.states),
                           std::pair(&one.cotangents.states, &inputs.cotangents.states)}) {
    Expected<ArrayMap> entry = sliceBatch(*from, sequence);
    if (!entry)
      return entry.takeError();
    *to = std::move(*entry);
  }
  return one;
}

/// Adds F64 or Complex128 arrays, or takes the first ones.
static void addTo(ArrayMap& sum, ArrayMap& terms, StringRef name) {
  auto term = terms.extract(name.str());
  auto it = sum.find(name);
  if (it == sum.end()) {
    sum.insert(std::move(term));
    return;
  }
  auto* to = static_cast<double*>(it->second.getData());
  auto* from = static_cast<const double*>(term.mapped().getData());
  for (size_t i = 0; i < it->second.getNumBytes() / sizeof(double); ++i)
    to[i] += from[i];
}

static Expected<Gradients> differentiateEach(ssm::RecurrenceOp declared, const Signature& signature,
                                             const Inputs& inputs, unsigned threads) {
  Gradients whole;
  int64_t count = inputs.sequences();
  for (int64_t n = 0; n < std::max<int64_t>(count, 1); ++n) {
    Expected<Inputs> one = sliceSequence(signature, inputs, n);
    if (!one)
      return one.takeError();
    Expected<Gradients> part = reference::differentiate(declared, one->sizes, one->operands,
                                                        one->states, one->cotangents, threads);
    if (!part)
      return part.takeError();
    for (const Operand& input : signature.inputs)
      if (input.kind == Operand::Param && part->operands.contains(input.name))
        addTo(whole.operands, part->operands, input.name);
    if (Error error = storeTime(whole.operands, part->operands, count ? inputs.offsets[n] : 0,
                                inputs.sizes.time[0]))
      return error;
    if (Error error = storeBatch(whole.states, part->states, n, count))
      return error;
  }
  return whole;
}

Expected<Gradients> driver::referenceGradient(ssm::RecurrenceOp declared,
                                              const Signature& signature, const Inputs& inputs,
                                              unsigned threads) {
  if (inputs.isPacked())
    return differentiateEach(declared, signature, inputs, threads);
  return reference::differentiate(declared, inputs.sizes, inputs.operands, inputs.states,
                                  inputs.cotangents, threads);
}

Expected<Gradients> driver::computeGradient(ssm::RecurrenceOp declared, const Signature& signature,
                                            const Options& options, const Inputs& inputs) {
  if (isReference(options))
    return referenceGradient(declared, signature, inputs, options.threads);
  LoweringOptions lowering = {inputs.sizes.dims, options.dtype.value_or(runtime::DType::F32),
                              options.form, options.chunk, options.precision};
  lowering.adjoint = 1;
  lowering.segments = std::max<int64_t>(options.segments, 1);
  suitTo(inputs, lowering);
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  if (Error error = settleForm(declared, lowering, situationOf(*target, inputs)))
    return error;
  Expected<CompiledRecurrence> adjoint = CompiledRecurrence::compile(declared, lowering, *target);
  if (!adjoint)
    return adjoint.takeError();
  adjoint->setSpans({options.recompute, std::nullopt});
  return runGradients(*adjoint, declared, signature, inputs, options.threads);
}
