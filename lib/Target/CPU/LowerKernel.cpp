// A kernel to its two functions: items, sequences, operands, workspace.
//
// Items are taken in blocks whose carried values fit the second-level cache together. Within a
// block the tiles of a sequence are the outer loop and the items the inner one, so that rows of
// neighbouring heads at the same steps are read together; what a sequence carries therefore lies in
// the workspace, once for each item of the block.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

namespace {
constexpr int64_t blockBytes = 1 << 20;

/// A stretch of a block between two sequences; all of it runs in one loop over items.
using Segment = std::pair<Block*, int64_t>;

class KernelLowering {
public:
  KernelLowering(tile::KernelOp kernel, ImplicitLocOpBuilder& b, Shape shape)
      : kernel(kernel), b(b), e(b, shape) {}
  LogicalResult run();

private:
  struct Ring {
    int64_t rows = 1;
    int64_t elements = 1; ///< of one position, in f32
  };

  Value field(int64_t index);
  Value gep(Value base, Type unit, Value index);
  Value min(Value x, Value y) { return arith::MinSIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return arith::MulIOp::create(b, x, y); }
  Value add(Value x, Value y) { return arith::AddIOp::create(b, x, y); }
  void emitEntry(Value args);
  Value itemSize(ArrayRef<Value> times, Value fixed);
  Value blockSize(Value items, Value size);
  void emitRegion(Block* block);
  void emitSegment(ArrayRef<Operation*> ops, ArrayRef<Item> roots);
  void emitSequence(tile::SequenceOp sequence);
  void emitLoad(tile::LoadOp load);
  Buffer userBuffer(Operation* op, tile::OperandAttr operand, int index, tile::Part part,
                    Type element, int64_t row);
  Segment segmentOf(Operation* op);
  void findPersistent();
  void emitWorkspaceFunction();
  int64_t innerAxis(Operation* op);

  tile::KernelOp kernel;
  ImplicitLocOpBuilder& b;
  Emitter e;
  SmallVector<Value> pointers;
  SmallVector<SmallVector<Value>> strides;
  Value heads, groups, times[2];
  Value blockStart, blockEnd, tempSize, oneItemSize;
  Value batch, head, group; ///< of the current item
  std::map<int64_t, Value> timeStarts;
  std::map<int, Ring> rings;
  DenseMap<Value, Buffer> loadTargets;
};
} // namespace

Value KernelLowering::gep(Value base, Type unit, Value index) {
  return LLVM::GEPOp::create(b, LLVM::LLVMPointerType::get(b.getContext()), unit, base,
                             ValueRange{index});
}

/// Everything of the arguments that the kernel reads, once at its start.
void KernelLowering::emitEntry(Value args) {
  Type i64 = b.getI64Type(), pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto field = [&](int64_t index, Type type) -> Value {
    return LLVM::LoadOp::create(b, type, gep(args, i64, e.i64(index)), 8);
  };
  heads = field(1, i64);
  groups = field(2, i64);
  times[0] = field(3, i64);
  times[1] = field(4, i64);
  Value operandTable = field(5, pointer), strideTable = field(6, pointer);
  int64_t position = 0;
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>()) {
    pointers.push_back({});
    strides.push_back({});
    if (operand.getRole() == tile::Role::Row)
      continue;
    pointers.back() =
        LLVM::LoadOp::create(b, pointer, gep(operandTable, pointer, e.i64(position)), 8);
    for (int64_t i = 0; i < 4; ++i)
      strides.back().push_back(
          LLVM::LoadOp::create(b, i64, gep(strideTable, i64, e.i64(4 * position + i)), 8));
    ++position;
  }
}

int64_t KernelLowering::innerAxis(Operation* op) {
  auto sequence = op->getParentOfType<tile::SequenceOp>();
  return sequence ? int64_t(sequence.getTimeAxis()) : 0;
}

//===-- workspace
//-----------------------------------------------------------------------------------===//

Value KernelLowering::itemSize(ArrayRef<Value> timeSizes, Value fixed) {
  Value size = fixed;
  for (auto& [index, ring] : rings) {
    // The innermost time axis of a kernel with rows is axis 1.
    Value bytes = mul(timeSizes[1], e.i64(ring.rows * ring.elements * 4));
    bytes = arith::AndIOp::create(b, add(bytes, e.i64(63)), e.i64(-64));
    size = add(size, bytes);
  }
  return size;
}

Value KernelLowering::blockSize(Value items, Value size) {
  Value nonzero = arith::MaxSIOp::create(b, size, e.i64(1));
  Value fit = arith::DivSIOp::create(b, e.i64(blockBytes), nonzero);
  return arith::MaxSIOp::create(b, min(items, fit), e.i64(1));
}

void KernelLowering::emitWorkspaceFunction() {
  Type i64 = b.getI64Type(), pointer = LLVM::LLVMPointerType::get(b.getContext());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(kernel);
  auto function = func::FuncOp::create(b, (kernel.getSymName() + "_workspace").str(),
                                       b.getFunctionType({pointer, i64}, {i64}));
  Block* entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  Value args = entry->getArgument(0);
  auto time = [&](int64_t axis) -> Value {
    return LLVM::LoadOp::create(b, i64, gep(args, i64, e.i64(3 + axis)), 8);
  };
  Value size = itemSize({time(0), time(1)}, e.i64(e.itemBytes));
  Value count = blockSize(entry->getArgument(1), size);
  // The slack lets a vector of padding be read behind the last buffer.
  func::ReturnOp::create(b, add(mul(count, size), e.i64(e.tempBytes + 256)));
}

//===-- operands
//------------------------------------------------------------------------------------===//

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
  Value offset;
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
    SmallVector<Value> sizes{times[0], times[1]};
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
    bool timed = role == tile::Role::In || role == tile::Role::Out || role == tile::Role::Temp;
    if (role != tile::Role::Param)
      accumulate(batch, strides[index][0]);
    if (timed)
      for (auto [axis, start] : timeStarts)
        accumulate(start, strides[index][1 + axis]);
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
  if (contiguous && suits && !conditional && !e.persistent.contains(value) &&
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

//===-- segments and sequences
//----------------------------------------------------------------------===//

Segment KernelLowering::segmentOf(Operation* op) {
  while (!isa<tile::KernelOp, tile::SequenceOp>(op->getParentOp()))
    op = op->getParentOp();
  int64_t sequences = 0;
  for (Operation& other : *op->getBlock()) {
    if (&other == op)
      break;
    sequences += isa<tile::SequenceOp>(other);
  }
  return {op->getBlock(), sequences};
}

/// A constant, or one spread over labels: computed wherever it is used.
static bool isConstant(Operation* op) {
  if (isa<ssm::BroadcastOp, ssm::RelabelOp>(op))
    return op->getOperand(0).getDefiningOp() && isConstant(op->getOperand(0).getDefiningOp());
  return isa<ssm::ConstantOp>(op);
}

void KernelLowering::findPersistent() {
  kernel->walk([&](Operation* op) {
    if (op == kernel || isa<tile::SequenceOp>(op) || isConstant(op) ||
        !isa<tile::KernelOp, tile::SequenceOp>(op->getParentOp()))
      return;
    for (Value result : op->getResults())
      for (Operation* user : result.getUsers())
        if (segmentOf(user) != segmentOf(op))
          e.persistent.insert(result);
  });
}

void KernelLowering::emitSegment(ArrayRef<Operation*> ops, ArrayRef<Item> given) {
  SmallVector<Item> roots(given);
  SmallVector<Operation*> stateStores, rest;
  bool hasStores = false;
  for (Operation* op : ops) {
    if (auto store = dyn_cast<tile::StoreOp>(op)) {
      hasStores = true;
      int index = kernel.findStored(store.getName());
      if (kernel.getOperandAt(index).getRole() == tile::Role::StateOut) {
        stateStores.push_back(op);
        continue;
      }
    }
    rest.push_back(op);
    for (Value result : op->getResults())
      if (e.persistent.contains(result) && isa<ssm::ArrayType>(result.getType())) {
        if (isa<tile::LoadOp, ssm::FoldOp>(op))
          roots.push_back({result, false, /*toBuffer=*/false});
        else
          roots.push_back(
              {result, false, true, /*defines=*/true,
               e.makeBuffer(arrayType(result), Buffer::Place::Item, e.preferences.lookup(result))});
      }
  }
  if (roots.empty() && !hasStores)
    return;
  auto savedBuffers = e.buffers;
  auto savedBound = e.bound;
  e.loop(blockStart, blockEnd, 1, {}, [&](Value item, ValueRange) {
    Value slot = arith::SubIOp::create(b, item, blockStart);
    e.itemSpace = gep(e.workspace, b.getI8Type(), add(tempSize, mul(slot, oneItemSize)));
    batch = arith::DivUIOp::create(b, item, heads);
    head = arith::RemUIOp::create(b, item, heads);
    group = arith::DivUIOp::create(b, mul(head, groups), heads);
    e.emitBlock(rest, roots, Point(), Between());
    for (Operation* op : stateStores) {
      int index = kernel.findStored(cast<tile::StoreOp>(op).getName());
      Value null = LLVM::ZeroOp::create(b, pointers[index].getType());
      Value wanted = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, pointers[index], null);
      auto branch = scf::IfOp::create(b, TypeRange(), wanted, /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(&branch.getThenRegion().front());
      Emitter::Scope scope(e);
      SmallVector<Operation*> needed;
      for (Operation* other : rest)
        if (!isa<tile::StoreOp>(other))
          needed.push_back(other);
      needed.push_back(op);
      auto buffersHere = e.buffers;
      auto boundHere = e.bound;
      e.emitBlock(needed, {}, Point(), Between());
      e.buffers = std::move(buffersHere);
      e.bound = std::move(boundHere);
    }
    return SmallVector<Value>();
  });
  for (auto& [value, buffer] : e.buffers)
    if (buffer.place == Buffer::Place::Item)
      savedBuffers[value] = buffer;
  e.buffers = std::move(savedBuffers);
  e.bound = std::move(savedBound);
}

void KernelLowering::emitSequence(tile::SequenceOp sequence) {
  int64_t axis = sequence.getTimeAxis(), tile = sequence.getTileSize();
  Value total = times[axis];
  Value count = arith::DivSIOp::create(b, add(total, e.i64(tile - 1)), e.i64(tile));
  auto savedStarts = timeStarts;
  auto savedExtents = e.dynamicExtents;
  e.loop(e.i64(0), count, 1, {}, [&](Value counter, ValueRange) {
    Value index = counter;
    if (sequence.getReverse())
      index = arith::SubIOp::create(b, arith::SubIOp::create(b, count, e.i64(1)), counter);
    Value start = mul(index, e.i64(tile));
    timeStarts[axis] = start;
    if (tile > 1)
      e.dynamicExtents[sequence.getAxis().getName()] =
          min(e.i64(tile), arith::SubIOp::create(b, total, start));
    emitRegion(sequence.getBlock());
    return SmallVector<Value>();
  });
  timeStarts = savedStarts;
  e.dynamicExtents = savedExtents;
}

void KernelLowering::emitRegion(Block* block) {
  SmallVector<Operation*> ops;
  for (Operation& op : *block) {
    if (auto sequence = dyn_cast<tile::SequenceOp>(op)) {
      SmallVector<Item> roots;
      for (auto [i, argument] : llvm::enumerate(sequence.getBlock()->getArguments())) {
        Value init = sequence.getInits()[i];
        Buffer carried =
            e.makeBuffer(arrayType(argument), Buffer::Place::Item, e.preferences.lookup(argument));
        // The state around is carried on in place where nobody else reads it.
        auto outer = dyn_cast<BlockArgument>(init);
        if (outer && init.hasOneUse() && outer.getOwner() == block &&
            block->getTerminator()->getOperand(outer.getArgNumber()) == sequence.getResult(i))
          carried = e.buffers.find(init)->second;
        e.buffers[argument] = carried;
        e.buffers[sequence.getResult(i)] = carried;
        if (init.getDefiningOp<tile::LoadOp>() && init.hasOneUse())
          loadTargets[init] = carried;
        roots.push_back({init, false, true, false, carried});
      }
      emitSegment(ops, roots);
      ops.clear();
      emitSequence(sequence);
      continue;
    }
    if (auto yield = dyn_cast<tile::YieldOp>(op)) {
      SmallVector<Item> roots;
      for (auto [i, value] : llvm::enumerate(yield.getValues())) {
        Value argument = block->getArgument(i);
        if (value != argument)
          roots.push_back({value, false, true, false, e.buffers.find(argument)->second, argument});
      }
      emitSegment(ops, roots);
      return;
    }
    ops.push_back(&op);
  }
  emitSegment(ops, {});
}

LogicalResult KernelLowering::run() {
  Type i64 = b.getI64Type(), i32 = b.getI32Type();
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  kernel->walk([&](tile::LoadOp load) {
    int index = kernel.findLoaded(load.getName());
    tile::OperandAttr operand = kernel.getOperandAt(index);
    if (operand.getRole() != tile::Role::Row)
      return;
    Ring& ring = rings[index];
    ring.rows = std::max<int64_t>(ring.rows, load.getRow().value_or(0) + 1);
    ring.elements = isa<ComplexType>(operand.getStorage()) ? 2 : 1;
    for (ssm::AxisAttr axis : operand.getAxes())
      ring.elements *= axis.getSize();
  });
  findPersistent();
  e.choosePreferences(kernel);
  e.emitLoad = [this](tile::LoadOp load) { emitLoad(load); };
  e.storeTarget = [this](tile::StoreOp store) {
    int index = kernel.findStored(store.getName());
    return userBuffer(store, kernel.getOperandAt(index), index, store.getPart(),
                      arrayType(store.getValue()).getElementType(), 0);
  };

  auto function = func::FuncOp::create(b, kernel.getSymName(),
                                       b.getFunctionType({pointer, i64, i64, pointer}, {i32}));
  function.setArgAttr(3, "llvm.noalias", b.getUnitAttr());
  Block* entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  e.workspace = entry->getArgument(3);
  emitEntry(entry->getArgument(0));
  // Patched when all buffers are known.
  tempSize = e.i64(0);
  Value fixed = e.i64(0);
  oneItemSize = itemSize({times[0], times[1]}, fixed);
  Value first = entry->getArgument(1), last = entry->getArgument(2);
  Value step = blockSize(arith::SubIOp::create(b, last, first), oneItemSize);
  auto blocks = scf::ForOp::create(b, first, last, step, ValueRange());
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(blocks.getBody());
    blockStart = blocks.getInductionVar();
    blockEnd = min(add(blockStart, step), last);
    Emitter::Scope scope(e);
    emitRegion(kernel.getBlock());
  }
  func::ReturnOp::create(b, arith::ConstantIntOp::create(b, 0, 32).getResult());
  auto patch = [&](Value constant, int64_t value) {
    constant.getDefiningOp<arith::ConstantOp>().setValueAttr(b.getI64IntegerAttr(value));
  };
  patch(tempSize, e.tempBytes);
  patch(fixed, e.itemBytes);
  if (e.tempBytes > INT32_MAX || e.itemBytes > INT32_MAX)
    return kernel.emitOpError() << "needs more than 2 GiB of workspace for one item";
  emitWorkspaceFunction();
  return success();
}

LogicalResult ssmc::cpu::lowerKernel(tile::KernelOp kernel, Shape shape) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel);
  return KernelLowering(kernel, b, shape).run();
}
