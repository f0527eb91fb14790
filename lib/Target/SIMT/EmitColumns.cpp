// Kernels whose columns never meet (`columns` of tile.kernel): a warp takes sixteen of them from
// the first chunk to the last, with all that has columns in its registers.
//
// What has columns is an array [column, x], held as the sums of products are: of each 16 x 8 tile
// of columns by positions of x a thread has columns r and r + 8 at positions c and c + 1
// (EmitProduct.cpp). That is also how the left side of a product over x is wanted, so that a chain
// of products, each the next one's left side, needs no exchange and no memory:
//
//   X[column, y] = sum over x of W[column, x] M[y, x]
//
// Right sides are matrices without columns. They lie in shared memory, where all warps of the block
// read them: several chunks have room, and warps of their own bring in those to come. Rows and
// columns of steps that do not exist are zeros there. Warps meet those that copy where a chunk is
// there; that one has been read they say without waiting.
//
// Machines whose groups of four warps multiply by matrices where these lie have them in panels.
//
// Where there are too few columns for all units that multiply two warps share sixteen
// (ShareColumns.cpp).
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

#include <array>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;
using tile::Role;

//===-- fragments ----------------------------------------------------------------------------===//

Index ColumnEmitter::indexOf(ssm::AxisAttr axis, int64_t position, Value within) {
  if (!isShared(axis))
    return {within, position};
  Value start = arith::MulIOp::create(b, half, e.i32(extentOf(axis)));
  return {within ? arith::AddIOp::create(b, start, within).getResult() : start, position};
}

Point ColumnEmitter::pointOf(ssm::AxisAttr axis, int64_t element) {
  Point point;
  int64_t down = axis ? element % 4 / 2 : element;
  point.set(column, {myColumn, 8 * down});
  if (axis)
    point.set(axis.getName(), indexOf(axis, element / 4 * positions + element % 2, c));
  return point;
}

Fragment& ColumnEmitter::begin(Value value) {
  if (auto found = fragments.find(value); found != fragments.end())
    return found->second;
  Fragment made = compute(value);
  return fragments[value] = std::move(made);
}

const Fragment& ColumnEmitter::fragmentOf(Value value) {
  Fragment& fragment = begin(value);
  if (fragment.begun) {
    // (What has been waited for once is so again, for assemblers that don't remember.)
    done = std::max(done, *fragment.begun + 1);
    fragment.elements = e.machine.finishGroup(b, fragment.elements, begun - done);
  }
  fragment.begun.reset();
  return fragment;
}

Fragment ColumnEmitter::compute(Value value) {
  Operation* op = value.getDefiningOp();
  if (auto load = dyn_cast<tile::LoadOp>(op)) {
    for (Staged& one : staged)
      if (one.load == load)
        return readStaged(load);
    return readOperand(load);
  }
  if (auto relabel = dyn_cast<ssm::RelabelOp>(op)) {
    Fragment made = fragmentOf(relabel.getOperand());
    made.axis = otherAxis(value);
    return made;
  }
  if (auto sum = dyn_cast<ssm::SumOp>(op)) {
    Fragment made = multiply(sum, nullptr);
    if (isPart(sum))
      addUp(made);
    return made;
  }
  // A product is added to what there is.
  if (auto [sum, other] = addedProduct(op, [&](ssm::SumOp sum) { return !isPart(sum); }); sum) {
    if (e.columns.inGroups) {
      // Its left side is rounded while that is being added up, and to what is a sum itself it is
      // added meanwhile.
      GroupProduct product = prepareForGroup(sum);
      bool isSum = other.getDefiningOp<ssm::SumOp>() && other.hasOneUse();
      Fragment start = isSum ? begin(other) : fragmentOf(other);
      return multiplyInGroup(product, &start);
    }
    Fragment start = fragmentOf(other);
    return multiply(sum, &start);
  }
  return computeElements(value);
}

/// An operand with columns: tiles of bf16 are read so that steps, not columns, lie side by side.
Fragment ColumnEmitter::readStaged(tile::LoadOp load) {
  const Buffer& buffer = e.buffers.find(load.getResult())->second;
  Fragment made{otherAxis(load.getResult()), {}};
  bool byColumns = false;
  for (const Dim& dim : buffer.dims)
    byColumns |= dim.label == column && dim.stride == 1;
  if (!made.axis || !buffer.storage.isBF16()) {
    for (int64_t i = 0; i < sizeOf(made.axis); ++i)
      made.elements.push_back(e.load(buffer, pointOf(made.axis, i)));
    return made;
  }
  Value first = arith::MulIOp::create(b, warp, e.i32(columnsOfWarp));
  Type pair = VectorType::get(2, b.getBF16Type());
  for (int64_t x = 0; x < extentOf(made.axis); x += 16) {
    SmallVector<Value> four = e.loadFragmentOf(buffer, byColumns, column, made.axis.getName(),
                                               Point(), {first, 0}, indexOf(made.axis, x, Value()),
                                               /*isRight=*/false);
    llvm::append_range(made.pairs, four);
    for (Value part : four) {
      Value both = LLVM::BitcastOp::create(b, pair, part);
      for (int64_t i : {0, 1})
        made.elements.push_back(arith::ExtFOp::create(
            b, b.getF32Type(), LLVM::ExtractElementOp::create(b, both, e.i32(i)).getResult()));
    }
  }
  return made;
}

/// Chains of sums that keep the units busy which multiply.
static constexpr int64_t chainsAtOnce = 4;

//===-- products -----------------------------------------------------------------------------===//

/// Columns r and r + 8 by positions c and c + 8 of the sixteen.
void ColumnEmitter::roundLeft(const Factors& factors, int64_t x, SmallVectorImpl<Value>& pairs,
                              SmallVectorImpl<Value>& rests) {
  const Fragment& left = factors.left;
  for (int64_t tile : {0, 1})
    for (int64_t down : {0, 1}) {
      size_t at = (x / positions + tile) * 4 + 2 * down;
      if (!left.pairs.empty() && !factors.keepsRest && !factors.asksSteps) {
        pairs.push_back(left.pairs[at / 2]);
        rests.push_back(Value());
        continue;
      }
      Value two[] = {leftElement(factors, at), leftElement(factors, at + 1)};
      KernelEmitter::Pair pair = e.roundedPair(two[0], two[1], factors.keepsRest);
      pairs.push_back(pair.value);
      rests.push_back(pair.rest);
    }
}

ColumnEmitter::GroupProduct ColumnEmitter::prepareForGroup(ssm::SumOp sum) {
  Factors factors = factorsOf(sum);
  GroupProduct product;
  product.made = factors.made;
  auto& matrices = product.matrices;
  for (Value copy : factors.copies)
    matrices.push_back(e.groupMatrixOf(e.buffers.find(copy)->second, factors.where.kept));
  for (int64_t x = 0; x < extentOf(factors.left.axis); x += 16) {
    // (Of a triangle all lanes: sums in parts would be copied.)
    Machine::GroupStep step;
    step.offset = matrices.front().offsetAt(x);
    SmallVector<Value, 4> pairs, rests;
    roundLeft(factors, x, pairs, rests);
    for (int64_t copy = 0; copy < int64_t(matrices.size()); ++copy)
      for (bool rest : {false, true})
        if (!rest || (factors.keepsRest && copy == 0)) {
          step.left = rest ? rests : pairs;
          step.matrix = copy;
          product.steps.push_back(step);
        }
  }
  return product;
}

Fragment ColumnEmitter::multiplyInGroup(const GroupProduct& product, const Fragment* start) {
  Fragment made = product.made;
  made.elements = e.machine.beginGroup(b, product.matrices, product.steps,
                                       start ? ArrayRef<Value>(start->elements) : ArrayRef<Value>(),
                                       extentOf(made.axis));
  made.begun = begun++;
  return made;
}

Fragment ColumnEmitter::multiply(ssm::SumOp sum, const Fragment* start) {
  if (e.columns.inGroups)
    return multiplyInGroup(prepareForGroup(sum), start);
  Factors factors = factorsOf(sum);
  const Fragment& left = factors.left;
  const KernelEmitter::Side& where = factors.where;
  Fragment made = factors.made;
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  // Few sums would wait for themselves: each is added up in several, which wait for none.
  int64_t parts = 1, next = 0;
  while (sizeOf(made.axis) / 4 * parts < chainsAtOnce && 2 * parts * 16 <= extentOf(left.axis))
    parts *= 2;
  SmallVector<SmallVector<Value>> sums(parts, SmallVector<Value>(sizeOf(made.axis), zero));
  if (start)
    sums[0] = start->elements;
  for (int64_t x = 0; x < extentOf(left.axis); x += 16) {
    SmallVector<Value> pairs, rests;
    roundLeft(factors, x, pairs, rests);
    for (auto [number, copy] : llvm::enumerate(factors.copies)) {
      const Buffer& buffer = e.buffers.find(copy)->second;
      bool transposed = llvm::any_of(
          buffer.dims, [&](const Dim& dim) { return dim.stride == 1 && dim.label == where.kept; });
      // Tiles that are all 0.
      auto isNought = [&](int64_t y) {
        if (!factors.triangle)
          return false;
        return ssm::strings(*factors.triangle)[0] == where.kept ? x > y + 7 : y > x + 15;
      };
      // All sums once, then all once more: none waits for the one before.
      SmallVector<std::pair<int64_t, std::array<Value, 2>>> tiles;
      for (int64_t y = 0; y < extentOf(made.axis); y += 16) {
        if (isNought(y) && isNought(y + 8))
          continue;
        SmallVector<Value> four = e.loadFragmentOf(
            buffer, transposed, where.kept, where.reduced, Point(), indexOf(made.axis, y, Value()),
            indexOf(left.axis, x, Value()), /*isRight=*/true);
        for (int64_t half : {0, 1})
          if (!isNought(y + 8 * half))
            tiles.push_back({(y / positions + half) * 4, {four[2 * half], four[2 * half + 1]}});
      }
      for (bool rest : {false, true})
        if (!rest || (factors.keepsRest && number == 0)) {
          SmallVector<Value>& part = sums[next++ % parts];
          for (auto& [at, right] : tiles)
            llvm::copy(e.machine.multiplyPairs(b, rest ? rests : pairs, right,
                                               ArrayRef(part).slice(at, 4)),
                       part.begin() + at);
        }
    }
  }
  for (; parts > 1; parts /= 2)
    for (int64_t i = 0; i < parts / 2; ++i)
      for (auto [x, y] : llvm::zip(sums[i], sums[i + parts / 2]))
        if (y != zero)
          x = arith::AddFOp::create(b, x, y);
  made.elements = std::move(sums[0]);
  return made;
}

/// What flows into states goes first, as the next chunk waits for that. Then what is carried on and
/// what is stored.
void ColumnEmitter::beginFirst() {
  begun = done = 0;
  Block* body = sequence.getBlock();
  // What is made of states element by element comes before all products: assemblers take states,
  // which the last chunk's products have made, for sums that are still under way.
  llvm::DenseSet<Value> ofStates(body->args_begin(), body->args_end());
  for (Operation& op : *body)
    if (!isa<ssm::SumOp, tile::StoreOp, tile::LoadOp>(op) && op.getNumResults() == 1 &&
        bears(op.getResult(0)) && arrayType(op.getResult(0)).getAxes().size() <= 2 &&
        llvm::none_of(op.getUsers(), [](Operation* user) { return isa<ssm::SumOp>(user); }) &&
        llvm::any_of(op.getOperands(), [&](Value of) { return ofStates.contains(of); }) &&
        llvm::all_of(op.getOperands(), [&](Value of) {
          return !bears(of) || ofStates.contains(of) || of.getDefiningOp<tile::LoadOp>();
        })) {
      fragmentOf(op.getResult(0));
      ofStates.insert(op.getResult(0));
    }
  for (bool flows : {true, false})
    for (auto sum : body->getOps<ssm::SumOp>()) {
      auto mul = sum.getOperand().getDefiningOp<ssm::MulOp>();
      if (mul && bears(sum.getResult()) && flowsIntoState(sum.getResult()) == flows &&
          llvm::any_of(mul->getOperands(),
                       [&](Value side) { return isa<BlockArgument>(side) && bears(side); }))
        begin(sum.getResult());
    }
  for (Value next : body->getTerminator()->getOperands())
    begin(next);
  for (tile::StoreOp store : body->getOps<tile::StoreOp>())
    begin(store.getValue());
}

//===-- results ------------------------------------------------------------------------------===//

/// Bytes of sixteen columns as bf16, and of what a thread writes of them.
static constexpr int64_t bytesOfRow = 2 * columnsOfWarp, bytesOfPiece = 16;

void ColumnEmitter::planRows(int64_t room) {
  int64_t most = 0;
  for (auto store : sequence.getBlock()->getOps<tile::StoreOp>()) {
    ssm::AxisAttr axis = bears(store.getValue()) ? otherAxis(store.getValue()) : ssm::AxisAttr();
    tile::OperandAttr operand = e.kernel.getOperandAt(e.kernel.findStored(store.getName()));
    if (axis && operand.getStorage().isBF16() && !store.getRest() && axis.getSize() % 16 == 0)
      most = std::max(most, axis.getSize());
  }
  int64_t bytes = most * bytesOfRow * e.columns.warps;
  if (!e.machine.hasTileStores() || !bytes || bytes > room)
    return;
  rowBytes = most * bytesOfRow;
  ssm::AxisAttr axis = axisOf(b, "rows", bytes / 4);
  rows = e.makeBuffer(ssm::ArrayType::get(b.getContext(), {axis}, b.getF32Type()));
}

/// Four tiles at a time, each of eight columns of eight rows; then pieces of 16 bytes, an eighth as
/// many as pairs. Of rows 4 to 7 of eight the two halves change places, so that eight rows or
/// pieces lie in different banks.
SmallVector<Value> ColumnEmitter::piecesOfRows(const Fragment& fragment) {
  e.touch(*rows);
  Value lane = arith::RemUIOp::create(b, e.thread, e.i32(32));
  Value number = arith::DivUIOp::create(b, e.thread, e.i32(32));
  auto bit = [&](Value value, int shift) -> Value {
    return arith::AndIOp::create(b, arith::ShRUIOp::create(b, value, e.i32(shift)), e.i32(1));
  };
  Value mine = e.gep(rows->base, b.getI8Type(), arith::MulIOp::create(b, number, e.i32(rowBytes)));
  auto placeOf = [&](Value row, Value half) {
    Value at = arith::MulIOp::create(b, row, e.i32(bytesOfRow));
    Value piece = arith::XOrIOp::create(b, half, bit(row, 2));
    at = arith::AddIOp::create(b, at, arith::MulIOp::create(b, piece, e.i32(bytesOfPiece)));
    return e.gep(mine, b.getI8Type(), at);
  };
  // Thread 8 i + r: tile i has columns 8 (i mod 2) on of rows 8 (i / 2) on.
  Value tileRow = arith::AndIOp::create(b, lane, e.i32(7));
  tileRow = arith::AddIOp::create(b, tileRow, arith::MulIOp::create(b, bit(lane, 4), e.i32(8)));
  Value to = placeOf(tileRow, bit(lane, 3));
  Value from = placeOf(arith::ShRUIOp::create(b, lane, e.i32(1)), bit(lane, 0));
  auto sixteenRows = [&](Value place, int64_t i) {
    return e.gep(place, b.getI8Type(), e.i32(16 * bytesOfRow * i));
  };
  int64_t count = fragment.elements.size() / 8;
  e.machine.meetWarp(b); // (What was here has been read.)
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> pairs;
    for (int64_t j = 0; j < 8; j += 2)
      pairs.push_back(
          e.machine.roundPair(b, fragment.elements[8 * i + j], fragment.elements[8 * i + j + 1]));
    e.machine.storeTiles(b, sixteenRows(to, i), pairs);
  }
  e.machine.meetWarp(b);
  SmallVector<Value> pieces;
  Type piece = VectorType::get(bytesOfPiece / 4, b.getF32Type());
  for (int64_t i = 0; i < count; ++i)
    pieces.push_back(LLVM::LoadOp::create(b, piece, sixteenRows(from, i), bytesOfPiece));
  return pieces;
}

void ColumnEmitter::writeOperand(tile::StoreOp store) {
  int index = e.kernel.findStored(store.getName());
  Value value = store.getValue();
  Fragment fragment = fragmentOf(value);
  // Of what all that share columns have each writes a part, the first positions or the last.
  Value firstPosition;
  if (sharers > 1 && fragment.axis && !isShared(fragment.axis)) {
    int64_t count = fragment.elements.size() / sharers;
    Value isLate = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, half, e.i32(0));
    for (int64_t i = 0; i < count; ++i)
      fragment.elements[i] =
          arith::SelectOp::create(b, isLate, fragment.elements[i + count], fragment.elements[i]);
    fragment.elements.truncate(count);
    firstPosition = arith::MulIOp::create(b, half, e.i32(fragment.axis.getSize() / sharers));
  }
  auto placed = [&](Point point) {
    if (firstPosition) {
      Index at = *point.find(fragment.axis.getName());
      point.set(fragment.axis.getName(),
                {arith::AddIOp::create(b, at.dynamic, firstPosition), at.constant});
    }
    return point;
  };
  Buffer target =
      e.userBuffer(store, index, tile::Part::Whole, arrayType(value).getElementType(), /*row=*/0);
  // Rows of bf16: with steps down and columns across, a thread has two columns side by side.
  bool byRows = target.storage.isBF16() && fragment.axis && !store.getRest() &&
                llvm::any_of(target.dims, [&](const Dim& dim) {
                  return dim.label == column && dim.stride == 1 && !dim.dynamicStride;
                });
  if (byRows)
    e.needsAligned(index, 2);
  Value inWarp = arith::RemUIOp::create(b, e.thread, e.i32(32));
  Value myRow = arith::DivUIOp::create(b, inWarp, e.i32(4));
  Value firstColumn = arith::MulIOp::create(b, warp, e.i32(columnsOfWarp));
  Value myPair = arith::AddIOp::create(b, firstColumn, c);
  // (Two pieces are a row.)
  Value myPieceRow = arith::DivUIOp::create(b, inWarp, e.i32(2));
  Value myPiece = arith::RemUIOp::create(b, inWarp, e.i32(2));
  myPiece = arith::MulIOp::create(b, myPiece, e.i32(bytesOfPiece / 2));
  myPiece = arith::AddIOp::create(b, firstColumn, myPiece);
  bool byPieces = byRows && rows && fragment.elements.size() % 8 == 0 &&
                  int64_t(fragment.elements.size()) / 4 * positions * bytesOfRow <= rowBytes;
  // (All are transposed before threads part.)
  SmallVector<Value> transposed, pieces;
  if (byPieces)
    pieces = piecesOfRows(fragment);
  else if (byRows)
    for (size_t i = 0; i < fragment.elements.size(); i += 2)
      transposed.push_back(e.machine.transposeTile(
          b, e.machine.roundPair(b, fragment.elements[i], fragment.elements[i + 1])));
  auto writeAt = [&](Point point, Value value, int64_t bytes, bool asks) {
    point = placed(point);
    e.when(asks ? e.existsAt({fragment.axis}, point) : Value(),
           [&] { LLVM::StoreOp::create(b, value, e.address(target, point), bytes); });
  };
  auto writeRows = [&](bool asks) {
    StringRef down = fragment.axis.getName();
    for (auto [i, pair] : llvm::enumerate(transposed)) {
      Point point;
      point.set(column, {myPair, i % 2 ? 8 : 0});
      point.set(down, indexOf(fragment.axis, int64_t(i / 2) * positions, myRow));
      writeAt(point, pair, 4, asks);
    }
    for (auto [i, piece] : llvm::enumerate(pieces)) {
      Point point;
      point.set(column, {myPiece, 0});
      point.set(down, indexOf(fragment.axis, int64_t(i) * 16, myPieceRow));
      writeAt(point, piece, bytesOfPiece, asks);
    }
  };
  // With positions across, a thread has two of them side by side.
  auto isAcross = [&](const Dim& dim) {
    return fragment.axis && dim.label == fragment.axis.getName() && dim.stride == 1 &&
           !dim.dynamicStride;
  };
  bool byPairs = target.storage.isBF16() && target.isAligned && llvm::any_of(target.dims, isAcross);
  auto write = [&](bool asks) {
    if (byRows)
      return writeRows(asks);
    if (byPairs && !asks) {
      for (size_t i = 0; i < fragment.elements.size(); i += 2) {
        Value x = fragment.elements[i], y = fragment.elements[i + 1];
        if (store.getRest()) {
          x = e.restOf(x);
          y = e.restOf(y);
        }
        LLVM::StoreOp::create(b, e.machine.roundPair(b, x, y),
                              e.address(target, placed(pointOf(fragment.axis, i))), 4);
      }
      return;
    }
    for (size_t i = 0; i < fragment.elements.size(); ++i) {
      Point point = placed(pointOf(fragment.axis, i));
      Value element = fragment.elements[i];
      if (store.getRest())
        element = e.restOf(element);
      Value exists = asks ? e.existsAt({fragment.axis}, point) : Value();
      if (exists)
        e.when(exists, [&] { e.store(target, point, element); });
      else
        e.store(target, point, element);
    }
  };
  if (sharers > 1 && !fragment.axis) {
    Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, half, e.i32(0));
    return e.when(isFirst, [&] { write(false); });
  }
  if (e.kernel.getOperandAt(index).getRole() == Role::StateOut)
    return e.when(e.isPresent(store, index, 0), [&] { write(false); });
  if (!fragment.axis || !e.isPartial(fragment.axis.getName()))
    return write(false);
  Value isWhole =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, e.partialExtents[fragment.axis.getName()],
                            e.i32(fragment.axis.getSize()));
  e.choose(
      isWhole,
      [&] {
        write(false);
        return SmallVector<Value>();
      },
      [&] {
        write(true);
        return SmallVector<Value>();
      });
}

void ColumnEmitter::emitColumns(Value count) {
  Block* body = sequence.getBlock();
  SmallVector<Value> initial = flatten(sequence.getInits());
  // What chunks read of params is read once.
  for (auto load : e.kernel.getBlock()->getOps<tile::LoadOp>())
    if (bears(load.getResult()) &&
        llvm::any_of(load->getUsers(), [&](Operation* user) { return user->getBlock() == body; }))
      fragmentOf(load.getResult());
  SmallVector<Value> last =
      e.loop(e.i64(0), count, e.i64(1), initial, [&](Value chunk, ValueRange carried) {
        Value slot = slotOfChunk(chunk);
        waitFor(slot, isThere, turnOf(chunk));
        if (e.columns.inGroups)
          e.machine.seeMatrices(b);
        DenseMap<Value, Fragment> outside = fragments;
        enterChunk(chunk, carried);
        for (Staged& one : staged)
          e.buffers[one.load.getResult()] = slotOf(one, slot);
        addUpFirst();
        if (e.columns.inGroups)
          beginFirst();
        for (tile::StoreOp store : body->getOps<tile::StoreOp>())
          writeOperand(store);
        SmallVector<Value> next = flatten(body->getTerminator()->getOperands());
        for (Staged& one : staged)
          e.buffers.erase(one.load.getResult());
        meetAgain();
        // (Nobody waits where there is nothing more to bring.)
        Value last = arith::SubIOp::create(b, count, e.i64(slots));
        Value isWanted = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, chunk, last);
        e.when(isWanted, [&] { e.machine.arrive(b, signalOf(slot, isRead)); });
        e.partialExtents.clear();
        fragments = std::move(outside);
        return next;
      });
  adopt(sequence.getResults(), last);
  for (tile::StoreOp store : e.kernel.getBlock()->getOps<tile::StoreOp>())
    writeOperand(store);
}

void ColumnEmitter::emit() {
  KernelEmitter::Scope scope(e);
  for (auto [label, each] : tile::namesOfSteps(sequence))
    e.stepLabels.insert(label);
  if (sharers > 1)
    planExchange();
  planStaging();
  makeSignals();
  Value inWarp = arith::RemUIOp::create(b, e.thread, e.i32(32));
  Value number = arith::DivUIOp::create(b, e.thread, e.i32(32));
  if (e.columns.inGroups)
    number = e.machine.sameInWarp(b, number);
  warp = number;
  if (sharers > 1) {
    half = arith::RemUIOp::create(b, number, e.i32(sharers));
    warp = arith::DivUIOp::create(b, number, e.i32(sharers));
  }
  myColumn = arith::AddIOp::create(b, arith::MulIOp::create(b, warp, e.i32(columnsOfWarp)),
                                   arith::DivUIOp::create(b, inWarp, e.i32(4)));
  c = arith::MulIOp::create(b, arith::RemUIOp::create(b, inWarp, e.i32(4)), e.i32(2));
  int64_t tile = sequence.getTileSize();
  chunks =
      arith::DivSIOp::create(b, arith::AddIOp::create(b, e.times[0], e.i64(tile - 1)), e.i64(tile));
  Value isColumns =
      arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number, e.i32(e.columns.warps));
  e.enterLoop();
  e.choose(
      isColumns,
      [&] {
        KernelEmitter::Scope inner(e);
        emitColumns(chunks);
        return SmallVector<Value>();
      },
      [&] {
        KernelEmitter::Scope inner(e);
        emitCopies(chunks);
        return SmallVector<Value>();
      });
  e.leaveLoop();
}

void KernelEmitter::emitColumns() {
  ColumnEmitter(*this, *kernel.getBlock()->getOps<tile::SequenceOp>().begin()).emit();
}
