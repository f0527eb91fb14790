// Inputs of a bundle's kernels, and what the f64 reference makes of them.
#include "Bundle.h"
#include "CheckGradients.h"
#include "Packed.h"
#include "RunGradient.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using artifact::BundleOperand;
using artifact::Meaning;
using reference::Sizes;
using runtime::Array;
using runtime::ArrayMap;

static constexpr uint64_t seed = 1;

namespace {
/// One call.
struct Case {
  StringRef name;
  int64_t batch, time;
  bool hasStates;
  SmallVector<int64_t, 4> lengths = {}; ///< of packed sequences
};

class CheckMaker {
public:
  CheckMaker(ssm::RecurrenceOp declared, const artifact::Bundle& bundle, const Options& options,
             const LoweringOptions& lowering, const Signature& signature)
      : declared(declared), bundle(bundle), options(options), lowering(lowering),
        signature(signature), gates(gatesOf(declared)) {}
  std::vector<Case> cases();
  Error add(const Case& test);
  CheckData data;

private:
  Expected<Inputs> makeInputs(const Case& test) const;
  const Array* given(const BundleOperand& operand) const;
  const Array* expected(const BundleOperand& operand) const;
  double boundOf(const BundleOperand& operand) const;
  Expected<std::string> keep(const Case& test, const std::string& name, const Array& array);

  ssm::RecurrenceOp declared;
  const artifact::Bundle& bundle;
  const Options& options;
  const LoweringOptions& lowering;
  const Signature& signature;
  std::set<std::string> gates;
  Inputs inputs;
  reference::Results results;
  reference::Gradients gradients;
};
} // namespace

std::vector<Case> CheckMaker::cases() {
  int64_t tile = 1;
  for (const artifact::Kernel& kernel : bundle.kernels)
    tile = std::max(tile, kernel.tile);
  bool isPlane = bundle.hasTwoTimeAxes;
  // Two whole blocks and a part of one.
  int64_t steps = !options.time.empty() ? options.time[0]
                  : isPlane             ? 7
                                        : std::max<int64_t>(2 * tile + tile / 2 + 1, 21);
  int64_t batch = options.batch.value_or(2);
  std::vector<Case> list = {{"batch", batch, steps, !isPlane}};
  if (!isPlane)
    list.push_back({"packed", 1, steps, true, {steps / 3, 0, 1 < steps, 0}});
  // A gradient through an initial value of the declaration's is not the kernels' business.
  bool hasInitial = any_of(declared.getBlock()->getOps<ssm::StateOp>(),
                           [](ssm::StateOp state) { return bool(state.getInit()); });
  if (!isPlane && !(hasInitial && bundle.hasBackward))
    list.push_back({"from the start", batch, tile, false});
  for (Case& test : list)
    if (!test.lengths.empty())
      test.lengths.back() = steps - steps / 3 - (1 < steps);
  return list;
}

Expected<Inputs> CheckMaker::makeInputs(const Case& test) const {
  Inputs made;
  Sizes& sizes = made.sizes;
  sizes.dims = lowering.dims;
  sizes.batch = test.batch;
  sizes.groups = options.groups.value_or(1);
  sizes.heads = options.heads.value_or(2 * sizes.groups);
  sizes.time = {test.time};
  if (bundle.hasTwoTimeAxes)
    sizes.time.push_back(options.time.size() > 1 ? options.time[1] : 5);
  if (!test.lengths.empty())
    made.offsets = {0};
  for (int64_t length : test.lengths)
    made.offsets.push_back(made.offsets.back() + length);
  if (Error error = reference::checkSizes(declared, sizes))
    return std::move(error);
  if (Error error = checkMemoryFor(declared, signature, made))
    return std::move(error);
  Sizes stateSizes = made.stateSizes();
  auto take = [](ArrayMap& to, Expected<ArrayMap> from) -> Error {
    if (!from)
      return from.takeError();
    to = std::move(*from);
    return Error::success();
  };
  if (Error error = take(made.operands, randomInputs(declared, signature.inputs, sizes, seed)))
    return std::move(error);
  if (test.hasStates)
    if (Error error = take(made.states, randomStates(declared, signature.states, stateSizes, seed)))
      return std::move(error);
  if (!bundle.hasBackward)
    return made;
  if (Error error =
          take(made.cotangents.outputs, randomCotangents(signature.outputs, declared, sizes, seed)))
    return std::move(error);
  if (Error error = take(made.cotangents.states,
                         randomCotangents(signature.states, declared, stateSizes, seed)))
    return std::move(error);
  return made;
}

static const Array* arrayIn(const ArrayMap& arrays, StringRef name) {
  auto found = arrays.find(name);
  return found == arrays.end() ? nullptr : &found->second;
}

/// What the kernels are given for an operand, or null.
const Array* CheckMaker::given(const BundleOperand& operand) const {
  switch (operand.meaning) {
  case Meaning::Input:
  case Meaning::Param:
    return arrayIn(inputs.operands, operand.of);
  case Meaning::InitialState:
    return arrayIn(inputs.states, operand.of);
  case Meaning::Cotangent:
    return arrayIn(inputs.cotangents.outputs, operand.of);
  case Meaning::FinalStateCotangent:
    return arrayIn(inputs.cotangents.states, operand.of);
  default:
    return nullptr;
  }
}

/// What they are to make of it, or null where the reference has no such result.
const Array* CheckMaker::expected(const BundleOperand& operand) const {
  switch (operand.meaning) {
  case Meaning::Output:
    return arrayIn(results.outputs, operand.of);
  case Meaning::FinalState:
    return arrayIn(results.states, operand.of);
  case Meaning::Gradient:
  case Meaning::ParamGradient:
    return arrayIn(gradients.operands, operand.of);
  case Meaning::InitialStateGradient:
    return arrayIn(gradients.states, operand.of);
  default:
    return nullptr;
  }
}

double CheckMaker::boundOf(const BundleOperand& operand) const {
  Bounds bounds = boundsOf(lowering.dtype);
  bool isResult = operand.meaning == Meaning::Output || operand.meaning == Meaning::FinalState;
  return isResult ? bounds.results : gates.count(operand.of) ? bounds.gates : bounds.gradients;
}

Expected<std::string> CheckMaker::keep(const Case& test, const std::string& name,
                                       const Array& array) {
  std::string file = ("check/" + test.name + "/" + name + ".npy").str();
  std::replace(file.begin(), file.end(), ' ', '_');
  Expected<Array> copy = array.clone();
  if (!copy)
    return copy.takeError();
  data.files.push_back({file, std::move(*copy)});
  return file;
}

Error CheckMaker::add(const Case& test) {
  Expected<Inputs> made = makeInputs(test);
  if (!made)
    return made.takeError();
  inputs = std::move(*made);
  Expected<reference::Results> computed = interpret(declared, signature, inputs, options.threads);
  if (!computed)
    return computed.takeError();
  results = std::move(*computed);
  if (bundle.hasBackward) {
    auto derived = referenceGradient(declared, signature, inputs, options.threads);
    if (!derived)
      return derived.takeError();
    gradients = std::move(*derived);
  }
  json::Object arrays;
  json::Array wanted;
  std::set<const Array*> seen;
  for (const BundleOperand& operand : bundle.operands) {
    if (const Array* array = given(operand)) {
      Expected<std::string> file = keep(test, operand.field, *array);
      if (!file)
        return file.takeError();
      arrays[operand.field] = *file;
    }
    const Array* result = expected(operand);
    // Parts of one gradient are compared together.
    if (!result || !seen.insert(result).second)
      continue;
    Expected<std::string> file = keep(test, operand.field, *result);
    if (!file)
      return file.takeError();
    json::Array fields;
    for (const BundleOperand& part : bundle.operands)
      if (expected(part) == result)
        fields.push_back(part.field);
    wanted.push_back(json::Object{{"file", *file},
                                  {"fields", std::move(fields)},
                                  {"add_up_over", json::Array(operand.sums)},
                                  {"bound", boundOf(operand)}});
  }
  const Sizes& sizes = inputs.sizes;
  json::Object description{
      {"name", test.name},
      {"sizes", json::Object{{"batch", sizes.batch},
                             {"time", sizes.time[0]},
                             {"columns", sizes.time.size() > 1 ? sizes.time[1] : 1},
                             {"heads", sizes.heads},
                             {"groups", sizes.groups},
                             {"sequences", inputs.isPacked() ? inputs.sequences() : 0}}},
      {"given", std::move(arrays)},
      {"expected", std::move(wanted)}};
  if (inputs.isPacked())
    description["cu_seqlens"] = json::Array(inputs.offsets);
  data.cases.push_back(std::move(description));
  return Error::success();
}

Expected<CheckData> driver::makeCheckData(ssm::RecurrenceOp declared,
                                          const artifact::Bundle& bundle, const Options& options,
                                          const LoweringOptions& lowering) {
  Expected<Signature> signature = signatureOf(declared, lowering.dtype);
  if (!signature)
    return signature.takeError();
  if (!options.time.empty() && options.time.size() != declared.getNumTimeAxes())
    return createStringError("--time gives " + Twine(options.time.size()) + " sizes, '" +
                             declared.getSymName() + "' has " + Twine(declared.getNumTimeAxes()) +
                             " time axes");
  CheckMaker maker(declared, bundle, options, lowering, *signature);
  for (const Case& test : maker.cases())
    if (Error error = maker.add(test))
      return std::move(error);
  return std::move(maker.data);
}
