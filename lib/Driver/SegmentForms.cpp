// Summaries of spans as a part of lowering.
#include "Forms.h"
#include "Segments.h"

#include "ssmc/Derive/Passes.h"
#include "ssmc/Derive/Segments.h"

#include "mlir/IR/BuiltinOps.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// The summaries of a form's chunks. A form of passes keeps them; blocks of steps stand in for them here.
static Expected<std::vector<derive::SpanMap>> deriveMaps(ssm::RecurrenceOp form) {
  std::string name = form.getSymName().str();
  if (form.getNumTimeAxes() > 1)
    return createStringError("'" + name + "' has no segments: there are two time axes");
  ssm::RecurrenceOp blocks;
  if (!form.getBlock()->getOps<ssm::PassOp>().empty()) {
    mlir::OpBuilder builder(form);
    builder.setInsertionPointAfter(form);
    blocks = cast<ssm::RecurrenceOp>(builder.clone(*form));
    if (mlir::failed(derive::blockSteps(blocks, 16)))
      return make_error<InternalError>("the steps of '" + name + "' make no blocks");
  }
  std::string reason;
  auto maps = derive::deriveSegments(blocks ? blocks : form, reason);
  if (blocks)
    blocks.erase();
  if (mlir::failed(maps))
    return createStringError("'" + name + "' has no segments: " + reason);
  for (derive::SpanMap& map : *maps)
    for (derive::SpanLevel& level : map.levels)
      for (ssm::RecurrenceOp made : {level.summary, level.compose, level.apply})
        if (Error error = simplify(made))
          return std::move(error);
  return std::move(*maps);
}

Error driver::addSummaries(ssm::RecurrenceOp form) {
  return deriveMaps(form).takeError();
}

Expected<std::string> driver::describeSummaries(ssm::RecurrenceOp form) {
  ssm::RecurrenceOp copy;
  mlir::OwningOpRef<mlir::ModuleOp> module = copyOf(form, copy);
  auto maps = deriveMaps(copy);
  if (!maps)
    return maps.takeError();
  std::string text;
  for (derive::SpanMap& map : *maps)
    for (auto [number, level] : enumerate(map.levels)) {
      text += text.empty() ? "" : number ? "; from the states of these " : "; ";
      for (auto [index, transition] : enumerate(level.transitions)) {
        ssm::StateOp state = level.summary.getState(transition.name);
        SmallVector<StringRef> labels = ssm::strings(state.getOrder());
        bool isMatrix = any_of(labels, [&](StringRef label) { return is_contained(level.columns, label); });
        text += index ? ", " : "";
        text += transition.to + (transition.to == transition.from ? "" : " from " + transition.from);
        text += isMatrix ? " by a matrix" : level.semiring == ssm::Semiring::MaxPlus ? " by a (max, +) decay" : " by a decay";
        text += labels.empty() ? "" : " [" + join(labels, ", ") + "]";
      }
    }
  return text;
}

void driver::eraseCompositions(mlir::ModuleOp module) {
  for (auto kernel : make_early_inc_range(module.getOps<tile::KernelOp>()))
    if (kernel.getSymName().contains("_compose") && module.lookupSymbol(
            kernel.getSymName().split("_compose").first.str() + "_apply" +
            kernel.getSymName().split("_compose").second.str()))
      kernel.erase();
}
