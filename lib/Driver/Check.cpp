// `ssmc check`: every form, target and type against the f64 reference.
#include "CheckGradients.h"
#include "Commands.h"
#include "Kernels.h"
#include "OptionTable.h"
#include "Output.h"
#include "Packed.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Driver/Driver.h"
#include "ssmc/Runtime/Compare.h"

#include <cstring>
#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using reference::Results;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

namespace {

struct CheckedTarget {
  std::string name;
  CodeTarget spec;
  /// Whether forms of blocks are tried on a few cases only.
  bool brief = false;
};

/// One recurrence under check. Data and what the reference makes of them are the same for all forms
/// and targets, so they are made once.
class Checker {
public:
  Checker(ssm::RecurrenceOp declared, const Options& options)
      : declared(declared), options(options) {}
  Error prepare();
  const FormList& getForms() const { return forms; }
  Expected<Line> check(const FormChoice& form, const CheckedTarget& target, DType dtype);

private:
  struct Data {
    Inputs inputs;
    Results expected;
  };
  std::vector<CheckCase> casesOf(const FormChoice& form, bool brief, bool segments) const;
  Expected<const Data*> dataFor(const CheckCase& test, const Signature& signature, DType dtype);
  Expected<Results> compute(const CheckCase& test, const CompiledRecurrence& compiled,
                            const Signature& signature, const Data& data);
  Error tryCase(const CheckCase& test, const CompiledRecurrence& compiled,
                const Signature& signature, DType dtype, Finding& finding);

  ssm::RecurrenceOp declared;
  const Options& options;
  FormList forms;
  /// What the data of a case depend on.
  using Key = std::tuple<DType, int64_t, int64_t, SmallVector<int64_t, 2>, SmallVector<int64_t, 8>,
                         bool, Gates, bool>;
  std::map<Key, Data> data;
};

} // namespace

Error Checker::prepare() {
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, normal);
  normal = analysis::normalize(normal);
  // The lengths are what most cases are about; only the plain one takes another.
  if (!options.time.empty() && options.time.size() != declared.getNumTimeAxes())
    return createStringError("--time gives " + Twine(options.time.size()) + " sizes, '" +
                             declared.getSymName() + "' has " + Twine(declared.getNumTimeAxes()) +
                             " time axes");
  Expected<FormList> found = formsOf(normal, options);
  if (!found)
    return found.takeError();
  forms.absent = std::move(found->absent);
  for (const FormChoice& form : found->present) {
    forms.present.push_back(form);
    // Blocks of two sizes: what holds of one may hold by accident.
    if (form.chunk && !options.chunk)
      forms.present.push_back({form.form, *form.chunk == 16 ? 64 : 16});
  }
  return Error::success();
}

std::vector<CheckCase> Checker::casesOf(const FormChoice& form, bool brief, bool segments) const {
  std::vector<CheckCase> cases =
      checkCases(declared, !options.dims.empty(), form.chunk, brief, segments);
  for (CheckCase& test : cases) {
    if (test.lengths.empty())
      test.batch = options.batch.value_or(test.batch);
    test.heads = options.heads.value_or(test.heads);
    if (test.segments > 1 && options.segments > 1)
      test.segments = options.segments;
    if (!options.time.empty() && StringRef(test.name) == "odd sizes")
      test.time.assign(options.time.begin(), options.time.end());
  }
  return cases;
}

Expected<const Checker::Data*> Checker::dataFor(const CheckCase& test, const Signature& signature,
                                                DType dtype) {
  auto [entry, isNew] = data.try_emplace(Key(dtype, test.batch, test.heads, test.time, test.lengths,
                                             test.initialState, test.gates, test.evenSizes));
  Data& result = entry->second;
  if (!isNew)
    return &result;
  reference::Sizes& sizes = result.inputs.sizes;
  auto dims = checkDims(declared, options, test.evenSizes);
  if (!dims)
    return dims.takeError();
  sizes.dims = std::move(*dims);
  sizes.batch = test.batch;
  sizes.heads = test.heads;
  sizes.groups = options.groups.value_or(1);
  sizes.time.assign(test.time.begin(), test.time.end());
  if (!test.lengths.empty())
    result.inputs.offsets = {0};
  for (int64_t length : test.lengths)
    result.inputs.offsets.push_back(result.inputs.offsets.back() + length);
  if (Error error = reference::checkSizes(declared, sizes))
    return error;
  if (Error error = checkMemoryFor(declared, signature, result.inputs))
    return error;
  Expected<ArrayMap> inputs =
      randomInputs(declared, signature.inputs, sizes, options.seed, test.gates);
  if (!inputs)
    return inputs.takeError();
  result.inputs.operands = std::move(*inputs);
  if (test.initialState) {
    Expected<ArrayMap> states =
        randomStates(declared, signature.states, result.inputs.stateSizes(), options.seed);
    if (!states)
      return states.takeError();
    result.inputs.states = std::move(*states);
  }
  Expected<Results> expected = interpret(declared, signature, result.inputs, options.threads);
  if (!expected)
    return expected.takeError();
  result.expected = std::move(*expected);
  return &result;
}

static Error compareBits(const Results& a, const Results& b, const Twine& what) {
  for (auto& [left, right] : {std::pair(&a.outputs, &b.outputs), std::pair(&a.states, &b.states)})
    for (auto& [name, array] : *left) {
      const Array& other = right->find(name)->second;
      if (array.getNumBytes() && std::memcmp(array.getData(), other.getData(), array.getNumBytes()))
        return createStringError("'" + name + "' differs " + what);
    }
  return Error::success();
}

Expected<Results> Checker::compute(const CheckCase& test, const CompiledRecurrence& compiled,
                                   const Signature& signature, const Data& data) {
  if (test.mode == CheckCase::Whole)
    return compiled.run(signature, data.inputs, options.threads, /*poison=*/true);
  if (test.mode == CheckCase::Bits) {
    Expected<Results> one = compiled.run(signature, data.inputs, 1, /*poison=*/true);
    for (unsigned run = 1; run < std::max(3u, options.repeat.value_or(3)); ++run) {
      Expected<Results> other = compiled.run(signature, data.inputs, 2, /*poison=*/true);
      if (!one || !other)
        return one ? std::move(other) : std::move(one);
      if (Error error = compareBits(*one, *other, "between one thread and two"))
        return error;
    }
    if (!data.inputs.isPacked())
      return one;
    Expected<Results> apart = runEachSequence(signature, data.inputs, [&](const Inputs& inputs) {
      return compiled.run(signature, inputs, 1);
    });
    if (!apart)
      return apart;
    if (Error error = compareBits(*one, *apart, "between packed sequences and the same one by one"))
      return error;
    return one;
  }
  Results results;
  int64_t total = test.time[0], part = test.mode == CheckCase::Steps ? 1 : total * 2 / 5;
  const ArrayMap* states = &data.inputs.states;
  for (int64_t first = 0; first < total;
       first += part, part = test.mode == CheckCase::Steps ? 1 : total) {
    int64_t last = std::min(total, first + part);
    Inputs inputs;
    inputs.sizes = data.inputs.sizes;
    inputs.sizes.time[0] = last - first;
    Expected<ArrayMap> slice = sliceTime(data.inputs.operands, signature.inputs, first, last);
    if (!slice)
      return slice.takeError();
    inputs.operands = std::move(*slice);
    for (auto& [name, array] : *states) {
      Expected<Array> copy = array.clone();
      if (!copy)
        return copy.takeError();
      inputs.states[name] = std::move(*copy);
    }
    Expected<Results> span = compiled.run(signature, inputs, options.threads, /*poison=*/true);
    if (!span)
      return span.takeError();
    if (Error error = storeTime(results.outputs, span->outputs, first, total))
      return error;
    results.states = std::move(span->states);
    states = &results.states;
  }
  return std::move(results);
}

/// The largest error among arrays that have a counterpart in the reference.
static Expected<double> worst(const ArrayMap& found, const ArrayMap& expected) {
  double error = 0;
  for (auto& [name, reference] : expected) {
    auto it = found.find(name);
    if (it == found.end())
      return createStringError("no result '" + name + "'");
    Expected<runtime::Difference> difference = runtime::compare(it->second, reference);
    if (!difference)
      return createStringError("'" + name + "': " + toString(difference.takeError()));
    error = std::max(error, difference->relative);
  }
  return error;
}

Error Checker::tryCase(const CheckCase& test, const CompiledRecurrence& compiled,
                       const Signature& signature, DType dtype, Finding& finding) {
  Expected<const Data*> data = dataFor(test, signature, dtype);
  if (!data)
    return data.takeError();
  Expected<Results> found = compute(test, compiled, signature, **data);
  if (!found)
    return found.takeError();
  Expected<double> outputs = worst(found->outputs, (*data)->expected.outputs);
  if (!outputs)
    return outputs.takeError();
  Expected<double> states = worst(found->states, (*data)->expected.states);
  if (!states)
    return states.takeError();
  finding.outputs = *outputs;
  finding.states = *states;
  return Error::success();
}

Expected<Line> Checker::check(const FormChoice& form, const CheckedTarget& target, DType dtype) {
  Expected<Signature> signature = signatureOf(declared, dtype);
  if (!signature)
    return signature.takeError();
  Line line = {declared.getSymName().str(), target.name, runtime::name(dtype).str(), "", form,
               boundsOf(dtype).results,     {}};
  // (Of devices only when asked for: the driver translates all of their kernels at each check.)
  bool skips = target.brief || (target.spec.isDevice() && options.segments <= 1);
  Expected<bool> segments = skips ? false : checksSegments(declared, options, form, dtype);
  if (!segments)
    return segments.takeError();
  std::map<bool, std::optional<CompiledRecurrence>> compiled;
  for (const CheckCase& test : casesOf(form, target.brief && form.chunk, *segments)) {
    Finding& finding = line.findings.emplace_back(Finding{test});
    auto dims = checkDims(declared, options, test.evenSizes);
    if (!dims)
      return dims.takeError();
    auto& kernels = compiled[test.evenSizes];
    if (!kernels) {
      if (!test.evenSizes)
        for (auto& [name, size] : *dims)
          line.dims += fmt::format("{}{}={}", line.dims.empty() ? "" : " ", name, size);
      LoweringOptions lowering = {*dims, dtype, form.form, form.chunk, options.precision};
      // One of the two shapes of kernels has its free axis in parts, where the target does that.
      lowering.items = test.evenSizes ? 6 : 0;
      lowering.sharesGroups = test.evenSizes;
      lowering.segments = *segments && !test.evenSizes ? 2 : 1;
      Expected<CompiledRecurrence> result =
          CompiledRecurrence::compile(declared, lowering, target.spec);
      // What is refused for its sizes, with a message, is the user's to change.
      if (!result && result.errorIsA<ReportedError>())
        return result.takeError();
      if (!result) {
        finding.problem = toString(result.takeError());
        continue;
      }
      kernels = std::move(*result);
    }
    // (Devices do not cut packed sequences, which are the same as one by one all the same.)
    bool isWhole = target.spec.isDevice() && !test.lengths.empty();
    kernels->setSegments(isWhole ? 1 : test.segments);
    kernels->setStretches(options.stretches);
    if (Error error = tryCase(test, *kernels, *signature, dtype, finding))
      finding.problem = toString(std::move(error));
  }
  return std::move(line);
}

//===-- What is checked ----------------------------------------------------------------------===//

static Expected<std::vector<CheckedTarget>> checkedTargets(const Options& options) {
  if (options.target) {
    Expected<CodeTarget> target = targetOf(options);
    if (!target)
      return target.takeError();
    if (Error error = checkRunsHere(*target))
      return error;
    return std::vector<CheckedTarget>{{options.target->text(), *target}};
  }
  cpu::TargetSpec host = cpu::TargetSpec::host();
  std::vector<CheckedTarget> targets = {{"cpu", {host}}};
  if (host.isX86()) {
    // Narrower vectors than this machine's, which are the widest of another.
    if (host.has("avx512f") && host.has("avx2") && host.has("fma"))
      targets.push_back({"cpu avx2", {{host.triple, "+avx2,+fma"}}, /*brief=*/true});
    if (host.has("avx2"))
      targets.push_back({"cpu x86-64", {{host.triple, ""}}, /*brief=*/true});
  }
  return targets;
}

namespace {
struct Table {
  std::vector<Line> lines;
  std::vector<GradientLine> gradients;
  std::vector<AbsentLine> absent;
};
} // namespace

/// Gradients of all forms, on the first target alone: the others differ in how loops
/// are cut into vectors.
static Error checkGradients(ssm::RecurrenceOp declared, const FormList& forms,
                            const Options& options, Console& console,
                            ArrayRef<CheckedTarget> targets, ArrayRef<DType> dtypes,
                            Progress& progress, bool print, Table& table) {
  if (declared.getNumTimeAxes() > 1 && options.recompute.value_or(0))
    return createStringError("--recompute: '" + declared.getSymName() +
                             "' has no gradient: there are two time axes");
  if (declared.getNumTimeAxes() > 1)
    return Error::success();
  GradientChecker checker(declared, options);
  for (const FormChoice& form : forms.present)
    for (DType dtype : dtypes) {
      bool isFurther = form.chunk && !options.chunk && *form.chunk != defaultChunk(form.form);
      if (isFurther && dtype != dtypes.front())
        continue;
      progress.advance(declared.getSymName());
      Expected<bool> segments = targets.front().spec.isDevice() && options.segments <= 1
                                    ? false
                                    : checksSegments(declared, options, form, dtype);
      if (!segments)
        return segments.takeError();
      Expected<GradientLine> line =
          checker.check(form, targets.front().name, targets.front().spec, dtype,
                        *segments ? std::max<int64_t>(options.segments, 4) : 1);
      if (!line)
        return line.takeError();
      if (print)
        printLine(*line, options.verbose, console.hasColor(outs()), outs());
      table.gradients.push_back(std::move(*line));
    }
  return Error::success();
}

static Error checkSpec(StringRef path, const Options& options, Console& console,
                       ArrayRef<CheckedTarget> targets, Progress& progress, bool print,
                       Table& table) {
  Expected<Spec> spec = loadSpec(path, options, console, /*single=*/false);
  if (!spec)
    return spec.takeError();
  std::vector<DType> dtypes = {DType::F32, DType::BF16};
  if (options.dtype)
    dtypes = {*options.dtype};
  for (ssm::RecurrenceOp declared : spec->recurrences) {
    for (bool even : {false, true}) {
      auto dims = checkDims(declared, options, even);
      if (!dims)
        return dims.takeError();
      if (Error error = checkStepSizes(declared, *dims))
        return error;
    }
    Checker checker(declared, options);
    if (Error error = checker.prepare())
      return error;
    for (const FormChoice& form : checker.getForms().present)
      for (const CheckedTarget& target : targets)
        for (DType dtype : dtypes) {
          // One size of blocks is enough on each further target and for each further type.
          bool isFurther = form.chunk && !options.chunk && *form.chunk != defaultChunk(form.form);
          if ((target.brief && !options.chunk && form.chunk.value_or(16) != 16) ||
              (isFurther && dtype != dtypes.front() && !target.brief))
            continue;
          progress.advance(declared.getSymName());
          Expected<Line> line = checker.check(form, target, dtype);
          if (!line)
            return line.takeError();
          if (print)
            printLine(*line, options.verbose, console.hasColor(outs()), outs());
          table.lines.push_back(std::move(*line));
        }
    if (Error error = checkGradients(declared, checker.getForms(), options, console, targets,
                                     dtypes, progress, print, table))
      return error;
    for (const AbsentForm& form : checker.getForms().absent) {
      table.absent.push_back({declared.getSymName().str(), form});
      if (print && options.verbose)
        printLine(table.absent.back(), outs());
    }
  }
  return Error::success();
}

Expected<int> driver::checkCommand(const Options& options, Console& console) {
  Expected<std::vector<CheckedTarget>> targets = checkedTargets(options);
  if (!targets)
    return targets.takeError();
  if (!options.json.empty())
    if (Error error = checkWritable(options.json))
      return error;
  bool print = options.json != "-";
  if (print)
    printHeader(outs());
  Table table;
  {
    Progress progress("checking");
    for (const std::string& path : options.specs)
      if (Error error = checkSpec(path, options, console, *targets, progress, print, table))
        return error;
  }
  if (!options.json.empty()) {
    json::Value value = toJson(table.lines, table.gradients, table.absent);
    if (Error error =
            writeOutput(options.json, [&](raw_ostream& os) { os << formatv("{0:2}\n", value); }))
      return error;
  }
  unsigned cases = 0, failures = 0;
  for (const Line& line : table.lines) {
    cases += line.findings.size();
    failures += line.failures();
  }
  for (const GradientLine& line : table.gradients) {
    cases += line.findings.size();
    failures += line.failures();
  }
  if (print)
    outs() << fmt::format("\n{} of {} cases are within their bound{}\n", cases - failures, cases,
                          failures ? fmt::format("; {} FAILED", failures) : "");
  return failures ? CheckFailed : Done;
}
