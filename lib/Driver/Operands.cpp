#include "Operands.h"
#include "Packed.h"

#include "ssmc/Frontend/Diagnostics.h"
#include "ssmc/Reference/Inputs.h"
#include "ssmc/Runtime/Npy.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using reference::LayoutAxis;
using reference::Sizes;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

std::string Operand::describe() const {
  static constexpr const char* kinds[] = {"input", "param", "state", "output"};
  return fmt::format("{} '{}'", kinds[kind], name);
}

//===-- What there is ------------------------------------------------------------------------===//

static DType dtypeOf(ssm::ArrayType type, DType real) {
  if (type.isComplex())
    return real == DType::F64 ? DType::Complex128 : DType::Complex64;
  if (type.isBool())
    return DType::Bool;
  return type.isReal() ? real : DType::I32;
}

/// The declared state behind a name like `S~2`.
static ssm::StateOp stateBehind(ssm::RecurrenceOp recurrence, StringRef name) {
  if (ssm::StateOp state = recurrence.getState(name))
    return state;
  return recurrence.getState(name.rsplit('~').first);
}

Expected<Signature> driver::signatureOf(ssm::RecurrenceOp declared, DType real) {
  DType inner = real == DType::F64 ? DType::F64 : DType::F32;
  Signature signature;
  for (ssm::InOp in : declared.getBlock()->getOps<ssm::InOp>())
    signature.inputs.push_back({in.getParam() ? Operand::Param : Operand::In, in.getName().str(),
                                reference::layoutOf(in), in.getType(),
                                dtypeOf(in.getType(), in.getParam() ? inner : real)});
  for (ssm::OutOp out : declared.getBlock()->getOps<ssm::OutOp>()) {
    ssm::ArrayType type = out.getValue().getType();
    signature.outputs.push_back(
        {Operand::Out, out.getName().str(), reference::layoutOf(out), type, dtypeOf(type, real)});
  }
  if (declared.getNumTimeAxes() > 1)
    return signature;
  Expected<std::vector<std::string>> names = reference::stateNames(declared);
  if (!names)
    return names.takeError();
  for (const std::string& name : *names) {
    ssm::StateOp state = stateBehind(declared, name);
    auto type = cast<ssm::ArrayType>(state.getType());
    signature.states.push_back(
        {Operand::State, name, reference::layoutOf(state), type, dtypeOf(type, inner)});
  }
  return signature;
}

//===-- Sizes --------------------------------------------------------------------------------===//

Expected<Sizes> driver::sizesFromOptions(ssm::RecurrenceOp declared, const Options& options) {
  Sizes sizes;
  auto dims = dimSizes(declared, options, /*needAll=*/false);
  if (!dims)
    return dims.takeError();
  sizes.dims = std::move(*dims);
  sizes.batch = options.batch.value_or(-1);
  sizes.heads = options.heads.value_or(-1);
  sizes.groups = options.groups.value_or(-1);
  sizes.time.assign(declared.getNumTimeAxes(), -1);
  if (options.time.empty())
    return sizes;
  if (options.time.size() != sizes.time.size())
    return createStringError(fmt::format("--time gives {} sizes, '{}' has {} time axes",
                                         options.time.size(), declared.getSymName().str(),
                                         sizes.time.size()));
  sizes.time.assign(options.time.begin(), options.time.end());
  return sizes;
}

Sizes Inputs::stateSizes() const {
  Sizes result = sizes;
  result.batch = sequences();
  return result;
}

void driver::completeSizes(ssm::RecurrenceOp declared, Sizes& sizes) {
  auto give = [](int64_t& size, int64_t value) {
    if (size < 0)
      size = value;
  };
  give(sizes.batch, 1);
  give(sizes.groups, 1);
  give(sizes.heads, std::max<int64_t>(2, sizes.groups));
  sizes.time.resize(declared.getNumTimeAxes(), -1);
  for (int64_t& steps : sizes.time)
    give(steps, declared.getNumTimeAxes() > 1 ? 16 : 64);
}

Error driver::checkMemoryFor(ssm::RecurrenceOp declared, const Signature& signature,
                             const Inputs& inputs) {
  Sizes stateSizes = inputs.stateSizes();
  double bytes = 0;
  for (const std::vector<Operand>* operands :
       {&signature.inputs, &signature.states, &signature.outputs})
    for (const Operand& operand : *operands) {
      const Sizes& sizes = operand.kind == Operand::State ? stateSizes : inputs.sizes;
      Expected<SmallVector<int64_t>> shape = reference::shapeOf(operand.layout, declared, sizes);
      if (!shape)
        return shape.takeError();
      Expected<int64_t> count = runtime::countElements(operand.dtype, *shape);
      if (!count)
        return createStringError(operand.describe() + ": " + toString(count.takeError()));
      // States come in and go out.
      bytes += double(*count) * byteWidth(operand.dtype) * (operand.kind == Operand::State ? 2 : 1);
    }
  return runtime::checkMemory(bytes, "what this run reads and writes");
}

/// What one head holds, or reads in a step, beyond this is a mistake in the sizes.
static constexpr double maxStateBytes = double(1 << 30), maxOperandBytes = double(1 << 28);
static constexpr int64_t maxFoldSteps = 1 << 16;

Error driver::checkStepSizes(ssm::RecurrenceOp declared,
                             const std::map<std::string, int64_t, std::less<>>& dims) {
  auto check = [&](const Twine& what, ssm::ArrayType type, double most, StringRef each) -> Error {
    double bytes = type.isComplex() ? 8 : 4;
    std::string text;
    for (ssm::AxisAttr axis : type.getAxes()) {
      auto dim = dyn_cast<mlir::StringAttr>(axis.getExtent());
      if (!dim) {
        bytes *= double(axis.getSize());
        continue;
      }
      auto size = dims.find(dim.getValue());
      if (size == dims.end())
        return Error::success();
      bytes *= double(size->second);
      text += fmt::format("{}{}={}", text.empty() ? "" : ", ", size->first, size->second);
    }
    if (bytes <= most)
      return Error::success();
    return createStringError(what + " would take " + runtime::formatBytes(bytes) + " " + each +
                             " (" + text + "); at most " + runtime::formatBytes(most) +
                             " is supported");
  };
  mlir::Block& block = *declared.getBlock();
  for (ssm::StateOp state : block.getOps<ssm::StateOp>())
    if (Error error = check("state '" + state.getName() + "'",
                            cast<ssm::ArrayType>(state.getType()), maxStateBytes, "a head"))
      return error;
  for (ssm::InOp in : block.getOps<ssm::InOp>())
    if (Error error =
            check((in.getParam() ? "param '" : "input '") + in.getName() + "'", in.getType(),
                  maxOperandBytes, in.getParam() ? "a head" : "a step and head"))
      return error;
  for (ssm::OutOp out : block.getOps<ssm::OutOp>())
    if (Error error =
            check("output '" + out.getName() + "'", cast<ssm::ArrayType>(out.getValue().getType()),
                  maxOperandBytes, "a step and head"))
      return error;
  Error error = Error::success();
  declared.walk([&](ssm::FoldOp fold) {
    auto dim = dyn_cast<mlir::StringAttr>(fold.getAxis().getExtent());
    auto size = dim ? dims.find(dim.getValue()) : dims.end();
    if (size == dims.end() || size->second <= maxFoldSteps)
      return mlir::WalkResult::advance();
    error = joinErrors(std::move(error),
                       createStringError(fmt::format(
                           "a fold would take {} steps inside one token (dim '{}'); at most {} "
                           "are supported",
                           size->second, size->first, maxFoldSteps)));
    return mlir::WalkResult::interrupt();
  });
  return error;
}

//===-- Files --------------------------------------------------------------------------------===//

static std::vector<StringRef> namesOf(ArrayRef<Operand> operands) {
  std::vector<StringRef> names;
  for (const Operand& operand : operands)
    names.push_back(operand.name);
  return names;
}

Error driver::checkNames(const NamedPaths& paths, StringRef option, ArrayRef<Operand> operands,
                         const Signature& signature) {
  std::vector<StringRef> names = namesOf(operands);
  for (auto& [name, path] : paths) {
    if (is_contained(names, name))
      continue;
    for (auto& [others, right] : {std::pair(&signature.inputs, "--in or --grad-out"),
                                  std::pair(&signature.states, "--state-in or --state-out"),
                                  std::pair(&signature.outputs, "--out or --cotangent")})
      for (const Operand& other : *others)
        if (other.name == name)
          return createStringError(option + " " + name + "=…: '" + name + "' is for " + right);
    return createStringError(option + " names '" + name + "', which does not exist" +
                             didYouMean(name, names) + "; known are " +
                             (names.empty() ? "none" : join(names, ", ")));
  }
  return Error::success();
}

std::string driver::numpyName(DType dtype) {
  std::string text = runtime::name(dtype).str();
  if (text.starts_with("bf"))
    return "bfloat" + text.substr(2);
  if (text[0] == 'f')
    return "float" + text.substr(1);
  if (text[0] == 'i')
    return "int" + text.substr(1);
  if (text[0] == 'u')
    return "uint" + text.substr(1);
  return text;
}

/// Whether an array of `found` can stand for the operand, or what is `of` it, converted.
static Error checkDType(const Operand& operand, StringRef of, StringRef path, DType found) {
  bool bits = found == DType::U16 && operand.dtype == DType::BF16;
  bool fits = operand.type.isComplex() ? runtime::isFloat(found) || runtime::isComplex(found)
              : operand.type.isReal()  ? runtime::isFloat(found) || bits
                                       : !runtime::isComplex(found) && !runtime::isFloat(found);
  if (fits)
    return Error::success();
  return createStringError(of + operand.describe() + " ('" + path + "') holds " +
                           (runtime::isComplex(found) ? "complex numbers (" + numpyName(found) + ")"
                                                      : numpyName(found)) +
                           ", expected " +
                           (operand.type.isComplex() ? "complex or real numbers"
                            : operand.type.isReal()  ? "real numbers (float32, float64, float16)"
                            : operand.type.isBool()  ? "truth values (bool or integers)"
                                                     : "integers"));
}

/// Checks one file's header and learns sizes from it. A state of packed sequences has their number,
/// not the batch.
static Error checkFile(const Operand& operand, StringRef of, StringRef path,
                       ssm::RecurrenceOp declared, Inputs& inputs) {
  Expected<runtime::NpyHeader> header = runtime::readNpyHeader(path);
  if (!header)
    return createStringError(of + operand.describe() + ": " + toString(header.takeError()));
  if (Error error = checkDType(operand, of, path, header->dtype))
    return error;
  std::string what = fmt::format("{} ('{}')", (of + operand.describe()).str(), path.str());
  SmallVector<int64_t> shape(header->shape);
  if (operand.kind == Operand::State && inputs.isPacked() && !shape.empty()) {
    if (shape[0] != inputs.sequences())
      return createStringError(fmt::format("{} has shape {}: {} for the {} sequences of "
                                           "--cu-seqlens",
                                           what, runtime::formatShape(shape), shape[0],
                                           inputs.sequences()));
    shape[0] = 1;
  }
  return reference::learnSizes(operand.layout, shape, what, declared, inputs.sizes);
}

static const std::string* pathOf(const NamedPaths& paths, StringRef name) {
  for (auto& [known, path] : paths)
    if (known == name)
      return &path;
  return nullptr;
}

/// An unbound dim is an error even where the arrays tell its size: then they tell what to write.
static Error checkDimsBound(ssm::RecurrenceOp declared, const Options& options,
                            const Sizes& learned) {
  auto bound = dimSizes(declared, options, /*needAll=*/true);
  if (bound)
    return Error::success();
  std::string message = toString(bound.takeError());
  std::string told;
  for (auto& [name, size] : learned.dims)
    told += fmt::format("{}{}={}", told.empty() ? "" : ",", name, size);
  if (!told.empty())
    message += "; the arrays say --dims " + told;
  return createStringError(message);
}

namespace {
/// Arrays that come from files.
struct Source {
  ArrayRef<Operand> operands;
  StringRef of; ///< what of the operands it is, in messages
  const NamedPaths& paths;
  ArrayMap& arrays;
};
} // namespace

static Error readFiles(const Source& source) {
  auto& [operands, of, paths, arrays] = source;
  for (const Operand& operand : operands) {
    const std::string* path = pathOf(paths, operand.name);
    if (!path)
      continue;
    Expected<Array> array = runtime::readNpyAs(*path, operand.dtype);
    if (!array)
      return createStringError(of + operand.describe() + ": " + toString(array.takeError()));
    arrays[operand.name] = std::move(*array);
  }
  return Error::success();
}

Expected<Inputs> driver::gatherInputs(ssm::RecurrenceOp declared, const Signature& signature,
                                      const Options& options) {
  if (Error error = checkNames(options.in, "--in", signature.inputs, signature))
    return error;
  if (declared.getNumTimeAxes() > 1 && !options.stateIn.empty())
    return createStringError(
        "--state-in: with two time axes a state is the border of a plane, and is "
        "neither taken nor returned");
  if (Error error = checkNames(options.stateIn, "--state-in", signature.states, signature))
    return error;
  std::vector<Operand> random;
  for (const Operand& operand : signature.inputs)
    if (!pathOf(options.in, operand.name))
      random.push_back(operand);
  if (!random.empty() && !options.in.empty() && !options.randomIn)
    return createStringError(
        "missing: --in " +
        join(map_range(random, [](const Operand& o) { return o.name + "=FILE.npy"; }), " --in ") +
        " (or --random-in)");
  Expected<Sizes> sizes = sizesFromOptions(declared, options);
  if (!sizes)
    return sizes.takeError();
  Inputs inputs;
  inputs.sizes = std::move(*sizes);
  if (!options.cuSeqlens.empty()) {
    if (declared.getNumTimeAxes() > 1)
      return createStringError("--cu-seqlens: '" + declared.getSymName() +
                               "' has two time axes; sequences are packed along one");
    Expected<std::vector<int64_t>> offsets = readOffsets(options.cuSeqlens);
    if (!offsets)
      return offsets.takeError();
    inputs.offsets = std::move(*offsets);
  }
  const Source sources[] = {
      {signature.inputs, "", options.in, inputs.operands},
      {signature.states, "", options.stateIn, inputs.states},
      {signature.outputs, "the cotangent of ", options.cotangent, inputs.cotangents.outputs},
      {signature.states, "the cotangent of ", options.cotangent, inputs.cotangents.states}};
  for (const Source& source : sources) {
    for (const Operand& operand : source.operands)
      if (const std::string* path = pathOf(source.paths, operand.name))
        if (Error error = checkFile(operand, source.of, *path, declared, inputs))
          return error;
    if (inputs.isPacked())
      if (Error error = fitSizes(declared, inputs.offsets, inputs.sizes))
        return error;
  }
  if (Error error = checkDimsBound(declared, options, inputs.sizes))
    return error;
  completeSizes(declared, inputs.sizes);
  if (Error error = reference::checkSizes(declared, inputs.sizes))
    return error;
  if (Error error = checkStepSizes(declared, inputs.sizes.dims))
    return error;
  if (Error error = checkMemoryFor(declared, signature, inputs))
    return error;
  for (const Source& source : sources)
    if (Error error = readFiles(source))
      return error;
  Expected<ArrayMap> drawn = randomInputs(declared, random, inputs.sizes, options.seed);
  if (!drawn)
    return drawn.takeError();
  inputs.operands.merge(*drawn);
  return inputs;
}

//===-- Random arrays ------------------------------------------------------------------------===//

static double strengthOf(Gates gates) {
  return gates == Gates::Strong ? 6 : gates == Gates::Weak ? 0.01 : reference::usualStrength;
}

Expected<ArrayMap> driver::randomInputs(ssm::RecurrenceOp declared, ArrayRef<Operand> inputs,
                                        const Sizes& sizes, uint64_t seed, Gates gates) {
  Expected<reference::InputPlan> plan = reference::chooseInputs(declared, sizes, strengthOf(gates));
  if (!plan)
    return plan.takeError();
  ArrayMap arrays;
  for (const Operand& input : inputs) {
    Expected<Array> array = reference::draw(input.name, input.layout, input.dtype,
                                            plan->operands[input.name], declared, sizes, seed);
    if (!array)
      return array.takeError();
    arrays[input.name] = std::move(*array);
  }
  return arrays;
}

Expected<ArrayMap> driver::randomStates(ssm::RecurrenceOp declared, ArrayRef<Operand> states,
                                        const Sizes& sizes, uint64_t seed) {
  Expected<reference::InputPlan> plan = reference::chooseInputs(declared, sizes);
  if (!plan)
    return plan.takeError();
  ArrayMap arrays;
  for (const Operand& state : states) {
    runtime::FillSpec spec = plan->states[stateBehind(declared, state.name).getName().str()];
    Expected<Array> array =
        reference::draw(state.name, state.layout, state.dtype, spec, declared, sizes, seed + 1);
    if (!array)
      return array.takeError();
    arrays[state.name] = std::move(*array);
  }
  return arrays;
}
