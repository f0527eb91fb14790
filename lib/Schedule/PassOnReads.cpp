// What columns read of states for each step, passed on to what is written late.
//
// Columns (Columns.cpp) multiply a chunk's states by what each step reads, and most of what is made
// of that: it is how states come to be what they are. Where what is written late has a part of it,
// it would compute it again, a product with a state that is mostly the first of a chain. So columns
// write it down.
#include "ColumnSplit.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;
using tile::OperandAttr;
using tile::Role;

namespace {

/// What columns and what is written late have in common of what they read.
class Reads {
public:
  Reads(tile::SequenceOp sequence, StringRef column, const IRMapping& toLate)
      : sequence(sequence), column(column), toLate(toLate) {}
  /// Finds what is to be passed on for the stores of a kernel.
  void find(tile::KernelOp late);

  struct Read {
    Value late, computed; ///< where it is read, and the columns' own
    bool isSide;          ///< read by products alone
  };
  SmallVector<Read> found;

private:
  void findShared();
  void meet(Value value);
  bool isCheap(Value value);
  bool meetsProductsAlone(Value value);

  tile::SequenceOp sequence;
  StringRef column;
  const IRMapping& toLate;
  Block* body = {};                     ///< of the late kernel
  DenseSet<Value> ofStates;             ///< in the late kernel, what columns make of states
  llvm::MapVector<Value, Value> shared; ///< of one element a column and step -> the columns' own
  DenseSet<Operation*> seen;            ///< that the stores need, if what is met is there
  DenseSet<Value> met;                  ///< the last of the shared on the way to a store
  DenseSet<Value> passed;
  DenseMap<Value, bool> cheap;
};

} // namespace

static bool readsAny(Operation* op, const DenseSet<Value>& values) {
  auto visit = [&](Operation* inner) {
    return llvm::any_of(inner->getOperands(), [&](Value each) { return values.contains(each); })
               ? WalkResult::interrupt()
               : WalkResult::advance();
  };
  return op->walk(visit).wasInterrupted();
}

void Reads::findShared() {
  DenseSet<Value> own;
  auto add = [&](Value value) {
    own.insert(value);
    ofStates.insert(toLate.lookup(value));
  };
  llvm::for_each(sequence.getBlock()->getArguments(), add);
  AxisAttr steps = sequence.getAxis();
  if (steps.getSize() % unit)
    return;
  for (Operation& op : *sequence.getBlock()) {
    if (!readsAny(&op, own))
      continue;
    for (Value result : op.getResults()) {
      add(result);
      ArrayType type = arrayType(result);
      if (type.isReal() && type.getRank() == 2 && type.has(column) && type.has(steps.getName()))
        shared[toLate.lookup(result)] = result;
    }
  }
}

void Reads::meet(Value value) {
  Operation* op = value.getDefiningOp();
  if (shared.contains(value))
    met.insert(value);
  else if (op && op->getBlock() == body && seen.insert(op).second)
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        meet(operand);
    });
}

/// Whether it takes no more than pointwise ops to make a value of states and of what is passed on.
bool Reads::isCheap(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || !ofStates.contains(value) || passed.contains(value))
    return true;
  if (auto known = cheap.find(value); known != cheap.end())
    return known->second;
  bool result = (op->hasTrait<ssm::Pointwise>() || isa<ssm::RelabelOp, ssm::BroadcastOp>(op)) &&
                llvm::all_of(op->getOperands(), [&](Value operand) { return isCheap(operand); });
  return cheap[value] = result;
}

bool Reads::meetsProductsAlone(Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation* user) {
    return !seen.contains(user) || isSummed(user) ||
           (isa<ssm::RelabelOp>(user) && meetsProductsAlone(user->getResult(0)));
  });
}

void Reads::find(tile::KernelOp late) {
  findShared();
  late.walk([&](tile::StoreOp store) {
    body = store->getBlock();
    if (isa<tile::SequenceOp>(body->getParentOp()) && seen.insert(store).second)
      meet(store.getValue());
  });
  for (auto [value, computed] : shared) {
    if (!met.contains(value) || isCheap(value))
      continue;
    passed.insert(value);
    found.push_back({value, computed, meetsProductsAlone(value)});
  }
}

void ColumnSplit::passOnReads(const IRMapping& toLate) {
  Reads reads(sequence, column, toLate);
  reads.find(whole);
  AxisAttr steps = sequence.getAxis();
  for (auto [index, read] : llvm::enumerate(reads.found)) {
    Location loc = read.computed.getLoc();
    std::string name = prefix + ".read" + std::to_string(index);
    ArrayType type = arrayType(read.late);
    // (Sides of products are rounded anyway: as a matrix of a chunk, which lies as they want it.)
    if (read.isSide)
      addTemporary(name, type, b.getF32Type());
    else
      temporaries.push_back(OperandAttr::get(b.getContext(), b.getStringAttr(name), Role::Temp,
                                             type.without({steps.getName()}).getAxes(),
                                             b.getF32Type(), ssm::Scope::Head));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(sequence.getBlock()->getTerminator());
    tile::StoreOp::create(b, loc, name, tile::Part::Whole, read.computed);
    b.setInsertionPoint(read.late.getDefiningOp());
    read.late.replaceAllUsesWith(tile::LoadOp::create(b, loc, type, name, tile::Part::Whole,
                                                      IntegerAttr(), ArrayAttr(), Value()));
  }
}
