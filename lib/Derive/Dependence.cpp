#include "Dependence.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

//===-- Dependence ---------------------------------------------------------------------------===//

Dependence::Dependence(ChunkOp chunk)
    : updates(chunk.getBlock()->getOps<UpdateOp>()), empty(updates.size()) {
  visit(*chunk.getBlock());
  for (UpdateOp update : updates)
    reached.push_back(of(update.getValue()));
  for (size_t middle = 0; middle < size(); ++middle)
    for (StateSet& set : reached)
      if (set[middle])
        set |= reached[middle];
}

const StateSet& Dependence::of(Value value) const {
  auto found = known.find(value);
  return found == known.end() ? empty : found->second;
}

void Dependence::visit(Block& block) {
  for (Operation& op : block) {
    if (auto fold = dyn_cast<FoldOp>(op)) {
      visitFold(fold);
      continue;
    }
    StateSet set = none();
    if (auto prev = dyn_cast<PrevOp>(op)) {
      for (size_t state = 0; state < size(); ++state)
        if (nameOf(state) == prev.getState())
          set.set(state);
    }
    for (Value operand : op.getOperands())
      set |= of(operand);
    for (Value result : op.getResults())
      known[result] = set;
  }
}

void Dependence::visitFold(FoldOp fold) {
  Block* body = fold.getBlock();
  for (auto [argument, init] : llvm::zip(body->getArguments(), fold.getInits())) {
    StateSet set = of(init); // A copy: the map may move what it holds.
    known[argument] = std::move(set);
  }
  for (bool changed = true; changed;) {
    changed = false;
    visit(*body);
    for (auto [argument, next] : llvm::zip(body->getArguments(), fold.getYield().getValues())) {
      StateSet both = of(argument);
      both |= of(next);
      if (both != of(argument)) {
        known[argument] = both;
        changed = true;
      }
    }
  }
  for (auto [i, result] : llvm::enumerate(fold.getResults())) {
    StateSet set = of(fold.getYield().getValues()[i]);
    if (i < fold.getNumCarried())
      set |= of(body->getArgument(i));
    known[result] = set;
  }
}

//===-- Slices -------------------------------------------------------------------------------===//

void Slice::add(Value value) {
  SmallVector<Value> work = {value};
  while (!work.empty()) {
    Value next = work.pop_back_val();
    if (!values.insert(next).second)
      continue;
    FoldOp fold;
    unsigned number = 0;
    if (auto argument = dyn_cast<BlockArgument>(next)) {
      fold = cast<FoldOp>(argument.getOwner()->getParentOp());
      number = argument.getArgNumber();
    } else if ((fold = next.getDefiningOp<FoldOp>())) {
      number = cast<OpResult>(next).getResultNumber();
    }
    if (!fold) {
      llvm::append_range(work, next.getDefiningOp()->getOperands());
      continue;
    }
    work.push_back(fold.getYield().getValues()[number]);
    if (number < fold.getNumCarried()) {
      work.push_back(fold.getInits()[number]);
      work.push_back(fold.getBlock()->getArgument(number));
    }
  }
}

SmallVector<unsigned> Slice::resultsOf(FoldOp fold) const {
  SmallVector<unsigned> numbers;
  for (unsigned i = 0; i < fold.getNumResults(); ++i)
    if (contains(i < fold.getNumCarried() ? Value(fold.getBlock()->getArgument(i))
                                          : Value(fold.getResult(i))))
      numbers.push_back(i);
  return numbers;
}

void Slice::clone(Block& block, OpBuilder& b, IRMapping& mapping) const {
  for (Operation& op : block)
    clone(&op, b, mapping);
}

void Slice::clone(Operation* op, OpBuilder& b, IRMapping& mapping) const {
  if (auto fold = dyn_cast<FoldOp>(op)) {
    if (!resultsOf(fold).empty())
      cloneFold(fold, b, mapping);
  } else if (containsAny(op)) {
    b.clone(*op, mapping);
  }
}

void Slice::cloneFold(FoldOp fold, OpBuilder& b, IRMapping& mapping) const {
  SmallVector<unsigned> numbers = resultsOf(fold);
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (unsigned i : numbers) {
    if (i < fold.getNumCarried())
      inits.push_back(mapping.lookupOrDefault(fold.getInits()[i]));
    types.push_back(fold.getResult(i).getType());
  }
  auto made = FoldOp::create(b, fold.getLoc(), types, fold.getAxis(), fold.getReverseAttr(), inits);
  Block* body = &made.getBody().emplaceBlock();
  for (auto [place, i] : llvm::enumerate(numbers)) {
    if (i < fold.getNumCarried())
      mapping.map(fold.getBlock()->getArgument(i), body->addArgument(types[place], fold.getLoc()));
    mapping.map(fold.getResult(i), made.getResult(place));
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(body);
  clone(*fold.getBlock(), b, mapping);
  SmallVector<Value> yields;
  for (unsigned i : numbers)
    yields.push_back(mapping.lookupOrDefault(fold.getYield().getValues()[i]));
  YieldOp::create(b, fold.getLoc(), yields);
}
