/// The CUDA target: kernels of the `tile` dialect to PTX and cubin, and how to run them where there
/// is a GPU.
///
///   TargetSpec::parse     which architecture
///   compile               a module of tile kernels to PTX; assemble: PTX to a cubin, by ptxas
///   Device, Module        the driver, found at run time (libcuda.so.1); nothing is linked
///
/// Parameters and grid of a kernel are those of ssmc/Target/SIMT.h. Results are bit-identical from
/// run to run.
#pragma once

#include "ssmc/Target/Device.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace ssmc::cuda {

/// An architecture by its name in PTX, "sm_90a".
struct TargetSpec {
  std::string arch = "sm_90a";

  /// `cuda`, or `cuda:<arch>` with one of those listed by architectures(). On failure sets `error`.
  static std::optional<TargetSpec> parse(std::string_view text, std::string& error);
  static const std::vector<std::string>& architectures();

  /// Bytes of shared memory that a block may have.
  int64_t sharedBytes() const;
  /// Whether groups of four warps multiply together (wgmma).
  bool hasGroups() const { return arch == "sm_90a"; }
  /// LLVM's feature for the PTX version that the architecture needs.
  std::string features() const;
};

/// Registers --lower-tile-to-threads, which leaves what KernelInfo says as an attribute `launch` of
/// each function.
void registerPasses();

struct Image {
  /// PTX, or LLVM IR; a comment of one line a kernel says what `kernels` does.
  std::string code;
  std::vector<simt::KernelInfo> kernels;
};

/// Compiles a module of tile kernels for calls of so many sequences times heads (0: not known). It
/// becomes LLVM dialect on the way. On failure sets
/// `error` (what MLIR has to say goes to the context's diagnostic handler).
std::optional<Image> compile(mlir::ModuleOp module, const TargetSpec& target, int64_t items,
                             bool llvmText, std::string& error);

/// What kernels would take, without code: a module of tile kernels is lowered, and left unusable.
/// Nothing where that fails.
std::optional<std::vector<simt::KernelInfo>> plan(mlir::ModuleOp module, const TargetSpec& target,
                                                  int64_t items);

/// What ptxas said of one kernel.
struct Resources {
  std::string kernel;
  int64_t registers = 0, spillBytes = 0, stackBytes = 0;
};

/// Whether there is a ptxas.
bool hasAssembler();

/// A cubin of PTX, by the ptxas on PATH or of an installed CUDA. Where `resources` is given it is
/// filled. On failure sets `error`, which says so where there is no ptxas.
std::optional<std::string> assemble(const std::string& ptx, const TargetSpec& target,
                                    std::vector<Resources>* resources, std::string& error);

/// The first GPU of this machine.
class Device : public simt::Device {
public:
  /// Null, with `error` set, where there is no driver or no GPU. Opened once for the process.
  static Device* open(std::string& error);

  /// The architecture that code must be for, "sm_90a".
  std::string arch() const;
  int64_t processors() const;

  std::string name() const override;
  void* allocate(int64_t bytes, std::string& error) override;
  void release(void* memory) override;
  bool upload(void* device, const void* host, int64_t bytes, std::string& error) override;
  bool download(void* host, const void* device, int64_t bytes, std::string& error) override;
  bool fill(void* device, int byte, int64_t bytes, std::string& error) override;
  bool copy(void* to, const void* from, int64_t bytes, std::string& error) override;
  bool wait(std::string& error) override;
  bool hasQueues() const override;
  bool use(simt::Queue queue, std::string& error) override;
  bool follow(simt::Queue queue, simt::Queue other, std::string& error) override;
  bool time(const std::function<bool()>& body, double& milliseconds, std::string& error) override;
  int64_t mostBlocks() const override { return 0x7fffffff; }

private:
  friend class Module;
  struct Api;
  std::unique_ptr<Api> api;
  Device();
  ~Device() override;
};

/// A loaded PTX or cubin.
class Module : public simt::Program {
public:
  static std::unique_ptr<Module> load(Device& device, const std::string& code,
                                      const std::vector<simt::KernelInfo>& kernels,
                                      std::string& error);
  ~Module() override;
  simt::Device& device() const override;
  const std::vector<simt::KernelInfo>& kernels() const override;
  bool launch(size_t kernel, const simt::Call& call, std::string& error) override;

private:
  struct Impl;
  explicit Module(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

} // namespace ssmc::cuda
