// Grams with a decay for each key.
//
// Blocks of sixteen steps on the diagonal, pair by pair: lanes of a warp have keys of their own,
// and walk down the rows with one product for each column,
//
//   P[s] = b[s] prod of decays from s + 1 to the row       G[t, s] = sum over keys of a[t] P[s]
//
// in f32, without an exponential and without a barrier; lanes add up at the end, thirty-two sums at
// a time. Off the diagonal, by halves (Halves.h): a level is one product, with queries scaled from
// the cut on, keys up to it,
//
//   L[t] = a[t] prod of decays from the cut to t       t in the second half of its block
//   R[s] = b[s] prod of decays from s + 1 to the cut   s in the first half
//
// Neither exceeds what it is made of where decays do not exceed 1. Decays stay products of factors:
// zero and negative ones are as exact as any.
//
// (Yang et al., gated linear attention, 2024, cut chunks once more, into blocks with a reference
// each, and compute diagonal ones pair by pair too, with an exponential for each pair and key.)
#include "lib/Target/SIMT/Halves.h"

#include <array>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

bool simt::lowersGram(ssm::GramOp gram) {
  SmallVector<StringRef> over = ssm::strings(gram.getOver());
  if (over.size() != 1)
    return false;
  ssm::ArrayType decay = arrayType(gram.getDecay());
  if (!decay.has(over.front()))
    return false; // Without such decays it is a product and a span.
  for (Value value : {gram.getA(), gram.getB(), gram.getDecay()}) {
    ssm::ArrayType type = arrayType(value);
    if (!type.isReal() || type.getRank() != 2 || !type.has(over.front()) ||
        !type.has(gram.getRows()))
      return false;
  }
  int64_t keys = decay.find(over.front()).getSize(), steps = decay.find(gram.getRows()).getSize();
  return keys % 16 == 0 && takesBlocks(gram, steps);
}

static constexpr int64_t lanes = 32; ///< of a warp

/// The sums over a warp of a power of two of values: lane l gets that of value l / (32 / count).
Value KernelEmitter::sumOverLanes(SmallVector<Value> values, Value lane) {
  int64_t mask = lanes / 2;
  for (; values.size() > 1; mask /= 2) {
    size_t half = values.size() / 2;
    Value bit = arith::AndIOp::create(b, lane, i32(mask));
    Value isUpper = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, bit, i32(0));
    for (size_t i = 0; i < half; ++i) {
      Value kept = arith::SelectOp::create(b, isUpper, values[i + half], values[i]);
      Value given = arith::SelectOp::create(b, isUpper, values[i], values[i + half]);
      values[i] = arith::AddFOp::create(b, kept, machine.exchange(b, given, mask));
    }
    values.truncate(half);
  }
  for (; mask; mask /= 2)
    values[0] = arith::AddFOp::create(b, values[0], machine.exchange(b, values[0], mask));
  return values[0];
}

namespace ssmc::simt {

/// Grams of the same keys, which decay alike.
class GramEmitter : Halves {
public:
  GramEmitter(KernelEmitter& e, ArrayRef<ssm::GramOp> grams)
      : Halves(e, ssm::GramOp(grams.front()).getRows(), ssm::GramOp(grams.front()).getDecay()),
        grams(grams), first(grams.front()), columns(first.getColumns()) {
    for (ssm::GramOp gram : grams)
      targets.push_back(e.makeBuffer(arrayType(gram.getResult()), {rows, columns}));
    keepsKeys = llvm::any_of(grams, feedsBack);
    lane = arith::RemUIOp::create(b, e.thread, e.i32(lanes));
    warp = arith::DivUIOp::create(b, e.thread, e.i32(lanes));
    warps = e.limits.threads / lanes;
  }

  void emit() {
    makeSides();
    emitDiagonal();
    emitZeros();
    for (int64_t half = steps / 2; half >= blockSteps; half /= 2) {
      if (half < steps / 2)
        e.barrier(); // (Sides of the level before have been read.)
      for (const Side& side : sides)
        emitSide(side, half);
      e.barrier();
      emitTiles(half);
    }
    for (auto [gram, target] : llvm::zip(grams, targets))
      e.buffers[gram.getResult()] = target;
  }

private:
  static bool feedsBack(ssm::GramOp gram) { return flowsIntoState(gram.getResult()); }

  /// Queries of each gram, then keys.
  void makeSides() {
    if (steps == blockSteps)
      return;
    for (ssm::GramOp gram : grams)
      sides.push_back({gram.getA(), /*isLate=*/true, gram.getStrict(), {}, {}, {}});
    sides.push_back({first.getB(), /*isLate=*/false, false, {}, {}, {}});
    for (Side& side : sides) {
      side.high = makeHalves(b.getBF16Type());
      if (side.isLate || keepsKeys)
        side.rest = makeHalves(b.getBF16Type());
    }
  }

  //===-- the diagonal -----------------------------------------------------------------------===//

  /// Columns of a block that a warp walks with at a time, and parts of a block with so many.
  static constexpr int64_t columnsAtOnce = 4, parts = blockSteps / columnsAtOnce;

  /// A warp does columns part, part + 4, part + 8 and part + 12 of a block, so that warps have
  /// about the same to do, and writes rows from 0, 4, 8, 12 on: zeros in those above.
  void emitDiagonal() {
    e.loop(warp, e.i32(steps / blockSteps * parts), e.i32(warps), {}, [&](Value task, ValueRange) {
      Value block = times(arith::DivUIOp::create(b, task, e.i32(parts)), blockSteps);
      emitPart(block, arith::RemUIOp::create(b, task, e.i32(parts)));
      return SmallVector<Value>();
    });
  }

  void emitPart(Value block, Value part) {
    // What the key of each column has become, 0 before its step, and its sums from row to row.
    SmallVector<Value> own, none(llvm::divideCeil(key.getSize(), lanes), zero);
    SmallVector<SmallVector<Value>> vectors(columnsAtOnce, none);
    using Sums = std::array<SmallVector<Value>, columnsAtOnce>;
    std::vector<Sums> all(grams.size());
    for (int64_t t = 0; t < blockSteps; ++t) {
      SmallVector<Value> decays;
      if (t % parts == 0)
        own = readKeys(first.getB(), plus(block, part), t);
      if (t > 0)
        decays = readKeys(decay, block, t);
      // The column that may begin here: that of the warp whose part it is.
      int64_t last = t / parts;
      auto addUp = [&](bool strict) {
        for (auto [gram, sums] : llvm::zip(grams, all)) {
          if (gram.getStrict() != strict)
            continue;
          SmallVector<Value> queries = readKeys(gram.getA(), block, t, /*isZeroBeyond=*/true);
          for (int64_t c = 0; c <= last; ++c) {
            Value sum;
            for (auto [x, y] : llvm::zip(queries, vectors[c]))
              sum = fma(x, y, sum);
            sums[c].push_back(vectors[c].front() == zero ? zero : sum);
          }
        }
      };
      // Queries decay by their own step too, unless it is a strict gram.
      addUp(/*strict=*/true);
      for (int64_t c = 0; c <= last && t > 0; ++c)
        for (auto [value, by] : llvm::zip(vectors[c], decays))
          if (value != zero)
            value = mul(value, by);
      Value isOwn = equal(part, e.i32(t % parts));
      for (auto [value, key] : llvm::zip(vectors[last], own))
        value = arith::SelectOp::create(b, isOwn, key, value);
      addUp(/*strict=*/false);
    }
    writePart(block, part, all);
  }

  /// Sixteen rows of the first column, twelve of the second and four of the last make a warp's
  /// worth of sums, the eight of the third a quarter of one.
  template <class Sums> void writePart(Value block, Value part, std::vector<Sums>& all) {
    auto write = [&](const Buffer& target, Value row, Value column, Value sum) {
      Point point;
      point.set(rows, {plus(block, row), 0});
      point.set(columns, {plus(block, plus(column, part)), 0});
      e.store(target, point, sum);
    };
    auto isBelow = [&](int64_t bound) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, lane, e.i32(bound));
    };
    auto choose = [&](int64_t first, int64_t second, int64_t last) -> Value {
      Value late = arith::SelectOp::create(b, isBelow(28), e.i32(second), e.i32(last));
      return arith::SelectOp::create(b, isBelow(16), e.i32(first), late);
    };
    Value row = arith::SubIOp::create(b, lane, choose(0, 12, 16));
    Value column = choose(0, parts, 3 * parts);
    Value number = arith::DivUIOp::create(b, lane, e.i32(parts));
    for (auto [target, sums] : llvm::zip(targets, all)) {
      SmallVector<Value> most(sums[0]);
      most.append(sums[1]);
      most.append(sums[3]);
      write(target, row, column, e.sumOverLanes(std::move(most), lane));
      Value sum = e.sumOverLanes(std::move(sums[2]), lane);
      e.when(equal(arith::RemUIOp::create(b, lane, e.i32(parts)), e.i32(0)),
             [&] { write(target, plus(number, e.i32(8)), e.i32(2 * parts), sum); });
    }
  }

  /// A lane's keys at a step. (Lanes beyond the last key read that.)
  SmallVector<Value> readKeys(Value value, Value start, int64_t t, bool isZeroBeyond = false) {
    int64_t keys = key.getSize(), each = llvm::divideCeil(keys, lanes);
    bool isFull = keys % lanes == 0;
    Value firstKey = times(lane, each);
    SmallVector<Value> elements;
    for (int64_t i = 0; i < each; ++i) {
      Point point;
      point.set(rows, {start, t});
      Index at{firstKey, i};
      if (!isFull)
        at = {arith::MinUIOp::create(b, e.indexValue(at), e.i32(keys - 1)), 0};
      point.set(key.getName(), at);
      Value element = e.evaluate(value, point);
      if (!isFull && isZeroBeyond) {
        Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, plus(firstKey, e.i32(i)),
                                             e.i32(keys));
        element = arith::SelectOp::create(b, exists, element, zero);
      }
      elements.push_back(element);
    }
    return elements;
  }

  /// In the rows of the diagonal's blocks that no warp writes, and in the blocks above.
  void emitZeros() {
    e.deal({axisOf(b, rows, steps), axisOf(b, columns, steps)}, [&](const Point& point) {
      Value t = e.indexValue(*point.find(rows)), s = e.indexValue(*point.find(columns));
      Value start = times(arith::DivUIOp::create(b, s, e.i32(columnsAtOnce)), columnsAtOnce);
      e.when(arith::CmpIOp::create(b, arith::CmpIPredicate::ult, t, start), [&] {
        for (const Buffer& target : targets)
          e.store(target, point, zero);
      });
    });
  }

  //===-- off the diagonal -------------------------------------------------------------------===//

  struct Tile {
    HalfTile down, across;
  };

  void emitTiles(int64_t half) {
    int64_t along = half / blockSteps, all = grams.size();
    int64_t tiles = steps / (2 * half) * along * along;
    bool isWhole = e.machine.matrices().has_value();
    // With more warps than tiles each takes eight columns, or one gram.
    int64_t parts = !isWhole && 2 * tiles <= warps ? 2 : 1;
    int64_t shares = !isWhole && tiles * parts * all <= warps ? all : 1;
    e.loop(warp, e.i32(tiles * parts * shares), e.i32(warps), {}, [&](Value task, ValueRange) {
      Value share = split(task, shares), part = split(task, parts);
      Value right = split(task, along), down = split(task, along);
      Tile tile{tileAt(half, task, down, /*isLate=*/true),
                tileAt(half, task, right, /*isLate=*/false)};
      if (isWhole)
        emitMatrixTile(tile);
      else if (shares == 1)
        emitTile(tile, grams, targets, sides, parts == 2 ? part : Value());
      else
        for (int64_t g = 0; g < all; ++g)
          e.when(equal(share, e.i32(g)), [&] {
            emitTile(tile, ArrayRef(grams).slice(g, 1), ArrayRef(targets).slice(g, 1),
                     ArrayRef(sides).slice(g, 1), parts == 2 ? part : Value());
          });
      return SmallVector<Value>();
    });
  }

  /// A tile of some grams, or, with `part`, its first or last eight columns.
  void emitTile(const Tile& tile, ArrayRef<ssm::GramOp> grams, ArrayRef<Buffer> targets,
                ArrayRef<Side> queries, Value part) {
    int64_t all = grams.size(), columnsOf8 = part ? 1 : 2;
    Value r = arith::DivUIOp::create(b, lane, e.i32(4));
    Value c = times(arith::RemUIOp::create(b, lane, e.i32(4)), 2);
    Value isLast;
    if (part)
      isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, part, e.i32(0));
    SmallVector<Value> zeros(4 * columnsOf8 * all, zero);
    auto body = [&](Value from, ValueRange carried) {
      SmallVector<Value> totals(carried);
      auto fragment = [&](const Buffer& buffer, Value place, bool isRight) {
        SmallVector<Value> four =
            e.loadFragmentOf(buffer, /*transposed=*/false, rows, key.getName(), Point(), {place, 0},
                             {from, 0}, isRight);
        if (isRight && isLast)
          four = {arith::SelectOp::create(b, isLast, four[2], four[0]),
                  arith::SelectOp::create(b, isLast, four[3], four[1])};
        return four;
      };
      const Side& keys = sides.back();
      SmallVector<Value> y = fragment(keys.high, tile.across.place, true), yRest;
      if (keepsKeys)
        yRest = fragment(keys.rest, tile.across.place, true);
      for (int64_t g = 0; g < all; ++g) {
        auto add = [&](ArrayRef<Value> p, ArrayRef<Value> q) {
          for (int64_t j = 0; j < columnsOf8; ++j) {
            auto place = totals.begin() + 4 * (columnsOf8 * g + j);
            SmallVector<Value> four(place, place + 4);
            llvm::copy(e.machine.multiplyPairs(b, p, {q[2 * j], q[2 * j + 1]}, four), place);
          }
        };
        SmallVector<Value> x = fragment(queries[g].high, tile.down.place, false);
        add(x, y);
        add(fragment(queries[g].rest, tile.down.place, false), y);
        if (feedsBack(grams[g]))
          add(x, yRest);
      }
      return totals;
    };
    SmallVector<Value> sums =
        e.loop(e.i32(0), e.i32(key.getSize()), e.i32(blockSteps), zeros, body);
    Value t = plus(tile.down.step, r), s = plus(tile.across.step, c);
    auto put = [&](int64_t g, int64_t j, int64_t right, int64_t down) {
      SmallVector<std::pair<Point, Value>> run;
      for (int64_t i : {0, 1}) {
        Point point;
        point.set(rows, {t, down});
        point.set(columns, {s, right + i});
        run.push_back({point, sums[4 * (columnsOf8 * g + j) + down / 4 + i]});
      }
      e.storeRun(targets[g], run);
    };
    auto putColumns = [&](int64_t j, int64_t right) {
      for (int64_t g = 0; g < all; ++g)
        for (int64_t down : {0, 8})
          put(g, j, right, down);
    };
    if (!part) {
      putColumns(0, 0);
      putColumns(1, 8);
      return;
    }
    e.when(equal(part, e.i32(0)), [&] { putColumns(0, 0); });
    e.when(isLast, [&] { putColumns(0, 8); });
  }

  /// The same on machines that multiply matrices of which nobody knows where an element is.
  void emitMatrixTile(const Tile& tile) {
    const Side& keys = sides.back();
    SmallVector<Value> zeros(grams.size(), e.machine.fillSums(b, zero));
    auto body = [&](Value from, ValueRange carried) {
      SmallVector<Value> totals(carried);
      auto load = [&](const Buffer& buffer, Value place, bool isRight) {
        Point at;
        at.set(rows, {place, 0});
        at.set(key.getName(), {from, 0});
        return e.loadMatrix(buffer, rows, key.getName(), at, isRight);
      };
      Value y = load(keys.high, tile.across.place, true), yRest;
      if (keepsKeys)
        yRest = load(keys.rest, tile.across.place, true);
      for (auto [query, total, gram] : llvm::zip(sides, totals, grams)) {
        Value x = load(query.high, tile.down.place, false);
        total = e.machine.multiplyMatrices(b, x, y, total);
        total = e.machine.multiplyMatrices(b, load(query.rest, tile.down.place, false), y, total);
        if (feedsBack(gram))
          total = e.machine.multiplyMatrices(b, x, yRest, total);
      }
      return totals;
    };
    SmallVector<Value> sums =
        e.loop(e.i32(0), e.i32(key.getSize()), e.i32(blockSteps), zeros, body);
    for (auto [target, sum] : llvm::zip(targets, sums)) {
      Point at;
      at.set(rows, {tile.down.step, 0});
      at.set(columns, {tile.across.step, 0});
      e.storeSums(target, rows, columns, at, sum);
    }
  }

  SmallVector<ssm::GramOp> grams;
  ssm::GramOp first;
  StringRef columns;
  SmallVector<Buffer> targets;
  std::vector<Side> sides;
  bool keepsKeys = false;
  Value lane, warp;
  int64_t warps = 0;
};

} // namespace ssmc::simt

void KernelEmitter::emitGrams(ArrayRef<ssm::GramOp> grams) {
  GramEmitter(*this, grams).emit();
}
