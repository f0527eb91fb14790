// What bounds the time of some work, and by how much.
#include "Limits.h"
#include "Check.h"

using namespace ssmc::driver;
using namespace ssmc::test;

TEST(limits_bound) {
  // 1e9 operations at 100 GFLOP/s take 10 ms, 1e8 bytes at 20 GB/s 5 ms.
  Bound bound = boundOf(1e9, 1e8, {100, 20});
  CHECK(near(bound.ms, 10) && !bound.byMemory);
  bound = boundOf(1e9, 4e8, {100, 20});
  CHECK(near(bound.ms, 20) && bound.byMemory);
  // Of a GPU the memory alone is measured.
  bound = boundOf(1e9, 1e8, {0, 20});
  CHECK(near(bound.ms, 5) && bound.byMemory);
}
