// The machine descriptions, by features. bench/cpu/README.md says how they were measured.
#include "ssmc/Target/CPUMachine.h"

using namespace ssmc::cpu;

/// Vectors of 128 bits, a product and a sum at a time.
static Machine narrow() {
  Machine machine;
  machine.multiplyAdds = 1;
  machine.pointwise = 2;
  machine.shuffles = 2;
  machine.loads = machine.scalarLoads = 2;
  machine.stores = machine.scalarStores = 1;
  machine.divisionCycles = 4;
  machine.l1 = {32 << 10, 32};
  machine.l2 = {1 << 20, 16};
  return machine;
}

/// Vectors of 128 or 256 bits with multiply-adds.
static Machine middle() {
  Machine machine = narrow();
  machine.multiplyAdds = 2;
  machine.pointwise = 3;
  machine.divisionCycles = 6;
  machine.l1.bytesPerCycle = 48;
  machine.l2.bytesPerCycle = 32;
  return machine;
}

/// Vectors of 512 bits: one unit for products and one for sums, as machines with two halves have
/// it. Their L1 is of 32 or 48 KiB.
static Machine wide() {
  Machine machine = middle();
  machine.multiplyAdds = 1;
  machine.pointwise = 2;
  machine.shuffles = 1;
  machine.loads = 1;
  machine.stores = 0.5;
  machine.scalarLoads = 2.5;
  machine.divisionCycles = 10;
  machine.l1 = {40 << 10, 64};
  machine.l2 = {2 << 20, 40};
  return machine;
}

Machine Machine::of(const TargetSpec& target) {
  bool multiplyAdds = !target.isX86() || target.has("fma");
  Machine machine = target.lanes() == 16 ? wide() : multiplyAdds ? middle() : narrow();
  machine.lanes = target.lanes();
  // Two products for each number of a vector.
  if (target.hasPairVectors())
    machine.bf16MultiplyAdds = 32 * machine.multiplyAdds;
  // A tile of 16 by 16 by 32 takes 16 cycles alone. Measured are 68 in kernels, whose tiles come
  // from the second-level cache and whose sums go through memory. Machines with tiles have whole
  // units for vectors, two of them.
  if (target.hasPairTiles()) {
    machine.bf16MultiplyAdds = 120;
    machine.multiplyAdds = 2;
    machine.loads = 2;
    machine.stores = 1;
  }
  return machine;
}
