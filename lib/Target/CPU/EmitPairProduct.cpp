// Products of pairs of bf16 with sums in f32.
//
// As vectors: the loops of EmitProduct.cpp, each step of the sum taking two positions. As tiles:
// four of the eight tiles of AMX accumulate at a time, two by two, or all four rows of tiles where
// there are as many: the right side, often a whole state, then comes from the second-level cache
// once. All that a block sums is unrolled. The last rows are a whole tile too, which begins earlier
// and computes some again, with the same result.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

static Value call(ImplicitLocOpBuilder& b, Type result, StringRef name, ValueRange operands) {
  StringAttr intrinsic = b.getStringAttr(name);
  if (!result) {
    LLVM::CallIntrinsicOp::create(b, intrinsic, operands);
    return {};
  }
  return LLVM::CallIntrinsicOp::create(b, result, intrinsic, operands).getResult(0);
}

bool Emitter::usesPairs(ssm::SumOp sum, const Product& product) {
  if (shape.pairs == PairUnit::None || shape.lanes != 16 || !roundsProducts ||
      product.reduced.size() != 1)
    return false;
  StringRef reduced = product.reduced.front();
  auto left = arrayType(product.left), right = arrayType(product.right);
  if (!left.has(reduced) || !right.has(reduced) || left.find(reduced).getSize() < 16 ||
      left.find(product.row).getSize() < 16 || right.find(product.lane).getSize() < 16)
    return false;
  // Vectors multiply twice as fast as f32, so that two terms gain nothing; tiles 16 times as fast.
  return shape.pairs == PairUnit::Tiles || roundedTerms(sum, product).size() == 1;
}

void Emitter::emitPairProduct(ssm::SumOp sum, const Product& product) {
  Buffer target = buffers.find(sum.getResult())->second;
  auto type = arrayType(sum.getResult());
  ssm::AxisAttr lane = type.find(product.lane), row = type.find(product.row);
  StringRef reduced = product.reduced.front();
  TileShape tile = tileFor(lane.getSize());
  // Rests first: they are made together with what they are the rest of.
  PairTerms terms;
  SmallVector<std::pair<bool, bool>> copies = roundedTerms(sum, product);
  for (auto [leftRest, rightRest] : llvm::reverse(copies))
    terms.push_back(
        {pairsOf(product.left, product.row, reduced, 0, leftRest),
         pairsOf(product.right, product.lane, reduced, tile.parts * shape.lanes, rightRest)});
  bool upTo = isCausal(product.left, product.row, reduced),
       from = isCausal(product.left, reduced, product.row);
  bool below = isWantedBelow(sum.getResult(), product.row, product.lane);
  const Dim* along = target.find(product.lane);
  bool fitsTiles = target.storage.isF32() && target.place != Buffer::Place::User &&
                   target.isUnit(product.lane) && along->block % 16 == 0 &&
                   !target.find(product.row)->block;
  forEach(type, {product.row, product.lane}, Point(), [&](const Point& outer) {
    if (shape.pairs == PairUnit::Tiles && fitsTiles)
      return emitPairTiles(product, terms, target, outer, upTo ? reduced : "", from ? reduced : "",
                           below);
    auto vector = VectorType::get({shape.lanes}, b.getF32Type());
    auto pairType = VectorType::get({2 * shape.lanes}, b.getBF16Type());
    auto words = VectorType::get({shape.lanes}, b.getI32Type());
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vector));
    Value positions = extentOf(reduced, arrayType(product.left).find(reduced).getSize());
    auto half = [&](Value count) { return arith::DivUIOp::create(b, count, i64(2)).getResult(); };
    auto asPairs = [&](Value value) {
      return vector::BitCastOp::create(b, pairType, value).getResult();
    };
    forStrips(product.lane, lane.getSize(), tile.parts, outer, [&](const Point& strip) {
      forBlocks(product.row, row.getSize(), tile.rows, {}, [&](Index first, int64_t count) {
        Value begin = first.dynamic ? first.dynamic : i64(first.constant), end = positions;
        if (upTo)
          end = arith::MinSIOp::create(b, end, arith::AddIOp::create(b, begin, i64(count)));
        SmallVector<Value> sums(count * strip.parts, zero);
        Value last = half(arith::AddIOp::create(b, end, i64(1)));
        for (auto& [left, right] : terms)
          sums =
              loop(from ? half(begin) : i64(0), last, 1, sums, [&](Value pair, ValueRange carried) {
                SmallVector<Value> next(carried);
                Point point = strip;
                point.set(reduced, {pair});
                point.tail = 0;
                Lanes columns = load(right, point);
                for (int64_t i = 0; i < count; ++i) {
                  Point at = outer;
                  at.set(reduced, {pair});
                  at.set(product.row, {first.dynamic, first.constant + i});
                  Value factor = asPairs(splat(load(left, at).parts[0], words));
                  for (int64_t part = 0; part < strip.parts; ++part) {
                    Value& one = next[i * strip.parts + part];
                    one = call(b, vector, "llvm.x86.avx512bf16.dpbf16ps.512",
                               {one, factor, asPairs(columns.parts[part])});
                  }
                }
                return next;
              });
        for (int64_t i = 0; i < count; ++i) {
          Point at = strip;
          at.set(product.row, {first.dynamic, first.constant + i});
          store(target, at,
                {llvm::to_vector<4>(ArrayRef(sums).slice(i * strip.parts, strip.parts))});
        }
      });
    });
  });
}

static constexpr size_t tileRegisters = 8;

void Emitter::emitPairTiles(const Product& product, const PairTerms& terms, const Buffer& target,
                            const Point& outer, StringRef upTo, StringRef from, bool below) {
  StringRef reduced = product.reduced.front();
  int64_t summed = roundUp(arrayType(product.left).find(reduced).getSize(), 32) / 32;
  int64_t rows = arrayType(product.left).find(product.row).getSize();
  int64_t lanes = arrayType(product.right).find(product.lane).getSize();
  Type tileType = LLVM::LLVMX86AMXType::get(b.getContext());
  Value sixteen = arith::ConstantIntOp::create(b, 16, 16),
        bytes = arith::ConstantIntOp::create(b, 64, 16);
  auto strideOf = [&](int64_t elements) { return i64(4 * elements); };
  auto loadTile = [&](const Buffer& buffer, StringRef label, Index index, StringRef apart,
                      int64_t step) {
    Point point = outer;
    point.set(reduced, {Value(), 16 * step});
    point.set(label, index);
    return call(b, tileType, "llvm.x86.tileloadd64.internal",
                {sixteen, bytes, address(buffer, point, 0), strideOf(buffer.find(apart)->stride)});
  };
  // The sides without what repeats, and which of them are multiplied.
  SmallVector<Buffer> lefts, rights;
  SmallVector<std::pair<int64_t, int64_t>> pairs;
  auto indexIn = [](SmallVectorImpl<Buffer>& sides, const Buffer& side) {
    auto found = llvm::find_if(sides, [&](const Buffer& one) { return one.samePlace(side); });
    if (found == sides.end()) {
      sides.push_back(side);
      return int64_t(sides.size()) - 1;
    }
    return int64_t(found - sides.begin());
  };
  for (auto& [left, right] : terms)
    pairs.push_back({indexIn(lefts, left), indexIn(rights, right)});
  /// Tiles from a first row and lane on. Those of a triangle have constant places.
  auto block = [&](Index row, int64_t rowTiles, Index lane, int64_t laneTiles) {
    auto rowAt = [&](int64_t tile) {
      return Index{row.dynamic,
                   row.dynamic ? 16 * tile : std::min(row.constant + 16 * tile, rows - 16)};
    };
    auto laneAt = [&](int64_t tile) {
      return Index{lane.dynamic, lane.constant + 16 * tile, true, lane.aligned};
    };
    /// Whether what a tile adds is not all zeros, and wanted.
    auto counts = [&](int64_t i, int64_t j, int64_t step) {
      int64_t first = rowAt(i).constant, last = first + 15;
      return !(!upTo.empty() && 32 * step > last) && !(!from.empty() && 32 * step + 31 < first) &&
             !(below && laneAt(j).constant > last);
    };
    SmallVector<Value> sums(rowTiles * laneTiles);
    for (Value& sum : sums)
      sum = call(b, tileType, "llvm.x86.tilezero.internal", {sixteen, bytes});
    // A tile is loaded once for all terms of a step that it is in, as far as registers last: tiles
    // of sides that are no longer in the first-level cache take thrice the time of a
    // multiplication.
    size_t held = size_t(rowTiles + int64_t(rights.size())) * laneTiles + 1;
    SmallVector<SmallVector<int64_t>> passes; // right sides that are held together
    for (auto [side, buffer] : llvm::enumerate(rights))
      if (side && held <= tileRegisters)
        passes.back().push_back(side);
      else
        passes.push_back({int64_t(side)});
    for (int64_t step = 0; step < summed; ++step)
      for (ArrayRef<int64_t> pass : passes) {
        std::map<std::pair<int64_t, int64_t>, Value> columns;
        for (int64_t i = 0; i < rowTiles; ++i)
          for (auto [side, left] : llvm::enumerate(lefts)) {
            Value factor;
            for (int64_t other : pass)
              for (int64_t j = 0; j < laneTiles; ++j) {
                if (!counts(i, j, step) ||
                    !llvm::is_contained(pairs, std::pair(int64_t(side), other)))
                  continue;
                Value& column = columns[{other, j}];
                if (!column)
                  column = loadTile(rights[other], product.lane, laneAt(j), reduced, step);
                if (!factor)
                  factor = loadTile(left, product.row, rowAt(i), product.row, step);
                Value& sum = sums[i * laneTiles + j];
                sum = call(b, tileType, "llvm.x86.tdpbf16ps.internal",
                           {sixteen, bytes, bytes, sum, factor, column});
              }
          }
      }
    for (int64_t i = 0; i < rowTiles; ++i)
      for (int64_t j = 0; j < laneTiles; ++j) {
        Point point = outer;
        point.set(product.row, rowAt(i));
        point.set(product.lane, laneAt(j));
        call(b, {}, "llvm.x86.tilestored64.internal",
             {sixteen, bytes, address(target, point, 0), strideOf(target.find(product.row)->stride),
              sums[i * laneTiles + j]});
      }
  };
  int64_t rowTiles = roundUp(rows, 16) / 16, laneTiles = roundUp(lanes, 16) / 16;
  int64_t tall = rowTiles > 2 && rowTiles <= 4 ? 4 : 2, wide = 4 / tall;
  bool isTriangle = !upTo.empty() || !from.empty() || below;
  auto forLaneBlocks = [&](llvm::function_ref<void(Index, int64_t)> body) {
    int64_t whole = lanes / (16 * wide);
    if (whole > 1 && !below) {
      loop(i64(0), i64(whole * 16 * wide), 16 * wide, {}, [&](Value index, ValueRange) {
        body({index, 0, true, 16 * wide}, wide);
        return SmallVector<Value>();
      });
    } else {
      for (int64_t at = 0; at < whole; ++at)
        body({Value(), at * 16 * wide, true}, wide);
    }
    if (whole * wide < laneTiles)
      body({Value(), whole * 16 * wide, true}, laneTiles - whole * wide);
  };
  forLaneBlocks([&](Index lane, int64_t laneCount) {
    int64_t whole = rows / (16 * tall);
    if (whole > 1 && !isTriangle) {
      loop(i64(0), i64(whole * 16 * tall), 16 * tall, {}, [&](Value row, ValueRange) {
        block({row}, tall, lane, laneCount);
        return SmallVector<Value>();
      });
    } else {
      for (int64_t at = 0; at < whole; ++at)
        block({Value(), at * 16 * tall}, tall, lane, laneCount);
    }
    if (whole * tall < rowTiles)
      block({Value(), whole * 16 * tall}, rowTiles - whole * tall, lane, laneCount);
  });
}
