// What is the same of all ways in which warps take columns (EmitColumns.cpp, MatrixColumns.cpp).
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

ssm::AxisAttr WarpColumns::otherAxis(Value value) {
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    if (axis.getName() != column)
      return axis;
  return {};
}

Fragment WarpColumns::computeElements(Value value) {
  Operation* op = value.getDefiningOp();
  Fragment made{otherAxis(value), {}};
  SmallVector<Fragment> operands;
  for (Value operand : op->getOperands())
    operands.push_back(bears(operand) ? fragmentOf(operand) : Fragment());
  for (int64_t i = 0; i < sizeOf(made.axis); ++i) {
    Point point = pointOf(made.axis, i);
    SmallVector<Value> elements;
    for (auto [operand, fragment] : llvm::zip(op->getOperands(), operands)) {
      if (!bears(operand))
        elements.push_back(e.evaluate(operand, point));
      else
        elements.push_back(fragment.axis ? fragment.elements[i]
                                         : fragment.elements[made.axis ? columnOf(i) : i]);
    }
    made.elements.push_back(isa<ssm::BroadcastOp>(op) ? elements.front()
                                                      : emitPointwise(b, op, elements));
  }
  return made;
}

std::pair<ssm::SumOp, Value>
WarpColumns::addedProduct(Operation* op, llvm::function_ref<bool(ssm::SumOp)> admits) {
  if (isa<ssm::AddOp>(op))
    for (int i : {0, 1}) {
      auto sum = op->getOperand(i).getDefiningOp<ssm::SumOp>();
      Value other = op->getOperand(1 - i);
      if (sum && sum->hasOneUse() && !fragments.contains(sum) && other.getType() == sum.getType() &&
          admits(sum))
        return {sum, other};
    }
  return {};
}

Fragment WarpColumns::readOperand(tile::LoadOp load) {
  int index = e.kernel.findLoaded(load.getName());
  Fragment made{otherAxis(load.getResult()), {}};
  Buffer source = e.userBuffer(load, index, tile::Part::Whole,
                               arrayType(load.getResult()).getElementType(), /*row=*/0);
  auto read = [&] {
    SmallVector<Value> elements;
    for (int64_t i = 0; i < sizeOf(made.axis); ++i)
      elements.push_back(e.load(source, pointOf(made.axis, i)));
    return elements;
  };
  Value present = e.isPresent(load, index, 0);
  made.elements =
      present
          ? e.choose(present, read,
                     [&] {
                       SmallVector<Value> elements;
                       Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
                       for (int64_t i = 0; i < sizeOf(made.axis); ++i)
                         elements.push_back(load.getOtherwise() ? e.evaluate(load.getOtherwise(),
                                                                             pointOf(made.axis, i))
                                                                : zero);
                       return elements;
                     })
          : read();
  return made;
}

bool WarpColumns::isZeroBeyond(Value value) {
  Operation* op = value.getDefiningOp();
  if (!op || isa<tile::LoadOp, ssm::SumOp>(op))
    return true;
  if (isa<ssm::MulOp>(op))
    return llvm::any_of(op->getOperands(),
                        [&](Value operand) { return bears(operand) && isZeroBeyond(operand); });
  if (isa<ssm::AddOp, ssm::SubOp, ssm::NegOp, ssm::RelabelOp>(op))
    return llvm::all_of(op->getOperands(), [&](Value operand) {
      return bears(operand) && otherAxis(operand) && isZeroBeyond(operand);
    });
  return false;
}

WarpColumns::Factors WarpColumns::factorsOf(ssm::SumOp sum) {
  auto mul = sum.getOperand().getDefiningOp<ssm::MulOp>();
  Value side = mul.getLhs(), matrix = mul.getRhs();
  if (!bears(side))
    std::swap(side, matrix);
  Factors factors;
  factors.side = side;
  factors.left = fragmentOf(side);
  factors.made = {otherAxis(sum.getResult()), {}};
  StringRef summed = factors.left.axis.getName();
  factors.where = e.sideOf(matrix, factors.made.axis.getName(), summed);
  Value base = factors.where.base;
  if (auto add = base.getDefiningOp<ssm::AddOp>())
    factors.copies = {add.getLhs(), add.getRhs()};
  else
    factors.copies = {base};
  if (auto load = factors.copies.front().getDefiningOp<tile::LoadOp>())
    factors.triangle = load.getTriangle();
  // (As roundedTerms has it.)
  factors.keepsRest = !isStoredAsBF16(side) &&
                      (flowsIntoState(sum.getResult()) || !isExactAsBF16(factors.copies.front()));
  factors.asksSteps = e.stepLabels.contains(summed) && !isZeroBeyond(side);
  return factors;
}

Value WarpColumns::leftElement(const Factors& factors, int64_t element) {
  Value value = factors.left.elements[element];
  if (!factors.asksSteps)
    return value;
  StringRef summed = factors.left.axis.getName();
  Value at = e.indexValue(*pointOf(factors.left.axis, element).find(summed));
  Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at, e.partialExtents[summed]);
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  return arith::SelectOp::create(b, exists, value, zero);
}

SmallVector<Value> WarpColumns::flatten(ValueRange values) {
  SmallVector<Value> all;
  for (Value value : values)
    llvm::append_range(all, fragmentOf(value).elements);
  return all;
}

void WarpColumns::adopt(ValueRange arguments, ValueRange elements) {
  size_t next = 0;
  for (Value argument : arguments) {
    Fragment fragment{otherAxis(argument), {}};
    size_t count = sizeOf(fragment.axis);
    fragment.elements = llvm::to_vector(elements.slice(next, count));
    next += count;
    fragments[argument] = std::move(fragment);
  }
}

WarpColumns::Staged WarpColumns::stage(tile::LoadOp load, bool inPanels) {
  tile::OperandAttr operand = e.kernel.getOperandAt(e.kernel.findLoaded(load.getName()));
  SmallVector<StringRef> order;
  for (ssm::AxisAttr axis : operand.getAxes())
    order.push_back(axis.getName());
  Staged one;
  one.load = load;
  ssm::ArrayType type = arrayType(load.getResult());
  one.all = inPanels ? e.makePanels(type, order) : e.makeBuffer(type, order, operand.getStorage());
  one.bytes = e.places[one.all.id].bytes;
  int64_t size = operand.getStorage().getIntOrFloatBitWidth() / 8;
  int64_t extent = order.empty() ? 1 : type.find(order.back()).getSize();
  one.unit = extent * size % 16 == 0 ? 16 / size : 1;
  return one;
}

Buffer WarpColumns::slotOf(const Staged& one, Value slot) {
  Buffer place = one.all;
  place.base = e.gep(place.base, b.getI8Type(), arith::MulIOp::create(b, slot, e.i32(one.bytes)));
  return place;
}

void WarpColumns::forWhole(Value left, llvm::function_ref<void()> body) {
  Value isWhole =
      arith::CmpIOp::create(b, arith::CmpIPredicate::sge, left, e.i64(sequence.getTileSize()));
  auto emitBody = [&] {
    body();
    e.partialExtents.clear();
    return SmallVector<Value>();
  };
  e.choose(isWhole, emitBody, [&] {
    setExtents(left);
    return emitBody();
  });
}

Value WarpColumns::chunkStart(Value number) {
  if (sequence.getReverse())
    number = arith::SubIOp::create(b, arith::SubIOp::create(b, chunks, e.i64(1)), number);
  return arith::MulIOp::create(b, number, e.i64(sequence.getTileSize()));
}

void WarpColumns::enterChunk(Value number, ValueRange carried) {
  adopt(sequence.getBlock()->getArguments(), carried);
  Value start = chunkStart(number);
  e.timeStarts[0] = start;
  setExtents(arith::SubIOp::create(b, e.times[0], start));
}

void WarpColumns::setExtents(Value left) {
  int64_t tile = sequence.getTileSize();
  Value steps =
      arith::TruncIOp::create(b, b.getI32Type(), arith::MinSIOp::create(b, left, e.i64(tile)));
  for (auto [label, each] : tile::namesOfSteps(sequence))
    e.partialExtents[label] =
        each == 1 ? steps : arith::MulIOp::create(b, steps, e.i32(each)).getResult();
}
