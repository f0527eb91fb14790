#include "Bundle.h"
#include "Choose.h"
#include "Commands.h"
#include "Forms.h"
#include "OptionTable.h"
#include "Output.h"
#include "VulkanDevice.h"

#include "ssmc/Driver/Driver.h"
#include "ssmc/Runtime/Npy.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using artifact::Bundle;
using artifact::BundleImage;

//===-- The folder ---------------------------------------------------------------------------===//

static constexpr StringLiteral manifestName = "manifest.json";

static std::string pathIn(StringRef folder, const Twine& name) {
  SmallString<256> path(folder);
  sys::path::append(path, name);
  return path.str().str();
}

/// A folder may be new, empty, or an earlier bundle; files of anything else are left alone.
static Error checkFolder(StringRef folder, StringRef what) {
  auto refuse = [&](const Twine& why) {
    return createStringError("cannot write the " + what + " '" + folder + "': " + why);
  };
  if (!sys::fs::exists(folder)) {
    StringRef parent = sys::path::parent_path(folder);
    parent = parent.empty() ? "." : parent;
    if (!sys::fs::is_directory(parent))
      return refuse("there is no folder '" + parent + "'");
    if (std::error_code error = sys::fs::access(parent, sys::fs::AccessMode::Write))
      return refuse(error.message());
    return Error::success();
  }
  if (!sys::fs::is_directory(folder))
    return refuse("it is a file; expected a folder, or a name for a new one");
  std::error_code error;
  bool isEmpty = sys::fs::directory_iterator(folder, error) == sys::fs::directory_iterator();
  if (error)
    return refuse(error.message());
  if (!isEmpty && !sys::fs::exists(pathIn(folder, manifestName)))
    return refuse("the folder has other things in it, and no manifest.json");
  if ((error = sys::fs::access(folder, sys::fs::AccessMode::Write)))
    return refuse(error.message());
  return Error::success();
}

static Error writeText(StringRef folder, const Twine& name, StringRef text) {
  return writeOutput(pathIn(folder, name), [&](raw_ostream& os) { os << text; });
}

/// The manifest goes first and comes last: a folder with one is whole.
static Error writeFolder(const Bundle& bundle, const CheckData& data, StringRef folder) {
  if (std::error_code error = sys::fs::create_directories(folder, true, sys::fs::all_all))
    return createStringError("cannot write the folder '" + folder + "': " + error.message());
  sys::fs::remove(pathIn(folder, manifestName));
  SmallVector<std::pair<std::string, std::string>> files;
  if (bundle.target == "cuda")
    files = {{bundle.name + ".h", artifact::headerText(bundle)},
             {bundle.name + ".c", artifact::launcherText(bundle)},
             {bundle.name + "_code.c", artifact::codeText(bundle)}};
  for (const BundleImage& image : bundle.images) {
    for (auto [number, shader] : enumerate(image.shaders))
      files.push_back({bundle.shaderFile(number),
                       std::string(reinterpret_cast<const char*>(shader.words.data()),
                                   4 * shader.words.size())});
    if (!image.shaders.empty())
      continue;
    files.push_back({bundle.codeFile(image, "ptx"), image.ptx});
    if (image.cubin)
      files.push_back({bundle.codeFile(image, "cubin"), *image.cubin});
  }
  for (auto& [name, text] : files)
    if (Error error = writeText(folder, name, text))
      return error;
  for (auto& [name, array] : data.files) {
    std::string path = pathIn(folder, name);
    if (std::error_code error =
            sys::fs::create_directories(sys::path::parent_path(path), true, sys::fs::all_all))
      return createStringError("cannot write '" + path + "': " + error.message());
    if (Error error = runtime::writeNpy(path, array))
      return error;
  }
  return Error::success();
}

//===-- Its contents -------------------------------------------------------------------------===//

static Expected<std::vector<cuda::TargetSpec>> chipsOf(const Options& options) {
  std::vector<cuda::TargetSpec> targets;
  if (StringRef names = options.target->triple; !names.empty()) {
    SmallVector<StringRef> architectures;
    names.split(architectures, ',');
    for (StringRef architecture : architectures)
      targets.push_back({architecture.str()});
    return targets;
  }
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  targets.push_back(*target->cuda);
  return targets;
}

static Expected<BundleImage> makeImage(mlir::ModuleOp module, const cuda::TargetSpec& target,
                                       int64_t items, bool assembles) {
  std::string message;
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  std::optional<cuda::Image> image =
      cuda::compile(*copy, target, items, /*llvmText=*/false, message);
  if (!image)
    return make_error<InternalError>("generating code failed: " + message);
  BundleImage made{target.arch, std::move(image->code), std::nullopt, std::move(image->kernels)};
  if (!assembles)
    return std::move(made);
  made.cubin = cuda::assemble(made.ptx, target, nullptr, message);
  if (!made.cubin)
    return createStringError(message);
  return std::move(made);
}

/// Modules of SPIR-V.
static Expected<BundleImage> makeShaders(mlir::ModuleOp module, const vulkan::TargetSpec& target,
                                         int64_t items) {
  std::string message;
  mlir::OwningOpRef<mlir::ModuleOp> copy = module.clone();
  std::optional<std::vector<vulkan::Kernel>> kernels =
      vulkan::compile(*copy, target, items, message);
  if (!kernels)
    return make_error<InternalError>("generating code failed: " + message);
  if (Error error = checkBindings(*kernels, target))
    return std::move(error);
  BundleImage made;
  made.arch = target.profile.empty() ? "vulkan" : sys::path::filename(target.profile).str();
  for (vulkan::Kernel& kernel : *kernels) {
    made.kernels.push_back(kernel.info);
    made.shaders.push_back(
        {std::move(kernel.words), std::move(kernel.bindings), std::move(kernel.requirements)});
  }
  made.spirvVersion = target.versionText();
  made.vulkanVersion = target.vulkanVersion();
  return std::move(made);
}

static std::string hashOf(const Spec& spec) {
  StringRef text = spec.sources->getMemoryBuffer(spec.sources->getMainFileID())->getBuffer();
  return toHex(SHA256::hash(arrayRefFromStringRef(text)), /*LowerCase=*/true);
}

static Expected<Bundle> makeBundle(const Spec& spec, const Options& options,
                                   const LoweringOptions& lowering, Console& console) {
  ssm::RecurrenceOp declared = spec.recurrence(), copy;
  Bundle bundle;
  bundle.name = declared.getSymName().str();
  bundle.compiler = "ssmc " SSMC_VERSION " (LLVM " LLVM_VERSION_STRING ")";
  bundle.source = spec.path == "-" ? "-" : sys::path::filename(spec.path).str();
  bundle.sourceHash = hashOf(spec);
  bundle.dims = lowering.dims;
  bundle.dtype = runtime::name(lowering.dtype).str();
  bundle.form = nameOf(lowering.form == Form::Auto ? Form::Recurrent : lowering.form).str();
  bundle.precision = lowering.precision == Precision::Exact ? "exact" : "fast";
  bundle.items = options.items();
  bundle.hasTwoTimeAxes = declared.getNumTimeAxes() > 1;

  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, copy);
  if (Error error = lowerModule(*module, Stage::Tile, lowering))
    return std::move(error);
  bundle.kernels = artifact::describeKernels(*module, bundle.hasTwoTimeAxes);
  bundle.forward =
      lowering.adjoint ? artifact::countForward(bundle.kernels) : bundle.kernels.size();
  if (options.target->kind == Target::Vulkan) {
    bundle.target = "vulkan";
    Expected<CodeTarget> target = targetOf(options);
    if (!target)
      return target.takeError();
    Expected<BundleImage> image = makeShaders(*module, *target->vulkan, options.items());
    if (!image)
      return image.takeError();
    bundle.images.push_back(std::move(*image));
    bundle.connect();
    return std::move(bundle);
  }
  Expected<std::vector<cuda::TargetSpec>> targets = chipsOf(options);
  if (!targets)
    return targets.takeError();
  bool assembles = cuda::hasAssembler();
  if (!assembles)
    console.warning("there is no ptxas on PATH, in CUDA_HOME or in /usr/local/cuda: the bundle has "
                    "PTX alone, which the driver assembles when it is loaded");
  for (const cuda::TargetSpec& target : *targets) {
    Expected<BundleImage> image = makeImage(*module, target, options.items(), assembles);
    if (!image)
      return image.takeError();
    bundle.images.push_back(std::move(*image));
  }
  bundle.connect();
  return std::move(bundle);
}

//===-- The command --------------------------------------------------------------------------===//

Expected<int> driver::bundleCommand(const Options& options, Console& console) {
  if (!options.target || !options.target->isDevice())
    return notAvailable("--emit bundle with --target cpu");
  if (options.summaries)
    return notAvailable((options.emit == Emit::Spirv ? "--emit spirv" : "--emit bundle") +
                        Twine(" with --summaries"));
  if (options.output.empty() || options.output == "-")
    return createStringError("a bundle is a folder and needs a name: add -o FOLDER");
  StringRef folder = StringRef(options.output).rtrim('/');
  if (folder.empty())
    folder = "/";
  if (Error error = checkFolder(folder, options.emit == Emit::Spirv ? "SPIR-V modules" : "bundle"))
    return std::move(error);
  Expected<Spec> spec = loadSpec(options.specs.front(), options, console);
  if (!spec)
    return spec.takeError();
  ssm::RecurrenceOp declared = spec->recurrence();
  LoweringOptions lowering = loweringOf(options);
  auto dims = dimSizes(declared, options, /*needAll=*/true);
  if (!dims)
    return dims.takeError();
  lowering.dims = std::move(*dims);
  if (Error error = checkStepSizes(declared, lowering.dims))
    return std::move(error);
  warnOfNonlinear(*spec, console);
  // (Of several architectures the first one says which form is taken.)
  Options first = options;
  if (first.target->kind == Target::CUDA)
    first.target->triple = StringRef(first.target->triple).split(',').first.str();
  Expected<CodeTarget> target = targetOf(first);
  if (!target)
    return target.takeError();
  if (Error error = settleForm(declared, lowering, situationOf(*target, options)))
    return std::move(error);
  Expected<Bundle> bundle = makeBundle(*spec, options, lowering, console);
  if (!bundle)
    return bundle.takeError();
  json::Object manifest = artifact::manifestOf(*bundle);
  CheckData data;
  if (options.checkData) {
    Expected<CheckData> made = makeCheckData(declared, *bundle, options, lowering);
    if (!made)
      return made.takeError();
    data = std::move(*made);
    manifest["check"] = std::move(data.cases);
  }
  if (Error error = writeFolder(*bundle, data, folder))
    return std::move(error);
  std::string text = formatv("{0:2}\n", json::Value(std::move(manifest)));
  if (Error error = writeText(folder, manifestName, text))
    return std::move(error);
  return Done;
}
