// Inputs and outputs are stored as the user asks; states, params and temporaries are f32.
#include "Operands.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::schedule;
using ssm::ArrayType;
using ssm::AxisAttr;
using tile::OperandAttr;
using tile::Role;

StringRef schedule::wholeName(Operation* op, StringRef name) {
  if (auto of = op->getAttrOfType<StringAttr>("of"))
    return of.getValue();
  return name;
}

tile::Part schedule::partOf(Operation* op) {
  auto part = op->getAttrOfType<StringAttr>("part");
  return !part ? tile::Part::Whole : part.getValue() == "re" ? tile::Part::Re : tile::Part::Im;
}

Type OperandList::storageOf(ArrayType type) const {
  return type.isReal() ? options.operandType : type.getElementType();
}

void OperandList::add(StringRef name, Role role, ArrayAttr order, ArrayType type, Type storage,
                      ssm::Scope scope, bool complexPart) {
  SmallVector<AxisAttr> axes;
  for (StringRef label : ssm::strings(order))
    axes.push_back(type.find(label));
  if (complexPart)
    storage = ComplexType::get(Float32Type::get(context));
  auto operand =
      OperandAttr::get(context, StringAttr::get(context, name), role, axes, storage, scope);
  if (!llvm::is_contained(operands, operand))
    operands.push_back(operand);
}

bool schedule::isPerChunk(Operation* op) {
  return op->hasAttr("per_chunk");
}

static Role tempRole(Operation* op) {
  return schedule::isPerChunk(op) ? Role::ChunkTemp : Role::Temp;
}

void OperandList::add(ssm::InOp in) {
  ArrayType type = binder.bind(in.getType());
  bool temp = in->hasAttr("temp");
  Type storage =
      temp || (in.getParam() && type.isReal()) ? Type(Float32Type::get(context)) : storageOf(type);
  Role role = temp ? tempRole(in) : in.getParam() ? Role::Param : Role::In;
  add(wholeName(in, in.getName()), role, in.getOrder(), type, storage, in.getScope(),
      in->hasAttr("of"));
}

void OperandList::add(ssm::StateOp state) {
  ArrayType type = binder.bind(cast<ArrayType>(state.getType()));
  for (Role role : {Role::StateIn, Role::StateOut})
    add(wholeName(state, state.getName()), role, state.getOrder(), type, Float32Type::get(context),
        ssm::Scope::Head, state->hasAttr("of"));
}

void OperandList::add(ssm::OutOp out, ArrayType type) {
  type = binder.bind(type);
  add(wholeName(out, out.getName()), out.getTemp() ? tempRole(out) : Role::Out, out.getOrder(),
      type, out.getTemp() ? Type(Float32Type::get(context)) : storageOf(type), ssm::Scope::Head,
      out->hasAttr("of"));
}

void OperandList::addRow(ssm::StateOp state) {
  add(state.getName(), Role::Row, state.getOrder(), binder.bind(cast<ArrayType>(state.getType())),
      Float32Type::get(context), ssm::Scope::Head, false);
}
