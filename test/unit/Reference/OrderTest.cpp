// In which order steps are computed: later steps, both directions at once, two time axes.
#include "Fixture.h"

using namespace ssmc;
using namespace ssmc::test;

TEST(antiCausal) {
  Program program(R"(
    %x = ssm.in "x" [] : []
    %half = ssm.constant 0.5
    ssm.state "S" [] : []
    %n = ssm.prev "S" by [-1] : []
    %d = ssm.mul %half, %n : [], []
    %S = ssm.add %d, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
  auto results = UNWRAP(program.run(sizesOf({3}), mapOf({{"x", arrayOf({1, 3, 1}, {1, 2, 4})}})));
  CHECK_ARRAY(results.outputs, "o", {3, 4, 4});
  CHECK_ARRAY(results.states, "S", {3}); // what the piece before needs: the value at the first step
  auto after = UNWRAP(program.run(sizesOf({1}), mapOf({{"x", arrayOf({1, 1, 1}, {4})}})));
  auto before =
      UNWRAP(program.run(sizesOf({2}), mapOf({{"x", arrayOf({1, 2, 1}, {1, 2})}}), after.states));
  CHECK_ARRAY(before.outputs, "o", {3, 4});
}

TEST(bothDirections) {
  // A forward and a backward sum; the backward one reads the forward one's value at each step.
  Program program(R"(
    %x = ssm.in "x" [] : []
    ssm.state "F" [] : []
    ssm.state "R" [] : []
    %f = ssm.prev "F" by [1] : []
    %r = ssm.prev "R" by [-1] : []
    %F = ssm.add %f, %x : [], []
    %R = ssm.add %r, %F : [], []
    %o = ssm.add %F, %R : [], []
    ssm.update "F", %F : []
    ssm.update "R", %R : []
    ssm.out "o" [], %o : []
  )");
  auto results = UNWRAP(program.run(sizesOf({3}), mapOf({{"x", arrayOf({1, 3, 1}, {1, 2, 3})}})));
  // F = 1, 3, 6; R = 10, 9, 6.
  CHECK_ARRAY(results.outputs, "o", {11, 12, 12});
  CHECK_ARRAY(results.states, "F", {6});
  CHECK_ARRAY(results.states, "R", {10});
}

TEST(forwardReadsBackwardAtAnotherStep) {
  // R sums backwards; F adds up what R was one step earlier and will be two steps later.
  Program program(R"(
    %x = ssm.in "x" [] : []
    ssm.state "F" [] : []
    ssm.state "R" [] : []
    %f = ssm.prev "F" by [1] : []
    %r = ssm.prev "R" by [-1] : []
    %early = ssm.prev "R" by [1] : []
    %late = ssm.prev "R" by [-2] : []
    %R = ssm.add %r, %x : [], []
    %0 = ssm.add %f, %early : [], []
    %F = ssm.add %0, %late : [], []
    ssm.update "F", %F : []
    ssm.update "R", %R : []
    ssm.out "o" [], %F : []
  )");
  // R = 10, 9, 7, 4. F = (0 + 7), +(10 + 4), +(9 + 0), +(7 + 0).
  auto results =
      UNWRAP(program.run(sizesOf({4}), mapOf({{"x", arrayOf({1, 4, 1}, {1, 2, 3, 4})}})));
  CHECK_ARRAY(results.outputs, "o", {7, 21, 30, 37});
}

TEST(inputOnBothSides) {
  // A window over an input: x[t-1] + x[t] + x[t+1].
  Program program(R"(
    %x = ssm.in "x" [] : []
    ssm.state "x" [] hidden : []
    ssm.update "x", %x : []
    %p = ssm.prev "x" by [1] : []
    %n = ssm.prev "x" by [-1] : []
    %0 = ssm.add %p, %x : [], []
    %1 = ssm.add %0, %n : [], []
    ssm.out "o" [], %1 : []
  )");
  auto results = UNWRAP(program.run(sizesOf({4}), mapOf({{"x", arrayOf({1, 4, 1}, {1, 2, 3, 4})}}),
                                    mapOf({{"x", arrayOf({1, 1}, {100})}})));
  CHECK_ARRAY(results.outputs, "o", {103, 6, 9, 7});
  CHECK_ARRAY(results.states, "x", {4});
}

TEST(delayedInput) {
  // Mamba-3's trapezoid needs last step's input: w[t] + prev w.
  Program program(R"(
    %x = ssm.in "x" [] : []
    ssm.state "w" [] hidden : []
    %w = ssm.mul %x, %x : [], []
    %p = ssm.prev "w" by [1] : []
    %o = ssm.add %w, %p : [], []
    ssm.update "w", %w : []
    ssm.out "o" [], %o : []
  )");
  auto results = UNWRAP(program.run(sizesOf({3}), mapOf({{"x", arrayOf({1, 3, 1}, {1, 2, 3})}})));
  CHECK_ARRAY(results.outputs, "o", {1, 5, 13});
  CHECK_ARRAY(results.states, "w", {9});
}

static const char* plane = R"(
  %u = ssm.in "u" [] : []
  ssm.state "h" [] : []
  %py = ssm.prev "h" by [1, 0] : []
  %px = ssm.prev "h" by [0, DX] : []
  %0 = ssm.add %py, %px : [], []
  %h = ssm.add %0, %u : [], []
  ssm.update "h", %h : []
  ssm.out "o" [], %h : []
)";

static std::string planeWith(const char* dx) {
  std::string text = plane;
  return text.replace(text.find("DX"), 2, dx);
}

TEST(twoTimeAxes) {
  Program program(planeWith("1"), "y, x");
  auto inputs = mapOf({{"u", arrayOf({1, 2, 3, 1}, {1, 0, 0, 0, 0, 10})}});
  auto results = UNWRAP(program.run(sizesOf({2, 3}), inputs));
  CHECK_ARRAY(results.outputs, "o", {1, 1, 1, 1, 2, 13});
  CHECK(results.states.empty());
  CHECK_ERROR(program.run(sizesOf({2, 3}), inputs, mapOf({{"h", arrayOf({1, 1}, {0})}})),
              "two time axes");
}

TEST(twoTimeAxesOneReversed) {
  Program program(planeWith("-1"), "y, x");
  auto results = UNWRAP(
      program.run(sizesOf({2, 3}), mapOf({{"u", arrayOf({1, 2, 3, 1}, {0, 0, 1, 10, 0, 0})}})));
  CHECK_ARRAY(results.outputs, "o", {1, 1, 1, 13, 2, 1});
}

TEST(twoTimeAxesDiagonal) {
  // Row order allows [1, -1]; [-1, 1] with [0, 1] needs columns outermost.
  auto run = [](const char* by) {
    Program program(std::string(R"(
      %u = ssm.in "u" [] : []
      ssm.state "h" [] : []
      %a = ssm.prev "h" by )") +
                        by + R"( : []
      %b = ssm.prev "h" by [0, 1] : []
      %0 = ssm.add %a, %b : [], []
      %h = ssm.add %0, %u : [], []
      ssm.update "h", %h : []
      ssm.out "o" [], %h : []
    )",
                    "y, x");
    return UNWRAP(
        program.run(sizesOf({2, 3}), mapOf({{"u", arrayOf({1, 2, 3, 1}, {1, 0, 0, 1, 0, 0})}})));
  };
  // Row 0: 1 1 1. Row 1: 1 + h(0, 1) = 2, 2 + h(0, 2) = 3, 3.
  CHECK_ARRAY(run("[1, -1]").outputs, "o", {1, 1, 1, 2, 3, 3});
  // Row 1: 1 1 1. Row 0: 1, 1 + h(1, 0) = 2, 2 + h(1, 1) = 3.
  CHECK_ARRAY(run("[-1, 1]").outputs, "o", {1, 2, 3, 1, 1, 1});
}

TEST(impossibleOrders) {
  Program program(R"(
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %n = ssm.prev "S" by [-1] : []
    %S = ssm.add %p, %n : [], []
    ssm.update "S", %S : []
  )");
  CHECK_ERROR(program.run(sizesOf({3}), {}), "no order of the steps computes 'S'");
}
