// Whole recurrences against numbers worked out by hand.
#include "Fixture.h"

using namespace ssmc;
using namespace ssmc::test;
using runtime::DType;

static const char* gatedDeltaRule = R"(
  %q = ssm.in "q" [i] : [i: K]
  %k = ssm.in "k" [i] : [i: K]
  %v = ssm.in "v" [j] : [j: V]
  %g = ssm.in "g" [] : []
  %b = ssm.in "beta" [] : []
  ssm.state "S" [i, j] : [i: K, j: V]
  %p = ssm.prev "S" by [1] : [i: K, j: V]
  %a = ssm.exp %g : []
  %d = ssm.mul %a, %p : [], [i: K, j: V]
  %kd = ssm.mul %k, %d : [i: K], [i: K, j: V]
  %r = ssm.sum %kd over [i] : [i: K, j: V]
  %e = ssm.sub %v, %r : [j: V], [j: V]
  %bk = ssm.mul %b, %k : [], [i: K]
  %u = ssm.mul %bk, %e : [i: K], [j: V]
  %S = ssm.add %d, %u : [i: K, j: V], [i: K, j: V]
  ssm.update "S", %S : [i: K, j: V]
  %qs = ssm.mul %q, %S : [i: K], [i: K, j: V]
  %o = ssm.sum %qs over [i] : [i: K, j: V]
  ssm.out "o" [j], %o : [j: V]
)";

TEST(gatedDeltaRuleByHand) {
  // Step 1: S = 0.5 * (1, 2)ᵀ (3) = (1.5, 3).
  // Step 2: D = S / 2 = (0.75, 1.5); k·D = 0.75; e = 4 - 0.75 = 3.25;
  //         S = D + (1, 0) * 3.25 = (4, 1.5).
  Program program(gatedDeltaRule);
  auto operands = mapOf({{"q", arrayOf({1, 2, 1, 2}, {1, 1, 2, -1})},
                         {"k", arrayOf({1, 2, 1, 2}, {1, 2, 1, 0})},
                         {"v", arrayOf({1, 2, 1, 1}, {3, 4})},
                         {"g", arrayOf({1, 2, 1}, {-7, std::log(0.5)})},
                         {"beta", arrayOf({1, 2, 1}, {0.5, 1})}});
  auto results = UNWRAP(program.run(sizesOf({2}, 2, 1), operands));
  CHECK_ARRAY(results.outputs, "o", {4.5, 6.5});
  CHECK_ARRAY(results.states, "S", {4, 1.5});
}

TEST(splitRunsAgree) {
  Program program(gatedDeltaRule);
  auto inputs = [](double g, std::initializer_list<double> q, std::initializer_list<double> k,
                   double v) {
    return mapOf({{"q", arrayOf({1, 1, 1, 2}, q)},
                  {"k", arrayOf({1, 1, 1, 2}, k)},
                  {"v", arrayOf({1, 1, 1, 1}, {v})},
                  {"g", arrayOf({1, 1, 1}, {g})},
                  {"beta", arrayOf({1, 1, 1}, {v == 3 ? 0.5 : 1.0})}});
  };
  auto first = UNWRAP(program.run(sizesOf({1}, 2, 1), inputs(-7, {1, 1}, {1, 2}, 3)));
  auto second = UNWRAP(
      program.run(sizesOf({1}, 2, 1), inputs(std::log(0.5), {2, -1}, {1, 0}, 4), first.states));
  CHECK_ARRAY(second.outputs, "o", {6.5});
  CHECK_ARRAY(second.states, "S", {4, 1.5});
}

TEST(noSteps) {
  Program program(gatedDeltaRule);
  auto operands = mapOf({{"q", arrayOf({1, 0, 1, 2}, {})},
                         {"k", arrayOf({1, 0, 1, 2}, {})},
                         {"v", arrayOf({1, 0, 1, 1}, {})},
                         {"g", arrayOf({1, 0, 1}, {})},
                         {"beta", arrayOf({1, 0, 1}, {})}});
  auto results = UNWRAP(
      program.run(sizesOf({0}, 2, 1), operands, mapOf({{"S", arrayOf({1, 1, 2, 1}, {5, 6})}})));
  CHECK_ARRAY(results.outputs, "o", {});
  CHECK_ARRAY(results.states, "S", {5, 6});
}

TEST(lagTwoAndItsHistory) {
  // S[t] = S[t-2] + x[t].
  Program program(R"(
    %x = ssm.in "x" [] : []
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [2] : []
    %S = ssm.add %p, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
  auto whole =
      UNWRAP(program.run(sizesOf({5}), mapOf({{"x", arrayOf({1, 5, 1}, {1, 2, 3, 4, 5})}})));
  CHECK_ARRAY(whole.outputs, "o", {1, 2, 4, 6, 9});
  CHECK_ARRAY(whole.states, "S", {9});
  CHECK_ARRAY(whole.states, "S~2", {6});
  CHECK(
      (UNWRAP(reference::stateNames(program.recurrence)) == std::vector<std::string>{"S", "S~2"}));
  // Pieces of one step: the history reaches through a piece that is shorter than the lag.
  runtime::ArrayMap states;
  double expected[] = {1, 2, 4, 6, 9};
  for (double x = 1; x <= 5; ++x) {
    auto piece = UNWRAP(program.run(sizesOf({1}), mapOf({{"x", arrayOf({1, 1, 1}, {x})}}), states));
    CHECK_ARRAY(piece.outputs, "o", {expected[int(x) - 1]});
    states = std::move(piece.states);
  }
  CHECK_ARRAY(states, "S~2", {6});
}

TEST(initialValues) {
  // A state may start from an expression of params; lag 3 reads it thrice.
  Program program(R"(
    %A = ssm.in "A" [i] param : [i: K]
    %two = ssm.constant 2.0
    %start = ssm.mul %A, %two : [i: K], []
    ssm.state "S" [i, j] init(%start : [i: K]) : [i: K, j: V]
    %p = ssm.prev "S" by [3] : [i: K, j: V]
    %S = ssm.add %p, %two : [i: K, j: V], []
    ssm.update "S", %S : [i: K, j: V]
    ssm.out "o" [j, i], %S : [i: K, j: V]
  )");
  auto results = UNWRAP(program.run(sizesOf({4}, 2, 1), mapOf({{"A", arrayOf({1, 2}, {1, 10})}})));
  CHECK_ARRAY(results.outputs, "o", {4, 22, 4, 22, 4, 22, 6, 24});
  auto given = UNWRAP(program.run(sizesOf({4}, 2, 1), mapOf({{"A", arrayOf({1, 2}, {1, 10})}}),
                                  mapOf({{"S", arrayOf({1, 1, 2, 1}, {0, 0})}})));
  CHECK_ARRAY(given.outputs, "o", {4, 22, 4, 22, 2, 2, 6, 24});
}

TEST(resetBySelect) {
  // A reset takes no part of the old state, not even a NaN.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %r = ssm.in "r" [] : [] i1
    %zero = ssm.constant 0.0
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %kept = ssm.select %r, %zero, %p : [] i1, [], []
    %S = ssm.add %kept, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
  auto flags = arrayOf({1, 5, 1}, {0, 0, 0, 1, 0}, DType::Bool);
  auto results = UNWRAP(
      program.run(sizesOf({5}),
                  mapOf({{"x", arrayOf({1, 5, 1}, {1, 2, nan_, 4, 5})}, {"r", std::move(flags)}})));
  CHECK_ARRAY(results.outputs, "o", {1, 3, nan_, 4, 9});
  auto numeric = arrayOf({1, 5, 1}, {0, 0, 0, -3, 0}, DType::F32);
  results = UNWRAP(program.run(sizesOf({5}), mapOf({{"x", arrayOf({1, 5, 1}, {1, 2, inf, 4, 5})},
                                                    {"r", std::move(numeric)}})));
  CHECK_ARRAY(results.outputs, "o", {1, 3, inf, 4, 9});
}

TEST(maxPlus) {
  Program program(R"(
    %f = ssm.in "f" [] : []
    %i = ssm.in "i" [] : []
    %low = ssm.constant 0xFFF0000000000000
    ssm.state "m" [] init(%low : []) : []
    %p = ssm.prev "m" by [1] : []
    %fp = ssm.add %f, %p : [], []
    %m = ssm.max %fp, %i : [], []
    ssm.update "m", %m : []
    ssm.out "o" [], %m : []
  )");
  auto results =
      UNWRAP(program.run(sizesOf({4}), mapOf({{"f", arrayOf({1, 4, 1}, {5, -1, -1, 2})},
                                              {"i", arrayOf({1, 4, 1}, {-3, -9, 0, 1})}})));
  CHECK_ARRAY(results.outputs, "o", {-3, -4, 0, 2});
  auto none = UNWRAP(program.run(
      sizesOf({0}), mapOf({{"f", arrayOf({1, 0, 1}, {})}, {"i", arrayOf({1, 0, 1}, {})}})));
  CHECK_ARRAY(none.states, "m", {-inf});
}

TEST(complexState) {
  // h = cis(pi / 2) h + x: a quarter turn a step.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %theta = ssm.in "theta" [] param : []
    ssm.state "h" [] : [] complex<f32>
    %p = ssm.prev "h" by [1] : [] complex<f32>
    %turn = ssm.cis %theta : []
    %turned = ssm.mul %turn, %p : [] complex<f32>, [] complex<f32>
    %h = ssm.add %turned, %x : [] complex<f32>, []
    ssm.update "h", %h : [] complex<f32>
    %re = ssm.real %h : [] complex<f32>
    ssm.out "o" [], %re : []
    ssm.out "h" [], %h : [] complex<f32>
  )");
  auto results = UNWRAP(program.run(
      sizesOf({3}),
      mapOf({{"x", arrayOf({1, 3, 1}, {1, 0, 2})}, {"theta", arrayOf({1}, {std::acos(0.0)})}}),
      mapOf({{"h", arrayOf({1, 1}, {0, 1}, DType::Complex64)}})));
  CHECK_ARRAY(results.outputs, "o", {0, 0, 2});
  CHECK_ARRAY(results.outputs, "h", {0, 0, 0, 0, 2, 0});
  // A real array does for a complex state.
  results = UNWRAP(program.run(
      sizesOf({1}),
      mapOf({{"x", arrayOf({1, 1, 1}, {1})}, {"theta", arrayOf({1}, {std::acos(0.0)})}}),
      mapOf({{"h", arrayOf({1, 1}, {3}, DType::F32)}})));
  CHECK_ARRAY(results.states, "h", {1, 3});
}

TEST(scopesAndOrders) {
  // Two batches, four heads in two groups; head h uses group h / 2. Memory order [j, i].
  Program program(R"(
    %x = ssm.in "x" [j, i] : [i: K, j: V]
    %B = ssm.in "B" [] scope(group) : []
    %s = ssm.in "s" [] scope(shared) : []
    %A = ssm.in "A" [] param : []
    %C = ssm.in "C" [] param scope(group) : []
    %D = ssm.in "D" [] param scope(shared) : []
    %ten = ssm.constant 10.0
    %0 = ssm.mul %x, %ten : [i: K, j: V], []
    %1 = ssm.add %0, %B : [i: K, j: V], []
    %2 = ssm.add %1, %s : [i: K, j: V], []
    %3 = ssm.add %2, %A : [i: K, j: V], []
    %4 = ssm.add %3, %C : [i: K, j: V], []
    %5 = ssm.add %4, %D : [i: K, j: V], []
    ssm.out "o" [i, j], %5 : [i: K, j: V]
  )");
  reference::Sizes sizes{2, {1}, 4, 2, {{"K", 1}, {"V", 2}}};
  auto results = UNWRAP(
      program.run(sizes, mapOf({{"x", arrayOf({2, 1, 4, 2, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
                                                                12, 13, 14, 15, 16})},
                                {"B", arrayOf({2, 1, 2}, {100, 200, 300, 400})},
                                {"s", arrayOf({2, 1}, {1000, 2000})},
                                {"A", arrayOf({4}, {1, 2, 3, 4}, DType::I32)},
                                {"C", arrayOf({2}, {0.5, 0.25}, DType::F16)},
                                {"D", arrayOf({}, {0.125}, DType::BF16)}})));
  CHECK_ARRAY(results.outputs, "o",
              {1111.625, 1121.625, 1132.625, 1142.625, 1253.375, 1263.375, 1274.375, 1284.375,
               2391.625, 2401.625, 2412.625, 2422.625, 2533.375, 2543.375, 2554.375, 2564.375});
  CHECK((results.outputs.find("o")->second.getShape() == llvm::ArrayRef<int64_t>{2, 1, 4, 1, 2}));
}

TEST(transposedRead) {
  Program program(R"(
    %x = ssm.in "x" [j, i] : [i: K, j: V]
    ssm.state "S" [j, i] : [i: K, j: V]
    %p = ssm.prev "S" by [1] : [i: K, j: V]
    %S = ssm.add %p, %x : [i: K, j: V], [i: K, j: V]
    ssm.update "S", %S : [i: K, j: V]
    ssm.out "o" [i, j], %S : [i: K, j: V]
  )");
  auto results = UNWRAP(
      program.run(sizesOf({1}, 2, 3), mapOf({{"x", arrayOf({1, 1, 1, 3, 2}, {1, 2, 3, 4, 5, 6})}}),
                  mapOf({{"S", arrayOf({1, 1, 3, 2}, {10, 20, 30, 40, 50, 60})}})));
  CHECK_ARRAY(results.outputs, "o", {11, 33, 55, 22, 44, 66});
  CHECK_ARRAY(results.states, "S", {11, 22, 33, 44, 55, 66});
}
