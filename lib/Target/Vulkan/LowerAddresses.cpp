// Addresses become arrays of words.
//
// A program of threads reaches memory by addresses, as in the LLVM dialect: an argument, or the
// block's shared memory, with offsets added. Shaders have no such thing: every array is a binding
// of its own and is indexed from its start. So an address is taken apart here to the array it
// begins in and an index, a sum of terms, each a number of units of so many bytes. All arrays are
// of words of 32 bits, the one type that every device can load and store; smaller elements are cut
// out of words, and put into them by two atomic operations, so that threads whose elements share a
// word do not meet. Devices whose memory may be seen as arrays of different elements at once, by
// variables that are aliases, read and write two bytes or up to sixteen as they are. Integers of 64
// bits, which devices need not have, become those of 32: all that is made of them are indices, of
// arrays whose bytes 32 bits can count, and sums and products are right modulo 2^32 whatever lies
// between.
#include "Machine.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVAttributes.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::vulkan;

namespace {

/// An address: where it begins, and what is added.
struct Place {
  enum Root { Null, Shared, Array } root = Null;
  unsigned parameter = 0; ///< of an array
  /// Numbers of units of so many bytes, i32.
  SmallVector<std::pair<int64_t, Value>, 4> terms;
  int64_t bytes = 0; ///< beside the terms
};

class Lowering {
public:
  Lowering(func::FuncOp function, const simt::KernelInfo& info, ArrayRef<KernelArray> arrays,
           bool hasViews)
      : function(function), info(info), hasViews(hasViews), halves(function.getNumArguments()),
        b(function.getLoc(), function) {
    for (auto [number, array] : llvm::enumerate(arrays))
      if (array.ofHalves)
        halves.set(parameterOf(number));
  }

  FailureOr<gpu::GPUModuleOp> run(std::vector<int>& bindings);

private:
  Type narrow(Type type);
  Value at(Value old) { return values.lookup(old); }
  Value i32(int64_t value) { return arith::ConstantIntOp::create(b, value, 32); }
  Value number(unsigned parameter);
  /// The index of an element of so many bytes.
  Value indexOf(const Place& place, int64_t bytes);
  Value memoryOf(const Place& place);
  bool isOfHalves(const Place& place) {
    return place.root == Place::Array && halves.test(place.parameter);
  }
  Value loadWord(const Place& place, Value index);
  Value pointerTo(const Place& place, Type element);
  void lowerBlock(Block& block);
  void lowerOp(Operation* op);
  void lowerLoad(LLVM::LoadOp load);
  void lowerStore(LLVM::StoreOp store);
  void lowerStep(LLVM::GEPOp gep);
  void lowerRegions(Operation* op);
  Value widen(Type from, Value bits);
  Value roundHalf(Value x);

  func::FuncOp function;
  const simt::KernelInfo& info;
  /// Whether one memory may be seen as arrays of different elements.
  bool hasViews;
  llvm::BitVector halves; ///< parameters that are arrays of 16-bit elements
  ImplicitLocOpBuilder b;
  IRMapping values;
  llvm::DenseMap<unsigned, Value> numbers; ///< parameters that have been read
  Operation* lastNumber = nullptr;         ///< the last of those reads
  llvm::DenseMap<Value, Place> places;
  llvm::DenseMap<Value, SmallVector<Value>> vectors; ///< their elements
  gpu::GPUFuncOp made;
  Value shared;
  llvm::DenseMap<Type, Value> sharedViews; ///< by element
  bool hasFailed = false;
};

} // namespace

static int64_t bytesOf(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.getNumElements() * vector.getElementTypeBitWidth() / 8;
  return std::max<int64_t>(1, type.getIntOrFloatBitWidth() / 8);
}

Type Lowering::narrow(Type type) {
  if (type.isInteger(64) || type.isInteger(16) || type.isInteger(8) || type.isBF16() ||
      type.isF16())
    return b.getI32Type();
  return type;
}

Value Lowering::number(unsigned parameter) {
  // Each is read once, where the kernel begins: an access may be in the innermost loop, and what
  // the caller's memory is for may be written by others in between, for all that a compiler knows.
  Value& known = numbers[parameter];
  if (known)
    return known;
  OpBuilder::InsertionGuard guard(b);
  if (lastNumber)
    b.setInsertionPointAfter(lastNumber);
  else
    b.setInsertionPointToStart(&made.getBody().front());
  Value index = arith::ConstantIndexOp::create(b, parameter);
  auto load = memref::LoadOp::create(b, made.getArgument(0), ValueRange{index});
  lastNumber = load;
  return known = load;
}

Value Lowering::indexOf(const Place& place, int64_t bytes) {
  Value index;
  auto add = [&](Value term) {
    index = index ? arith::AddIOp::create(b, index, term).getResult() : term;
  };
  auto addUnits = [&](int64_t unit, Value count, int64_t bytes) {
    if (unit == bytes)
      return add(count);
    if (unit % bytes == 0)
      return add(arith::MulIOp::create(b, count, i32(unit / bytes)));
    // (Bytes, of which there are whole elements.)
    add(arith::ShRUIOp::create(b, count, i32(llvm::Log2_64(bytes / unit))));
  };
  // Of smaller elements there are whole ones in all, but not in each term.
  int64_t least = bytes;
  for (auto [unit, count] : place.terms)
    if (unit > 1)
      least = std::min(least, unit & -unit);
  for (auto [unit, count] : place.terms)
    addUnits(unit, count, least);
  if (least < bytes) {
    if (place.bytes)
      add(i32(place.bytes / least));
    index = arith::ShRUIOp::create(b, index, i32(llvm::Log2_64(bytes / least)));
  }
  if (place.root == Place::Array)
    addUnits(1, number(place.parameter), bytes);
  if (least == bytes && (place.bytes || !index))
    add(i32(place.bytes / bytes));
  return index;
}

/// The type of an array of so many elements, or of an unknown number, in memory of a device.
static spirv::PointerType pointerToArray(Type element, int64_t count, spirv::StorageClass storage) {
  unsigned bytes = bytesOf(element);
  Type array = count ? Type(spirv::ArrayType::get(element, count, bytes))
                     : Type(spirv::RuntimeArrayType::get(element, bytes));
  spirv::StructType::StructDecorationInfo block(spirv::Decoration::Block,
                                                UnitAttr::get(element.getContext()));
  return spirv::PointerType::get(spirv::StructType::get({array}, {0}, {}, {block}), storage);
}

/// A pointer to an element, where memory has views.
Value Lowering::pointerTo(const Place& place, Type element) {
  Value base;
  if (place.root == Place::Shared) {
    Value& view = sharedViews[element];
    if (!view) {
      OpBuilder::InsertionGuard guard(b);
      int64_t bytes = llvm::alignTo(info.sharedBytes, 16);
      spirv::PointerType type =
          pointerToArray(element, bytes / bytesOf(element), spirv::StorageClass::Workgroup);
      b.setInsertionPoint(made);
      auto variable = spirv::GlobalVariableOp::create(
          b, type, "shared_" + std::to_string(sharedViews.size()), FlatSymbolRefAttr());
      variable->setAttr("aliased", b.getUnitAttr());
      b.setInsertionPointToStart(&made.getBody().front());
      view = spirv::AddressOfOp::create(b, variable);
    }
    base = view;
  } else {
    base = UnrealizedConversionCastOp::create(
               b, pointerToArray(element, 0, spirv::StorageClass::StorageBuffer), memoryOf(place))
               .getResult(0);
  }
  Value first = spirv::ConstantOp::create(b, b.getI32Type(), b.getI32IntegerAttr(0));
  return spirv::AccessChainOp::create(b, base, ValueRange{first, indexOf(place, bytesOf(element))});
}

Value Lowering::memoryOf(const Place& place) {
  if (place.root == Place::Shared)
    return shared;
  return made.getArgument(1 + place.parameter);
}

static Value asIndex(ImplicitLocOpBuilder& b, Value index) {
  return arith::IndexCastUIOp::create(b, b.getIndexType(), index);
}

Value Lowering::loadWord(const Place& place, Value index) {
  return memref::LoadOp::create(b, memoryOf(place), ValueRange{asIndex(b, index)});
}

/// Of an element that takes part of a word: which word, and how far up in it.
static std::pair<Value, Value> partOf(ImplicitLocOpBuilder& b, Value index, int64_t bytes) {
  auto i32 = [&](int64_t value) -> Value { return arith::ConstantIntOp::create(b, value, 32); };
  int64_t perWord = 4 / bytes;
  Value word = arith::ShRUIOp::create(b, index, i32(llvm::Log2_64(perWord)));
  Value inside = arith::AndIOp::create(b, index, i32(perWord - 1));
  return {word, arith::ShLIOp::create(b, inside, i32(llvm::Log2_64(8 * bytes)))};
}

/// The f32 of a bf16 or f16, given as the low bits of a word.
Value Lowering::widen(Type from, Value bits) {
  Type f32 = b.getF32Type();
  if (from.isBF16())
    return arith::BitcastOp::create(b, f32, arith::ShLIOp::create(b, bits, i32(16)));
  // The exponent's bias is 127 in place of 15; the largest exponent stays that; with the smallest
  // one there is no leading one.
  Value sign = arith::ShLIOp::create(b, arith::AndIOp::create(b, bits, i32(0x8000)), i32(16));
  Value rest = arith::ShLIOp::create(b, arith::AndIOp::create(b, bits, i32(0x7fff)), i32(13));
  Value exponent = arith::AndIOp::create(b, rest, i32(0x0f800000));
  auto equals = [&](Value x, int64_t y) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, i32(y));
  };
  Value moved = arith::AddIOp::create(b, rest, i32(112 << 23));
  Value special = arith::AddIOp::create(b, rest, i32(224 << 23));
  Value withOne =
      arith::BitcastOp::create(b, f32, arith::AddIOp::create(b, rest, i32(113 << 23)).getResult());
  Value one = arith::BitcastOp::create(b, f32, i32(113 << 23));
  Value small = arith::BitcastOp::create(b, b.getI32Type(),
                                         arith::SubFOp::create(b, withOne, one).getResult());
  Value made = arith::SelectOp::create(b, equals(exponent, 0x0f800000), special, moved);
  made = arith::SelectOp::create(b, equals(exponent, 0), small, made);
  return arith::BitcastOp::create(b, f32, arith::OrIOp::create(b, made, sign).getResult());
}

/// The bits of the f16 next to an f32, of two the even one.
Value Lowering::roundHalf(Value x) {
  Type f32 = b.getF32Type();
  Value bits = arith::BitcastOp::create(b, b.getI32Type(), x);
  Value sign = arith::AndIOp::create(b, arith::ShRUIOp::create(b, bits, i32(16)), i32(0x8000));
  Value rest = arith::AndIOp::create(b, bits, i32(0x7fffffff));
  auto from = [&](Value y, int64_t limit) -> Value {
    return arith::CmpIOp::create(b, arith::CmpIPredicate::uge, y, i32(limit));
  };
  // Below 2^-14 the spacing is that of 0.5 in f32.
  Value shifted = arith::AddFOp::create(b, arith::BitcastOp::create(b, f32, rest).getResult(),
                                        arith::ConstantOp::create(b, b.getF32FloatAttr(0.5f)));
  Value small = arith::SubIOp::create(
      b, arith::BitcastOp::create(b, b.getI32Type(), shifted).getResult(), i32(0x3f000000));
  Value odd = arith::AndIOp::create(b, arith::ShRUIOp::create(b, rest, i32(13)), i32(1));
  Value up = arith::AddIOp::create(b, arith::AddIOp::create(b, rest, odd),
                                   i32(int32_t(0xfff) - (112 << 23)));
  Value made = arith::SelectOp::create(b, from(rest, 0x38800000),
                                       arith::ShRUIOp::create(b, up, i32(13)), small);
  made = arith::SelectOp::create(b, from(rest, 0x47800000), i32(0x7c00), made);
  made = arith::SelectOp::create(b, from(rest, 0x7f800001), i32(0x7e00), made);
  return arith::OrIOp::create(b, made, sign);
}

void Lowering::lowerStep(LLVM::GEPOp gep) {
  Place place = places.lookup(gep.getBase());
  if (gep.getDynamicIndices().size() > 1 || gep.getIndices().size() != 1) {
    gep.emitOpError("has several indices");
    hasFailed = true;
    return;
  }
  int64_t unit = bytesOf(gep.getElemType());
  if (gep.getDynamicIndices().empty()) {
    place.bytes += unit * gep.getRawConstantIndices()[0];
  } else {
    Value index = at(gep.getDynamicIndices()[0]);
    llvm::APInt known;
    if (matchPattern(index, m_ConstantInt(&known)))
      place.bytes += unit * known.getSExtValue();
    else
      place.terms.push_back({unit, index});
  }
  places[gep.getResult()] = place;
}

void Lowering::lowerLoad(LLVM::LoadOp load) {
  const Place& place = places.find(load.getAddr())->second;
  Type type = load.getType();
  int64_t bytes = bytesOf(type);
  if (hasViews && (place.root == Place::Shared || isa<VectorType>(type))) {
    auto vector = dyn_cast<VectorType>(type);
    Type word = b.getI32Type(), half = b.getI16Type();
    Value bits = spirv::LoadOp::create(b, pointerTo(place, vector ? VectorType::get(bytes / 4, word)
                                                           : bytes == 2 ? half
                                                                        : word));
    auto read = [&](Value one, Type as) -> Value {
      return as.isF32() ? arith::BitcastOp::create(b, as, one).getResult() : one;
    };
    if (bytes == 2)
      bits = arith::ExtUIOp::create(b, word, bits);
    if (!vector)
      return values.map(load.getResult(), read(bits, type));
    SmallVector<Value> parts;
    for (int32_t i = 0; i < vector.getNumElements(); ++i)
      parts.push_back(read(spirv::CompositeExtractOp::create(b, bits, i), vector.getElementType()));
    vectors[load.getResult()] = std::move(parts);
    return;
  }
  if (isa<VectorType>(type) || place.root == Place::Null ||
      (bytes < 4 && place.root == Place::Shared)) {
    load.emitOpError("is of no single number of an array");
    hasFailed = true;
    return;
  }
  if (bytes >= 4) {
    // (Of eight bytes the low ones.)
    Value index = indexOf(place, bytes);
    if (bytes > 4)
      index = arith::MulIOp::create(b, index, i32(bytes / 4));
    Value word = loadWord(place, index);
    if (type.isF32())
      word = arith::BitcastOp::create(b, type, word);
    return values.map(load.getResult(), word);
  }
  if (isOfHalves(place)) {
    Value half = loadWord(place, indexOf(place, bytes));
    values.map(load.getResult(), arith::ExtUIOp::create(b, b.getI32Type(), half));
    return;
  }
  auto [word, shift] = partOf(b, indexOf(place, bytes), bytes);
  Value bits = arith::ShRUIOp::create(b, loadWord(place, word), shift);
  values.map(load.getResult(), arith::AndIOp::create(b, bits, i32((1 << 8 * bytes) - 1)));
}

void Lowering::lowerStore(LLVM::StoreOp store) {
  const Place& place = places.find(store.getAddr())->second;
  Type type = store.getValue().getType();
  int64_t bytes = bytesOf(type);
  if (hasViews &&
      (place.root == Place::Shared || isa<VectorType>(type) || (bytes == 4 && isOfHalves(place)))) {
    Type word = b.getI32Type(), half = b.getI16Type();
    auto bitsOf = [&](Value one) -> Value {
      return one.getType().isF32() ? arith::BitcastOp::create(b, word, one).getResult() : one;
    };
    if (isa<VectorType>(type)) {
      SmallVector<Value> parts;
      for (Value part : vectors.find(store.getValue())->second)
        parts.push_back(bitsOf(part));
      auto vector = VectorType::get(parts.size(), word);
      Value all = spirv::CompositeConstructOp::create(b, vector, parts);
      spirv::StoreOp::create(b, pointerTo(place, vector), all);
      return;
    }
    Value bits = bitsOf(at(store.getValue()));
    if (bytes == 2)
      bits = arith::TruncIOp::create(b, half, bits);
    spirv::StoreOp::create(b, pointerTo(place, bits.getType()), bits);
    return;
  }
  if (isa<VectorType>(type) || place.root == Place::Null || bytes > 4 ||
      (bytes < 4 && place.root == Place::Shared)) {
    store.emitOpError("is of no single number of an array");
    hasFailed = true;
    return;
  }
  Value value = at(store.getValue()), index = indexOf(place, bytes);
  if (bytes == 4) {
    if (type.isF32())
      value = arith::BitcastOp::create(b, b.getI32Type(), value);
    memref::StoreOp::create(b, value, memoryOf(place), ValueRange{asIndex(b, index)});
    return;
  }
  if (isOfHalves(place)) {
    Value half = arith::TruncIOp::create(b, b.getI16Type(), value);
    memref::StoreOp::create(b, half, memoryOf(place), ValueRange{asIndex(b, index)});
    return;
  }
  auto [word, shift] = partOf(b, index, bytes);
  Value mask = i32((1 << 8 * bytes) - 1);
  Value others = arith::XOrIOp::create(b, arith::ShLIOp::create(b, mask, shift), i32(-1));
  Value bits = arith::ShLIOp::create(b, arith::AndIOp::create(b, value, mask), shift);
  Value where = asIndex(b, word);
  memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::andi, others, memoryOf(place), where);
  memref::AtomicRMWOp::create(b, arith::AtomicRMWKind::ori, bits, memoryOf(place), where);
}

void Lowering::lowerRegions(Operation* op) {
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    SmallVector<Value> inits;
    for (Value init : loop.getInitArgs())
      inits.push_back(at(init));
    auto copy = scf::ForOp::create(b, at(loop.getLowerBound()), at(loop.getUpperBound()),
                                   at(loop.getStep()), inits);
    values.map(loop.getBody()->getArguments(), copy.getBody()->getArguments());
    OpBuilder::InsertionGuard guard(b);
    // (Without results a loop has its end already.)
    if (inits.empty())
      copy.getBody()->getTerminator()->erase();
    b.setInsertionPointToEnd(copy.getBody());
    lowerBlock(*loop.getBody());
    values.map(loop.getResults(), copy.getResults());
    return;
  }
  auto branch = cast<scf::IfOp>(op);
  SmallVector<Type> types;
  for (Type type : branch.getResultTypes())
    types.push_back(narrow(type));
  auto copy = scf::IfOp::create(b, types, at(branch.getCondition()), /*addThenBlock=*/true,
                                /*addElseBlock=*/!branch.getElseRegion().empty());
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(&copy.getThenRegion().front());
  lowerBlock(branch.getThenRegion().front());
  if (!branch.getElseRegion().empty()) {
    b.setInsertionPointToEnd(&copy.getElseRegion().front());
    lowerBlock(branch.getElseRegion().front());
  }
  values.map(branch.getResults(), copy.getResults());
}

void Lowering::lowerOp(Operation* op) {
  b.setLoc(op->getLoc());
  // Additions and products may be contracted where the op says so, and else must not be.
  auto lowerReal = [&]<typename Made>(auto real, Made*) {
    auto copy = Made::create(b, real.getType(), at(real.getLhs()), at(real.getRhs()));
    if (!bitEnumContainsAny(real.getFastmath(), arith::FastMathFlags::contract))
      copy->setAttr("no_contraction", b.getUnitAttr());
    values.map(real.getResult(), copy.getResult());
  };
  llvm::TypeSwitch<Operation*>(op)
      .Case([&](LLVM::GEPOp gep) { lowerStep(gep); })
      .Case([&](LLVM::ZeroOp zero) {
        auto type = cast<LLVM::LLVMPointerType>(zero.getType());
        Place place;
        place.root = type.getAddressSpace() == vulkan::sharedSpace ? Place::Shared : Place::Null;
        places[zero.getResult()] = place;
      })
      .Case([&](LLVM::ICmpOp compare) { // Of a pointer with null.
        const Place& place = places.find(compare.getLhs())->second;
        values.map(compare.getResult(), arith::CmpIOp::create(b, arith::CmpIPredicate::ne,
                                                              number(place.parameter), i32(-1)));
      })
      .Case([&](LLVM::LoadOp load) { lowerLoad(load); })
      .Case([&](LLVM::StoreOp store) { lowerStore(store); })
      .Case([&](LLVM::PoisonOp poison) { vectors[poison.getResult()] = {}; })
      .Case([&](LLVM::InsertElementOp insert) {
        // (One after the other, from the first on.)
        SmallVector<Value> parts = vectors.lookup(insert.getVector());
        parts.push_back(at(insert.getValue()));
        vectors[insert.getResult()] = std::move(parts);
      })
      .Case([&](LLVM::ExtractElementOp extract) {
        llvm::APInt position;
        if (!matchPattern(extract.getPosition(), m_ConstantInt(&position))) {
          extract.emitOpError("is of no known element");
          hasFailed = true;
          return;
        }
        values.map(extract.getResult(),
                   vectors.find(extract.getVector())->second[position.getZExtValue()]);
      })
      .Case([&](UnrealizedConversionCastOp cast) { // An address as what matrices are read from.
        auto type = mlir::cast<spirv::PointerType>(cast.getType(0));
        values.map(cast.getResult(0),
                   pointerTo(places.find(cast.getOperand(0))->second, type.getPointeeType()));
      })
      .Case([&](LLVM::FMAOp fma) {
        values.map(fma.getResult(),
                   math::FmaOp::create(b, at(fma.getA()), at(fma.getB()), at(fma.getC())));
      })
      .Case([&](arith::AddFOp real) { lowerReal(real, (spirv::FAddOp*)nullptr); })
      .Case([&](arith::SubFOp real) { lowerReal(real, (spirv::FSubOp*)nullptr); })
      .Case([&](arith::MulFOp real) { lowerReal(real, (spirv::FMulOp*)nullptr); })
      .Case([&](arith::ConstantOp constant) {
        if (auto integer = dyn_cast<IntegerAttr>(constant.getValue());
            integer && narrow(integer.getType()) != integer.getType())
          values.map(constant.getResult(), i32(integer.getValue().getSExtValue()));
        else
          b.clone(*op, values);
      })
      .Case([&](arith::ExtFOp ext) {
        values.map(ext.getResult(), widen(ext.getIn().getType(), at(ext.getIn())));
      })
      .Case([&](arith::TruncFOp trunc) {
        Value in = at(trunc.getIn());
        if (trunc.getType().isF16())
          return values.map(trunc.getResult(), roundHalf(in));
        trunc.emitOpError("is not of an f16");
        hasFailed = true;
      })
      .Case<scf::ForOp, scf::IfOp>([&](Operation* inner) { lowerRegions(inner); })
      .Case([&](func::ReturnOp) { gpu::ReturnOp::create(b); })
      .Default([&](Operation* other) {
        if (isa<arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp>(other)) {
          Value in = at(other->getOperand(0));
          if (in.getType() == narrow(other->getResult(0).getType()))
            return values.map(other->getResult(0), in);
        }
        Operation* copy = b.clone(*other, values);
        // (What is of the spirv dialect is of the right types.)
        if (!isa<spirv::SPIRVDialect>(copy->getDialect()))
          for (Value result : copy->getResults())
            result.setType(narrow(result.getType()));
      });
}

void Lowering::lowerBlock(Block& block) {
  for (Operation& op : block)
    if (!hasFailed)
      lowerOp(&op);
}

FailureOr<gpu::GPUModuleOp> Lowering::run(std::vector<int>& bindings) {
  MLIRContext* context = b.getContext();
  auto storage = spirv::StorageClassAttr::get(context, spirv::StorageClass::StorageBuffer);
  auto words = MemRefType::get(ArrayRef<int64_t>{ShapedType::kDynamic}, b.getI32Type(),
                               MemRefLayoutAttrInterface(), storage);
  unsigned count = function.getNumArguments();
  SmallVector<Type> arguments(1 + count, words);
  for (unsigned half : halves.set_bits())
    arguments[1 + half] = MemRefType::get(ArrayRef<int64_t>{ShapedType::kDynamic}, b.getI16Type(),
                                          MemRefLayoutAttrInterface(), storage);
  auto module = gpu::GPUModuleOp::create(b, (function.getName() + "_module").str());
  b.setInsertionPointToStart(module.getBody());
  made = gpu::GPUFuncOp::create(b, function.getName(), b.getFunctionType(arguments, {}));
  made->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), b.getUnitAttr());
  made->setAttr(spirv::getEntryPointABIAttrName(),
                spirv::getEntryPointABIAttr(context, {int32_t(info.threads), 1, 1}));
  b.setInsertionPointToStart(&made.getBody().front());
  if (info.sharedBytes && !hasViews) {
    auto group = spirv::StorageClassAttr::get(context, spirv::StorageClass::Workgroup);
    shared = memref::AllocOp::create(
        b, MemRefType::get(ArrayRef<int64_t>{int64_t(llvm::divideCeil(info.sharedBytes, 4))},
                           b.getI32Type(), MemRefLayoutAttrInterface(), group));
  }
  for (BlockArgument argument : function.getArguments())
    if (isa<LLVM::LLVMPointerType>(argument.getType())) {
      Place place;
      place.root = Place::Array;
      place.parameter = argument.getArgNumber();
      places[argument] = place;
    } else if (!argument.use_empty()) {
      values.map(argument, number(argument.getArgNumber()));
    }
  lowerBlock(function.front());
  if (hasFailed) {
    module.erase();
    return failure();
  }
  llvm::BitVector unused(1 + count);
  int next = 1;
  bindings.clear();
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    bool isPointer = isa<LLVM::LLVMPointerType>(argument.getType());
    if (made.getArgument(1 + number).use_empty()) {
      unused.set(1 + number);
      bindings.push_back(isPointer ? -1 : 0);
    } else {
      bindings.push_back(next++);
    }
  }
  if (failed(made.eraseArguments(unused)))
    return failure();
  return module;
}

LogicalResult vulkan::lowerAddresses(func::FuncOp function, const simt::KernelInfo& info,
                                     bool hasViews, LoweredKernel& kernel) {
  auto module = Lowering(function, info, kernel.arrays, hasViews).run(kernel.bindings);
  if (failed(module))
    return failure();
  kernel.module = *module;
  return success();
}
