// Summaries of spans as a part of lowering.
#include "Forms.h"
#include "Segments.h"

#include "ssmc/Derive/Passes.h"
#include "ssmc/Derive/Segments.h"

#include "mlir/IR/BuiltinOps.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// The summaries of a form's chunks, which come after it; null where there are none, with the
/// reason. A form of passes keeps them; blocks of steps stand in for them here.
static Expected<std::optional<std::vector<derive::SpanMap>>> deriveMaps(ssm::RecurrenceOp form,
                                                                        std::string& reason) {
  if (form.getNumTimeAxes() > 1) {
    reason = "there are two time axes";
    return std::nullopt;
  }
  ssm::RecurrenceOp blocks;
  if (!form.getBlock()->getOps<ssm::PassOp>().empty()) {
    mlir::OpBuilder builder(form);
    builder.setInsertionPointAfter(form);
    blocks = cast<ssm::RecurrenceOp>(builder.clone(*form));
    if (mlir::failed(derive::blockSteps(blocks, 16)))
      return make_error<InternalError>("the steps of '" + form.getSymName().str() +
                                       "' make no blocks");
  }
  auto maps = derive::deriveSegments(blocks ? blocks : form, reason);
  if (blocks)
    blocks.erase();
  if (mlir::failed(maps))
    return std::nullopt;
  for (derive::SpanMap& map : *maps)
    for (derive::SpanLevel& level : map.levels)
      for (ssm::RecurrenceOp made : {level.summary, level.compose, level.apply})
        if (Error error = simplify(made))
          return std::move(error);
  return std::move(*maps);
}

Error driver::addSummaries(ssm::RecurrenceOp form, bool compositions) {
  std::string reason;
  auto maps = deriveMaps(form, reason);
  if (!maps)
    return maps.takeError();
  if (!*maps)
    return createStringError("'" + form.getSymName().str() + "' has no segments: " + reason);
  if (!compositions)
    for (derive::SpanMap& map : **maps)
      for (derive::SpanLevel& level : map.levels)
        level.compose.erase();
  return Error::success();
}

/// `S by a matrix [K, K0]`
static std::string describe(const derive::SpanLevel& level) {
  std::string text;
  for (auto& transition : level.transitions) {
    ssm::RecurrenceOp summary = level.summary;
    SmallVector<StringRef> labels = ssm::strings(summary.getState(transition.name).getOrder());
    bool isMatrix =
        any_of(labels, [&](StringRef label) { return is_contained(level.columns, label); });
    text += text.empty() ? "" : ", ";
    text += transition.to + (transition.to == transition.from ? "" : " from " + transition.from);
    text += isMatrix                                   ? " by a matrix"
            : level.semiring == ssm::Semiring::MaxPlus ? " by a (max, +) decay"
                                                       : " by a decay";
    text += labels.empty() ? "" : " [" + join(labels, ", ") + "]";
  }
  return text;
}

Expected<std::optional<std::string>> driver::describeSummaries(ssm::RecurrenceOp declared,
                                                               LoweringOptions options,
                                                               std::string& reason) {
  ssm::RecurrenceOp copy;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(declared, copy);
  options.segments = 1;
  options.summaries = false;
  if (Error error = lowerModule(*module, Stage::Form, options))
    return std::move(error);
  auto maps = deriveMaps(*module->getOps<ssm::RecurrenceOp>().begin(), reason);
  if (!maps)
    return maps.takeError();
  if (!*maps)
    return std::nullopt;
  std::string text;
  for (derive::SpanMap& map : **maps)
    for (auto [number, level] : enumerate(map.levels))
      text += (text.empty() ? "" : number ? ", then " : "; ") + describe(level);
  return text;
}
