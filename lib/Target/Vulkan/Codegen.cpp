// Tile kernels to the spirv dialect, to SPIR-V.
#include "Machine.h"

#include "mlir/Conversion/MathToSPIRV/MathToSPIRVPass.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Target/SPIRV/Serialization.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::vulkan;

static spirv::Version versionOf(const TargetSpec& target) {
  switch (target.version) {
  case 14:
    return spirv::Version::V_1_4;
  case 15:
    return spirv::Version::V_1_5;
  case 16:
    return spirv::Version::V_1_6;
  default:
    return spirv::Version::V_1_3;
  }
}

static void setEnvironment(ModuleOp module, const TargetSpec& target) {
  MLIRContext* context = module.getContext();
  SmallVector<spirv::Capability> capabilities = {spirv::Capability::Shader};
  if (target.subgroup > 1)
    capabilities.append(
        {spirv::Capability::GroupNonUniform, spirv::Capability::GroupNonUniformShuffle});
  SmallVector<spirv::Extension> extensions = {
      spirv::Extension::SPV_KHR_storage_buffer_storage_class};
  if (target.matrices) {
    capabilities.append(
        {spirv::Capability::VulkanMemoryModel, spirv::Capability::CooperativeMatrixKHR,
         spirv::Capability::BFloat16TypeKHR, spirv::Capability::BFloat16CooperativeMatrixKHR,
         spirv::Capability::WorkgroupMemoryExplicitLayoutKHR,
         spirv::Capability::WorkgroupMemoryExplicitLayout16BitAccessKHR});
    extensions.append({spirv::Extension::SPV_KHR_cooperative_matrix,
                       spirv::Extension::SPV_KHR_bfloat16,
                       spirv::Extension::SPV_KHR_workgroup_memory_explicit_layout});
  }
  if (target.storage16) {
    capabilities.append({spirv::Capability::StorageBuffer16BitAccess, spirv::Capability::Int16});
    extensions.push_back(spirv::Extension::SPV_KHR_16bit_storage);
  }
  auto triple = spirv::VerCapExtAttr::get(versionOf(target), capabilities, extensions, context);
  module->setAttr(spirv::getTargetEnvAttrName(),
                  spirv::TargetEnvAttr::get(triple, spirv::getDefaultResourceLimits(context),
                                            spirv::ClientAPI::Vulkan));
}

static void loadDialects(MLIRContext* context) {
  DialectRegistry registry;
  registry.insert<arith::ArithDialect, func::FuncDialect, gpu::GPUDialect, LLVM::LLVMDialect,
                  math::MathDialect, memref::MemRefDialect, scf::SCFDialect, spirv::SPIRVDialect>();
  context->appendDialectRegistry(registry);
  context->loadAllAvailableDialects();
}

static simt::Limits limitsOf(const TargetSpec& target, int64_t items) {
  simt::Limits limits;
  limits.sharedBytes = target.sharedBytes;
  limits.threads = target.threads;
  limits.items = items;
  limits.processors = target.processors;
  return limits;
}

std::optional<std::vector<Kernel>> vulkan::lowerKernels(ModuleOp module, const TargetSpec& target,
                                                        const simt::Limits& limits) {
  std::unique_ptr<simt::Machine> machine = makeMachine(target);
  std::vector<LoweredKernel> lowered;
  std::vector<Kernel> kernels;
  for (tile::KernelOp op : llvm::to_vector(module.getOps<tile::KernelOp>())) {
    lowered.push_back({arraysOf(op, target)});
    FailureOr<simt::KernelInfo> info = simt::lowerKernel(op, *machine, limits);
    if (failed(info))
      return std::nullopt;
    auto function = cast<func::FuncOp>(op->getPrevNode());
    if (failed(lowerAddresses(function, *info, target.matrices, lowered.back())))
      return std::nullopt;
    kernels.emplace_back().info = *info;
    function.erase();
    op.erase();
  }
  shareBindings(lowered, target);
  for (auto [kernel, done] : llvm::zip(kernels, lowered)) {
    kernel.bindings = std::move(done.bindings);
    kernel.info.together = std::move(done.together);
  }
  return kernels;
}

std::optional<std::vector<simt::KernelInfo>> vulkan::plan(ModuleOp module, const TargetSpec& target,
                                                          int64_t items) {
  loadDialects(module.getContext());
  std::optional<std::vector<Kernel>> kernels =
      lowerKernels(module, target, limitsOf(target, items));
  if (!kernels)
    return std::nullopt;
  std::vector<simt::KernelInfo> infos;
  for (Kernel& kernel : *kernels)
    infos.push_back(kernel.info);
  return infos;
}

/// The feature of Vulkan that a capability of SPIR-V needs to be enabled; empty: none.
static StringRef featureOf(spirv::Capability capability) {
  switch (capability) {
  case spirv::Capability::StorageBuffer16BitAccess:
    return "storageBuffer16BitAccess";
  case spirv::Capability::Int16:
    return "shaderInt16";
  case spirv::Capability::VulkanMemoryModel:
    return "vulkanMemoryModel";
  case spirv::Capability::CooperativeMatrixKHR:
    return "cooperativeMatrix";
  case spirv::Capability::BFloat16TypeKHR:
    return "shaderBFloat16Type";
  case spirv::Capability::BFloat16CooperativeMatrixKHR:
    return "shaderBFloat16CooperativeMatrix";
  case spirv::Capability::WorkgroupMemoryExplicitLayoutKHR:
    return "workgroupMemoryExplicitLayout";
  case spirv::Capability::WorkgroupMemoryExplicitLayout16BitAccessKHR:
    return "workgroupMemoryExplicitLayout16BitAccess";
  default:
    return "";
  }
}

/// What a module asks of a device: the least, as it has been found by what is in it.
static Requirements requirementsOf(spirv::ModuleOp shader, const TargetSpec& target) {
  Requirements made;
  for (spirv::Extension extension : shader.getVceTriple()->getExtensions())
    made.extensions.push_back(spirv::stringifyExtension(extension).str());
  for (spirv::Capability capability : shader.getVceTriple()->getCapabilities()) {
    made.capabilities.push_back(spirv::stringifyCapability(capability).str());
    if (StringRef feature = featureOf(capability); !feature.empty())
      made.features.push_back(feature.str());
    bool isShuffle = capability == spirv::Capability::GroupNonUniformShuffle;
    if (isShuffle || capability == spirv::Capability::GroupNonUniform)
      made.operations.push_back(isShuffle ? "shuffle" : "basic");
    // Subgroups must be of the size that the code is for.
    if (isShuffle || capability == spirv::Capability::CooperativeMatrixKHR)
      made.subgroup = target.subgroup;
  }
  for (auto* list : {&made.capabilities, &made.extensions, &made.features, &made.operations})
    llvm::sort(*list);
  return made;
}

/// Sets what a module declares, of which the least has been found by what is in it.
static void declare(spirv::ModuleOp shader, const TargetSpec& target) {
  auto least = shader.getVceTriple();
  if (!least)
    return;
  llvm::SetVector<spirv::Capability> capabilities;
  llvm::SetVector<spirv::Extension> extensions;
  capabilities.insert_range(least->getCapabilities());
  extensions.insert_range(least->getExtensions());
  if (shader.getMemoryModel() == spirv::MemoryModel::Vulkan)
    capabilities.insert(spirv::Capability::VulkanMemoryModel);
  if (capabilities.contains(spirv::Capability::CooperativeMatrixKHR))
    capabilities.insert(spirv::Capability::BFloat16CooperativeMatrixKHR);
  for (auto variable : shader.getOps<spirv::GlobalVariableOp>()) {
    auto array = cast<spirv::PointerType>(variable.getType()).getPointeeType();
    auto block = dyn_cast<spirv::StructType>(array);
    if (variable.storageClass() != spirv::StorageClass::Workgroup || !block ||
        !block.hasDecoration(spirv::Decoration::Block))
      continue;
    extensions.insert(spirv::Extension::SPV_KHR_workgroup_memory_explicit_layout);
    capabilities.insert(spirv::Capability::WorkgroupMemoryExplicitLayoutKHR);
    if (cast<spirv::ArrayType>(block.getElementType(0)).getElementType().isInteger(16))
      capabilities.insert(spirv::Capability::WorkgroupMemoryExplicitLayout16BitAccessKHR);
  }
  // The version is the one that the interfaces of entry points are made for, not the least one.
  shader.setVceTripleAttr(spirv::VerCapExtAttr::get(versionOf(target), capabilities.getArrayRef(),
                                                    extensions.getArrayRef(), shader.getContext()));
}

/// Down to the spirv dialect: a spirv.module for each kernel.
static std::optional<std::vector<Kernel>> lower(ModuleOp module, const TargetSpec& target,
                                                int64_t items, std::string& error) {
  loadDialects(module.getContext());
  std::optional<std::vector<Kernel>> kernels =
      lowerKernels(module, target, limitsOf(target, items));
  if (!kernels) {
    error = "lowering to a program of threads failed";
    return std::nullopt;
  }
  setEnvironment(module, target);
  PassManager manager(module.getContext());
  OpPassManager& programs = manager.nest<gpu::GPUModuleOp>();
  programs.addPass(createCanonicalizerPass());
  programs.addPass(createCSEPass());
  programs.addPass(createConvertMathToSPIRVPass());
  PassManager interfaces(module.getContext());
  interfaces.nest<spirv::ModuleOp>().addPass(spirv::createSPIRVLowerABIAttributesPass());
  PassManager needs(module.getContext());
  needs.nest<spirv::ModuleOp>().addPass(spirv::createSPIRVUpdateVCEPass());
  auto each = [&](auto change) {
    llvm::for_each(module.getOps<spirv::ModuleOp>(), change);
    return success();
  };
  auto describe = [&](spirv::ModuleOp shader) {
    if (target.matrices)
      shader.setMemoryModel(spirv::MemoryModel::Vulkan);
    describeMemory(shader);
  };
  if (failed(manager.run(module)) || failed(convertToSPIRV(module)) || failed(each(resolveViews)) ||
      failed(interfaces.run(module)) || failed(each(describe)) || failed(needs.run(module))) {
    error = "lowering to the spirv dialect failed";
    return std::nullopt;
  }
  (void)each([&](spirv::ModuleOp shader) { declare(shader, target); });
  for (auto [kernel, shader] : llvm::zip(*kernels, module.getOps<spirv::ModuleOp>()))
    kernel.requirements = requirementsOf(shader, target);
  return kernels;
}

std::optional<std::string> vulkan::print(ModuleOp module, const TargetSpec& target, int64_t items,
                                         std::string& error) {
  if (!lower(module, target, items, error))
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream);
  return text;
}

std::optional<std::vector<Kernel>> vulkan::compile(ModuleOp module, const TargetSpec& target,
                                                   int64_t items, std::string& error) {
  std::optional<std::vector<Kernel>> kernels = lower(module, target, items, error);
  if (!kernels)
    return std::nullopt;
  for (auto [kernel, shader] : llvm::zip(*kernels, module.getOps<spirv::ModuleOp>())) {
    SmallVector<uint32_t, 0> words;
    if (failed(spirv::serialize(shader, words))) {
      error = "writing SPIR-V of '" + kernel.info.name + "' failed";
      return std::nullopt;
    }
    kernel.words.assign(words.begin(), words.end());
  }
  return kernels;
}
