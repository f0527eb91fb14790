// Sides of products as pairs of bf16.
//
// Units that multiply bf16 take two neighbours along the summed label at a time, as one 32-bit
// element. A side is copied into elements of that kind, in one of two layouts:
//
//   rows    [label][pairs]            pairs contiguous: what one row of a tile multiplies with
//   strips  [strip][pairs][lanes]     lanes contiguous: pairs of as many columns as a strip is wide
//
// A vector of elements runs along the label, made of two vectors of floats, or along the pairs,
// made of two neighbouring ones, whichever lies contiguous in memory; where the layout wants the
// other, 16 vectors are transposed. Positions of the sum that do not exist are zeros on both sides.
//
// A side that has more digits than bf16 can be the sum of two: what rounding leaves (`rest`) is
// another copy, multiplied as well. EmitPairProduct.cpp says where that is needed.
#include "Emitter.h"
#include "dialects/SSM/SSMRenaming.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

/// Two vectors of floats as one of pairs: the first in the low halves.
static Value interleave(ImplicitLocOpBuilder& b, Value low, Value high, bool exact) {
  Arithmetic a{b, low.getType()};
  auto bits = cast<VectorType>(a.integerType());
  if (exact)
    return arith::OrIOp::create(
        b, arith::ShRUIOp::create(b, a.bits(low), a.integer(16)),
        arith::AndIOp::create(b, a.bits(high), a.integer(int32_t(0xffff0000))));
  auto half = [&](Value value) -> Value {
    Value rounded =
        arith::TruncFOp::create(b, VectorType::get(bits.getShape(), b.getBF16Type()), value);
    rounded =
        arith::BitcastOp::create(b, VectorType::get(bits.getShape(), b.getI16Type()), rounded);
    return arith::ExtUIOp::create(b, bits, rounded);
  };
  return arith::OrIOp::create(b, half(low), arith::ShLIOp::create(b, half(high), a.integer(16)));
}

/// What rounding takes from a vector of floats.
static Value restOf(ImplicitLocOpBuilder& b, Value value) {
  Type brain = VectorType::get(cast<VectorType>(value.getType()).getShape(), b.getBF16Type());
  Value rounded = arith::TruncFOp::create(b, brain, value);
  rounded = arith::ExtFOp::create(b, value.getType(), rounded);
  return Arithmetic{b, value.getType()}.sub(value, rounded);
}

/// Two neighbouring vectors of floats as one of pairs.
static Value join(ImplicitLocOpBuilder& b, Value first, Value second) {
  int64_t lanes = cast<VectorType>(first.getType()).getNumElements();
  SmallVector<int64_t> order;
  for (int64_t i = 0; i < 2 * lanes; ++i)
    order.push_back(i);
  Value whole = vector::ShuffleOp::create(b, first, second, order);
  whole = arith::TruncFOp::create(b, VectorType::get({2 * lanes}, b.getBF16Type()), whole);
  return vector::BitCastOp::create(b, VectorType::get({lanes}, b.getI32Type()), whole);
}

/// Lanes along the label: positions 2 * pair and 2 * pair + 1 of the sum.
std::pair<Value, Value> Emitter::floatsAcross(Value value, Point point, StringRef reduced,
                                              Value pair) {
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  Arithmetic a{b, vector};
  int64_t extent = arrayType(value).find(reduced).getSize();
  bool isWhole = !dynamicExtents.count(reduced) && extent % 32 == 0;
  Value halves[2];
  for (int64_t half = 0; half < 2; ++half) {
    Value position = arith::AddIOp::create(b, arith::MulIOp::create(b, pair, i64(2)), i64(half));
    Value count = extentOf(reduced, extent), read = position;
    if (!isWhole)
      read = arith::MinSIOp::create(b, position, arith::SubIOp::create(b, count, i64(1)));
    point.set(reduced, {read});
    Value one = splat(evaluate(value, point).parts[0], vector);
    if (!isWhole) {
      Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, position, count);
      one = arith::SelectOp::create(b, exists, one, a.constant(0));
    }
    halves[half] = one;
  }
  return {halves[0], halves[1]};
}

/// Lanes along the sum: 16 positions from `first` on, and the next 16.
std::pair<Value, Value> Emitter::floatsAlong(Value value, Point point, StringRef reduced,
                                             Index first) {
  auto vector = VectorType::get({shape.lanes}, b.getF32Type());
  auto positions = VectorType::get({shape.lanes}, b.getI64Type());
  Arithmetic a{b, vector};
  int64_t extent = arrayType(value).find(reduced).getSize();
  bool isWhole = !dynamicExtents.count(reduced) && extent % 32 == 0;
  first.lane = true;
  point.set(reduced, first);
  point.parts = 2;
  point.tail =
      !isWhole && !first.dynamic && extent - first.constant < 32 ? extent - first.constant : 0;
  Lanes found = evaluate(value, point);
  Value halves[2];
  for (int64_t half = 0; half < 2; ++half) {
    Value one = splat(found.parts[found.isVector() ? half : 0], vector);
    if (!isWhole) {
      SmallVector<int64_t> counts;
      for (int64_t lane = 0; lane < shape.lanes; ++lane)
        counts.push_back(first.constant + half * shape.lanes + lane);
      Value at = arith::ConstantOp::create(
          b, DenseElementsAttr::get(positions, ArrayRef<int64_t>(counts)));
      if (first.dynamic)
        at = arith::AddIOp::create(b, at, splat(first.dynamic, positions));
      Value exists = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, at,
                                           splat(extentOf(reduced, extent), positions));
      one = arith::SelectOp::create(b, exists, one, a.constant(0));
    }
    halves[half] = one;
  }
  return {halves[0], halves[1]};
}

/// Rows of an operand that lie in the workspace as they are stored are pairs already.
std::optional<Buffer> Emitter::storedPairs(Value value, StringRef label, StringRef reduced) {
  auto found = buffers.find(value);
  if (found == buffers.end() || found->second.place == Buffer::Place::User ||
      !found->second.storage.isBF16() || !found->second.isUnit(reduced) ||
      dynamicExtents.count(reduced) || arrayType(value).find(reduced).getSize() % 32)
    return {};
  Buffer buffer = found->second;
  buffer.element = buffer.storage = b.getI32Type();
  for (Dim& dim : buffer.dims) {
    if (dim.block || dim.relative || (dim.label != reduced && dim.stride % 2))
      return {};
    (dim.label == reduced ? dim.extent : dim.stride) /= 2;
  }
  return buffer;
}

Buffer Emitter::pairsOf(Value value, StringRef label, StringRef reduced, int64_t strip, bool rest) {
  if (auto relabel = ssm::asRenaming(value); relabel && !isLeaf(value))
    return renamed(pairsOf(relabel.getOperand(), renamedFrom(relabel, label),
                           renamedFrom(relabel, reduced), strip, rest),
                   relabel);
  auto keyOf = [&](bool rest) {
    return std::tuple(value.getAsOpaquePointer(), label, reduced, strip, rest);
  };
  if (auto known = pairs.find(keyOf(rest)); known != pairs.end())
    return known->second;
  if (std::optional<Buffer> stored = storedPairs(value, label, reduced); stored && !strip && !rest)
    return pairs[keyOf(false)] = *stored;
  auto type = arrayType(value);
  Nest nest;
  nest.space = {label, reduced};
  nest.items = {{value, false, /*toBuffer=*/false}};
  StringRef lane = chooseLane(nest, Point());
  if (lane.empty()) { // Nothing of it is contiguous, or it may not be read past its end: a copy is.
    Nest copy;
    for (ssm::AxisAttr axis : type.getAxes())
      copy.space.push_back(axis.getName());
    copy.items = {
        {value, false, true, /*defines=*/true, makeBuffer(type, Buffer::Place::Temp, {})}};
    emitNest(copy, Point());
    lane = chooseLane(nest, Point());
  }
  // What is read for the rest gives what is rounded too.
  SmallVector<std::pair<bool, Buffer>, 2> targets;
  for (bool part : {false, true})
    if ((part == rest || rest) && !pairs.count(keyOf(part))) {
      targets.push_back({part, makePairs(type, label, reduced, strip)});
      pairs[keyOf(part)] = targets.back().second;
    }
  bool exact = isStoredAsBF16(value);
  hoist(value, Point());
  int64_t count = type.find(label).getSize(), summed = type.find(reduced).getSize(),
          blocks = roundUp(summed, 32) / 32;
  bool isWhole = !dynamicExtents.count(reduced) && summed % 32 == 0;
  auto asLane = [&](Index index) { return Index{index.dynamic, index.constant, true, 16}; };
  /// Writes vectors along one label, the next one a position further along the other.
  auto write = [&](Point point, StringRef along, Index alongFirst, StringRef across,
                   Index acrossFirst, ArrayRef<std::pair<Value, Value>> floats, bool areNeighbours,
                   bool turn) {
    point.parts = 1;
    point.tail = 0;
    point.set(along, asLane(alongFirst));
    for (auto& [part, target] : targets) {
      SmallVector<Value> vectors;
      for (auto [low, high] : floats) {
        if (part)
          low = restOf(b, low), high = restOf(b, high);
        vectors.push_back(areNeighbours ? join(b, low, high)
                                        : interleave(b, low, high, exact && !part));
      }
      if (turn)
        transpose(b, vectors);
      for (auto [i, vector] : llvm::enumerate(vectors)) {
        point.set(across, {acrossFirst.dynamic, acrossFirst.constant + int64_t(i), false});
        store(target, point, {{vector}});
      }
    }
  };
  /// A block of 16 pairs begins here.
  auto forPairBlocks = [&](llvm::function_ref<void(Index first)> body) {
    if (isWhole && blocks > 1) {
      loop(i64(0), i64(blocks * 16), 16, {}, [&](Value index, ValueRange) {
        body({index, 0, false, 16});
        return SmallVector<Value>();
      });
      return;
    }
    for (int64_t block = 0; block < blocks; ++block) {
      Scope scope(*this);
      body({Value(), block * 16});
    }
  };
  /// The position of the sum at which a pair begins.
  auto positionOf = [&](Index pair) {
    Index index{pair.dynamic, pair.constant * 2, true, 32};
    if (pair.dynamic)
      index.dynamic = arith::MulIOp::create(b, pair.dynamic, i64(2));
    return index;
  };
  bool turn = (strip != 0) != (lane == label);
  forEach(type, {label, reduced}, Point(), [&](const Point& outer) {
    if (lane == label) {
      forStrips(label, count, 1, outer, [&](const Point& at) {
        Index here = *at.find(label);
        if (!turn) {
          loop(i64(0), i64(blocks * 16), 1, {}, [&](Value pair, ValueRange) {
            write(at, label, here, reduced, {pair}, {floatsAcross(value, at, reduced, pair)}, false,
                  false);
            return SmallVector<Value>();
          });
          return;
        }
        forPairBlocks([&](Index first) {
          SmallVector<std::pair<Value, Value>> floats;
          for (int64_t i = 0; i < 16; ++i) {
            Value pair = i64(first.constant + i);
            if (first.dynamic)
              pair = arith::AddIOp::create(b, first.dynamic, pair);
            floats.push_back(floatsAcross(value, at, reduced, pair));
          }
          write(at, reduced, first, label, here, floats, false, true);
        });
      });
      return;
    }
    Value extent = extentOf(label, count);
    if (!turn) {
      loop(i64(0), extent, 1, {}, [&](Value index, ValueRange) {
        Point at = outer;
        at.set(label, {index});
        forPairBlocks([&](Index first) {
          write(at, reduced, first, label, {index},
                {floatsAlong(value, at, reduced, positionOf(first))}, true, false);
        });
        return SmallVector<Value>();
      });
      return;
    }
    Value last = arith::SubIOp::create(b, extent, i64(1));
    loop(i64(0), extent, 16, {}, [&](Value start, ValueRange) {
      forPairBlocks([&](Index first) {
        SmallVector<std::pair<Value, Value>> floats;
        for (int64_t i = 0; i < 16; ++i) {
          Point at = outer;
          at.set(label, {arith::MinSIOp::create(b, arith::AddIOp::create(b, start, i64(i)), last)});
          floats.push_back(floatsAlong(value, at, reduced, positionOf(first)));
        }
        write(outer, label, {start}, reduced, first, floats, true, true);
      });
      return SmallVector<Value>();
    });
  });
  return pairs[keyOf(rest)];
}
