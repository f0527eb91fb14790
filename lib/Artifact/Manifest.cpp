// manifest.json.
#include "ssmc/Artifact/Bundle.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::artifact;

/// Axes whose extents follow from the sizes of a call, by their names, and those of the recurrence,
/// by their labels.
static json::Array axesOf(const Operand& operand) {
  json::Array list;
  for (auto [number, extent] : enumerate(operand.axes()))
    if (extent.factors.empty())
      list.push_back(
          json::Object{{"label", axisName(operand, number)}, {"extent", extent.constant}});
    else
      list.push_back(json::Object{{"axis", extent.text()}});
  return list;
}

static json::Object describe(const BundleOperand& entry) {
  json::Object object{
      {"field", entry.field},
      {"name", entry.operand.name},
      {"meaning", nameOf(entry.meaning)},
      {"dtype", runtime::name(entry.operand.dtype)},
      {"axes", axesOf(entry.operand)},
      {"contiguous_axes", int64_t(entry.operand.shape.size())},
      {"alignment", entry.aligned ? 16 : int64_t(runtime::byteWidth(entry.operand.dtype))},
      {"written", entry.isWritten()},
      {"optional", entry.isOptional()}};
  json::Array passes;
  for (auto [bit, name] : {std::pair(1u, "forward"), std::pair(2u, "backward")})
    if (entry.passes & bit)
      passes.push_back(name);
  object["passes"] = std::move(passes);
  if (entry.of != entry.operand.name)
    object["of"] = entry.of;
  if (!entry.sums.empty())
    object["add_up_over"] = json::Array(entry.sums);
  return object;
}

static json::Object describe(const BundleTemporary& entry) {
  const Operand& operand = entry.operand;
  return json::Object{{"name", operand.name},
                      {"dtype", runtime::name(operand.dtype)},
                      {"axes", axesOf(operand)},
                      {"bytes", (operand.elements() * runtime::byteWidth(operand.dtype)).text()},
                      {"kept", entry.isKept()}};
}

static json::Object describe(const Bundle& bundle, size_t number, const simt::KernelInfo& info) {
  const Kernel& kernel = bundle.kernels[number];
  Grid grid = gridOf(info);
  json::Array parameters, workspace;
  for (const Parameter& parameter : parametersOf(kernel))
    switch (parameter.kind) {
    case Parameter::Size:
      parameters.push_back(Factor{Factor::Kind(parameter.which)}.text());
      break;
    case Parameter::Offsets:
      parameters.push_back("cu_seqlens");
      break;
    case Parameter::Workspace:
      parameters.push_back("workspace");
      break;
    case Parameter::Pointer: {
      size_t array = bundle.arrayOf(kernel.operands[parameter.which]);
      parameters.push_back(array < bundle.operands.size() ? bundle.operands[array].field
                           : array < bundle.operands.size() + bundle.temporaries.size()
                               ? kernel.operands[parameter.which].name
                               : "null");
      break;
    }
    case Parameter::Stride:
      parameters.push_back("stride " + std::to_string(parameter.axis));
      break;
    }
  for (const Extent& part : grid.workspace)
    workspace.push_back(part.text());
  json::Object described{{"name", kernel.name},
                         {"pass", bundle.passOf(number) ? "backward" : "forward"},
                         {"threads", info.threads},
                         {"grid", json::Array{grid.x.text(), grid.y.text()}},
                         {"shared_bytes", info.sharedBytes},
                         {"workspace_bytes", std::move(workspace)},
                         {"steps_of_a_tile", kernel.tile},
                         {"parameters", std::move(parameters)}};
  return described;
}

/// The arrays that must lie in one buffer, by their names among the parameters.
static json::Array togetherIn(const Bundle& bundle, const BundleImage& image) {
  std::map<int64_t, SmallVector<std::string>> buffers;
  for (auto [number, info] : enumerate(image.kernels))
    for (auto [index, buffer] : info.together) {
      const Operand& operand = bundle.kernels[number].operands[index];
      size_t array = bundle.arrayOf(operand);
      if (array == bundle.operands.size() + bundle.temporaries.size())
        continue;
      StringRef name = array < bundle.operands.size() ? bundle.operands[array].field : operand.name;
      if (!is_contained(buffers[buffer], name))
        buffers[buffer].push_back(name.str());
    }
  json::Array list;
  for (const auto& [buffer, names] : buffers)
    if (names.size() > 1)
      list.push_back(json::Array(names));
  return list;
}

static json::Object describe(const Bundle& bundle, const BundleImage& image) {
  json::Array kernels;
  for (auto [number, info] : enumerate(image.kernels)) {
    json::Object kernel = describe(bundle, number, info);
    if (!image.shaders.empty()) {
      kernel["module"] = bundle.shaderFile(number);
      kernel["entry_point"] = info.name;
      kernel["local_size"] = json::Array{info.threads, 1, 1};
      kernel["bindings"] = json::Array(image.shaders[number].bindings);
      const vulkan::Requirements& needs = image.shaders[number].requirements;
      kernel["capabilities"] = json::Array(needs.capabilities);
      kernel["extensions"] = json::Array(needs.extensions);
      kernel["features"] = json::Array(needs.features);
      kernel["subgroup_operations"] = json::Array(needs.operations);
      kernel["subgroup_size"] = needs.subgroup;
    }
    kernels.push_back(std::move(kernel));
  }
  if (!image.shaders.empty())
    return json::Object{{"profile", image.arch},
                        {"spirv", image.spirvVersion},
                        {"vulkan", image.vulkanVersion},
                        {"together", togetherIn(bundle, image)},
                        {"kernels", std::move(kernels)}};
  json::Object object{{"architecture", image.arch},
                      {"ptx", bundle.codeFile(image, "ptx")},
                      {"kernels", std::move(kernels)}};
  if (image.cubin)
    object["cubin"] = bundle.codeFile(image, "cubin");
  return object;
}

json::Object artifact::manifestOf(const Bundle& bundle) {
  json::Object dims;
  for (auto& [name, size] : bundle.dims)
    dims[name] = size;
  json::Array operands, states, temporaries, images;
  for (const BundleOperand& operand : bundle.operands) {
    operands.push_back(describe(operand));
    // What a cache of states needs to know of one.
    if (operand.meaning == Meaning::InitialState) {
      int64_t bytes = runtime::byteWidth(operand.operand.dtype);
      for (int64_t extent : operand.operand.shape)
        bytes *= extent;
      states.push_back(json::Object{{"name", operand.operand.name},
                                    {"dtype", runtime::name(operand.operand.dtype)},
                                    {"axes", axesOf(operand.operand)},
                                    {"bytes_of_a_head", bytes}});
    }
  }
  for (const BundleTemporary& temporary : bundle.temporaries)
    temporaries.push_back(describe(temporary));
  for (const BundleImage& image : bundle.images)
    images.push_back(describe(bundle, image));
  int64_t chunk = 1;
  for (const Kernel& kernel : bundle.kernels)
    chunk = std::max(chunk, kernel.tile);
  json::Object manifest{
      {"format", 1},
      {"name", bundle.name},
      {"compiler", bundle.compiler},
      {"declaration", json::Object{{"file", bundle.source}, {"sha256", bundle.sourceHash}}},
      {"target", bundle.target},
      {"dims", std::move(dims)},
      {"dtype", bundle.dtype},
      {"form", bundle.form},
      {"chunk", chunk},
      {"precision", bundle.precision},
      {"made_for_items", bundle.items},
      {"layout", bundle.hasTwoTimeAxes ? "B, T, X, H" : "B, T, H"},
      {"sizes",
       json::Object{{"B", "batch entries"},
                    {"N", "sequences: B, or packed ones"},
                    {"T", "steps"},
                    {"X", "steps of the second time axis"},
                    {"H", "heads"},
                    {"G", "groups"},
                    {"chunks(C)", "ceil(T / C), or floor(T / C) + N if packed"},
                    {"rows(C)", "ceil(T / C), from 1 to the larger of 1 and " +
                                    std::to_string(artifact::mostBlocks) + " / (N * H)"},
                    {"group_rows(C)", "ceil(T / C), from 1 to the larger of 1 and " +
                                          std::to_string(artifact::mostBlocks) + " / (N * G)"}}},
      {"backward", bundle.hasBackward},
      {"operands", std::move(operands)},
      {"states", std::move(states)},
      {"temporaries", std::move(temporaries)},
      {"images", std::move(images)}};
  if (bundle.target == "cuda") {
    manifest["header"] = bundle.name + ".h";
    manifest["sources"] = json::Array{bundle.name + ".c", bundle.name + "_code.c"};
  }
  return manifest;
}
