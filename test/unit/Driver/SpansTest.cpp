// How much of a gradient runs side by side, and what is computed again.
#include "Spans.h"
#include "Check.h"

using namespace ssmc::driver;
using namespace ssmc::test;

static constexpr double gigabyte = 1 << 30;

/// Heads of K = V = 64 in blocks of 16 steps.
static SpanNeeds needsOf(int64_t steps, int64_t items, double memory) {
  SpanNeeds needs;
  needs.rowBytes = 1024;
  needs.stateBytes = 2 * 16384;
  needs.items = items;
  needs.longest = steps;
  needs.steps = double(steps * items);
  needs.threads = 2;
  needs.memory = memory;
  return needs;
}

TEST(spans_none_where_all_fits) {
  SpanPlan plan = chooseSpans({}, needsOf(4096, 16, 16 * gigabyte));
  CHECK(plan.steps == 0 && plan.items == 0);
  plan = chooseSpans({}, needsOf(0, 16, 16 * gigabyte));
  CHECK(plan.steps == 0 && plan.items == 0);
}

TEST(spans_fewer_items_before_spans) {
  // Four gigabytes, 64 MiB each: eight to a thread.
  SpanPlan plan = chooseSpans({}, needsOf(65536, 64, 16 * gigabyte));
  CHECK(plan.steps == 0 && plan.items == 16);
  // That is too much of one: as many as a quarter holds.
  plan = chooseSpans({}, needsOf(65536, 64, gigabyte));
  CHECK(plan.steps == 0 && plan.items == 4);
  // Packed sequences that need little together.
  SpanNeeds packed = needsOf(65536, 1000, 16 * gigabyte);
  packed.steps = 100000;
  plan = chooseSpans({}, packed);
  CHECK(plan.steps == 0 && plan.items == 0);
}

TEST(spans_where_too_little_memory) {
  // sqrt(65536 * 32768 / 1024)
  SpanPlan plan = chooseSpans({}, needsOf(65536, 64, gigabyte / 4));
  CHECK(plan.steps == 1448 && plan.items == 0);
  // What is asked for is done.
  plan = chooseSpans({0, {}}, needsOf(65536, 64, gigabyte / 4));
  CHECK(plan.steps == 0 && plan.items == 16);
  plan = chooseSpans({1000, {}}, needsOf(65536, 1000, gigabyte));
  CHECK(plan.steps == 1000 && plan.items == 84);
  plan = chooseSpans({100, 3}, needsOf(65536, 64, gigabyte));
  CHECK(plan.steps == 100 && plan.items == 3);
}
