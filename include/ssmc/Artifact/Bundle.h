/// Bundles: kernels for GPUs as a folder that a C program uses without this compiler.
///
///   NAME.h, NAME.c    the launcher: finds the driver at run time, checks what it is given,
///   launches NAME_code.c       machine code and PTX as arrays of bytes NAME.ARCH.ptx …   the same
///   as files manifest.json     what all of it is, for programs
///
/// docs/bundles.md says how they are used. A launcher is the same text for all bundles
/// (lib/Artifact/Launcher) but for its tables, which are what Launches.h says.
#pragma once

#include "ssmc/Artifact/Launches.h"
#include "ssmc/Target/Vulkan.h"

#include "llvm/Support/JSON.h"

#include <map>
#include <optional>

namespace ssmc::artifact {

/// What an array is to the caller.
enum class Meaning : uint8_t {
  Input,
  Param,
  InitialState,
  FinalState,
  Output,
  Cotangent,           ///< of an output
  FinalStateCotangent, ///< read by the backward pass
  Gradient,            ///< of an input, for each head
  ParamGradient,       ///< for each sequence and head
  InitialStateGradient,
};

/// An array of the caller's.
struct BundleOperand {
  Operand operand;
  Meaning meaning;
  std::string of;    ///< what it is the cotangent or gradient of, else its own name
  std::string field; ///< its name in the arguments
  unsigned passes = 0;
  bool aligned = false; ///< whether it must begin at a multiple of 16 bytes, with rows that do
  /// Of a gradient: what the caller adds up to get that of the array itself.
  llvm::SmallVector<llvm::StringRef, 2> sums;

  bool isWritten() const {
    return operand.role == tile::Role::Out || operand.role == tile::Role::StateOut;
  }
  bool isOptional() const { return operand.isState(); }
};

/// What one kernel leaves for another.
struct BundleTemporary {
  Operand operand;
  unsigned passes = 0;
  /// Whether the backward pass reads what the forward pass wrote.
  bool isKept() const { return passes == 3; }
};

/// A kernel as a module of SPIR-V.
struct Shader {
  std::vector<uint32_t> words;
  std::vector<int> bindings; ///< of each parameter (ssmc/Target/Vulkan.h)
  vulkan::Requirements requirements;
};

/// The code for one architecture.
struct BundleImage {
  std::string arch; ///< sm_90a
  std::string ptx;
  std::optional<std::string> cubin; ///< where there is a ptxas
  std::vector<simt::KernelInfo> kernels;
  std::vector<Shader> shaders; ///< of Vulkan: of each kernel; there is no PTX then
  /// Versions of SPIR-V that shaders are of, and of Vulkan that has it.
  std::string spirvVersion, vulkanVersion;
};

struct Bundle {
  std::string name;     ///< of the recurrence, and what its functions begin with
  std::string compiler; ///< `ssmc 0.1.0 (LLVM 22.1.8)`
  std::string source;   ///< the name of the declaration's file
  std::string sourceHash;
  std::map<std::string, int64_t, std::less<>> dims;
  std::string target = "cuda"; ///< or vulkan
  std::string dtype, form, precision;
  int64_t items = 0; ///< sequences times heads that it was made for; 0: not known
  bool hasBackward = false;
  bool hasTwoTimeAxes = false;

  std::vector<Kernel> kernels;
  size_t forward = 0; ///< how many of them are the forward pass
  std::vector<BundleImage> images;
  std::vector<BundleOperand> operands;
  std::vector<BundleTemporary> temporaries;

  /// Finds operands and temporaries of `kernels`, once these and the images are there.
  void connect();
  unsigned passOf(size_t kernel) const { return kernel < forward ? 0 : 1; }
  /// The number of a kernel's operand among `operands`, then `temporaries`; one more for what is
  /// never given.
  size_t arrayOf(const Operand& operand) const;
  std::string shaderFile(size_t kernel) const { return kernels[kernel].name + ".spv"; }
  std::string codeFile(const BundleImage& image, llvm::StringRef extension) const {
    return name + "." + image.arch + "." + extension.str();
  }
};

std::string headerText(const Bundle& bundle);
std::string launcherText(const Bundle& bundle);
std::string codeText(const Bundle& bundle);
/// Without what a check of the bundle needs, which is added by who makes it.
llvm::json::Object manifestOf(const Bundle& bundle);

/// `input`, `final_state_cotangent` …
llvm::StringRef nameOf(Meaning meaning);
/// The name of an axis: `B`, `T`, a label …
std::string axisName(const Operand& operand, size_t axis);

} // namespace ssmc::artifact
