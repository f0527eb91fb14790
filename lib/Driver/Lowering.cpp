// The stages of compilation, in order.
#include "Forms.h"
#include "Kernels.h"
#include "Segments.h"

#include "ssmc/Analysis/Passes.h"
#include "ssmc/Derive/Passes.h"
#include "ssmc/Schedule/Schedule.h"

#include "mlir/IR/Verifier.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::DType;

/// A stage's post-condition, so that a failure names the stage.
static Error verifyAfter(mlir::ModuleOp module, const Twine& stage) {
  if (succeeded(mlir::verify(module)))
    return Error::success();
  return make_error<InternalError>(
      ("the result of stage '" + stage + "' is not well-formed").str());
}

static SmallVector<ssm::RecurrenceOp> recurrencesOf(mlir::ModuleOp module) {
  return SmallVector<ssm::RecurrenceOp>(module.getOps<ssm::RecurrenceOp>());
}

/// A declaration has updates without a reason; what is normal has systems, or says why not.
static bool isNormal(ssm::RecurrenceOp recurrence) {
  return all_of(recurrence.getBlock()->getOps<ssm::UpdateOp>(),
                [](ssm::UpdateOp update) { return update->hasAttr("nonlinear"); });
}

/// Replaces a form by its adjoint, and that by its own, so many times.
static Expected<ssm::RecurrenceOp> deriveAdjoint(ssm::RecurrenceOp form, unsigned times,
                                                 bool withOutputs) {
  if (times == 0)
    return form;
  // A block of steps whose states fit the second-level cache: they are all kept while
  // it is walked back.
  if (!form.getBlock()->getOps<ssm::PassOp>().empty() && mlir::failed(derive::blockSteps(form, 16)))
    return createStringError("'" + form.getSymName().str() +
                             "' has no gradient: there are two time axes");
  mlir::FailureOr<ssm::RecurrenceOp> adjoint = derive::deriveAdjoint(form, withOutputs);
  if (mlir::failed(adjoint))
    return make_error<ReportedError>();
  form.erase();
  if (Error error = simplify(*adjoint))
    return std::move(error);
  return deriveAdjoint(*adjoint, times - 1, /*withOutputs=*/false);
}

/// Replaces a normal form by the form that is asked for.
static Expected<ssm::RecurrenceOp> deriveForm(ssm::RecurrenceOp recurrence,
                                              const LoweringOptions& options) {
  if (options.form == Form::Auto || options.form == Form::Recurrent) {
    mlir::FailureOr<ssm::RecurrenceOp> form = derive::deriveRecurrent(recurrence);
    if (mlir::failed(form))
      return make_error<ReportedError>();
    return deriveAdjoint(*form, options.adjoint, options.outputs);
  }
  std::string reason, name = recurrence.getSymName().str();
  Expected<ssm::RecurrenceOp> form = deriveBlocks(recurrence, options, reason);
  if (!form)
    return form.takeError();
  if (!*form)
    return noSuchForm(name, options.form, reason);
  return deriveAdjoint(*form, options.adjoint, options.outputs);
}

LoweringOptions driver::loweringOf(const Options& options) {
  LoweringOptions lowering;
  lowering.dtype = options.dtype.value_or(DType::F32);
  lowering.form = options.form;
  lowering.chunk = options.chunk;
  lowering.adjoint = options.grad ? 1 : 0;
  lowering.outputs = options.grad;
  lowering.precision = options.precision;
  lowering.summaries = options.summaries;
  lowering.items = options.items();
  lowering.threads = options.target && options.target->isDevice();
  lowering.pairs = options.target && options.target->kind == Target::CUDA;
  if (options.target && options.target->kind == Target::Vulkan) {
    // (What is wrong with a target is said where it is used.)
    std::string ignored;
    auto target = vulkan::TargetSpec::parse(options.target->text(), ignored);
    if (!target || !target->matrices)
      lowering.precision = Precision::Exact;
    lowering.pairs = target && target->fragmentLayout;
  }
  return lowering;
}

Error driver::lowerModule(mlir::ModuleOp module, Stage stage, const LoweringOptions& options) {
  mlir::MLIRContext& context = *module.getContext();
  context.loadDialect<tile::TileDialect>();
  auto begin = [&](StringRef name) {
    if (options.times)
      options.times->begin(name);
  };

  //===-- Normal form: prove linearity, collect terms. All later stages read what it says. ---===//
  begin("analysis");
  for (ssm::RecurrenceOp recurrence : recurrencesOf(module))
    if (!isNormal(recurrence))
      analysis::normalize(recurrence);
  if (Error error = verifyAfter(module, "normalize"))
    return error;
  if (stage == Stage::Normal)
    return Error::success();

  //===-- Form: passes over time. Refuses what no order of steps computes. -------------------===//
  begin("derivation");
  for (ssm::RecurrenceOp recurrence : recurrencesOf(module))
    if (!recurrence.getForm()) {
      Expected<ssm::RecurrenceOp> form = deriveForm(recurrence, options);
      if (!form)
        return form.takeError();
      if (options.segments > 1 || options.summaries)
        if (Error error = addSummaries(*form, /*compositions=*/options.summaries))
          return error;
    }
  if (Error error = verifyAfter(module, "derive"))
    return error;
  if (stage == Stage::Form)
    return Error::success();

  //===-- Kernels: complex values become pairs before tiles are chosen, as tiles are real. ---===//
  begin("lowering");
  for (ssm::RecurrenceOp form : recurrencesOf(module)) {
    // Loops over the steps are all that a pair of reals needs to have rules for.
    derive::expandSteps(form, [](mlir::Operation* op) {
      return op->getNumResults() == 0 ||
             !cast<ssm::ArrayType>(op->getResult(0).getType()).isComplex();
    });
    if (mlir::failed(derive::splitComplex(form)))
      return make_error<ReportedError>();
  }
  if (Error error = verifyAfter(module, "split-complex"))
    return error;
  schedule::Options scheduling;
  for (auto& [name, size] : options.dims)
    scheduling.dims[name] = size;
  scheduling.columns = options.threads;
  scheduling.exactProducts = options.precision == Precision::Exact;
  mlir::Builder builder(&context);
  scheduling.operandType = options.dtype == DType::BF16  ? mlir::Type(builder.getBF16Type())
                           : options.dtype == DType::F16 ? mlir::Type(builder.getF16Type())
                                                         : mlir::Type(builder.getF32Type());
  SmallVector<SmallVector<tile::KernelOp>> kernels;
  for (ssm::RecurrenceOp form : recurrencesOf(module)) {
    // Where a step is the summary of a span and that has a matrix, threads have no room for
    // several.
    bool isOfSummaries = form.getForm() == "apply" || form.getForm() == "compose";
    bool multiplies =
        isOfSummaries &&
        form.walk([](ssm::SumOp) { return mlir::WalkResult::interrupt(); }).wasInterrupted();
    scheduling.tokenTile = options.threads && multiplies ? 1 : schedule::Options().tokenTile;
    // Temporaries of all forms lie side by side.
    scheduling.temporaries = kernels.empty() ? "pre" : (form.getSymName() + ".pre").str();
    auto made = schedule::scheduleForm(form, scheduling);
    if (mlir::failed(made))
      return make_error<InternalError>("stage 'schedule' failed");
    kernels.push_back(*made);
    form.erase();
  }
  derive::expandSteps(module, [&](mlir::Operation* op) {
    return options.threads ? simt::lowersSteps(op, options.pairs) : cpu::lowersSteps(op);
  });
  // (What is alike is told once it is expanded: forward passes have some of it as one op.)
  if (options.threads)
    schedule::shareTemporaries(kernels);
  if (options.threads || (options.sharesGroups && options.segments <= 1 && !options.summaries))
    schedule::shareGroups(module);
  return verifyAfter(module, "schedule");
}
