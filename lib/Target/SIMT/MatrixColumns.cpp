// Kernels whose columns never meet (EmitColumns.cpp), on machines of matrices in which nobody knows
// where an element is: a warp takes sixteen columns, with all that has columns in its registers.
//
// What has columns is matrices of sums, [column, sixteen positions of x], of which each thread has
// some elements. Which ones it learns where a kernel begins, from a matrix that says so. Left sides
// of products are matrices of another kind: what has columns is rounded and goes there by way of a
// place of the warp's own, in which columns lie side by side; so do results that the caller has in
// rows. Of what comes as bf16 such matrices are read as they lie.
//
// Where it is said which ones they are, and that a thread has the same ones of a left side
// (Machine::hasFragmentLayout), nothing goes through memory. The kernel looks whether it is so; if
// not all that it computes is NaN.
//
// Right sides, and all else that a chunk reads, lie in the block's memory. Where that has room for
// two chunks, and columns leave the block warps that it may have, these bring in the next one
// meanwhile; if it is short they have asked for it a chunk before, as a short chunk is computed in
// less time than memory takes to answer. Else all threads ask for it before this one is computed,
// and put it there afterwards: where there is no room for two, once all have done so.
#include "dialects/SSM/SSMRenaming.h"
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;
using tile::Role;

namespace ssmc::simt {

/// Matrices that have places at a time.
static constexpr int64_t mostPlaces = 2;
/// Bytes of a chunk that a thread may hold while another one is computed and brought in.
static constexpr int64_t mostHeld = 128;

class MatrixColumns : WarpColumns {
public:
  MatrixColumns(KernelEmitter& e, tile::SequenceOp sequence)
      : WarpColumns(e, sequence), shape(*e.machine.matrices()),
        elementsOfTile(shape.rows * shape.lanes / e.machine.lanes()) {}
  void emit();

private:
  /// What of an operand is on its way: pieces, and where these are.
  struct Asked : Staged {
    SmallVector<std::pair<Value, Point>> held;
  };

  int64_t tilesOf(ssm::AxisAttr axis) { return axis ? axis.getSize() / shape.lanes : 1; }
  int64_t sizeOf(ssm::AxisAttr axis) override { return tilesOf(axis) * elementsOfTile; }
  int64_t columnOf(int64_t element) override { return element % elementsOfTile; }
  Point pointOf(ssm::AxisAttr axis, int64_t element) override;
  const Fragment& fragmentOf(Value value) override;

  void learnPositions();
  Fragment compute(Value value);
  Fragment readStaged(tile::LoadOp load);
  Fragment multiply(ssm::SumOp sum, const Fragment* start);

  /// The left side of a product, a matrix for sixteen positions each, and what rounding leaves.
  struct Left {
    SmallVector<Value> rounded, rests;
  };
  const Left& leftOf(const Factors& factors);
  /// Writes a tile to a place of the warp's own: rows of columns, as bf16.
  void putTile(ArrayRef<Value> elements, int64_t place);
  Buffer placeOf(int64_t place);

  void planStaging();
  /// Whether warps without columns bring in all that is read, while others compute.
  bool bringInAlone() const { return e.columns.copiers && slots > 1; }
  /// Whether these ask for it a chunk before.
  bool asksAhead() const { return bringInAlone() && bytesOfThread <= mostHeld; }
  /// What threads hold of what they have asked for, and they hold that.
  SmallVector<Value> heldPieces();
  void holdPieces(ValueRange words);
  /// The pieces of an operand that a thread brings in.
  void findPieces(Asked& one);
  void ask(Asked& one, Value left);
  void put(Asked& one, Value slot);
  Value wordWithin(Value word, Value count, bool isHalves);
  void askAll(Value chunk);
  void putAll(Value chunk, Value slot);

  void writeOperand(tile::StoreOp store);
  void writeRows(const Fragment& fragment, const Buffer& target, bool isRest);

  MatrixShape shape;
  int64_t elementsOfTile;
  std::vector<Asked> staged;
  int64_t slots = 1, bytesOfThread = 0;
  Buffer places; ///< of all warps, each `mostPlaces` tiles
  /// Of a tile's elements the column, among those of the warp and of the block, and the position.
  SmallVector<Index> columns, blockColumns, positions;
  std::map<std::pair<void*, bool>, Left> lefts;
  Value lane, warpStart;
};

} // namespace ssmc::simt

//===-- elements -----------------------------------------------------------------------------===//

Point MatrixColumns::pointOf(ssm::AxisAttr axis, int64_t element) {
  int64_t inTile = element % elementsOfTile;
  Point point;
  point.set(column, blockColumns[inTile]);
  if (axis) {
    Index at = positions[inTile];
    point.set(axis.getName(), {at.dynamic, at.constant + element / elementsOfTile * shape.lanes});
  }
  return point;
}

void MatrixColumns::learnPositions() {
  bool isSaid = e.machine.hasFragmentLayout();
  SmallVector<Value> sums;
  if (!isSaid) {
    Buffer numbers = e.makeNumbers(b.getF32Type());
    e.barrier();
    sums = e.machine.splitSums(
        b, e.loadSums(numbers, numbers.dims[0].label, numbers.dims[1].label, e.firstOf(numbers)));
  }
  for (int64_t i = 0; i < elementsOfTile; ++i) {
    Index row, inRow;
    if (isSaid) {
      row = e.rowOfElement(i);
      inRow = e.positionOfElement(i);
    } else {
      Value number = arith::FPToUIOp::create(b, b.getI32Type(), sums[i]);
      row = {arith::DivUIOp::create(b, number, e.i32(shape.lanes)), 0};
      inRow = {arith::RemUIOp::create(b, number, e.i32(shape.lanes)), 0};
    }
    columns.push_back(row);
    positions.push_back(inRow);
    Value inBlock = arith::AddIOp::create(b, warpStart, row.dynamic);
    blockColumns.push_back({inBlock, row.constant});
  }
}

const Fragment& MatrixColumns::fragmentOf(Value value) {
  if (auto found = fragments.find(value); found != fragments.end())
    return found->second;
  Fragment made = compute(value);
  return fragments[value] = std::move(made);
}

Fragment MatrixColumns::compute(Value value) {
  Operation* op = value.getDefiningOp();
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return llvm::any_of(staged, [&](const Asked& one) { return one.load == load; })
               ? readStaged(load)
               : readOperand(load);
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    Fragment made = fragmentOf(relabel.getOperand());
    made.axis = otherAxis(value);
    return made;
  }
  if (auto sum = dyn_cast<ssm::SumOp>(op))
    return multiply(sum, nullptr);
  // A product is added to what there is.
  if (auto [sum, other] = addedProduct(op); sum) {
    Fragment start = fragmentOf(other);
    return multiply(sum, &start);
  }
  return computeElements(value);
}

Fragment MatrixColumns::readStaged(tile::LoadOp load) {
  const Buffer& buffer = e.buffers.find(load.getResult())->second;
  Fragment made{otherAxis(load.getResult()), {}};
  for (int64_t i = 0; i < sizeOf(made.axis); ++i)
    made.elements.push_back(e.load(buffer, pointOf(made.axis, i)));
  return made;
}

//===-- products -----------------------------------------------------------------------------===//

Buffer MatrixColumns::placeOf(int64_t place) {
  e.touch(places);
  Buffer mine = places;
  int64_t bytes = shape.rows * shape.lanes * 2;
  Value number = arith::MulIOp::create(b, warp, e.i32(mostPlaces * bytes));
  mine.base = e.gep(mine.base, b.getI8Type(), number);
  if (place)
    mine.base = e.gep(mine.base, b.getI8Type(), e.i32(place * bytes));
  return mine;
}

void MatrixColumns::putTile(ArrayRef<Value> elements, int64_t place) {
  Buffer mine = placeOf(place);
  for (auto [i, element] : llvm::enumerate(elements)) {
    Point point;
    point.set(places.dims[0].label, positions[i]);
    point.set(places.dims[1].label, columns[i]);
    e.store(mine, point, element);
  }
}

const MatrixColumns::Left& MatrixColumns::leftOf(const Factors& factors) {
  Value base = factors.side;
  while (auto relabel = ssm::asRenaming(base))
    base = relabel.getOperand();
  Value key = factors.asksSteps ? factors.side : base;
  auto [found, isNew] = lefts.try_emplace({key.getAsOpaquePointer(), factors.keepsRest});
  Left& left = found->second;
  if (!isNew)
    return left;
  ssm::AxisAttr axis = factors.left.axis;
  // What lies in the block's memory as bf16 is read there.
  if (auto load = base.getDefiningOp<tile::LoadOp>();
      load && !factors.keepsRest && !factors.asksSteps) {
    auto lies = e.buffers.find(load.getResult());
    if (lies != e.buffers.end() && lies->second.id >= 0 && lies->second.storage.isBF16()) {
      StringRef name = otherAxis(load.getResult()).getName();
      for (int64_t x = 0; x < axis.getSize(); x += shape.depth) {
        Point point;
        point.set(column, {warpStart, 0});
        point.set(name, {Value(), x});
        left.rounded.push_back(e.loadMatrix(lies->second, column, name, point, /*isRight=*/false));
      }
      return left;
    }
  }
  if (e.machine.hasFragmentLayout()) {
    for (int64_t first = 0; first < int64_t(factors.left.elements.size());
         first += elementsOfTile) {
      SmallVector<Value> pairs, rests;
      for (int64_t i = first; i < first + elementsOfTile; i += 2) {
        KernelEmitter::Pair pair =
            e.roundedPair(leftElement(factors, i), leftElement(factors, i + 1), factors.keepsRest);
        pairs.push_back(pair.value);
        rests.push_back(pair.rest);
      }
      left.rounded.push_back(e.machine.joinSide(b, pairs, /*isRight=*/false));
      if (factors.keepsRest)
        left.rests.push_back(e.machine.joinSide(b, rests, /*isRight=*/false));
    }
    return left;
  }
  StringRef position = places.dims[0].label, across = places.dims[1].label;
  int64_t tiles = tilesOf(axis), each = factors.keepsRest ? 2 : 1;
  for (int64_t first = 0; first < tiles; first += mostPlaces / each) {
    int64_t count = std::min(mostPlaces / each, tiles - first);
    e.machine.meetWarp(b); // (What was there has been read.)
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<Value> elements, rests;
      for (int64_t j = 0; j < elementsOfTile; ++j) {
        elements.push_back(leftElement(factors, (first + i) * elementsOfTile + j));
        if (factors.keepsRest)
          rests.push_back(e.restOf(elements.back()));
      }
      putTile(elements, each * i);
      if (factors.keepsRest)
        putTile(rests, each * i + 1);
    }
    e.machine.meetWarp(b);
    for (int64_t i = 0; i < each * count; ++i) {
      Value matrix =
          e.loadMatrix(placeOf(i), across, position, e.firstOf(places), /*isRight=*/false);
      (i % each ? left.rests : left.rounded).push_back(matrix);
    }
  }
  return left;
}

Fragment MatrixColumns::multiply(ssm::SumOp sum, const Fragment* start) {
  Factors factors = factorsOf(sum);
  const Left left = leftOf(factors);
  const KernelEmitter::Side& where = factors.where;
  Fragment made = factors.made;
  int64_t tiles = tilesOf(made.axis);
  SmallVector<Value> sums;
  for (int64_t y = 0; y < tiles; ++y)
    sums.push_back(start
                       ? e.machine.joinSums(
                             b, ArrayRef(start->elements).slice(y * elementsOfTile, elementsOfTile))
                       : e.machine.fillSums(b, e.nought));
  // Tiles that are all 0.
  auto isNought = [&](int64_t x, int64_t y) {
    return factors.triangle && (ssm::strings(*factors.triangle)[0] == where.kept ? x > y : y > x);
  };
  for (int64_t x = 0; x < int64_t(left.rounded.size()); ++x)
    for (auto [number, copy] : llvm::enumerate(factors.copies))
      for (int64_t y = 0; y < tiles; ++y) {
        if (isNought(x, y))
          continue;
        Point point;
        point.set(where.kept, {Value(), y * shape.lanes});
        point.set(where.reduced, {Value(), x * shape.depth});
        Value right = e.loadMatrix(e.buffers.find(copy)->second, where.kept, where.reduced, point,
                                   /*isRight=*/true);
        sums[y] = e.machine.multiplyMatrices(b, left.rounded[x], right, sums[y]);
        if (factors.keepsRest && number == 0)
          sums[y] = e.machine.multiplyMatrices(b, left.rests[x], right, sums[y]);
      }
  for (Value one : sums)
    llvm::append_range(made.elements, e.machine.splitSums(b, one));
  return made;
}

//===-- what chunks read ---------------------------------------------------------------------===//

void MatrixColumns::planStaging() {
  ssm::AxisAttr position = axisOf(b, "position", e.columns.warps * mostPlaces * shape.lanes),
                across = axisOf(b, "column", shape.rows);
  places = e.makeBuffer(ssm::ArrayType::get(b.getContext(), {position, across}, b.getF32Type()),
                        {position.getName(), across.getName()}, b.getBF16Type());
  // (Tiles of a warp's own lie close: nothing is read but as matrices.)
  places.dims[0].stride = shape.rows;
  e.places[places.id].bytes = e.columns.warps * mostPlaces * shape.lanes * shape.rows * 2;
  int64_t bytes = 0;
  for (tile::LoadOp load : sequence.getBlock()->getOps<tile::LoadOp>()) {
    staged.push_back({stage(load, /*inPanels=*/false)});
    bytes += staged.back().bytes;
  }
  if (2 * bytes + e.places[places.id].bytes <= e.limits.sharedBytes)
    slots = 2;
  for (const Asked& one : staged)
    e.places[one.all.id].bytes *= slots;
  if (bringInAlone())
    bytesOfThread = bytes / (e.columns.copiers * e.machine.lanes());
}

SmallVector<Value> MatrixColumns::heldPieces() {
  // (Words, of which vectors are not handed on.)
  SmallVector<Value> words;
  for (Asked& one : staged)
    for (auto& [piece, point] : one.held) {
      if (one.unit == 1) {
        words.push_back(piece);
        continue;
      }
      for (int64_t word = 0; word < 4; ++word)
        words.push_back(LLVM::ExtractElementOp::create(b, piece, e.i32(word)));
    }
  return words;
}

void MatrixColumns::holdPieces(ValueRange words) {
  for (Asked& one : staged)
    for (auto& [piece, point] : one.held) {
      size_t count = one.unit == 1 ? 1 : 4;
      piece = count == 1 ? words.front() : e.vectorOf(SmallVector<Value>(words.take_front(count)));
      words = words.drop_front(count);
    }
}

void MatrixColumns::findPieces(Asked& one) {
  SmallVector<ssm::AxisAttr> axes = axesOf(one.load.getResult().getType(), one.all);
  StringRef last = axes.empty() ? StringRef() : axes.back().getName();
  if (!axes.empty())
    axes.back() = axisOf(b, last, axes.back().getSize() / one.unit);
  int64_t others = bringInAlone() ? e.columns.warps * e.machine.lanes() : 0;
  int64_t count = countOf(axes), threads = e.limits.threads - others;
  one.held.clear();
  for (int64_t first = 0; first < count; first += threads) {
    Value number = arith::AddIOp::create(b, e.thread, e.i32(first - others));
    if (first + threads > count)
      number = arith::MinSIOp::create(b, number, e.i32(count - 1));
    Point point = e.pointAt(number, axes);
    if (one.unit > 1)
      point.set(last,
                {arith::MulIOp::create(b, e.indexValue(*point.find(last)), e.i32(one.unit)), 0});
    one.held.push_back({Value(), point});
  }
}

/// Steps that do not exist are not read: the last one is, in their place.
void MatrixColumns::ask(Asked& one, Value left) {
  int index = e.kernel.findLoaded(one.load.getName());
  tile::OperandAttr operand = e.kernel.getOperandAt(index);
  ssm::ArrayType type = arrayType(one.load.getResult());
  if (one.unit > 1)
    e.needsAligned(index, operand.getStorage().getIntOrFloatBitWidth() / 8);
  Buffer source =
      e.userBuffer(one.load, index, tile::Part::Whole, type.getElementType(), /*row=*/0);
  auto words = VectorType::get(4, b.getI32Type());
  bool isWhole = operand.getRole() == Role::ChunkTemp;
  findPieces(one);
  for (auto& [piece, point] : one.held) {
    Point inside = point;
    if (!isWhole)
      for (ssm::AxisAttr axis : type.getAxes())
        if (e.stepLabels.contains(axis.getName())) {
          Value at = e.indexValue(*point.find(axis.getName()));
          Value most = arith::SubIOp::create(b, left, e.i32(1));
          inside.set(axis.getName(), {arith::MinSIOp::create(b, at, most), 0});
        }
    piece = one.unit > 1 ? LLVM::LoadOp::create(b, words, e.address(source, inside), 16).getResult()
                         : e.load(source, inside);
  }
}

/// Of a word, which is an element or two of them, those below a count, 0 in place of the others.
Value MatrixColumns::wordWithin(Value word, Value count, bool isHalves) {
  auto isBelow = [&](int64_t number) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::slt, e.i32(number), count);
  };
  if (isHalves) {
    Value low = arith::AndIOp::create(b, word, e.i32(0xffff));
    word = arith::SelectOp::create(b, isBelow(1), word, low);
  }
  return arith::SelectOp::create(b, isBelow(0), word, e.i32(0));
}

/// Puts what has been asked for in its place: zeros where there are no steps.
void MatrixColumns::put(Asked& one, Value slot) {
  Buffer target = slotOf(one, slot);
  e.touch(target);
  bool isHalves = target.storage.getIntOrFloatBitWidth() == 16;
  for (auto& [piece, point] : one.held) {
    if (one.unit == 1) {
      Value value = piece;
      if (Value exists = e.existsAt(arrayType(one.load.getResult()).getAxes(), point))
        value = arith::SelectOp::create(
            b, exists, value, arith::ConstantOp::create(b, b.getZeroAttr(value.getType())));
      e.store(target, point, value);
      continue;
    }
    Value made = piece;
    SmallVector<ssm::AxisAttr> axes = axesOf(arrayType(one.load.getResult()), target);
    ssm::AxisAttr last = axes.pop_back_val();
    Value exists = e.existsAt(axes, point);
    bool isPart = e.isPartial(last.getName());
    if (exists || isPart) {
      SmallVector<Value> parts;
      for (int64_t word = 0; word < 4; ++word) {
        Value part = LLVM::ExtractElementOp::create(b, piece, e.i32(word));
        if (exists)
          part = arith::SelectOp::create(b, exists, part, e.i32(0));
        if (isPart) {
          Value at = arith::AddIOp::create(b, e.indexValue(*point.find(last.getName())),
                                           e.i32(isHalves ? 2 * word : word));
          Value count = arith::SubIOp::create(b, e.partialExtents[last.getName()], at);
          part = wordWithin(part, count, isHalves);
        }
        parts.push_back(part);
      }
      made = e.vectorOf(parts);
    }
    LLVM::StoreOp::create(b, made, e.address(target, point), 16);
  }
}

void MatrixColumns::askAll(Value chunk) {
  Value start = chunkStart(chunk);
  e.timeStarts[0] = start;
  Value left = arith::SubIOp::create(b, e.times[0], start);
  left =
      arith::TruncIOp::create(b, b.getI32Type(), arith::MinSIOp::create(b, left, e.i64(1 << 20)));
  for (Asked& one : staged)
    ask(one, left);
}

void MatrixColumns::putAll(Value chunk, Value slot) {
  Value left = arith::SubIOp::create(b, e.times[0], chunkStart(chunk));
  forWhole(left, [&] {
    for (Asked& one : staged)
      put(one, slot);
  });
}

//===-- results ------------------------------------------------------------------------------===//

/// Rows of the caller's in which columns lie side by side: sixteen bytes a thread at once.
void MatrixColumns::writeRows(const Fragment& fragment, const Buffer& target, bool isRest) {
  StringRef down = fragment.axis.getName();
  int64_t tiles = tilesOf(fragment.axis), perPiece = 8, pieces = shape.rows / perPiece;
  auto words = VectorType::get(4, b.getI32Type());
  Value myRow = arith::DivUIOp::create(b, lane, e.i32(pieces));
  Value myColumn =
      arith::MulIOp::create(b, arith::RemUIOp::create(b, lane, e.i32(pieces)), e.i32(perPiece));
  for (int64_t first = 0; first < tiles; first += mostPlaces) {
    int64_t count = std::min(mostPlaces, tiles - first);
    e.machine.meetWarp(b);
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<Value> elements;
      for (int64_t j = 0; j < elementsOfTile; ++j) {
        Value element = fragment.elements[(first + i) * elementsOfTile + j];
        elements.push_back(isRest ? e.restOf(element) : element);
      }
      putTile(elements, i);
    }
    e.machine.meetWarp(b);
    for (int64_t i = 0; i < count; ++i) {
      Point from, to;
      from.set(places.dims[0].label, {myRow, 0});
      from.set(places.dims[1].label, {myColumn, 0});
      to.set(down, {myRow, (first + i) * shape.lanes});
      to.set(column, {arith::AddIOp::create(b, warpStart, myColumn), 0});
      Value piece = LLVM::LoadOp::create(b, words, e.address(placeOf(i), from), 16);
      e.when(e.existsAt({fragment.axis}, to),
             [&] { LLVM::StoreOp::create(b, piece, e.address(target, to), 16); });
    }
  }
}

void MatrixColumns::writeOperand(tile::StoreOp store) {
  int index = e.kernel.findStored(store.getName());
  Value value = store.getValue();
  Fragment fragment = fragmentOf(value);
  Buffer target =
      e.userBuffer(store, index, tile::Part::Whole, arrayType(value).getElementType(), /*row=*/0);
  bool byRows = target.storage.isBF16() && fragment.axis &&
                shape.lanes * (shape.rows / 8) == e.machine.lanes() &&
                llvm::any_of(target.dims, [&](const Dim& dim) {
                  return dim.label == column && dim.stride == 1 && !dim.dynamicStride;
                });
  bool isRest = store.getRest();
  if (byRows) {
    e.needsAligned(index, 2);
    return writeRows(fragment, target, isRest);
  }
  auto write = [&] {
    for (int64_t i = 0; i < int64_t(fragment.elements.size()); ++i) {
      Point point = pointOf(fragment.axis, i);
      Value element = fragment.elements[i];
      if (isRest)
        element = e.restOf(element);
      Value exists;
      if (fragment.axis)
        exists = e.existsAt({fragment.axis}, point);
      else // Of those that have the same one writes.
        exists = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                       e.indexValue(positions[columnOf(i)]), e.i32(0));
      e.when(exists, [&] { e.store(target, point, element); });
    }
  };
  Value present = e.kernel.getOperandAt(index).getRole() == Role::StateOut
                      ? e.isPresent(store, index, 0)
                      : Value();
  e.when(present, write);
}

//===-- the kernel ---------------------------------------------------------------------------===//

void MatrixColumns::emit() {
  KernelEmitter::Scope scope(e);
  for (auto [label, each] : tile::namesOfSteps(sequence))
    e.stepLabels.insert(label);
  lane = arith::RemUIOp::create(b, e.thread, e.i32(e.machine.lanes()));
  warp = arith::DivUIOp::create(b, e.thread, e.i32(e.machine.lanes()));
  // (Some warps have no columns of their own.)
  Value computes;
  if (e.columns.copiers) {
    computes = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, warp, e.i32(e.columns.warps));
    warp = arith::MinUIOp::create(b, warp, e.i32(e.columns.warps - 1));
  }
  warpStart = arith::MulIOp::create(b, warp, e.i32(shape.rows));
  learnPositions();
  planStaging();
  int64_t tile = sequence.getTileSize();
  chunks =
      arith::DivSIOp::create(b, arith::AddIOp::create(b, e.times[0], e.i64(tile - 1)), e.i64(tile));
  auto slotOfChunk = [&](Value chunk) -> Value {
    chunk = arith::TruncIOp::create(b, b.getI32Type(), chunk);
    return arith::RemUIOp::create(b, chunk, e.i32(slots));
  };
  Block* body = sequence.getBlock();
  SmallVector<Value> initial = flatten(sequence.getInits());
  size_t states = initial.size();
  if (e.isAsSaid)
    for (Value& element : initial)
      element = arith::SelectOp::create(b, e.isAsSaid, element, e.nought);
  // What chunks read of params is read once.
  for (auto load : e.kernel.getBlock()->getOps<tile::LoadOp>())
    if (bears(load.getResult()) &&
        llvm::any_of(load->getUsers(), [&](Operation* user) { return user->getBlock() == body; }))
      fragmentOf(load.getResult());
  Value isAny = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, chunks, e.i64(0));
  auto bringIn = [&](Value chunk, Value slot) {
    askAll(chunk);
    putAll(chunk, slot);
  };
  Value brings = isAny;
  if (bringInAlone()) {
    Value isCopier = arith::XOrIOp::create(b, computes, arith::ConstantIntOp::create(b, 1, 1));
    brings = arith::AndIOp::create(b, isAny, isCopier);
  }
  Value lastChunk = arith::SubIOp::create(b, chunks, e.i64(1));
  auto notBeyond = [&](Value chunk) -> Value {
    return arith::MinSIOp::create(b, chunk, lastChunk);
  };
  if (asksAhead()) {
    SmallVector<Type> types;
    auto begin = [&] {
      bringIn(e.i64(0), e.i32(0));
      askAll(notBeyond(e.i64(1)));
      SmallVector<Value> pieces = heldPieces();
      llvm::append_range(types, ValueRange(pieces).getTypes());
      return pieces;
    };
    auto dont = [&] {
      return llvm::map_to_vector(types, [&](Type type) -> Value {
        return arith::ConstantOp::create(b, cast<TypedAttr>(b.getZeroAttr(type)));
      });
    };
    llvm::append_range(initial, e.choose(brings, begin, dont));
  } else {
    e.when(brings, [&] {
      KernelEmitter::Scope inner(e);
      bringIn(e.i64(0), e.i32(0));
    });
  }
  e.barrier();
  e.enterLoop();
  SmallVector<Value> last =
      e.loop(e.i64(0), chunks, e.i64(1), initial, [&](Value chunk, ValueRange all) {
        ValueRange carried = all.take_front(states), pieces = all.drop_front(states);
        Value slot = slotOfChunk(chunk);
        // (Beyond the last chunk that is brought in once more, where nobody reads it.)
        Value next = arith::AddIOp::create(b, chunk, e.i64(1)), ahead = notBeyond(next);
        Value nextSlot = slotOfChunk(next);
        auto compute = [&] {
          llvm::DenseMap<Value, Fragment> outside = fragments;
          enterChunk(chunk, carried);
          for (Asked& one : staged)
            e.buffers[one.load.getResult()] = slotOf(one, slot);
          for (tile::StoreOp store : body->getOps<tile::StoreOp>())
            writeOperand(store);
          SmallVector<Value> carriedOn = flatten(body->getTerminator()->getOperands());
          for (Asked& one : staged)
            e.buffers.erase(one.load.getResult());
          e.partialExtents.clear();
          lefts.clear();
          fragments = std::move(outside);
          llvm::append_range(carriedOn, pieces);
          return carriedOn;
        };
        auto dont = [&] {
          SmallVector<Value> carriedOn(carried);
          if (asksAhead()) {
            for (Asked& one : staged)
              findPieces(one);
            holdPieces(pieces);
            putAll(ahead, nextSlot);
            askAll(notBeyond(arith::AddIOp::create(b, chunk, e.i64(2))));
            llvm::append_range(carriedOn, heldPieces());
          } else if (bringInAlone()) {
            bringIn(ahead, nextSlot);
          }
          return carriedOn;
        };
        if (!bringInAlone())
          askAll(ahead);
        SmallVector<Value> carriedOn = computes ? e.choose(computes, compute, dont) : compute();
        if (slots == 1)
          e.barrier();
        if (!bringInAlone())
          putAll(ahead, nextSlot);
        e.barrier();
        return carriedOn;
      });
  last.truncate(states);
  initial.truncate(states);
  e.leaveLoop();
  // (Not every target gives the results of a loop that is never entered their first values.)
  for (auto [value, init] : llvm::zip(last, initial))
    value = arith::SelectOp::create(b, isAny, value, init);
  adopt(sequence.getResults(), last);
  e.when(computes, [&] {
    for (tile::StoreOp store : e.kernel.getBlock()->getOps<tile::StoreOp>())
      writeOperand(store);
  });
}

void KernelEmitter::emitMatrixColumns() {
  MatrixColumns(*this, *kernel.getBlock()->getOps<tile::SequenceOp>().begin()).emit();
}
