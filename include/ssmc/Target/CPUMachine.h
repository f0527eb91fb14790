/// What a CPU does in a cycle: the constants of the cost model, one set for each width of vectors.
///
/// Nothing is a time: what takes fewer cycles is faster at any clock. They follow from a target's
/// features alone, so that code for one machine is the same wherever it is compiled.
/// bench/cpu/README.md says how each was measured; a constant that is off costs speed on some
/// shapes, never correctness.
#pragma once

#include "ssmc/Target/CPU.h"

namespace ssmc::cpu {

/// A level of the memory.
struct Cache {
  double bytes = 0;         ///< what one core can keep there
  double bytesPerCycle = 0; ///< what moves from there to the level above
};

/// Rates are in instructions on whole vectors a cycle, of one core.
struct Machine {
  int64_t lanes = 4; ///< f32 in a vector

  double multiplyAdds = 1; ///< f32 multiply-adds and products
  double pointwise = 2;    ///< all arithmetic on vectors, multiply-adds included
  double shuffles = 1;     ///< permutations, insertions and extractions of lanes
  double loads = 1, stores = 0.5;
  double scalarLoads = 2, scalarStores = 1; ///< of one element; a load may go to all lanes
  double instructions = 6;                  ///< of any kind
  double divisionCycles = 8;                ///< of a vector: quotients and square roots
  double latency = 4;                       ///< cycles until a sum or product can be used
  /// bf16 multiply-adds of single elements, accumulated in f32; 0: there are no such instructions.
  double bf16MultiplyAdds = 0;

  /// How well units work side by side: the cycles of a body are the norm of this order of its
  /// units' cycles.
  double evenness = 4.5;

  double loopCycles = 1.3;     ///< of each round of a loop, besides its body
  double loopStart = 8;        ///< of entering and leaving a loop
  double kernelCycles = 1.5e3; ///< of starting a kernel on all threads

  Cache l1, l2; ///< rates: from L2 to L1, from memory to L2
  /// The part of the shorter of computing and moving data that passes while the longer is under
  /// way.
  double hidden = 0.5;

  /// The description of a target: by the width of its vectors and the kinds of its products.
  static Machine of(const TargetSpec& target);
};

} // namespace ssmc::cpu
