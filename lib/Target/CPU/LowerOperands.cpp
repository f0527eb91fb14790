// Operands of a kernel: where they lie in the caller's memory, and loads that stage them.
#include "KernelLowering.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// What is the same for all heads of a sequence: its steps, and where it begins in every operand.
void KernelLowering::enterSequence(Value sequence) {
  Type i64 = b.getI64Type();
  firstItem = mul(sequence, heads);
  Value entry = sequence, start; // the batch entry that holds its steps, and the first of them
  int64_t tile = 1;
  kernel->walk([&](tile::SequenceOp op) { tile = op.getTileSize(); });
  if (packed) {
    Value zero = e.i64(0);
    Value at = gep(bounds, i64, arith::SelectOp::create(b, packed, sequence, zero));
    entry = arith::SelectOp::create(b, packed, zero, sequence);
    start = LLVM::LoadOp::create(b, i64, at, 8);
    Value end = LLVM::LoadOp::create(b, i64, gep(at, i64, e.i64(1)), 8);
    times[0] = arith::SubIOp::create(b, end, start);
  }
  for (auto [index, operand] :
       llvm::enumerate(kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())) {
    tile::Role role = operand.getRole();
    if (role == tile::Role::Row || role == tile::Role::Param)
      continue;
    bool isState = role == tile::Role::StateIn || role == tile::Role::StateOut;
    origins[index] = mul(isState ? sequence : entry, strides[index][0]);
    if (isState || !packed)
      continue;
    Value row = start;
    // No two sequences share a chunk: one more for each makes room for the parts at their ends.
    if (role == tile::Role::ChunkTemp)
      row = add(arith::DivUIOp::create(b, start, e.i64(tile)),
                arith::SubIOp::create(b, sequence, entry));
    origins[index] = add(origins[index], mul(row, strides[index][1]));
  }
}

Buffer KernelLowering::userBuffer(Operation* op, tile::OperandAttr operand, int index,
                                  tile::Part part, Type element, int64_t row) {
  Buffer buffer;
  buffer.place = Buffer::Place::User;
  buffer.element = element;
  Type storage = operand.getStorage();
  auto complex = dyn_cast<ComplexType>(storage);
  buffer.storage = complex ? complex.getElementType() : storage;
  int64_t unit = complex ? 2 : 1, stride = unit;
  SmallVector<Dim> dims;
  for (ssm::AxisAttr axis : llvm::reverse(operand.getAxes())) {
    dims.push_back({axis.getName(), axis.getSize(), stride});
    stride *= axis.getSize();
  }
  auto sequence = op->getParentOfType<tile::SequenceOp>();
  bool lifted = sequence && sequence.getTileSize() > 1;
  Value offset = origins[index];
  auto accumulate = [&](Value count, Value by) {
    if (!count)
      return;
    Value term = mul(count, by);
    offset = offset ? add(offset, term) : term;
  };
  tile::Role role = operand.getRole();
  if (role == tile::Role::Row) {
    // A ring of rows behind the item's other buffers.
    buffer.storage = b.getF32Type();
    Value base = gep(e.itemSpace, b.getI8Type(), e.i64(0));
    Value before = oneItemSize;
    Value start; // bytes of the rings from this one to the last
    for (auto& [other, ring] : rings) {
      if (other < index)
        continue;
      Value bytes = mul(times[1], e.i64(ring.rows * ring.elements * 4));
      bytes = arith::AndIOp::create(b, add(bytes, e.i64(63)), e.i64(-64));
      start = start ? add(start, bytes) : bytes;
    }
    Ring& ring = rings[index];
    base = gep(base, b.getI8Type(), arith::SubIOp::create(b, before, start));
    Value y = timeStarts[0];
    bool reverse = false;
    for (Operation* parent = op; (parent = parent->getParentOp());)
      if (auto outer = dyn_cast<tile::SequenceOp>(parent); outer && outer.getTimeAxis() == 0)
        reverse = outer.getReverse();
    y = add(y, e.i64(reverse ? row : ring.rows - row % ring.rows));
    Value slot = arith::RemSIOp::create(b, y, e.i64(ring.rows));
    accumulate(mul(slot, times[1]), e.i64(ring.elements));
    accumulate(timeStarts[1], e.i64(ring.elements));
    buffer.base = base;
    if (lifted)
      dims.push_back({sequence.getAxis().getName(), sequence.getTileSize(), ring.elements});
  } else {
    buffer.base = pointers[index];
    bool timed = isTimed(role);
    if (timed)
      for (auto [axis, start] : timeStarts)
        accumulate(start, strides[index][1 + axis]);
    if (role == tile::Role::ChunkTemp)
      accumulate(arith::DivUIOp::create(b, timeStarts[0], e.i64(sequence.getTileSize())),
                 strides[index][1]);
    if (operand.getScope() != ssm::Scope::Shared)
      accumulate(operand.getScope() == ssm::Scope::Group ? group : head, strides[index][3]);
    if (complex && offset)
      offset = mul(offset, e.i64(2));
    if (timed && lifted) {
      Value step = strides[index][1 + sequence.getTimeAxis()];
      if (complex)
        step = mul(step, e.i64(2));
      dims.push_back({sequence.getAxis().getName(), sequence.getTileSize(), 1, step});
    }
  }
  Type raw = buffer.storage;
  if (raw.isInteger(1))
    raw = b.getI8Type();
  else if (raw.isBF16() || raw.isF16())
    raw = b.getI16Type();
  if (part == tile::Part::Im)
    offset = offset ? add(offset, e.i64(1)) : e.i64(1);
  if (offset)
    buffer.base = gep(buffer.base, raw, offset);
  buffer.dims.assign(dims.rbegin(), dims.rend());
  return buffer;
}

/// Whether a fold reads the value itself, not something that a nest makes of it before.
static bool isReadByFold(Value value) {
  return llvm::any_of(value.getUsers(), [](Operation* user) {
    if (isa<ssm::FoldOp>(user) || user->getParentOfType<ssm::FoldOp>())
      return true;
    bool isInline = user->getNumResults() == 1 && !isReduction(user) &&
                    (isa<ssm::AtOp, ssm::RelabelOp, ssm::BroadcastOp>(user) ||
                     arrayType(user->getResult(0)).getRank() > 2);
    return isInline && isReadByFold(user->getResult(0));
  });
}

void KernelLowering::emitLoad(tile::LoadOp load) {
  int index = kernel.findLoaded(load.getName());
  tile::OperandAttr operand = kernel.getOperandAt(index);
  int64_t row = load.getRow().value_or(0);
  Value value = load.getResult();
  auto type = arrayType(value);
  LanePreference lane = e.preferences.lookup(value);
  Buffer user = userBuffer(load, operand, index, load.getPart(), type.getElementType(), row);
  bool conditional =
      operand.getRole() == tile::Role::StateIn || (operand.getRole() == tile::Role::Row && row > 0);
  // Read in place what needs no conversion, lies as lanes want it, and is read once, by a nest.
  // What a fold reads is staged even so: copying all steps of a tile at once has many misses under
  // way together, where a fold would wait for each step's row in turn (rows are heads apart).
  bool contiguous = user.storage.isF32() && type.isReal() && !operand.getAxes().empty() &&
                    user.isUnit(operand.getAxes().back().getName());
  bool suits = lane.label.empty() || (contiguous && user.isUnit(lane.label) && lane.width &&
                                      type.find(lane.label).getSize() % lane.width == 0);
  // Products read rows again and again, which are heads apart, and past the last step.
  bool isReadAgain = llvm::any_of(
      *load->getBlock(), [&](Operation& op) { return e.isWhole(&op) && !isa<ssm::FoldOp>(op); });
  if (contiguous && suits && !conditional && !e.persistent.contains(value) && !isReadAgain &&
      !isReadByFold(value)) {
    e.buffers[value] = user;
    return;
  }
  Buffer target;
  if (auto found = loadTargets.find(value); found != loadTargets.end())
    target = found->second;
  else
    target = e.makeBuffer(
        type, e.persistent.contains(value) ? Buffer::Place::Item : Buffer::Place::Temp, lane);
  // Kept as it is stored, it is half as long, and rows of pairs for products.
  if (e.roundsProducts && e.shape.pairs != PairUnit::None && user.storage.isBF16() && !conditional)
    target.storage = user.storage;
  auto copy = [&](Value source) {
    Emitter::Scope scope(e);
    Nest nest;
    for (ssm::AxisAttr axis : type.getAxes())
      nest.space.push_back(axis.getName());
    nest.items = {{source, false, true, false, target}};
    e.emitNest(nest, Point());
  };
  if (!conditional) {
    e.buffers[value] = user;
    copy(value);
    e.buffers[value] = target;
    return;
  }
  Value present;
  if (operand.getRole() == tile::Role::StateIn) {
    Value null = LLVM::ZeroOp::create(b, pointers[index].getType());
    present = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, pointers[index], null);
  } else {
    bool reverse = false;
    for (Operation* parent = load; (parent = parent->getParentOp());)
      if (auto outer = dyn_cast<tile::SequenceOp>(parent); outer && outer.getTimeAxis() == 0)
        reverse = outer.getReverse();
    Value y = timeStarts[0];
    present =
        reverse ? arith::CmpIOp::create(b, arith::CmpIPredicate::slt, add(y, e.i64(row)), times[0])
                : arith::CmpIOp::create(b, arith::CmpIPredicate::sge, y, e.i64(row));
  }
  auto branch = scf::IfOp::create(b, TypeRange(), present, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&branch.getThenRegion().front());
  e.buffers[value] = user;
  copy(value);
  b.setInsertionPointToStart(&branch.getElseRegion().front());
  e.buffers.erase(value);
  OpBuilder atLoad(load);
  Value otherwise = load.getOtherwise();
  if (!otherwise)
    otherwise = ssm::ConstantOp::create(atLoad, load.getLoc(), 0.0);
  if (otherwise.getType() != type)
    otherwise = ssm::BroadcastOp::create(
        atLoad, load.getLoc(), type.withElementType(arrayType(otherwise).getElementType()),
        otherwise);
  copy(otherwise);
  e.buffers[value] = target;
}
