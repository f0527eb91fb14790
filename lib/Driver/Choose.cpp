// `--form auto`: the form with the least predicted cost.
#include "Choose.h"

#include "Segments.h"

#include "ssmc/Analysis/Passes.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"

#include <cmath>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// Steps of a block that are tried.
static constexpr int64_t chunkSizes[] = {16, 32, 64, 128};

/// A form of blocks has to be better than the recurrent one by more than the prediction is usually
/// off.
static constexpr double advantage = 0.97;

/// A form that costs so many times what another does is not looked at again.
static constexpr double hopeless = 3;

/// Steps of a block for GPUs, and those where that many have no room.
static constexpr int64_t chunksOnDevice[] = {32, 16};

/// Blocks of fewer steps than this are steps one by one.
static constexpr int64_t fewestSteps = 8;

Situation driver::situationOf(const CodeTarget& target, const Options& options) {
  Situation situation{target, {}};
  situation.sizes.heads = std::max<int64_t>(options.heads.value_or(situation.sizes.heads), 1);
  situation.sizes.groups = std::max<int64_t>(options.groups.value_or(1), 1);
  for (auto [size, given] : zip(situation.sizes.time, options.time))
    size = std::max<int64_t>(given, 1);
  return situation;
}

Situation driver::situationOf(const CodeTarget& target, const Inputs& inputs) {
  const reference::Sizes& sizes = inputs.sizes;
  Situation situation{target, {}};
  situation.sizes.heads = std::max<int64_t>(sizes.heads, 1);
  situation.sizes.groups = std::max<int64_t>(sizes.groups, 1);
  for (auto [size, given] : zip(situation.sizes.time, sizes.time))
    size = std::max<int64_t>(given, 1);
  if (inputs.isPacked())
    situation.sizes.time[0] =
        divideCeil(situation.sizes.time[0], std::max<int64_t>(inputs.sequences(), 1));
  return situation;
}

void driver::suitTo(const Inputs& inputs, LoweringOptions& options) {
  options.items = inputs.sequences() * inputs.sizes.heads;
  options.sharesGroups = inputs.sizes.heads > inputs.sizes.groups;
}

/// Lowers a copy of a recurrence as far as a stage, and shows it; false, without a word, where that
/// cannot be done. Whoever compiles the form is told what is wrong with it.
static bool lowerCopy(ssm::RecurrenceOp recurrence, Stage stage, const LoweringOptions& options,
                      function_ref<void(mlir::ModuleOp)> look) {
  ssm::RecurrenceOp copy;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(recurrence, copy);
  mlir::ScopedDiagnosticHandler quiet(recurrence.getContext(),
                                      [](mlir::Diagnostic&) { return success(); });
  if (Error error = lowerModule(*module, stage, options)) {
    consumeError(std::move(error));
    return false;
  }
  look(*module);
  return true;
}

/// The cost of one form; nothing where it has no kernels.
static std::optional<cpu::Cost> costOf(ssm::RecurrenceOp normal, LoweringOptions options,
                                       const FormChoice& form, const Situation& situation) {
  options.form = form.form;
  options.chunk = form.chunk;
  std::optional<cpu::Cost> cost;
  lowerCopy(normal, Stage::Tile, options, [&](mlir::ModuleOp module) {
    cost = cpu::predict(module, situation.target.cpu, cpu::Machine::of(situation.target.cpu),
                        situation.sizes);
  });
  return cost;
}

/// The best steps of blocks: costs fall and then rise with them, so that three or four tries find
/// the least.
static std::optional<Candidate> bestChunk(ssm::RecurrenceOp normal, const LoweringOptions& options,
                                          Form form, const Situation& situation) {
  std::optional<Candidate> best;
  auto attempt = [&](int64_t chunk) {
    FormChoice choice{form, chunk};
    std::optional<cpu::Cost> cost = costOf(normal, options, choice, situation);
    if (!cost || (best && cost->cycles >= best->cost.cycles))
      return false;
    best = Candidate{choice, *cost};
    return true;
  };
  if (options.chunk) {
    attempt(*options.chunk);
    return best;
  }
  // Blocks longer than the sequence have no use.
  ArrayRef<int64_t> sizes = chunkSizes;
  while (sizes.size() > 1 && sizes[sizes.size() - 2] >= situation.sizes.time[0])
    sizes = sizes.drop_back();
  size_t first = sizes.size() > 1;
  attempt(sizes[first]);
  size_t next = first + 1;
  while (next < sizes.size() && attempt(sizes[next]))
    ++next;
  if (first && next == first + 1)
    attempt(sizes[0]);
  return best;
}

Expected<Choice> driver::chooseForm(ssm::RecurrenceOp recurrence, const FormList& forms,
                                    const LoweringOptions& options, const Situation& situation) {
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(recurrence, normal);
  if (Error error = lowerModule(*module, Stage::Normal, options))
    return std::move(error);
  normal = *module->getOps<ssm::RecurrenceOp>().begin();
  LoweringOptions forward = options;
  forward.adjoint = 0;
  forward.outputs = false;
  Choice choice;
  double least = 0, fastest = 0;
  for (const FormChoice& form : forms.present) {
    std::optional<Candidate> candidate;
    if (form.chunk)
      candidate = bestChunk(normal, forward, form.form, situation);
    else if (std::optional<cpu::Cost> cost = costOf(normal, forward, form, situation))
      candidate = Candidate{form, *cost};
    if (!candidate)
      continue;
    if (options.adjoint) {
      // What is hopeless forward is so backward.
      if (fastest && candidate->cost.cycles > hopeless * fastest)
        continue;
      fastest = fastest ? std::min(fastest, candidate->cost.cycles) : candidate->cost.cycles;
      std::optional<cpu::Cost> adjoint = costOf(normal, options, candidate->form, situation);
      if (!adjoint)
        continue;
      candidate->cost = *adjoint;
    }
    double cycles = candidate->cost.cycles / (form.chunk ? advantage : 1);
    bool isShort = form.chunk && situation.sizes.time[0] < fewestSteps;
    if (choice.candidates.empty() || (cycles < least && !isShort)) {
      choice.form = candidate->form;
      least = cycles;
    }
    choice.candidates.push_back(*candidate);
  }
  return choice;
}

Expected<Choice> driver::chooseForm(ssm::RecurrenceOp recurrence, const LoweringOptions& options,
                                    const Situation& situation) {
  for (ssm::DimAttr dim : recurrence.getDims().getAsRange<ssm::DimAttr>())
    if (!options.dims.contains(dim.getName().getValue()))
      return Choice();
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(recurrence, normal);
  if (Error error = lowerModule(*module, Stage::Normal, options))
    return std::move(error);
  normal = *module->getOps<ssm::RecurrenceOp>().begin();
  Expected<FormList> forms = formsOf(normal, options.dims, options.form, options.chunk);
  if (!forms)
    return forms.takeError();
  return chooseForm(normal, *forms, options, situation);
}

/// Blocks of a GPU's processor that compute while others wait for their operands; fewer are enough
/// where they run beside kernels that carry states, in groups of warps, and leave half of the
/// processors idle (DeviceStretches.h): GLA 2x16384 in blocks of 16 steps 0.79 ms, of 32 0.66; but
/// 4x8192 of 32 heads 1.13 and 1.16.
static constexpr int64_t blocksTogether = 3, blocksBesideGroups = 2;

/// The kernels of a recurrence in a form, as a GPU would run them; nothing, without a word, where
/// they cannot be made.
static std::optional<std::vector<simt::KernelInfo>>
planOnDevice(ssm::RecurrenceOp recurrence, LoweringOptions options, const CodeTarget& target) {
  options.threads = true;
  options.pairs = target.multipliesPairs();
  std::optional<std::vector<simt::KernelInfo>> kernels;
  lowerCopy(recurrence, Stage::Tile, options, [&](mlir::ModuleOp module) {
    int64_t items = options.items * options.segments;
    kernels = target.cuda ? cuda::plan(module, *target.cuda, items)
                          : vulkan::plan(module, *target.vulkan, items);
  });
  return kernels;
}

/// Whether so many blocks have half of the processors or fewer.
static bool leaveHalfIdle(int64_t blocks, int64_t processors) {
  return 2 * blocks <= processors;
}

/// Whether the kernels that carry states have blocks for half of the processors or fewer.
static bool leavesHalfIdle(const std::vector<simt::KernelInfo>& kernels, int64_t items) {
  return items && all_of(kernels, [&](const simt::KernelInfo& kernel) {
           return kernel.sharedTile ||
                  leaveHalfIdle(items * kernel.slices, simt::Limits().processors);
         });
}

/// Whether the kernels of a form leave a GPU's processors room for several blocks of those that do
/// not wait for each other, and need no memory of the caller's for what blocks keep.
static bool fitsWell(ssm::RecurrenceOp normal, const LoweringOptions& options,
                     const CodeTarget& target) {
  std::optional<std::vector<simt::KernelInfo>> kernels = planOnDevice(normal, options, target);
  if (!kernels)
    return false;
  bool isBeside = target.cuda->hasGroups() && leavesHalfIdle(*kernels, options.items);
  int64_t together = isBeside ? blocksBesideGroups : blocksTogether;
  return all_of(*kernels, [&](const simt::KernelInfo& kernel) {
    return !kernel.workspaceBytes &&
           (!kernel.sharedTile || together * kernel.sharedBytes <= target.cuda->sharedBytes());
  });
}

/// Blocks of steps where most of a GPU is idle, of sequences of so many steps.
static constexpr int64_t longChunkOnDevice = 64, fewestForLong = 32768;

/// Whether longer blocks pay: where the kernels that carry states leave half of the processors
/// idle, so that fewer turns of theirs are what counts, and a step's share of a block does not grow
/// faster than products do (grams with a decay for each key and triangular systems). Mamba-2
/// 1x65536 in blocks of 32 steps 1.45 ms, of 64 1.29; linear attention 2x16384 0.32 and 0.35.
static bool suitsLongChunks(ssm::RecurrenceOp normal, LoweringOptions options,
                            const CodeTarget& target) {
  options.chunk = longChunkOnDevice;
  // (A gram whose decay is the same for all keys is a product and a factor.)
  auto isMore = [](mlir::Operation* op) {
    auto gram = dyn_cast<ssm::GramOp>(op);
    return isa<ssm::SolveOp>(op) ||
           (gram && any_of(ssm::strings(gram.getOver()),
                           [&](StringRef key) { return gram.getDecay().getType().has(key); }));
  };
  bool multipliesAlone = true;
  auto look = [&](mlir::ModuleOp module) {
    module.walk([&](mlir::Operation* op) { multipliesAlone &= !isMore(op); });
  };
  if (!lowerCopy(normal, Stage::Form, options, look) || !multipliesAlone)
    return false;
  std::optional<std::vector<simt::KernelInfo>> kernels = planOnDevice(normal, options, target);
  return kernels && leavesHalfIdle(*kernels, options.items) &&
         none_of(*kernels, [](const simt::KernelInfo& kernel) { return kernel.workspaceBytes; });
}

/// The longest blocks of steps with which the kernels of a gradient keep what they need in the
/// memory of a block, or nearly so: those that are written late, one block of which has a processor
/// for itself, take most of the time, and half as many blocks read and write half as many states.
/// Forward and backward, 2x16384 of 16 heads, in blocks of 16, 32 and 64 steps: RetNet
/// -, 2.79, 2.14 ms; the gated delta rule 5.03, 3.32, -; GLA 3.62, 3.07 (17 KB outside), 6.47 (446
/// KB); KDA 5.92, 7.56 (170 KB).
static int64_t longestForGradient(ssm::RecurrenceOp normal, LoweringOptions options,
                                  const CodeTarget& target) {
  int64_t longest = chunksOnDevice[1];
  // (Shorter ones first: they are planned sooner, and need less.)
  for (int64_t chunk : {chunksOnDevice[0], longChunkOnDevice}) {
    options.chunk = chunk;
    std::optional<std::vector<simt::KernelInfo>> kernels = planOnDevice(normal, options, target);
    if (!kernels || any_of(*kernels, [](const simt::KernelInfo& kernel) {
          return 8 * kernel.workspaceBytes > kernel.sharedBytes;
        }))
      break;
    longest = chunk;
  }
  return longest;
}

/// The longest blocks of steps of which all that carries states does so in registers, past Vulkan,
/// and no kernel needs memory of the caller's, else the shortest of the first kind; 0: none. Else
/// products wait for the memory of a block, and step by step is faster. 2x16384 of 16 heads, in
/// blocks of 16 and 32 steps and step by step: KDA 3.1, 18.6 and 7.2 ms; GLA 1.80, 2.02 (52 KB
/// outside) and 5.6.
static int64_t longestInRegisters(ssm::RecurrenceOp normal, LoweringOptions options,
                                  const CodeTarget& target) {
  int64_t shortest = 0;
  for (int64_t chunk : chunksOnDevice) {
    options.chunk = chunk;
    std::optional<std::vector<simt::KernelInfo>> kernels = planOnDevice(normal, options, target);
    if (!kernels || !all_of(*kernels, [](const simt::KernelInfo& kernel) {
          return kernel.sharedTile || kernel.holdsColumns;
        }))
      continue;
    shortest = chunk;
    if (none_of(*kernels, [](const simt::KernelInfo& kernel) { return kernel.workspaceBytes; }))
      return chunk;
  }
  return shortest;
}

/// For GPUs, whose costs nothing here knows: blocks of steps where products go to units of their
/// own, as many steps as leave room; else step by step, as asked for.
static Error settleOnDevice(ssm::RecurrenceOp recurrence, LoweringOptions& options,
                            const Situation& situation) {
  const CodeTarget& target = situation.target;
  bool hasUnits = (target.cuda || target.vulkan->matrices) &&
                  options.dtype == runtime::DType::BF16 && options.precision == Precision::Fast;
  if (options.form == Form::Scan) {
    options.chunk = chunksOnDevice[0];
    return Error::success();
  }
  if (!hasUnits)
    return Error::success();
  for (ssm::DimAttr dim : recurrence.getDims().getAsRange<ssm::DimAttr>())
    if (!options.dims.contains(dim.getName().getValue()))
      return Error::success();
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(recurrence, normal);
  if (Error error = lowerModule(*module, Stage::Normal, options))
    return error;
  normal = *module->getOps<ssm::RecurrenceOp>().begin();
  Expected<FormList> forms = formsOf(normal, options.dims, options.form, options.chunk);
  if (!forms)
    return forms.takeError();
  if (none_of(forms->present, [](const FormChoice& form) { return form.form == Form::Chunked; }))
    return Error::success();
  bool isOpen = options.form == Form::Auto;
  options.form = Form::Chunked;
  // (Gradients step by step take ten times as long as in any blocks.)
  if (target.vulkan && options.adjoint == 0) {
    int64_t longest = longestInRegisters(normal, options, target);
    if (!longest && isOpen)
      options.form = Form::Auto;
    else if (!options.chunk)
      options.chunk = longest ? longest : chunksOnDevice[1];
    return Error::success();
  }
  if (options.chunk)
    return Error::success();
  if (options.adjoint > 0) {
    options.chunk = longestForGradient(normal, options, target);
    return Error::success();
  }
  if (situation.sizes.time[0] >= fewestForLong && suitsLongChunks(normal, options, target)) {
    options.chunk = longChunkOnDevice;
    return Error::success();
  }
  LoweringOptions longer = options;
  longer.chunk = chunksOnDevice[0];
  options.chunk = fitsWell(normal, longer, target) ? chunksOnDevice[0] : chunksOnDevice[1];
  return Error::success();
}

Error driver::settleForm(ssm::RecurrenceOp recurrence, LoweringOptions& options,
                         const Situation& situation) {
  // Of all forms that are tried, together.
  StageTimes* times = std::exchange(options.times, nullptr);
  auto restore = make_scope_exit([&] { options.times = times; });
  if (times)
    times->begin("choice of form");
  bool isOpen = options.form == Form::Auto || (options.form != Form::Recurrent && !options.chunk);
  bool isShort = options.form == Form::Auto && situation.sizes.time[0] < fewestSteps;
  if (!isOpen || isShort || recurrence.getNumTimeAxes() > 1 || recurrence.getForm())
    return Error::success();
  if (situation.target.isDevice())
    return settleOnDevice(recurrence, options, situation);
  // The length of blocks is found by their forward pass alone.
  LoweringOptions considered = options;
  if (options.form != Form::Auto)
    considered.adjoint = 0;
  Expected<Choice> choice = chooseForm(recurrence, considered, situation);
  if (!choice)
    return choice.takeError();
  if (choice->candidates.empty())
    return Error::success();
  options.form = choice->form.form;
  options.chunk = choice->form.chunk;
  return Error::success();
}

/// Segments are as many as have room side by side, up to `mostSegments`, of at least so many steps.
/// Fewer than `fewestSegments` take longer than none: what a segment does to states takes about as
/// long to compute as its results (docs/performance.md).
static constexpr int64_t fewestSegments = 8, mostSegments = 16, stepsOfSegment = 2048;

int64_t driver::segmentsFor(int64_t blocks, int64_t processors, int64_t steps) {
  int64_t room = processors / std::max<int64_t>(blocks, 1);
  int64_t segments = std::min({room, mostSegments, steps / stepsOfSegment});
  return room < fewestSegments || segments < fewestSegments / 2 ? 1 : segments;
}

/// What is computed ahead of the first stretch is waited for, and each stretch takes some
/// microseconds to begin: the best number grows with the root of what there is to do
/// (docs/performance.md).
static constexpr double stepsOfStretches = 1280;
static constexpr int64_t mostStretches = 16;

int64_t driver::stretchesFor(int64_t blocks, int64_t processors, int64_t steps) {
  if (!leaveHalfIdle(blocks, processors))
    return 1;
  return std::clamp<int64_t>(std::lround(std::sqrt(double(steps) / stepsOfStretches)), 1,
                             mostStretches);
}

Expected<int64_t> driver::chooseSegments(ssm::RecurrenceOp declared, const LoweringOptions& settled,
                                         const CodeTarget& target, const Inputs& inputs,
                                         int64_t asked) {
  if (asked)
    return asked;
  if (!target.cuda || settled.form != Form::Chunked || inputs.isPacked() ||
      declared.getNumTimeAxes() > 1)
    return 1;
  int64_t segments = segmentsFor(inputs.sequences() * inputs.sizes.heads, simt::Limits().processors,
                                 inputs.sizes.time[0]);
  if (segments == 1)
    return 1;
  std::string reason;
  auto found = describeSummaries(declared, settled, reason);
  if (!found)
    return found.takeError();
  LoweringOptions cut = settled;
  cut.segments = segments;
  return *found && planOnDevice(declared, cut, target) ? segments : 1;
}
