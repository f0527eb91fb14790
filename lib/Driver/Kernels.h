/// From a declaration to kernels, and from kernels to results.
#pragma once

#include "Operands.h"
#include "StageTimes.h"

#include "ssmc/Artifact/Launches.h"
#include "ssmc/Target/CPU.h"
#include "ssmc/Target/CUDA.h"
#include "ssmc/Target/Vulkan.h"

namespace ssmc::driver {

/// What code is generated for: a GPU where `cuda` or `vulkan` says which, else a CPU.
struct CodeTarget {
  cpu::TargetSpec cpu;
  std::optional<cuda::TargetSpec> cuda = std::nullopt;
  std::optional<vulkan::TargetSpec> vulkan = std::nullopt;

  /// Whether kernels run on a device with memory of its own.
  bool isDevice() const { return cuda || vulkan; }
  /// Whether they multiply pairs of bf16 in an order of elements that is known.
  bool multipliesPairs() const { return cuda || (vulkan && vulkan->fragmentLayout); }
};

/// How far lowerModule goes.
enum class Stage { Normal, Form, Tile };

struct LoweringOptions {
  std::map<std::string, int64_t, std::less<>> dims;
  runtime::DType dtype = runtime::DType::F32;
  Form form = Form::Recurrent;
  std::optional<int64_t> chunk;
  Precision precision = Precision::Fast;
  /// How often the form is replaced by its adjoint: 1 for gradients, 2 for those of gradients.
  unsigned adjoint = 0;
  /// Whether the form's outputs are computed too, with an adjoint: by its first kernels, which are
  /// the forward pass then and keep what the others read.
  bool outputs = false;
  /// Parts of each sequence along time, which run side by side; over 1 they need summaries.
  int64_t segments = 1;
  /// Whether the summaries of spans are made too.
  bool summaries = false;
  /// Whether kernels are for machines that run many threads in step, and not for a CPU's vectors.
  bool threads = false;
  /// Whether warps of such a machine multiply tiles of pairs of bf16 that they hold in registers.
  bool pairs = false;
  /// Whether what heads of a group would compute alike is computed once for each group, by kernels
  /// of its own; on GPUs it always is.
  bool sharesGroups = false;
  /// Sequences times heads of the calls that such kernels are for; 0: not known.
  int64_t items = 0;
  /// Where the time of each stage is kept, if anywhere.
  StageTimes* times = nullptr;
};

/// Takes every recurrence of a module from the declaration to a stage, in place; at the last one
/// the module holds kernels alone. Fails as an internal error, or as reported for what a
/// declaration asks of this form that it cannot do.
llvm::Error lowerModule(mlir::ModuleOp module, Stage stage, const LoweringOptions& options);

/// What lowering must know of a target: whether it is of threads, and whether it has units for
/// products of 16-bit numbers.
void suitTo(const CodeTarget& target, LoweringOptions& options);

/// What the command line says of lowering when compiling, but for sizes.
LoweringOptions loweringOf(const Options& options);

/// The target that --target names.
llvm::Expected<CodeTarget> targetOf(const Options& options);

/// Fails where this machine cannot run code for a target.
llvm::Error checkRunsHere(const CodeTarget& target);

/// The threads of a run for which --threads says nothing: OMP_NUM_THREADS, else all cores.
unsigned defaultThreads();

/// The arrays of a launch on a GPU.
class DeviceArrays;

/// How long a kernel took.
struct KernelTime {
  std::string name;
  double ms;
};

/// How a launch is cut so that less is kept.
struct SpanPlan {
  int64_t steps = 0; ///< of a span that is computed again; 0: nothing is
  int64_t items = 0; ///< sequences times heads that run side by side; 0: all
};
/// What is asked for of that.
struct SpanChoice {
  std::optional<int64_t> steps, items;
};

/// A recurrence compiled for a CPU, or for the GPU of this machine, and loaded into this process.
class CompiledRecurrence {
public:
  static llvm::Expected<CompiledRecurrence>
  compile(ssm::RecurrenceOp declared, const LoweringOptions& options, const CodeTarget& target);

  /// Kernels, their arrays and how these lie in memory: made once, launched as often as one likes.
  class Launch {
  public:
    Launch();
    Launch(Launch&&);
    Launch& operator=(Launch&&);
    ~Launch();
    /// On a GPU results are there after `fetch` alone, so that runs can be timed.
    llvm::Error run(unsigned threads);
    llvm::Error fetch();
    /// On a GPU the milliseconds of each kernel of a run, which has been run before; else nothing.
    llvm::Expected<std::vector<KernelTime>> timeKernels();
    /// Fills everything that is to be written with NaN, also what kernels have for themselves.
    void poison();
    /// What kernels have for themselves between them.
    int64_t temporaryBytes() const;
    runtime::ArrayMap outputs, states;
    int64_t stretches = 1; ///< in which it runs

  private:
    friend class CompiledRecurrence;
    friend class SegmentPlanner;
    friend class SpanPlanner;
    friend class DeviceSegmentPlanner;
    friend class DeviceStretchPlanner;
    struct Call {
      cpu::Kernel kernel;
      std::vector<void*> operands;
      std::vector<int64_t> strides;
      ssmc_kernel_args args;
      int64_t bounds[2]; ///< of a segment or span, which is the one sequence of its call
    };
    /// What segments add up of the gradient of a param: to the first of several arrays
    /// side by side.
    struct Sum {
      char* total;
      const char* parts;
      int64_t count, bytes; ///< of parts, and of each
    };
    llvm::Error runStages(unsigned threads);
    void addSums();

    std::vector<Call> calls;
    runtime::ArrayMap temporaries;
    std::unique_ptr<DeviceArrays> device; ///< where it runs on a GPU
    /// With segments or spans: calls that do not wait for each other, stage by stage.
    std::vector<std::vector<std::unique_ptr<Call>>> stages;
    std::vector<Sum> sums;
  };

  /// Where the kernels' operands are: states for the role of states, else operands;
  /// null where there is none. Offsets are those of packed sequences, or none;
  /// they must live as long as the launch.
  using Find = llvm::function_ref<const runtime::Array*(llvm::StringRef name, bool isState)>;
  llvm::Expected<Launch> prepare(const reference::Sizes& sizes, llvm::ArrayRef<int64_t> offsets,
                                 Find find, bool keepStates = true) const;

  /// Inputs must live as long as the launch. With `keepStates` final states are returned.
  llvm::Expected<Launch> prepare(const Signature& signature, const Inputs& inputs,
                                 bool keepStates = true) const;
  /// Prepares and runs once; `poison` fills the results with NaN before.
  llvm::Expected<reference::Results> run(const Signature& signature, const Inputs& inputs,
                                         unsigned threads, bool poison = false) const;

  const CodeTarget& getTarget() const { return target; }
  /// Of launches from now on; any number where it was compiled for several.
  void setSegments(int64_t count) { segments = count; }
  /// Of launches from now on, where they are in no segments; what is absent is as it suits a launch
  /// (Spans.h). Without a call nothing is cut.
  void setSpans(SpanChoice choice) { spans = choice; }
  /// Of launches from now on (DeviceStretches.h); 0: as many as suit one. Without a call there is
  /// one. More than one are made where that can be.
  void setStretches(int64_t count) { stretches = count; }
  /// How launches of these sizes are cut.
  SpanPlan spansOf(const reference::Sizes& sizes, llvm::ArrayRef<int64_t> offsets) const;

private:
  friend class SegmentPlanner;
  friend class SpanPlanner;
  friend class DeviceSegmentPlanner;
  friend class DeviceStretchPlanner;
  using OperandInfo = artifact::Operand;
  using KernelInfo = artifact::Kernel;

  /// The array of an operand, made in `launch` where it is not given; null where it is not wanted.
  /// On a device it shares an allocation, or has its own where that is 0.
  llvm::Expected<void*> place(const OperandInfo& operand, Launch& launch,
                              const reference::Sizes& sizes, llvm::ArrayRef<int64_t> offsets,
                              Find find, bool keepStates, int64_t allocation = 0) const;
  /// The four strides of KernelABI.h.
  static std::array<int64_t, 4> stridesOf(const OperandInfo& operand, const reference::Sizes& sizes,
                                          llvm::ArrayRef<int64_t> offsets);
  /// An operand of a call: where it is, and its strides.
  struct Place {
    void* data;
    std::array<int64_t, 4> strides;
  };
  /// A call of a kernel for which steps `first` to `last` - 1 are the one sequence.
  llvm::Expected<std::unique_ptr<Launch::Call>>
  makeCall(const KernelInfo& kernel, const reference::Sizes& sizes, int64_t first, int64_t last,
           llvm::function_ref<llvm::Expected<Place>(const OperandInfo&)> placeOf) const;
  llvm::Expected<runtime::Array> allocate(const OperandInfo& operand, const reference::Sizes& sizes,
                                          llvm::ArrayRef<int64_t> offsets) const;

  ssm::RecurrenceOp declared;
  CodeTarget target;
  int64_t segments = 1;
  int64_t stretches = 1;
  SpanChoice spans = {0, 0};
  std::vector<KernelInfo> kernels; ///< those of the form, then those of its summaries
  size_t formKernels = 0;
  std::unique_ptr<cpu::Jit> jit;
  std::shared_ptr<simt::Program> gpu;
};

} // namespace ssmc::driver
