#include "dialects/SSM/SSM.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc::ssm;

#include "dialects/SSM/SSMDialect.cpp.inc"
#include "dialects/SSM/SSMEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/SSM/SSMAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/SSM/SSMTypes.cpp.inc"

void SSMDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/SSM/SSMAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/SSM/SSMTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/SSM/SSMOps.cpp.inc"
      >();
}

SmallVector<StringRef> ssmc::ssm::strings(ArrayAttr names) {
  return llvm::to_vector(llvm::map_range(names.getAsRange<StringAttr>(),
                                         [](StringAttr name) { return name.getValue(); }));
}

Operation* SSMDialect::materializeConstant(OpBuilder& builder, Attribute value, Type type,
                                           Location loc) {
  auto number = dyn_cast<FloatAttr>(value);
  auto array = dyn_cast<ArrayType>(type);
  if (!number || !array || !array.isScalar() || !array.isReal())
    return nullptr;
  return ConstantOp::create(builder, loc, number.getValueAsDouble());
}

SmallVector<Value> ssmc::ssm::inputsOf(Operation* op) {
  SmallVector<Value> inputs(op->getOperands());
  op->walk([&](Operation* nested) {
    for (Value operand : nested->getOperands())
      if (nested != op && !op->isAncestor(operand.getParentBlock()->getParentOp()))
        inputs.push_back(operand);
  });
  return inputs;
}
