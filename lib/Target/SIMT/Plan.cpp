// What of a block of ops lies in memory, and in which order it is computed.
//
// Reductions, folds and what is read many times over lie in memory; the rest is computed where it
// is used. What lies in memory is computed in stages: all that needs nothing of the same stage. All
// threads meet after each.
#include "lib/Target/SIMT/JointProducts.h"

#include <map>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Reads of memory and expensive functions beyond which a value is rather kept than computed again.
static constexpr int64_t cheap = 3;

namespace ssmc::simt {

struct BlockPlan {
  BlockPlan(KernelEmitter& e, Block* block) : e(e), block(block) {}

  Operation* definedHere(Value value) {
    Operation* op = value.getDefiningOp();
    return op && op->getBlock() == block ? op : nullptr;
  }

  void markLive(Operation* op) {
    if (!live.insert(op).second)
      return;
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        if (Operation* def = definedHere(operand))
          markLive(def);
    });
  }

  /// Whether elements of the value are read more often than there are of them.
  bool isReadAgain(Value value) {
    ssm::ArrayType type = arrayType(value);
    for (Operation* user : value.getUsers()) {
      if (user->getBlock() != block)
        return true;
      if (!live.contains(user) || user->getNumResults() != 1 || isReduction(user) ||
          isa<ssm::FoldOp, tile::SequenceOp>(user))
        continue;
      if (isa<ssm::ApplyOp>(user))
        return true; // (By blocks and by halves.)
      ssm::ArrayType result = arrayType(user->getResult(0));
      for (ssm::AxisAttr axis : result.getAxes())
        if (!isa<ssm::RelabelOp, ssm::FlattenOp, ssm::UnflattenOp>(user) &&
            !type.has(axis.getName()) && axis.getSize() > 1)
          return true;
      if (!inMemory.contains(user->getResult(0)) && isReadAgain(user->getResult(0)))
        return true;
    }
    return false;
  }

  /// Reads and functions for one element.
  int64_t costOf(Value value) {
    Operation* op = definedHere(value);
    if (!op || inMemory.contains(value) || e.buffers.contains(value))
      return isConstant(value) ? 0 : 1;
    if (isa<ssm::ConstantOp, ssm::PositionOp>(op))
      return 0;
    int64_t cost = isExpensive(op) ? 8 : isa<tile::LoadOp>(op);
    for (Value operand : op->getOperands())
      cost += costOf(operand);
    return cost;
  }

  /// Whether a value, or it under other names, is what is asked to be equal to another one.
  bool isCompared(Value value) {
    Operation* base = value.getDefiningOp();
    while (auto relabel = dyn_cast_or_null<ssm::RelabelOp>(base))
      base = relabel.getOperand().getDefiningOp();
    if (isa_and_nonnull<ssm::PositionOp, ssm::ConstantOp>(base)) // Known where it is used.
      return false;
    return llvm::any_of(value.getUsers(), [&](Operation* user) {
      return live.contains(user) &&
             (isa<ssm::RelabelOp>(user) ? isCompared(user->getResult(0)) : comparesBits(user));
    });
  }

  bool isKept(Operation* op) {
    if (op->getNumResults() && e.buffers.contains(op->getResult(0)))
      return false;
    if (isa<ssm::FoldOp>(op) || isOverSteps(op) || isReduction(op))
      return true;
    if (op->getNumResults() != 1 || isa<tile::SequenceOp>(op) || isConstant(op->getResult(0)))
      return false;
    Value value = op->getResult(0);
    if (isa<tile::LoadOp>(op))
      return isReadAgain(value) || !value.hasOneUse();
    if (isCompared(value))
      return true;
    int64_t cost = costOf(value);
    bool once = value.hasOneUse() && (*value.getUsers().begin())->getBlock() == block;
    return cost > cheap && (isReadAgain(value) || (!once && cost >= 8));
  }

  /// Whether a product is read once, by what is made of it element by element.
  bool isFusible(Operation* sum) {
    Value value = sum->getResult(0);
    ssm::ArrayType type = arrayType(value);
    for (;;) {
      if (!value.hasOneUse())
        return false;
      Operation* user = *value.getUsers().begin();
      if (user->getBlock() != block)
        return false;
      if (isa<tile::StoreOp>(user) || user->hasTrait<OpTrait::IsTerminator>())
        return true;
      if (!user->hasTrait<ssm::Pointwise>() ||
          arrayType(user->getResult(0)).getRank() != type.getRank())
        return false;
      value = user->getResult(0);
      if (inMemory.contains(value))
        return true;
    }
  }

  /// Values that products read as bf16 and that do not lie so: copied before.
  void planOperands() {
    for (Operation& op : *block) {
      if (!live.contains(&op) || !e.usesTiles(&op))
        continue;
      const Product& product = e.products.find(&op)->second;
      SmallVector<std::pair<bool, bool>> terms =
          roundedTerms(cast<ssm::SumOp>(&op), product, /*keepBoth=*/true);
      StringRef reduced = product.reduced.front();
      for (bool isLeft : {true, false}) {
        KernelEmitter::Side side = e.sideOf(isLeft ? product.left : product.right,
                                            isLeft ? product.row : product.lane, reduced);
        bool rest =
            llvm::any_of(terms, [&](auto term) { return isLeft ? term.first : term.second; });
        // Pairs lie as they are wanted.
        if (auto [high, low] = storedPairOf(side.base);
            high && inMemory.contains(high) && inMemory.contains(low))
          continue;
        // Operands of the caller are kept as they are stored.
        if (auto load = side.base.getDefiningOp<tile::LoadOp>();
            load && isStoredAsBF16(side.base) &&
            (inMemory.contains(side.base) || e.buffers.contains(side.base)))
          continue;
        wanted[side.base] |= rest;
        sides[&op].push_back(side.base);
      }
    }
    // What products alone read needs no other place.
    for (auto& [base, rest] : wanted) {
      Operation* op = definedHere(base);
      if (!op || !inMemory.contains(base) || op->getNumResults() != 1 || isa<ssm::FoldOp>(op) ||
          isOverSteps(op))
        continue;
      bool others = llvm::any_of(base.getUsers(), [&](Operation* user) {
        return live.contains(user) && !isSideOnly(base, user);
      });
      if (!others)
        inMemory.erase(base);
    }
  }

  /// Whether a user reads a value as a side of products that have it copied.
  bool isSideOnly(Value base, Operation* user) {
    if (user->getBlock() != block)
      return false;
    if (auto relabel = dyn_cast<ssm::RelabelOp>(user))
      return llvm::all_of(relabel->getUsers(), [&](Operation* next) {
        return !live.contains(next) || isSideOnly(base, next);
      });
    if (!isa<ssm::MulOp>(user) || !user->hasOneUse())
      return false;
    auto found = sides.find(*user->getUsers().begin());
    return found != sides.end() && llvm::is_contained(found->second, base);
  }

  /// The stage after which the copies that a product reads are there.
  int64_t sidesReady(Operation* sum) {
    int64_t stage = 0;
    if (auto found = sides.find(sum); found != sides.end())
      for (Value base : found->second)
        stage = std::max(stage, copyStage(base));
    return stage;
  }

  /// The stage in which a value is copied for products.
  int64_t copyStage(Value base) {
    auto found = jointCopies.find(base);
    return found == jointCopies.end() ? readyAfter(base) + 1 : jointStage(found->second);
  }

  /// The stage in which joint products are computed: all that is made of them has what it needs.
  int64_t jointStage(int number) {
    if (int64_t stage = jointStages[number])
      return stage;
    int64_t stage = 0;
    for (const auto& ops : {joint[number].ops, joint[number].totals})
      for (Operation* op : ops)
        stage = std::max(stage, stageOf(op));
    for (Value base : joint[number].copied)
      stage = std::max(stage, readyAfter(base) + 1);
    return jointStages[number] = stage;
  }

  /// The stage of an op that is computed with joint products. (Parts of a sum are added up after.)
  int64_t stageTogether(Operation* op) {
    int number = joints.lookup(op);
    return jointStage(number) + joint[number].totals.contains(op);
  }

  /// Takes from memory what joint products and what is made of them need no place for.
  void join() {
    auto isProduct = [&](Operation* op) { return live.contains(op) && e.usesPairs(op); };
    auto isLive = [&](Operation* op) { return live.contains(op); };
    auto isKept = [&](Operation* op) { return inMemory.contains(op->getResult(0)); };
    auto isCopied = [&](Value value, Operation* user) {
      return wanted.contains(value) && isSideOnly(value, user);
    };
    auto isStorable = [&](tile::StoreOp store) { return e.storesAnywhere(store); };
    joint = findJointProducts({block, isLive, isProduct, isKept, isCopied, isStorable, e.products});
    jointStages.assign(joint.size(), 0);
    for (auto [i, one] : llvm::enumerate(joint)) {
      e.fused.insert(one.products.begin(), one.products.end());
      for (Value value : one.inside)
        inMemory.erase(value);
      for (Operation* op : one.ops) {
        joints[op] = i;
        if (op->getNumResults())
          inMemory.insert(op->getResult(0));
      }
      for (Operation* total : one.totals)
        joints[total] = i;
      for (Value base : one.copied)
        jointCopies[base] = i;
    }
  }

  /// The stage after which a value can be read.
  int64_t readyAfter(Value value) {
    Operation* op = definedHere(value);
    if (!op)
      return 0;
    if (e.buffers.contains(value)) // Brought in before.
      return 0;
    if (auto found = stages.find(op); found != stages.end())
      return found->second;
    // (Joint products may need what is computed further down.)
    if (inMemory.contains(value) && !joint.empty()) {
      int64_t stage = joints.contains(op) ? stageTogether(op) : stageOf(op);
      return stages[op] = stage;
    }
    if (auto found = ready.find(op); found != ready.end())
      return found->second;
    // What an earlier sequence wrote may be read.
    int64_t stage = isa<tile::LoadOp>(op) ? loadsAfter.lookup(op) : sidesReady(op);
    for (Value operand : op->getOperands())
      stage = std::max(stage, readyAfter(operand));
    return ready[op] = stage;
  }
  int64_t stageOf(Operation* op) {
    int64_t stage = isa<tile::LoadOp>(op) ? loadsAfter.lookup(op) : sidesReady(op);
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        stage = std::max(stage, readyAfter(operand));
      if (inner != op && isa<tile::LoadOp>(inner))
        stage = std::max(stage, lastSequence);
    });
    return stage + 1;
  }

  void build(ArrayRef<Result> carried, ArrayRef<Result> stacked) {
    // (A fold that holds what it carries has no place for that, and maybe no other result.)
    for (Operation& op : *block)
      if (isa<tile::StoreOp, tile::SequenceOp>(op) || e.heldFolds.contains(&op))
        markLive(&op);
    for (ArrayRef<Result> results : {carried, stacked})
      for (const Result& result : results)
        if (Operation* def = definedHere(result.value))
          markLive(def);
    for (Operation& op : *block)
      if (live.contains(&op) && isKept(&op))
        for (Value value : op.getResults())
          inMemory.insert(value);
    // (What is carried or stacked has stages of its own, and a sequence may write what is loaded.)
    bool isFree = carried.empty() && stacked.empty() && block->getOps<tile::SequenceOp>().empty();
    bool isJoined = isFree && e.roundsProducts && e.machine.hasPairs();
    if (!isJoined)
      for (Operation& op : *block)
        if (live.contains(&op) && (e.usesPairs(&op) || e.usesMatrices(&op) || e.usesBlocks(&op)) &&
            isFusible(&op)) {
          inMemory.erase(op.getResult(0));
          e.fused.insert(&op);
        }
    planOperands();
    if (isJoined)
      join();
    for (Operation& op : *block) {
      if (!live.contains(&op))
        continue;
      loadsAfter[&op] = lastSequence;
      bool kept = op.getNumResults() && inMemory.contains(op.getResult(0));
      if (joints.contains(&op)) {
        if (!stages.contains(&op))
          stages[&op] = stageTogether(&op);
      } else if (isa<tile::StoreOp>(op)) {
        stages[&op] = stageOf(&op);
      } else if (isa<tile::SequenceOp>(op)) {
        // After everything before it, which may write what it reads.
        int64_t last = stageOf(&op) - 1;
        for (auto [other, stage] : stages)
          last = std::max(last, stage);
        lastSequence = stages[&op] = last + 1;
      } else if (kept) {
        if (!stages.contains(&op))
          stages[&op] = stageOf(&op);
      } else {
        continue;
      }
      ordered.push_back(&op);
    }
    for (auto& [base, rest] : wanted)
      copyStages[base] = copyStage(base);
    if (!isFree)
      return;
    findReaders();
    // (Where blocks share a processor one computes while another waits for what it loads.)
    if (e.ownsProcessor)
      delay();
    if (e.machine.hasCopies() && !e.stagesAhead)
      request();
  }

  /// Grams of the same keys, which decay alike, of one stage are one walk.
  SmallVector<ssm::GramOp> alikeInStage(ssm::GramOp gram) {
    SmallVector<ssm::GramOp> alike;
    for (Operation* op : ordered)
      if (auto other = dyn_cast<ssm::GramOp>(op);
          other && stages[op] == stages[gram] && other.getB() == gram.getB() &&
          other.getDecay() == gram.getDecay() && other.getOver() == gram.getOver() &&
          other.getRows() == gram.getRows() && other.getColumns() == gram.getColumns())
        alike.push_back(other);
    return alike;
  }
  bool isOneOfGrams(Operation* op) {
    auto gram = dyn_cast<ssm::GramOp>(op);
    return gram && alikeInStage(gram).size() > 1;
  }

  //===-- later, where that keeps memory free ------------------------------------------------===//

  /// What is computed in a stage: an op that is kept or stores, or a copy for products.
  struct Item {
    Operation* op = nullptr;
    Value copied;
    llvm::SetVector<Value> reads;  ///< kept values
    llvm::SetVector<Value> copies; ///< of these
  };

  int64_t& stageOf(const Item& item) {
    return item.op ? stages[item.op] : copyStages.find(item.copied)->second;
  }

  void findReads(Value value, Item& item) {
    Operation* op = definedHere(value);
    if (!op || e.buffers.contains(value))
      return;
    if (inMemory.contains(value)) {
      item.reads.insert(value);
      return;
    }
    findReads(op, item);
  }

  void findReads(Operation* op, Item& item) {
    for (Value base : sides.lookup(op))
      item.copies.insert(base);
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        findReads(operand, item);
    });
  }

  /// What is computed, and who reads a value that lies in memory, and who a copy.
  void findReaders() {
    for (Operation* op : ordered) {
      Item& item = items.emplace_back(Item{op, {}, {}, {}});
      findReads(op, item);
    }
    for (auto& [base, rest] : wanted) {
      Item& item = items.emplace_back(Item{nullptr, base, {}, {}});
      if (inMemory.contains(base))
        item.reads.insert(base);
      else if (Operation* op = definedHere(base))
        findReads(op, item);
    }
    for (Item& item : items) {
      for (Value value : item.reads)
        readers[value].push_back(&item);
      for (Value base : item.copies)
        copyReaders[base].push_back(&item);
    }
  }

  /// The first and the last stage that read what an item makes; {INT64_MAX, 0} if none does.
  std::pair<int64_t, int64_t> readsOf(const Item& item) {
    int64_t first = INT64_MAX, last = 0;
    auto note = [&](ArrayRef<Item*> all) {
      for (Item* reader : all) {
        first = std::min(first, stageOf(*reader));
        last = std::max(last, stageOf(*reader));
      }
    };
    if (item.copied)
      note(copyReaders[item.copied]);
    else
      for (Value value : item.op->getResults())
        note(readers[value]);
    return {first, last};
  }

  /// Bytes of the places of what an item makes.
  int64_t bytesOf(const Item& item) {
    if (item.copied)
      return (wanted[item.copied] ? 2 : 1) *
             e.bytesOfPlace(e.placedAxes(arrayType(item.copied), {}), e.b.getBF16Type());
    int64_t bytes = 0;
    for (Value value : item.op->getResults()) {
      ssm::ArrayType type = arrayType(value);
      Type storage = e.storageOf(item.op);
      bytes += value.use_empty() ? 0
                                 : e.bytesOfPlace(e.placedAxes(type, {}),
                                                  storage ? storage : type.getElementType());
    }
    return bytes;
  }

  /// Loads wait until the stage before the first that reads them; so does what takes more room than
  /// what it is made of, and is read by nothing else, gives up.
  void delay() {
    std::vector<Item*> byStage;
    for (Item& item : items)
      byStage.push_back(&item);
    llvm::stable_sort(byStage, [&](Item* x, Item* y) { return stageOf(*x) > stageOf(*y); });
    for (Item* item : byStage) {
      // (What is computed together stays so.)
      if (item->op
              ? isa<tile::StoreOp>(item->op) || joints.contains(item->op) || isOneOfGrams(item->op)
              : jointCopies.contains(item->copied))
        continue;
      int64_t first = readsOf(*item).first;
      if (first == INT64_MAX || first - 1 <= stageOf(*item))
        continue;
      int64_t own = 0, kept = 0;
      if (item->copied)
        own = countOf(arrayType(item->copied).getAxes());
      else
        for (Value value : item->op->getResults())
          own += value.use_empty() ? 0 : countOf(arrayType(value).getAxes());
      for (Value value : item->reads) {
        int64_t last = 0;
        for (Item* reader : readers[value])
          if (reader != item)
            last = std::max(last, stageOf(*reader));
        kept += last < first - 1 ? countOf(arrayType(value).getAxes()) : 0;
      }
      if (kept < own)
        stageOf(*item) = first - 1;
    }
    ready.clear();
  }

  int64_t dueOf(Operation* load) {
    auto found = dues.find(load);
    return found == dues.end() ? stages[load] : found->second;
  }

  /// What is copied while threads go on is waited for as late as can be, and asked for as soon as
  /// there is room for it.
  void request() {
    std::map<int64_t, int64_t> inUse;
    for (Item& item : items)
      for (int64_t stage = stageOf(item), last = readsOf(item).second; stage <= last; ++stage)
        inUse[stage] += bytesOf(item);
    std::vector<Item*> loads;
    for (Item& item : items)
      if (item.op && isa<tile::LoadOp>(item.op))
        loads.push_back(&item);
    llvm::stable_sort(loads, [&](Item* x, Item* y) { return readsOf(*x) < readsOf(*y); });
    for (Item* item : loads) {
      int64_t first = readsOf(*item).first, asked = stageOf(*item);
      if (first == INT64_MAX)
        continue;
      dues[item->op] = std::max(asked, first - 1);
      for (int64_t bytes = bytesOf(*item); asked > 1; --asked) {
        if (inUse[asked - 1] + bytes > e.mostAsked)
          break;
        inUse[asked - 1] += bytes;
      }
      stageOf(*item) = asked;
    }
    ready.clear();
  }

  KernelEmitter& e;
  Block* block;
  llvm::DenseSet<Operation*> live;
  llvm::DenseSet<Value> inMemory;
  llvm::DenseMap<Operation*, int64_t> stages, ready, loadsAfter;
  llvm::MapVector<Value, bool> wanted; ///< to be copied, with what rounding leaves
  llvm::DenseMap<Value, int64_t> copyStages;
  llvm::DenseMap<Operation*, SmallVector<Value>> sides;
  std::vector<JointProducts> joint;
  SmallVector<int64_t> jointStages;
  llvm::DenseMap<Operation*, int> joints; ///< of what is computed with joint products, their number
  llvm::DenseMap<Value, int> jointCopies;
  int64_t lastSequence = 0;
  SmallVector<Operation*> ordered;
  std::vector<Item> items;
  llvm::DenseMap<Value, SmallVector<Item*>> readers, copyReaders;
  /// The stages at whose ends loads must be there that are copied later.
  llvm::DenseMap<Operation*, int64_t> dues;
};

} // namespace ssmc::simt

/// Whether an inline value reads an argument of the block other than `own` at its own place.
static bool readsOthers(Value value, Block* block, BlockArgument own,
                        const llvm::DenseSet<Value>& inMemory, bool moved = false) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument.getOwner() == block && (argument != own || moved);
  Operation* op = value.getDefiningOp();
  if (op->getBlock() != block || inMemory.contains(value))
    return false;
  moved |=
      isReduction(op) ||
      isa<ssm::RelabelOp, ssm::AtOp, ssm::ShiftOp, ssm::LastOp, ssm::FlattenOp, ssm::UnflattenOp>(
          op);
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return readsOthers(operand, block, own, inMemory, moved);
  });
}

/// The type in which a value is kept: where pairs are wanted, operands stay as they are stored.
Type KernelEmitter::storageOf(Operation* op) {
  auto load = dyn_cast<tile::LoadOp>(op);
  if (!load || !roundsProducts || !isStoredAsBF16(load.getResult()))
    return {};
  return b.getBF16Type();
}

KernelEmitter::JointResults KernelEmitter::emitJoint(const JointProducts& joint,
                                                     llvm::function_ref<bool(Value)> wantsRest) {
  JointResults made;
  SmallVector<Root> roots;
  SmallVector<Total> totals;
  ArrayRef<Operation*> sums = joint.products.getArrayRef();
  ssm::ArrayType shape = arrayType(sums.front()->getResult(0));
  for (Operation* op : joint.ops) {
    if (auto store = dyn_cast<tile::StoreOp>(op)) {
      if (!isWithAnother(store))
        roots.push_back({store.getValue(), writerOf(store, storedBuffer(store))});
      continue;
    }
    Value value = op->getResult(0);
    Buffer target = makeBuffer(arrayType(value));
    roots.push_back({value, [=, this](Run run) { storeRun(target, run); }});
    made.kept.push_back({value, target});
  }
  for (Operation* op : joint.totals) {
    Buffer parts = makeParts(op, sums, shape.getAxes());
    totals.push_back({op->getOperand(0), reducedLabels(op).front(), parts});
    made.parts.push_back({op, parts});
  }
  for (Value base : joint.copied) {
    Buffer high = makeBuffer(arrayType(base), {}, b.getBF16Type()), low;
    made.copies.push_back({{base.getAsOpaquePointer(), false}, high});
    bool hasRest = wantsRest(base);
    if (hasRest) {
      low = makeBuffer(arrayType(base), {}, b.getBF16Type());
      made.copies.push_back({{base.getAsOpaquePointer(), true}, low});
    }
    roots.push_back(
        {base, [=, this](Run run) { storeRounded(high, hasRest ? &low : nullptr, run); }});
  }
  emitProducts(sums, shape.getAxes(), roots, totals);
  return made;
}

void KernelEmitter::emitBlock(Block* block, ArrayRef<Result> carried, ArrayRef<Result> stacked) {
  BlockPlan plan(*this, block);
  plan.build(carried, stacked);

  int64_t last = 0;
  for (auto [op, stage] : plan.stages)
    last = std::max(last, stage);
  // Next values that cannot be written over the old ones are computed aside first.
  std::map<int64_t, SmallVector<size_t>> aside;
  std::map<int64_t, SmallVector<Result>> stack;
  for (auto [i, result] : llvm::enumerate(carried))
    if (readsOthers(result.value, block, block->getArgument(i), plan.inMemory)) {
      int64_t stage = plan.readyAfter(result.value) + 1;
      aside[stage].push_back(i);
      last = std::max(last, stage);
    }
  for (const Result& result : stacked) {
    int64_t stage = plan.readyAfter(result.value) + 1;
    stack[stage].push_back(result);
    last = std::max(last, stage);
  }

  std::map<int64_t, SmallVector<std::pair<Value, bool>>> copied;
  for (auto& [base, rest] : plan.wanted) {
    int64_t stage = plan.copyStages.find(base)->second;
    copied[stage].push_back({base, rest});
    last = std::max(last, stage);
  }
  auto savedOperands = operands;

  // Copies on their way: lots by the stage at whose end they must be there, in their order.
  SmallVector<int64_t> lots;
  std::map<int64_t, SmallVector<std::pair<Value, Buffer>>> arriving;
  llvm::DenseMap<size_t, Buffer> computed;
  llvm::DenseMap<Operation*, Buffer> partsOf;
  // What a stage loads is asked for first. Where a block has the processor's memory for itself,
  // what threads meet in comes before all else, whose places are not in use meanwhile then.
  auto turnOf = [&](Operation* op) {
    if (isa<tile::LoadOp>(op))
      return std::pair(0, plan.dueOf(op));
    return std::pair(ownsProcessor && isOverSteps(op) ? 1 : 2, int64_t(0));
  };
  llvm::stable_sort(plan.ordered,
                    [&](Operation* x, Operation* y) { return turnOf(x) < turnOf(y); });
  for (int64_t stage = 1; stage <= last; ++stage) {
    SmallVector<std::pair<Value, Buffer>> made;
    SmallVector<std::pair<std::pair<void*, bool>, Buffer>> copiesMade;
    std::optional<int64_t> lot; // What is begun now must be there at the end of this stage.
    auto emitJoints = [&] {
      for (auto [i, joint] : llvm::enumerate(plan.joint)) {
        if (plan.jointStages[i] != stage)
          continue;
        Scope scope(*this);
        JointResults results =
            emitJoint(joint, [&](Value base) { return plan.wanted.lookup(base); });
        made.append(results.kept);
        copiesMade.append(results.copies);
        for (auto& [total, parts] : results.parts)
          partsOf[total] = parts;
      }
    };
    bool isJoined = false;
    auto closeLot = [&] {
      if (!lot)
        return;
      machine.closeCopies(b);
      lots.push_back(*lot);
      lot.reset();
    };
    for (Operation* op : plan.ordered) {
      if (plan.stages[op] != stage)
        continue;
      // (What a stage loads is asked for first.)
      if (!isJoined && !isa<tile::LoadOp>(op)) {
        closeLot();
        emitJoints();
        isJoined = true;
      }
      Scope scope(*this);
      if (plan.joints.contains(op)) {
        if (auto found = partsOf.find(op); found != partsOf.end()) {
          Buffer target = makeBuffer(arrayType(op->getResult(0)));
          addParts(op, found->second, target);
          made.push_back({op->getResult(0), target});
        }
        continue;
      }
      if (auto sequence = dyn_cast<tile::SequenceOp>(op)) {
        emitSequence(sequence);
      } else if (auto fold = dyn_cast<ssm::FoldOp>(op)) {
        emitFold(fold);
      } else if (auto gram = dyn_cast<ssm::GramOp>(op)) {
        if (!buffers.contains(gram.getResult())) {
          SmallVector<ssm::GramOp> alike = plan.alikeInStage(gram);
          emitGrams(alike);
        }
      } else if (auto apply = dyn_cast<ssm::ApplyOp>(op)) {
        emitApply(apply);
      } else if (auto solve = dyn_cast<ssm::SolveOp>(op)) {
        emitInverse(solve);
      } else if (auto store = dyn_cast<tile::StoreOp>(op)) {
        emitStore(store);
      } else {
        SmallVector<StringRef> order;
        if (auto operand = dyn_cast<tile::LoadOp>(op)) {
          int index = kernel.findLoaded(operand.getName());
          for (ssm::AxisAttr axis : kernel.getOperandAt(index).getAxes())
            order.push_back(axis.getName());
        }
        Buffer target = makeBuffer(arrayType(op->getResult(0)), order, storageOf(op));
        auto operand = dyn_cast<tile::LoadOp>(op);
        if (operand && copiesWhole(operand, target)) {
          bool later = machine.hasCopies() && !stagesAhead && !inWorkspace.contains(target.id);
          if (later) {
            int64_t due = plan.dueOf(op);
            if (lot && *lot != due)
              closeLot();
            lot = due;
            arriving[due].push_back({op->getResult(0), target});
          }
          emitCopy(operand, target, later);
          if (later)
            continue;
        } else {
          emitNest(op->getResult(0), target);
        }
        made.push_back({op->getResult(0), target});
      }
    }
    closeLot();
    if (!isJoined)
      emitJoints();
    for (auto [base, rest] : copied[stage]) {
      if (plan.jointCopies.contains(base))
        continue;
      Scope scope(*this);
      Buffer high = makeBuffer(arrayType(base), {}, b.getBF16Type()), low;
      if (rest)
        low = makeBuffer(arrayType(base), {}, b.getBF16Type());
      emitOperand(base, high, rest ? &low : nullptr);
      copiesMade.push_back({{base.getAsOpaquePointer(), false}, high});
      if (rest)
        copiesMade.push_back({{base.getAsOpaquePointer(), true}, low});
    }
    for (size_t i : aside[stage]) {
      Scope scope(*this);
      computed[i] = makeBuffer(arrayType(carried[i].value));
      emitNest(carried[i].value, computed[i]);
    }
    for (const Result& result : stack[stage]) {
      Scope scope(*this);
      emitResult(result);
    }
    for (auto& [value, buffer] : made)
      buffers[value] = buffer;
    for (auto& [key, buffer] : copiesMade)
      operands[key] = buffer;
    for (auto& [value, buffer] : arriving[stage])
      buffers[value] = buffer;
    // (Lots are waited for in their order.)
    if (auto last = llvm::find_if(llvm::reverse(lots), [&](int64_t due) { return due <= stage; });
        last != lots.rend()) {
      machine.waitForCopies(b, last - lots.rbegin());
      lots.erase(lots.begin(), last.base());
    }
    if (inPanels)
      machine.seeMatrices(b);
    barrier();
  }
  bool any = false;
  for (auto [i, result] : llvm::enumerate(carried)) {
    if (result.value == block->getArgument(i))
      continue;
    any = true;
    Scope scope(*this);
    auto saved = buffers;
    if (auto found = computed.find(i); found != computed.end())
      buffers[result.value] = found->second;
    emitResult(result);
    buffers = std::move(saved);
  }
  if (any)
    barrier();
  operands = std::move(savedOperands);
}
