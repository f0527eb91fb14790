// `ssmc SPEC.ssm --emit KIND -o OUT`.
#include "Bundle.h"
#include "Choose.h"
#include "Commands.h"
#include "Kernels.h"
#include "Output.h"

#include "ssmc/Driver/Driver.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// What to emit: as said, else by the extension of the output.
static Expected<Emit> kindOf(const Options& options) {
  if (options.emit)
    return *options.emit;
  StringRef extension = sys::path::extension(options.output);
  if (extension == ".o")
    return Emit::Obj;
  if (extension == ".s")
    return Emit::Asm;
  if (extension == ".ll")
    return Emit::Llvm;
  if (extension == ".ptx")
    return Emit::Ptx;
  if (extension == ".cubin")
    return Emit::Cubin;
  if (extension == ".spv")
    return createStringError("'" + options.output +
                             "' names one module, and a recurrence may have several: "
                             "--target vulkan --emit spirv -o FOLDER writes a folder of NAME.spv");
  return createStringError("nothing to do: give --emit "
                           "ssm|normal|form|tile|llvm|asm|obj|ptx|cubin|spirv|bundle, or see ssmc "
                           "--help for the other commands");
}

/// What a module is emitted as once it holds kernels.
static Expected<std::string> compileKernels(mlir::ModuleOp module, const Options& options,
                                            Emit kind) {
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  std::string message;
  if (target->vulkan) {
    if (auto text = vulkan::print(module, *target->vulkan, options.items(), message))
      return *text;
    return make_error<InternalError>("generating code failed: " + message);
  }
  if (target->cuda) {
    std::optional<cuda::Image> image = cuda::compile(module, *target->cuda, options.items(),
                                                     /*llvmText=*/kind == Emit::Llvm, message);
    if (!image)
      return make_error<InternalError>("generating code failed: " + message);
    if (kind != Emit::Cubin)
      return std::move(image->code);
    if (std::optional<std::string> cubin =
            cuda::assemble(image->code, *target->cuda, nullptr, message))
      return *cubin;
    return createStringError(message);
  }
  cpu::Output output = kind == Emit::Llvm  ? cpu::Output::LLVMText
                       : kind == Emit::Asm ? cpu::Output::Assembly
                                           : cpu::Output::Object;
  if (std::optional<std::string> text = cpu::compile(module, target->cpu, output, message))
    return *text;
  if (message.empty())
    return make_error<ReportedError>();
  return make_error<InternalError>("generating code failed: " + message);
}

/// The text or object that is asked for.
static Expected<std::string> emit(const Options& options, Console& console, Emit kind) {
  Expected<Spec> spec =
      loadSpec(options.specs.front(), options, console, /*single=*/kind > Emit::Normal);
  if (!spec)
    return spec.takeError();
  LoweringOptions lowering = loweringOf(options);
  lowering.times = &console.times;
  for (ssm::RecurrenceOp recurrence : spec->recurrences) {
    auto sizes = dimSizes(recurrence, options, /*needAll=*/kind >= Emit::Tile);
    if (!sizes)
      return sizes.takeError();
    lowering.dims = std::move(*sizes);
    if (Error error = checkStepSizes(recurrence, lowering.dims))
      return error;
  }
  mlir::ModuleOp module = *spec->module;
  if (kind >= Emit::Normal) {
    if (Error error = lowerModule(module, Stage::Normal, lowering))
      return error;
    for (auto recurrence : module.getOps<ssm::RecurrenceOp>())
      warnOfNonlinear(recurrence, *spec, console);
  }
  if (kind >= Emit::Form) {
    Expected<CodeTarget> target = targetOf(options);
    if (!target)
      return target.takeError();
    if (Error error = settleForm(*module.getOps<ssm::RecurrenceOp>().begin(), lowering,
                                 situationOf(*target, options)))
      return error;
  }
  if (kind > Emit::Normal)
    if (Error error = lowerModule(module, kind == Emit::Form ? Stage::Form : Stage::Tile, lowering))
      return error;
  if (kind > Emit::Tile) {
    console.times.begin("code generation");
    return compileKernels(module, options, kind);
  }
  std::string text;
  raw_string_ostream(text) << module << '\n';
  return text;
}

Expected<int> driver::compileCommand(const Options& options, Console& console) {
  Expected<Emit> kind = kindOf(options);
  if (!kind)
    return kind.takeError();
  bool isGPU = options.target && options.target->kind == Target::CUDA;
  bool isVulkan = options.target && options.target->kind == Target::Vulkan;
  if (isVulkan && *kind > Emit::Tile && *kind != Emit::Spirv && *kind != Emit::Bundle)
    return createStringError("--target vulkan is emitted as spirv or bundle");
  if (*kind == Emit::Spirv && !isVulkan)
    return createStringError("--emit spirv needs --target vulkan");
  if (isGPU && (*kind == Emit::Asm || *kind == Emit::Obj))
    return createStringError("--target cuda is emitted as llvm, ptx, cubin or bundle");
  if (options.checkData && *kind != Emit::Bundle)
    return createStringError("--check-data needs --emit bundle");
  bool isText = options.output.empty() || options.output == "-";
  if (*kind == Emit::Bundle || (*kind == Emit::Spirv && !isText))
    return bundleCommand(options, console);
  if (!isGPU && *kind != Emit::Spirv && *kind > Emit::Obj)
    return createStringError("--emit ptx and --emit cubin need --target cuda");
  if (options.summaries && *kind < Emit::Form)
    return createStringError(
        "--summaries needs --emit form|tile|llvm|asm|obj: there are none before");
  std::string output = options.output;
  if (output.empty()) {
    if (*kind == Emit::Obj || *kind == Emit::Cubin)
      return createStringError("an object file needs a name: add -o OUT.o");
    output = "-";
  }
  if ((*kind == Emit::Obj || *kind == Emit::Cubin) && output == "-" &&
      sys::Process::StandardOutIsDisplayed())
    return createStringError("an object file is not for a terminal: add -o OUT.o");
  if (Error error = checkWritable(output))
    return error;
  Expected<std::string> text = emit(options, console, *kind);
  if (!text)
    return text.takeError();
  if (Error error = writeOutput(output, [&](raw_ostream& os) { os << *text; }))
    return error;
  if (options.verbose)
    console.times.print(errs());
  return Done;
}
