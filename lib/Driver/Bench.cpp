// `ssmc bench`: how long each form takes, and what that is of what the machine can do.
#include "Choose.h"
#include "Commands.h"
#include "DeviceArrays.h"
#include "Forms.h"
#include "Gradients.h"
#include "Limits.h"
#include "Output.h"
#include "Structure.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Driver/Driver.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/Threading.h"

#include <chrono>
#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::DType;

namespace {
struct Timing {
  std::vector<double> ms; ///< sorted
  int64_t stretches = 1;
  std::vector<KernelTime> kernels; ///< on a device, each by itself

  double quantile(double share) const {
    double at = share * double(ms.size() - 1);
    size_t below = size_t(at), above = std::min(below + 1, ms.size() - 1);
    return ms[below] + (at - double(below)) * (ms[above] - ms[below]);
  }
};
} // namespace

/// The form that a GPU settles for, with the blocks of all others, of which costs of a CPU say
/// nothing.
static Expected<Choice> settleOnDevice(ssm::RecurrenceOp declared, const LoweringOptions& lowering,
                                       const Situation& situation, FormList& forms) {
  auto settle = [&](Form form) -> Expected<FormChoice> {
    LoweringOptions settled = lowering;
    settled.form = form;
    if (Error error = settleForm(declared, settled, situation))
      return error;
    return FormChoice{settled.form == Form::Auto ? Form::Recurrent : settled.form, settled.chunk};
  };
  Expected<FormChoice> best = settle(lowering.form);
  if (!best)
    return best.takeError();
  for (FormChoice& form : forms.present) {
    if (form.form == Form::Recurrent)
      continue;
    Expected<FormChoice> settled = form.form == best->form ? *best : settle(form.form);
    if (!settled)
      return settled.takeError();
    if (settled->chunk)
      form.chunk = settled->chunk;
  }
  return Choice{*best, {}};
}

/// Warms up for a tenth of a second, of devices for three, in which their clocks rise, or two runs;
/// then times.
static Expected<Timing> measure(CompiledRecurrence::Launch& launch, const CodeTarget& target,
                                unsigned threads, unsigned repeat, bool eachKernel) {
  const double warmUp = target.isDevice() ? 300 : 100;
  using Clock = std::chrono::steady_clock;
  auto elapsed = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  auto start = Clock::now();
  for (unsigned runs = 0; runs < 2 || (runs < 1000 && elapsed(start) < warmUp); ++runs)
    if (Error error = launch.run(threads))
      return error;
  Timing timing;
  Progress progress("measuring", repeat);
  for (unsigned run = 0; run < repeat; ++run) {
    start = Clock::now();
    if (Error error = launch.run(threads))
      return error;
    timing.ms.push_back(elapsed(start));
    progress.advance();
  }
  sort(timing.ms);
  if (!eachKernel)
    return timing;
  Expected<std::vector<KernelTime>> kernels = launch.timeKernels();
  if (!kernels)
    return kernels.takeError();
  timing.kernels = std::move(*kernels);
  return timing;
}

static Expected<Timing> measureForm(ssm::RecurrenceOp declared, const LoweringOptions& lowering,
                                    const CodeTarget& target, const Signature& signature,
                                    const Inputs& inputs, int64_t stretches, unsigned threads,
                                    unsigned repeat, bool eachKernel) {
  Expected<CompiledRecurrence> compiled = CompiledRecurrence::compile(declared, lowering, target);
  if (!compiled)
    return compiled.takeError();
  compiled->setStretches(stretches);
  // States are in the cache when a model decodes, so they are read and written here too.
  Expected<CompiledRecurrence::Launch> launch = compiled->prepare(signature, inputs);
  if (!launch)
    return launch.takeError();
  Expected<Timing> timing = measure(*launch, target, threads, repeat, eachKernel);
  if (timing)
    timing->stretches = launch->stretches;
  return timing;
}

namespace {
struct GradientTiming : Timing {
  int64_t bytes; ///< of temporaries
  SpanPlan plan;
};
} // namespace

/// Times forward and backward: an adjoint whose first kernels give the outputs,
/// and keep what the others need.
static Expected<GradientTiming>
measureGradient(ssm::RecurrenceOp declared, LoweringOptions lowering,
                std::optional<int64_t> recompute, const CodeTarget& target,
                const Signature& signature, const Inputs& inputs, unsigned threads, unsigned repeat,
                bool eachKernel) {
  lowering.adjoint = 1;
  lowering.outputs = true;
  Expected<CompiledRecurrence> adjoint = CompiledRecurrence::compile(declared, lowering, target);
  if (!adjoint)
    return adjoint.takeError();
  adjoint->setSpans({recompute, std::nullopt});
  runtime::ArrayMap zeros;
  Expected<CompiledRecurrence::Launch> launch =
      prepareGradients(*adjoint, declared, signature, inputs, zeros);
  if (!launch)
    return launch.takeError();
  Expected<Timing> timing = measure(*launch, target, threads, repeat, eachKernel);
  if (!timing)
    return timing.takeError();
  return GradientTiming{std::move(*timing), launch->temporaryBytes(),
                        adjoint->spansOf(inputs.sizes, inputs.offsets)};
}

/// What the machine that the kernels run on can do at most, and a sentence that says so.
static Expected<std::pair<MachineLimits, std::string>> limitsOf(const CodeTarget& target,
                                                                unsigned threads) {
  if (!target.isDevice()) {
    MachineLimits limits = measureLimits(threads);
    return std::pair(limits, fmt::format("limit measured on {} threads: {:.4g} GFLOP/s of f32 "
                                         "multiply-adds, {:.3g} GB/s of copying",
                                         threads, limits.gflops, limits.gbytes));
  }
  Expected<simt::Device*> opened = openDevice(target);
  if (!opened)
    return opened.takeError();
  simt::Device* device = *opened;
  std::string message;
  std::optional<MachineLimits> limits = measureLimits(*device, message);
  if (!limits)
    return createStringError(message);
  return std::pair(*limits, fmt::format("limit measured on {}: {:.4g} GB/s of copying within its "
                                        "memory; times include a launch and the wait for it",
                                        device->name(), limits->gbytes));
}

Expected<int> driver::benchCommand(const Options& options, Console& console) {
  Expected<Spec> spec = loadSpec(options.specs.front(), options, console);
  if (!spec)
    return spec.takeError();
  if (!options.json.empty())
    if (Error error = checkWritable(options.json))
      return error;
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  if (Error error = checkRunsHere(*target))
    return error;
  ssm::RecurrenceOp declared = spec->recurrence();
  warnOfNonlinear(*spec, console);
  DType dtype = options.dtype.value_or(DType::F32);
  Expected<Signature> signature = signatureOf(declared, dtype);
  if (!signature)
    return signature.takeError();
  Expected<Inputs> inputs = gatherInputs(declared, *signature, options);
  if (!inputs)
    return inputs.takeError();
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, normal);
  Expected<FormList> forms = formsOf(analysis::normalize(normal), options);
  if (!forms)
    return forms.takeError();
  LoweringOptions lowering{inputs->sizes.dims, dtype, options.form, options.chunk,
                           options.precision};
  suitTo(*inputs, lowering);
  Situation situation = situationOf(*target, *inputs);
  Expected<Choice> choice = target->isDevice()
                                ? settleOnDevice(declared, lowering, situation, *forms)
                                : chooseForm(declared, *forms, lowering, situation);
  if (!choice)
    return choice.takeError();
  std::map<std::string, double> cycles; // predicted, of all sequences
  for (const Candidate& candidate : choice->candidates) {
    cycles[candidate.form.text()] = candidate.cost.cycles * double(inputs->sequences());
    for (FormChoice& form : forms->present)
      if (form.form == candidate.form.form)
        form = candidate.form;
  }
  unsigned threads = options.threads ? options.threads : defaultThreads();
  unsigned repeat = options.repeat.value_or(20);
  std::vector<Timing> timings;
  std::vector<GradientTiming> gradients;
  std::vector<int64_t> segments;
  // Gradients on GPUs have neither segments nor stretches by themselves, and what they are compared
  // with is to be the same.
  auto asked = [&](int64_t count) { return options.grad && !count ? 1 : count; };
  for (const FormChoice& form : forms->present) {
    LoweringOptions each = lowering;
    each.form = form.form;
    each.chunk = form.chunk;
    Expected<int64_t> ofForm =
        chooseSegments(declared, each, *target, *inputs, asked(options.segments));
    if (!ofForm)
      return ofForm.takeError();
    each.segments = segments.emplace_back(*ofForm);
    Expected<Timing> timing =
        measureForm(declared, each, *target, *signature, *inputs, asked(options.stretches), threads,
                    repeat, options.verbose);
    if (!timing)
      return timing.takeError();
    timings.push_back(std::move(*timing));
    if (!options.grad)
      continue;
    Expected<GradientTiming> gradient =
        measureGradient(declared, each, options.recompute, *target, *signature, *inputs, threads,
                        repeat, options.verbose);
    if (!gradient)
      return gradient.takeError();
    gradients.push_back(std::move(*gradient));
  }

  Expected<Explanation> facts = explain(declared, options);
  if (!facts)
    return facts.takeError();
  facts->dims = inputs->sizes.dims;
  const reference::Sizes& sizes = inputs->sizes;
  double steps = double(sizes.batch);
  for (int64_t size : sizes.time)
    steps *= double(size);
  double items = steps * double(sizes.heads);
  double operations = facts->costs.operations.evaluate(facts->dims).value_or(0) * items;
  double bytes =
      facts->costs.operandElements.evaluate(facts->dims).value_or(0) * byteWidth(dtype) * items +
      2 * facts->costs.stateBytes.evaluate(facts->dims).value_or(0) *
          double(inputs->sequences() * sizes.heads);
  auto measured = limitsOf(*target, threads);
  if (!measured)
    return measured.takeError();
  auto& [limits, limitsText] = *measured;
  auto [limit, byMemory] = boundOf(operations, bytes, limits);

  json::Array results;
  std::string rows, gradientRows;
  for (auto [form, timing, forward] : zip(forms->present, gradients, timings))
    gradientRows += fmt::format(
        "{:<12} {:>10.4g} {:>10.4g} {:>10.4g} {:>10.4g} {:>10.4g} {:>12.3g} {:>12} {:>10}\n",
        form.text(), timing.quantile(0.5), timing.ms.front(), timing.quantile(0.25),
        timing.quantile(0.75), timing.ms.back(), timing.quantile(0.5) / forward.quantile(0.5),
        runtime::formatBytes(double(timing.bytes)),
        timing.plan.steps ? std::to_string(timing.plan.steps) : "none");
  for (auto [form, timing] : zip(forms->present, timings)) {
    double median = timing.quantile(0.5);
    double gflops = operations / median * 1e-6, gbytes = bytes / median * 1e-6;
    results.push_back(json::Object{
        {"form", nameOf(form.form)},
        {"chunk", form.chunk},
        {"target", options.target ? options.target->text() : "cpu"},
        {"dtype", runtime::name(dtype)},
        {"threads", int64_t(threads)},
        {"segments", segments[results.size()]},
        {"stretches", timing.stretches},
        {"repeat", int64_t(timing.ms.size())},
        {"auto", form == choice->form},
        {"predicted_cycles", cycles[form.text()]},
        {"median_ms", median},
        {"min_ms", timing.ms.front()},
        {"p25_ms", timing.quantile(0.25)},
        {"p75_ms", timing.quantile(0.75)},
        {"max_ms", timing.ms.back()},
        {"tokens_per_s", steps / median * 1e3},
        {"gflops", gflops},
        {"gbytes_per_s", gbytes},
        {"limit_ms", limit},
        {"limit", byMemory ? "memory" : "arithmetic"},
        {"share_of_limit", limit / median},
        {"machine_gflops", limits.gflops > 0 ? json::Value(limits.gflops) : json::Value(nullptr)},
        {"machine_gbytes_per_s", limits.gbytes}});
    if (size_t index = results.size() - 1; index < gradients.size()) {
      json::Object& result = *results.back().getAsObject();
      result["gradient_temporary_bytes"] = gradients[index].bytes;
      result["recompute_steps"] = gradients[index].plan.steps;
      for (auto [name, share] : {std::pair("forward_and_backward_ms", 0.5),
                                 {"forward_and_backward_p25_ms", 0.25},
                                 {"forward_and_backward_p75_ms", 0.75}})
        result[name] = gradients[index].quantile(share);
    }
    rows += fmt::format(
        "{:<12} {:>10.4g} {:>10.4g} {:>10.4g} {:>10.4g} {:>10.4g} {:>12.4g} {:>9.4g} {:>8.3g} "
        "{:>16}{}{}{}\n",
        form.text(), median, timing.ms.front(), timing.quantile(0.25), timing.quantile(0.75),
        timing.ms.back(), steps / median * 1e3, gflops, gbytes,
        fmt::format("{:.0f} % {}", 100 * limit / median, byMemory ? "memory" : "arithmetic"),
        form == choice->form ? "  <- auto" : "",
        !options.segments && segments[results.size() - 1] > 1
            ? fmt::format(", {} segments", segments[results.size() - 1])
            : "",
        timing.stretches > 1 ? fmt::format(", {} stretches", timing.stretches) : "");
  }
  if (!options.json.empty()) {
    json::Value value = std::move(results);
    if (Error error =
            writeOutput(options.json, [&](raw_ostream& os) { os << formatv("{0:2}\n", value); }))
      return error;
  }
  if (options.json == "-")
    return Done;
  std::string shape;
  for (auto& [name, size] : facts->dims)
    shape += fmt::format(" {}={}", name, size);
  std::string time;
  for (int64_t size : sizes.time)
    time += fmt::format("{}{}", time.empty() ? "" : "×", size);
  std::string workers =
      target->isDevice() ? options.target->text() : fmt::format("{} threads", threads);
  outs() << fmt::format("{}: {}={} T={} H={}{}, {}, {}{}, {} runs\n\n", declared.getSymName().str(),
                        inputs->isPacked() ? "packed N" : "B", inputs->sequences(), time,
                        sizes.heads, shape, runtime::name(dtype).str(), workers,
                        options.segments > 1 ? fmt::format(", {} segments", options.segments) : "",
                        repeat);
  outs() << fmt::format("{:<12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12} {:>9} {:>8} {:>16}\n",
                        "form", "median ms", "min", "25 %", "75 %", "max", "steps/s", "GFLOP/s",
                        "GB/s", "share of limit")
         << rows << '\n';
  if (options.grad)
    outs() << fmt::format("{:<12} {:>10} {:>10} {:>10} {:>10} {:>10} {:>12} {:>12} {:>10}\n",
                          "with grad", "median ms", "min", "25 %", "75 %", "max", "× forward",
                          "kept", "recompute")
           << gradientRows << '\n';
  auto printKernels = [&](const FormChoice& form, StringRef what, const Timing& timing) {
    if (timing.kernels.empty())
      return;
    outs() << fmt::format("kernels of {}{}, ms, each by itself\n", form.text(), what.str());
    for (const KernelTime& kernel : timing.kernels)
      outs() << fmt::format("  {:<40} {:>10.4g}\n", kernel.name, kernel.ms);
    outs() << '\n';
  };
  for (auto [form, timing] : zip(forms->present, timings))
    printKernels(form, "", timing);
  for (auto [form, timing] : zip(forms->present, gradients))
    printKernels(form, " with its gradient", timing);
  outs() << limitsText << '\n';
  return Done;
}
