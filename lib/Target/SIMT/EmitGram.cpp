// Grams with a decay for each key, by halves.
//
// The decay from step s to step t is a product of two where a step between them cuts it: what
// decays from s up to the cut goes to the key of s, the rest to the query of t, and neither exceeds
// 1 where decays do not. Halving a chunk again and again gives each pair of different steps exactly
// one cut: at the level of blocks of 2 h steps the pairs whose steps lie in different halves of one
// block. So a gram is one product for each level, with queries scaled from the cut on, keys up to
// it:
//
//   L[t] = a[t] prod of decays from the cut to t       t in the second half of its block
//   R[s] = b[s] prod of decays from s + 1 to the cut   s in the first half
//
// and the sum of a b on the diagonal. From blocks of 32 steps up whole tiles are halves of blocks;
// below, the tiles on the diagonal are computed, and what is no pair of the level left out. Decays
// stay products of factors: zero and negative ones are as exact as any.
//
// (Yang et al., gated linear attention, 2024, cut chunks once more, into blocks with a reference
// each; the halves need no pass over single pairs.)
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Steps that are read before what is made of them is written.
static constexpr int64_t atOnce = 8;

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

void KernelEmitter::emitGram(ssm::GramOp gram) {
  StringRef rows = gram.getRows(), columns = gram.getColumns();
  ssm::ArrayType type = arrayType(gram.getA());
  ssm::AxisAttr key = type.find(ssm::strings(gram.getOver()).front()), step = type.find(rows);
  int64_t steps = step.getSize(), threads = limits.threads, warps = threads / 32;
  bool feedsBack = flowsIntoState(gram.getResult());
  Type bf16 = b.getBF16Type();
  auto makeSide = [&] { return makeBuffer(type, {rows, key.getName()}, bf16); };
  Buffer left = makeSide(), leftRest = makeSide(), right = makeSide(), rightRest;
  if (feedsBack)
    rightRest = makeSide();
  Buffer target = makeBuffer(arrayType(gram.getResult()), {rows, columns});
  Value zero = arith::ConstantOp::create(b, b.getF32FloatAttr(0));
  Value one = arith::ConstantOp::create(b, b.getF32FloatAttr(1));
  auto multiply = [&](Value x, Value y) -> Value {
    return x == one ? y : y == one ? x : arith::MulFOp::create(b, x, y).getResult();
  };

  // The two sides of a level, a thread for each key; of level 0, as they are.
  auto emitSides = [&](int64_t half) {
    deal(key, [&](const Point& at) {
      auto read = [&](Value value, int64_t t) {
        Point point = at;
        point.set(rows, {Value(), t});
        return evaluate(value, point);
      };
      auto write = [&](const Buffer& high, const Buffer* low, int64_t t, Value value) {
        Point point = at;
        point.set(rows, {Value(), t});
        storeRounded(high, low, point, value);
      };
      // A run of steps in the order in which decays add up: what is read first, then the results.
      auto run = [&](int64_t first, int64_t count, int64_t by, bool isLeft) {
        Value product = one;
        for (int64_t i = 0; i < count; i += atOnce) {
          Scope scope(*this);
          SmallVector<Value> elements, decays, results;
          int64_t some = std::min(atOnce, count - i);
          for (int64_t j = 0; j < some; ++j) {
            int64_t t = first + by * (i + j);
            elements.push_back(read(isLeft ? gram.getA() : gram.getB(), t));
            decays.push_back(half ? read(gram.getDecay(), t) : one);
          }
          for (int64_t j = 0; j < some; ++j) {
            // Queries decay by their own step too, unless it is a strict gram.
            bool before = isLeft && !gram.getStrict();
            if (before)
              product = multiply(product, decays[j]);
            results.push_back(multiply(elements[j], product));
            if (!before)
              product = multiply(product, decays[j]);
          }
          for (int64_t j = 0; j < some; ++j) {
            int64_t t = first + by * (i + j);
            if (isLeft)
              write(left, &leftRest, t, results[j]);
            else
              write(right, feedsBack ? &rightRest : nullptr, t, results[j]);
          }
        }
      };
      if (!half) {
        run(0, steps, 1, true);
        run(0, steps, 1, false);
        return;
      }
      for (int64_t block = 0; block < steps; block += 2 * half) {
        run(block + half, half, 1, true);
        run(block + half - 1, half, -1, false);
      }
    });
    barrier();
  };

  // Tiles of 16 x 16, each by a warp: `firsts` says where one begins, `isPair` which of its
  // elements count. On the diagonal they are added to what is there.
  Value inWarp = arith::RemUIOp::create(b, thread, i32(32));
  Value warp = arith::DivUIOp::create(b, thread, i32(32));
  Value r = arith::DivUIOp::create(b, inWarp, i32(4));
  Value c = arith::MulIOp::create(b, arith::RemUIOp::create(b, inWarp, i32(4)), i32(2));
  auto emitTiles = [&](int64_t count, llvm::function_ref<std::pair<Value, Value>(Value)> firsts,
                       llvm::function_ref<Value(Value, Value)> isPair, bool adds) {
    loop(warp, i32(count), i32(warps), {}, [&](Value task, ValueRange) {
      auto [row, column] = firsts(task);
      auto fragment = [&](const Buffer& buffer, Value first, Value from, bool isRight) {
        return loadFragmentOf(buffer, /*transposed=*/false, rows, key.getName(), Point(),
                              {first, 0}, {from, 0}, isRight);
      };
      SmallVector<Value> zeros(8, zero);
      SmallVector<Value> sums =
          loop(i32(0), i32(key.getSize()), i32(16), zeros, [&](Value from, ValueRange carried) {
            SmallVector<Value> totals(carried);
            SmallVector<Value> x = fragment(left, row, from, false);
            SmallVector<Value> xRest = fragment(leftRest, row, from, false);
            SmallVector<Value> y = fragment(right, column, from, true), yRest;
            if (feedsBack)
              yRest = fragment(rightRest, column, from, true);
            auto add = [&](ArrayRef<Value> p, ArrayRef<Value> q) {
              for (int64_t j : {0, 1}) {
                SmallVector<Value> pair = {q[2 * j], q[2 * j + 1]};
                SmallVector<Value> four(totals.begin() + 4 * j, totals.begin() + 4 * j + 4);
                llvm::copy(machine.multiplyPairs(b, p, pair, four), totals.begin() + 4 * j);
              }
            };
            add(x, y);
            add(xRest, y);
            if (feedsBack)
              add(x, yRest);
            return totals;
          });
      SmallVector<std::pair<Point, Value>> done;
      for (int64_t j : {0, 1})
        for (int64_t e = 0; e < 4; ++e) {
          Value t = arith::AddIOp::create(b, arith::AddIOp::create(b, row, r), i32(8 * (e / 2)));
          Value s =
              arith::AddIOp::create(b, arith::AddIOp::create(b, column, c), i32(8 * j + e % 2));
          Point point;
          point.set(rows, {t, 0});
          point.set(columns, {s, 0});
          Value sum = sums[4 * j + e];
          if (isPair)
            sum = arith::SelectOp::create(b, isPair(t, s), sum, zero);
          if (adds)
            sum = arith::AddFOp::create(b, load(target, point), sum);
          done.push_back({point, sum});
        }
      for (auto& [point, sum] : done)
        store(target, point, sum);
      return SmallVector<Value>();
    });
    barrier();
  };

  auto equal = [&](Value x, Value y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
  };
  auto over = [&](Value x, int64_t size) -> Value {
    return arith::DivUIOp::create(b, x, i32(size));
  };
  auto diagonal = [&](Value task) {
    Value first = arith::MulIOp::create(b, task, i32(16));
    return std::pair(first, first);
  };
  // The diagonal of a gram that is not strict, and zeros everywhere else.
  deal({step, arrayType(gram.getResult()).find(columns)},
       [&](const Point& point) { store(target, point, zero); });
  if (gram.getStrict()) {
    barrier();
  } else {
    emitSides(0);
    emitTiles(steps / 16, diagonal, equal, /*adds=*/true);
  }
  for (int64_t half = steps / 2; half >= 1; half /= 2) {
    emitSides(half);
    if (half >= 16) {
      int64_t across = half / 16;
      auto place = [&](Value task) {
        Value block = over(task, across * across);
        Value inside = arith::RemUIOp::create(b, task, i32(across * across));
        Value start = arith::MulIOp::create(b, block, i32(2 * half));
        auto tileAt = [&](Value number) -> Value {
          return arith::AddIOp::create(b, start, arith::MulIOp::create(b, number, i32(16)));
        };
        Value row = tileAt(arith::AddIOp::create(b, over(inside, across), i32(across)));
        return std::pair(row, tileAt(arith::RemUIOp::create(b, inside, i32(across))));
      };
      emitTiles(across * across * (steps / (2 * half)), place, nullptr, /*adds=*/false);
      continue;
    }
    auto isPair = [&](Value t, Value s) -> Value {
      // One block, the second half and the first.
      Value together = equal(over(t, 2 * half), over(s, 2 * half));
      Value apart =
          arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, over(t, half), over(s, half));
      return arith::AndIOp::create(b, together, apart);
    };
    emitTiles(steps / 16, diagonal, isPair, /*adds=*/true);
  }
  buffers[gram.getResult()] = target;
}
