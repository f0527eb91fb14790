#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

bool Emitter::emitBlocked(ssm::FoldOp, const Point&, StringRef) {
  return false;
}
