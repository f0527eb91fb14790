// NAME.c and NAME_code.c: the template with the tables of a bundle, and its code as bytes.
#include "Texts.h"
#include "ssmc/Artifact/Bundle.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::artifact;
using runtime::DType;

//===-- Values of C --------------------------------------------------------------------------===//

static std::string initialiser(const Extent& extent) {
  static constexpr const char* names[] = {"ENTRIES", "SEQUENCES", "HEADS", "GROUPS",    "STEPS",
                                          "COLUMNS", "CHUNKS",    "ROWS",  "GROUP_ROWS"};
  std::string factors;
  for (const Factor& factor : extent.factors)
    factors +=
        fmt::format("{}{{{}, {}}}", factors.empty() ? "" : ", ", names[factor.kind], factor.tile);
  return fmt::format("{{{}, {}, {{{}}}}}", extent.constant, extent.factors.size(),
                     factors.empty() ? "{0, 0}" : factors);
}

template <typename Range> static std::string initialisers(const Range& extents) {
  std::string text;
  for (const Extent& extent : extents)
    text += (text.empty() ? "" : ", ") + initialiser(extent);
  return "{" + text + "}";
}

/// Two numbers, for DLPack: kind and bits.
static std::pair<int, int> typeCode(DType dtype) {
  int kind = dtype == DType::Bool        ? 6
             : runtime::isComplex(dtype) ? 5
             : dtype == DType::BF16      ? 4
             : runtime::isFloat(dtype)   ? 2
                                         : 0;
  return {kind, int(runtime::byteWidth(dtype)) * 8};
}

//===-- Tables -------------------------------------------------------------------------------===//

static std::string operandTable(const Bundle& bundle) {
  std::string text = "static const struct operand operands[OPERANDS] = {\n";
  for (const BundleOperand& entry : bundle.operands) {
    const Operand& operand = entry.operand;
    SmallVector<Extent> axes = operand.axes();
    if (axes.empty())
      axes.push_back(1);
    std::string labels, strided;
    for (size_t axis = 0; axis < operand.axes().size(); ++axis)
      labels += fmt::format("{}\"{}\"", axis ? ", " : "", axisName(operand, axis));
    for (int axis : operand.stridedAxes())
      strided += fmt::format("{}{}", strided.empty() ? "" : ", ", axis);
    auto [code, bits] = typeCode(operand.dtype);
    text +=
        fmt::format("    {{\"{0}\", offsetof({1}_args, {0}), {2}, {3:d}, {4:d}, {5:d}, {6}, "
                    "{7}, {8}, {9}, {{{10}}},\n     {11},\n     {{{12}}}}},\n",
                    entry.field, bundle.name, entry.passes, entry.isWritten(), entry.isOptional(),
                    entry.aligned, code, bits, operand.axes().size(), operand.shape.size(), strided,
                    initialisers(axes), labels.empty() ? "NULL" : labels);
  }
  return text + "};\n\n";
}

static std::string temporaryTable(const Bundle& bundle) {
  std::string text = "/* (One more than there are, as C wants at least one.) */\n"
                     "static const struct temporary temporaries[TEMPORARIES + 1] = {\n";
  for (const BundleTemporary& entry : bundle.temporaries) {
    Extent bytes = entry.operand.elements() * runtime::byteWidth(entry.operand.dtype);
    text += fmt::format("    /* {} */\n    {{{}, {:d}, {},\n     {}}},\n", entry.operand.name,
                        entry.passes, entry.isKept(), initialiser(bytes),
                        initialisers(entry.operand.strides()));
  }
  return text + "    {0, 0, {0, 0, {{0, 0}}}, {{0, 0, {{0, 0}}}}}};\n\n";
}

static std::string kernelTables(const Bundle& bundle) {
  static constexpr const char* kinds[] = {"SIZE", "OFFSETS", "WORKSPACE", "POINTER", "STRIDE"};
  static constexpr const char* sizes[] = {"ENTRIES", "SEQUENCES", "HEADS",
                                          "GROUPS",  "STEPS",     "COLUMNS"};
  std::string text, kernels = "static const struct kernel kernels[KERNELS] = {\n";
  for (auto [number, kernel] : enumerate(bundle.kernels)) {
    std::vector<Parameter> parameters = parametersOf(kernel);
    text += fmt::format("static const struct parameter parameters_{}[] = {{", number);
    unsigned column = 0;
    for (const Parameter& parameter : parameters) {
      // A line for the sizes, one for each operand.
      bool breaks = parameter.kind == Parameter::Pointer || parameter.kind == Parameter::Offsets ||
                    column == 0;
      bool isOperand = parameter.kind == Parameter::Pointer || parameter.kind == Parameter::Stride;
      std::string which = parameter.kind == Parameter::Size ? sizes[parameter.which]
                          : isOperand
                              ? std::to_string(bundle.arrayOf(kernel.operands[parameter.which]))
                              : "0";
      text += fmt::format("{}{{{}, {}, {}}},", breaks ? "\n    " : " ", kinds[parameter.kind],
                          which, parameter.axis);
      if (parameter.kind == Parameter::Pointer)
        text += fmt::format(" /* {} */", kernel.operands[parameter.which].name);
      ++column;
    }
    text += "\n};\n";
    kernels += fmt::format("    {{\"{}\", {}, {}, parameters_{}}},\n", kernel.name,
                           bundle.passOf(number), parameters.size(), number);
  }
  return text + "\n" + kernels + "};\n\n";
}

static std::string imageTables(const Bundle& bundle) {
  std::string launches = "static const struct launch launches[IMAGES][KERNELS] = {\n", images, code;
  for (auto [number, image] : enumerate(bundle.images)) {
    launches += fmt::format("    /* {} */\n    {{", image.arch);
    for (const simt::KernelInfo& info : image.kernels) {
      Grid grid = gridOf(info);
      grid.workspace.resize(2, Extent(0));
      launches +=
          fmt::format("\n        {{{}, {}, {}, {},\n         {}}},", info.threads, info.sharedBytes,
                      initialiser(grid.x), initialiser(grid.y), initialisers(grid.workspace));
    }
    launches += "\n    },\n";
    StringRef digits = StringRef(image.arch).drop_front(3);
    bool isExact = digits.consume_back("a");
    std::string cubin = image.cubin ? fmt::format("{}_cubin_{}", bundle.name, number) : "NULL";
    images += fmt::format("    {{\"{}\", {}, {}, {:d}, {}, {}_ptx_{}}},\n", image.arch,
                          digits.drop_back().str(), digits.take_back().str(), isExact, cubin,
                          bundle.name, number);
    if (image.cubin)
      code += fmt::format("extern const unsigned char {}[];\n", cubin);
    code += fmt::format("extern const unsigned char {}_ptx_{}[];\n", bundle.name, number);
  }
  return launches + "};\n\n/* In " + bundle.name + "_code.c. */\n" + code +
         "\nstatic const struct image images[IMAGES] = {\n" + images + "};\n";
}

/// How long the tables are, and what all of them have in common.
static std::string counts(const Bundle& bundle) {
  size_t rank = 1, parameters = 0;
  bool hasGroups = false;
  for (const BundleOperand& operand : bundle.operands) {
    rank = std::max(rank, operand.operand.axes().size());
    hasGroups |= operand.operand.scope == ssm::Scope::Group;
  }
  for (const Kernel& kernel : bundle.kernels)
    parameters = std::max(parameters, parametersOf(kernel).size());
  std::vector<std::string> architectures;
  for (const BundleImage& image : bundle.images)
    architectures.push_back(image.arch);
  std::string text = "enum {\n";
  for (auto [name, value] : {std::pair("MAX_RANK", rank),
                             {"MAX_PARAMETERS", parameters},
                             {"OPERANDS", bundle.operands.size()},
                             {"TEMPORARIES", bundle.temporaries.size()},
                             {"KERNELS", bundle.kernels.size()},
                             {"IMAGES", bundle.images.size()},
                             {"PASSES", size_t(bundle.hasBackward ? 2 : 1)},
                             {"TIME_AXES", size_t(bundle.hasTwoTimeAxes ? 2 : 1)},
                             {"HAS_GROUPS", size_t(hasGroups)}})
    text += fmt::format("  {} = {},\n", name, value);
  text.resize(text.size() - 2);
  return text + fmt::format("\n}};\n#define KEEPS {:d}\n#define ARCHITECTURES \"{}\"\n\n",
                            bundle.hasBackward, join(architectures, ", "));
}

//===-- Files --------------------------------------------------------------------------------===//

static constexpr const char* keptFunction =
    R"(int64_t @NAME@_kept(const @NAME@_module *module, const ssmc_sizes *sizes) {
  const struct report silent = {NULL, 0};
  struct call call;
  int64_t places[TEMPORARIES + 1];
  if (!module || !module->module || !sizes || check_sizes(sizes, &call, &silent))
    return -1;
  return place(1, 0, &call, places);
}

)";

static constexpr const char* backwardFunction =
    R"(int @NAME@_backward(const @NAME@_module *module, const @NAME@_args *args, void *stream,
                    char *message, size_t length) {
  const struct report report = {message, length};
  return run(module, args, 1, stream, &report);
}

)";

/// Replaces `@WORD@` and, where it stands for lines, the end of its line.
static void replace(std::string& text, StringRef word, StringRef by) {
  std::string marked = ("@" + word + "@").str();
  for (size_t at = text.find(marked); at != std::string::npos; at = text.find(marked, at)) {
    bool isLine = (at == 0 || text[at - 1] == '\n') && text[at + marked.size()] == '\n';
    text.replace(at, marked.size() + (isLine ? 1 : 0), by.str());
    at += by.size();
  }
}

std::string artifact::launcherText(const Bundle& bundle) {
  std::string text = launcherTemplate().str();
  replace(text, "COUNTS", counts(bundle));
  replace(text, "TABLES",
          operandTable(bundle) + temporaryTable(bundle) + kernelTables(bundle) +
              imageTables(bundle) + "\n");
  replace(text, "KEPT", bundle.hasBackward ? keptFunction : "");
  replace(text, "BACKWARD", bundle.hasBackward ? backwardFunction : "");
  replace(text, "COMPILER", bundle.compiler);
  replace(text, "NAME", bundle.name);
  return text;
}

static void appendBytes(std::string& text, const std::string& name, StringRef bytes) {
  text += fmt::format("extern const unsigned char {0}[];\nconst unsigned char {0}[] = {{", name);
  for (auto [index, byte] : enumerate(bytes)) {
    text += index % 32 ? "" : "\n";
    text += std::to_string(uint8_t(byte));
    text += ',';
  }
  text += "\n0};\n\n";
}

std::string artifact::codeText(const Bundle& bundle) {
  std::string text = fmt::format("/* The kernels of {}, for {}.c. Made by {}. */\n\n", bundle.name,
                                 bundle.name, bundle.compiler);
  for (auto [number, image] : enumerate(bundle.images)) {
    if (image.cubin)
      appendBytes(text, fmt::format("{}_cubin_{}", bundle.name, number), *image.cubin);
    appendBytes(text, fmt::format("{}_ptx_{}", bundle.name, number), image.ptx);
  }
  return text;
}
