// Products in f32, where the machine has no units for them: each thread computes a block of the
// result in registers.
//
// For one term of all sums of a block of R rows by L lanes a thread reads R + L elements, where
// single sums would read 2 R L. What is next to each other in memory is read at once, up to four
// elements, if the machine can: along rows or lanes, which then lie side by side in a block, or
// along the label that is summed, of which four positions are taken at a time. Rows or lanes that
// are not read like that are dealt out one by one, so that threads next to each other read what is
// next to each other. A sum has its terms in the same order as it has alone: results are the same
// bits, however blocks are chosen.
//
// What is made of the sums element by element is made where they are, as in EmitProduct.cpp.
#include "dialects/SSM/SSMRenaming.h"
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Elements that are read and written at once.
static constexpr int64_t elementsAtOnce = 4;

KernelEmitter::SumBlock KernelEmitter::blockOf(ArrayRef<ssm::AxisAttr> axes, StringRef row,
                                               StringRef lane, int64_t sums) {
  int64_t rows = 1, lanes = 1, others = 1;
  for (ssm::AxisAttr axis : axes)
    (axis.getName() == row ? rows : axis.getName() == lane ? lanes : others) *= axis.getSize();
  // Registers that sums may take: beside them are those that are read, and blocks that share a
  // processor have 128 in all. Of devices of Vulkan not all have so many.
  int64_t most = machine.hasWordsOnly() ? 16 : 32;
  SumBlock best;
  int64_t least = INT64_MAX;
  for (int64_t r : {1, 2, 3, 4, 8})
    for (int64_t l : {1, 2, 3, 4, 8}) {
      if (r * l * sums > most || r > rows || l > lanes)
        continue;
      int64_t tasks = int64_t(llvm::divideCeil(rows, r) * llvm::divideCeil(lanes, l)) * others;
      // An addition counts 1, a read 2, and the loop 4 instructions for each term; what goes past
      // the end is computed for nothing, and asked for.
      int64_t each = r * l + 2 * (r + l) + 4 + (rows % r || lanes % l ? 2 * r * l : 0);
      int64_t cost = int64_t(llvm::divideCeil(tasks, limits.threads)) * each;
      if (cost < least) {
        least = cost;
        best = {r, l};
      }
    }
  return best;
}

bool KernelEmitter::usesBlocks(Operation* op) {
  auto found = products.find(op);
  if ((roundsProducts && machine.hasPairs()) || found == products.end() || usesMatrices(op))
    return false;
  const Product& product = found->second;
  SumBlock block =
      blockOf(arrayType(op->getResult(0)).getAxes(), product.row, product.lane, /*sums=*/1);
  return block.rows * block.lanes > 1;
}

/// The label that is contiguous in the first array in memory that a side of a product is made of
/// and that bears both of its labels, by its name in the side; empty: none.
StringRef KernelEmitter::contiguousIn(Value value, StringRef kept, StringRef reduced) {
  Side side = sideOf(value, kept, reduced);
  if (auto found = buffers.find(side.base); found != buffers.end()) {
    for (const Dim& dim : found->second.dims)
      if (dim.stride == 1 && !dim.dynamicStride && dim.extent > 1)
        return dim.label == side.kept ? kept : dim.label == side.reduced ? reduced : "";
    return "";
  }
  Operation* op = side.base.getDefiningOp();
  if (!op || !op->hasTrait<ssm::Pointwise>())
    return "";
  for (Value operand : op->getOperands())
    if (arrayType(operand).has(side.kept) && arrayType(operand).has(side.reduced)) {
      StringRef label = contiguousIn(operand, side.kept, side.reduced);
      return label.empty() ? "" : label == side.kept ? kept : reduced;
    }
  return "";
}

bool KernelEmitter::readsAtOnce(const Buffer& buffer, StringRef label) {
  bool isRead = buffer.storage.isF32() || (buffer.storage.isBF16() && machine.matrices());
  return !machine.hasWordsOnly() && buffer.isAligned && isRead && buffer.element.isF32() &&
         llvm::all_of(buffer.dims, [&](const Dim& dim) {
           return !dim.dynamicStride &&
                  (dim.label == label ? dim.stride == 1 : dim.stride % elementsAtOnce == 0);
         });
}

void KernelEmitter::readRuns(Value value, StringRef kept, StringRef reduced, bool keptTogether,
                             ArrayRef<SmallVector<Point>> points) {
  if (!arrayType(value).has(kept) && !arrayType(value).has(reduced))
    return;
  auto found = buffers.find(value);
  if (found == buffers.end()) {
    Operation* op = value.getDefiningOp();
    if (!op || !(op->hasTrait<ssm::Pointwise>() || isa<ssm::RelabelOp>(op)))
      return;
    SmallVector<SmallVector<Point>> inner;
    for (ArrayRef<Point> row : points)
      inner.push_back(
          llvm::map_to_vector(row, [&](const Point& one) { return operandPoint(op, one); }));
    if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
      if (ssm::takesDiagonal(relabel))
        return;
      kept = nameBelow(relabel, kept);
      reduced = nameBelow(relabel, reduced);
    }
    for (Value operand : op->getOperands())
      readRuns(operand, kept, reduced, keptTogether, inner);
    return;
  }
  const Buffer& buffer = found->second;
  auto read = [&](llvm::function_ref<const Point&(int64_t)> at) {
    // (Places beyond the start are known by constants alone.)
    if (memo.back().count(keyOf(value, at(0))))
      return;
    touch(buffer);
    if (buffer.storage.isBF16()) {
      Value pairs = LLVM::LoadOp::create(b, VectorType::get(elementsAtOnce / 2, b.getI32Type()),
                                         address(buffer, at(0)), elementsAtOnce * 2);
      for (int64_t i = 0; i < elementsAtOnce; ++i) {
        Value pair = LLVM::ExtractElementOp::create(b, pairs, i32(i / 2));
        memo.back()[keyOf(value, at(i))] = halfOf(pair, i % 2);
      }
      return;
    }
    Value all = LLVM::LoadOp::create(b, VectorType::get(elementsAtOnce, b.getF32Type()),
                                     address(buffer, at(0)), elementsAtOnce * 4);
    for (int64_t i = 0; i < elementsAtOnce; ++i)
      memo.back()[keyOf(value, at(i))] = LLVM::ExtractElementOp::create(b, all, i32(i));
  };
  int64_t rows = points.size(), columns = points.front().size();
  if (keptTogether && rows % elementsAtOnce == 0 && readsAtOnce(buffer, kept)) {
    for (int64_t column = 0; column < columns; ++column)
      for (int64_t i = 0; i < rows; i += elementsAtOnce)
        read([&](int64_t j) -> const Point& { return points[i + j][column]; });
  } else if (columns % elementsAtOnce == 0 && readsAtOnce(buffer, reduced)) {
    for (ArrayRef<Point> row : points)
      for (int64_t i = 0; i < columns; i += elementsAtOnce)
        read([&](int64_t j) -> const Point& { return row[i + j]; });
  }
}

SmallVector<Value> KernelEmitter::sumBlock(Operation* sum, ArrayRef<SmallVector<Point>> block,
                                           StringRef row, bool rowsTogether, bool lanesTogether) {
  const Product& product = products.find(sum)->second;
  int64_t rows = block.size(), lanes = block.front().size();
  bool swapped = product.row != row;
  Value left = swapped ? product.right : product.left,
        right = swapped ? product.left : product.right;
  StringRef lane = swapped ? product.row : product.lane;
  ssm::ArrayType type = arrayType(sum->getOperand(0));
  std::function<SmallVector<Value>(size_t, Point, ValueRange)> run =
      [&](size_t depth, Point position, ValueRange sums) -> SmallVector<Value> {
    StringRef reduced = product.reduced[depth];
    int64_t extent = type.find(reduced).getSize();
    bool isInner = depth + 1 == product.reduced.size();
    // Several terms at a time where that lets them be read at once.
    int64_t terms =
        isInner && !isPartial(reduced) && extent % elementsAtOnce == 0 && !machine.hasWordsOnly()
            ? elementsAtOnce
            : 1;
    auto step = [&](Value first, ValueRange carried) {
      SmallVector<Value> totals(carried);
      if (!isInner) {
        position.set(reduced, {first, 0});
        return run(depth + 1, position, totals);
      }
      auto at = [&](const Point& element, int64_t term) {
        Point point = element;
        for (auto& [label, index] : position.indices)
          point.set(label, index);
        point.set(reduced, {first, term});
        return point;
      };
      if (!machine.hasWordsOnly()) {
        SmallVector<SmallVector<Point>> leftPoints(rows), rightPoints(lanes);
        for (int64_t term = 0; term < terms; ++term) {
          for (int64_t i = 0; i < rows; ++i)
            leftPoints[i].push_back(at(block[i][0], term));
          for (int64_t j = 0; j < lanes; ++j)
            rightPoints[j].push_back(at(block[0][j], term));
        }
        readRuns(left, row, reduced, rowsTogether, leftPoints);
        readRuns(right, lane, reduced, lanesTogether, rightPoints);
      }
      for (int64_t term = 0; term < terms; ++term)
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < lanes; ++j) {
            Value& total = totals[i * lanes + j];
            total = reductionCombine(b, sum, total,
                                     evaluate(sum->getOperand(0), at(block[i][j], term)));
          }
      return totals;
    };
    return loop(i32(0), extentOf(reduced, extent), i32(terms), sums, step);
  };
  SmallVector<Value> zeros(rows * lanes, reductionIdentity(b, sum, b.getF32Type()));
  return run(0, Point(), zeros);
}

void KernelEmitter::emitBlocks(Value root, ArrayRef<Operation*> sums, ArrayRef<ssm::AxisAttr> axes,
                               Finish finish) {
  const Product& model = products.find(sums.front())->second;
  StringRef row = model.row, lane = model.lane, inner = axes.back().getName();
  SumBlock shape = blockOf(axes, row, lane, sums.size());
  if (shape.rows * shape.lanes == 1)
    return dealElements(root, axes, finish);
  // Rows, or lanes, side by side: those of a side that is contiguous along them.
  auto isTogether = [&](Value side, StringRef kept, int64_t extent, int64_t count) {
    return !machine.hasWordsOnly() && count % elementsAtOnce == 0 && extent % count == 0 &&
           contiguousIn(side, kept, model.reduced.back()) == kept;
  };
  // Tasks are numbered as blocks lie in the result.
  int64_t rowBlocks = 1, laneBlocks = 1, rows = 1, lanes = 1;
  SmallVector<ssm::AxisAttr> coarse;
  for (ssm::AxisAttr axis : axes) {
    int64_t size = axis.getSize(), blocks = size;
    if (axis.getName() == row) {
      rows = size;
      blocks = rowBlocks = llvm::divideCeil(size, shape.rows);
    } else if (axis.getName() == lane) {
      lanes = size;
      blocks = laneBlocks = llvm::divideCeil(size, shape.lanes);
    }
    coarse.push_back(
        ssm::AxisAttr::get(b.getContext(), axis.getLabel(), b.getI64IntegerAttr(blocks)));
  }
  bool rowsTogether = isTogether(model.left, row, rows, shape.rows),
       lanesTogether = isTogether(model.right, lane, lanes, shape.lanes);
  /// The positions of a block along a label; beyond the last one the last, of which nothing is
  /// kept.
  auto positions = [&](Index start, int64_t count, int64_t blocks, int64_t extent, bool together) {
    SmallVector<Index> found;
    Value first = indexValue(start);
    if (together)
      first = arith::MulIOp::create(b, first, i32(count));
    for (int64_t i = 0; i < count; ++i) {
      Index index{first, together ? i : i * blocks};
      if (extent % count != 0 && i > 0)
        index = {arith::MinSIOp::create(b, indexValue(index), i32(extent - 1)), 0};
      found.push_back(index);
    }
    return found;
  };
  auto emitTask = [&](Value task) {
    Point start = pointAt(task, coarse);
    SmallVector<Index> rowsAt =
        positions(*start.find(row), shape.rows, rowBlocks, rows, rowsTogether);
    SmallVector<Index> lanesAt =
        positions(*start.find(lane), shape.lanes, laneBlocks, lanes, lanesTogether);
    SmallVector<SmallVector<Point>> block;
    for (const Index& i : rowsAt) {
      block.emplace_back();
      for (const Index& j : lanesAt) {
        Point& point = block.back().emplace_back(start);
        point.set(row, i);
        point.set(lane, j);
      }
    }
    auto savedPrivates = privates;
    SmallVector<SmallVector<Value>> results;
    for (Operation* sum : sums)
      results.push_back(sumBlock(sum, block, row, rowsTogether, lanesTogether));
    // Those side by side in the result one after the other.
    bool alongRows = inner == row && rowsTogether;
    bool inRuns = alongRows || (inner == lane && lanesTogether);
    // Of a label the n-th position exists, and is no repetition of the last one, which another
    // thread writes too; null where that is sure.
    auto existsAlong = [&](StringRef label, ArrayRef<Index> at, int64_t n, int64_t extent,
                           int64_t blocks) -> Value {
      if (isPartial(label) || extent % int64_t(at.size()) == 0 || n == 0) {
        Point point;
        point.set(label, at[n]);
        Value exists = existsAt(axes, point);
        if (!exists || extent % int64_t(at.size()) == 0 || n == 0)
          return exists;
      }
      Value place = arith::AddIOp::create(b, indexValue(at[0]), i32(n * blocks));
      return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, place, extentOf(label, extent));
    };
    auto existsRow = [&](int64_t i) { return existsAlong(row, rowsAt, i, rows, rowBlocks); };
    auto existsLane = [&](int64_t j) { return existsAlong(lane, lanesAt, j, lanes, laneBlocks); };
    auto finishLine = [&](int64_t line) {
      SmallVector<std::pair<Point, Value>> done;
      for (int64_t n = 0; n < (alongRows ? shape.rows : shape.lanes); ++n) {
        int64_t i = alongRows ? n : line, j = alongRows ? line : n;
        const Point& point = block[i][j];
        auto compute = [&] {
          for (auto [sum, values] : llvm::zip(sums, results))
            privates[sum->getResult(0).getAsOpaquePointer()] =
                Private{{}, {values[i * shape.lanes + j]}};
          return std::pair(point, evaluate(root, point));
        };
        if (Value exists = alongRows ? existsRow(i) : existsLane(j)) {
          when(exists, [&] { finish(compute()); });
          continue;
        }
        done.push_back(compute());
        if (!inRuns || int64_t(done.size()) == elementsAtOnce) {
          finish(done);
          done.clear();
        }
      }
    };
    SmallVector<ssm::AxisAttr> others;
    for (ssm::AxisAttr axis : axes)
      if (axis.getName() != row && axis.getName() != lane)
        others.push_back(axis);
    when(existsAt(others, start), [&] {
      for (int64_t line = 0; line < (alongRows ? shape.lanes : shape.rows); ++line)
        when(alongRows ? existsLane(line) : existsRow(line), [&] { finishLine(line); });
    });
    privates = std::move(savedPrivates);
  };
  dealNumbers(countOf(coarse), emitTask);
}
