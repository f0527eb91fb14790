// Verification, parsing and printing of kernels, loads, stores and sequences.
#include "dialects/SSM/SSMAssembly.h"
#include "dialects/SSM/SSMRenaming.h"
#include "dialects/Tile/Tile.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseSet.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::tile;
using ssm::ArrayType;
using ssm::parseArrayType;
using ssm::parseArrayTypes;
using ssm::printArrayType;
using ssm::printArrayTypes;

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.cpp.inc"

static int findOperand(KernelOp kernel, StringRef name, ArrayRef<Role> roles) {
  for (auto [index, operand] : llvm::enumerate(kernel.getOperandsAttr().getAsRange<OperandAttr>()))
    if (operand.getName().getValue() == name && llvm::is_contained(roles, operand.getRole()))
      return index;
  return -1;
}

int KernelOp::findLoaded(StringRef name) {
  return findOperand(
      *this, name, {Role::In, Role::Param, Role::StateIn, Role::Temp, Role::ChunkTemp, Role::Row});
}

int KernelOp::findStored(StringRef name) {
  return findOperand(*this, name,
                     {Role::Out, Role::StateOut, Role::Temp, Role::ChunkTemp, Role::Row});
}

LogicalResult KernelOp::verify() {
  llvm::DenseSet<std::pair<StringRef, Role>> seen;
  for (OperandAttr operand : getOperandsAttr().getAsRange<OperandAttr>()) {
    if (!seen.insert({operand.getName().getValue(), operand.getRole()}).second) // kernel_c1
      return emitOpError() << "has two operands " << operand.getName() << " of one role";
    llvm::DenseSet<StringRef> labels;
    for (ssm::AxisAttr axis : operand.getAxes()) {
      if (!axis.isBound()) // kernel_c2
        return emitOpError() << "operand " << operand.getName()
                             << " has an extent that is not bound";
      if (!labels.insert(axis.getName()).second) // kernel_c3
        return emitOpError() << "operand " << operand.getName() << " bears label '"
                             << axis.getName() << "' twice";
    }
  }
  return success();
}

LogicalResult KernelOp::verifyRegions() {
  if (!getColumns())
    return success();
  StringRef columns = *getColumns();
  WalkResult result = walk([&](Operation* op) -> WalkResult {
    if (auto sequence = dyn_cast<SequenceOp>(op)) {
      for (Value init : sequence.getInits())
        if (auto type = cast<ArrayType>(init.getType()); !type.has(columns)) // kernel_c4
          return sequence.emitOpError() << "carries a value of type " << type
                                        << " without the kernel's columns '" << columns << "'";
      return WalkResult::advance();
    }
    for (StringRef name : {"over", "from", "to"}) // kernel_c5
      if (auto labels = op->getAttrOfType<ArrayAttr>(name))
        for (Attribute label : labels)
          if (auto string = dyn_cast<StringAttr>(label); string && string.getValue() == columns)
            return op->emitOpError() << (name == "over" ? "reduces" : "renames")
                                     << " the kernel's columns '" << columns << "'";
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

namespace {
/// The operand that a load or store names, and its tile's type where the op stands.
struct Access {
  OperandAttr operand;
  ArrayType type;
};
} // namespace

static FailureOr<Access> findAccess(Operation* op, StringRef name, bool loads, Type element) {
  auto kernel = op->getParentOfType<KernelOp>();
  if (!kernel)
    return op->emitOpError() << "expected to stand in a tile.kernel";
  int index = loads ? kernel.findLoaded(name) : kernel.findStored(name);
  if (index < 0) // load_c1, store_c1
    return op->emitOpError() << "the kernel has no operand '" << name << "' to "
                             << (loads ? "read" : "write");
  OperandAttr operand = kernel.getOperandAt(index);
  ArrayType type = ArrayType::get(op->getContext(), operand.getAxes(), element);
  bool timed = !llvm::is_contained({Role::Param, Role::StateIn, Role::StateOut}, operand.getRole());
  if (!timed)
    return Access{operand, type};
  auto sequence = op->getParentOfType<SequenceOp>();
  if (!sequence) // load_c6, store_c4
    return op->emitOpError() << "operand '" << name << "' varies in time: expected to stand in a "
                             << "tile.sequence";
  bool isLifted = sequence.getTileSize() > 1 && operand.getRole() != Role::ChunkTemp;
  return Access{operand, isLifted ? type.withAxis(sequence.getAxis()) : type};
}

/// Checks what loads and stores share.
template <typename Op> static FailureOr<Access> checkAccess(Op op, ArrayType type, bool loads) {
  FailureOr<Access> access = findAccess(op, op.getName(), loads, type.getElementType());
  if (failed(access))
    return failure();
  if (access->type != type) // load_c2, store_c2
    return op.emitOpError() << (loads ? "reads" : "writes") << " a tile of type " << access->type
                            << ", not " << type;
  if (op.getPart() != Part::Whole && !type.isReal()) // load_c4, store_c3
    return op.emitOpError() << "has half of a complex operand in a tile of type " << type
                            << ", expected reals";
  return access;
}

void LoadOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getResult(), getName());
}

LogicalResult LoadOp::verify() {
  FailureOr<Access> access = checkAccess(*this, getType(), /*loads=*/true);
  if (failed(access))
    return failure();
  if (getRow() && (*getRow() < 1 || access->operand.getRole() != Role::Row)) // load_c3
    return emitOpError() << "reads row " << *getRow() << " of operand '" << getName()
                         << "', expected an earlier row of a row operand";
  if (Value otherwise = getOtherwise()) // load_c5
    if (!cast<ArrayType>(otherwise.getType()).isSubsetOf(getType()))
      return emitOpError() << "has an else of type " << otherwise.getType()
                           << " with labels that the tile lacks";
  if (auto triangle = getTriangle()) { // load_c7
    SmallVector<StringRef> labels = ssm::strings(*triangle);
    if (labels.size() != 2 || labels[0] == labels[1] || !getType().has(labels[0]) ||
        !getType().has(labels[1]))
      return emitOpError() << "has triangle " << *triangle
                           << ", expected two different labels of the tile";
  }
  return success();
}

LogicalResult StoreOp::verify() {
  ArrayType type = getValue().getType();
  FailureOr<Access> access = checkAccess(*this, type, /*loads=*/false);
  if (failed(access))
    return failure();
  Type storage = access->operand.getStorage();
  if (getRest() && (!type.isReal() || !(storage.isBF16() || storage.isF16()))) // store_c5
    return emitOpError() << "writes what rounding to " << storage << " leaves of a tile of type "
                         << type << ", expected reals and an operand of bf16 or f16";
  return success();
}

//===-- sequence -----------------------------------------------------------------------------===//

YieldOp SequenceOp::getYield() {
  return cast<YieldOp>(getBlock()->getTerminator());
}

LogicalResult SequenceOp::verify() {
  if (int64_t(getTimeAxis()) < 0 || getTileSize() < 1) // sequence_c2
    return emitOpError() << "walks over axis " << int64_t(getTimeAxis()) << " by tiles of "
                         << getTileSize() << " steps, expected an axis from 0 and at least 1 step";
  auto yield = dyn_cast<YieldOp>(getBlock()->getTerminator());
  TypeRange inits = getInits().getTypes();
  if (!yield || inits != TypeRange(getBlock()->getArgumentTypes()) || inits != getResultTypes() ||
      inits != yield.getOperandTypes()) // sequence_c1
    return emitOpError() << "carried values disagree in number or type between initial values, "
                            "arguments, tile.yield and results";
  return success();
}

ParseResult SequenceOp::parse(OpAsmParser& parser, OperationState& result) {
  ssm::AxisAttr axis;
  int64_t timeAxis;
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseKeyword("over") || ssm::parseAxisList(parser, axis) ||
      parser.parseKeyword("axis") || parser.parseInteger(timeAxis))
    return failure();
  result.addAttribute("axis", axis);
  result.addAttribute("timeAxis", parser.getBuilder().getI64IntegerAttr(timeAxis));
  if (ssm::parseCarried(parser, result, arguments))
    return failure();
  for (auto& argument : arguments)
    result.addTypes(argument.type);
  if (parser.parseRegion(*result.addRegion(), arguments) ||
      parser.parseOptionalAttrDict(result.attributes))
    return failure();
  return success();
}

void SequenceOp::print(OpAsmPrinter& printer) {
  printer << " over ";
  ssm::printAxisList(printer, *this, getAxis());
  printer << " axis " << getTimeAxis();
  ssm::printCarried(printer, *this, getReverse(), getBlock()->getArguments(), getInits());
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs(), {"axis", "timeAxis", "reverse"});
}

llvm::MapVector<StringRef, int64_t> tile::namesOfSteps(SequenceOp sequence) {
  llvm::MapVector<StringRef, int64_t> names;
  names[sequence.getAxis().getName()] = 1;
  if (auto known = sequence->getAttrOfType<DictionaryAttr>("tile.steps"))
    for (NamedAttribute name : known)
      names[name.getName().getValue()] = cast<IntegerAttr>(name.getValue()).getInt();
  auto same = [&](StringRef from, StringRef to, int64_t times, int64_t parts = 1) {
    if (auto found = names.find(from); found != names.end() && !names.count(to))
      names[to] = found->second * times / parts;
  };
  for (size_t known = 0; known != names.size();) {
    known = names.size();
    sequence.walk([&](Operation* op) {
      if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
        for (auto [from, to] :
             llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo()))) {
          same(from, to, 1);
          same(to, from, 1); // What becomes steps were steps.
        }
      } else if (auto flatten = dyn_cast<ssm::FlattenOp>(op)) {
        same(flatten.getOuter(), flatten.getAxis().getName(),
             flatten.getOperand().getType().find(flatten.getInner()).getSize());
      } else if (auto unflatten = dyn_cast<ssm::UnflattenOp>(op)) {
        same(unflatten.getLabel(), unflatten.getOuter().getName(), 1,
             unflatten.getInner().getSize());
      }
    });
    sequence.walk([&](Operation* op) {
      auto rows = op->getAttrOfType<StringAttr>("rows"),
           columns = op->getAttrOfType<StringAttr>("columns");
      if (rows && columns)
        same(rows.getValue(), columns.getValue(), 1);
    });
  }
  return names;
}

bool tile::isOfGroups(KernelOp kernel) {
  bool writes = false;
  for (auto operand : kernel.getOperandsAttr().getAsRange<OperandAttr>())
    if (kernel.findStored(operand.getName().getValue()) >= 0) {
      if (operand.getRole() != Role::ChunkTemp || operand.getScope() != ssm::Scope::Group)
        return false;
      writes = true;
    }
  return writes;
}

/// The operand of which a value is what is loaded, if that is all.
static OperandAttr operandOf(Value value) {
  if (auto relabel = ssm::asRenaming(value))
    return operandOf(relabel.getOperand());
  auto load = value.getDefiningOp<LoadOp>();
  if (!load || load.getOtherwise())
    return {};
  auto kernel = load->getParentOfType<KernelOp>();
  return kernel.getOperandAt(kernel.findLoaded(load.getName()));
}

bool tile::isStoredAsBF16(Value value) {
  OperandAttr operand = operandOf(value);
  return operand && operand.getStorage().isBF16();
}

bool tile::isExactAsBF16(Value value) {
  OperandAttr operand = operandOf(value);
  return operand && operand.getStorage().isBF16() && operand.getRole() != Role::Temp &&
         operand.getRole() != Role::ChunkTemp;
}

/// Whether a value is made of operands and numbers, element by element.
static bool isOfOperands(Value value) {
  Operation* op = value.getDefiningOp();
  if (isa_and_nonnull<LoadOp, ssm::ConstantOp>(op))
    return true;
  return op && !op->getNumRegions() && op->hasTrait<ssm::Pointwise>() &&
         llvm::all_of(op->getOperands(), isOfOperands);
}

bool tile::isDifference(Value value) {
  Operation* op = value.getDefiningOp();
  if (isa_and_nonnull<ssm::MulOp, ssm::NegOp, ssm::RelabelOp>(op))
    return llvm::any_of(op->getOperands(), tile::isDifference);
  // (Two loads are a number in two parts.)
  return isa_and_nonnull<ssm::AddOp, ssm::SubOp>(op) && isOfOperands(value) &&
         !llvm::all_of(op->getOperands(),
                       [](Value operand) { return operand.getDefiningOp<LoadOp>(); });
}

static bool flowsIntoState(Value value, llvm::function_ref<bool(StoreOp)> isLast,
                           DenseSet<Value>& seen) {
  // What another kernel reads may have a part in a state there, unless it is kept as one bf16.
  auto isPassedOn = [&](Operation* user) {
    auto store = dyn_cast<StoreOp>(user);
    if (!store || (isLast && isLast(store)))
      return false;
    auto kernel = store->getParentOfType<KernelOp>();
    OperandAttr operand = kernel.getOperandAt(kernel.findStored(store.getName()));
    return (operand.getRole() == Role::Temp || operand.getRole() == Role::ChunkTemp) &&
           (store.getRest() || !operand.getStorage().isBF16());
  };
  return seen.insert(value).second && llvm::any_of(value.getUsers(), [&](Operation* user) {
           // (What a fold's body yields are results of the fold.)
           Operation* maker = isa<ssm::YieldOp>(user) ? user->getParentOp() : user;
           return isa<YieldOp>(user) || isPassedOn(user) ||
                  llvm::any_of(maker->getResults(),
                               [&](Value result) { return flowsIntoState(result, isLast, seen); });
         });
}

bool tile::flowsIntoState(Value value, llvm::function_ref<bool(StoreOp)> isLast) {
  DenseSet<Value> seen;
  return ::flowsIntoState(value, isLast, seen);
}
