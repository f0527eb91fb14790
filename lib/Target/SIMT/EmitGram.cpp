// Grams with a decay for each key.
//
// Blocks of sixteen steps on the diagonal, pair by pair: lanes of a warp have keys of their own,
// and walk down the rows with one product for each column,
//
//   P[s] = b[s] prod of decays from s + 1 to the row       G[t, s] = sum over keys of a[t] P[s]
//
// in f32, without an exponential and without a barrier; lanes add up at the end, thirty-two sums at
// a time. Off the diagonal, by halves. The decay from step s to step t is a product of two where a
// step between them cuts it: what decays from s up to the cut goes to the key of s, the rest to the
// query of t, and neither exceeds 1 where decays do not. Halving a chunk again and again gives each
// pair of blocks exactly one cut: at the level of blocks of 2 h steps the pairs whose steps lie in
// different halves of one block. So a level is one product, with queries scaled from the cut on,
// keys up to it:
//
//   L[t] = a[t] prod of decays from the cut to t       t in the second half of its block
//   R[s] = b[s] prod of decays from s + 1 to the cut   s in the first half
//
// Decays stay products of factors: zero and negative ones are as exact as any.
//
// (Yang et al., gated linear attention, 2024, cut chunks once more, into blocks with a reference
// each, and compute diagonal ones pair by pair too, with an exponential for each pair and key.)
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <array>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Steps that are read before what is made of them is written.
static constexpr int64_t stepsAtOnce = 8;

bool simt::lowersGram(ssm::GramOp gram) {
  auto kernel = gram->getParentOfType<tile::KernelOp>();
  std::optional<Type> factors = kernel ? kernel.getFactorType() : std::nullopt;
  SmallVector<StringRef> over = ssm::strings(gram.getOver());
  if (!factors || !factors->isBF16() || over.size() != 1)
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
  return keys % 16 == 0 && steps % 16 == 0 && llvm::isPowerOf2_64(steps);
}

/// Steps of a block on the diagonal, and lanes of a warp.
static constexpr int64_t blockSteps = 16, lanes = 32;
/// Columns of a block that a warp walks with at a time, and parts of a block with so many.
static constexpr int64_t columnsAtOnce = 4, parts = blockSteps / columnsAtOnce;

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

/// The blocks on the diagonal. A warp does columns part, part + 4, part + 8 and part + 12 of one,
/// so that warps have about the same to do, and writes rows from 0, 4, 8, 12 on: zeros in those
/// above.
void KernelEmitter::emitDiagonal(MutableArrayRef<ssm::GramOp> grams, ArrayRef<Buffer> targets) {
  ssm::GramOp gram = grams.front();
  StringRef rows = gram.getRows();
  ssm::ArrayType type = arrayType(gram.getA());
  ssm::AxisAttr key = type.find(ssm::strings(gram.getOver()).front());
  int64_t keys = key.getSize(), perLane = llvm::divideCeil(keys, lanes);
  bool isFull = keys % lanes == 0;
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value lane = arith::RemUIOp::create(b, thread, i32(lanes));
  Value firstKey = arith::MulIOp::create(b, lane, i32(perLane));
  auto equal = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  };
  auto emitTask = [&](Value task, ValueRange) {
    Value part = arith::RemUIOp::create(b, task, i32(parts));
    Value block =
        arith::MulIOp::create(b, arith::DivUIOp::create(b, task, i32(parts)), i32(blockSteps));
    auto readAll = [&](Value value, Value start, int64_t t) {
      SmallVector<Value> elements;
      for (int64_t e = 0; e < perLane; ++e) {
        Point point;
        point.set(rows, {start, t});
        Index at{firstKey, e};
        // (Lanes beyond the last key read that.)
        if (!isFull)
          at = {arith::MinUIOp::create(b, indexValue(at), i32(keys - 1)), 0};
        point.set(key.getName(), at);
        elements.push_back(evaluate(value, point));
      }
      return elements;
    };
    // What the key of each column has become, 0 before its step, and its sums from row to row.
    SmallVector<SmallVector<Value>> columns(columnsAtOnce, SmallVector<Value>(perLane, zero));
    SmallVector<std::array<SmallVector<Value>, columnsAtOnce>> sums(grams.size());
    SmallVector<Value> own;
    Value firstOwn = arith::AddIOp::create(b, block, part);
    for (int64_t t = 0; t < blockSteps; ++t) {
      SmallVector<Value> decays;
      if (t % parts == 0)
        own = readAll(gram.getB(), firstOwn, t);
      if (t)
        decays = readAll(gram.getDecay(), block, t);
      // The column that may begin here: that of the warp whose part it is.
      int64_t first = t / parts;
      auto decay = [&] {
        for (int64_t c = 0; c <= first && t; ++c)
          for (auto [value, by] : llvm::zip(columns[c], decays))
            if (value != zero)
              value = arith::MulFOp::create(b, value, by);
      };
      auto begin = [&] {
        Value isOwn = equal(part, i32(t % parts));
        for (auto [value, key] : llvm::zip(columns[first], own))
          value = arith::SelectOp::create(b, isOwn, key, value);
      };
      auto addUp = [&](bool strict) {
        for (auto [gram, sums] : llvm::zip(grams, sums)) {
          if (gram.getStrict() != strict)
            continue;
          SmallVector<Value> queries = readAll(gram.getA(), block, t);
          if (!isFull)
            for (auto [e, query] : llvm::enumerate(queries)) {
              Value exists =
                  arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                        arith::AddIOp::create(b, firstKey, i32(e)), i32(keys));
              query = arith::SelectOp::create(b, exists, query, zero);
            }
          for (int64_t c = 0; c <= first; ++c) {
            Value sum;
            for (auto [x, y] : llvm::zip(queries, columns[c]))
              sum = sum ? LLVM::FMAOp::create(b, x, y, sum).getResult()
                        : arith::MulFOp::create(b, x, y).getResult();
            sums[c].push_back(columns[c].front() == zero ? zero : sum);
          }
        }
      };
      // Queries decay by their own step too, unless it is a strict gram.
      addUp(/*strict=*/true);
      decay();
      begin();
      addUp(/*strict=*/false);
    }
    // Sixteen rows of the first column, twelve of the second and four of the last make a warp's
    // worth of sums, the eight of the third a quarter of one.
    auto write = [&](const Buffer& target, Value row, Value column, Value sum) {
      Point point;
      point.set(rows, {arith::AddIOp::create(b, block, row), 0});
      column = arith::AddIOp::create(b, column, part);
      point.set(gram.getColumns(), {arith::AddIOp::create(b, block, column), 0});
      store(target, point, sum);
    };
    auto isBelow = [&](int64_t bound) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::ult, lane, i32(bound));
    };
    auto choose = [&](int64_t first, int64_t second, int64_t last) -> Value {
      Value late = arith::SelectOp::create(b, isBelow(28), i32(second), i32(last));
      return arith::SelectOp::create(b, isBelow(16), i32(first), late);
    };
    Value row = arith::SubIOp::create(b, lane, choose(0, 12, 16));
    Value column = choose(0, parts, 3 * parts);
    Value number = arith::DivUIOp::create(b, lane, i32(parts));
    for (auto [target, sums] : llvm::zip(targets, sums)) {
      SmallVector<Value> most(sums[0]);
      most.append(sums[1]);
      most.append(sums[3]);
      write(target, row, column, sumOverLanes(std::move(most), lane));
      Value sum = sumOverLanes(std::move(sums[2]), lane);
      when(equal(arith::RemUIOp::create(b, lane, i32(parts)), i32(0)),
           [&] { write(target, arith::AddIOp::create(b, number, i32(8)), i32(2 * parts), sum); });
    }
    return SmallVector<Value>();
  };
  int64_t tasks = arrayType(gram.getResult()).find(rows).getSize() / blockSteps * parts;
  loop(arith::DivUIOp::create(b, thread, i32(lanes)), i32(tasks), i32(limits.threads / lanes), {},
       emitTask);
}

void KernelEmitter::emitGrams(MutableArrayRef<ssm::GramOp> grams) {
  ssm::GramOp gram = grams.front();
  StringRef rows = gram.getRows(), columns = gram.getColumns();
  ssm::ArrayType type = arrayType(gram.getA());
  ssm::AxisAttr key = type.find(ssm::strings(gram.getOver()).front()), step = type.find(rows);
  int64_t steps = step.getSize(), warps = limits.threads / lanes;
  auto feedsBack = [](ssm::GramOp gram) { return flowsIntoState(gram.getResult()); };
  bool keepsKeys = llvm::any_of(grams, feedsBack);
  // Sides: queries of each gram, then keys; what rounding gives and, where wanted, what it leaves.
  struct Side {
    Value value;
    Buffer high, rest;
    bool isLeft, isStrict, keepsRest;
  };
  std::vector<Side> sides;
  SmallVector<Buffer> targets;
  for (ssm::GramOp one : grams) {
    sides.push_back({one.getA(), {}, {}, true, one.getStrict(), true});
    targets.push_back(makeBuffer(arrayType(one.getResult()), {rows, columns}));
  }
  sides.push_back({gram.getB(), {}, {}, false, false, keepsKeys});
  if (steps > blockSteps)
    for (Side& side : sides) {
      side.high = makeBuffer(type, {rows, key.getName()}, b.getBF16Type());
      if (side.keepsRest)
        side.rest = makeBuffer(type, {rows, key.getName()}, b.getBF16Type());
    }
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));

  // The sides of a level: two keys for each thread, and a run of half a block.
  auto emitSides = [&](int64_t half) {
    int64_t blocks = steps / (2 * half), pairs = key.getSize() / 2;
    auto axis = [&](StringRef name, int64_t size) {
      return ssm::AxisAttr::get(b.getContext(), b.getStringAttr(name), b.getI64IntegerAttr(size));
    };
    // (A block begins no earlier than at the step of its number: one that has no step is left out.)
    for (Side& side : sides)
      deal({axis(rows, blocks), axis(key.getName(), pairs)}, [&](const Point& at) {
        Value block = arith::MulIOp::create(b, indexValue(*at.find(rows)), i32(2 * half));
        Value first = arith::MulIOp::create(b, indexValue(*at.find(key.getName())), i32(2));
        auto pointOf = [&](int64_t t, int64_t e) {
          Point point;
          point.set(rows, {block, t});
          point.set(key.getName(), {first, e});
          return point;
        };
        Value products[2];
        // In the order in which decays add up: what is read first, then the results.
        for (int64_t i = 0; i < half; i += stepsAtOnce) {
          Scope scope(*this);
          SmallVector<std::pair<Point, Value>> results;
          int64_t some = std::min(stepsAtOnce, half - i);
          auto stepOf = [&](int64_t j) { return side.isLeft ? half + i + j : half - 1 - i - j; };
          for (int64_t j = 0; j < some; ++j)
            for (int64_t e : {0, 1}) {
              Point point = pointOf(stepOf(j), e);
              Value element = evaluate(side.value, point);
              Value decay = evaluate(gram.getDecay(), point), &product = products[e];
              auto pass = [&] {
                product = product ? arith::MulFOp::create(b, product, decay).getResult() : decay;
              };
              // Queries decay by their own step too, unless it is a strict gram.
              bool isOwn = side.isLeft && !side.isStrict;
              if (isOwn)
                pass();
              results.push_back(
                  {point, product ? arith::MulFOp::create(b, element, product) : element});
              if (!isOwn)
                pass();
            }
          for (size_t j = 0; j < results.size(); j += 2)
            storeRounded(side.high, side.keepsRest ? &side.rest : nullptr,
                         ArrayRef(results).slice(j, 2));
        }
      });
  };

  // Tiles of 16 x 16, each by a warp: `firsts` says where one begins.
  Value inWarp = arith::RemUIOp::create(b, thread, i32(lanes));
  Value warp = arith::DivUIOp::create(b, thread, i32(lanes));
  Value r = arith::DivUIOp::create(b, inWarp, i32(4));
  Value c = arith::MulIOp::create(b, arith::RemUIOp::create(b, inWarp, i32(4)), i32(2));
  auto emitMatrixTile = [&](Value row, Value column) {
    const Side& right = sides.back();
    SmallVector<Value> zeros(grams.size(), machine.fillSums(b, zero));
    SmallVector<Value> sums =
        loop(i32(0), i32(key.getSize()), i32(16), zeros, [&](Value from, ValueRange carried) {
          SmallVector<Value> totals(carried);
          auto load = [&](const Buffer& buffer, Value first, bool isRight) {
            Point at;
            at.set(rows, {first, 0});
            at.set(key.getName(), {from, 0});
            return loadMatrix(buffer, rows, key.getName(), at, isRight);
          };
          Value y = load(right.high, column, true), yRest;
          if (keepsKeys)
            yRest = load(right.rest, column, true);
          for (auto [left, total, gram] : llvm::zip(sides, totals, grams)) {
            Value x = load(left.high, row, false);
            total = machine.multiplyMatrices(b, x, y, total);
            total = machine.multiplyMatrices(b, load(left.rest, row, false), y, total);
            if (feedsBack(gram))
              total = machine.multiplyMatrices(b, x, yRest, total);
          }
          return totals;
        });
    for (auto [target, sum] : llvm::zip(targets, sums)) {
      Point at;
      at.set(rows, {row, 0});
      at.set(columns, {column, 0});
      storeSums(target, rows, columns, at, sum);
    }
  };
  auto emitTiles = [&](int64_t count, llvm::function_ref<std::pair<Value, Value>(Value)> firsts) {
    int64_t all = grams.size();
    loop(warp, i32(count), i32(warps), {}, [&](Value task, ValueRange) {
      auto [row, column] = firsts(task);
      if (machine.matrices()) {
        emitMatrixTile(row, column);
        return SmallVector<Value>();
      }
      auto fragment = [&](const Buffer& buffer, Value first, Value from, bool isRight) {
        return loadFragmentOf(buffer, /*transposed=*/false, rows, key.getName(), Point(),
                              {first, 0}, {from, 0}, isRight);
      };
      // Eight sums of each gram.
      SmallVector<Value> zeros(8 * all, zero);
      SmallVector<Value> sums =
          loop(i32(0), i32(key.getSize()), i32(16), zeros, [&](Value from, ValueRange carried) {
            SmallVector<Value> totals(carried);
            const Side& keys = sides.back();
            SmallVector<Value> y = fragment(keys.high, column, from, true), yRest;
            if (keepsKeys)
              yRest = fragment(keys.rest, column, from, true);
            for (int64_t g = 0; g < all; ++g) {
              auto add = [&](ArrayRef<Value> p, ArrayRef<Value> q) {
                for (int64_t j : {0, 1}) {
                  SmallVector<Value> pair = {q[2 * j], q[2 * j + 1]};
                  auto place = totals.begin() + 8 * g + 4 * j;
                  SmallVector<Value> four(place, place + 4);
                  llvm::copy(machine.multiplyPairs(b, p, pair, four), place);
                }
              };
              SmallVector<Value> x = fragment(sides[g].high, row, from, false);
              add(x, y);
              add(fragment(sides[g].rest, row, from, false), y);
              if (feedsBack(grams[g]))
                add(x, yRest);
            }
            return totals;
          });
      Value t = arith::AddIOp::create(b, row, r), s = arith::AddIOp::create(b, column, c);
      for (int64_t g = 0; g < all; ++g)
        for (int64_t j : {0, 1})
          for (int64_t down : {0, 1}) {
            SmallVector<std::pair<Point, Value>> run;
            for (int64_t e : {0, 1}) {
              Point point;
              point.set(rows, {t, 8 * down});
              point.set(columns, {s, 8 * j + e});
              run.push_back({point, sums[8 * g + 4 * j + 2 * down + e]});
            }
            storeRun(targets[g], run);
          }
      return SmallVector<Value>();
    });
  };

  emitDiagonal(grams, targets);
  // Zeros in the rows above, and in the blocks above the diagonal.
  deal({step, arrayType(gram.getResult()).find(columns)}, [&](const Point& point) {
    Value t = indexValue(*point.find(rows)), s = indexValue(*point.find(columns));
    Value start = arith::MulIOp::create(b, arith::DivUIOp::create(b, s, i32(columnsAtOnce)),
                                        i32(columnsAtOnce));
    Value isAbove = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, t, start);
    when(isAbove, [&] {
      for (const Buffer& target : targets)
        store(target, point, zero);
    });
  });
  if (steps > blockSteps) {
    emitSides(steps / 2);
    barrier();
  }
  for (int64_t half = steps / 2; half >= blockSteps; half /= 2) {
    int64_t across = half / blockSteps;
    emitTiles(across * across * (steps / (2 * half)), [&](Value task) {
      auto over = [&](Value x, int64_t size) -> Value {
        return arith::DivUIOp::create(b, x, i32(size));
      };
      Value block = over(task, across * across);
      Value inside = arith::RemUIOp::create(b, task, i32(across * across));
      Value start = arith::MulIOp::create(b, block, i32(2 * half));
      auto tileAt = [&](Value number) -> Value {
        return arith::AddIOp::create(b, start, arith::MulIOp::create(b, number, i32(blockSteps)));
      };
      Value row = tileAt(arith::AddIOp::create(b, over(inside, across), i32(across)));
      return std::pair(row, tileAt(arith::RemUIOp::create(b, inside, i32(across))));
    });
    if (half == blockSteps)
      break;
    barrier();
    emitSides(half / 2);
    barrier();
  }
  for (auto [one, target] : llvm::zip(grams, targets))
    buffers[one.getResult()] = target;
}
