// NAME.h: what a C program sees of a bundle.
#include "Texts.h"
#include "ssmc/Artifact/Bundle.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::artifact;

/// `[B, T, H, K: 128] bf16`
static std::string describeArray(const Operand& operand) {
  std::string text = "[";
  SmallVector<Extent> axes = operand.axes();
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    text += (axis ? ", " : "") + axisName(operand, axis);
    if (axes[axis].factors.empty())
      text += ": " + axes[axis].text();
  }
  return text + "] " + runtime::name(operand.dtype).str();
}

static std::string roleOf(const BundleOperand& operand) {
  std::string what;
  switch (operand.meaning) {
  case Meaning::Input:
    what = "input";
    break;
  case Meaning::Param:
    what = "param";
    break;
  case Meaning::InitialState:
    what = "state before the first step, or NULL";
    break;
  case Meaning::FinalState:
    what = "state after the last step, written; or NULL";
    break;
  case Meaning::Output:
    what = "output, written";
    break;
  case Meaning::Cotangent:
    what = "cotangent of output " + operand.of;
    break;
  case Meaning::FinalStateCotangent:
    what = "cotangent of " + operand.of + " after the last step, or NULL: zero";
    break;
  case Meaning::Gradient:
  case Meaning::ParamGradient:
    what = "gradient of " + operand.of + ", written";
    break;
  case Meaning::InitialStateGradient:
    what = "gradient of " + operand.of + " before the first step, written; or NULL";
    break;
  }
  if (operand.meaning == Meaning::ParamGradient)
    what += "; or NULL";
  if (!operand.sums.empty())
    what += "; add it up over " + join(operand.sums, " and ");
  return what;
}

static std::string fields(const Bundle& bundle) {
  std::string text;
  for (const BundleOperand& operand : bundle.operands) {
    std::string passes = !bundle.hasBackward   ? ""
                         : operand.passes == 1 ? " (forward)"
                         : operand.passes == 2 ? " (backward)"
                                               : "";
    text += fmt::format("  /* {}{}: {}{} */\n  ssmc_tensor {};\n", describeArray(operand.operand),
                        operand.aligned ? ", rows at multiples of 16 bytes" : "", roleOf(operand),
                        passes, operand.field);
  }
  return text;
}

static constexpr const char* frame =
    R"(/* {name}: kernels for NVIDIA GPUs, and what launches them. Made by {compiler}.
 *
 *   {name}_load       once: finds the driver, loads the kernels into the current context
 *   {name}_workspace  bytes of GPU memory that a call needs beside its arrays
{keptLine} *   {name}_forward    launches the kernels in a stream
{backwardLine} *   {name}_unload
 *
 * Compile {name}.c and {name}_code.c as C11 and link with -ldl where dlopen is not in libc; no header
 * and no library of CUDA is needed. Launching allocates nothing, waits for nothing and copies
 * nothing: it may be captured in a CUDA graph. Functions return 0 or a code, and then write why to
 * `message`, of `length` bytes (NULL, 0: nowhere). A loaded module may be used by several threads.
 */
#ifndef SSMC_BUNDLE_{guard}_H
#define SSMC_BUNDLE_{guard}_H

#include <stddef.h>
#include <stdint.h>

{shared}
#ifdef __cplusplus
extern "C" {{
#endif

/* What {name}_load fills; all zero where nothing is loaded. Its fields are the launcher's own. */
typedef struct {name}_module {{
  void *library, *module;
  void *functions[{kernels}];
  int (*launch_kernel)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                       unsigned, void *, void **, void **);
  int (*unload)(void *);
  int (*error_string)(int, const char **);
  int image, device;
}} {name}_module;

/* Arrays in the GPU's memory. The last axes, those named after the recurrence's own labels, must be
 * contiguous; strides of the others are free. What is written must not lie in anything else. */
typedef struct {name}_args {{
  ssmc_sizes sizes;
{fields}  /* [N + 1] int64, of packed sequences: where each begins among the steps, and where the last one
   * ends; data NULL where sizes.sequences is 0. Kernels believe it; the copy in the host's memory,
   * if it is given, is checked. */
  ssmc_tensor cu_seqlens;
  const int64_t *cu_seqlens_on_host;
  /* At a multiple of 16 bytes; what is in it before and after a call does not matter. */
  void *workspace;
  int64_t workspace_bytes;
{keptFields}}} {name}_args;

int {name}_load({name}_module *module, char *message, size_t length);

/* Bytes of workspace, at most for {passes}; -1 where the module is not loaded or sizes are wrong. */
int64_t {name}_workspace(const {name}_module *module, const ssmc_sizes *sizes);

{keptFunction}/* `stream` is a CUstream, which is also a cudaStream_t; NULL is the default one. */
int {name}_forward(const {name}_module *module, const {name}_args *args,
             {pad}void *stream, char *message, size_t length);

{backwardFunction}/* In the context that it was loaded into. */
void {name}_unload({name}_module *module);

#ifdef __cplusplus
}}
#endif

#endif /* SSMC_BUNDLE_{guard}_H */
)";

std::string artifact::headerText(const Bundle& bundle) {
  const std::string& name = bundle.name;
  bool keeps = bundle.hasBackward;
  std::string pad(name.size(), ' ');
  auto only = [&](const std::string& text) { return keeps ? text : std::string(); };
  return fmt::format(
      fmt::runtime(frame), fmt::arg("name", name), fmt::arg("compiler", bundle.compiler),
      fmt::arg("guard", StringRef(name).upper()), fmt::arg("shared", sharedText().str()),
      fmt::arg("kernels", bundle.kernels.size()), fmt::arg("fields", fields(bundle)),
      fmt::arg("pad", pad), fmt::arg("passes", keeps ? "either pass" : "the launch"),
      fmt::arg("keptLine",
               only(fmt::format(" *   {}_kept       bytes that the forward pass leaves for the "
                                "backward pass\n",
                                name))),
      fmt::arg("backwardLine", only(fmt::format(" *   {}_backward   the same for gradients, after "
                                                "the forward pass of the same arguments\n",
                                                name))),
      fmt::arg("keptFields",
               only("  /* At a multiple of 16 bytes: what the forward pass leaves for the backward "
                    "pass. */\n  void *kept;\n  int64_t kept_bytes;\n")),
      fmt::arg("keptFunction",
               only(fmt::format("int64_t {0}_kept(const {0}_module *module, const ssmc_sizes "
                                "*sizes);\n\n",
                                name))),
      fmt::arg("backwardFunction",
               only(fmt::format("int {0}_backward(const {0}_module *module, const {0}_args *args,\n"
                                "              {1}void *stream, char *message, size_t length);\n\n",
                                name, pad))));
}
