// What kernels pass on of a chunk as two bf16 each.
#include "ColumnSplit.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc;
using ssm::AxisAttr;
using tile::OperandAttr;
using tile::Role;

void schedule::keepPairs(ArrayRef<tile::KernelOp> kernels) {
  // Arrays of a chunk with two labels of whole tiles: sides of products.
  auto isMatrix = [](OperandAttr operand) {
    return operand.getRole() == Role::ChunkTemp && operand.getStorage().isF32() &&
           operand.getAxes().size() == 2 && llvm::all_of(operand.getAxes(), [](AxisAttr axis) {
             return axis.getSize() % schedule::unit == 0;
           });
  };
  auto restName = [](StringRef name) { return (name + ".rest").str(); };
  for (tile::KernelOp kernel : kernels) {
    OpBuilder b(kernel.getContext());
    SmallVector<Attribute> operands;
    llvm::StringSet<> names;
    for (auto operand : kernel.getOperandsAttr().getAsRange<OperandAttr>()) {
      if (!isMatrix(operand)) {
        operands.push_back(operand);
        continue;
      }
      StringRef name = operand.getName().getValue();
      names.insert(name);
      for (const std::string& part : {name.str(), restName(name)})
        operands.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(part),
                                            operand.getRole(), operand.getAxes(), b.getBF16Type(),
                                            operand.getScope()));
    }
    if (names.empty())
      continue;
    kernel.setOperandsAttr(b.getArrayAttr(operands));
    SmallVector<Operation*> accesses;
    kernel.walk([&](Operation* op) {
      if (isa<tile::LoadOp, tile::StoreOp>(op) &&
          names.contains(op->getAttrOfType<StringAttr>("name").getValue()))
        accesses.push_back(op);
    });
    for (Operation* op : accesses) {
      b.setInsertionPointAfter(op);
      auto rest = restName(op->getAttrOfType<StringAttr>("name").getValue());
      Operation* other = b.clone(*op);
      other->setAttr("name", b.getStringAttr(rest));
      if (auto store = dyn_cast<tile::StoreOp>(other)) {
        store.setRest(true);
        continue;
      }
      Value load = op->getResult(0);
      auto sum = ssm::AddOp::create(b, op->getLoc(), load, other->getResult(0));
      load.replaceAllUsesExcept(sum, sum);
    }
  }
}

/// Whether a value is added to what chunks before have added up, and nothing else: the gradient of
/// a param. No error of it comes back multiplied.
static bool isTotalled(Value value) {
  return !value.use_empty() && llvm::all_of(value.getUsers(), [&](Operation* user) {
    auto add = dyn_cast<ssm::AddOp>(user);
    if (!add || !add->hasOneUse() || !isa<tile::YieldOp>(*add->getUsers().begin()))
      return false;
    auto before = dyn_cast<BlockArgument>(add.getLhs() == value ? add.getRhs() : add.getLhs());
    return before && before.hasOneUse() &&
           add->getBlock()->getTerminator()->getOperand(before.getArgNumber()) == add.getResult();
  });
}

/// Whether states are corrected by what is read of them. Then what a total has of the states before
/// a chunk and what it has of the chunk itself take each other away, and the rounding of one stays.
/// (The gradient of Comba's b, 2.0e-2 off where gates are weak and states had no rests, is 6e-5
/// off.)
static bool feedsBack(ArrayRef<tile::KernelOp> kernels) {
  return llvm::any_of(kernels, [](tile::KernelOp kernel) {
    return kernel->walk([](ssm::SolveOp) { return WalkResult::interrupt(); }).wasInterrupted();
  });
}

void schedule::dropRests(ArrayRef<tile::KernelOp> kernels) {
  llvm::MapVector<StringRef, SmallVector<tile::StoreOp>> stores;
  llvm::StringMap<SmallVector<tile::LoadOp>> loads;
  for (tile::KernelOp kernel : kernels)
    kernel.walk([&](Operation* op) {
      if (auto store = dyn_cast<tile::StoreOp>(op); store && store.getRest())
        stores[store.getName()].push_back(store);
      else if (auto load = dyn_cast<tile::LoadOp>(op))
        loads[load.getName()].push_back(load);
    });
  bool cancels = feedsBack(kernels);
  auto isLast = [&](tile::StoreOp store) {
    auto found = loads.find(store.getName());
    return !cancels && found != loads.end() && llvm::all_of(found->second, [](tile::LoadOp load) {
      return isTotalled(load.getResult());
    });
  };
  llvm::StringSet<> dropped;
  for (auto& [name, writers] : stores) {
    auto isWanted = [&](tile::LoadOp load) {
      return tile::flowsIntoState(load.getResult(), isLast) ||
             !llvm::all_of(load->getUsers(), [](Operation* user) { return isa<ssm::AddOp>(user); });
    };
    // (As roundedTerms has it.)
    bool isDifference = llvm::any_of(
        writers, [](tile::StoreOp store) { return tile::isDifference(store.getValue()); });
    if (isDifference || llvm::any_of(loads[name], isWanted))
      continue;
    dropped.insert(name);
    for (tile::LoadOp load : loads[name]) {
      for (Operation* user : llvm::make_early_inc_range(load->getUsers())) {
        Value other = user->getOperand(user->getOperand(0) == load.getResult() ? 1 : 0);
        user->getResult(0).replaceAllUsesWith(other);
        user->erase();
      }
      load.erase();
    }
    for (tile::StoreOp store : writers)
      store.erase();
  }
  for (tile::KernelOp kernel : kernels) {
    SmallVector<Attribute> kept;
    for (auto operand : kernel.getOperandsAttr().getAsRange<OperandAttr>())
      if (!dropped.contains(operand.getName().getValue()))
        kept.push_back(operand);
    kernel.setOperandsAttr(OpBuilder(kernel).getArrayAttr(kept));
  }
}
