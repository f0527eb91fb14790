// What all heads of a group would compute alike: once for each group, by a kernel of its own.
//
// Heads may share operands (`group` of a declaration). Of what a kernel makes for a chunk some has
// no head's part in it: a product of shared keys with shared queries, say. Where that sums up, it
// is worth a kernel that runs once for a group, for all chunks at once, and passes it on in f32;
// pointwise ops on what is read are as fast again.
#include "ColumnSplit.h"
#include "ssmc/Schedule/Schedule.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using tile::OperandAttr;
using tile::Role;

namespace {

struct Sharing {
  explicit Sharing(tile::KernelOp kernel) : kernel(kernel), b(kernel) {}

  /// Takes from the kernel what can be shared, to one before it, if there is anything.
  tile::KernelOp run();

  bool isOfGroups(Operation* op);
  SmallVector<Value> findShared(Block* body);

  tile::KernelOp kernel;
  OpBuilder b;
  DenseSet<Value> ofGroups;
};

} // namespace

bool Sharing::isOfGroups(Operation* op) {
  if (auto load = dyn_cast<tile::LoadOp>(op)) {
    OperandAttr operand = kernel.getOperandAt(kernel.findLoaded(load.getName()));
    return operand.getRole() == Role::In && operand.getScope() == ssm::Scope::Group;
  }
  bool all = true;
  op->walk([&](Operation* inner) {
    for (Value operand : inner->getOperands())
      if (!op->isAncestor(operand.getParentBlock()->getParentOp()))
        all &= ofGroups.contains(operand);
  });
  return all;
}

/// Arrays of several labels that no head has a part in, that take a sum to make, and that something
/// reads which is of a head.
SmallVector<Value> Sharing::findShared(Block* body) {
  DenseSet<Value> read, summed;
  for (Operation& op : *body) {
    if (op.getNumResults() == 0 || !isOfGroups(&op))
      continue;
    auto reads = [&](const DenseSet<Value>& values) {
      return llvm::any_of(op.getOperands(), [&](Value value) { return values.contains(value); });
    };
    bool isRead = isa<tile::LoadOp>(&op) || reads(read);
    bool sums = (isa<ssm::SumOp, ssm::GramOp>(&op) && isRead) || reads(summed);
    for (Value result : op.getResults()) {
      ofGroups.insert(result);
      if (isRead)
        read.insert(result);
      if (sums)
        summed.insert(result);
    }
  }
  SmallVector<Value> shared;
  for (Operation& op : *body)
    for (Value result : op.getResults())
      if (summed.contains(result) && arrayType(result).getRank() > 1 && !isSummed(&op) &&
          llvm::any_of(result.getUsers(), [&](Operation* user) {
            return user->getBlock() != body || user->getNumResults() == 0 ||
                   !ofGroups.contains(user->getResult(0));
          }))
        shared.push_back(result);
  return shared;
}

tile::KernelOp Sharing::run() {
  auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
  if (!llvm::hasSingleElement(sequences))
    return {};
  tile::SequenceOp sequence = *sequences.begin();
  if (sequence.getTimeAxis() != 0 || sequence.getTileSize() == 1)
    return {};
  Block* body = sequence.getBlock();
  SmallVector<Value> shared = findShared(body);
  if (shared.empty())
    return {};
  IRMapping mapping;
  auto before = cast<tile::KernelOp>(b.clone(*kernel, mapping));
  auto other = cast<tile::SequenceOp>(mapping.lookup(sequence.getOperation()));
  for (auto store : llvm::make_early_inc_range(other.getBlock()->getOps<tile::StoreOp>()))
    store.erase();
  // (Names of steps may be told by ops that the other kernel alone has.)
  DictionaryAttr steps = stepsOf(sequence);
  for (tile::SequenceOp one : {sequence, other})
    one->setAttr("tile.steps", steps);
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  for (auto [index, value] : llvm::enumerate(shared)) {
    Location loc = value.getLoc();
    std::string name = (kernel.getSymName() + ".group" + Twine(index)).str();
    operands.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::ChunkTemp,
                                        SmallVector<ssm::AxisAttr>(arrayType(value).getAxes()),
                                        b.getF32Type(), ssm::Scope::Group));
    b.setInsertionPoint(other.getBlock()->getTerminator());
    tile::StoreOp::create(b, loc, name, tile::Part::Whole, mapping.lookup(value));
    b.setInsertionPointToStart(body);
    value.replaceAllUsesWith(tile::LoadOp::create(b, loc, value.getType(), name, tile::Part::Whole,
                                                  IntegerAttr(), ArrayAttr(), Value()));
  }
  carryNothing(other);
  eraseUnused(body);
  for (tile::KernelOp one : {before, kernel}) {
    eraseUnused(one.getBlock());
    setOperands(one, operands);
  }
  return before;
}

void schedule::shareGroups(ModuleOp module) {
  // The kernels of a form are NAME, NAME_1, ... before and after.
  std::string first;
  SmallVector<tile::KernelOp> form;
  auto finish = [&] {
    SmallVector<tile::KernelOp> all;
    for (tile::KernelOp kernel : form) {
      if (tile::KernelOp made = Sharing(kernel).run())
        all.push_back(made);
      all.push_back(kernel);
    }
    for (auto [index, kernel] : llvm::enumerate(all))
      kernel.setSymName(index ? first + "_" + std::to_string(index) : first);
    form.clear();
  };
  for (tile::KernelOp kernel : llvm::to_vector(module.getOps<tile::KernelOp>())) {
    if (form.empty() || kernel.getSymName() != first + "_" + std::to_string(form.size())) {
      finish();
      first = kernel.getSymName().str();
    }
    form.push_back(kernel);
  }
  finish();
}
