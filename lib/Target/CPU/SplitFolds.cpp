// Splits a fold into folds that have a free label each.
//
// Lanes and strips need a label that nothing in the fold reduces (EmitFold.cpp). Carried values are
// grouped by their labels. A group that does not read another one in return gets a fold of its own,
// in order: a running maximum m[] first, then what it scales, n[a] and C[a,b]. What a later group
// needs of an earlier one is stacked, and what follows from that alone is computed for all steps of
// the tile between the two folds, in lanes. Readouts of vector states leave their folds first
// (SinkReductions.cpp).
#include "FoldRewriter.h"
#include "ssmc/Target/CPU.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

namespace {
struct Splitter {
  Splitter(ssm::FoldOp fold) : rewriter(fold), fold(fold) {}
  bool run();

private:
  using Bits = uint64_t;
  bool findGroups();
  void slice(Value value, DenseSet<Value>& into);
  bool isStacked(Value value, unsigned& group);
  void demand(Value value, unsigned group, DenseSet<Value>& seen);
  Value inside(OpBuilder& b, Value value, unsigned group, DenseMap<Value, Value>& made);
  bool canBeOutside(Value value, DenseSet<Value>& seen);
  Value outside(OpBuilder& b, Value value);

  FoldRewriter rewriter;
  ssm::FoldOp fold;
  SmallVector<Bits> groups;                          ///< carried values of each, in order
  SmallVector<DenseSet<Value>> cones;                ///< what each group's fold computes
  SmallVector<llvm::MapVector<Value, Value>> stacks; ///< value of the body -> its stacked result
  SmallVector<SmallVector<unsigned>> outputs;        ///< stacked results that each group computes
  DenseMap<Value, Value> lifted;
};
} // namespace

void Splitter::slice(Value value, DenseSet<Value>& into) {
  if (!rewriter.isInside(value) || !into.insert(value).second)
    return;
  if (Operation* op = value.getDefiningOp())
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        if (operand.getParentBlock() == fold.getBlock())
          slice(operand, into);
    });
}

/// Groups carried values by their labels, in an order in which no group reads a later one.
bool Splitter::findGroups() {
  llvm::MapVector<Type, Bits> byType;
  for (BlockArgument argument : fold.getBlock()->getArguments())
    byType[argument.getType()] |= Bits(1) << argument.getArgNumber();
  if (byType.size() < 2 || fold.getNumCarried() > 63)
    return false;
  DenseMap<Type, Bits> reads;
  for (auto [type, bits] : byType)
    for (unsigned i = 0; i < fold.getNumCarried(); ++i)
      if (bits >> i & 1)
        reads[type] |= rewriter.carriedOf(fold.getYield().getValues()[i]);
  Bits done = 0;
  while (!byType.empty()) {
    auto ready = llvm::find_if(
        byType, [&](auto& entry) { return (reads[entry.first] & ~(done | entry.second)) == 0; });
    if (ready == byType.end())
      return false; // groups that read each other stay together
    groups.push_back(ready->second);
    done |= ready->second;
    byType.erase(ready);
  }
  return true;
}

/// Whether the fold of an earlier group hands the value out.
bool Splitter::isStacked(Value value, unsigned& group) {
  for (group = 0; group < groups.size(); ++group)
    if (cones[group].contains(value) && (rewriter.carriedOf(value) & groups[group]))
      return true;
  return false;
}

/// Notes what earlier folds must stack so that `value` can be had in a group's fold.
void Splitter::demand(Value value, unsigned group, DenseSet<Value>& seen) {
  if (!rewriter.isInside(value) || !seen.insert(value).second)
    return;
  unsigned owner;
  Bits carried = rewriter.carriedOf(value);
  if (carried && !(carried & groups[group]) && isStacked(value, owner)) {
    stacks[owner].insert({value, Value()});
    return;
  }
  if (Operation* op = value.getDefiningOp())
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        if (operand.getParentBlock() == fold.getBlock())
          demand(operand, group, seen);
    });
}

/// Whether a value can be had for all steps at once: what it is made of is stacked,
/// or has no loop of its own.
bool Splitter::canBeOutside(Value value, DenseSet<Value>& seen) {
  for (auto& stack : stacks)
    if (auto found = stack.find(value); found != stack.end() && found->second)
      return true;
  if (!rewriter.isInside(value) || !seen.insert(value).second)
    return true;
  Operation* op = value.getDefiningOp();
  return op && !op->getNumRegions() && llvm::all_of(op->getOperands(), [&](Value operand) {
           return canBeOutside(operand, seen);
         });
}

/// A value for all steps, after the folds that it depends on.
Value Splitter::outside(OpBuilder& b, Value value) {
  for (auto& stack : stacks)
    if (auto found = stack.find(value); found != stack.end() && found->second)
      return found->second;
  if (!rewriter.isInside(value))
    return value;
  if (Value known = lifted.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  auto at = dyn_cast<ssm::AtOp>(op);
  if (at && at.getLabel() == rewriter.label)
    return lifted[value] = outside(b, at.getOperand());
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(outside(b, operand));
  return lifted[value] = cloneLifted(b, op, operands);
}

/// A value in the fold of a group.
Value Splitter::inside(OpBuilder& b, Value value, unsigned group, DenseMap<Value, Value>& made) {
  if (!rewriter.isInside(value))
    return value;
  if (Value known = made.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  bool own = rewriter.carriedOf(value) & groups[group];
  bool constant = op && isa<ssm::ConstantOp>(op);
  DenseSet<Value> seen;
  bool small = arrayType(value).getRank() <= 1 && canBeOutside(value, seen);
  unsigned owner;
  bool handed = rewriter.carriedOf(value) && !own && isStacked(value, owner);
  if (!own && !constant && (small || handed)) {
    // Computed for all steps at once, before this fold.
    OpBuilder before(b.getInsertionBlock()->getParentOp());
    Value all = outside(before, value);
    if (arrayType(all).has(rewriter.label))
      all = ssm::AtOp::create(b, value.getLoc(), all, rewriter.label);
    return made[value] = all;
  }
  IRMapping mapping;
  op->walk([&](Operation* inner) {
    for (Value operand : inner->getOperands())
      if (operand.getParentBlock() == fold.getBlock())
        mapping.map(operand, inside(b, operand, group, made));
  });
  Operation* clone = b.clone(*op, mapping);
  for (auto [from, to] : llvm::zip(op->getResults(), clone->getResults()))
    made[from] = to;
  return made[value];
}

bool Splitter::run() {
  if (!findGroups())
    return false;
  unsigned carried = fold.getNumCarried();
  auto yielded = fold.getYield().getValues();
  cones.resize(groups.size());
  stacks.resize(groups.size());
  outputs.resize(groups.size());
  for (unsigned i = 0; i < fold->getNumResults(); ++i) {
    unsigned group = 0;
    for (unsigned g = 0; g < groups.size(); ++g)
      if (i < carried ? (groups[g] >> i & 1) : (rewriter.carriedOf(yielded[i]) & groups[g]) != 0)
        group = g;
    if (i >= carried && fold.getResult(i).use_empty())
      continue;
    if (i >= carried)
      outputs[group].push_back(i);
    slice(yielded[i], cones[group]);
  }
  for (auto [g, bits] : llvm::enumerate(groups))
    for (unsigned i = 0; i < carried; ++i)
      if (bits >> i & 1)
        cones[g].insert(fold.getBlock()->getArgument(i));
  for (auto [g, bits] : llvm::enumerate(groups)) {
    DenseSet<Value> seen;
    for (unsigned i = 0; i < carried; ++i)
      if (bits >> i & 1)
        demand(yielded[i], g, seen);
    for (unsigned i : outputs[g])
      demand(yielded[i], g, seen);
  }
  // Handing a large array from fold to fold costs more than computing in one.
  for (auto& stack : stacks)
    for (auto& [value, result] : stack)
      if (arrayType(value).getRank() > 1)
        return false;

  SmallVector<Value> replacements(fold->getNumResults());
  for (auto [g, bits] : llvm::enumerate(groups)) {
    OpBuilder b(fold);
    SmallVector<unsigned> mine;
    SmallVector<Value> inits;
    SmallVector<Type> types;
    for (unsigned i = 0; i < carried; ++i)
      if (bits >> i & 1) {
        mine.push_back(i);
        inits.push_back(fold.getInits()[i]);
        types.push_back(inits.back().getType());
      }
    SmallVector<Value> stacked;
    for (unsigned i : outputs[g])
      stacked.push_back(yielded[i]);
    for (auto& [value, result] : stacks[g])
      stacked.push_back(value);
    for (Value value : stacked)
      types.push_back(arrayType(value).withAxis(fold.getAxis()));
    OperationState state(fold.getLoc(), ssm::FoldOp::getOperationName());
    state.addOperands(inits);
    state.addTypes(types);
    state.addAttributes(fold->getAttrs());
    Region* region = state.addRegion();
    region->push_back(new Block());
    auto made = cast<ssm::FoldOp>(b.create(state));
    DenseMap<Value, Value> values;
    for (unsigned i : mine)
      values[fold.getBlock()->getArgument(i)] =
          made.getBlock()->addArgument(fold.getInits()[i].getType(), fold.getLoc());
    OpBuilder body = OpBuilder::atBlockEnd(made.getBlock());
    SmallVector<Value> yields;
    for (unsigned i : mine)
      yields.push_back(inside(body, yielded[i], g, values));
    for (Value value : stacked)
      yields.push_back(inside(body, value, g, values));
    ssm::YieldOp::create(body, fold.getLoc(), yields);
    for (auto [k, i] : llvm::enumerate(mine))
      replacements[i] = made.getResult(k);
    for (auto [k, i] : llvm::enumerate(outputs[g]))
      replacements[i] = made.getResult(mine.size() + k);
    for (auto [k, entry] : llvm::enumerate(stacks[g]))
      entry.second = made.getResult(mine.size() + outputs[g].size() + k);
  }
  for (auto [result, replacement] : llvm::zip(fold->getResults(), replacements))
    if (replacement)
      result.replaceAllUsesWith(replacement);
  fold.erase();
  return true;
}

namespace {
struct SplitFolds : PassWrapper<SplitFolds, OperationPass<tile::KernelOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SplitFolds)
  StringRef getArgument() const override { return "tile-split-folds"; }
  StringRef getDescription() const override {
    return "split folds into folds that have a label free of reductions";
  }
  void runOnOperation() override {
    SmallVector<ssm::FoldOp> folds;
    getOperation()->walk([&](ssm::FoldOp fold) {
      if (!isa<ssm::FoldOp>(fold->getParentOp()))
        folds.push_back(fold);
    });
    for (ssm::FoldOp fold : folds)
      Splitter(sinkReductions(fold)).run();
  }
};
} // namespace

std::unique_ptr<Pass> ssmc::cpu::createSplitFolds() {
  return std::make_unique<SplitFolds>();
}
