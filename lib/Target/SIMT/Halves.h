// Blocks of steps cut in halves, again and again.
//
// Between a step of the first half of a block and one of the second lies the step that cuts the
// block: what decays from the one to the other is a product of what decays up to the cut and of
// what decays from there on. Halving a chunk again and again gives each pair of steps exactly one
// cut, but for those of one block of `blockSteps`. So what has a decay for each key is one product
// for each level of halves, and pair by pair inside blocks of `blockSteps`. (Blocks of half as
// many, with a level more, were slower: half of the pairs take less time than another level's
// sides.)
#pragma once

#include "lib/Target/SIMT/Emitter.h"

namespace ssmc::simt {

/// Sixteen steps of a half of a block: the first one, and its row where the halves of all blocks
/// lie side by side.
struct HalfTile {
  Value step, place; ///< i32
};

/// What is common to ops over the steps of a chunk.
class OverSteps {
protected:
  OverSteps(KernelEmitter& e, StringRef rows, int64_t steps);

  Value times(Value x, int64_t y) { return mlir::arith::MulIOp::create(b, x, e.i32(y)); }
  Value plus(Value x, Value y) { return mlir::arith::AddIOp::create(b, x, y); }
  Value equal(Value x, Value y) {
    return mlir::arith::CmpIOp::create(b, mlir::arith::CmpIPredicate::eq, x, y);
  }
  /// The last digit of a task's number, of so many; the number is what is left.
  Value split(Value& task, int64_t by);
  /// An element; 0 where there is no such step.
  Value ifThere(Value element, Index step);

  KernelEmitter& e;
  mlir::ImplicitLocOpBuilder& b;
  StringRef rows;
  int64_t steps;
  Value zero;
};

/// What grams and their gradients have in common.
class Halves : protected OverSteps {
protected:
  /// Vectors over `rows` and a key, as are the decays.
  Halves(KernelEmitter& e, StringRef rows, Value decay);

  /// What the halves of a level are made of, the first ones or the second ones.
  struct Side {
    Value value; ///< times the decays between a step and the cut; null: these alone
    bool isLate = false;
    /// Whether late steps do not decay by their own.
    bool isStrict = false;
    Buffer high, rest, exact; ///< as bf16 and what that leaves, or as f32
  };

  /// A product of f32 of which a factor may be null, which is 1.
  Value mul(Value x, Value y) {
    return x && y ? mlir::arith::MulFOp::create(b, x, y).getResult() : x ? x : y;
  }
  /// x y, added to what has been summed so far, which may be nothing.
  Value fma(Value x, Value y, Value sum) {
    return sum ? mlir::LLVM::FMAOp::create(b, x, y, sum).getResult() : mul(x, y);
  }

  /// An element at a step; 0 where there is no such step.
  Value atStep(Value value, Point point, Index step);
  /// A place for one of the halves of each block of a level.
  Buffer makeHalves(Type storage);
  /// Fills it: a run of half a block and two keys for each thread.
  void emitSide(const Side& side, int64_t half);
  HalfTile tileAt(int64_t half, Value block, Value number, bool isLate);

  Value decay;
  ssm::AxisAttr key;

private:
  /// An element of a side; `product` are the decays between its step and the cut.
  Value elementOf(const Side& side, const Point& element, Index step, Value& product);
};

} // namespace ssmc::simt
