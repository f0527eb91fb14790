// Reads a kernel as a machine would run it, each loop once, in its middle round.
//
// Numbers and addresses are followed, vectors are not: bounds of loops are numbers that depend on
// the arguments and on the loops around. As a number is known with its slopes (Numbers.h), a bound
// that grows with a loop around it (a triangle) counts on average, and an access has a stride in
// each loop.
#include "Loops.h"
#include "Numbers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::cpu;

namespace {

class Reader {
public:
  Reader(const ssmc_kernel_args& args, int64_t arrays) : args(args), numbers(args, arrays) {}
  Loop read(func::FuncOp function);

private:
  void readBlock(Block& block, Loop& loop);
  void readLoop(scf::ForOp op, Loop& outer);
  void readIf(scf::IfOp op, Loop& loop);
  void readData(Operation* op, Value address, Type type, bool stores, Loop& loop);
  /// Bytes that are read or written from so far behind an address on.
  void addAccess(Value address, int64_t offset, int64_t bytes, Loop& loop);
  void readLoad(LLVM::LoadOp load, Loop& loop);
  void readStore(LLVM::StoreOp store, Loop& loop);
  void readArithmetic(Operation* op, Loop& loop);
  void readIntrinsic(LLVM::CallIntrinsicOp call, Loop& loop);
  double chainOf(Operation* op, double steps);

  const ssmc_kernel_args& args;
  Numbers numbers;
  /// Values of the body that wait for the round before, and for how many sums and products.
  DenseMap<Value, double> waits;
};

} // namespace

//===-- Memory -------------------------------------------------------------------------------===//

void Reader::readData(Operation* op, Value address, Type type, bool stores, Loop& loop) {
  auto vector = dyn_cast<VectorType>(type);
  int64_t bits = getElementTypeOrSelf(type).getIntOrFloatBitWidth();
  if (vector)
    ++(stores ? loop.body.stores : loop.body.loads);
  else
    ++(stores ? loop.body.scalarStores : loop.body.scalarLoads);
  addAccess(address, 0, std::max<int64_t>(1, bits / 8) * (vector ? vector.getNumElements() : 1),
            loop);
}

void Reader::addAccess(Value address, int64_t offset, int64_t bytes, Loop& loop) {
  std::optional<Number> place = numbers.find(address);
  if (!place)
    return;
  Access& access = loop.accesses.emplace_back();
  access.address = place->value + offset;
  access.slopes.assign(place->slopes.begin(), place->slopes.end());
  access.slopes.resize(loop.depth + 1, 0);
  access.bytes = bytes;
}

void Reader::readLoad(LLVM::LoadOp load, Loop& loop) {
  Type type = load.getType();
  bool isNumber = type.isInteger(64) || isa<LLVM::LLVMPointerType>(type);
  if (!isNumber)
    return readData(load, load.getAddr(), type, /*stores=*/false, loop);
  numbers.load(load);
}

void Reader::readStore(LLVM::StoreOp store, Loop& loop) {
  Type type = store.getValue().getType();
  if (!type.isInteger(64))
    return readData(store, store.getAddr(), type, /*stores=*/true, loop);
  numbers.store(store);
}

//===-- Arithmetic ---------------------------------------------------------------------------===//

/// Notes how long a result waits for the round before; of a product that a sum takes up, only the
/// sum counts.
double Reader::chainOf(Operation* op, double steps) {
  double longest = -1;
  for (Value operand : op->getOperands())
    if (auto found = waits.find(operand); found != waits.end())
      longest = std::max(longest, found->second);
  if (longest >= 0)
    for (Value result : op->getResults())
      waits[result] = longest + steps;
  return longest;
}

static bool canBeTakenUp(Value value) {
  auto product = value.getDefiningOp<arith::MulFOp>();
  return product && product->hasOneUse() &&
         bitEnumContainsAny(product.getFastmath(), arith::FastMathFlags::contract);
}

/// The product that a sum takes up as a multiply-add; of two only one.
static Value takenUpBy(Operation* sum) {
  if (!isa<arith::AddFOp, arith::SubFOp>(sum))
    return {};
  auto found = llvm::find_if(sum->getOperands(), canBeTakenUp);
  return found == sum->operand_end() ? Value() : *found;
}

static bool isTakenUp(Value product) {
  return canBeTakenUp(product) && takenUpBy(*product.user_begin()) == product;
}

void Reader::readArithmetic(Operation* op, Loop& loop) {
  if (op->getNumResults() != 1)
    return;
  Type type = op->getResult(0).getType();
  auto vector = dyn_cast<VectorType>(type);
  if (isa<vector::ReductionOp>(op) && !vector)
    vector = cast<VectorType>(op->getOperand(0).getType());
  double lanes = vector ? double(vector.getNumElements()) : 1;
  Instructions& body = loop.body;
  auto count = [&](double& vectors, double operations) {
    ++(vector ? vectors : body.scalars);
    body.operations += operations * lanes;
  };
  if (op->hasAttr("function"))
    body.functions += lanes;
  if (isa<arith::ConstantOp, arith::BitcastOp, LLVM::GEPOp>(op))
    return (void)chainOf(op, 0);
  if (auto broadcast = dyn_cast<vector::BroadcastOp>(op)) {
    // A number just read goes to all lanes as it is read.
    Operation* source = broadcast.getSource().getDefiningOp();
    if (!source || !isa<LLVM::LoadOp, arith::ConstantOp>(source))
      ++body.shuffles;
    return (void)chainOf(op, 0);
  }
  if (isa<vector::ShuffleOp, vector::InsertOp, vector::ExtractOp>(op)) {
    ++body.shuffles;
    return (void)chainOf(op, 1);
  }
  if (isa<vector::ReductionOp>(op)) {
    body.shuffles += 4;
    body.sums += 4;
    body.operations += lanes;
    return (void)chainOf(op, 8);
  }
  if (auto product = dyn_cast<arith::MulFOp>(op)) {
    bool taken = isTakenUp(product);
    body.operations += lanes;
    if (!taken)
      ++(vector ? body.multiplyAdds : body.scalars);
    return (void)chainOf(op, taken ? 0 : 1);
  }
  if (isa<arith::AddFOp, arith::SubFOp>(op)) {
    count(takenUpBy(op) ? body.multiplyAdds : body.sums, 1);
    return (void)chainOf(op, 1);
  }
  if (isa<arith::DivFOp, math::SqrtOp>(op)) {
    if (vector)
      ++body.divisions;
    else
      body.scalars += 4;
    body.operations += lanes;
    return (void)chainOf(op, 3);
  }
  if (isa<LLVM::PowOp>(op)) {
    ++body.calls;
    return (void)chainOf(op, 20);
  }
  if (isa<arith::CmpFOp, arith::SelectOp, arith::MaximumFOp, arith::MinimumFOp, arith::NegFOp,
          math::AbsFOp>(op) ||
      vector || isa<FloatType>(type)) {
    bool isReal = isa<FloatType>(getElementTypeOrSelf(type)) || isa<arith::CmpFOp>(op);
    // The target has no instruction for a maximum that hands NaN through.
    double steps = isa<arith::MaximumFOp, arith::MinimumFOp>(op) ? 3 : 1;
    for (double i = 0; i < steps; ++i)
      count(body.sums, isReal && i == 0);
    return (void)chainOf(op, steps * 0.5);
  }
}

/// Products of bf16 and the tiles that they read and write, by the names of LLVM's intrinsics.
void Reader::readIntrinsic(LLVM::CallIntrinsicOp call, Loop& loop) {
  constexpr double tileRows = 16; // each a vector of 64 bytes
  StringRef name = call.getIntrin();
  Instructions& body = loop.body;
  auto multiplyAdd = [&](double count) {
    body.bf16MultiplyAdds += count;
    body.operations += 2 * count;
  };
  double steps = 1;
  if (name.contains(".dpbf16ps.")) {
    multiplyAdd(2 * double(cast<VectorType>(call.getType(0)).getNumElements()));
  } else if (name.contains(".tdpbf16ps.")) {
    multiplyAdd(tileRows * 16 * 32);
    steps = 4;
  } else if (name.contains(".tileload") || name.contains(".tilestore")) {
    (name.contains(".tileload") ? body.loads : body.stores) += tileRows;
    // (Rows and bytes of a row, then where it begins and how far its rows lie apart.)
    std::optional<Number> stride = numbers.find(call.getArgs()[3]);
    for (int64_t row = 0; stride && row < int64_t(tileRows); ++row)
      addAccess(call.getArgs()[2], row * stride->value, 64, loop);
  } else {
    ++body.sums;
  }
  (void)chainOf(call, steps);
}

//===-- Loops --------------------------------------------------------------------------------===//

void Reader::readLoop(scf::ForOp op, Loop& outer) {
  std::optional<Number> lower = numbers.find(op.getLowerBound()),
                        upper = numbers.find(op.getUpperBound()), step = numbers.find(op.getStep());
  Loop loop;
  loop.depth = outer.depth + 1;
  Number index;
  if (lower && upper && step && step->value > 0) {
    if (upper->value <= lower->value)
      return;
    // Bounds that loops around move are worth their average, a fraction of a step included.
    bool moves = llvm::any_of(upper->slopes, [](double slope) { return slope != 0; });
    double span = double(upper->value - lower->value) / double(step->value);
    loop.rounds = moves ? span : std::ceil(span);
    index = *lower;
    index.value += int64_t(double(step->value) * std::max(0.0, loop.rounds - 1) / 2);
  }
  index.slopes.resize(loop.depth + 1, 0);
  index.slopes[loop.depth] = step ? double(step->value) : 1;
  numbers.set(op.getInductionVar(), index);
  auto saved = std::exchange(waits, DenseMap<Value, double>());
  for (Value carried : op.getRegionIterArgs())
    waits[carried] = 0;
  readBlock(*op.getBody(), loop);
  for (Value next : op.getBody()->getTerminator()->getOperands())
    if (auto found = waits.find(next); found != waits.end())
      loop.chain = std::max(loop.chain, found->second);
  waits = std::move(saved);
  outer.inner.push_back(std::make_unique<Loop>(std::move(loop)));
}

/// Of two ways the one that is taken; where that is not known, the first.
void Reader::readIf(scf::IfOp op, Loop& loop) {
  std::optional<Number> condition = numbers.find(op.getCondition());
  if (!condition || condition->value)
    readBlock(op.getThenRegion().front(), loop);
  else if (!op.getElseRegion().empty())
    readBlock(op.getElseRegion().front(), loop);
}

void Reader::readBlock(Block& block, Loop& loop) {
  for (Operation& op : block)
    llvm::TypeSwitch<Operation*>(&op)
        .Case([&](scf::ForOp inner) { readLoop(inner, loop); })
        .Case([&](scf::IfOp branch) { readIf(branch, loop); })
        .Case([&](LLVM::LoadOp load) { readLoad(load, loop); })
        .Case([&](LLVM::StoreOp store) { readStore(store, loop); })
        .Case([&](LLVM::MaskedLoadOp load) {
          readData(load, load.getData(), load.getResult().getType(), false, loop);
        })
        .Case([&](LLVM::MaskedStoreOp store) {
          readData(store, store.getData(), store.getValue().getType(), true, loop);
        })
        .Case([&](LLVM::Prefetch) { ++loop.body.scalarLoads; })
        .Case([&](LLVM::CallIntrinsicOp call) { readIntrinsic(call, loop); })
        .Default([&](Operation* other) {
          if (!numbers.evaluate(other))
            readArithmetic(other, loop);
        });
}

Loop Reader::read(func::FuncOp function) {
  Block& entry = function.getBody().front();
  int64_t arguments[] = {reinterpret_cast<int64_t>(&args), 0, args.batch * args.heads,
                         int64_t(1) << 50};
  for (auto [argument, value] : llvm::zip(entry.getArguments(), arguments))
    numbers.set(argument, {value, {}});
  Loop kernel;
  readBlock(entry, kernel);
  return kernel;
}

Loop ssmc::cpu::readLoops(func::FuncOp function, const ssmc_kernel_args& args, int64_t arrays) {
  return Reader(args, arrays).read(function);
}
