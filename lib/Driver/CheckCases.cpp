#include "CheckCases.h"
#include "Segments.h"
#include "Structure.h"

#include "ssmc/Analysis/Passes.h"

#include <numeric>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// Whether a sequence can be computed in parts: nothing is read at later steps.
static bool isCausal(ssm::RecurrenceOp declared) {
  bool causal = true;
  declared->walk([&](ssm::PrevOp prev) {
    causal &= all_of(prev.getBy(), [](int64_t by) { return by >= 0; });
  });
  return causal;
}

std::vector<CheckCase> driver::checkCases(ssm::RecurrenceOp declared, bool dimsGiven,
                                          std::optional<int64_t> chunk, bool brief, bool segments) {
  using Case = CheckCase;
  std::vector<Case> cases;
  if (brief)
    return {{.name = "odd sizes", .time = {37}, .initialState = true},
            {.name = "a step more", .time = {*chunk * 2 + 1}},
            {.name = "strong gates", .time = {61}, .initialState = true, .gates = Gates::Strong}};
  if (declared.getNumTimeAxes() > 1) {
    cases = {{.name = "odd sizes", .time = {5, 7}},
             {.name = "one step", .time = {1, 1}},
             {.name = "one row", .time = {1, 23}},
             {.name = "one column", .time = {23, 1}},
             {.name = "no step", .time = {0, 4}},
             {.name = "whole tiles", .time = {3, 32}},
             {.name = "long", .batch = 1, .heads = 1, .time = {67, 53}},
             {.name = "strong gates", .time = {5, 19}, .gates = Gates::Strong},
             {.name = "weak gates", .time = {5, 19}, .gates = Gates::Weak},
             {.name = "same bits", .mode = Case::Bits, .time = {5, 19}}};
  } else {
    cases = {{.name = "odd sizes", .time = {37}},
             {.name = "one step", .time = {1}, .initialState = true},
             {.name = "no step", .time = {0}, .initialState = true},
             {.name = "4096 steps", .batch = 1, .heads = 1, .time = {4096}},
             {.name = "initial state", .time = {37}, .initialState = true},
             {.name = "strong gates", .time = {61}, .initialState = true, .gates = Gates::Strong},
             {.name = "weak gates", .time = {61}, .initialState = true, .gates = Gates::Weak},
             {.name = "same bits", .mode = Case::Bits, .time = {37}, .initialState = true}};
    if (chunk)
      cases.insert(cases.end(), {{.name = "whole chunks", .time = {*chunk * 2}},
                                 {.name = "a step more", .time = {*chunk * 2 + 1}},
                                 {.name = "a step less", .time = {*chunk * 2 - 1}},
                                 {.name = "ten chunks", .batch = 1, .time = {*chunk * 10 + 3}}});
    else
      cases.push_back({.name = "whole tiles", .time = {48}});
    // None at all, at both ends too; one step; less than a tile, tiles and a part, several chunks.
    SmallVector<int64_t, 8> lengths = {0, 21, 1, 0, 131, 48, 0};
    SmallVector<int64_t, 2> total = {std::accumulate(lengths.begin(), lengths.end(), int64_t(0))};
    cases.push_back(
        {.name = "packed", .batch = 1, .time = total, .lengths = lengths, .initialState = true});
    cases.push_back({.name = "same bits packed",
                     .mode = Case::Bits,
                     .batch = 1,
                     .time = total,
                     .lengths = lengths});
    // The last segment is cut short, and packed sequences are too short for some.
    if (segments) {
      int64_t tile = chunk.value_or(16);
      cases.push_back({.name = "segments",
                       .mode = Case::Bits,
                       .heads = 2,
                       .time = {tile * 7 + 3},
                       .initialState = true,
                       .segments = 4});
      cases.push_back({.name = "packed segments",
                       .mode = Case::Bits,
                       .batch = 1,
                       .time = total,
                       .lengths = lengths,
                       .initialState = true,
                       .segments = 4});
    }
    if (isCausal(declared)) {
      cases.push_back(
          {.name = "split prefill", .mode = Case::Split, .time = {37}, .initialState = true});
      cases.push_back(
          {.name = "step by step", .mode = Case::Steps, .time = {6}, .initialState = true});
    }
  }
  // Dims with a default keep it.
  bool anyFree = any_of(declared.getDims().getAsRange<ssm::DimAttr>(),
                        [](ssm::DimAttr dim) { return dim.getSize() <= 0; });
  if (!dimsGiven && anyFree)
    cases.push_back({.name = "even dims",
                     .time = SmallVector<int64_t, 2>(declared.getNumTimeAxes(), 19),
                     .evenSizes = true});
  // (Whole chunks and a part: what multiplies matrices has code of its own for either.)
  if (!dimsGiven && anyFree && chunk)
    cases.push_back({.name = "chunks of even dims",
                     .time = {*chunk * 2 + 5},
                     .initialState = true,
                     .evenSizes = true});
  return cases;
}

Expected<bool> driver::checksSegments(ssm::RecurrenceOp declared, const Options& options,
                                      const FormChoice& form, runtime::DType dtype) {
  bool isUsual = !form.chunk || options.chunk || *form.chunk == defaultChunk(form.form);
  bool isAsked = options.segments > 1;
  if (!isAsked && (!isUsual || dtype != runtime::DType::F32))
    return false;
  auto dims = checkDims(declared, options, /*even=*/false);
  if (!dims)
    return dims.takeError();
  std::string reason;
  auto found = describeSummaries(declared, {*dims, dtype, form.form, form.chunk}, reason);
  if (!found)
    return found.takeError();
  if (!*found && isAsked)
    return createStringError("'" + declared.getSymName() + "' has no segments: " + reason);
  return found->has_value();
}

/// The first dim without a size that a state has one axis over, and nothing contracts an axis over
/// it: others mix elements, and a matrix of theirs grows with the square of the dim.
static std::string freeDim(ssm::RecurrenceOp declared,
                           const std::map<std::string, int64_t, std::less<>>& sizes) {
  ssm::RecurrenceOp normal;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, normal);
  normal = analysis::normalize(normal);
  SetVector<StringRef> free, mixed;
  for (ssm::StateOp state : normal.getBlock()->getOps<ssm::StateOp>()) {
    SetVector<StringRef> contracted = contractedLabels(normal, state.getName()), own;
    for (ssm::AxisAttr axis : cast<ssm::ArrayType>(state.getType()).getAxes())
      if (auto dim = dyn_cast<mlir::StringAttr>(axis.getExtent())) {
        bool isSecond = !own.insert(dim.getValue());
        (isSecond || contracted.contains(axis.getName()) ? mixed : free).insert(dim.getValue());
      }
  }
  for (StringRef dim : free)
    if (!mixed.contains(dim) && !sizes.contains(dim))
      return dim.str();
  return "";
}

/// Numbers in a vector of the target, or what stands for them on a machine of threads.
static int64_t lanesOf(const Options& options) {
  constexpr int64_t others = 8;
  Expected<CodeTarget> target = targetOf(options);
  if (!target) {
    consumeError(target.takeError());
    return others;
  }
  return target->isDevice() ? others : target->cpu.lanes();
}

Expected<std::map<std::string, int64_t, std::less<>>>
driver::checkDims(ssm::RecurrenceOp declared, const Options& options, bool even) {
  auto sizes = dimSizes(declared, options, /*needAll=*/false);
  if (!sizes)
    return sizes.takeError();
  static constexpr int64_t odd[] = {12, 21, 7, 5}, smooth[] = {16, 32, 16, 32};
  // One free axis has two whole vectors and an element more: loops over pairs of vectors end in
  // code of their own there.
  std::string free = even ? "" : freeDim(declared, *sizes);
  unsigned next = 0;
  for (auto dim : declared.getDims().getAsRange<ssm::DimAttr>())
    if (StringRef name = dim.getName().getValue(); !sizes->contains(name)) {
      int64_t size = (even ? smooth : odd)[next++ % 4];
      (*sizes)[name.str()] = name == free ? 2 * lanesOf(options) + 1 : size;
    }
  return sizes;
}
