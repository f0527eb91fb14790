// Products by the machine's units for pairs of bf16: tiles of 16 x 8 with sums in f32, held by a
// warp of 32 threads.
//
// A thread holds pairs along the label that is summed: of the left side rows r and r + 8 at columns
// c and c + 8, of the right side columns c and c + 8 at lane r, of the sums rows r and r + 8 at
// lanes c and c + 1, where r is the thread's number in the warp over four and c twice what is left.
// Elements come from wherever they are, computed on the way if need be; only pairs that lie side by
// side as bf16 are read as such.
//
// What is made of the sums element by element is made where they are, in registers: `root` may be
// any pointwise value that several products of one shape flow into.
#include "dialects/SSM/SSMRenaming.h"
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

static constexpr size_t readAtOnce = 8; ///< elements that are read before the first is written

bool KernelEmitter::usesPairs(Operation* op) {
  auto found = products.find(op);
  if (!roundsProducts || !machine.hasPairs() || found == products.end() ||
      found->second.reduced.size() != 1)
    return false;
  const Product& product = found->second;
  StringRef reduced = product.reduced.front();
  auto left = arrayType(product.left), right = arrayType(product.right);
  return left.has(reduced) && right.has(reduced) &&
         left.find(reduced).getSize() >= fewestPositions &&
         left.find(product.row).getSize() >= fewestPositions &&
         right.find(product.lane).getSize() >= fewestPositions;
}

void KernelEmitter::productsOf(Value value, SmallVectorImpl<Operation*>& found, bool isRoot) {
  Operation* op = value.getDefiningOp();
  if (!op || buffers.contains(value) || llvm::is_contained(found, op))
    return;
  if ((usesPairs(op) || usesMatrices(op) || usesBlocks(op)) && (isRoot || fused.contains(op))) {
    found.push_back(op);
    return;
  }
  if (isReduction(op) || op->getNumRegions() || isa<tile::LoadOp>(op))
    return;
  for (Value operand : op->getOperands())
    productsOf(operand, found, false);
}

void KernelEmitter::emitElements(Value root, ArrayRef<ssm::AxisAttr> axes, Finish finish,
                                 const Buffer* target) {
  SmallVector<Operation*> sums;
  productsOf(root, sums, /*isRoot=*/true);
  if (sums.empty())
    dealElements(root, axes, finish);
  else if (roundsProducts && machine.hasPairs())
    emitProducts(sums, axes, {{root, finish}});
  else if (!emitMatrices(root, sums, axes, target, finish))
    emitBlocks(root, sums, axes, finish);
}

SmallVector<ssm::AxisAttr> simt::takeOut(ArrayRef<ssm::AxisAttr> axes, StringRef row,
                                         StringRef lane, ssm::AxisAttr& rowAxis,
                                         ssm::AxisAttr& laneAxis) {
  SmallVector<ssm::AxisAttr> others;
  for (ssm::AxisAttr axis : axes)
    (axis.getName() == row    ? rowAxis
     : axis.getName() == lane ? laneAxis
                              : others.emplace_back()) = axis;
  return others;
}

WarpTile simt::chooseWarpTile(int64_t rowTiles, int64_t laneTiles, int64_t warps,
                              llvm::function_ref<std::optional<int64_t>(int64_t, int64_t)> cost) {
  WarpTile best;
  int64_t least = INT64_MAX;
  for (int64_t rows : {1, 2, 4})
    for (int64_t lanes : {1, 2, 4, 8}) {
      std::optional<int64_t> each = cost(rows, lanes);
      if (!each)
        continue;
      int64_t tasks = llvm::divideCeil(rowTiles, rows) * llvm::divideCeil(laneTiles, lanes);
      int64_t all = int64_t(llvm::divideCeil(tasks, warps)) * *each;
      if (all < least) {
        least = all;
        best = {rows, lanes};
      }
    }
  return best;
}

/// Tiles of 16 x 8: a tile's products take about 8 cycles, what is read for them twice as long from
/// where it is as from tiles of bf16, of which two are read at once.
static WarpTile chooseTile(int64_t rows, int64_t lanes, int64_t warps, int64_t products,
                           bool fromTiles) {
  int64_t rowTiles = llvm::divideCeil(rows, 16), laneTiles = llvm::divideCeil(lanes, 8);
  return chooseWarpTile(
      rowTiles, laneTiles, warps, [&](int64_t a, int64_t b) -> std::optional<int64_t> {
        if (a * b * 4 * products > 96 || a > rowTiles || b > laneTiles || (fromTiles && b == 1))
          return {};
        return 8 * a * b + (fromTiles ? 8 : 16) * (2 * a + b) / 2;
      });
}

KernelEmitter::Pair KernelEmitter::roundedPair(Value low, Value high, bool wantsRest) {
  if (!wantsRest)
    return {machine.roundPair(b, low, high), Value()};
  // (What is cut off is kept, and of that less than a part in 2^15 is lost in all.)
  auto round = [&](Value x, Value y) -> Value {
    if (machine.roundsInOne())
      return machine.roundPair(b, x, y);
    auto bits = [&](Value of) -> Value { return arith::BitcastOp::create(b, b.getI32Type(), of); };
    return arith::OrIOp::create(b, arith::ShRUIOp::create(b, bits(x), i32(16)),
                                arith::AndIOp::create(b, bits(y), i32(int32_t(0xffff0000))));
  };
  Pair made{round(low, high), Value()};
  Value lower = halfOf(made.value, /*upper=*/false), upper = halfOf(made.value, /*upper=*/true);
  Value fromLow = arith::SubFOp::create(b, low, lower);
  Value fromHigh = arith::SubFOp::create(b, high, upper);
  made.rest = round(fromLow, fromHigh);
  return made;
}

Value KernelEmitter::halfOf(Value pair, bool upper) {
  Value bits = upper ? arith::AndIOp::create(b, pair, i32(int32_t(0xffff0000))).getResult()
                     : arith::ShLIOp::create(b, pair, i32(16)).getResult();
  return arith::BitcastOp::create(b, b.getF32Type(), bits);
}

Value KernelEmitter::restOf(Value value) {
  Value pair = machine.roundPair(b, value, value);
  return arith::SubFOp::create(b, value, halfOf(pair, /*upper=*/false));
}

//===-- sides in memory as bf16 --------------------------------------------------------------===//

StringRef simt::nameBelow(ssm::RelabelOp relabel, StringRef label) {
  for (auto [from, to] : llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
    if (to == label)
      return from;
  return label;
}

KernelEmitter::Side KernelEmitter::sideOf(Value value, StringRef kept, StringRef reduced) {
  Side side{value, kept, reduced, {}};
  while (auto relabel = ssm::asRenaming(side.base)) {
    side.renamings.push_back(relabel);
    side.kept = nameBelow(relabel, side.kept);
    side.reduced = nameBelow(relabel, side.reduced);
    side.base = relabel.getOperand();
  }
  return side;
}

Point KernelEmitter::pointBelow(const Side& side, Point point) {
  for (Operation* relabel : side.renamings)
    point = operandPoint(relabel, point);
  return point;
}

bool KernelEmitter::usesTiles(Operation* sum) {
  if (usesMatrices(sum))
    return true;
  if (!usesPairs(sum))
    return false;
  const Product& product = products.find(sum)->second;
  StringRef reduced = product.reduced.front();
  for (auto [value, kept] : {std::pair(product.left, product.row), {product.right, product.lane}}) {
    ssm::ArrayType type = arrayType(value);
    for (ssm::AxisAttr axis : type.getAxes()) {
      if (isPartial(axis.getName()))
        return false;
      if ((axis.getName() == kept || axis.getName() == reduced) && axis.getSize() % 16)
        return false;
    }
  }
  return true;
}

std::pair<Value, Value> simt::storedPairOf(Value value) {
  auto add = value.getDefiningOp<ssm::AddOp>();
  if (!add || add.getLhs().getType() != add.getRhs().getType())
    return {};
  auto isStored = [](Value part) {
    return part.getDefiningOp<tile::LoadOp>() && isStoredAsBF16(part);
  };
  return isStored(add.getLhs()) && isStored(add.getRhs())
             ? std::pair<Value, Value>(add.getLhs(), add.getRhs())
             : std::pair<Value, Value>();
}

const Buffer* KernelEmitter::tileBuffer(const Side& side, bool rest) {
  const Buffer* buffer = nullptr;
  if (auto [high, low] = storedPairOf(side.base); high) {
    if (auto found = buffers.find(rest ? low : high); found != buffers.end())
      buffer = &found->second;
  } else if (auto found = operands.find({side.base.getAsOpaquePointer(), rest});
             found != operands.end())
    buffer = &found->second;
  else if (auto found = buffers.find(side.base); found != buffers.end() && !rest)
    buffer = &found->second;
  // (Tiles are read from the block's own memory alone, matrices from the workspace too.)
  if (!buffer || buffer->id < 0 || !buffer->storage.isBF16() ||
      (inWorkspace.contains(buffer->id) && !machine.matrices()))
    return nullptr;
  bool found = false;
  for (const Dim& dim : buffer->dims) {
    if (dim.stride == 1 && dim.extent % 8 == 0 &&
        (dim.label == side.kept || dim.label == side.reduced))
      found = true;
    else if (dim.stride % 8)
      return nullptr;
  }
  return found ? buffer : nullptr;
}

SmallVector<Value> KernelEmitter::loadFragment(const Side& side, bool rest, const Point& others,
                                               Index first, Index column, bool isRight) {
  const Buffer& buffer = *tileBuffer(side, rest);
  bool transposed = false;
  for (const Dim& dim : buffer.dims)
    transposed |= dim.stride == 1 && dim.label == side.kept;
  return loadFragmentOf(buffer, transposed, side.kept, side.reduced, pointBelow(side, others),
                        first, column, isRight);
}

SmallVector<Value> KernelEmitter::loadFragmentOf(const Buffer& buffer, bool transposed,
                                                 StringRef kept, StringRef reduced,
                                                 const Point& others, Index first, Index column,
                                                 bool isRight) {
  touch(buffer);
  if (!machine.hasPairs()) {
    Point at = others;
    at.set(kept, first);
    at.set(reduced, column);
    SmallVector<Value> four = machine.splitSide(b, loadMatrix(buffer, kept, reduced, at, isRight));
    if (!isRight)
      std::swap(four[1], four[2]);
    return four;
  }
  // Thread 8 i + r: row r of tile i; of the four the second is 8 down, the third 8 across, or, for
  // a right side, the other way round: what a product reads lies in registers side by side.
  Value inWarp = arith::RemUIOp::create(b, thread, i32(32));
  Value r = arith::RemUIOp::create(b, inWarp, i32(8));
  Value i = arith::DivUIOp::create(b, inWarp, i32(8));
  Value down = arith::MulIOp::create(b, arith::RemUIOp::create(b, i, i32(2)), i32(8));
  Value across = arith::MulIOp::create(b, arith::DivUIOp::create(b, i, i32(2)), i32(8));
  if (isRight)
    std::swap(down, across);
  (transposed ? across : down) = arith::AddIOp::create(b, transposed ? across : down, r);
  auto plus = [&](Index index, Value more) -> Index {
    Value sum = index.dynamic ? arith::AddIOp::create(b, index.dynamic, more).getResult() : more;
    return {sum, index.constant};
  };
  Point at = others;
  at.set(kept, plus(first, down));
  at.set(reduced, plus(column, across));
  return machine.loadTiles(b, address(buffer, at), transposed);
}

SmallVector<std::pair<Point, Value>> KernelEmitter::restsOf(Run run) {
  SmallVector<std::pair<Point, Value>> rests;
  for (auto& [point, value] : run)
    rests.push_back({point, restOf(value)});
  return rests;
}

void KernelEmitter::storeRounded(const Buffer& high, const Buffer* low, Run run) {
  storeRun(high, run);
  if (low)
    storeRun(*low, restsOf(run));
}

void KernelEmitter::emitOperand(Value base, const Buffer& high, const Buffer* low) {
  emitElements(base, axesOf(arrayType(base), high), [&](Run run) { storeRounded(high, low, run); });
}

//===-- sides where they are -----------------------------------------------------------------===//

std::optional<Value> KernelEmitter::storedPair(Value value, const Point& point, StringRef label) {
  if (auto found = buffers.find(value); found != buffers.end()) {
    const Buffer& buffer = found->second;
    if (buffer.id < 0 || !buffer.storage.isBF16())
      return {};
    for (const Dim& dim : buffer.dims)
      if (dim.label == label ? dim.stride != 1 : dim.stride % 2 != 0)
        return {};
    touch(buffer);
    return LLVM::LoadOp::create(b, b.getI32Type(), address(buffer, point), 4).getResult();
  }
  auto relabel = ssm::asRenaming(value);
  if (!relabel)
    return {};
  return storedPair(relabel.getOperand(), operandPoint(relabel, point), nameBelow(relabel, label));
}

KernelEmitter::Pair KernelEmitter::pairAt(Value value, const Point& point, StringRef label,
                                          int64_t extent, bool wantsRest) {
  Index first = *point.find(label);
  bool isPart = isPartial(label) || extent % 16 != 0;
  if (!isPart && !wantsRest)
    if (std::optional<Value> stored = storedPair(value, point, label))
      return {*stored, Value()};
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  SmallVector<Value, 2> elements;
  for (int64_t i = 0; i < 2; ++i) {
    Point at = point;
    Index index{first.dynamic, first.constant + i};
    Value exists;
    if (isPart) {
      // Places past the end count as 0 on both sides.
      Value number = indexValue(index), end = extentOf(label, extent);
      exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, number, end);
      index = {arith::MinSIOp::create(b, number, arith::SubIOp::create(b, end, i32(1))), 0};
    }
    at.set(label, index);
    Value element = evaluate(value, at);
    if (exists)
      element = arith::SelectOp::create(b, exists, element, zero);
    elements.push_back(element);
  }
  return roundedPair(elements[0], elements[1], wantsRest);
}

//===-- by groups of warps -------------------------------------------------------------------===//

/// Rows that a group of warps multiplies, and lanes below which it would mostly read rows.
static constexpr int64_t rowsOfGroup = 64, fewestLanes = 32;
/// Sums of a thread at most.
static constexpr int64_t mostOfGroup = 96;

StringRef KernelEmitter::rowsForGroups(Operation* sum) {
  if (!usesPairs(sum) || !usesTiles(sum))
    return {};
  const Product& product = products.find(sum)->second;
  auto left = arrayType(product.left), right = arrayType(product.right);
  ssm::AxisAttr row = left.find(product.row), lane = right.find(product.lane);
  if (left.getRank() != 2 || right.getRank() != 2)
    return {};
  // Steps are rows, as they are in memory: across them elements would be written one by one, which
  // takes longer than groups save.
  bool hasSteps = stepLabels.contains(row.getName()) || stepLabels.contains(lane.getName());
  for (auto [rows, lanes] : {std::pair(row, lane), {lane, row}})
    if (rows.getSize() % rowsOfGroup == 0 && lanes.getSize() >= fewestLanes &&
        (!hasSteps || stepLabels.contains(rows.getName())))
      return rows.getName();
  return {};
}

KernelEmitter::Factors KernelEmitter::factorsOf(Operation* sum, StringRef row, StringRef lane) {
  const Product& product = products.find(sum)->second;
  bool swapped = product.row != row;
  Factors factors;
  factors.leftValue = swapped ? product.right : product.left;
  factors.rightValue = swapped ? product.left : product.right;
  factors.reduced = product.reduced.front();
  factors.extent = arrayType(factors.leftValue).find(factors.reduced).getSize();
  factors.terms = roundedTerms(cast<ssm::SumOp>(sum), product, /*keepBoth=*/true);
  factors.left = sideOf(factors.leftValue, row, factors.reduced);
  factors.right = sideOf(factors.rightValue, lane, factors.reduced);
  for (auto& [x, y] : factors.terms) {
    if (swapped)
      std::swap(x, y);
    factors.restLeft |= x;
    factors.restRight |= y;
  }
  return factors;
}

std::optional<KernelEmitter::Dealt> KernelEmitter::dealtToGroups(ArrayRef<Operation*> sums,
                                                                 ArrayRef<ssm::AxisAttr> axes) {
  StringRef row = inPanels && axes.size() == 2 ? rowsForGroups(sums.front()) : StringRef();
  if (row.empty() || !llvm::all_of(sums, [&](Operation* sum) { return rowsForGroups(sum) == row; }))
    return {};
  ssm::AxisAttr rows = axes[0], lanes = axes[1];
  if (rows.getName() != row)
    std::swap(rows, lanes);
  Dealt dealt;
  dealt.row = rows.getName();
  dealt.lane = lanes.getName();
  dealt.inGroups = true;
  // Lanes that lie side by side are taken by whole panels, or all of them.
  int64_t unit = 8, each = 0, least = INT64_MAX;
  for (Operation* sum : sums) {
    Factors factors = factorsOf(sum, dealt.row, dealt.lane);
    auto isInPanels = [&](const Side& side, bool rest, bool isRight) {
      const Buffer* buffer = tileBuffer(side, rest);
      if (!buffer || !buffer->panel)
        return false;
      if (isRight && buffer->dims[1].label == side.kept)
        unit = std::max(unit, buffer->panel / 2);
      return true;
    };
    for (auto [x, y] : factors.terms)
      if (!isInPanels(factors.left, x, false) || !isInPanels(factors.right, y, true))
        return {};
  }
  int64_t groups = limits.threads / 128;
  for (int64_t count = lanes.getSize(); count % unit == 0; count /= 2) {
    int64_t tasks = rows.getSize() / rowsOfGroup * (lanes.getSize() / count);
    int64_t cost = llvm::divideCeil(tasks, groups) * (count + 16);
    if (count <= 256 && count / 2 * int64_t(sums.size()) <= mostOfGroup && cost < least) {
      least = cost;
      each = count;
    }
    if (count % 2)
      break;
  }
  if (!each)
    return {};
  dealt.tile = {1, each / 8};
  return dealt;
}

KernelEmitter::Dealt KernelEmitter::dealtOf(ArrayRef<Operation*> sums,
                                            ArrayRef<ssm::AxisAttr> axes) {
  if (std::optional<Dealt> dealt = dealtToGroups(sums, axes))
    return *dealt;
  const Product& model = products.find(sums.front())->second;
  ssm::AxisAttr row, lane;
  takeOut(axes, model.row, model.lane, row, lane);
  bool fromTiles = llvm::all_of(sums, [&](Operation* sum) { return usesTiles(sum); });
  Dealt dealt;
  dealt.row = model.row;
  dealt.lane = model.lane;
  dealt.tile =
      chooseTile(row.getSize(), lane.getSize(), limits.threads / 32, sums.size(), fromTiles);
  return dealt;
}

SmallVector<Value> KernelEmitter::beginInGroup(Operation* sum, const Dealt& dealt, Value firstRow,
                                               Value firstLane) {
  Factors factors = factorsOf(sum, dealt.row, dealt.lane);
  SmallVector<Machine::GroupMatrix> matrices;
  SmallVector<Machine::GroupStep> steps;
  // Of each side what rounding gives and leaves, once.
  std::map<std::pair<bool, bool>, int64_t> numbers;
  auto matrixOf = [&](bool isRight, bool rest) {
    auto [found, isNew] = numbers.try_emplace({isRight, rest}, matrices.size());
    if (!isNew)
      return found->second;
    const Side& side = isRight ? factors.right : factors.left;
    Machine::GroupMatrix& matrix =
        matrices.emplace_back(groupMatrixOf(*tileBuffer(side, rest), side.kept));
    // Where it begins: rows further down, or panels further on.
    Value first = isRight ? firstLane : firstRow;
    int64_t bytes = matrix.byLanes ? 2 * matrix.apart / matrix.panel : matrix.panel;
    matrix.address =
        gep(matrix.address, b.getI8Type(), arith::MulIOp::create(b, first, i32(bytes)));
    return found->second;
  };
  for (int64_t x = 0; x < factors.extent; x += 16)
    for (auto [restLeft, restRight] : factors.terms) {
      Machine::GroupStep& step = steps.emplace_back();
      step.leftMatrix = matrixOf(false, restLeft);
      step.leftOffset = matrices[step.leftMatrix].offsetAt(x);
      step.matrix = matrixOf(true, restRight);
      step.offset = matrices[step.matrix].offsetAt(x);
    }
  return machine.beginGroup(b, matrices, steps, {}, 8 * dealt.tile.lanes);
}

/// The label that numbers the parts of a sum.
static constexpr StringLiteral partLabel = "part of a sum";

Buffer KernelEmitter::makeParts(Operation* total, ArrayRef<Operation*> sums,
                                ArrayRef<ssm::AxisAttr> axes) {
  Dealt dealt = dealtOf(sums, axes);
  WarpTile tile = dealt.tile;
  StringRef label = reducedLabels(total).front();
  int64_t extent = arrayType(total->getOperand(0)).find(label).getSize();
  int64_t each = label == dealt.row ? 16 * tile.rows : 8 * tile.lanes;
  ssm::AxisAttr part = axisOf(b, partLabel, llvm::divideCeil(extent, each));
  ssm::ArrayType type = arrayType(total->getResult(0));
  SmallVector<StringRef> order;
  for (ssm::AxisAttr axis : type.getAxes())
    order.push_back(axis.getName());
  return makeBuffer(type.withAxis(part), order);
}

void KernelEmitter::addParts(Operation* total, const Buffer& parts, const Buffer& target) {
  int64_t count = 1;
  for (const Dim& dim : parts.dims)
    count = dim.label == partLabel ? dim.extent : count;
  deal(axesOf(arrayType(total->getResult(0)), target), [&](const Point& point) {
    Point at = point;
    Value sum;
    for (int64_t i = 0; i < count; ++i) {
      at.set(partLabel, {Value(), i});
      Value part = load(parts, at);
      sum = sum ? arith::AddFOp::create(b, sum, part).getResult() : part;
    }
    store(target, point, sum);
  });
}

void KernelEmitter::emitProducts(ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes,
                                 ArrayRef<Root> roots, ArrayRef<Total> totals) {
  Dealt dealt = dealtOf(sums, axes);
  StringRef row = dealt.row, lane = dealt.lane;
  WarpTile tile = dealt.tile;
  ssm::AxisAttr rowAxis, laneAxis;
  SmallVector<ssm::AxisAttr> others = takeOut(axes, row, lane, rowAxis, laneAxis);
  int64_t rows = rowAxis.getSize(), lanes = laneAxis.getSize();
  // Those who have a task of their own, warps or groups, and their rows.
  int64_t workers = limits.threads / (dealt.inGroups ? 128 : 32);
  int64_t taskRows = dealt.inGroups ? rowsOfGroup : 16 * tile.rows;
  int64_t laneTasks = llvm::divideCeil(lanes, 8 * tile.lanes);
  int64_t tasks = llvm::divideCeil(rows, taskRows) * laneTasks;

  Scope scope(*this);
  Value inWarp = arith::RemUIOp::create(b, thread, i32(32));
  Value warp = arith::DivUIOp::create(b, thread, i32(32)), worker = warp, rowInTask;
  if (dealt.inGroups) {
    warp = machine.sameInWarp(b, warp);
    worker = arith::DivUIOp::create(b, warp, i32(4));
    rowInTask = arith::MulIOp::create(b, arith::RemUIOp::create(b, warp, i32(4)), i32(16));
  }
  Value r = arith::DivUIOp::create(b, inWarp, i32(4));
  Value c = arith::MulIOp::create(b, arith::RemUIOp::create(b, inWarp, i32(4)), i32(2));

  auto emitTask = [&](Value task, Point point) {
    Value firstRow = i32(0), firstLane = i32(0);
    if (tasks > 1) {
      firstRow =
          arith::MulIOp::create(b, arith::DivUIOp::create(b, task, i32(laneTasks)), i32(taskRows));
      firstLane = arith::MulIOp::create(b, arith::RemUIOp::create(b, task, i32(laneTasks)),
                                        i32(8 * tile.lanes));
    }
    Value taskRow = firstRow;
    if (rowInTask)
      firstRow = arith::AddIOp::create(b, firstRow, rowInTask);
    Value myRow = arith::AddIOp::create(b, firstRow, r);
    Value readLane = arith::AddIOp::create(b, firstLane, r);
    Value myLane = arith::AddIOp::create(b, firstLane, c);
    // Beyond the last one the last is read; nothing of it is kept.
    auto within = [&](Value base, int64_t offset, int64_t extent, int64_t unit) -> Index {
      if (extent % unit == 0)
        return {base, offset};
      Value at = arith::AddIOp::create(b, base, i32(offset));
      return {arith::MinSIOp::create(b, at, i32(extent - 1)), 0};
    };
    auto savedPrivates = privates;
    SmallVector<SmallVector<Value>> results;
    if (dealt.inGroups) {
      for (Operation* sum : sums)
        results.push_back(beginInGroup(sum, dealt, taskRow, firstLane));
      for (auto [i, sum] : llvm::enumerate(results))
        sum = machine.finishGroup(b, sum, results.size() - 1 - i);
    }
    for (Operation* sum : dealt.inGroups ? ArrayRef<Operation*>() : sums) {
      auto [left, right, reduced, extent, leftSide, rightSide, terms, restLeft, restRight] =
          factorsOf(sum, row, lane);
      bool fromTiles = usesTiles(sum) && tile.lanes % 2 == 0 && tileBuffer(leftSide, false) &&
                       tileBuffer(rightSide, false) && (!restLeft || tileBuffer(leftSide, true)) &&
                       (!restRight || tileBuffer(rightSide, true));
      // (What threads add to a column on their own, they do not where the warp reads together.)
      auto tileColumn = [&](Index first) -> Index {
        return {arith::SubIOp::create(b, first.dynamic, c), first.constant};
      };
      SmallVector<Value> zeros(tile.rows * tile.lanes * 4,
                               arith::ConstantOp::create(b, b.getF32FloatAttr(0)));
      auto step = [&](Index first, ValueRange carried) {
        SmallVector<Value> totals(carried);
        auto at = [&](int64_t offset) -> Index { return {first.dynamic, first.constant + offset}; };
        // Left: rows r, r + 8 by columns c, c + 8; right: columns c, c + 8.
        SmallVector<SmallVector<Pair>> lefts(tile.rows), rights(tile.lanes);
        if (fromTiles) {
          auto fill = [&](const Side& side, Value base, int64_t i, bool both,
                          SmallVector<SmallVector<Pair>>& pairs) {
            bool isLeft = &pairs == &lefts;
            Index start{base, (isLeft ? 16 : 8) * i};
            SmallVector<Value> values =
                loadFragment(side, false, point, start, tileColumn(first), !isLeft);
            SmallVector<Value> rests(4);
            if (both)
              rests = loadFragment(side, true, point, start, tileColumn(first), !isLeft);
            if (isLeft) {
              for (int64_t j = 0; j < 4; ++j)
                pairs[i].push_back({values[j], rests[j]});
              return;
            }
            // Two tiles of lanes at once.
            for (int64_t j : {0, 1})
              pairs[i].push_back({values[j], rests[j]});
            if (i + 1 < tile.lanes)
              for (int64_t j : {2, 3})
                pairs[i + 1].push_back({values[j], rests[j]});
          };
          for (int64_t i = 0; i < tile.rows; ++i)
            fill(leftSide, firstRow, i, restLeft, lefts);
          for (int64_t j = 0; j < tile.lanes; j += 2)
            fill(rightSide, firstLane, j, restRight, rights);
        } else {
          for (int64_t i = 0; i < tile.rows; ++i)
            for (int64_t column : {0, 8})
              for (int64_t down : {0, 8}) {
                Point p = point;
                p.set(row, within(myRow, 16 * i + down, rows, 16));
                p.set(reduced, at(column));
                lefts[i].push_back(pairAt(left, p, reduced, extent, restLeft));
              }
          for (int64_t j = 0; j < tile.lanes; ++j)
            for (int64_t column : {0, 8}) {
              Point p = point;
              p.set(lane, within(readLane, 8 * j, lanes, 8));
              p.set(reduced, at(column));
              rights[j].push_back(pairAt(right, p, reduced, extent, restRight));
            }
        }
        for (auto [x, y] : terms)
          for (int64_t i = 0; i < tile.rows; ++i)
            for (int64_t j = 0; j < tile.lanes; ++j) {
              SmallVector<Value> a, w, sum4;
              for (const Pair& pair : lefts[i])
                a.push_back(x ? pair.rest : pair.value);
              for (const Pair& pair : rights[j])
                w.push_back(y ? pair.rest : pair.value);
              size_t place = (i * tile.lanes + j) * 4;
              sum4.assign(totals.begin() + place, totals.begin() + place + 4);
              llvm::copy(machine.multiplyPairs(b, a, w, sum4), totals.begin() + place);
            }
        return totals;
      };
      int64_t steps = llvm::divideCeil(extent, 16);
      if (steps == 1)
        results.push_back(step({c, 0}, zeros));
      else
        results.push_back(
            loop(i32(0), i32(steps * 16), i32(16), zeros, [&](Value first, ValueRange carried) {
              return step({arith::AddIOp::create(b, first, c), 0}, carried);
            }));
    }
    std::vector<SmallVector<std::pair<Point, Value>>> done(roots.size());
    size_t held = 0;
    auto finishAll = [&] {
      for (auto [root, elements] : llvm::zip(roots, done)) {
        for (size_t i = 0; i < elements.size(); i += 2) // Two lanes side by side.
          root.finish(ArrayRef(elements).slice(i, 2));
        elements.clear();
      }
      held = 0;
    };
    // Of sums over rows a thread has two for each tile of lanes, of sums over lanes two for each of
    // rows.
    std::vector<SmallVector<Value>> totalsHere;
    for (const Total& total : totals)
      totalsHere.emplace_back(2 * (total.label == row ? tile.lanes : tile.rows));
    Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
    for (int64_t i = 0; i < tile.rows; ++i)
      for (int64_t j = 0; j < tile.lanes; ++j)
        for (int64_t e = 0; e < 4; ++e) {
          Point p = point;
          p.set(row, {myRow, 16 * i + 8 * (e / 2)});
          p.set(lane, {myLane, 8 * j + e % 2});
          for (auto [sum, values] : llvm::zip(sums, results))
            privates[sum->getResult(0).getAsOpaquePointer()] =
                Private{{}, {values[(i * tile.lanes + j) * 4 + e]}};
          Value exists = existsAt(axes, p);
          auto bound = [&](StringRef label, int64_t extent, int64_t unit) {
            if (extent % unit == 0 || isPartial(label))
              return;
            Value inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                                 indexValue(*p.find(label)), i32(extent));
            exists = exists ? arith::AndIOp::create(b, exists, inside).getResult() : inside;
          };
          bound(row, rows, 16 * tile.rows);
          bound(lane, lanes, 8 * tile.lanes);
          // (Steps that do not exist have something in memory too, which nobody keeps.)
          for (auto [total, sum] : llvm::zip(totals, totalsHere)) {
            Value term = evaluate(total.terms, p);
            if (exists)
              term = arith::SelectOp::create(b, exists, term, zero);
            Value& place = sum[total.label == row ? 2 * j + e % 2 : 2 * i + e / 2];
            place = place ? arith::AddFOp::create(b, place, term).getResult() : term;
          }
          if (exists) {
            SmallVector<Value> elements;
            for (const Root& root : roots)
              elements.push_back(evaluate(root.value, p));
            when(exists, [&] {
              for (auto [root, element] : llvm::zip(roots, elements))
                root.finish(std::pair(p, element));
            });
            continue;
          }
          for (auto [root, elements] : llvm::zip(roots, done))
            elements.push_back({p, evaluate(root.value, p)});
          if (++held == readAtOnce)
            finishAll();
        }
    finishAll();
    for (auto [total, sum] : llvm::zip(totals, totalsHere)) {
      bool overRows = total.label == row;
      // Threads of other rows, or lanes, have the other terms.
      SmallVector<int64_t> masks =
          overRows ? SmallVector<int64_t>{4, 8, 16} : SmallVector<int64_t>{1, 2};
      for (Value& value : sum)
        for (int64_t mask : masks)
          value = arith::AddFOp::create(b, value, machine.exchange(b, value, mask));
      Value number = i32(0);
      if (tasks > 1 || dealt.inGroups)
        number = overRows ? arith::DivUIOp::create(b, firstRow, i32(16 * tile.rows)).getResult()
                          : arith::RemUIOp::create(b, task, i32(laneTasks)).getResult();
      Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, overRows ? r : c, i32(0));
      when(isFirst, [&] {
        for (auto [i, value] : llvm::enumerate(sum)) {
          Point p = point;
          p.set(partLabel, {number, 0});
          if (overRows)
            p.set(lane, {myLane, int64_t(8 * (i / 2) + i % 2)});
          else
            p.set(row, {myRow, int64_t(16 * (i / 2) + 8 * (i % 2))});
          int64_t extent = overRows ? lanes : rows;
          Value inside;
          if (extent % (overRows ? 8 * tile.lanes : 16 * tile.rows) != 0)
            inside = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                           indexValue(*p.find(overRows ? lane : row)), i32(extent));
          when(inside, [&] { store(total.parts, p, value); });
        }
      });
    }
    privates = std::move(savedPrivates);
  };

  dealTasks(others, worker, workers, tasks, emitTask);
}

void KernelEmitter::dealTasks(ArrayRef<ssm::AxisAttr> others, Value warp, int64_t warps,
                              int64_t tasks, llvm::function_ref<void(Value, const Point&)> emitTask,
                              const Point& point) {
  if (!others.empty()) {
    StringRef name = others.front().getName();
    loop(i32(0), extentOf(name, others.front().getSize()), i32(1), {},
         [&](Value index, ValueRange) {
           Point inner = point;
           inner.set(name, {index, 0});
           dealTasks(others.drop_front(), warp, warps, tasks, emitTask, inner);
           return SmallVector<Value>();
         });
    return;
  }
  if (tasks == warps)
    return emitTask(warp, point);
  loop(warp, i32(tasks), i32(warps), {}, [&](Value task, ValueRange) {
    emitTask(task, point);
    return SmallVector<Value>();
  });
}
