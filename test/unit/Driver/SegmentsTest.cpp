// How many segments a long sequence is cut in on a GPU.
#include "Check.h"
#include "Choose.h"

using ssmc::driver::segmentsFor;
using namespace ssmc::test;

static int64_t segmentsOf(int64_t blocks, int64_t steps) {
  return segmentsFor(blocks, /*processors=*/132, steps);
}

TEST(segments_of_few_heads) {
  CHECK(segmentsOf(4, 65536) == 16);  // No more, whatever has room.
  CHECK(segmentsOf(12, 65536) == 11); // As many as have room.
  CHECK(segmentsOf(0, 65536) == 16);
}

TEST(segments_none_of_many_heads) {
  CHECK(segmentsOf(16, 65536) == 8);
  CHECK(segmentsOf(17, 65536) == 1); // Seven would not pay for their summaries.
  CHECK(segmentsOf(512, 65536) == 1);
}

TEST(segments_few_or_none_of_short_sequences) {
  CHECK(segmentsOf(1, 16384) == 8);
  CHECK(segmentsOf(1, 8192) == 4);
  CHECK(segmentsOf(1, 8191) == 1);
  CHECK(segmentsOf(1, 0) == 1);
}
