// What a decay multiplies its source by, put together from its parts.
#include "Coefficient.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

Expr ssmc::derive::decayCoefficient(ExprContext& context, ExprReader& reader, DecayOp decay) {
  SmallVector<Expr> factors;
  auto scatter = [&](Value exponent, StringRef function, Type element) {
    for (Expr term : termsOf(reader.read(exponent)))
      factors.push_back(context.func(function, element, {term}));
  };
  Type real = Float32Type::get(context.getContext());
  if (Value log = decay.getLog())
    scatter(log, "ssm.exp", real);
  if (Value phase = decay.getPhase()) // All angles at once: cis is dear.
    factors.push_back(context.func("ssm.cis", ComplexType::get(real), {reader.read(phase)}));
  if (Value factor = decay.getFactor())
    factors.push_back(reader.read(factor));
  if (Value zero = decay.getZero())
    factors.push_back(context.func("unless", real, {reader.read(zero)}));
  return context.mul(factors);
}

Expr ssmc::derive::decayOffset(ExprContext& context, ExprReader& reader, DecayOp decay) {
  Expr offset = decay.getLog() ? reader.read(decay.getLog()) : context.constant(0);
  if (!decay.getZero())
    return offset;
  return context.func("ssm.select", offset->type.getElementType(),
                      {reader.read(decay.getZero()), context.constant(-INFINITY), offset});
}
