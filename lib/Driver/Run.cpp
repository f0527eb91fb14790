// `ssmc run`: arrays in, arrays out.
#include "Commands.h"
#include "Kernels.h"
#include "Output.h"
#include "Packed.h"

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
                                 const Inputs& inputs) {
  if (options.target && options.target->kind == Target::Reference)
    return interpret(spec.recurrence(), signature, inputs, options.threads);
  Expected<cpu::TargetSpec> target = targetOf(options);
  if (!target)
    return target.takeError();
  if (Error error = checkRunsHere(*target))
    return error;
  LoweringOptions lowering = {inputs.sizes.dims, options.dtype.value_or(DType::F32), options.form,
                              options.chunk};
  Expected<CompiledRecurrence> compiled =
      CompiledRecurrence::compile(spec.recurrence(), lowering, *target);
  if (!compiled)
    return compiled.takeError();
  return compiled->run(signature, inputs, options.threads);
}

//===-- Files
//---------------------------------------------------------------------------------------===//

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

static Error writeResults(const Options& options, const Results& results) {
  SmallVector<std::pair<std::string, const Array*>> files;
  for (auto& [paths, arrays] :
       {std::pair(&options.out, &results.outputs), std::pair(&options.stateOut, &results.states)})
    for (auto& [name, path] : *paths) {
      auto array = arrays->find(name);
      if (array == arrays->end())
        return make_error<InternalError>("no result '" + name + "'");
      files.push_back({path, &array->second});
    }
  return writeArrays(files);
}

//===-- Summary
//-------------------------------------------------------------------------------------===//

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

static void printSummary(const Signature& signature, const Results& results, raw_ostream& os) {
  os << fmt::format("{:<10} {:<20} {:<22} {:<10} {:>10} {:>10}\n", "result", "axes", "shape",
                    "type", "RMS", "largest");
  for (const std::vector<Operand>* operands : {&signature.outputs, &signature.states})
    for (const Operand& operand : *operands) {
      auto& arrays = operand.kind == Operand::State ? results.states : results.outputs;
      auto array = arrays.find(operand.name);
      if (array == arrays.end())
        continue;
      Statistics statistics = statisticsOf(array->second);
      os << fmt::format(
          "{:<10} {:<20} {:<22} {:<10} {:>10.4g} {:>10.4g}{}\n", operand.name,
          reference::formatLayout(operand.layout), runtime::formatShape(array->second.getShape()),
          runtime::name(array->second.getDType()).str(), statistics.rms, statistics.largest,
          statistics.strange ? fmt::format("  {} are NaN or infinite", statistics.strange) : "");
    }
}

static json::Value summaryJson(const Signature& signature, const Results& results) {
  json::Array list;
  for (const std::vector<Operand>* operands : {&signature.outputs, &signature.states})
    for (const Operand& operand : *operands) {
      auto& arrays = operand.kind == Operand::State ? results.states : results.outputs;
      auto array = arrays.find(operand.name);
      if (array == arrays.end())
        continue;
      Statistics statistics = statisticsOf(array->second);
      list.push_back(json::Object{{"name", operand.name},
                                  {"kind", operand.kind == Operand::State ? "state" : "output"},
                                  {"shape", json::Array(array->second.getShape())},
                                  {"dtype", runtime::name(array->second.getDType())},
                                  {"rms", statistics.rms},
                                  {"largest", statistics.largest},
                                  {"not_finite", statistics.strange}});
    }
  return list;
}

//===-- The command
//---------------------------------------------------------------------------------===//

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
  Expected<Inputs> inputs = gatherInputs(spec->recurrence(), *signature, options);
  if (!inputs)
    return inputs.takeError();
  if (!reference)
    warnOfNonlinear(*spec, console);
  Expected<Results> results = compute(*spec, options, *signature, *inputs);
  if (!results)
    return results.takeError();
  if (Error error = writeResults(options, *results))
    return error;
  if (!options.json.empty()) {
    json::Value summary = summaryJson(*signature, *results);
    if (Error error =
            writeOutput(options.json, [&](raw_ostream& os) { os << formatv("{0:2}\n", summary); }))
      return error;
  }
  if (options.out.empty() && options.stateOut.empty() && options.json != "-")
    printSummary(*signature, *results, outs());
  return Done;
}
