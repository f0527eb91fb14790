// Products by matrices that a warp multiplies: bf16 factors, sums in f32.
//
// Which thread holds which element of a matrix is not said, so that matrices come from memory of
// the block and go there. Sides lie in it as bf16, by rows or by columns (Plan.cpp has them brought
// there). Sums that are stored as they are go where they belong. Where something is made of them
// element by element, a tile of each sum goes to a place of the warp's own first, from which its
// threads take four elements side by side at a time.
//
// Steps that may be partial, and sizes that are no multiples of a matrix's, are left to blocks in
// f32 (EmitBlocks.cpp), which round nothing.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Elements that a thread takes at once, and sums for which it has registers.
static constexpr int64_t atOnce = 4, mostSums = 64;

bool KernelEmitter::usesMatrices(Operation* op) {
  std::optional<MatrixShape> shape = machine.matrices();
  auto found = products.find(op);
  if (!roundsProducts || !shape || found == products.end() || found->second.reduced.size() != 1)
    return false;
  const Product& product = found->second;
  StringRef reduced = product.reduced.front();
  auto fits = [&](Value side, StringRef kept, int64_t extent) {
    ssm::ArrayType type = arrayType(side);
    return type.has(reduced) && type.find(reduced).getSize() % shape->depth == 0 &&
           type.find(kept).getSize() % extent == 0 &&
           llvm::none_of(type.getAxes(),
                         [&](ssm::AxisAttr axis) { return isPartial(axis.getName()); });
  };
  // (Where a product is one of two, rows of one may be lanes of the other.)
  int64_t extent = std::max(shape->rows, shape->lanes);
  return fits(product.left, product.row, extent) && fits(product.right, product.lane, extent);
}

//===-- where elements are -------------------------------------------------------------------===//

Buffer KernelEmitter::makeNumbers(Type storage) {
  const MatrixShape shape = *machine.matrices();
  ssm::AxisAttr down = axisOf(b, "row", shape.rows), across = axisOf(b, "lane", shape.lanes);
  Buffer numbers = makeBuffer(ssm::ArrayType::get(b.getContext(), {down, across}, b.getF32Type()),
                              {down.getName(), across.getName()}, storage);
  deal({down, across}, [&](const Point& point) {
    Value number =
        arith::MulIOp::create(b, indexValue(*point.find(down.getName())), i32(shape.lanes));
    number = arith::AddIOp::create(b, number, indexValue(*point.find(across.getName())));
    // (There are no more of them than bf16 counts.)
    store(numbers, point, arith::UIToFPOp::create(b, b.getF32Type(), number));
  });
  return numbers;
}

Point KernelEmitter::firstOf(const Buffer& matrix) {
  Point point;
  for (const Dim& dim : matrix.dims)
    point.set(dim.label, {Value(), 0});
  return point;
}

Index KernelEmitter::rowOfElement(int64_t element) {
  Value inWarp = arith::RemUIOp::create(b, thread, i32(machine.lanes()));
  return {arith::DivUIOp::create(b, inWarp, i32(4)), element / 4 * 8};
}

Index KernelEmitter::positionOfElement(int64_t element) {
  Value pair = arith::MulIOp::create(b, arith::RemUIOp::create(b, thread, i32(4)), i32(2));
  return {pair, element % 2 + element / 2 % 2 * 8};
}

void KernelEmitter::checkLayout() {
  Buffer numbers = makeNumbers(b.getF32Type()), halves = makeNumbers(b.getBF16Type());
  barrier();
  StringRef down = numbers.dims[0].label, across = numbers.dims[1].label;
  SmallVector<Value> sums = machine.splitSums(b, loadSums(numbers, down, across, firstOf(numbers)));
  SmallVector<SmallVector<Value>> all = {sums};
  for (bool isRight : {false, true}) {
    Value side = loadMatrix(halves, down, across, firstOf(halves), isRight);
    all.emplace_back();
    for (Value pair : machine.splitSide(b, side))
      for (bool upper : {false, true})
        all.back().push_back(halfOf(pair, upper));
  }
  Value isOther = arith::ConstantIntOp::create(b, 0, 1);
  int64_t lanes = machine.matrices()->lanes;
  for (ArrayRef<Value> elements : all)
    for (auto [i, element] : llvm::enumerate(elements)) {
      Value number = arith::MulIOp::create(b, indexValue(rowOfElement(i)), i32(lanes));
      number = arith::AddIOp::create(b, number, indexValue(positionOfElement(i)));
      Value wanted = arith::UIToFPOp::create(b, b.getF32Type(), number);
      Value differs = arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, element, wanted);
      isOther = arith::OrIOp::create(b, isOther, differs);
    }
  Buffer found =
      makeBuffer(ssm::ArrayType::get(b.getContext(), {axisOf(b, "found", 1)}, b.getF32Type()));
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
  Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, thread, i32(0));
  when(isFirst, [&] { store(found, firstOf(found), nought); });
  barrier();
  when(isOther, [&] { store(found, firstOf(found), one); });
  barrier();
  isAsSaid =
      arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, load(found, firstOf(found)), nought);
  Value nan = arith::ConstantOp::create(
      b, b.getFloatAttr(b.getF32Type(), llvm::APFloat::getQNaN(llvm::APFloat::IEEEsingle())));
  nought = arith::SelectOp::create(b, isAsSaid, nought, nan);
  barrier();
}

//===-- sides --------------------------------------------------------------------------------===//

/// Of a buffer's labels the contiguous one, and how far apart the other one's positions are.
static std::pair<StringRef, int64_t> layoutOf(const Buffer& buffer, StringRef x, StringRef y) {
  StringRef contiguous;
  int64_t stride = 0;
  for (const Dim& dim : buffer.dims) {
    if (dim.label != x && dim.label != y)
      continue;
    if (dim.stride == 1 && contiguous.empty())
      contiguous = dim.label;
    else
      stride = dim.stride;
  }
  return {contiguous, stride};
}

Value KernelEmitter::loadMatrix(const Buffer& buffer, StringRef kept, StringRef reduced,
                                const Point& point, bool isRight) {
  touch(buffer);
  auto [contiguous, stride] = layoutOf(buffer, kept, reduced);
  bool byColumns = contiguous == (isRight ? reduced : kept);
  return machine.loadMatrix(b, address(buffer, point), stride, byColumns, isRight);
}

bool KernelEmitter::takesMatrices(const Buffer& buffer, StringRef row, StringRef lane) {
  if (buffer.id < 0 || !buffer.storage.isF32() || !buffer.element.isF32())
    return false;
  auto [contiguous, stride] = layoutOf(buffer, row, lane);
  return !contiguous.empty() && stride && llvm::all_of(buffer.dims, [&](const Dim& dim) {
    return dim.label == contiguous || dim.stride % 4 == 0;
  });
}

Value KernelEmitter::loadSums(const Buffer& buffer, StringRef row, StringRef lane,
                              const Point& point) {
  touch(buffer);
  auto [contiguous, stride] = layoutOf(buffer, row, lane);
  return machine.loadSums(b, address(buffer, point), stride, /*byColumns=*/contiguous == row);
}

void KernelEmitter::storeSums(const Buffer& buffer, StringRef row, StringRef lane,
                              const Point& point, Value sums) {
  touch(buffer);
  auto [contiguous, stride] = layoutOf(buffer, row, lane);
  machine.storeSums(b, sums, address(buffer, point), stride, /*byColumns=*/contiguous == row);
}

//===-- what is made of matrices -------------------------------------------------------------===//

bool KernelEmitter::isOfMatrices(Value value, ArrayRef<Operation*> sums, StringRef row,
                                 StringRef lane) {
  Operation* op = value.getDefiningOp();
  if (op && llvm::is_contained(sums, op))
    return true;
  ssm::ArrayType type = arrayType(value);
  if (!type.has(row) && !type.has(lane))
    return type.isReal();
  if (auto found = buffers.find(value); found != buffers.end())
    return type.has(row) && type.has(lane) && takesMatrices(found->second, row, lane);
  return isa_and_nonnull<ssm::AddOp, ssm::SubOp, ssm::MulOp>(op) &&
         llvm::all_of(op->getOperands(),
                      [&](Value operand) { return isOfMatrices(operand, sums, row, lane); });
}

Value KernelEmitter::evaluateMatrix(Value value, const llvm::DenseMap<Operation*, Value>& sums,
                                    StringRef row, StringRef lane, const Point& point) {
  Operation* op = value.getDefiningOp();
  if (Value sum = op ? sums.lookup(op) : Value())
    return sum;
  ssm::ArrayType type = arrayType(value);
  if (!type.has(row) && !type.has(lane))
    return machine.fillSums(b, evaluate(value, point));
  if (auto found = buffers.find(value); found != buffers.end())
    return loadSums(found->second, row, lane, point);
  auto kind = isa<ssm::AddOp>(op)   ? Machine::Combine::Add
              : isa<ssm::SubOp>(op) ? Machine::Combine::Sub
                                    : Machine::Combine::Mul;
  Value x = evaluateMatrix(op->getOperand(0), sums, row, lane, point);
  return machine.combineSums(b, kind, x, evaluateMatrix(op->getOperand(1), sums, row, lane, point));
}

//===-- products -----------------------------------------------------------------------------===//

/// A product of two matrices takes about as long as reading one.
static WarpTile chooseMatrices(int64_t rowTiles, int64_t laneTiles, int64_t warps, int64_t sums,
                               int64_t sumsOfThread) {
  return chooseWarpTile(rowTiles, laneTiles, warps,
                        [&](int64_t a, int64_t c) -> std::optional<int64_t> {
                          // (Beyond the last one there is nothing to be read.)
                          if (c > 4 || rowTiles % a || laneTiles % c ||
                              (a * c > 1 && a * c * sums * sumsOfThread > mostSums))
                            return {};
                          return a * c + a + c;
                        });
}

bool KernelEmitter::emitMatrices(Value root, ArrayRef<Operation*> sums,
                                 ArrayRef<ssm::AxisAttr> axes, const Buffer* target,
                                 Finish finish) {
  if (!llvm::all_of(sums, [&](Operation* sum) { return usesMatrices(sum); }) ||
      llvm::any_of(axes, [&](ssm::AxisAttr axis) { return isPartial(axis.getName()); }))
    return false;
  const MatrixShape shape = *machine.matrices();
  const Product& model = products.find(sums.front())->second;
  StringRef row = model.row, lane = model.lane;
  ssm::AxisAttr rowAxis, laneAxis;
  SmallVector<ssm::AxisAttr> others = takeOut(axes, row, lane, rowAxis, laneAxis);

  SmallVector<Factors> factors;
  for (Operation* sum : sums) {
    factors.push_back(factorsOf(sum, row, lane));
    for (auto [x, y] : factors.back().terms)
      if (!tileBuffer(factors.back().left, x) || !tileBuffer(factors.back().right, y))
        return false;
  }

  bool isStored =
      target && takesMatrices(*target, row, lane) && isOfMatrices(root, sums, row, lane);
  // Elements side by side where the result is written are so on their way there, too.
  StringRef inner = axes.back().getName() == row ? row : lane, outer = inner == row ? lane : row;
  int64_t innerSize = inner == row ? shape.rows : shape.lanes;
  int64_t outerSize = inner == row ? shape.lanes : shape.rows;
  int64_t warpSize = machine.lanes(), warps = limits.threads / warpSize;
  int64_t rowTiles = rowAxis.getSize() / shape.rows, laneTiles = laneAxis.getSize() / shape.lanes;
  int64_t sumsOfThread = shape.rows * shape.lanes / warpSize;
  WarpTile tile = chooseMatrices(rowTiles, laneTiles, warps, sums.size(), sumsOfThread);
  int64_t laneTasks = laneTiles / tile.lanes, tasks = rowTiles / tile.rows * laneTasks;
  SmallVector<Buffer> scratch;
  if (!isStored)
    for (size_t i = 0; i < sums.size(); ++i) {
      auto type = ssm::ArrayType::get(
          b.getContext(),
          {axisOf(b, outer, std::min(tasks, warps) * outerSize), axisOf(b, inner, innerSize)},
          b.getF32Type());
      scratch.push_back(makeBuffer(type, {outer, inner}));
      places[scratch.back().id].isSide = true;
      if (!takesMatrices(scratch.back(), row, lane))
        return false;
    }

  Scope scope(*this);
  // What a stage has for few warps they do side by side.
  Value number = tasks < warps ? takeThreads(tasks * warpSize) : thread;
  Value warp = arith::DivUIOp::create(b, number, i32(warpSize));
  Value inWarp = arith::RemUIOp::create(b, thread, i32(warpSize));
  int64_t runs = innerSize / atOnce, outersAtOnce = warpSize / runs;
  Value myOuter = arith::DivUIOp::create(b, inWarp, i32(runs));
  Value myInner =
      arith::MulIOp::create(b, arith::RemUIOp::create(b, inWarp, i32(runs)), i32(atOnce));
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value scratchOuter = arith::MulIOp::create(b, warp, i32(outerSize));
  auto plus = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, x, y); };

  // What of a tile a thread makes of the sums: all of it before the first is written.
  auto finishTile = [&](Value firstRow, Value firstLane, int64_t i, int64_t j,
                        ArrayRef<SmallVector<Value>> results, const Point& others) {
    machine.meetWarp(b); // (Those before have been read.)
    for (auto [sum, place] : llvm::enumerate(scratch)) {
      Point at;
      at.set(outer, {scratchOuter, 0});
      at.set(inner, {Value(), 0});
      storeSums(place, row, lane, at, results[sum][i * tile.lanes + j]);
    }
    machine.meetWarp(b);
    Value outerStart = plus(inner == row ? firstLane : firstRow, myOuter);
    Value innerStart = plus(inner == row ? firstRow : firstLane, myInner);
    int64_t outerOffset = outerSize * (inner == row ? j : i);
    int64_t innerOffset = innerSize * (inner == row ? i : j);
    SmallVector<std::pair<Point, Value>> done;
    for (int64_t down = 0; down < outerSize; down += outersAtOnce) {
      SmallVector<SmallVector<Value>> read;
      for (const Buffer& place : scratch) {
        Point at;
        at.set(outer, {plus(scratchOuter, myOuter), down});
        at.set(inner, {myInner, 0});
        Value all = LLVM::LoadOp::create(b, VectorType::get(atOnce, b.getF32Type()),
                                         address(place, at), atOnce * 4);
        read.emplace_back();
        for (int64_t e = 0; e < atOnce; ++e)
          read.back().push_back(LLVM::ExtractElementOp::create(b, all, i32(e)));
      }
      SmallVector<SmallVector<Point>> run;
      for (int64_t e = 0; e < atOnce; ++e) {
        Point point = others;
        point.set(outer, {outerStart, outerOffset + down});
        point.set(inner, {innerStart, innerOffset + e});
        run.push_back({point});
      }
      readRuns(root, inner, "", /*keptTogether=*/true, run);
      for (auto [e, at] : llvm::enumerate(run)) {
        for (auto [sum, values] : llvm::zip(sums, read))
          privates[sum->getResult(0).getAsOpaquePointer()] = Private{{}, {values[e]}};
        done.push_back({at.front(), evaluate(root, at.front())});
      }
    }
    for (size_t first = 0; first < done.size(); first += atOnce)
      finish(ArrayRef(done).slice(first, atOnce));
  };

  auto emitTask = [&](Value task, const Point& point) {
    Value firstRow = i32(0), firstLane = i32(0);
    if (tasks > 1) {
      firstRow = arith::MulIOp::create(b, arith::DivUIOp::create(b, task, i32(laneTasks)),
                                       i32(shape.rows * tile.rows));
      firstLane = arith::MulIOp::create(b, arith::RemUIOp::create(b, task, i32(laneTasks)),
                                        i32(shape.lanes * tile.lanes));
    }
    auto savedPrivates = privates;
    SmallVector<SmallVector<Value>> results;
    for (const Factors& sum : factors) {
      // A product waits for the one that it is added to: terms have sums of their own, where there
      // are registers for them.
      int64_t each = tile.rows * tile.lanes, chains = sum.terms.size();
      if (each * sumsOfThread * chains > mostSums)
        chains = 1;
      auto step = [&](Value first, ValueRange carried) {
        SmallVector<Value> totals(carried);
        // Each side once, however many terms it is in.
        std::map<std::tuple<bool, bool, int64_t>, Value> loaded;
        auto load = [&](bool isRight, bool rest, int64_t number) {
          Value& matrix = loaded[{isRight, rest, number}];
          if (matrix)
            return matrix;
          const Side& side = isRight ? sum.right : sum.left;
          Point at = pointBelow(side, point);
          at.set(side.kept,
                 {isRight ? firstLane : firstRow, number * (isRight ? shape.lanes : shape.rows)});
          at.set(side.reduced, {first, 0});
          return matrix = loadMatrix(*tileBuffer(side, rest), side.kept, side.reduced, at, isRight);
        };
        for (auto [term, sides] : llvm::enumerate(sum.terms))
          for (int64_t i = 0; i < tile.rows; ++i)
            for (int64_t j = 0; j < tile.lanes; ++j) {
              auto [x, y] = sides;
              Value& total = totals[(term % chains * tile.rows + i) * tile.lanes + j];
              Value left = load(false, x, i), right = load(true, y, j);
              total = machine.multiplyMatrices(b, left, right, total);
            }
        return totals;
      };
      SmallVector<Value> zeros(chains * each, machine.fillSums(b, zero));
      SmallVector<Value> totals =
          sum.extent == shape.depth ? step(i32(0), zeros)
                                    : loop(i32(0), i32(sum.extent), i32(shape.depth), zeros, step);
      for (int64_t chain = 1; chain < chains; ++chain)
        for (int64_t i = 0; i < each; ++i)
          totals[i] =
              machine.combineSums(b, Machine::Combine::Add, totals[i], totals[chain * each + i]);
      totals.truncate(each);
      results.push_back(std::move(totals));
    }
    for (int64_t i = 0; i < tile.rows; ++i)
      for (int64_t j = 0; j < tile.lanes; ++j) {
        if (!isStored) {
          finishTile(firstRow, firstLane, i, j, results, point);
          continue;
        }
        Point at = point;
        at.set(row, {firstRow, shape.rows * i});
        at.set(lane, {firstLane, shape.lanes * j});
        llvm::DenseMap<Operation*, Value> known;
        for (auto [sum, values] : llvm::zip(sums, results))
          known[sum] = values[i * tile.lanes + j];
        storeSums(*target, row, lane, at, evaluateMatrix(root, known, row, lane, at));
      }
    privates = std::move(savedPrivates);
  };

  dealTasks(others, warp, warps, tasks, emitTask);
  return true;
}
