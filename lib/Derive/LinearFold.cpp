// The linear part of a fold: a fold that carries the linear parts of what is affine, and, as it is,
// what coefficients are made of. What the fold carries for others is left out.
#include "LinearPart.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;
using namespace ssmc::derive;

LogicalResult LinearPart::visitFold(FoldOp fold, bool inFold) {
  Block* old = fold.getBlock();
  SmallVector<unsigned>
      numbers; // of results: linear ones, and plain ones that the body or others inside read
  for (unsigned i : slice.resultsOf(fold)) {
    bool carried = i < fold.getNumCarried();
    Value of = carried ? Value(old->getArgument(i)) : Value(fold.getResult(i));
    if (isLinear(of) ? dependence.of(of).anyCommon(active) : carried || inFold)
      numbers.push_back(i);
  }
  if (numbers.empty())
    return success();
  // The labels that carried parts come to bear are those that the body adds, found by trying.
  llvm::DenseMap<unsigned, ArrayType> types;
  for (unsigned i : numbers) {
    if (i >= fold.getNumCarried() || !isLinear(old->getArgument(i)))
      continue;
    Value init = isLinear(fold.getInits()[i]) ? get(fold.getInits()[i]) : Value();
    ArrayType type = typeOf(fold.getInits()[i]);
    auto start = ArrayType::get(fold.getContext(), {}, type.getElementType());
    for (AxisAttr axis : type.getAxes())
      if (llvm::is_contained(mixed, axis.getName()))
        start = start.withAxis(axis);
    types[i] = init ? unite(start, typeOf(init)) : start;
  }
  while (true) {
    SmallVector<Value> inits;
    SmallVector<Type> resultTypes;
    for (unsigned i : numbers) {
      resultTypes.push_back(fold.getResult(i).getType());
      if (i >= fold.getNumCarried())
        continue;
      Value init = fold.getInits()[i];
      if (!isLinear(old->getArgument(i)))
        inits.push_back(plain.lookupOrDefault(init));
      else if (Value part = isLinear(init) ? get(init) : Value())
        inits.push_back(fit(b, part, types[i]));
      else
        inits.push_back(zero(types[i]));
    }
    auto made =
        FoldOp::create(b, fold.getLoc(), resultTypes, fold.getAxis(), fold.getReverseAttr(), inits);
    Block* body = &made.getBody().emplaceBlock();
    unsigned place = 0;
    for (unsigned i : numbers) {
      if (i >= fold.getNumCarried())
        continue;
      Value argument = body->addArgument(inits[place++].getType(), fold.getLoc());
      if (isLinear(old->getArgument(i)))
        parts[old->getArgument(i)] = argument;
      else
        plain.map(old->getArgument(i), argument);
    }
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(body);
    if (failed(visit(*old, /*inFold=*/true)))
      return failure();
    SmallVector<Value> yields;
    bool stable = true;
    for (auto [place, i] : llvm::enumerate(numbers)) {
      Value next = fold.getYield().getValues()[i];
      bool carried = i < fold.getNumCarried();
      bool linear = isLinear(carried ? Value(old->getArgument(i)) : Value(fold.getResult(i)));
      if (!linear) {
        yields.push_back(plain.lookupOrDefault(next));
        continue;
      }
      Value part = isLinear(next) ? get(next) : Value();
      if (!part)
        part = zero(carried ? types[i] : ArrayType::get(fold.getContext(), {}, b.getF32Type()));
      if (carried) {
        ArrayType both = unite(types[i], typeOf(part));
        stable &= both == types[i];
        types[i] = both;
        part = fit(b, part, both);
      }
      yields.push_back(part);
    }
    if (!stable) {
      made.erase();
      continue;
    }
    YieldOp::create(b, fold.getLoc(), yields);
    for (auto [place, i] : llvm::enumerate(numbers)) {
      Value result = made.getResult(place);
      ArrayType type = typeOf(yields[place]);
      result.setType(i < fold.getNumCarried() ? type : type.withAxis(fold.getAxis()));
      if (isLinear(fold.getResult(i)))
        parts[fold.getResult(i)] = result;
      else if (inFold)
        plain.map(fold.getResult(i), result);
    }
    return success();
  }
}
