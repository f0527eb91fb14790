// A kernel to its function: items, operands, sequences.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;
using tile::Role;

bool simt::lowersSteps(Operation* op, bool multipliesPairs) {
  if (op->getParentOfType<ssm::FoldOp>())
    return false;
  auto gram = dyn_cast<ssm::GramOp>(op);
  auto apply = dyn_cast<ssm::ApplyOp>(op);
  auto solve = dyn_cast<ssm::SolveOp>(op);
  return isa<ssm::ShiftOp>(op) || (gram && lowersGram(gram)) ||
         (multipliesPairs && ((apply && lowersApply(apply)) || (solve && lowersInverse(solve))));
}

//===-- entry --------------------------------------------------------------------------------===//

void KernelEmitter::emitEntry() {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext(), machine.globalSpace());
  SmallVector<Type> parameters(5, b.getI64Type());
  parameters.append(2, pointer);
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())
    if (operand.getRole() != Role::Row) {
      parameters.push_back(pointer);
      parameters.append(4, b.getI64Type());
    }
  auto function =
      func::FuncOp::create(b, kernel.getSymName(), b.getFunctionType(parameters, TypeRange()));
  Block* entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  auto argument = entry->args_begin();
  auto next = [&]() -> Value { return *argument++; };
  next(); // The batch is known by the grid.
  heads = next();
  groups = next();
  times[0] = next();
  times[1] = next();
  offsets = next();
  workspace = next();
  for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>()) {
    pointers.push_back({});
    strides.push_back({});
    if (operand.getRole() == Role::Row)
      continue;
    pointers.back() = next();
    for (int i = 0; i < 4; ++i)
      strides.back().push_back(next());
  }
  origins.resize(pointers.size());

  thread = machine.thread(b);
  shared = machine.shared(b);
  Value block = arith::ExtUIOp::create(b, b.getI64Type(), machine.block(b, 0));
  Value item = block;
  if (slice.parts > 1) {
    item = arith::DivUIOp::create(b, block, i64(slice.parts));
    Value part = arith::RemUIOp::create(b, block, i64(slice.parts));
    sliceStart = arith::MulIOp::create(b, part, i64(slice.size));
    isFirstSlice = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, part, i64(0));
  }
  info.isOfGroups = tile::isOfGroups(kernel);
  Value each = info.isOfGroups ? groups : heads;
  sequence = arith::DivUIOp::create(b, item, each);
  if (info.isOfGroups) {
    group = arith::RemUIOp::create(b, item, each);
  } else {
    head = arith::RemUIOp::create(b, item, each);
    group = arith::DivUIOp::create(b, arith::MulIOp::create(b, head, groups), heads);
  }

  // Each block's part of the workspace: places, then rings of rows.
  Value row = arith::ExtUIOp::create(b, b.getI64Type(), machine.block(b, 1));
  Value columns = arith::ExtUIOp::create(b, b.getI64Type(), machine.blocks(b, 0));
  Value number = arith::AddIOp::create(b, arith::MulIOp::create(b, row, columns), block);
  Value bytes = i64(0);
  workspaceBytes = bytes.getDefiningOp();
  Value all = bytes;
  for (auto& [index, ring] : rings)
    info.workspacePerColumn += ring.rows * ring.elements * 4;
  if (info.workspacePerColumn)
    all = arith::AddIOp::create(b, bytes,
                                arith::MulIOp::create(b, times[1], i64(info.workspacePerColumn)));
  blockSpace = gep(workspace, b.getI8Type(), arith::MulIOp::create(b, number, all));
  ringBase = gep(blockSpace, b.getI8Type(), bytes);

  enterSequence();
  // (Places are addressed at the top, so that they are known everywhere.)
  Operation* end = arith::ConstantIntOp::create(b, 0, 32).getOperation();
  entryPoint = {entry, end->getIterator()};
}

void KernelEmitter::enterSequence() {
  bool twoAxes = false;
  int64_t tile = 1;
  kernel->walk([&](tile::SequenceOp op) {
    twoAxes |= op.getTimeAxis() != 0;
    tile = op.getTileSize();
  });
  Value entry = sequence, start;
  if (!twoAxes) {
    Value null = LLVM::ZeroOp::create(b, offsets.getType());
    packed = LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, offsets, null);
    SmallVector<Value> known = choose(
        packed,
        [&] {
          Value at = gep(offsets, b.getI64Type(), sequence);
          Value first = LLVM::LoadOp::create(b, b.getI64Type(), at, 8);
          Value last = LLVM::LoadOp::create(b, b.getI64Type(), gep(at, b.getI64Type(), i64(1)), 8);
          return SmallVector<Value>{i64(0), first, arith::SubIOp::create(b, last, first)};
        },
        [&] { return SmallVector<Value>{sequence, i64(0), times[0]}; });
    entry = known[0];
    start = known[1];
    times[0] = known[2];
  }
  for (auto [index, operand] :
       llvm::enumerate(kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())) {
    Role role = operand.getRole();
    if (role == Role::Row || role == Role::Param)
      continue;
    bool isState = role == Role::StateIn || role == Role::StateOut;
    origins[index] = arith::MulIOp::create(b, isState ? sequence : entry, strides[index][0]);
    if (isState || twoAxes)
      continue;
    Value row = start;
    // No two sequences share a chunk: one more for each makes room for the parts at their ends.
    if (role == Role::ChunkTemp)
      row = arith::AddIOp::create(b, arith::DivUIOp::create(b, start, i64(tile)),
                                  arith::SubIOp::create(b, sequence, entry));
    origins[index] =
        arith::AddIOp::create(b, origins[index], arith::MulIOp::create(b, row, strides[index][1]));
  }
}

//===-- operands -----------------------------------------------------------------------------===//

static bool isTimed(Role role) {
  return role == Role::In || role == Role::Out || role == Role::Temp;
}

/// Whether the rows of a kernel of two time axes are taken from the last to the first.
static bool takesRowsBackwards(Operation* op) {
  bool reverse = false;
  for (Operation* parent = op; (parent = parent->getParentOp());)
    if (auto outer = dyn_cast<tile::SequenceOp>(parent); outer && outer.getTimeAxis() == 0)
      reverse = outer.getReverse();
  return reverse;
}

Buffer KernelEmitter::userBuffer(Operation* op, int index, tile::Part part, Type element,
                                 int64_t row) {
  tile::OperandAttr operand = kernel.getOperandAt(index);
  Role role = operand.getRole();
  Buffer buffer;
  buffer.element = element;
  auto complex = dyn_cast<ComplexType>(operand.getStorage());
  buffer.storage = role == Role::Row ? b.getF32Type()
                   : complex         ? complex.getElementType()
                                     : operand.getStorage();
  int64_t unit = complex ? 2 : 1, stride = unit;
  SmallVector<Dim> dims;
  Value partStart;
  for (ssm::AxisAttr axis : llvm::reverse(operand.getAxes())) {
    dims.push_back({axis.getName(), axis.getSize(), stride, Value()});
    if (sliceStart && axis.getName() == slice.label)
      partStart = arith::MulIOp::create(b, sliceStart, i64(stride));
    stride *= axis.getSize();
  }
  auto around = op->getParentOfType<tile::SequenceOp>();
  bool lifted = around && around.getTileSize() > 1;
  Value offset = origins[index];
  auto accumulate = [&](Value count, Value by) {
    Value term = arith::MulIOp::create(b, count, by);
    offset = offset ? arith::AddIOp::create(b, offset, term).getResult() : term;
  };
  if (role == Role::Row) {
    // Rings lie one after the other, each `rows` rows of all columns.
    Ring& ring = rings[index];
    int64_t before = 0;
    for (auto& [other, one] : rings)
      before += other < index ? one.rows * one.elements * 4 : 0;
    buffer.base = gep(ringBase, b.getI8Type(), arith::MulIOp::create(b, times[1], i64(before)));
    bool reverse = takesRowsBackwards(op);
    Value y =
        arith::AddIOp::create(b, timeStarts[0], i64(reverse ? row : ring.rows - row % ring.rows));
    Value slot = arith::RemSIOp::create(b, y, i64(ring.rows));
    offset = Value();
    accumulate(arith::MulIOp::create(b, slot, times[1]), i64(ring.elements));
    accumulate(timeStarts[1], i64(ring.elements));
    if (lifted)
      dims.push_back({around.getAxis().getName(), around.getTileSize(), ring.elements, Value()});
  } else {
    buffer.base = pointers[index];
    if (isTimed(role))
      for (auto [axis, start] : timeStarts)
        accumulate(start, strides[index][1 + axis]);
    if (role == Role::ChunkTemp)
      accumulate(arith::DivUIOp::create(b, timeStarts[0], i64(around.getTileSize())),
                 strides[index][1]);
    if (operand.getScope() != ssm::Scope::Shared)
      accumulate(operand.getScope() == ssm::Scope::Group ? group : head, strides[index][3]);
    if (complex && offset)
      offset = arith::MulIOp::create(b, offset, i64(2));
    if (isTimed(role) && lifted) {
      Value step = strides[index][1 + around.getTimeAxis()];
      if (complex)
        step = arith::MulIOp::create(b, step, i64(2));
      dims.push_back({around.getAxis().getName(), around.getTileSize(), 1, step});
    }
  }
  if (partStart)
    offset = offset ? arith::AddIOp::create(b, offset, partStart).getResult() : partStart;
  if (part == tile::Part::Im)
    offset = offset ? arith::AddIOp::create(b, offset, i64(1)).getResult() : i64(1);
  if (offset)
    buffer.base =
        gep(buffer.base, buffer.storage.isInteger(1) ? b.getI8Type() : buffer.storage, offset);
  buffer.dims.assign(dims.rbegin(), dims.rend());
  // (An array of a chunk's own, of which there are whole multiples of 16 bytes.)
  buffer.isAligned = role == Role::ChunkTemp && !complex && !partStart &&
                     stride * buffer.storage.getIntOrFloatBitWidth() % 128 == 0;
  return buffer;
}

Value KernelEmitter::isPresent(Operation* op, int index, int64_t row) {
  Role role = kernel.getOperandAt(index).getRole();
  if (role == Role::StateIn || role == Role::StateOut) {
    Value null = LLVM::ZeroOp::create(b, pointers[index].getType());
    return LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ne, pointers[index], null);
  }
  if (role != Role::Row || row == 0)
    return {};
  Value y = timeStarts[0];
  if (takesRowsBackwards(op))
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                 arith::AddIOp::create(b, y, i64(row)), times[0]);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::sge, y, i64(row));
}

Value KernelEmitter::loadOperand(tile::LoadOp op, const Point& point) {
  int index = kernel.findLoaded(op.getName());
  int64_t row = op.getRow().value_or(0);
  Type element = arrayType(op.getResult()).getElementType();
  // Steps that do not exist are not read: the last one is, in their place.
  Point inside = point;
  for (ssm::AxisAttr axis : arrayType(op.getResult()).getAxes())
    if (isPartial(axis.getName())) {
      const Index* at = point.find(axis.getName());
      if (!at->dynamic && at->constant == 0)
        continue;
      Value last = arith::SubIOp::create(b, partialExtents[axis.getName()], i32(1));
      inside.set(axis.getName(), {arith::MinSIOp::create(b, indexValue(*at), last), 0});
    }
  auto read = [&] { return load(userBuffer(op, index, op.getPart(), element, row), inside); };
  Value present = isPresent(op, index, row);
  if (!present)
    return read();
  return choose(
             present, [&] { return SmallVector<Value>{read()}; },
             [&] {
               if (op.getOtherwise())
                 return SmallVector<Value>{evaluate(op.getOtherwise(), point)};
               if (element.isInteger())
                 return SmallVector<Value>{
                     arith::ConstantOp::create(b, b.getIntegerAttr(element, 0)).getResult()};
               return SmallVector<Value>{
                   arith::ConstantOp::create(b, b.getF32FloatAttr(0)).getResult()};
             })
      .front();
}

//===-- sequences ----------------------------------------------------------------------------===//

SmallVector<Result> KernelEmitter::emitCarried(Block* block, ValueRange inits, ValueRange results,
                                               ValueRange yields, const HeldFold& held) {
  SmallVector<Result> carried;
  SmallVector<std::pair<Value, Buffer>> made;
  for (auto [i, argument, init, result, yield] :
       llvm::enumerate(block->getArguments(), inits, results, yields)) {
    if (llvm::any_of(held.carried, [&](auto entry) { return entry.first == i; }))
      continue;
    carried.push_back({yield, makeBuffer(arrayType(argument))});
    for (Value value : {Value(argument), Value(result)})
      made.push_back({value, carried.back().target});
    Scope scope(*this);
    emitResult({init, carried.back().target});
  }
  for (auto& [value, buffer] : made)
    buffers[value] = buffer;
  if (!carried.empty())
    barrier();
  return carried;
}

void KernelEmitter::emitSequence(tile::SequenceOp op) {
  int64_t axis = op.getTimeAxis(), tile = op.getTileSize();
  auto yield = cast<tile::YieldOp>(op.getBlock()->getTerminator());
  HeldFold held;
  if (op->getParentOp() == kernel)
    held = findHeldFold(op);
  if (held.fold && !planHeldFold(held, limits.threads, machine.lanes()))
    held = {};
  SmallVector<Result> carried =
      emitCarried(op.getBlock(), op.getInits(), op.getResults(), yield.getValues(), held);
  SmallVector<Value> inits;
  if (held.fold) {
    info.residentBlocks = held.blocks;
    inits = beginHeld(op, held);
    heldFolds[held.fold] = &held;
  }
  Value total = times[axis];
  Value count =
      arith::DivSIOp::create(b, arith::AddIOp::create(b, total, i64(tile - 1)), i64(tile));
  // Tiles that do not wait for each other are shared among blocks.
  bool alone = op->getParentOp() == kernel && op.getInits().empty() && rings.empty() &&
               llvm::hasSingleElement(kernel.getBlock()->getOps<tile::SequenceOp>());
  Value first = i64(0), step = i64(1);
  if (alone) {
    info.sharedTile = tile;
    first = arith::ExtUIOp::create(b, b.getI64Type(), machine.block(b, 1));
    step = arith::ExtUIOp::create(b, b.getI64Type(), machine.blocks(b, 1));
  }
  auto savedStarts = timeStarts;
  auto savedExtents = partialExtents;
  auto savedSteps = stepLabels;
  if (tile > 1)
    for (auto [label, positions] : tile::namesOfSteps(op))
      stepLabels.insert(label);
  // (Where blocks share a processor, products of one overlap with what is not one of another.)
  inPanels = ownsProcessor && machine.hasGroups() && limits.threads % 128 == 0 &&
             llvm::any_of(products, [&](const auto& one) {
               return one.first->getBlock() == op.getBlock() && !rowsForGroups(one.first).empty();
             });
  std::vector<Staged> staged = planStaging(op);
  // Where the tile of a number begins, by the order in which tiles are taken.
  auto startOf = [&](Value number) -> Value {
    if (op.getReverse())
      number = arith::SubIOp::create(b, arith::SubIOp::create(b, count, i64(1)), number);
    return arith::MulIOp::create(b, number, i64(tile));
  };
  auto parityOf = [&](Value number) -> Value {
    Value turn = arith::DivSIOp::create(b, arith::SubIOp::create(b, number, first), step);
    return arith::TruncIOp::create(b, b.getI32Type(), arith::AndIOp::create(b, turn, i64(1)));
  };
  auto isWholeTile = [&](Value number) -> Value {
    Value rest = arith::SubIOp::create(b, total, startOf(number));
    Value whole = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, rest, i64(tile));
    Value there = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, count);
    return arith::AndIOp::create(b, whole, there);
  };
  // All of a tile's operands, at once.
  auto stageNow = [&](Value number) {
    if (staged.empty())
      return;
    when(isWholeTile(number), [&] {
      timeStarts[axis] = startOf(number);
      beginStaging(staged, parityOf(number));
      finishStaging(staged, parityOf(number));
    });
  };
  stageNow(first);
  enterLoop();
  SmallVector<Value> last = loop(first, count, step, inits, [&](Value counter, ValueRange values) {
    if (held.fold)
      hold(op, held, values);
    Value start = startOf(counter);
    timeStarts[axis] = start;
    if (tile == 1) {
      emitBlock(op.getBlock(), carried, {});
      return held.elements();
    }
    // Whole tiles and the last one, which may be partial, have code of their own: in the first
    // nothing asks which steps there are.
    Value rest = arith::SubIOp::create(b, total, start);
    Value isWhole = arith::CmpIOp::create(b, arith::CmpIPredicate::sge, rest, i64(tile));
    auto savedBuffers = buffers;
    Value next = arith::AddIOp::create(b, counter, step);
    auto emitWhole = [&] {
      if (staged.empty()) {
        emitBlock(op.getBlock(), carried, {});
        return held.elements();
      }
      machine.waitForCopies(b);
      barrier();
      Value parity = parityOf(counter);
      for (Staged& one : staged)
        buffers[one.load.getResult()] = slotOf(one, parity);
      // Beyond the last whole tile this one is brought in again, where nobody reads it.
      Value ahead = arith::SelectOp::create(b, isWholeTile(next), next, counter);
      Value other = arith::SubIOp::create(b, i32(1), parity);
      timeStarts[axis] = startOf(ahead);
      beginStaging(staged, other);
      timeStarts[axis] = start;
      emitBlock(op.getBlock(), carried, {});
      finishStaging(staged, other);
      return held.elements();
    };
    auto emitPart = [&] {
      buffers = savedBuffers;
      if (held.fold)
        hold(op, held, values);
      Value extent = arith::TruncIOp::create(b, b.getI32Type(), rest);
      for (auto [label, positions] : tile::namesOfSteps(op))
        partialExtents[label] =
            positions == 1 ? extent : arith::MulIOp::create(b, extent, i32(positions)).getResult();
      emitBlock(op.getBlock(), carried, {});
      // The first tile of those that are taken from the last.
      if (op.getReverse()) {
        partialExtents = savedExtents;
        stageNow(next);
        timeStarts[axis] = start;
      }
      return held.elements();
    };
    SmallVector<Value> carriedOn = choose(isWhole, emitWhole, emitPart);
    buffers = std::move(savedBuffers);
    partialExtents = savedExtents;
    return carriedOn;
  });
  // What was asked for beyond the last tile still writes to its place, which may be another's next.
  if (!staged.empty()) {
    machine.waitForCopies(b);
    barrier();
  }
  leaveLoop();
  stepLabels = std::move(savedSteps);
  timeStarts = savedStarts;
  partialExtents = savedExtents;
  if (held.fold) {
    // (Not every target gives the results of a loop that is never entered their first values.)
    Value isEntered = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, first, count);
    for (auto [value, init] : llvm::zip(last, inits))
      value = arith::SelectOp::create(b, isEntered, value, init);
    hold(op, held, last);
    heldFolds.erase(held.fold);
    endHeld(op, held);
  }
}

//===-- kernels ------------------------------------------------------------------------------===//

void KernelEmitter::run(const llvm::DenseSet<int>& away) {
  inWorkspace = away;
  info = {};
  info.name = kernel.getSymName().str();
  info.threads = limits.threads;
  info.slices = slice.parts;
  info.holdsColumns = columns.warps > 0;
  kernel->walk([&](tile::LoadOp load) {
    int index = kernel.findLoaded(load.getName());
    tile::OperandAttr operand = kernel.getOperandAt(index);
    if (operand.getRole() != Role::Row)
      return;
    Ring& ring = rings[index];
    ring.rows = std::max<int64_t>(ring.rows, load.getRow().value_or(0) + 1);
    ring.elements = isa<ComplexType>(operand.getStorage()) ? 2 : 1;
    for (ssm::AxisAttr axis : operand.getAxes())
      ring.elements *= axis.getSize();
  });
  b.setInsertionPoint(kernel);
  emitEntry();
  nought = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  bool buildsOnLayout = columns.warps || kernel
                                             ->walk([](Operation* op) {
                                               return isa<ssm::SolveOp, ssm::ApplyOp>(op)
                                                          ? WalkResult::interrupt()
                                                          : WalkResult::advance();
                                             })
                                             .wasInterrupted();
  if (roundsProducts && machine.hasFragmentLayout() && buildsOnLayout)
    checkLayout();
  if (columns.warps && machine.hasPairs())
    emitColumns();
  else if (columns.warps)
    emitMatrixColumns();
  else
    emitBlock(kernel.getBlock(), {}, {});
  func::ReturnOp::create(b);
}

/// Blocks of a processor below which none takes room for a tile ahead, if tiles wait for none.
static constexpr int64_t fewestBlocks = 3;
/// Blocks of a processor that have to share its registers, where tiles wait for none: of kernels
/// that multiply, which hold sums, and of others, which mostly wait for memory.
static constexpr int64_t mostResident = 4, mostWaiting = 8;
/// Ops of short folds with all steps written out: more than the first do not stay in the cache of
/// instructions from one tile to the next; then there are no more than the second.
static constexpr int64_t mostCached = 8000, fewCached = 1600;

FailureOr<KernelInfo> simt::lowerKernel(tile::KernelOp kernel, const Machine& machine,
                                        const Limits& limits) {
  WalkResult walked = kernel->walk([&](Operation* op) {
    if (!isOverSteps(op) || lowersSteps(op, machine.multipliesPairs()))
      return WalkResult::advance();
    op->emitOpError("is to be expanded before it is lowered to threads");
    return WalkResult::interrupt();
  });
  if (walked.wasInterrupted())
    return failure();
  llvm::DenseSet<int> inWorkspace;
  bool isShared = llvm::all_of(kernel.getBlock()->getOps<tile::SequenceOp>(),
                               [](tile::SequenceOp op) { return op.getInits().empty(); });
  bool stagesAhead = machine.hasCopies();
  std::optional<Type> factors = kernel.getFactorType();
  bool roundsProducts =
      factors && factors->isBF16() && (machine.hasPairs() || machine.matrices().has_value());
  ProductMap products;
  llvm::StringMap<int64_t> readAlong;
  bool hasColumns = kernel.getColumns() && roundsProducts;
  Slice slice = hasColumns ? chooseColumns(kernel, machine, limits)
                           : chooseHeldSlice(kernel, limits, machine.lanes());
  if (slice.label.empty())
    slice = chooseSlice(kernel, limits);
  applySlice(kernel, slice);
  std::vector<Columns> ways;
  if (hasColumns)
    ways = columnsOf(kernel, slice, machine, limits);
  for (const Columns& columns : ways) {
    ImplicitLocOpBuilder b(kernel.getLoc(), kernel);
    Limits wide = limits;
    wide.threads = columns.threads();
    KernelEmitter emitter(kernel, b, machine, wide, slice, products, roundsProducts, stagesAhead,
                          /*ownsProcessor=*/true, columns);
    emitter.run(inWorkspace);
    if (emitter.pack(inWorkspace))
      return emitter.info;
    // Two chunks do not fit: in the end as any other kernel.
    inWorkspace.clear();
    kernel->getPrevNode()->erase();
  }
  arrangeForThreads(kernel, limits.threads, machine.lanes(),
                    /*joinsProducts=*/roundsProducts && machine.hasPairs());
  findProducts(kernel, roundsProducts, products, readAlong);
  bool multiplies = kernel
                        ->walk([](Operation* op) {
                          return isa<ssm::SumOp, ssm::GramOp, ssm::ApplyOp>(op)
                                     ? WalkResult::interrupt()
                                     : WalkResult::advance();
                        })
                        .wasInterrupted();
  Limits sized = limits;
  bool ownsProcessor = false;
  int64_t mostAsked = 0, bytesAsking = 0;
  int64_t mostWritten = INT64_MAX;
  // What was emitted, and which of its places were to move, where it is to be otherwise.
  auto discard = [&] {
    inWorkspace.clear();
    kernel->getPrevNode()->erase();
  };
  for (;;) {
    ImplicitLocOpBuilder b(kernel.getLoc(), kernel);
    KernelEmitter emitter(kernel, b, machine, sized, slice, products, roundsProducts, stagesAhead,
                          ownsProcessor, Columns(), mostAsked, mostWritten);
    emitter.run(inWorkspace);
    if (emitter.written > mostCached) {
      mostWritten = fewCached;
      discard();
      continue;
    }
    size_t moved = inWorkspace.size();
    if (emitter.pack(inWorkspace)) {
      // What fits of half as many columns is nearer than a workspace: blocks do twice what they
      // share for it.
      if (!inWorkspace.empty() && hasColumns && machine.matrices() &&
          slice.size % (2 * fewestColumns) == 0) {
        slice.halve();
        applySlice(kernel, slice);
        discard();
        continue;
      }
      // Where tiles wait for none, other blocks have work while one waits for its operands: room
      // for several counts more than a tile ahead.
      if (isShared && stagesAhead && fewestBlocks * emitter.info.sharedBytes > limits.sharedBytes) {
        stagesAhead = false;
        discard();
        continue;
      }
      if (ownsProcessor || !machine.hasCopies() ||
          2 * emitter.info.sharedBytes <= limits.sharedBytes) {
        if (isShared)
          emitter.info.residentBlocks = std::clamp<int64_t>(
              limits.sharedBytes / std::max<int64_t>(emitter.info.sharedBytes, 1), 1,
              multiplies ? mostResident : mostWaiting);
        return emitter.info;
      }
      // One block a processor: with more threads, as no other block has work while this one waits.
      ownsProcessor = true;
      mostAsked = limits.sharedBytes;
      if (isShared && roundsProducts)
        sized.threads *= 2;
      discard();
      continue;
    }
    // (What is asked for before it is needed must not be in anything's way. Places do not lie as
    // close as their bytes would have it.)
    // (Where asking for less has changed nothing there is nothing to ask for.)
    if (mostAsked) {
      bool isAsBefore = bytesAsking == emitter.info.sharedBytes;
      bytesAsking = emitter.info.sharedBytes;
      mostAsked -= bytesAsking - limits.sharedBytes;
      if (isAsBefore || mostAsked < limits.sharedBytes / 4 * 3)
        mostAsked = 0;
      discard();
      continue;
    }
    if (!stagesAhead && inWorkspace.size() == moved)
      return kernel.emitOpError("needs more shared memory than a block has");
    // What was emitted is thrown away: the next try brings in no tile ahead, those after it have
    // one place more outside each.
    if (stagesAhead) {
      stagesAhead = false;
      inWorkspace.clear();
    }
    Operation* function = kernel->getPrevNode();
    function->erase();
  }
}
