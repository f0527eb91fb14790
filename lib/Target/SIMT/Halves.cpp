// The sides of products that halves of blocks make, and where their tiles lie.
#include "lib/Target/SIMT/Halves.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Steps that are read before what is made of them is written.
static constexpr int64_t stepsAtOnce = 8;

bool simt::takesBlocks(Operation* op, int64_t steps) {
  auto kernel = op->getParentOfType<tile::KernelOp>();
  std::optional<Type> factors = kernel ? kernel.getFactorType() : std::nullopt;
  return factors && factors->isBF16() && steps % blockSteps == 0 && llvm::isPowerOf2_64(steps);
}

OverSteps::OverSteps(KernelEmitter& e, StringRef rows, int64_t steps)
    : e(e), b(e.b), rows(rows), steps(steps),
      zero(arith::ConstantOp::create(b, b.getF32FloatAttr(0))) {}

Value OverSteps::split(Value& task, int64_t by) {
  if (by == 1)
    return e.i32(0);
  Value digit = arith::RemUIOp::create(b, task, e.i32(by));
  task = arith::DivUIOp::create(b, task, e.i32(by));
  return digit;
}

Value OverSteps::ifThere(Value element, Index step) {
  Point point;
  point.set(rows, step);
  Value exists = e.existsAt({axisOf(b, rows, steps)}, point);
  return exists ? arith::SelectOp::create(b, exists, element, zero).getResult() : element;
}

Halves::Halves(KernelEmitter& e, StringRef rows, Value decay)
    : OverSteps(e, rows, arrayType(decay).find(rows).getSize()), decay(decay) {
  for (ssm::AxisAttr axis : arrayType(decay).getAxes())
    if (axis.getName() != rows)
      key = axis;
}

Value Halves::atStep(Value value, Point point, Index step) {
  point.set(rows, step);
  return ifThere(e.evaluate(value, point), step);
}

Buffer Halves::makeHalves(Type storage) {
  ssm::ArrayType type = arrayType(decay).without({rows}).withAxis(axisOf(b, rows, steps / 2));
  return e.makeBuffer(type, {rows, key.getName()}, storage);
}

Value Halves::elementOf(const Side& side, const Point& element, Index step, Value& product) {
  auto pass = [&] { product = mul(product, atStep(decay, element, step)); };
  bool isOwn = side.isLate && !side.isStrict;
  if (isOwn)
    pass();
  Value value = side.value ? mul(atStep(side.value, element, step), product) : product;
  if (!value)
    value = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
  if (!isOwn)
    pass();
  return value;
}

void Halves::emitSide(const Side& side, int64_t half) {
  auto put = [&](ArrayRef<std::pair<Point, Value>> run) {
    if (side.exact.base)
      return e.storeRun(side.exact, run);
    e.storeRounded(side.high, side.rest.base ? &side.rest : nullptr, run);
  };
  // (A block begins no earlier than at the step of its number: one that has no step is left out.)
  e.deal({axisOf(b, rows, steps / (2 * half)), axisOf(b, key.getName(), key.getSize() / 2)},
         [&](const Point& at) {
           Value block = e.indexValue(*at.find(rows));
           // (One value each: elements of a run lie side by side if these are the same.)
           Value first = times(e.indexValue(*at.find(key.getName())), 2);
           Value start = times(block, 2 * half), inHalves = times(block, half);
           Value products[2];
           // In the order in which decays add up: what is read first, then the results.
           for (int64_t i = 0; i < half; i += stepsAtOnce) {
             KernelEmitter::Scope scope(e);
             SmallVector<std::pair<Point, Value>> results;
             for (int64_t j = i; j < std::min(i + stepsAtOnce, half); ++j)
               for (int64_t k : {0, 1}) {
                 int64_t t = side.isLate ? j : half - 1 - j;
                 Index step{start, t + (side.isLate ? half : 0)};
                 Point element, place;
                 element.set(key.getName(), {first, k});
                 place.set(key.getName(), {first, k});
                 place.set(rows, {inHalves, t});
                 results.push_back({place, elementOf(side, element, step, products[k])});
               }
             for (size_t j = 0; j < results.size(); j += 2)
               put(ArrayRef(results).slice(j, 2));
           }
         });
}

HalfTile Halves::tileAt(int64_t half, Value block, Value number, bool isLate) {
  Value inHalf = times(number, blockSteps);
  Value start = plus(times(block, 2 * half), e.i32(isLate ? half : 0));
  return {plus(start, inHalf), plus(times(block, half), inHalf)};
}
