/// The CPU target: kernels of the `tile` dialect to machine code, and how to run it.
///
///   TargetSpec::parse / host     which machine
///   compile                      a module of tile kernels to LLVM IR, assembly or an object
///   Jit                          an object, loaded into this process
///   launch                       a kernel over all items, with threads
///
/// Everything a kernel computes is bit-identical from run to run and for any cut into items and
/// threads: multiplications and additions may be contracted to FMA, nothing is reassociated.
#pragma once

#include "ssmc/Target/KernelABI.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlir {
class ModuleOp;
class Operation;
class Pass;
class OpPassManager;
} // namespace mlir

namespace ssmc::cpu {

/// A machine by triple and features; never by the name of a CPU.
struct TargetSpec {
  std::string triple;
  std::string features; ///< LLVM's feature string, "+avx2,+fma"

  /// This machine, with the features that it reports. Asks the system for the tile registers of
  /// AMX on behalf of this process, and leaves AMX out where they are not granted.
  static TargetSpec host();
  /// `cpu` is this machine, `cpu:<triple>:<features>` another one. On failure sets `error`.
  static std::optional<TargetSpec> parse(std::string_view text, std::string& error);

  bool has(std::string_view feature) const;
  bool isX86() const;
  bool hasSSE() const; ///< x86's vectors and their control word
  /// f32 lanes of a vector register: 16 (AVX-512), 8 (AVX2), else 4.
  int64_t lanes() const;
  int64_t registers() const;
  bool hasPairVectors() const; ///< vectors of pairs of bf16 can be multiplied (AVX512_BF16)
  bool hasPairTiles() const;   ///< and tiles of them (AMX-BF16)
  /// The name of the CPU that LLVM is given: the least one of the architecture.
  std::string baseCPU() const;
};

std::unique_ptr<mlir::Pass> createHoistReciprocals();
std::unique_ptr<mlir::Pass> createSplitFolds();
std::unique_ptr<mlir::Pass> createLowerTileToLoops(const TargetSpec& target);

/// Whether this target has loops of its own for an op over the steps of a chunk.
bool lowersSteps(mlir::Operation* op);

/// Registers the passes of this target by name.
void registerPasses();

/// Adds the passes from tile kernels to loops over vectors.
void buildLoopPipeline(mlir::OpPassManager& manager, const TargetSpec& target);

/// Adds the passes from tile kernels to the LLVM dialect.
void buildPipeline(mlir::OpPassManager& manager, const TargetSpec& target);

enum class Output { LLVMText, Assembly, Object };

/// Compiles a module of tile kernels, which becomes LLVM dialect on the way. On failure sets
/// `error` (what MLIR has to say goes to the context's diagnostic handler); to nothing where a
/// kernel is refused for its sizes, of which that handler has been told.
std::optional<std::string> compile(mlir::ModuleOp module, const TargetSpec& target, Output output,
                                   std::string& error);

/// The two functions of a kernel; see KernelABI.h.
struct Kernel {
  int32_t (*run)(const ssmc_kernel_args*, int64_t first, int64_t last, void* workspace) = nullptr;
  int64_t (*workspace)(const ssmc_kernel_args*, int64_t items) = nullptr;
};

/// An object loaded into this process. Kernels live as long as it does.
class Jit {
public:
  static std::unique_ptr<Jit> load(const std::string& object, std::string& error);
  ~Jit();
  /// The kernel of that name; its `run` is null, and `error` set, where there is none.
  Kernel lookup(const std::string& name, std::string& error) const;

private:
  struct Impl;
  explicit Jit(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl;
};

/// Runs a kernel over all batch * heads items on `threads` threads (0: as many as OpenMP would
/// use). False, with `error` set, where the workspace cannot be had.
bool launch(const Kernel& kernel, const ssmc_kernel_args& args, int threads, std::string& error);

/// All items of a call of a kernel.
struct Task {
  Kernel kernel;
  const ssmc_kernel_args* args;
};

/// Runs tasks that do not wait for each other, on `threads` threads: whichever is free takes the
/// next one, or a part of its items where there are few. Fails as above.
bool launch(const std::vector<Task>& tasks, int threads, std::string& error);

} // namespace ssmc::cpu
