// The machine descriptions, by features.
#include "ssmc/Target/CPUMachine.h"

using namespace ssmc::cpu;

/// Vectors of 128 bits without multiply-adds of their own (x86-64), or with them (AArch64).
static Machine narrow() {
  Machine machine;
  machine.multiplyAdds = 2;
  machine.pointwise = 3;
  machine.shuffles = 2;
  machine.loads = machine.scalarLoads = 2;
  machine.stores = machine.scalarStores = 1;
  machine.divisionCycles = 4;
  machine.l1 = {32 << 10, 32};
  machine.l2 = {1 << 20, 8};
  return machine;
}

Machine Machine::of(const TargetSpec& target) {
  Machine machine = narrow();
  machine.lanes = target.lanes();
  if (!target.isX86())
    return machine;
  if (target.has("avx512f")) {
    // One unit of 512 bits for products and one for sums, as machines with two halves have it.
    machine.multiplyAdds = 1;
    machine.pointwise = 2;
    machine.shuffles = 1;
    machine.loads = 1;
    machine.stores = 0.5;
    machine.divisionCycles = 10;
  } else if (target.has("avx2")) {
    machine.divisionCycles = 6;
  }
  // Two products for each number of a vector; a tile of 16 by 16 by 32 in 16 cycles.
  if (target.hasPairVectors())
    machine.bf16MultiplyAdds = 32 * machine.multiplyAdds;
  if (target.hasPairTiles())
    machine.bf16MultiplyAdds = 512;
  return machine;
}
