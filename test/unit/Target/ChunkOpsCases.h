/// The ops over the steps of a chunk, and loops in f64 that say what each of them means.
#pragma once

#include "CPUKernelHarness.h"

namespace ssmc::test {

/// Steps of a chunk in all of the cases: no multiple of the rows that a target takes at once.
inline constexpr int64_t chunkSteps = 20;

/// A kernel whose body is one kind of op, and what is right.
struct ChunkCase {
  std::string name;
  std::string text; ///< of a tile.kernel, with the op in it
  std::function<void(ItemView)> reference;
};

std::vector<ChunkCase> chunkCases();

} // namespace ssmc::test
