// Cycles of a kernel: what each loop's body keeps busy most, and what moves between the levels of
// the memory.
#include "Loops.h"
#include "Traffic.h"
#include "ssmc/Target/CPUCost.h"

#include "dialects/Tile/Tile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace mlir;
using namespace ssmc;
using namespace ssmc::cpu;

Cost& Cost::operator+=(const Cost& other) {
  operations += other.operations;
  functions += other.functions;
  nearBytes += other.nearBytes;
  farBytes += other.farBytes;
  cycles += other.cycles;
  return *this;
}

/// Cycles of a body, were everything in it independent: those of the unit that is busiest.
static double bodyCycles(const Instructions& body, const Machine& machine) {
  double vectors = body.multiplyAdds + body.sums;
  double all = vectors + body.divisions + body.shuffles + body.loads + body.stores +
               body.scalarLoads + body.scalarStores + body.scalars;
  double products = body.bf16MultiplyAdds / std::max(machine.bf16MultiplyAdds, 1.0);
  double units[] = {body.multiplyAdds / machine.multiplyAdds + products,
                    vectors / machine.pointwise + body.divisions * machine.divisionCycles,
                    body.shuffles / machine.shuffles,
                    body.loads / machine.loads + body.scalarLoads / machine.scalarLoads,
                    body.stores / machine.stores + body.scalarStores / machine.scalarStores,
                    all / machine.instructions};
  double sum = 0;
  for (double unit : units)
    sum += std::pow(unit, machine.evenness);
  return std::pow(sum, 1 / machine.evenness) + body.calls * 40;
}

static Cost costOf(const Loop& loop, const Machine& machine) {
  Cost cost;
  cost.cycles = bodyCycles(loop.body, machine);
  cost.operations = loop.body.operations;
  cost.functions = loop.body.functions;
  for (const auto& inner : loop.inner)
    cost += costOf(*inner, machine);
  cost.cycles = std::max(cost.cycles, loop.chain * machine.latency) + machine.loopCycles;
  cost.operations *= loop.rounds;
  cost.functions *= loop.rounds;
  cost.cycles = cost.cycles * loop.rounds + machine.loopStart;
  return cost;
}

//===-- The call -----------------------------------------------------------------------------===//

namespace {
/// The arguments of a call that touches no data: operands are numbers far apart.
struct Call {
  bool isOfGroups = false;
  std::vector<void*> operands;
  std::vector<int64_t> strides;

  void add(tile::OperandAttr operand, const CallSizes& sizes, int64_t tile) {
    // Not all at the same place of a page, as arrays of an allocator are not either.
    int64_t number = int64_t(operands.size()) + 1;
    operands.push_back(reinterpret_cast<void*>((number << 40) + number * 4416));
    int64_t inner = 1;
    for (ssm::AxisAttr axis : operand.getAxes())
      inner *= axis.getSize();
    int64_t sharers = operand.getScope() == ssm::Scope::Head    ? sizes.heads
                      : operand.getScope() == ssm::Scope::Group ? sizes.groups
                                                                : 1;
    int64_t step = inner * sharers, columns = sizes.time[1];
    int64_t rows =
        operand.getRole() == tile::Role::ChunkTemp ? sizes.time[0] / tile + 1 : sizes.time[0];
    bool timed = operand.getRole() != tile::Role::Param &&
                 operand.getRole() != tile::Role::StateIn &&
                 operand.getRole() != tile::Role::StateOut;
    int64_t row = timed ? step * columns : 0;
    strides.insert(strides.end(), {timed ? row * rows : step, row, timed && columns > 1 ? step : 0,
                                   operand.getScope() == ssm::Scope::Shared ? 0 : inner});
  }
};
} // namespace

std::optional<Cost> ssmc::cpu::predict(ModuleOp module, const TargetSpec& target,
                                       const Machine& machine, const CallSizes& sizes) {
  std::map<std::string, Call> calls;
  for (auto kernel : module.getOps<tile::KernelOp>()) {
    int64_t tile = 1;
    kernel.walk([&](tile::SequenceOp sequence) { tile = sequence.getTileSize(); });
    Call& call = calls[kernel.getSymName().str()];
    call.isOfGroups = tile::isOfGroups(kernel);
    for (auto operand : kernel.getOperandsAttr().getAsRange<tile::OperandAttr>())
      if (operand.getRole() != tile::Role::Row)
        call.add(operand, sizes, tile);
  }
  PassManager manager(module.getContext());
  // What is chosen is lowered once more, and verified then.
  manager.enableVerifier(false);
  buildLoopPipeline(manager, target);
  if (failed(manager.run(module)))
    return std::nullopt;
  Cost sum;
  for (auto function : module.getOps<func::FuncOp>()) {
    auto found = calls.find(function.getSymName().str());
    if (found == calls.end())
      continue; // How much workspace a kernel needs, which is asked once.
    Call& call = found->second;
    ssmc_kernel_args args = {1,
                             call.isOfGroups ? sizes.groups : sizes.heads,
                             sizes.groups,
                             {sizes.time[0], sizes.time[1]},
                             call.operands.data(),
                             call.strides.data(),
                             nullptr};
    Loop kernel = readLoops(function, args, int64_t(call.operands.size()));
    Cost cost = costOf(kernel, machine);
    cost.nearBytes = trafficOf(kernel, machine.l1.bytes);
    cost.farBytes = trafficOf(kernel, machine.l2.bytes);
    double moving =
        cost.nearBytes / machine.l1.bytesPerCycle + cost.farBytes / machine.l2.bytesPerCycle;
    cost.cycles += moving - machine.hidden * std::min(moving, cost.cycles) + machine.kernelCycles;
    sum += cost;
  }
  return sum;
}
