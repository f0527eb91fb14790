// Two warps for sixteen columns (EmitColumns.cpp), where one for each would leave half of the units
// that multiply without work.
//
// Each has half of the positions of the states' other labels, and so half of what carries states
// on:
//
//   X[column, y] = sum over x of W[column, x] M[y, x]     x a step, y shared: each makes its half
//                                                         x shared, y a step: each has a part
//
// What is made of steps alone both make. Parts go through shared memory: each writes its own, meets
// the other, and adds what that has written. All that is a product with the states a chunk begins
// with goes at once.
#include "lib/Target/SIMT/ColumnEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Units of a processor that multiply, each for a warp at a time; warps of a block that share.
static constexpr int64_t unitsOfProcessor = 4, mostPairs = 6;

/// The labels that states bear beside columns, if warps can have parts of them.
static std::optional<llvm::StringSet<>> sharedLabels(tile::KernelOp kernel) {
  tile::SequenceOp sequence = *kernel.getBlock()->getOps<tile::SequenceOp>().begin();
  StringRef column = *kernel.getColumns();
  llvm::StringSet<> shared;
  for (Value init : sequence.getInits())
    for (ssm::AxisAttr axis : arrayType(init).getAxes())
      if (axis.getName() != column) {
        if (axis.getSize() % (2 * columnsOfWarp))
          return {};
        shared.insert(axis.getName());
      }
  auto isShared = [&](StringRef label) { return shared.contains(label); };
  auto steps = tile::namesOfSteps(sequence);
  if (llvm::any_of(steps, [&](auto& step) { return isShared(step.first); }))
    return {};
  for (Operation& op : *sequence.getBlock()) {
    if (auto relabel = dyn_cast<ssm::RelabelOp>(&op))
      for (ArrayAttr names : {relabel.getFrom(), relabel.getTo()})
        if (llvm::any_of(ssm::strings(names), isShared))
          return {};
    // (A sum over shared positions that has others would be a part of each.)
    if (auto sum = dyn_cast<ssm::SumOp>(&op);
        sum && llvm::any_of(ssm::strings(sum.getOver()), isShared))
      for (ssm::AxisAttr axis : arrayType(sum.getResult()).getAxes())
        if (isShared(axis.getName()))
          return {};
  }
  if (shared.empty())
    return {};
  return shared;
}

/// Elements of a row of a panel, at most.
static constexpr int64_t elementsOfPanel = 64;
/// Steps of a chunk below which the left sides that a group brings along, 64 x 16 each time, take
/// it longer than the products.
static constexpr int64_t fewestSteps = 32;

bool simt::takesGroups(tile::KernelOp kernel, int64_t columns, const Machine& machine) {
  tile::SequenceOp sequence = *kernel.getBlock()->getOps<tile::SequenceOp>().begin();
  // (Where states are written chunk by chunk, writing takes the time, and half as many processors
  // write.)
  bool writesStates =
      llvm::any_of(sequence.getBlock()->getOps<tile::StoreOp>(),
                   [](tile::StoreOp store) { return isa<BlockArgument>(store.getValue()); });
  // (Rows of matrices are whole panels of the widest kind but for those of steps: only such have
  // been tried.)
  auto steps = tile::namesOfSteps(sequence);
  auto hasRows = [&](tile::LoadOp load) {
    tile::OperandAttr operand = kernel.getOperandAt(kernel.findLoaded(load.getName()));
    if (arrayType(load.getResult()).has(*kernel.getColumns()) || operand.getAxes().empty())
      return true;
    ssm::AxisAttr across = operand.getAxes().back();
    bool isOfSteps =
        llvm::any_of(steps, [&](auto& step) { return step.first == across.getName(); });
    return isOfSteps || across.getSize() % elementsOfPanel == 0;
  };
  return machine.hasGroups() && columns % columnsOfGroup == 0 &&
         sequence.getTileSize() >= fewestSteps && !writesStates &&
         llvm::all_of(sequence.getBlock()->getOps<tile::LoadOp>(), hasRows);
}

std::vector<Columns> simt::columnsOf(tile::KernelOp kernel, const Slice& slice,
                                     const Machine& machine, const Limits& limits) {
  Columns alone;
  alone.warps = slice.size / columnsOfWarp;
  std::vector<Columns> ways;
  if (!machine.hasPairs()) {
    // (More warps hold less each of what is brought in.)
    alone.copiers = std::max<int64_t>(limits.threads / machine.lanes() - alone.warps, 0);
    return {alone};
  }
  if (takesGroups(kernel, slice.size, machine)) {
    ways.push_back(alone);
    ways.back().inGroups = true;
    // (A block that has a processor waits for what is copied.)
    if (limits.items && limits.items * slice.parts <= limits.processors)
      ways.back().copiers = 4;
  }
  int64_t warps = limits.items * slice.parts * alone.warps;
  if (limits.items && 2 * warps <= limits.processors * unitsOfProcessor && alone.warps <= mostPairs)
    if (auto shared = sharedLabels(kernel)) {
      Columns both = alone;
      both.warps *= 2;
      both.sharers = 2;
      both.shared = std::move(*shared);
      ways.push_back(std::move(both));
    }
  ways.push_back(std::move(alone));
  return ways;
}

bool ColumnEmitter::isPart(ssm::SumOp sum) {
  for (ssm::AxisAttr axis : arrayType(sum.getOperand()).getAxes())
    if (llvm::is_contained(ssm::strings(sum.getOver()), axis.getName()) && isShared(axis))
      return true;
  return false;
}

void ColumnEmitter::planExchange() {
  int64_t elements = 0;
  for (auto sum : sequence.getBlock()->getOps<ssm::SumOp>())
    if (bears(sum.getResult()) && isPart(sum))
      elements += sizeOf(otherAxis(sum.getResult()));
  int64_t warpSize = 32;
  exchangeBytes = elements * warpSize * 4;
  ssm::AxisAttr axis = axisOf(b, "exchanged", 2 * e.columns.warps * elements * warpSize);
  exchanged = e.makeBuffer(ssm::ArrayType::get(b.getContext(), {axis}, b.getF32Type()));
}

void ColumnEmitter::meetSharers() {
  Value meeting = arith::AddIOp::create(b, warp, e.i32(areAddedUp));
  e.machine.meet(b, meeting, 32 * sharers);
}

void ColumnEmitter::meetAgain() {
  if (exchanges % 2)
    meetSharers();
}

void ColumnEmitter::addUp(MutableArrayRef<Fragment> parts) {
  constexpr int64_t warpSize = 32, vectorSize = 4;
  Value lane = arith::RemUIOp::create(b, e.thread, e.i32(warpSize));
  Value number = arith::DivUIOp::create(b, e.thread, e.i32(warpSize));
  // Two places take turns: who writes to one again has met its reader in between.
  int64_t turn = exchanges++ % 2 * e.columns.warps * exchangeBytes;
  auto placeOf = [&](Value owner) {
    Value at = arith::MulIOp::create(b, owner, e.i32(exchangeBytes));
    at = arith::AddIOp::create(b, at, arith::MulIOp::create(b, lane, e.i32(vectorSize * 4)));
    return e.gep(exchanged.base, b.getI8Type(), arith::AddIOp::create(b, at, e.i32(turn)));
  };
  e.touch(exchanged);
  Type vector = VectorType::get(vectorSize, b.getF32Type());
  Value mine = placeOf(number), theirs = placeOf(arith::XOrIOp::create(b, number, e.i32(1)));
  int64_t apart = warpSize * vectorSize * 4, written = 0, read = 0;
  for (Fragment& part : parts)
    for (size_t i = 0; i < part.elements.size(); i += vectorSize) {
      Value four = e.vectorOf(ArrayRef(part.elements).slice(i, vectorSize));
      LLVM::StoreOp::create(b, four, e.gep(mine, b.getI8Type(), e.i32(apart * written++)), 16);
    }
  meetSharers();
  for (Fragment& part : parts)
    for (size_t i = 0; i < part.elements.size(); i += vectorSize) {
      Value four =
          LLVM::LoadOp::create(b, vector, e.gep(theirs, b.getI8Type(), e.i32(apart * read++)), 16);
      for (int64_t j = 0; j < vectorSize; ++j) {
        Value& element = part.elements[i + j];
        // (Addition commutes: both have the same bits.)
        Value other = LLVM::ExtractElementOp::create(b, four, e.i32(j));
        element = arith::AddFOp::create(b, element, other);
      }
    }
}

void ColumnEmitter::addUpFirst() {
  if (sharers == 1)
    return;
  SmallVector<ssm::SumOp> sums;
  std::vector<Fragment> parts;
  for (auto sum : sequence.getBlock()->getOps<ssm::SumOp>()) {
    auto mul = sum.getOperand().getDefiningOp<ssm::MulOp>();
    if (!mul || !bears(sum.getResult()) || !isPart(sum))
      continue;
    Value side = bears(mul.getLhs()) ? mul.getLhs() : mul.getRhs();
    if (!isa<BlockArgument>(side))
      continue;
    sums.push_back(sum);
    parts.push_back(multiply(sum, nullptr));
  }
  if (sums.empty())
    return;
  addUp(parts);
  for (auto [sum, part] : llvm::zip(sums, parts))
    fragments[sum.getResult()] = std::move(part);
}
