// Elementary functions from arithmetic: Cody-Waite reduction and short polynomials.
#include "lib/Target/Values/Math.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace ssmc::target;

static constexpr auto contract = arith::FastMathFlags::contract;

static Type shaped(Type like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like))
    return VectorType::get(vector.getShape(), element);
  return element;
}

static Value splatConstant(ImplicitLocOpBuilder& b, Type type, TypedAttr scalar) {
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, DenseElementsAttr::get(vector, Attribute(scalar)));
  return arith::ConstantOp::create(b, scalar);
}

Value Arithmetic::constant(double value) const {
  return splatConstant(b, type, b.getFloatAttr(getElementTypeOrSelf(type), value));
}
Value Arithmetic::integer(int64_t value) const {
  return splatConstant(b, integerType(), b.getI32IntegerAttr(value));
}
Value Arithmetic::add(Value x, Value y) const {
  return arith::AddFOp::create(b, x, y, contract);
}
Value Arithmetic::sub(Value x, Value y) const {
  return arith::SubFOp::create(b, x, y, contract);
}
Value Arithmetic::mul(Value x, Value y) const {
  return arith::MulFOp::create(b, x, y, contract);
}
Value Arithmetic::div(Value x, Value y) const {
  return arith::DivFOp::create(b, x, y, contract);
}
Value Arithmetic::less(Value x, Value y) const {
  return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
}
Value Arithmetic::select(Value c, Value x, Value y) const {
  return arith::SelectOp::create(b, c, x, y);
}
Value Arithmetic::abs(Value x) const {
  return math::AbsFOp::create(b, x);
}
Value Arithmetic::bits(Value x) const {
  return arith::BitcastOp::create(b, integerType(), x);
}
Value Arithmetic::fromBits(Value x) const {
  return arith::BitcastOp::create(b, type, x);
}
Type Arithmetic::integerType(unsigned width) const {
  return shaped(type, b.getIntegerType(width));
}
Arithmetic Arithmetic::wide() const {
  return {b, shaped(type, b.getF64Type())};
}

Value Arithmetic::polynomial(Value x, ArrayRef<double> highestFirst) const {
  Value sum = constant(highestFirst.front());
  for (double coefficient : highestFirst.drop_front())
    sum = add(mul(sum, x), constant(coefficient));
  return sum;
}

/// 2^n for an integer n in [-126, 127].
static Value powerOfTwo(const Arithmetic& a, Value n) {
  Value biased = arith::AddIOp::create(a.b, n, a.integer(127));
  return a.fromBits(arith::ShLIOp::create(a.b, biased, a.integer(23)));
}

Value ssmc::target::emitExp(const Arithmetic& a, Value x) {
  // The clamps are comparisons that are false for NaN, so that NaN goes through. Beyond them the
  // result rounds to 0 and to infinity anyway.
  Value low = a.constant(-104.0), high = a.constant(88.8);
  x = a.select(a.less(x, low), low, x);
  x = a.select(a.less(high, x), high, x);
  // Adding 1.5 * 2^23 rounds to an integer that then stands in the low bits: no conversion, which
  // would be undefined for NaN.
  Value magic = a.constant(12582912.0);
  Value rounded = a.add(a.mul(x, a.constant(1.44269504088896341)), magic);
  Value n = arith::SubIOp::create(a.b, a.bits(rounded), a.bits(magic));
  // (A difference that nobody may simplify.)
  Value whole = arith::SubFOp::create(a.b, rounded, magic);
  Value r = a.sub(x, a.mul(whole, a.constant(0.693359375)));
  r = a.sub(r, a.mul(whole, a.constant(-2.12194440e-4)));
  Value p = a.polynomial(r, {1.9875691500E-4, 1.3981999507E-3, 8.3334519073E-3, 4.1665795894E-2,
                             1.6666665459E-1, 5.0000001201E-1});
  Value y = a.add(a.add(a.mul(p, a.mul(r, r)), r), a.constant(1.0));
  // Two factors, so that results below the smallest normal number come out right.
  Value half = arith::ShRSIOp::create(a.b, n, a.integer(1));
  Value rest = arith::SubIOp::create(a.b, n, half);
  return a.mul(a.mul(y, powerOfTwo(a, half)), powerOfTwo(a, rest));
}

Value ssmc::target::emitLog(const Arithmetic& a, Value x) {
  Value zero = a.constant(0.0), inf = a.constant(INFINITY);
  Value tiny = a.less(x, a.constant(1.17549435e-38));
  Value scaled = a.select(tiny, a.mul(x, a.constant(33554432.0)), x);
  Value shift = a.select(tiny, a.constant(-25.0), zero);
  Value bits = a.bits(scaled);
  Value exponent =
      arith::SubIOp::create(a.b, arith::ShRUIOp::create(a.b, bits, a.integer(23)), a.integer(126));
  Value e = a.add(arith::SIToFPOp::create(a.b, a.type, exponent), shift);
  Value mantissa = arith::OrIOp::create(a.b, arith::AndIOp::create(a.b, bits, a.integer(0x7fffff)),
                                        a.integer(0x3f000000));
  Value m = a.fromBits(mantissa);
  Value small = a.less(m, a.constant(0.70710678118654752));
  e = a.sub(e, a.select(small, a.constant(1.0), zero));
  m = a.sub(a.add(m, a.select(small, m, zero)), a.constant(1.0));
  Value z = a.mul(m, m);
  Value p = a.polynomial(m, {7.0376836292E-2, -1.1514610310E-1, 1.1676998740E-1, -1.2420140846E-1,
                             1.4249322787E-1, -1.6668057665E-1, 2.0000714765E-1, -2.4999993993E-1,
                             3.3333331174E-1});
  Value y = a.mul(a.mul(p, m), z);
  y = a.add(y, a.mul(e, a.constant(-2.12194440e-4)));
  y = a.sub(y, a.mul(z, a.constant(0.5)));
  Value result = a.add(a.add(m, y), a.mul(e, a.constant(0.693359375)));
  Value isZero = arith::CmpFOp::create(a.b, arith::CmpFPredicate::OEQ, x, zero);
  // False for NaN: it and infinity are handed through.
  Value finite = a.less(x, inf);
  result = a.select(isZero, a.constant(-INFINITY), result);
  result = a.select(a.less(x, zero), a.constant(NAN), result);
  return a.select(finite, result, x);
}

Value ssmc::target::emitTanh(const Arithmetic& a, Value x) {
  Value magnitude = a.abs(x), z = a.mul(x, x);
  Value p = a.polynomial(z, {-5.70498872745E-3, 2.06390887954E-2, -5.37397155531E-2,
                             1.33314422036E-1, -3.33332819422E-1});
  Value small = a.add(a.mul(a.mul(p, z), x), x);
  Value e = emitExp(a, a.add(magnitude, magnitude));
  Value large = a.sub(a.constant(1.0), a.div(a.constant(2.0), a.add(e, a.constant(1.0))));
  large = math::CopySignOp::create(a.b, large, x);
  return a.select(a.less(magnitude, a.constant(0.625)), small, large);
}

Value ssmc::target::emitSigmoid(const Arithmetic& a, Value x) {
  Value one = a.constant(1.0);
  return a.div(one, a.add(one, emitExp(a, arith::NegFOp::create(a.b, x))));
}

Value ssmc::target::emitSoftplus(const Arithmetic& a, Value x) {
  // max(x, 0) + log1p(u), u = exp(-|x|). log1p by the quotient that repairs the rounding of 1 + u.
  Value zero = a.constant(0.0), one = a.constant(1.0);
  Value u = emitExp(a, arith::NegFOp::create(a.b, a.abs(x)));
  Value w = arith::AddFOp::create(a.b, one, u);
  Value d = arith::SubFOp::create(a.b, w, one);
  Value same = arith::CmpFOp::create(a.b, arith::CmpFPredicate::OEQ, d, zero);
  Value ratio = a.div(u, a.select(same, one, d));
  Value log1p = a.select(same, u, a.mul(emitLog(a, w), ratio));
  return a.add(a.select(a.less(x, zero), zero, x), log1p);
}

namespace {
/// An angle as quadrants and what is left of it, at most pi/4 in magnitude.
struct Reduced {
  Value quadrant, rest;
};
} // namespace

/// In f64: right for every argument where the spacing of f32 means anything.
static Reduced reduceWide(const Arithmetic& a, Value x) {
  Arithmetic d = a.wide();
  Value wide = arith::ExtFOp::create(a.b, d.type, x);
  Value magic = d.constant(6755399441055744.0);
  Value rounded = d.add(d.mul(wide, d.constant(0.63661977236758134)), magic);
  Type long_ = shaped(a.type, a.b.getI64Type());
  Value quadrant =
      arith::TruncIOp::create(a.b, a.integerType(), arith::BitcastOp::create(a.b, long_, rounded));
  Value n = d.sub(rounded, magic);
  Value reduced = d.sub(d.sub(wide, d.mul(n, d.constant(1.57079631090164184570e+00))),
                        d.mul(n, d.constant(1.58932547735281966916e-08)));
  return {quadrant, arith::TruncFOp::create(a.b, a.type, reduced)};
}

/// In integers of 32 bits: the digits of 2/pi that matter for the argument's exponent, times its
/// mantissa (Payne and Hanek, Radian reduction for trigonometric functions, 1983).
static Reduced reduceInWords(const Arithmetic& a, Value x) {
  ImplicitLocOpBuilder& b = a.b;
  // 2/pi behind 32 zeros.
  static constexpr uint32_t digits[] = {0x00000000, 0xA2F9836E, 0x4E441529, 0xFC2757D1,
                                        0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB};
  auto bits = a.bits(x);
  auto integer = [&](uint32_t value) { return a.integer(int32_t(value)); };
  auto shiftLeft = [&](Value v, Value by) -> Value { return arith::ShLIOp::create(b, v, by); };
  auto shiftRight = [&](Value v, Value by) -> Value { return arith::ShRUIOp::create(b, v, by); };
  Value exponent = arith::AndIOp::create(b, shiftRight(bits, integer(23)), integer(0xff));
  Value mantissa =
      arith::OrIOp::create(b, arith::AndIOp::create(b, bits, integer(0x7fffff)), integer(0x800000));
  // |x| = mantissa 2^(exponent - 150). The first digit of three words of them is the one that
  // is worth 2 quadrants, beside the mantissa's last bit.
  Value first =
      arith::MaxSIOp::create(b, arith::SubIOp::create(b, exponent, integer(120)), integer(0));
  Value word = shiftRight(first, integer(5));
  Value shift = arith::AndIOp::create(b, first, integer(31));
  auto wordAt = [&](int64_t offset) {
    Value chosen = integer(digits[offset]);
    for (int64_t i = 1; i <= 4; ++i)
      chosen = a.select(arith::CmpIOp::create(b, arith::CmpIPredicate::eq, word, integer(i)),
                        integer(digits[std::min<int64_t>(i + offset, 7)]), chosen);
    return chosen;
  };
  Value words[4] = {wordAt(0), wordAt(1), wordAt(2), wordAt(3)}, window[3];
  Value back = arith::SubIOp::create(b, integer(31), shift);
  for (int i = 0; i < 3; ++i)
    window[i] = arith::OrIOp::create(b, shiftLeft(words[i], shift),
                                     shiftRight(shiftRight(words[i + 1], integer(1)), back));
  auto last = arith::MulUIExtendedOp::create(b, mantissa, window[2]);
  auto middle = arith::MulUIExtendedOp::create(b, mantissa, window[1]);
  Value low = arith::AddIOp::create(b, middle.getLow(), last.getHigh());
  Value carries = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, low, last.getHigh());
  Value high =
      arith::AddIOp::create(b, arith::MulIOp::create(b, mantissa, window[0]), middle.getHigh());
  high = arith::AddIOp::create(b, high, a.select(carries, integer(1), integer(0)));
  // Quadrants in the first two bits; what is left is brought to [-1/2, 1/2) of one.
  Value quadrant = shiftRight(high, integer(30));
  Value rest = arith::OrIOp::create(b, shiftLeft(high, integer(2)), shiftRight(low, integer(30)));
  low = shiftLeft(low, integer(2));
  quadrant = arith::AddIOp::create(b, quadrant, shiftRight(rest, integer(31)));
  Value mask = arith::ShRSIOp::create(b, rest, integer(31));
  Value high32 =
      arith::UIToFPOp::create(b, a.type, arith::XOrIOp::create(b, rest, mask).getResult());
  Value low32 = arith::UIToFPOp::create(b, a.type, arith::XOrIOp::create(b, low, mask).getResult());
  Value part = a.add(a.mul(high32, a.constant(0x1p-32)), a.mul(low32, a.constant(0x1p-64)));
  Value angle = a.mul(part, a.constant(1.57079632679489662));
  Value isBelow = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, mask, integer(0));
  angle = a.select(isBelow, arith::NegFOp::create(b, angle), angle);
  // An odd function of x.
  Value isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, bits, integer(0));
  quadrant = a.select(isNegative, arith::SubIOp::create(b, integer(0), quadrant), quadrant);
  angle = a.select(isNegative, arith::NegFOp::create(b, angle), angle);
  // Small angles are themselves; infinities and NaN have none.
  Value magnitude = a.abs(x);
  Value isSmall = a.less(magnitude, a.constant(0.78539816339744831));
  angle = a.select(isSmall, x, angle);
  quadrant = a.select(isSmall, integer(0), quadrant);
  Value isFinite = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, exponent, integer(0xff));
  return {quadrant, a.select(isFinite, angle, a.constant(NAN))};
}

Value ssmc::target::emitSin(const Arithmetic& a, Value x, bool cosine) {
  auto [quadrant, r] = a.hasDoubles ? reduceWide(a, x) : reduceInWords(a, x);
  Value z = a.mul(r, r);
  Value sine = a.add(
      a.mul(a.mul(a.polynomial(z, {-1.9515295891E-4, 8.3321608736E-3, -1.6666654611E-1}), z), r),
      r);
  Value cos = a.add(a.sub(a.mul(a.mul(a.polynomial(z, {2.443315711809948E-5, -1.388731625493765E-3,
                                                       4.166664568298827E-2}),
                                      z),
                                z),
                          a.mul(z, a.constant(0.5))),
                    a.constant(1.0));
  if (cosine)
    quadrant = arith::AddIOp::create(a.b, quadrant, a.integer(1));
  Value zero = a.integer(0);
  auto bit = [&](int64_t mask) -> Value {
    return arith::CmpIOp::create(a.b, arith::CmpIPredicate::ne,
                                 arith::AndIOp::create(a.b, quadrant, a.integer(mask)), zero);
  };
  Value result = a.select(bit(1), cos, sine);
  return a.select(bit(2), arith::NegFOp::create(a.b, result), result);
}

/// log2 of a positive normal f32, in f64 to about 1e-13.
static Value log2Wide(const Arithmetic& a, Value x) {
  Arithmetic d = a.wide();
  Value tiny = a.less(x, a.constant(1.17549435e-38));
  Value bits = a.bits(a.select(tiny, a.mul(x, a.constant(33554432.0)), x));
  Value exponent =
      arith::SubIOp::create(a.b, arith::ShRUIOp::create(a.b, bits, a.integer(23)), a.integer(127));
  Value m = a.fromBits(arith::OrIOp::create(
      a.b, arith::AndIOp::create(a.b, bits, a.integer(0x7fffff)), a.integer(0x3f800000)));
  // Mantissas in [sqrt(1/2), sqrt(2)).
  Value large = a.less(a.constant(1.41421356237309505), m);
  m = a.select(large, a.mul(m, a.constant(0.5)), m);
  Value e = a.add(arith::SIToFPOp::create(a.b, a.type, exponent),
                  a.select(large, a.constant(1.0), a.constant(0.0)));
  e = a.add(e, a.select(tiny, a.constant(-25.0), a.constant(0.0)));
  // log(m) = 2 atanh(s), s = (m - 1) / (m + 1), at most 0.172.
  Value wide = arith::ExtFOp::create(a.b, d.type, m);
  Value s = d.div(d.sub(wide, d.constant(1.0)), d.add(wide, d.constant(1.0)));
  Value series = d.polynomial(
      d.mul(s, s), {1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0});
  Value log2 = d.mul(d.mul(series, s), d.constant(2.88539008177792681));
  return d.add(log2, arith::ExtFOp::create(a.b, d.type, e));
}

/// |x|^y in f32: its exponent loses as many bits as its whole part has.
static Value powNarrow(const Arithmetic& a, Value magnitude, Value y) {
  // log2 |x| = e + l, with e whole and l at most 1/2 in magnitude.
  Value tiny = a.less(magnitude, a.constant(1.17549435e-38));
  Value bits = a.bits(a.select(tiny, a.mul(magnitude, a.constant(33554432.0)), magnitude));
  Value exponent =
      arith::SubIOp::create(a.b, arith::ShRUIOp::create(a.b, bits, a.integer(23)), a.integer(127));
  Value m = a.fromBits(arith::OrIOp::create(
      a.b, arith::AndIOp::create(a.b, bits, a.integer(0x7fffff)), a.integer(0x3f800000)));
  Value large = a.less(a.constant(1.41421356237309505), m);
  m = a.select(large, a.mul(m, a.constant(0.5)), m);
  Value e = a.add(arith::SIToFPOp::create(a.b, a.type, exponent),
                  a.select(large, a.constant(1.0), a.constant(0.0)));
  e = a.add(e, a.select(tiny, a.constant(-25.0), a.constant(0.0)));
  Value s = a.div(a.sub(m, a.constant(1.0)), a.add(m, a.constant(1.0)));
  Value series = a.polynomial(a.mul(s, s), {1.0 / 9, 1.0 / 7, 1.0 / 5, 1.0 / 3, 1.0});
  Value l = a.mul(a.mul(series, s), a.constant(2.88539008177792681));
  auto clamp = [&](Value v) {
    v = a.select(a.less(v, a.constant(-300.0)), a.constant(-300.0), v);
    return a.select(a.less(a.constant(300.0), v), a.constant(300.0), v);
  };
  Value whole = clamp(a.mul(y, e)), part = clamp(a.mul(y, l));
  Value magic = a.constant(12582912.0);
  Value rounded = a.add(clamp(a.add(whole, part)), magic);
  Value n = arith::SubIOp::create(a.b, a.bits(rounded), a.bits(magic));
  Value f = a.add(a.sub(whole, arith::SubFOp::create(a.b, rounded, magic)), part);
  Value p = a.polynomial(f, {1.5252733804e-5, 1.5403530394e-4, 1.3333558146e-3, 9.6181291076e-3,
                             5.5504108665e-2, 2.4022650696e-1, 6.9314718056e-1, 1.0});
  Value third = arith::DivSIOp::create(a.b, n, a.integer(3));
  Value rest = arith::SubIOp::create(a.b, n, arith::AddIOp::create(a.b, third, third));
  return a.mul(a.mul(a.mul(p, powerOfTwo(a, third)), powerOfTwo(a, third)), powerOfTwo(a, rest));
}

/// |x|^y with the exponent in f64.
static Value powWide(const Arithmetic& a, Value magnitude, Value y) {
  Arithmetic d = a.wide();
  Value exponent = d.mul(arith::ExtFOp::create(a.b, d.type, y), log2Wide(a, magnitude));
  exponent = d.select(d.less(exponent, d.constant(-300.0)), d.constant(-300.0), exponent);
  exponent = d.select(d.less(d.constant(300.0), exponent), d.constant(300.0), exponent);
  Value magic = d.constant(6755399441055744.0);
  Value rounded = d.add(exponent, magic);
  Type long_ = shaped(a.type, a.b.getI64Type());
  Value n =
      arith::TruncIOp::create(a.b, a.integerType(), arith::BitcastOp::create(a.b, long_, rounded));
  Value f = arith::TruncFOp::create(a.b, a.type, d.sub(exponent, d.sub(rounded, magic)));
  // 2^f for |f| <= 1/2, then by 2^n in three steps, as results may be subnormal or infinite.
  Value p = a.polynomial(f, {1.5252733804e-5, 1.5403530394e-4, 1.3333558146e-3, 9.6181291076e-3,
                             5.5504108665e-2, 2.4022650696e-1, 6.9314718056e-1, 1.0});
  Value third = arith::DivSIOp::create(a.b, n, a.integer(3));
  Value rest = arith::SubIOp::create(a.b, n, arith::AddIOp::create(a.b, third, third));
  return a.mul(a.mul(a.mul(p, powerOfTwo(a, third)), powerOfTwo(a, third)), powerOfTwo(a, rest));
}

/// What of a number is no whole one; 0 from 2^24 on, where every number is whole and even.
static Value fractionOf(const Arithmetic& a, Value v) {
  Value isSmall = a.less(a.abs(v), a.constant(16777216.0));
  if (a.hasDoubles) {
    Arithmetic d = a.wide();
    Value wide = arith::ExtFOp::create(a.b, d.type, v), magic = d.constant(6755399441055744.0);
    Value part = d.sub(wide, d.sub(d.add(wide, magic), magic));
    return arith::TruncFOp::create(a.b, a.type, d.select(isSmall, part, d.constant(0.0)));
  }
  return a.select(isSmall, a.sub(v, math::FloorOp::create(a.b, v)), a.constant(0.0));
}

Value ssmc::target::emitPow(const Arithmetic& a, Value x, Value y) {
  // 2^(y log2 |x|).
  Value zero = a.constant(0.0), one = a.constant(1.0), magnitude = a.abs(x);
  Value power = a.hasDoubles ? powWide(a, magnitude, y) : powNarrow(a, magnitude, y);
  // Bases of 0, of infinity, and negative ones, which have powers of whole numbers alone.
  auto equal = [&](Value u, Value v) -> Value {
    return arith::CmpFOp::create(a.b, arith::CmpFPredicate::OEQ, u, v);
  };
  Value infinity = a.constant(INFINITY), negative = a.less(y, zero);
  Value vanish = a.select(negative, infinity, zero), grow = a.select(negative, zero, infinity);
  power = a.select(equal(magnitude, zero), vanish, power);
  power = a.select(equal(magnitude, infinity), grow, power);
  auto isWhole = [&](Value v) { return equal(fractionOf(a, v), zero); };
  Value whole = isWhole(y), even = isWhole(a.mul(y, a.constant(0.5)));
  Value flipped = a.select(even, power, arith::NegFOp::create(a.b, power));
  Value below = a.select(whole, flipped, a.constant(NAN));
  power = a.select(a.less(x, zero), below, power);
  // NaN goes through, but for x^0 and 1^y.
  Value nan = arith::CmpFOp::create(a.b, arith::CmpFPredicate::UNO, x, y);
  power = a.select(nan, a.add(x, y), power);
  Value unit = arith::OrIOp::create(a.b, equal(y, zero), equal(x, one));
  return a.select(unit, one, power);
}
