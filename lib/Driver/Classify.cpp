// Which row of the table of structures a system belongs to.
#include "Structure.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

SmallVector<StringRef> driver::labelsOf(ssm::ArrayType type) {
  SmallVector<StringRef> names;
  for (ssm::AxisAttr axis : type.getAxes())
    names.push_back(axis.getName());
  return names;
}

llvm::SetVector<StringRef> driver::contractedLabels(ssm::RecurrenceOp normal, StringRef state) {
  llvm::SetVector<StringRef> labels;
  normal->walk([&](mlir::Operation* op) {
    if (auto feedback = dyn_cast<ssm::FeedbackOp>(op); feedback && feedback.getSource() == state)
      for (StringRef label : ssm::strings(feedback.getOver()))
        labels.insert(label);
    if (!isa<ssm::SumOp, ssm::MaximumOp>(op))
      return;
    // A sum of a product with the state in it.
    SmallVector<mlir::Value> work = {op->getOperand(0)};
    bool reads = false;
    while (!work.empty()) {
      mlir::Operation* inner = work.pop_back_val().getDefiningOp();
      if (auto system = dyn_cast_or_null<ssm::SystemOp>(inner))
        reads |= is_contained(ssm::strings(system.getStates()), state);
      else if (auto prev = dyn_cast_or_null<ssm::PrevOp>(inner))
        reads |= prev.getState() == state;
      else if (isa_and_nonnull<ssm::MulOp, ssm::AddOp>(inner))
        work.append(inner->operand_begin(), inner->operand_end());
    }
    if (reads)
      for (StringRef label : ssm::strings(op->getAttrOfType<mlir::ArrayAttr>("over")))
        labels.insert(label);
  });
  return labels;
}

void driver::classify(ssm::RecurrenceOp normal, ssm::SystemOp system, SystemFacts& facts) {
  if (normal.getNumTimeAxes() > 1) {
    facts.structure = "two time axes";
    return;
  }
  if (facts.isRegister) {
    facts.structure = "delay register";
    return;
  }
  if (facts.maxPlus) {
    facts.structure = "max-plus";
    return;
  }
  bool feedback = false, dense = false;
  llvm::SetVector<StringRef> decayLabels;
  system->walk([&](mlir::Operation* op) {
    if (auto term = dyn_cast<ssm::FeedbackOp>(op)) {
      feedback = true;
      dense |= !term.getFrom().empty();
    }
    if (isa<ssm::DecayOp>(op))
      for (mlir::Value part : op->getOperands())
        decayLabels.insert_range(labelsOf(cast<ssm::ArrayType>(part.getType())));
  });
  StringRef first = ssm::strings(system.getStates()).front();
  auto type = cast<ssm::ArrayType>(system.getResult(0).getType());
  llvm::SetVector<StringRef> contracted = contractedLabels(normal, first);
  bool onlyContracted =
      all_of(decayLabels, [&](StringRef label) { return contracted.contains(label); });
  bool all = all_of(labelsOf(type), [&](StringRef label) { return decayLabels.contains(label); });
  if (dense) {
    facts.structure = "dense transition";
  } else if (decayLabels.empty() || (onlyContracted && !(all && !feedback))) {
    facts.structure = decayLabels.empty() ? "scalar decay" : "decay over the contracted axis";
    if (feedback)
      facts.structure += " with feedback";
  } else if (all) {
    facts.structure = type.getRank() > 1 ? "decay over both axes" : "elementwise decay";
  } else {
    facts.structure = "decay over the free axis";
  }
}
