// Addresses of buffers; loads and stores with conversion between stored and computed types.
#include "Emitter.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

bool Lanes::isVector() const {
  return isa<VectorType>(parts.front().getType());
}

const Index* Point::find(StringRef label) const {
  for (auto& [name, index] : indices)
    if (name == label)
      return &index;
  return nullptr;
}

void Point::set(StringRef label, Index index) {
  for (auto& [name, old] : indices)
    if (name == label) {
      old = index;
      return;
    }
  indices.push_back({label, index});
}

const Dim* Buffer::find(StringRef label) const {
  for (const Dim& dim : dims)
    if (dim.label == label)
      return &dim;
  return nullptr;
}

bool Buffer::isUnit(StringRef label) const {
  const Dim* dim = find(label);
  return dim && dim->stride == 1 && !dim->dynamicStride;
}

bool Buffer::samePlace(const Buffer& other) const {
  return place != Place::User && place == other.place && offset == other.offset &&
         base == other.base;
}

//===-- addresses ----------------------------------------------------------------------------===//

static Value addTo(ImplicitLocOpBuilder& b, Value sum, Value term) {
  return sum ? arith::AddIOp::create(b, sum, term).getResult() : term;
}

static Value scale(ImplicitLocOpBuilder& b, Value x, int64_t factor) {
  if (factor == 1)
    return x;
  return arith::MulIOp::create(b, x, arith::ConstantIntOp::create(b, factor, 64));
}

/// The offset, in elements, of lane `lane` of a point; the constant part goes into `constant`.
Value Emitter::offsetOf(const Buffer& buffer, const Point& point, int64_t lane, int64_t& constant) {
  Value sum;
  for (const Dim& dim : buffer.dims) {
    const Index* found = point.find(dim.label);
    assert(found && "a buffer is read without an index for one of its labels");
    Index index = *found;
    if (index.lane)
      index.constant += lane;
    if (dim.relative && index.aligned) {
      constant += index.constant * dim.stride;
      continue;
    }
    if (!dim.block) {
      if (dim.dynamicStride) {
        if (index.dynamic)
          sum = addTo(b, sum, arith::MulIOp::create(b, index.dynamic, dim.dynamicStride));
        if (index.constant)
          sum = addTo(b, sum, scale(b, dim.dynamicStride, index.constant));
        continue;
      }
      if (index.dynamic)
        sum = addTo(b, sum, scale(b, index.dynamic, dim.stride));
      constant += index.constant * dim.stride;
      continue;
    }
    if (index.dynamic && (!index.aligned || index.aligned % dim.block)) {
      // Nothing is known of where in its strip the index stands.
      Value whole = index.dynamic;
      if (index.constant)
        whole = arith::AddIOp::create(b, whole, i64(index.constant));
      Value strip = arith::DivUIOp::create(b, whole, i64(dim.block));
      Value inside = arith::RemUIOp::create(b, whole, i64(dim.block));
      sum = addTo(b, sum, scale(b, strip, dim.blockStride));
      sum = addTo(b, sum, scale(b, inside, dim.stride));
      continue;
    }
    if (index.dynamic)
      sum = addTo(b, sum, scale(b, index.dynamic, dim.blockStride / dim.block));
    constant += index.constant / dim.block * dim.blockStride;
    constant += index.constant % dim.block * dim.stride;
  }
  return sum;
}

/// The type that one stored element is read as: bf16 and f16 as integers, truth values as bytes.
static Type rawType(ImplicitLocOpBuilder& b, Type storage) {
  if (storage.isBF16() || storage.isF16())
    return b.getI16Type();
  if (storage.isInteger(1))
    return b.getI8Type();
  return storage;
}

Value Emitter::address(const Buffer& buffer, const Point& point, int64_t lane) {
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Type unit = rawType(b, buffer.storage);
  Value base = buffer.base;
  if (!base) {
    Value area = buffer.place == Buffer::Place::Item ? itemSpace : workspace;
    base = LLVM::GEPOp::create(b, pointer, b.getI8Type(), area,
                               ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(buffer.offset))});
  }
  int64_t constant = 0;
  Value dynamic = offsetOf(buffer, point, lane, constant);
  if (dynamic)
    base = LLVM::GEPOp::create(b, pointer, unit, base, ValueRange{dynamic});
  if (constant)
    base = LLVM::GEPOp::create(b, pointer, unit, base,
                               ArrayRef<LLVM::GEPArg>{LLVM::GEPArg(int32_t(constant))});
  return base;
}

//===-- conversions --------------------------------------------------------------------------===//

static Type like(Value shape, Type element) {
  return vectorLike(element, shape.getType());
}

static Value integerConstant(ImplicitLocOpBuilder& b, Type type, int64_t value) {
  IntegerAttr scalar = IntegerAttr::get(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, Attribute(scalar)));
  return arith::ConstantOp::create(b, scalar);
}

/// f16 to f32 by integers: shift the exponent into place and rescale, which also handles
/// subnormals.
static Value fromHalf(ImplicitLocOpBuilder& b, Value raw) {
  Type i32 = like(raw, b.getI32Type());
  Arithmetic a{b, like(raw, b.getF32Type())};
  Value x = arith::ExtUIOp::create(b, i32, raw);
  Value sign =
      arith::ShLIOp::create(b, arith::AndIOp::create(b, x, a.integer(0x8000)), a.integer(16));
  Value rest =
      arith::ShLIOp::create(b, arith::AndIOp::create(b, x, a.integer(0x7fff)), a.integer(13));
  Value scaled = a.bits(a.mul(a.fromBits(rest), a.constant(0x1p112)));
  Value special = arith::CmpIOp::create(b, arith::CmpIPredicate::uge, rest, a.integer(0x0f800000));
  Value infinite = arith::OrIOp::create(b, rest, a.integer(0x7f800000));
  Value magnitude = arith::SelectOp::create(b, special, infinite, scaled);
  return a.fromBits(arith::OrIOp::create(b, magnitude, sign));
}

/// f32 to f16, rounded to nearest even.
static Value toHalf(ImplicitLocOpBuilder& b, Value value) {
  Arithmetic a{b, value.getType()};
  Value bits = a.bits(value);
  Value sign = arith::AndIOp::create(b, bits, a.integer(int32_t(0x80000000)));
  Value x = arith::XOrIOp::create(b, bits, sign);
  // Subnormal results: an addition in f32 puts the bits where they belong and rounds them.
  Value magic = a.integer(126 << 23); // 0.5
  Value sum = arith::AddFOp::create(b, a.fromBits(x), a.fromBits(magic));
  Value subnormal = arith::SubIOp::create(b, a.bits(sum), magic);
  Value odd = arith::AndIOp::create(b, arith::ShRUIOp::create(b, x, a.integer(13)), a.integer(1));
  Value rounded =
      arith::AddIOp::create(b, arith::AddIOp::create(b, x, a.integer(int32_t(0xc8000fff))), odd);
  Value normal = arith::ShRUIOp::create(b, rounded, a.integer(13));
  auto above = [&](int64_t limit) {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, x, a.integer(limit));
  };
  Value isNaN = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt, x, a.integer(0x7f800000));
  Value special = arith::SelectOp::create(b, isNaN, a.integer(0x7e00), a.integer(0x7c00));
  Value small = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, x, a.integer(113 << 23));
  Value result = arith::SelectOp::create(b, small, subnormal, normal);
  result = arith::SelectOp::create(b, above((127 + 16) << 23), special, result);
  result = arith::OrIOp::create(b, result, arith::ShRUIOp::create(b, sign, a.integer(16)));
  return arith::TruncIOp::create(b, like(value, b.getI16Type()), result);
}

/// The bf16 that an f32 was made from, if it was.
static Value madeFromBrain(Value value) {
  auto bits = value.getDefiningOp<arith::BitcastOp>();
  auto shift = bits ? bits.getIn().getDefiningOp<arith::ShLIOp>() : nullptr;
  auto wide = shift ? shift.getLhs().getDefiningOp<arith::ExtUIOp>() : nullptr;
  return wide && getElementTypeOrSelf(wide.getIn().getType()).isInteger(16) ? wide.getIn()
                                                                            : Value();
}

/// f32 to bf16, rounded to nearest even.
static Value toBrain(ImplicitLocOpBuilder& b, Value value, bool hasInstruction) {
  if (Value raw = madeFromBrain(value))
    return raw;
  if (hasInstruction) {
    Value rounded = arith::TruncFOp::create(b, like(value, b.getBF16Type()), value);
    return arith::BitcastOp::create(b, like(value, b.getI16Type()), rounded);
  }
  Arithmetic a{b, value.getType()};
  Value bits = a.bits(value);
  Value odd =
      arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, a.integer(16)), a.integer(1));
  Value rounded = arith::AddIOp::create(b, bits, arith::AddIOp::create(b, odd, a.integer(0x7fff)));
  Value isNaN = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, value, value);
  rounded = arith::SelectOp::create(b, isNaN, a.integer(0x7fc00000), rounded);
  Value high = arith::ShRUIOp::create(b, rounded, a.integer(16));
  return arith::TruncIOp::create(b, like(value, b.getI16Type()), high);
}

static Value fromStorage(ImplicitLocOpBuilder& b, Value raw, Type storage, Type element) {
  Type to = like(raw, element);
  if (storage.isBF16()) {
    Arithmetic a{b, like(raw, b.getF32Type())};
    Value wide = arith::ExtUIOp::create(b, a.integerType(), raw);
    return a.fromBits(arith::ShLIOp::create(b, wide, a.integer(16)));
  }
  if (storage.isF16())
    return fromHalf(b, raw);
  if (storage.isF64())
    return arith::TruncFOp::create(b, to, raw);
  if (element.isInteger(1))
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, raw,
                                 integerConstant(b, raw.getType(), 0));
  if (element.isF32() && storage.isInteger(1))
    return arith::UIToFPOp::create(b, to, raw);
  if (element.isF32() && isa<IntegerType>(storage))
    return arith::SIToFPOp::create(b, to, raw);
  if (storage.isInteger(64))
    return arith::TruncIOp::create(b, to, raw);
  return raw;
}

static Value toStorage(ImplicitLocOpBuilder& b, Value value, Type storage, bool hasBrain) {
  Type element = getElementTypeOrSelf(value.getType()), to = like(value, storage);
  if (storage.isBF16())
    return toBrain(b, value, hasBrain);
  if (storage.isF16())
    return toHalf(b, value);
  if (storage.isF64())
    return arith::ExtFOp::create(b, to, value);
  if (element.isInteger(1)) {
    if (storage.isF32())
      return arith::UIToFPOp::create(b, to, value);
    return arith::ExtUIOp::create(b, like(value, rawType(b, storage)), value);
  }
  if (storage.isInteger(64))
    return arith::ExtSIOp::create(b, to, value);
  return value;
}

//===-- loads and stores ---------------------------------------------------------------------===//

static Value tailMask(ImplicitLocOpBuilder& b, int64_t lanes, int64_t count) {
  SmallVector<bool> mask(lanes, false);
  std::fill_n(mask.begin(), std::min(lanes, count), true);
  auto type = VectorType::get({lanes}, b.getI1Type());
  return arith::ConstantOp::create(b, DenseElementsAttr::get(type, ArrayRef<bool>(mask)));
}

/// The lane label's stride: 0 where no label of the buffer runs over lanes, -1 where lanes are
/// neither contiguous nor equally far apart.
static int64_t laneStride(const Buffer& buffer, const Point& point) {
  int64_t stride = 0, count = 0;
  for (const Dim& dim : buffer.dims)
    if (point.find(dim.label)->lane) {
      ++count;
      stride += dim.dynamicStride ? 1000 : dim.stride;
    }
  return count > 1 ? -1 : stride;
}

/// A vector of every second element from an address on, as the parts of complex numbers lie: from
/// two vectors, the second of which ends with the last of them, so that nothing is read that lies
/// behind.
static Value everySecond(ImplicitLocOpBuilder& b, Value address, VectorType type, unsigned align) {
  int64_t lanes = type.getNumElements();
  Value first = LLVM::LoadOp::create(b, type, address, align);
  Value behind = LLVM::GEPOp::create(b, address.getType(), type.getElementType(), address,
                                     ArrayRef<LLVM::GEPArg>{int32_t(lanes - 1)});
  Value second = LLVM::LoadOp::create(b, type, behind, align);
  SmallVector<int64_t> places;
  for (int64_t lane = 0; lane < lanes; ++lane)
    places.push_back(2 * lane < lanes ? 2 * lane : 2 * lane + 1);
  return vector::ShuffleOp::create(b, first, second, places);
}

Lanes Emitter::load(const Buffer& buffer, const Point& point) {
  Type raw = rawType(b, buffer.storage);
  unsigned align = raw.getIntOrFloatBitWidth() / 8;
  int64_t stride = laneStride(buffer, point);
  auto scalar = [&](int64_t lane) -> Value {
    return LLVM::LoadOp::create(b, raw, address(buffer, point, lane), align);
  };
  if (stride == 0)
    return {{fromStorage(b, scalar(0), buffer.storage, buffer.element)}};
  Lanes result;
  int64_t lanes = shape.lanes;
  auto vector = VectorType::get({lanes}, raw);
  for (int64_t part = 0; part < point.parts; ++part) {
    int64_t left = point.tail ? point.tail - part * lanes : lanes;
    Value value;
    if (left <= 0) {
      value = arith::ConstantOp::create(b, b.getZeroAttr(vector));
    } else if (stride == 1 && (left >= lanes || buffer.place != Buffer::Place::User)) {
      value = LLVM::LoadOp::create(b, vector, address(buffer, point, part * lanes), align);
    } else if (stride == 1) {
      Value zero = arith::ConstantOp::create(b, b.getZeroAttr(vector));
      value = LLVM::MaskedLoadOp::create(b, vector, address(buffer, point, part * lanes),
                                         tailMask(b, lanes, left), zero, align);
    } else if (stride == 2 && left >= lanes && lanes > 1) {
      value = everySecond(b, address(buffer, point, part * lanes), vector, align);
    } else {
      value = arith::ConstantOp::create(b, b.getZeroAttr(vector));
      for (int64_t lane = 0; lane < std::min(lanes, left); ++lane)
        value = vector::InsertOp::create(b, scalar(part * lanes + lane), value, lane);
    }
    result.parts.push_back(fromStorage(b, value, buffer.storage, buffer.element));
  }
  return result;
}

void Emitter::store(const Buffer& buffer, const Point& point, Lanes value) {
  int64_t stride = laneStride(buffer, point), lanes = shape.lanes;
  unsigned align = rawType(b, buffer.storage).getIntOrFloatBitWidth() / 8;
  if (stride == 0) {
    LLVM::StoreOp::create(
        b, toStorage(b, value.parts[0], buffer.storage, shape.pairs != PairUnit::None),
        address(buffer, point, 0), align);
    return;
  }
  for (int64_t part = 0; part < point.parts; ++part) {
    int64_t left = point.tail ? point.tail - part * lanes : lanes;
    if (left <= 0) // Rows of places of our own are of whole vectors, not of whole points.
      return;
    Value one = value.parts[value.isVector() ? part : 0];
    if (!value.isVector())
      one = splat(one, VectorType::get({lanes}, b.getF32Type()));
    one = toStorage(b, one, buffer.storage, shape.pairs != PairUnit::None);
    if (stride == 1 && (left >= lanes || buffer.place != Buffer::Place::User)) {
      LLVM::StoreOp::create(b, one, address(buffer, point, part * lanes), align);
    } else if (stride == 1) {
      LLVM::MaskedStoreOp::create(b, one, address(buffer, point, part * lanes),
                                  tailMask(b, lanes, left), align);
    } else {
      for (int64_t lane = 0; lane < std::min(lanes, left); ++lane) // none past the end
        LLVM::StoreOp::create(b, vector::ExtractOp::create(b, one, lane),
                              address(buffer, point, part * lanes + lane), align);
    }
  }
}
