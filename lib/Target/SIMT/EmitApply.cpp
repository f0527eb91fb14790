// Matrices over steps times vectors, through a decay for each element: what gradients of grams are.
//
// Blocks of sixteen steps on the diagonal: each thread has an element of the vectors, and
// multiplies and decays in registers,
//
//   y[t] = sum over s of A[t, s] P_t[s]      P_t[s] = b[s] prod of decays from s + 1 to t
//
// Off the diagonal, by halves (Halves.h): a level is one product, of the part of the matrix whose
// rows are of second halves and columns of first ones,
//
//   y[t] += L[t] sum over s of A[t, s] b[s] R[s]      L, R: prod of decays from the cut to t,
//                                                     and from s + 1 to the cut
//
// Transposed the sum is over t, of A[t, s] b[t] L[t], and R[s] multiplies what comes of it.
#include "lib/Target/SIMT/Halves.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

bool simt::lowersApply(ssm::ApplyOp apply) {
  ssm::ArrayType matrix = arrayType(apply.getMatrix()), decay = arrayType(apply.getDecay());
  StringRef rows = apply.getRows();
  if (matrix.getRank() != 2 || !matrix.has(rows) || !matrix.has(apply.getColumns()) ||
      !matrix.isReal() || !decay.isReal() || !arrayType(apply.getB()).isReal() ||
      decay.getRank() != 2 || !decay.has(rows) ||
      arrayType(apply.getB()).getAxes() != decay.getAxes())
    return false;
  int64_t steps = decay.find(rows).getSize();
  return countOf(decay.getAxes()) / steps % 16 == 0 && takesBlocks(apply, steps);
}

namespace ssmc::simt {

/// One `ssm.apply`.
class ApplyEmitter : Halves {
public:
  ApplyEmitter(KernelEmitter& e, ssm::ApplyOp apply)
      : Halves(e, apply.getRows(), apply.getDecay()), apply(apply), columns(apply.getColumns()),
        isTransposed(apply.getTranspose()), isStrict(apply.getStrict()) {
    target = e.makeBuffer(arrayType(apply.getResult()));
  }

  void emit() {
    makeSides();
    emitDiagonal();
    for (int64_t half = steps / 2; half >= blockSteps; half /= 2) {
      if (half < steps / 2)
        e.barrier(); // (Sides of the level before have been read.)
      emitSide(vectors, half);
      emitSide(decays, half);
      e.barrier();
      emitTiles(half);
    }
    e.buffers[apply.getResult()] = target;
  }

private:
  Value matrixAt(Index row, Index column) {
    Point point;
    point.set(columns, column);
    return atStep(apply.getMatrix(), point, row);
  }

  /// The vectors, decayed to the cut from one side, and the decays from it to the other.
  void makeSides() {
    if (steps == blockSteps)
      return;
    vectors.value = apply.getB();
    vectors.isLate = isTransposed;
    decays.isLate = !isTransposed;
    vectors.isStrict = decays.isStrict = isStrict;
    vectors.high = makeHalves(b.getBF16Type());
    vectors.rest = makeHalves(b.getBF16Type());
    decays.exact = makeHalves(b.getF32Type());
  }

  void emitDiagonal() {
    e.deal({axisOf(b, rows, steps / blockSteps), key}, [&](const Point& at) {
      Value block = times(e.indexValue(*at.find(rows)), blockSteps);
      Point element;
      element.set(key.getName(), *at.find(key.getName()));
      SmallVector<Value> results = isTransposed ? walkUp(block, element) : walkDown(block, element);
      for (auto [t, result] : llvm::enumerate(results)) {
        Point point = element;
        point.set(rows, {block, int64_t(t)});
        e.store(target, point, result ? result : zero);
      }
    });
  }

  /// Step by step, all vectors so far decay.
  SmallVector<Value> walkDown(Value block, const Point& element) {
    SmallVector<Value> results(blockSteps), passed;
    for (int64_t t = 0; t < blockSteps; ++t) {
      auto addUp = [&] {
        for (auto [s, vector] : llvm::enumerate(passed))
          results[t] = fma(matrixAt({block, t}, {block, int64_t(s)}), vector, results[t]);
      };
      if (isStrict)
        addUp();
      if (t > 0) {
        Value by = atStep(decay, element, {block, t});
        for (Value& vector : passed)
          vector = mul(vector, by);
      }
      passed.push_back(atStep(apply.getB(), element, {block, t}));
      if (!isStrict)
        addUp();
    }
    return results;
  }

  /// From each step back to the first: what decays on the way is one number.
  SmallVector<Value> walkUp(Value block, const Point& element) {
    SmallVector<Value> results(blockSteps), by(blockSteps);
    for (int64_t t = 0; t < blockSteps; ++t) {
      Value passed = atStep(apply.getB(), element, {block, t});
      by[t] = atStep(decay, element, {block, t});
      // (A step's own decay is the first to be passed, unless it is strict.)
      for (int64_t s = isStrict ? t - 1 : t; s >= 0; --s) {
        if (s < (isStrict ? t - 1 : t))
          passed = mul(passed, by[s + 1]);
        results[s] = fma(matrixAt({block, t}, {block, s}), passed, results[s]);
      }
    }
    return results;
  }

  /// Tiles of sixteen steps by sixteen elements, each by a warp.
  void emitTiles(int64_t half) {
    int64_t along = half / blockSteps, groups = key.getSize() / 16;
    Value warp = arith::DivUIOp::create(b, e.thread, e.i32(32));
    e.loop(warp, e.i32(steps / (2 * half) * along * groups), e.i32(e.limits.threads / 32), {},
           [&](Value task, ValueRange) {
             Value firstKey = times(split(task, groups), 16), number = split(task, along);
             emitTile(half, task, number, firstKey);
             return SmallVector<Value>();
           });
  }

  void emitTile(int64_t half, Value block, Value number, Value firstKey) {
    Value inWarp = arith::RemUIOp::create(b, e.thread, e.i32(32));
    Value r = arith::DivUIOp::create(b, inWarp, e.i32(4));
    Value c = times(arith::RemUIOp::create(b, inWarp, e.i32(4)), 2);
    HalfTile own = tileAt(half, block, number, /*isLate=*/!isTransposed);
    SmallVector<Value> sums(8, e.nought);
    for (int64_t i = 0; i < half / blockSteps; ++i) {
      HalfTile other = tileAt(half, block, e.i32(i), /*isLate=*/isTransposed);
      SmallVector<Value> pairs, rests;
      for (int64_t right : {0, 8})
        for (int64_t below : {0, 8}) {
          Value two[2];
          for (int64_t j : {0, 1}) {
            Index row{plus(own.step, r), below}, summed{plus(other.step, c), right + j};
            two[j] = isTransposed ? matrixAt(summed, row) : matrixAt(row, summed);
          }
          KernelEmitter::Pair pair = e.roundedPair(two[0], two[1], /*wantsRest=*/true);
          pairs.push_back(pair.value);
          rests.push_back(pair.rest);
        }
      auto load = [&](const Buffer& buffer) {
        return e.loadFragmentOf(buffer, /*transposed=*/true, key.getName(), rows, Point(),
                                {firstKey, 0}, {other.place, 0}, /*isRight=*/true);
      };
      SmallVector<Value> y = load(vectors.high), yRest = load(vectors.rest);
      auto add = [&](ArrayRef<Value> x, ArrayRef<Value> y) {
        sums = e.machine.multiplySquare(b, x, y, sums);
      };
      add(rests, y);
      add(pairs, yRest);
      add(pairs, y);
    }
    Value t = plus(own.step, r), inHalves = plus(own.place, r), element = plus(firstKey, c);
    // What is read first, then what is written.
    SmallVector<SmallVector<std::pair<Point, Value>>> runs;
    for (int64_t below : {0, 8})
      for (int64_t j : {0, 1}) {
        auto& run = runs.emplace_back();
        for (int64_t i : {0, 1}) {
          Point at, place;
          for (Point* point : {&at, &place})
            point->set(key.getName(), {element, 8 * j + i});
          at.set(rows, {t, below});
          place.set(rows, {inHalves, below});
          Value before = e.load(target, at), by = e.load(decays.exact, place);
          run.push_back({at, fma(by, sums[4 * j + below / 4 + i], before)});
        }
      }
    for (auto& run : runs)
      e.storeRun(target, run);
  }

  ssm::ApplyOp apply;
  StringRef columns;
  bool isTransposed, isStrict;
  Buffer target;
  Side vectors, decays;
};

} // namespace ssmc::simt

void KernelEmitter::emitApply(ssm::ApplyOp apply) {
  ApplyEmitter(*this, apply).emit();
}
