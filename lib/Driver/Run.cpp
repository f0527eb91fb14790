// `ssmc run`: arrays in, arrays out.
#include "Choose.h"
#include "Commands.h"
#include "Kernels.h"
#include "Output.h"
#include "Packed.h"
#include "RunGradient.h"

#include "ssmc/Driver/Driver.h"
#include "ssmc/Runtime/Npy.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Process.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using reference::Results;
using runtime::Array;
using runtime::DType;

/// Interprets or compiles and runs.
static Expected<Results> compute(Spec& spec, const Options& options, const Signature& signature,
                                 const Inputs& inputs, StageTimes& times) {
  if (options.target && options.target->kind == Target::Reference) {
    times.begin("run");
    return interpret(spec.recurrence(), signature, inputs, options.threads);
  }
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  if (Error error = checkRunsHere(*target))
    return error;
  LoweringOptions lowering = {inputs.sizes.dims, options.dtype.value_or(DType::F32), options.form,
                              options.chunk, options.precision};
  lowering.times = &times;
  suitTo(inputs, lowering);
  if (Error error = settleForm(spec.recurrence(), lowering, situationOf(*target, inputs)))
    return error;
  Expected<int64_t> segments =
      chooseSegments(spec.recurrence(), lowering, *target, inputs, options.segments);
  if (!segments)
    return segments.takeError();
  lowering.segments = *segments;
  Expected<CompiledRecurrence> compiled =
      CompiledRecurrence::compile(spec.recurrence(), lowering, *target);
  if (!compiled)
    return compiled.takeError();
  compiled->setStretches(options.stretches);
  times.begin("run");
  return compiled->run(signature, inputs, options.threads);
}

//===-- Files --------------------------------------------------------------------------------===//

/// Writes all arrays or none: each beside its place first, then all are renamed.
static Error writeArrays(ArrayRef<std::pair<std::string, const Array*>> files) {
  SmallVector<std::pair<std::string, std::string>> parts;
  auto clean = make_scope_exit([&] {
    for (auto& [part, path] : parts)
      sys::fs::remove(part);
  });
  for (auto& [path, array] : files) {
    // Devices cannot be renamed to.
    bool inPlace = sys::fs::exists(path) && !sys::fs::is_regular_file(path);
    std::string part =
        inPlace ? path : fmt::format("{}.part-{}", path, sys::Process::getProcessId());
    if (!inPlace)
      parts.push_back({part, path});
    if (Error error = runtime::writeNpy(part, *array)) {
      std::string message = toString(std::move(error));
      if (size_t at = message.find(part); at != std::string::npos)
        message.replace(at, part.size(), path);
      return createStringError(message);
    }
  }
  for (auto& [part, path] : parts)
    if (std::error_code error = sys::fs::rename(part, path))
      return createStringError("cannot write '" + path + "': " + error.message());
  return Error::success();
}

namespace {
/// Everything that a run computed.
struct Computed {
  Results results;
  reference::Gradients gradients; ///< empty where none is asked for

  /// The gradient of an input, a param or an initial state, or null.
  const Array* gradientOf(StringRef name) const {
    for (const runtime::ArrayMap* arrays : {&gradients.operands, &gradients.states})
      if (auto it = arrays->find(name); it != arrays->end())
        return &it->second;
    return nullptr;
  }
  /// An output or a final state, or null.
  const Array* resultOf(const Operand& operand) const {
    auto& arrays = operand.kind == Operand::State ? results.states : results.outputs;
    auto it = arrays.find(operand.name);
    return it == arrays.end() ? nullptr : &it->second;
  }
};
} // namespace

static Error writeComputed(const Options& options, const Signature& signature,
                           const Computed& computed) {
  SmallVector<std::pair<std::string, const Array*>> files;
  for (auto& [paths, operands] : {std::pair(&options.out, &signature.outputs),
                                  std::pair(&options.stateOut, &signature.states)})
    for (auto& [name, path] : *paths)
      for (const Operand& operand : *operands)
        if (operand.name == name)
          files.push_back({path, computed.resultOf(operand)});
  for (auto& [name, path] : options.gradOut)
    files.push_back({path, computed.gradientOf(name)});
  for (auto& [path, array] : files)
    if (!array)
      return make_error<InternalError>("no result for '" + path + "'");
  return writeArrays(files);
}

//===-- Summary ------------------------------------------------------------------------------===//

namespace {
struct Statistics {
  double rms = 0, largest = 0;
  int64_t strange = 0; ///< NaN or infinite
};
} // namespace

static Statistics statisticsOf(const Array& array) {
  Statistics result;
  double squares = 0;
  for (int64_t i = 0; i < array.getNumElements(); ++i) {
    double size = std::abs(array.get(i));
    if (!std::isfinite(size)) {
      ++result.strange;
      continue;
    }
    squares += size * size;
    result.largest = std::max(result.largest, size);
  }
  int64_t count = array.getNumElements() - result.strange;
  result.rms = count ? std::sqrt(squares / double(count)) : 0;
  return result;
}

namespace {
/// One array of the summary.
struct Row {
  const Operand& operand;
  bool isGradient;
  const Array& array;
};
} // namespace

static std::vector<Row> rowsOf(const Signature& signature, const Computed& computed) {
  std::vector<Row> rows;
  for (const std::vector<Operand>* operands : {&signature.outputs, &signature.states})
    for (const Operand& operand : *operands)
      if (const Array* array = computed.resultOf(operand))
        rows.push_back({operand, false, *array});
  for (const std::vector<Operand>* operands : {&signature.inputs, &signature.states})
    for (const Operand& operand : *operands)
      if (const Array* array = computed.gradientOf(operand.name))
        rows.push_back({operand, true, *array});
  return rows;
}

static void printSummary(ArrayRef<Row> rows, raw_ostream& os) {
  os << fmt::format("{:<10} {:<20} {:<22} {:<10} {:>10} {:>10}\n", "result", "axes", "shape",
                    "type", "RMS", "largest");
  for (const Row& row : rows) {
    Statistics statistics = statisticsOf(row.array);
    os << fmt::format(
        "{:<10} {:<20} {:<22} {:<10} {:>10.4g} {:>10.4g}{}\n",
        (row.isGradient ? "grad " : "") + row.operand.name,
        reference::formatLayout(row.operand.layout), runtime::formatShape(row.array.getShape()),
        runtime::name(row.array.getDType()).str(), statistics.rms, statistics.largest,
        statistics.strange ? fmt::format("  {} are NaN or infinite", statistics.strange) : "");
  }
}

static json::Value summaryJson(ArrayRef<Row> rows) {
  json::Array list;
  for (const Row& row : rows) {
    Statistics statistics = statisticsOf(row.array);
    list.push_back(json::Object{{"name", row.operand.name},
                                {"kind", row.isGradient                       ? "gradient"
                                         : row.operand.kind == Operand::State ? "state"
                                                                              : "output"},
                                {"shape", json::Array(row.array.getShape())},
                                {"dtype", runtime::name(row.array.getDType())},
                                {"rms", statistics.rms},
                                {"largest", statistics.largest},
                                {"not_finite", statistics.strange}});
  }
  return list;
}

//===-- The command --------------------------------------------------------------------------===//

/// Everything about the outputs that can be wrong before anything is computed.
static Error checkOutputs(ssm::RecurrenceOp declared, const Signature& signature,
                          const Options& options) {
  if (Error error = checkNames(options.out, "--out", signature.outputs, signature))
    return error;
  if (declared.getNumTimeAxes() > 1 && !options.stateOut.empty())
    return createStringError(
        "--state-out: with two time axes a state is the border of a plane, and is "
        "neither taken nor returned");
  if (Error error = checkNames(options.stateOut, "--state-out", signature.states, signature))
    return error;
  for (const NamedPaths* paths : {&options.out, &options.stateOut})
    for (auto& [name, path] : *paths)
      if (Error error = checkWritable(path))
        return error;
  if (Error error = checkGradientOptions(declared, signature, options))
    return error;
  if (!options.json.empty())
    return checkWritable(options.json);
  return Error::success();
}

Expected<int> driver::runCommand(const Options& options, Console& console) {
  Expected<Spec> spec = loadSpec(options.specs.front(), options, console);
  if (!spec)
    return spec.takeError();
  bool reference = options.target && options.target->kind == Target::Reference;
  DType dtype = options.dtype.value_or(reference ? DType::F64 : DType::F32);
  Expected<Signature> signature = signatureOf(spec->recurrence(), dtype);
  if (!signature)
    return signature.takeError();
  if (Error error = checkOutputs(spec->recurrence(), *signature, options))
    return error;
  console.times.begin("inputs");
  Expected<Inputs> inputs = gatherInputs(spec->recurrence(), *signature, options);
  if (!inputs)
    return inputs.takeError();
  console.times.begin("analysis");
  if (!reference)
    warnOfNonlinear(*spec, console);
  Computed computed;
  // First what needs the most memory and may be refused.
  if (options.wantsGradient()) {
    console.times.begin("gradient");
    Expected<reference::Gradients> gradients =
        computeGradient(spec->recurrence(), *signature, options, *inputs);
    if (!gradients)
      return gradients.takeError();
    computed.gradients = std::move(*gradients);
  }
  Expected<Results> results = compute(*spec, options, *signature, *inputs, console.times);
  if (!results)
    return results.takeError();
  computed.results = std::move(*results);
  console.times.begin("results");
  if (Error error = writeComputed(options, *signature, computed))
    return error;
  std::vector<Row> rows = rowsOf(*signature, computed);
  if (!options.json.empty()) {
    json::Value summary = summaryJson(rows);
    if (Error error =
            writeOutput(options.json, [&](raw_ostream& os) { os << formatv("{0:2}\n", summary); }))
      return error;
  }
  bool writesFiles = !options.out.empty() || !options.stateOut.empty() || !options.gradOut.empty();
  if (!writesFiles && options.json != "-")
    printSummary(rows, outs());
  if (options.verbose)
    console.times.print(errs());
  return Done;
}
