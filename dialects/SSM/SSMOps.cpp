// What is generated for the ops, apart from what is written by hand: it takes long to compile and
// rarely changes.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMAssembly.h"
#include "dialects/SSM/SSMFormula.h"

using namespace mlir;
using namespace ssmc::ssm;

#include "dialects/SSM/SSMInterfaces.cpp.inc"
#define GET_OP_CLASSES
#include "dialects/SSM/SSMOps.cpp.inc"
