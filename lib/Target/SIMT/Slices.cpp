// Parts of one label, each for a block of its own.
//
// A label that nothing reduces or renames stands for columns side by side that never meet: the free
// axis of a state. Blocks that each take a part of it do what does not bear it all over again, so
// there are only as many parts as it takes to give every processor a block.
#include "lib/Target/SIMT/Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Columns that the warps of a block have registers for.
static constexpr int64_t mostColumns = 128;

llvm::StringSet<> ssmc::simt::mixedLabels(Operation* root, bool reduced) {
  llvm::StringSet<> mixed;
  root->walk([&](Operation* op) {
    if (isReduction(op)) {
      for (StringRef label : reducedLabels(op))
        if (reduced)
          mixed.insert(label);
    } else if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
      for (ArrayAttr names : {relabel.getFrom(), relabel.getTo()})
        for (StringRef label : ssm::strings(names))
          mixed.insert(label);
    } else if (auto at = dyn_cast<ssm::AtOp>(op)) {
      mixed.insert(at.getLabel());
    } else if (auto nested = dyn_cast<ssm::FoldOp>(op)) {
      mixed.insert(nested.getAxis().getName());
    } else if (auto gram = dyn_cast<ssm::GramOp>(op)) {
      for (StringRef label : {gram.getRows(), gram.getColumns()})
        mixed.insert(label);
      for (StringRef label : ssm::strings(gram.getOver()))
        if (reduced)
          mixed.insert(label);
    } else if (auto solve = dyn_cast<ssm::SolveOp>(op)) {
      for (StringRef label : {solve.getRows(), solve.getColumns()})
        mixed.insert(label);
    } else if (auto apply = dyn_cast<ssm::ApplyOp>(op)) {
      for (StringRef label : {apply.getRows(), apply.getColumns()})
        mixed.insert(label);
    } else if (auto last = dyn_cast<ssm::LastOp>(op)) {
      mixed.insert(last.getLabel());
    } else if (auto shift = dyn_cast<ssm::ShiftOp>(op)) {
      mixed.insert(shift.getLabel());
    } else if (auto flatten = dyn_cast<ssm::FlattenOp>(op)) {
      for (StringRef label : {flatten.getOuter(), flatten.getInner(), flatten.getAxis().getName()})
        mixed.insert(label);
    } else if (auto unflatten = dyn_cast<ssm::UnflattenOp>(op)) {
      for (StringRef label :
           {unflatten.getLabel(), unflatten.getOuter().getName(), unflatten.getInner().getName()})
        mixed.insert(label);
    }
  });
  return mixed;
}

Slice simt::chooseSlice(tile::KernelOp kernel, const Limits& limits) {
  if (limits.items <= 0 || limits.items >= limits.processors)
    return {};
  // Kernels whose tiles are shared among blocks have enough of them.
  for (tile::SequenceOp sequence : kernel.getBlock()->getOps<tile::SequenceOp>())
    if (sequence.getInits().empty())
      return {};
  llvm::StringSet<> mixed = mixedLabels(kernel);
  ssm::AxisAttr best;
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())
    if (operand.getRole() == tile::Role::StateOut)
      for (ssm::AxisAttr axis : operand.getAxes())
        if (!mixed.contains(axis.getName()) && (!best || axis.getSize() > best.getSize()))
          best = axis;
  Slice slice;
  if (!best)
    return slice;
  slice.label = best.getName();
  slice.size = best.getSize();
  // (Nearly all of them: twice the blocks do the shared work twice as often.)
  while (slice.size % 2 == 0 && slice.size / 2 >= fewestColumns && slice.leavesIdle(limits))
    slice.halve();
  return slice;
}

Slice simt::chooseColumns(tile::KernelOp kernel, const Machine& machine, const Limits& limits) {
  Slice slice;
  slice.label = *kernel.getColumns();
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())
    for (ssm::AxisAttr axis : operand.getAxes())
      if (axis.getName() == slice.label)
        slice.size = axis.getSize();
  int64_t fewest = fewestColumns;
  if (takesGroups(kernel, slice.size, machine))
    fewest = columnsOfGroup;
  int64_t most = mostColumns;
  if (!machine.hasPairs()) // (All warps of a block take columns.)
    most = std::min(most, limits.threads / machine.lanes() * fewestColumns);
  while (slice.size % (2 * fewest) == 0 && (slice.size > most || slice.leavesIdle(limits)))
    slice.halve();
  return slice;
}

void simt::applySlice(tile::KernelOp kernel, const Slice& slice) {
  if (slice.parts == 1)
    return;
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](ssm::AxisAttr axis) -> ssm::AxisAttr {
    if (axis.getName() != slice.label)
      return axis;
    Attribute size = IntegerAttr::get(IntegerType::get(axis.getContext(), 64), slice.size);
    return ssm::AxisAttr::get(axis.getContext(), axis.getLabel(), size);
  });
  kernel.getBody().walk([&](Operation* op) {
    replacer.replaceElementsIn(op, /*replaceAttrs=*/true, /*replaceLocs=*/false,
                               /*replaceTypes=*/true);
  });
}
