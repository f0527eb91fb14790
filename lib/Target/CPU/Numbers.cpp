// Arithmetic on integers and addresses, with the slopes of the results.
#include "Numbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cstring>

using namespace mlir;
using namespace ssmc::cpu;

std::optional<Number> Numbers::find(Value value) const {
  auto found = numbers.find(value);
  return found == numbers.end() ? std::nullopt : std::optional(found->second);
}

char* Numbers::argumentAt(int64_t address) const {
  auto in = [&](const void* begin, int64_t bytes) {
    int64_t first = reinterpret_cast<int64_t>(begin);
    return address >= first && address < first + bytes;
  };
  bool known =
      in(&args, sizeof(args)) || in(args.operands, arrays * 8) || in(args.strides, arrays * 4 * 8);
  for (const auto& local : locals)
    known |= in(local.get(), 64 * 8);
  return known ? reinterpret_cast<char*>(address) : nullptr;
}

void Numbers::load(LLVM::LoadOp load) {
  if (std::optional<Number> address = find(load.getAddr()))
    if (const char* place = argumentAt(address->value)) {
      Number number;
      std::memcpy(&number.value, place, 8);
      numbers[load.getResult()] = number;
    }
}

void Numbers::store(LLVM::StoreOp store) {
  std::optional<Number> address = find(store.getAddr()), value = find(store.getValue());
  if (address && value)
    if (char* place = argumentAt(address->value))
      std::memcpy(place, &value->value, 8);
}

static Number combine(const Number& a, double scaleA, const Number& b, double scaleB,
                      int64_t value) {
  Number result{value, {}};
  result.slopes.resize(std::max(a.slopes.size(), b.slopes.size()), 0);
  for (size_t i = 0; i < a.slopes.size(); ++i)
    result.slopes[i] += scaleA * a.slopes[i];
  for (size_t i = 0; i < b.slopes.size(); ++i)
    result.slopes[i] += scaleB * b.slopes[i];
  return result;
}

bool Numbers::evaluateAddress(LLVM::GEPOp gep) {
  std::optional<Number> base = find(gep.getBase());
  if (!base || gep.getIndices().size() != 1)
    return false;
  double unit = isa<LLVM::LLVMPointerType>(gep.getElemType())
                    ? 8
                    : double(gep.getElemType().getIntOrFloatBitWidth()) / 8;
  auto index = gep.getIndices()[0];
  std::optional<Number> offset;
  if (auto constant = dyn_cast<IntegerAttr>(index))
    offset = Number{constant.getInt(), {}};
  else
    offset = find(cast<Value>(index));
  if (!offset)
    return false;
  numbers[gep.getResult()] =
      combine(*base, 1, *offset, unit, base->value + int64_t(unit) * offset->value);
  return true;
}

bool Numbers::evaluate(Operation* op) {
  if (op->getNumResults() != 1)
    return false;
  Value result = op->getResult(0);
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto integer = dyn_cast<IntegerAttr>(constant.getValue());
    if (integer)
      numbers[result] = {integer.getValue().getSExtValue(), {}};
    return integer != nullptr;
  }
  if (isa<LLVM::ZeroOp>(op)) {
    numbers[result] = {};
    return true;
  }
  if (auto alloca = dyn_cast<LLVM::AllocaOp>(op)) {
    locals.push_back(std::make_unique<int64_t[]>(64));
    numbers[result] = {reinterpret_cast<int64_t>(locals.back().get()), {}};
    return true;
  }
  if (auto gep = dyn_cast<LLVM::GEPOp>(op))
    return evaluateAddress(gep);
  SmallVector<Number> x;
  for (Value operand : op->getOperands()) {
    if (isa<VectorType, FloatType>(operand.getType()))
      return false;
    std::optional<Number> number = find(operand);
    if (!number)
      return false;
    x.push_back(*number);
  }
  if (x.size() < 2)
    return false;
  int64_t a = x[0].value, b = x[1].value;
  std::optional<Number> number =
      llvm::TypeSwitch<Operation*, std::optional<Number>>(op)
          .Case([&](arith::AddIOp) { return combine(x[0], 1, x[1], 1, a + b); })
          .Case([&](arith::SubIOp) { return combine(x[0], 1, x[1], -1, a - b); })
          .Case([&](arith::MulIOp) { return combine(x[0], double(b), x[1], double(a), a * b); })
          .Case(
              [&](arith::ShLIOp) { return combine(x[0], double(int64_t(1) << b), {}, 0, a << b); })
          .Case<arith::DivSIOp, arith::DivUIOp, arith::CeilDivSIOp>([&](auto division) {
            if (b == 0)
              return Number{};
            bool up = isa<arith::CeilDivSIOp>(division);
            return combine(x[0], 1 / double(b), {}, 0, up ? (a + b - 1) / b : a / b);
          })
          .Case([&](arith::RemUIOp) { return combine(x[0], 1, {}, 0, b ? a % b : 0); })
          .Case([&](arith::AndIOp) { return combine(x[0], 1, {}, 0, a & b); })
          .Case([&](arith::MinSIOp) { return a < b ? x[0] : x[1]; })
          .Case([&](arith::MaxSIOp) { return a > b ? x[0] : x[1]; })
          .Case([&](arith::SelectOp) { return a ? x[1] : x[2]; })
          .Case([&](arith::CmpIOp compare) {
            APInt left(64, uint64_t(a), true), right(64, uint64_t(b), true);
            return Number{arith::applyCmpPredicate(compare.getPredicate(), left, right), {}};
          })
          .Case([&](LLVM::ICmpOp compare) {
            bool same = a == b;
            return Number{compare.getPredicate() == LLVM::ICmpPredicate::eq ? same : !same, {}};
          })
          .Default([](Operation*) { return std::nullopt; });
  if (!number)
    return false;
  numbers[result] = *number;
  return true;
}
