// What kernels pass on of a chunk as two bf16 each.
#include "ColumnSplit.h"

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
