// The kernels that one of columns is taken apart to (Columns.cpp), and what they hand each other.
//
// Matrices that are computed are kept as two bf16 each, what rounding gives and what it leaves; all
// else that the second kernel reads of the first is f32, with at most one label.
#include "ColumnSplit.h"
#include "dialects/SSM/SSMRenaming.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;
using tile::OperandAttr;
using tile::Role;

void schedule::eraseUnused(Block* block) {
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(*block)))
    if (op.use_empty() && op.getNumResults() && (isPure(&op) || isa<ssm::FoldOp, tile::LoadOp>(op)))
      op.erase();
}

/// Carried values to which each chunk adds something, and which nothing else reads: chunks write
/// what they add, and a kernel of its own adds it up, chunk by chunk.
void ColumnSplit::takeTotals() {
  auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
  if (!llvm::hasSingleElement(sequences))
    return;
  tile::SequenceOp old = *sequences.begin();
  Block* body = old.getBlock();
  // (What is made of several of them is no part's own.)
  for (Operation* user : old->getUsers())
    if (!isa<tile::StoreOp>(user))
      return;
  auto addedTo = [&](BlockArgument argument) -> Value {
    auto add = old.getYield().getValues()[argument.getArgNumber()].getDefiningOp<ssm::AddOp>();
    if (!add || !argument.hasOneUse() || !add->hasOneUse() || add->getBlock() != body)
      return {};
    Value other = add.getLhs() == argument   ? add.getRhs()
                  : add.getRhs() == argument ? add.getLhs()
                                             : Value();
    return other && other.getType() == argument.getType() ? other : Value();
  };
  SmallVector<unsigned> totals;
  for (BlockArgument argument : body->getArguments())
    if (addedTo(argument) && arrayType(argument).isReal())
      totals.push_back(argument.getArgNumber());
  // (With no state left there are no columns.)
  if (totals.empty() || totals.size() == body->getNumArguments() || old.getTimeAxis() != 0)
    return;
  IRMapping mapping;
  sums = cast<tile::KernelOp>(OpBuilder(kernel).clone(*kernel, mapping));
  sumsSequence = cast<tile::SequenceOp>(mapping.lookup(old.getOperation()));
  OpBuilder::InsertionGuard guard(b);
  for (unsigned number : totals) {
    BlockArgument argument = body->getArgument(number);
    Value part = addedTo(argument);
    std::string name = prefix + ".part" + std::to_string(number);
    addTemporary(name, arrayType(part), b.getF32Type());
    b.setInsertionPoint(body->getTerminator());
    tile::StoreOp::create(b, part.getLoc(), name, tile::Part::Whole, part);
    b.setInsertionPointToStart(sumsSequence.getBlock());
    mapping.lookup(part).replaceAllUsesWith(
        tile::LoadOp::create(b, part.getLoc(), part.getType(), name, tile::Part::Whole,
                             IntegerAttr(), ArrayAttr(), Value()));
  }
  SmallVector<unsigned> states;
  for (unsigned i = 0; i < body->getNumArguments(); ++i)
    if (!llvm::is_contained(totals, i))
      states.push_back(i);
  // In each of the two what the other one carries is gone.
  keepCarried(old, states);
  for (auto store : llvm::make_early_inc_range(sumsSequence.getBlock()->getOps<tile::StoreOp>()))
    store.erase();
  keepCarried(sumsSequence, totals);
  eraseUnused(sums.getBlock());
}

void schedule::keepCarried(tile::SequenceOp& old, ArrayRef<unsigned> kept) {
  OpBuilder b(old);
  SmallVector<Value> inits, values;
  for (unsigned number : kept) {
    inits.push_back(old.getInits()[number]);
    values.push_back(old.getYield().getValues()[number]);
  }
  auto fresh = tile::SequenceOp::create(b, old.getLoc(), ValueRange(inits).getTypes(),
                                        old.getAxis(), old.getTimeAxis(), old.getReverse(), inits);
  for (unsigned i = 0; i < old.getNumResults(); ++i)
    if (!llvm::is_contained(kept, i))
      for (Operation* user : llvm::make_early_inc_range(old.getResult(i).getUsers()))
        user->erase();
  for (auto [position, number] : llvm::enumerate(kept))
    old.getResult(number).replaceAllUsesWith(fresh.getResult(position));
  old.getYield()->setOperands(values);
  fresh.getBody().takeBody(old.getBody());
  Block* body = fresh.getBlock();
  eraseUnused(body);
  for (unsigned i = body->getNumArguments(); i-- > 0;)
    if (!llvm::is_contained(kept, i))
      body->eraseArgument(i);
  old.erase();
  old = fresh;
}

/// For each carried value the least one that it has a part in, or that has a part in it, or in
/// something that both have a part in.
static SmallVector<unsigned> groupsOf(tile::SequenceOp sequence) {
  llvm::EquivalenceClasses<unsigned> classes;
  Block* body = sequence.getBlock();
  for (auto [number, value] : llvm::enumerate(sequence.getYield().getValues())) {
    classes.insert(number);
    auto meet = [&, number = unsigned(number)](Value operand) {
      if (auto argument = dyn_cast<BlockArgument>(operand); argument && argument.getOwner() == body)
        classes.unionSets(number, argument.getArgNumber());
    };
    DenseSet<Operation*> slice;
    addSlice(value, body, slice);
    meet(value);
    for (Operation* op : slice)
      op->walk([&](Operation* inner) { llvm::for_each(inner->getOperands(), meet); });
  }
  SmallVector<unsigned> groups;
  for (unsigned number = 0; number < sequence.getInits().size(); ++number)
    groups.push_back(*std::min_element(classes.findLeader(number), classes.member_end()));
  return groups;
}

SmallVector<tile::KernelOp> schedule::splitCarried(tile::KernelOp kernel) {
  auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
  if (!llvm::hasSingleElement(sequences))
    return {kernel};
  tile::SequenceOp sequence = *sequences.begin();
  bool writes = false;
  sequence.walk([&](tile::StoreOp) { writes = true; });
  // (What is made of several of them is no group's own.)
  bool isStored = llvm::all_of(sequence->getUsers(), llvm::IsaPred<tile::StoreOp>);
  SmallVector<unsigned> groups = groupsOf(sequence), leaders(groups);
  llvm::sort(leaders);
  leaders.erase(llvm::unique(leaders), leaders.end());
  if (writes || !isStored || leaders.size() < 2)
    return {kernel};
  DictionaryAttr steps = stepsOf(sequence);
  SmallVector<tile::KernelOp> made;
  for (unsigned leader : leaders) {
    SmallVector<unsigned> kept;
    for (auto [number, group] : llvm::enumerate(groups))
      if (group == leader)
        kept.push_back(number);
    auto copy = cast<tile::KernelOp>(OpBuilder(kernel).clone(*kernel));
    tile::SequenceOp part = *copy.getBlock()->getOps<tile::SequenceOp>().begin();
    keepCarried(part, kept);
    part->setAttr("tile.steps", steps);
    eraseUnused(copy.getBlock());
    setOperands(copy, kernel.getOperandsAttr().getValue());
    made.push_back(copy);
  }
  kernel.erase();
  return made;
}

void ColumnSplit::addTemporary(StringRef name, ArrayType type, Type storage) {
  // As the caller's states of these labels lie: what meets lies alike. Else rows of steps, as
  // operands have them.
  llvm::MapVector<StringRef, int64_t> steps =
      tile::namesOfSteps(*kernel.getBlock()->getOps<tile::SequenceOp>().begin());
  SmallVector<AxisAttr> axes(type.getAxes());
  llvm::stable_sort(axes, [&](AxisAttr x, AxisAttr y) {
    return steps.contains(x.getName()) && !steps.contains(y.getName());
  });
  for (OperandAttr operand : kernel.getOperandsAttr().getAsRange<OperandAttr>())
    if (operand.getRole() == Role::StateIn && ArrayRef(axes).size() == operand.getAxes().size() &&
        llvm::all_of(axes,
                     [&](AxisAttr axis) { return llvm::is_contained(operand.getAxes(), axis); }))
      axes.assign(operand.getAxes().begin(), operand.getAxes().end());
  temporaries.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::ChunkTemp,
                                         axes, storage, ssm::Scope::Head));
}

Value ColumnSplit::temporary(Value value, Type storage, bool isRest) {
  std::string name = prefix + "." + std::to_string(temporaries.size());
  OpBuilder first(beforeSequence.getBlock()->getTerminator());
  Value stored = toBefore.lookup(value);
  ArrayType type = arrayType(value);
  if (!type.isReal() && !type.isComplex()) {
    type = ArrayType::get(b.getContext(), type.getAxes(), b.getF32Type());
    stored = ssm::CastOp::create(first, value.getLoc(), type, stored);
  }
  addTemporary(name, type, storage);
  auto store = tile::StoreOp::create(first, value.getLoc(), name, tile::Part::Whole, stored);
  store.setRest(isRest);
  return tile::LoadOp::create(b, value.getLoc(), type, name, tile::Part::Whole, IntegerAttr(),
                              ArrayAttr(), Value());
}

Value ColumnSplit::vector(Value value) {
  if (Value known = vectors.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  Value made;
  if (auto relabel = ssm::asRenaming(value)) {
    Value operand = vector(relabel.getOperand());
    made = ssm::RelabelOp::create(b, op->getLoc(), operand, relabel.getFrom(), relabel.getTo());
  } else if (isa<ssm::ConstantOp>(op)) {
    made = b.clone(*op)->getResult(0);
  } else if (arrayType(value).isBool()) {
    // (What is passed on are reals, which kernels of columns bring in like all else.)
    made =
        ssm::CmpOp::create(b, op->getLoc(), ssm::CmpPredicate::ne, temporary(value, b.getF32Type()),
                           ssm::ConstantOp::create(b, op->getLoc(), 0.0));
  } else {
    made = temporary(value, b.getF32Type());
  }
  return vectors[value] = made;
}

Value ColumnSplit::matrix(Value value) {
  if (Value known = matrices.lookup(value))
    return known;
  Operation* op = value.getDefiningOp();
  Value made;
  if (auto relabel = ssm::asRenaming(value)) {
    Value operand = matrix(relabel.getOperand());
    made = ssm::RelabelOp::create(b, op->getLoc(), operand, relabel.getFrom(), relabel.getTo());
  } else if (isStoredAsBF16(value)) {
    made = b.clone(*op)->getResult(0);
  } else {
    Value high = temporary(value, b.getBF16Type());
    Value low = temporary(value, b.getBF16Type(), /*isRest=*/true);
    if (auto triangle = triangleOf(value))
      for (Value part : {high, low})
        cast<tile::LoadOp>(part.getDefiningOp())
            .setTriangleAttr(b.getStrArrayAttr({triangle->first, triangle->second}));
    made = ssm::AddOp::create(b, op->getLoc(), high, low);
  }
  return matrices[value] = made;
}

void schedule::setOperands(tile::KernelOp kernel, ArrayRef<Attribute> operands) {
  llvm::StringSet<> loaded, stored;
  kernel.walk([&](Operation* op) {
    if (auto load = dyn_cast<tile::LoadOp>(op))
      loaded.insert(load.getName());
    else if (auto store = dyn_cast<tile::StoreOp>(op))
      stored.insert(store.getName());
  });
  SmallVector<Attribute> kept;
  for (Attribute attribute : operands) {
    auto operand = cast<OperandAttr>(attribute);
    StringRef name = operand.getName().getValue();
    bool reads = llvm::is_contained(
        {Role::In, Role::Param, Role::StateIn, Role::Temp, Role::ChunkTemp}, operand.getRole());
    bool writes = llvm::is_contained({Role::Out, Role::StateOut, Role::Temp, Role::ChunkTemp},
                                     operand.getRole());
    if ((reads && loaded.contains(name)) || (writes && stored.contains(name)))
      kept.push_back(attribute);
  }
  kernel.setOperandsAttr(ArrayAttr::get(kernel.getContext(), kept));
}

DictionaryAttr schedule::stepsOf(tile::SequenceOp sequence) {
  Builder b(sequence.getContext());
  SmallVector<NamedAttribute> steps;
  for (auto [label, positions] : tile::namesOfSteps(sequence))
    steps.push_back(b.getNamedAttr(label, b.getI64IntegerAttr(positions)));
  return b.getDictionaryAttr(steps);
}

void schedule::carryNothing(tile::SequenceOp& sequence) {
  for (Operation& op : llvm::make_early_inc_range(llvm::reverse(*sequence->getBlock()))) {
    if (&op == sequence)
      break;
    op.erase();
  }
  OpBuilder b(sequence);
  auto fresh = tile::SequenceOp::create(b, sequence.getLoc(), TypeRange(), sequence.getAxis(), 0,
                                        sequence.getReverse(), ValueRange());
  fresh->setDiscardableAttrs(sequence->getDiscardableAttrDictionary());
  fresh.getBody().takeBody(sequence.getBody());
  sequence.erase();
  sequence = fresh;
  Block* body = sequence.getBlock();
  body->getTerminator()->setOperands(ValueRange());
  eraseUnused(body);
  body->eraseArguments(0, body->getNumArguments());
}

/// All that is written late, with the states that a chunk begins with read and not carried.
tile::KernelOp ColumnSplit::makeLate() {
  tile::SequenceOp old = *whole.getBlock()->getOps<tile::SequenceOp>().begin();
  OpBuilder::InsertionGuard guard(b);
  Block* body = old.getBlock();
  b.setInsertionPointToStart(body);
  for (auto [index, argument] : llvm::enumerate(body->getArguments()))
    argument.replaceAllUsesWith(tile::LoadOp::create(
        b, old.getLoc(), argument.getType(), prefix + ".start" + std::to_string(index),
        tile::Part::Whole, IntegerAttr(), ArrayAttr(), Value()));
  // What passed between the other two instead of systems is read again.
  for (auto [matrix, late] : lateMatrices)
    if (auto sum = matrices.lookup(matrix).getDefiningOp<ssm::AddOp>()) {
      IRMapping mapping;
      for (Value part : sum->getOperands())
        b.clone(*part.getDefiningOp(), mapping);
      late.replaceAllUsesWith(b.clone(*sum, mapping)->getResult(0));
    }
  // (The last states are the second kernel's.)
  carryNothing(old);
  eraseUnused(whole.getBlock());
  return whole;
}

SmallVector<tile::KernelOp> ColumnSplit::split() {
  Location loc = kernel.getLoc();
  auto make = [&](StringRef name, ValueRange inits, tile::SequenceOp& made, IRMapping& mapping) {
    auto fresh = tile::KernelOp::create(b, loc, name, kernel.getOperandsAttr(),
                                        kernel.getFactorTypeAttr(), StringAttr());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&fresh.getBody().emplaceBlock());
    SmallVector<Value> initial;
    for (Operation& op : *kernel.getBlock()) {
      if (&op == sequence)
        break;
      b.clone(op, mapping);
    }
    for (Value init : inits)
      initial.push_back(mapping.lookup(init));
    made = tile::SequenceOp::create(b, loc, ValueRange(initial).getTypes(), sequence.getAxis(), 0,
                                    sequence.getReverse(), initial);
    // (Some ops that tell which labels are steps are in the other kernel alone.)
    made->setAttr("tile.steps", stepsOf(sequence));
    Block* body = &made.getBody().emplaceBlock();
    for (Value init : initial)
      body->addArgument(init.getType(), init.getLoc());
    return fresh;
  };
  b.setInsertionPoint(kernel);
  before = make(kernel.getSymName(), ValueRange(), beforeSequence, toBefore);
  core = make((kernel.getSymName() + "_columns").str(), sequence.getInits(), coreSequence, toCore);
  core.setColumns(column);

  // Before: all that has no columns.
  b.setInsertionPointToEnd(beforeSequence.getBlock());
  for (Operation& op : *sequence.getBlock())
    if (!isOfColumns(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      b.clone(op, toBefore);
  tile::YieldOp::create(b, loc, ValueRange());

  // After: what has.
  b.setInsertionPointToEnd(coreSequence.getBlock());
  if (whole)
    for (auto [index, argument] : llvm::enumerate(coreSequence.getBlock()->getArguments())) {
      std::string name = prefix + ".start" + std::to_string(index);
      addTemporary(name, arrayType(argument), b.getF32Type());
      tile::StoreOp::create(b, loc, name, tile::Part::Whole, argument);
    }
  for (auto [old, fresh] :
       llvm::zip(sequence.getBlock()->getArguments(), coreSequence.getBlock()->getArguments()))
    toCore.map(old, fresh);
  for (Operation& op : *sequence.getBlock()) {
    if (!isOfColumns(&op) && !op.hasTrait<OpTrait::IsTerminator>())
      continue;
    bool isProduct = isSummed(&op);
    for (Value operand : op.getOperands()) {
      if (bearsColumn(operand))
        continue; // Made here, or copied with what precedes the sequence.
      toCore.map(operand, isProduct ? matrix(operand) : vector(operand));
    }
    b.clone(op, toCore);
  }
  b.setInsertionPointAfter(coreSequence);
  for (auto [old, fresh] : llvm::zip(sequence.getResults(), coreSequence.getResults()))
    toCore.map(old, fresh);
  bool after = false;
  for (Operation& op : *kernel.getBlock()) {
    if (after)
      b.clone(op, toCore);
    after |= &op == sequence;
  }
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  for (Attribute operand : temporaries)
    if (!llvm::is_contained(operands, operand))
      operands.push_back(operand);
  if (whole) {
    auto late = makeLate();
    setOperands(late, operands);
  }
  for (tile::KernelOp made : {before, core}) {
    eraseUnused((made == before ? beforeSequence : coreSequence).getBlock());
    eraseUnused(made.getBlock());
    setOperands(made, operands);
  }
  SmallVector<tile::KernelOp> made = {core};
  // (There may be nothing to make before.)
  if (before.getOperandsAttr().empty())
    before.erase();
  else
    made.insert(made.begin(), before);
  if (whole)
    made.push_back(whole);
  if (sums) {
    setOperands(sums, operands);
    made.push_back(sums);
  }
  return made;
}
