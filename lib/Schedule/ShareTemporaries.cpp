// What kernels without states make alike, of a form, of its passes over the steps and of the
// summaries of its spans: once.
//
// A solve's inverse is wanted by the kernel that carries the states, by the one that carries their
// cotangents back, by the one that carries a span's offset and by the one that carries its
// transition. Each is taken apart on its own, so that each has a kernel that makes it. Ops with
// equal operands and attributes make equal values; what a later kernel stores and an earlier one
// has, or has all of but pointwise ops, is stored by that one, and read from there.
#include "ColumnSplit.h"
#include "ssmc/Schedule/Schedule.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using tile::OperandAttr;
using tile::Role;

namespace {

/// A kernel whose tiles of steps do not wait for each other.
struct Maker {
  tile::KernelOp kernel;
  tile::SequenceOp sequence;

  explicit Maker(tile::KernelOp kernel) : kernel(kernel) {
    auto sequences = kernel.getBlock()->getOps<tile::SequenceOp>();
    if (!llvm::hasSingleElement(sequences))
      return;
    tile::SequenceOp only = *sequences.begin();
    if (only.getInits().empty() && only.getBlock()->getOps<tile::SequenceOp>().empty())
      sequence = only;
  }
  bool takesSteps(Maker& other) {
    return sequence && other.sequence && sequence.getAxis() == other.sequence.getAxis() &&
           sequence.getTimeAxis() == other.sequence.getTimeAxis();
  }
  OperandAttr operandOf(tile::StoreOp store) {
    return kernel.getOperandAt(kernel.findStored(store.getName()));
  }
};

/// A name that loads have instead of another.
struct Renamed {
  OperandAttr from, to;
};

} // namespace

static Value firstOf(const DenseMap<Value, Value>& first, Value value) {
  Value found = first.lookup(value);
  return found ? found : value;
}

/// Adds those values of a block that another one has, with which of them they are: the first of
/// those that are alike there, by `first`.
static void findEqual(Maker& later, Block* block, Maker& earlier, Block* other,
                      const DenseMap<Value, Value>& first, DenseMap<Value, Value>& equal) {
  DenseMap<Value, Value> inside; // (What regions that are compared define.)
  auto check = [&](Value mine, Value theirs) {
    return success(firstOf(first, mine) == firstOf(first, theirs) ||
                   equal.lookup(mine) == firstOf(first, theirs) || inside.lookup(mine) == theirs);
  };
  auto mark = [&](Value mine, Value theirs) { inside[mine] = theirs; };
  for (Operation& op : *block) {
    if (op.getNumResults() == 0)
      continue;
    for (Operation& candidate : *other) {
      if (&candidate == &op)
        break;
      if (candidate.getName() != op.getName())
        continue;
      // Loads of one name are of one array where both kernels say the same of it.
      if (auto load = dyn_cast<tile::LoadOp>(op)) {
        auto theirs = cast<tile::LoadOp>(candidate);
        if (load.getName() != theirs.getName() ||
            later.kernel.getOperandAt(later.kernel.findLoaded(load.getName())) !=
                earlier.kernel.getOperandAt(earlier.kernel.findLoaded(load.getName())))
          continue;
      }
      inside.clear();
      if (!OperationEquivalence::isEquivalentTo(&op, &candidate, check, mark,
                                                OperationEquivalence::IgnoreLocations))
        continue;
      for (auto [mine, theirs] : llvm::zip(op.getResults(), candidate.getResults()))
        equal[mine] = firstOf(first, theirs);
      break;
    }
  }
}

namespace {

/// The values of an earlier kernel that those of a later one are.
class Equals {
public:
  Equals(Maker& later, Maker& earlier) : later(later), earlier(earlier) {
    find(earlier, DenseMap<Value, Value>(), first);
    find(later, first, equal);
  }
  /// The earlier kernel's value, made there where it takes no more than pointwise ops to make it.
  Value lookup(Value value) { return isCheap(value) ? make(value) : Value(); }
  /// Whether a value of the earlier kernel is another one of it.
  bool isSame(Value theirs, Value value) { return firstOf(first, theirs) == value; }

private:
  void find(Maker& one, const DenseMap<Value, Value>& known, DenseMap<Value, Value>& made) {
    findEqual(one, one.kernel.getBlock(), earlier, earlier.kernel.getBlock(), known, made);
    findEqual(one, one.sequence.getBlock(), earlier, earlier.sequence.getBlock(), known, made);
  }
  bool isCheap(Value value) {
    Operation* op = value.getDefiningOp();
    if (equal.contains(value))
      return true;
    if (!op || op->getBlock() != later.sequence.getBlock())
      return false;
    if (auto known = cheap.find(value); known != cheap.end())
      return known->second;
    bool result = (op->hasTrait<ssm::Pointwise>() ||
                   isa<ssm::RelabelOp, ssm::BroadcastOp, ssm::ConstantOp, ssm::PositionOp>(op)) &&
                  llvm::all_of(op->getOperands(), [&](Value operand) { return isCheap(operand); });
    return cheap[value] = result;
  }
  Value make(Value value) {
    if (Value known = equal.lookup(value))
      return known;
    Operation* op = value.getDefiningOp();
    IRMapping mapping;
    for (Value operand : op->getOperands())
      mapping.map(operand, make(operand));
    OpBuilder b(earlier.sequence.getBlock()->getTerminator());
    Operation* made = b.clone(*op, mapping);
    for (auto [mine, theirs] : llvm::zip(op->getResults(), made->getResults()))
      equal[mine] = theirs;
    return equal.lookup(value);
  }

  Maker &later, &earlier;
  DenseMap<Value, bool> cheap;
  DenseMap<Value, Value> first; ///< alike in the earlier kernel -> the first of them
  DenseMap<Value, Value> equal; ///< of the later kernel -> of the earlier
};

} // namespace

/// Takes from a kernel the stores that an earlier one can do.
static void takeStores(Maker& later, Maker& earlier, SmallVector<Renamed>& renamed) {
  Equals equals(later, earlier);
  bool takesAny = false;
  SmallVector<Attribute> operands(earlier.kernel.getOperandsAttr().getValue());
  for (auto store :
       llvm::make_early_inc_range(later.sequence.getBlock()->getOps<tile::StoreOp>())) {
    OperandAttr operand = later.operandOf(store);
    if (operand.getRole() != Role::ChunkTemp || store.getPart() != tile::Part::Whole)
      continue;
    Value value = equals.lookup(store.getValue());
    if (!value)
      continue;
    auto stores = earlier.sequence.getBlock()->getOps<tile::StoreOp>();
    auto found = llvm::find_if(stores, [&](tile::StoreOp other) {
      OperandAttr theirs = earlier.operandOf(other);
      return equals.isSame(other.getValue(), value) && other.getRest() == store.getRest() &&
             other.getPart() == store.getPart() && theirs.getRole() == operand.getRole() &&
             theirs.getAxes() == operand.getAxes() && theirs.getStorage() == operand.getStorage() &&
             theirs.getScope() == operand.getScope();
    });
    if (found != stores.end()) {
      renamed.push_back({operand, earlier.operandOf(*found)});
    } else {
      OpBuilder b(earlier.sequence.getBlock()->getTerminator());
      auto made = cast<tile::StoreOp>(b.clone(*store));
      made->setOperand(0, value);
      operands.push_back(operand);
      earlier.kernel.setOperandsAttr(b.getArrayAttr(operands));
    }
    store.erase();
    takesAny = true;
  }
  if (!takesAny)
    return;
  // (Some labels of steps may be the later kernel's alone.)
  NamedAttrList steps(stepsOf(earlier.sequence));
  for (NamedAttribute each : stepsOf(later.sequence))
    steps.set(each.getName(), each.getValue());
  earlier.sequence->setAttr("tile.steps", steps.getDictionary(operands.front().getContext()));
}

/// What a kernel loads it loads by other names.
static void rename(tile::KernelOp kernel, ArrayRef<Renamed> renamed) {
  Builder b(kernel.getContext());
  SmallVector<Attribute> operands(kernel.getOperandsAttr().getValue());
  for (const Renamed& each : renamed) {
    for (Attribute& operand : operands)
      if (operand == each.from)
        operand = each.to;
    kernel.walk([&](tile::LoadOp load) {
      if (load.getName() == each.from.getName().getValue())
        load.setName(each.to.getName().getValue());
    });
  }
  // (Two names may have become one.)
  llvm::SetVector<Attribute> unique(operands.begin(), operands.end());
  kernel.setOperandsAttr(b.getArrayAttr(unique.getArrayRef()));
}

void schedule::shareTemporaries(MutableArrayRef<SmallVector<tile::KernelOp>> forms) {
  SmallVector<Maker> makers;
  for (SmallVector<tile::KernelOp>& form : forms) {
    std::string name = form.front().getSymName().str();
    SmallVector<Renamed> renamed;
    SmallVector<tile::KernelOp> left;
    bool isFirst = &form == &forms.front(), carries = false;
    for (tile::KernelOp kernel : form) {
      Maker maker(kernel);
      if (maker.sequence) {
        for (Maker& earlier : makers)
          if (maker.takesSteps(earlier))
            takeStores(maker, earlier, renamed);
        eraseUnused(maker.sequence.getBlock());
        eraseUnused(kernel.getBlock());
        setOperands(kernel, SmallVector<Attribute>(kernel.getOperandsAttr().getValue()));
        if (maker.sequence.getBlock()->getOps<tile::StoreOp>().empty()) {
          kernel.erase();
          continue;
        }
      }
      // (Kernels of the first form after states may read what is not there before.)
      carries |= !maker.sequence;
      if (maker.sequence && !(isFirst && carries))
        makers.push_back(maker);
      left.push_back(kernel);
    }
    for (auto [index, kernel] : llvm::enumerate(left)) {
      rename(kernel, renamed);
      kernel.setSymName(index ? name + "_" + std::to_string(index) : name);
    }
    form = left;
  }
}
