// A kernel to its two functions: items, sequences, workspace.
//
// Sequences are taken one after the other, and the heads of one in blocks whose carried values fit
// the second-level cache together. Within a block the tiles of a sequence are the outer loop and
// the items the inner one, so that rows of neighbouring heads at the same steps are read together;
// what a sequence carries therefore lies in the workspace, once for each item of the block.
//
// Where a sequence begins and how long it is, is known when it is entered and the same for all its
// heads: nothing inside asks whether sequences are packed.
#include "KernelLowering.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// What the carried values of a block of items may take of the second-level cache.
static constexpr int64_t blockBytes = 1 << 20;

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
  origins.resize(strides.size());
  if (kernel
          ->walk([](tile::SequenceOp sequence) {
            return sequence.getTimeAxis() ? WalkResult::interrupt() : WalkResult::advance();
          })
          .wasInterrupted())
    return;
  // Batch entries all begin at step 0 and end at the last: then a table of these two, which is not
  // advanced from sequence to sequence, stands in for the caller's.
  Value offsets = field(7, pointer), none = LLVM::ZeroOp::create(b, pointer);
  packed = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, offsets, none);
  Value whole = LLVM::AllocaOp::create(b, pointer, i64, e.i64(2), 8);
  LLVM::StoreOp::create(b, e.i64(0), whole, 8);
  LLVM::StoreOp::create(b, times[0], gep(whole, i64, e.i64(1)), 8);
  bounds = arith::SelectOp::create(b, packed, offsets, whole);
}

// Decays get there soon, and each such number takes some machines 150 cycles: RetNet in blocks of
// 128 steps 53 ms in place of 8 on a Xeon. They are 0 where they are read too, but for kernels with
// f16, whose conversions begin with them.
void KernelLowering::beginFlushing() {
  if (!e.shape.flushes)
    return;
  Type pointer = LLVM::LLVMPointerType::get(b.getContext()), i32 = b.getI32Type();
  constexpr int32_t flushToZero = 0x8000, denormalsAreZero = 0x40;
  bool hasHalves = llvm::any_of(kernel.getOperandsAttr().getAsRange<tile::OperandAttr>(),
                                [](tile::OperandAttr each) { return each.getStorage().isF16(); });
  int32_t bits = hasHalves ? flushToZero : flushToZero | denormalsAreZero;
  controlBefore = LLVM::AllocaOp::create(b, pointer, i32, e.i64(1), 4);
  Value control = LLVM::AllocaOp::create(b, pointer, i32, e.i64(1), 4);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86.sse.stmxcsr"), controlBefore);
  Value word = LLVM::LoadOp::create(b, i32, controlBefore, 4);
  word = arith::OrIOp::create(b, word, arith::ConstantIntOp::create(b, bits, 32));
  LLVM::StoreOp::create(b, word, control, 4);
  LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86.sse.ldmxcsr"), control);
}

void KernelLowering::endFlushing() {
  if (e.shape.flushes)
    LLVM::CallIntrinsicOp::create(b, b.getStringAttr("llvm.x86.sse.ldmxcsr"), controlBefore);
}

int64_t KernelLowering::innerAxis(Operation* op) {
  auto sequence = op->getParentOfType<tile::SequenceOp>();
  return sequence ? int64_t(sequence.getTimeAxis()) : 0;
}

//===-- workspace ----------------------------------------------------------------------------===//

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
  Value heads = LLVM::LoadOp::create(b, i64, gep(args, i64, e.i64(1)), 8);
  Value count = blockSize(min(entry->getArgument(1), heads), size);
  // The slack lets a vector of padding be read behind the last buffer.
  func::ReturnOp::create(b, add(mul(count, size), e.i64(e.tempBytes + 256)));
}

//===-- segments and sequences ---------------------------------------------------------------===//

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
        if (isa<tile::LoadOp>(op) || e.isWhole(op))
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
  auto savedPanels = e.panels;
  auto savedPairs = e.pairs;
  e.loop(blockStart, blockEnd, 1, {}, [&](Value item, ValueRange) {
    Value slot = arith::SubIOp::create(b, item, blockStart);
    e.itemSpace = gep(e.workspace, b.getI8Type(), add(tempSize, mul(slot, oneItemSize)));
    head = arith::SubIOp::create(b, item, firstItem);
    group = arith::DivUIOp::create(b, mul(head, groups), heads);
    if (innermost)
      emitPrefetch();
    e.emitBlock(rest, roots, Point(), Between());
    e.ahead = {};
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
  e.panels = std::move(savedPanels);
  e.pairs = std::move(savedPairs);
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
    if (tile > 1) {
      Value extent = min(e.i64(tile), arith::SubIOp::create(b, total, start));
      for (auto [label, positions] : tile::namesOfSteps(sequence))
        e.dynamicExtents[label] = positions == 1 ? extent : mul(extent, e.i64(positions));
    }
    auto outside = std::exchange(innermost, tile > 1 ? sequence : nullptr);
    emitRegion(sequence.getBlock());
    innermost = outside;
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

/// The items of a call, sequence by sequence; those of a sequence in blocks.
void KernelLowering::emitSequences(Value first, Value last) {
  Value step = blockSize(min(arith::SubIOp::create(b, last, first), heads), oneItemSize);
  Value divisor = arith::MaxSIOp::create(b, heads, e.i64(1)); // Without heads there are no items.
  Value begin = arith::DivSIOp::create(b, first, divisor);
  Value end = arith::CeilDivSIOp::create(b, last, divisor);
  e.loop(begin, end, 1, {}, [&](Value sequence, ValueRange) {
    enterSequence(sequence);
    Value from = arith::MaxSIOp::create(b, first, firstItem);
    Value to = min(last, add(firstItem, heads));
    auto blocks = scf::ForOp::create(b, from, to, step, ValueRange());
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(blocks.getBody());
    blockStart = blocks.getInductionVar();
    blockEnd = min(add(blockStart, step), to);
    Emitter::Scope scope(e);
    emitRegion(kernel.getBlock());
    return SmallVector<Value>();
  });
}

LogicalResult KernelLowering::run() {
  WalkResult rests = kernel->walk([](tile::StoreOp store) -> WalkResult {
    if (!store.getRest())
      return WalkResult::advance();
    return store.emitOpError() << "writes what rounding leaves, which this target does not";
  });
  if (rests.wasInterrupted())
    return failure();
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
  std::optional<Type> factors = kernel.getFactorType();
  e.roundsProducts = factors && factors->isBF16();
  findProducts(kernel, e.roundsProducts && e.shape.pairs != PairUnit::None, e.products,
               e.readAlong);
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
  beginFlushing();
  // Patched when all buffers are known.
  tempSize = e.i64(0);
  Value fixed = e.i64(0);
  oneItemSize = itemSize({times[0], times[1]}, fixed);
  emitSequences(entry->getArgument(1), entry->getArgument(2));
  endFlushing();
  func::ReturnOp::create(b, arith::ConstantIntOp::create(b, 0, 32).getResult());
  auto patch = [&](Value constant, int64_t value) {
    constant.getDefiningOp<arith::ConstantOp>().setValueAttr(b.getI64IntegerAttr(value));
  };
  patch(tempSize, e.tempBytes);
  patch(fixed, e.itemBytes);
  if (e.tempBytes > INT32_MAX || e.itemBytes > INT32_MAX) {
    emitError(kernel.getLoc())
        << "a kernel of these sizes needs "
        << llvm::divideCeil(std::max(e.tempBytes, e.itemBytes), int64_t(1) << 30)
        << " GiB of memory for one sequence and head, expected at most 2 GiB: smaller dims, or "
           "another --form or --chunk, need less";
    kernel->getParentOfType<ModuleOp>()->setAttr(refusedAttr, b.getUnitAttr());
    return failure();
  }
  emitWorkspaceFunction();
  return success();
}

LogicalResult ssmc::cpu::lowerKernel(tile::KernelOp kernel, Shape shape) {
  ImplicitLocOpBuilder b(kernel.getLoc(), kernel);
  return KernelLowering(kernel, b, shape).run();
}
