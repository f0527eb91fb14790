// Verifiers of the pointwise ops.
#include "dialects/SSM/SSM.h"

using namespace mlir;
using namespace ssmc::ssm;

LogicalResult SelectOp::verify() {
  if (!getCondition().getType().isBool()) // select_c1
    return emitOpError() << "has a condition of type " << getCondition().getType()
                         << ", expected i1";
  return success();
}

LogicalResult CastOp::verify() {
  ArrayType from = getOperand().getType(), to = getType();
  if (from.getAxes() != to.getAxes()) // cast_c1
    return emitOpError() << "changes labels from " << from << " to " << to;
  if (from.isComplex() && !to.isComplex()) // cast_c2
    return emitOpError() << "drops the imaginary part: expected ssm.real or ssm.imag";
  return success();
}
