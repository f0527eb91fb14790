// Gradients of whole declarations: conventions by hand, and each feature by differences.
#include "GradientCheck.h"

#include <cstring>
using namespace ssmc;
using namespace ssmc::test;
using reference::Results;
using runtime::DType;

static reference::Gradients differentiate(Program& program, reference::Sizes sizes,
                                          const runtime::ArrayMap& operands,
                                          const Results& cotangents,
                                          const runtime::ArrayMap& states = {}) {
  return UNWRAP(reference::differentiate(program.recurrence, sizes, operands, states, cotangents));
}

/// Checks the gradient at random points: with all states given, with every other one and with none,
/// for lengths that are shorter than a lag too. Over many steps no gradient may vanish, but for
/// those in `zerosWithStates` where all states are given.
static void check(const std::string& body, const std::string& time = "t",
                  llvm::ArrayRef<llvm::StringRef> zerosWithStates = {}) {
  Program program(body, time);
  bool isPlane = program.recurrence.getNumTimeAxes() == 2;
  for (int64_t length : {5, 2, 1})
    for (int64_t states : {0, 1, 2}) {
      if (isPlane && states)
        continue;
      reference::Sizes sizes = {2, {length}, 4, 2, {{"K", 3}, {"V", 2}}};
      if (isPlane)
        sizes.time = {length, 4};
      Point point = randomPoint(program.recurrence, sizes, states != 0);
      if (states == 1)
        for (auto it = point.states.begin(); it != point.states.end(); ++it) {
          it = point.states.erase(it);
          if (it == point.states.end())
            break;
        }
      if (length == 5 && states != 1)
        checkGradient(point, states == 2 ? zerosWithStates : llvm::ArrayRef<llvm::StringRef>());
      else
        checkGradient(point, std::nullopt);
    }
}

//===-- Conventions, by hand ----------------------------------------------------------------===//

TEST(gradientOfADecayByHand) {
  // S1 = x1, S2 = a2 S1 + x2, S3 = a3 S2 + x3; L = 10 S2 + S3, S3 as the final state.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %a = ssm.in "a" [] : []
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %d = ssm.mul %a, %p : [], []
    %S = ssm.add %d, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
  auto operands =
      mapOf({{"x", arrayOf({1, 3, 1}, {1, 2, 3})}, {"a", arrayOf({1, 3, 1}, {4, 5, 6})}});
  Results cotangents = {mapOf({{"o", arrayOf({1, 3, 1}, {0, 10, 0})}}),
                        mapOf({{"S", arrayOf({1, 1}, {1})}})};
  auto gradients = differentiate(program, sizesOf({3}), operands, cotangents);
  // dL/dS3 = 1, dL/dS2 = 10 + 6, dL/dS1 = 5 * 16.
  CHECK_ARRAY(gradients.operands, "x", {80, 16, 1});
  CHECK_ARRAY(gradients.operands, "a", {0, 16 * 1, 1 * 7});
  CHECK(gradients.states.empty());
  gradients = differentiate(program, sizesOf({3}), operands, cotangents,
                            mapOf({{"S", arrayOf({1, 1}, {-1}, DType::F32)}}));
  CHECK_ARRAY(gradients.states, "S", {4 * 80});
  CHECK_ARRAY(gradients.operands, "a", {-80, 16 * (1 - 4), 1 * -13});
  // Without cotangents all is zero.
  gradients = differentiate(program, sizesOf({3}), operands, {});
  CHECK_ARRAY(gradients.operands, "x", {0, 0, 0});
}

TEST(gradientsOfComplexNumbersAreConjugate) {
  // L = Re(conj(c) a x) = Re(conj(c conj(x)) a): the gradient of a is c conj(x).
  Program program(R"(
    %a = ssm.in "a" [] : [] complex<f32>
    %x = ssm.in "x" [] : [] complex<f32>
    %r = ssm.in "r" [] : []
    %ax = ssm.mul %a, %x : [] complex<f32>, [] complex<f32>
    %o = ssm.mul %ax, %r : [] complex<f32>, []
    ssm.out "o" [], %o : [] complex<f32>
  )");
  auto operands = mapOf({{"a", arrayOf({1, 1, 1}, {1, 2}, DType::Complex64)},
                         {"x", arrayOf({1, 1, 1}, {3, 5}, DType::Complex128)},
                         {"r", arrayOf({1, 1, 1}, {1}, DType::F16)}});
  Results cotangents = {mapOf({{"o", arrayOf({1, 1, 1}, {1, 1}, DType::Complex64)}}), {}};
  auto gradients = differentiate(program, sizesOf({1}), operands, cotangents);
  CHECK_ARRAY(gradients.operands, "a", {8, -2});
  CHECK_ARRAY(gradients.operands, "x", {3, -1});
  CHECK_ARRAY(gradients.operands, "r", {-7 + 11}); // Re(conj(c) a x)
  // A real array does for a complex operand and for a complex cotangent; the gradient is complex.
  operands = mapOf({{"a", arrayOf({1, 1, 1}, {2}, DType::F32)},
                    {"x", arrayOf({1, 1, 1}, {0, 1}, DType::Complex64)},
                    {"r", arrayOf({1, 1, 1}, {1})}});
  cotangents = {mapOf({{"o", arrayOf({1, 1, 1}, {3})}}), {}};
  gradients = differentiate(program, sizesOf({1}), operands, cotangents);
  CHECK_ARRAY(gradients.operands, "a", {0, -3});
  CHECK(gradients.operands.find("a")->second.getDType() == DType::Complex128);
}

TEST(gradientsAtKinks) {
  Program program(R"(
    %x = ssm.in "x" [i] : [i: K]
    %z = ssm.in "z" [] : [] complex<f32>
    %s = ssm.in "s" [] : []
    %0 = ssm.constant 0.0
    %relu = ssm.relu %s : []
    %abs = ssm.abs %s : []
    %sign = ssm.sign %s : []
    %abs_z = ssm.abs %z : [] complex<f32>
    %max = ssm.max %s, %0 : [], []
    %min = ssm.min %s, %0 : [], []
    %maximum = ssm.maximum %x over [i] : [i: K]
    %1 = ssm.add %relu, %abs : [], []
    %2 = ssm.add %1, %sign : [], []
    %3 = ssm.add %2, %abs_z : [], []
    ssm.out "smooth" [], %3 : []
    ssm.out "max" [], %max : []
    ssm.out "min" [], %min : []
    ssm.out "maximum" [], %maximum : []
  )");
  auto operands = mapOf({{"x", arrayOf({1, 2, 1, 4}, {3, 1, 3, 3, 0, -inf, -inf, -1})},
                         {"z", arrayOf({1, 2, 1}, {0, 0, 3, 4}, DType::Complex128)},
                         {"s", arrayOf({1, 2, 1}, {0, 0})}});
  auto one = [] { return arrayOf({1, 2, 1}, {1, 1}); };
  Results cotangents = {mapOf({{"smooth", one()}}), {}};
  auto gradients = differentiate(program, sizesOf({2}, 4), operands, cotangents);
  CHECK_ARRAY(gradients.operands, "s", {0, 0});
  CHECK_ARRAY(gradients.operands, "z", {0, 0, 0.6, 0.8});
  for (const char* name : {"max", "min"}) {
    cotangents = {mapOf({{name, one()}}), {}};
    gradients = differentiate(program, sizesOf({2}, 4), operands, cotangents);
    CHECK_ARRAY(gradients.operands, "s", {0.5, 0.5});
  }
  cotangents = {mapOf({{"maximum", arrayOf({1, 2, 1}, {6, 1})}}), {}};
  gradients = differentiate(program, sizesOf({2}, 4), operands, cotangents);
  CHECK_ARRAY(gradients.operands, "x", {2, 0, 2, 2, 1, 0, 0, 0});
}

TEST(gradientsOfPowersOfZero) {
  Program program(R"(
    %x = ssm.in "x" [] : []
    %y = ssm.in "y" [] : []
    %o = ssm.pow %x, %y : [], []
    ssm.out "o" [], %o : []
  )");
  auto operands =
      mapOf({{"x", arrayOf({1, 4, 1}, {0, 0, 0, 3})}, {"y", arrayOf({1, 4, 1}, {0, 1, 2, 0})}});
  Results cotangents = {mapOf({{"o", arrayOf({1, 4, 1}, {1, 1, 1, 1})}}), {}};
  auto gradients = differentiate(program, sizesOf({4}), operands, cotangents);
  CHECK_ARRAY(gradients.operands, "x", {0, 1, 0, 0});
  CHECK_ARRAY(gradients.operands, "y", {0, 0, 0, std::log(3.0)});
}

TEST(whatHasNoInfluenceGetsNothing) {
  // A reset cuts off a NaN, an infinity and an infinite slope.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %a = ssm.in "a" [] : []
    %r = ssm.in "r" [] : [] i1
    %zero = ssm.constant 0.0
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %root = ssm.sqrt %a : []
    %ap = ssm.mul %root, %p : [], []
    %kept = ssm.select %r, %zero, %ap : [] i1, [], []
    %S = ssm.add %kept, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
  auto operands = mapOf({{"x", arrayOf({1, 4, 1}, {1, nan_, 4, 5})},
                         {"a", arrayOf({1, 4, 1}, {4, inf, 0, 4})},
                         {"r", arrayOf({1, 4, 1}, {0, 0, 1, 0}, DType::Bool)}});
  Results cotangents = {mapOf({{"o", arrayOf({1, 4, 1}, {0, 0, 1, 1})}}), {}};
  auto gradients = differentiate(program, sizesOf({4}), operands, cotangents,
                                 mapOf({{"S", arrayOf({1, 1}, {-inf})}}));
  CHECK_ARRAY(gradients.operands, "x", {0, 0, 3, 1});
  CHECK_ARRAY(gradients.operands, "a", {0, 0, 0, 4 * 0.25});
  CHECK_ARRAY(gradients.states, "S", {0});
  CHECK(!gradients.operands.contains("r"));
}

TEST(gradientsAreSummedByScope) {
  // Two batches, two steps, four heads in two groups; each o has the cotangent of its place.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %B = ssm.in "B" [] scope(group) : []
    %s = ssm.in "s" [] scope(shared) : []
    %A = ssm.in "A" [] param : []
    %C = ssm.in "C" [] param scope(group) : []
    %D = ssm.in "D" [] param scope(shared) : []
    %1 = ssm.add %x, %B : [], []
    %2 = ssm.add %1, %s : [], []
    %3 = ssm.add %2, %A : [], []
    %4 = ssm.add %3, %C : [], []
    %5 = ssm.add %4, %D : [], []
    ssm.out "o" [], %5 : []
  )");
  reference::Sizes sizes = {2, {2}, 4, 2, {{"K", 1}, {"V", 1}}};
  auto array = [](llvm::ArrayRef<int64_t> shape) {
    return UNWRAP(runtime::Array::create(DType::F32, shape));
  };
  auto operands = mapOf({{"x", array({2, 2, 4})},
                         {"B", array({2, 2, 2})},
                         {"s", array({2, 2})},
                         {"A", array({4})},
                         {"C", array({2})},
                         {"D", array({})}});
  Results cotangents = {
      mapOf({{"o", arrayOf({2, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 30, 40, 50, 60, 70, 80})}}),
      {}};
  auto gradients = differentiate(program, sizes, operands, cotangents);
  CHECK_ARRAY(gradients.operands, "x", {1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 30, 40, 50, 60, 70, 80});
  CHECK_ARRAY(gradients.operands, "B", {3, 7, 11, 15, 30, 70, 110, 150});
  CHECK_ARRAY(gradients.operands, "s", {10, 26, 100, 260});
  CHECK_ARRAY(gradients.operands, "A", {66, 88, 110, 132});
  CHECK_ARRAY(gradients.operands, "C", {154, 242});
  CHECK_ARRAY(gradients.operands, "D", {396});
}

TEST(gradientOfNoSteps) {
  // Final states are the initial ones, and so are their cotangents.
  Program program(R"(
    %x = ssm.in "x" [] : []
    %A = ssm.in "A" [i] param : [i: K]
    ssm.state "S" [i] init(%A : [i: K]) : [i: K]
    %p = ssm.prev "S" by [2] : [i: K]
    %S = ssm.add %p, %x : [i: K], []
    ssm.update "S", %S : [i: K]
  )");
  auto operands = mapOf({{"x", arrayOf({1, 0, 1}, {})}, {"A", arrayOf({1, 2}, {1, 2})}});
  Results cotangents = {{},
                        mapOf({{"S", arrayOf({1, 1, 2}, {1, 2})},
                               {"S~2", arrayOf({1, 1, 2}, {10, 20}, DType::F32)}})};
  auto gradients = differentiate(program, sizesOf({0}, 2), operands, cotangents,
                                 mapOf({{"S~2", arrayOf({1, 1, 2}, {5, 6})}}));
  CHECK_ARRAY(gradients.operands, "x", {});
  CHECK_ARRAY(gradients.operands, "A", {1, 2});
  CHECK_ARRAY(gradients.states, "S~2", {10, 20});
  CHECK(gradients.states.size() == 1);
}

//===-- Features, by differences ------------------------------------------------------------===//

TEST(gradientThroughLags) {
  check(R"(
    %x = ssm.in "x" [j, i] : [i: K, j: V]
    %a = ssm.in "a" [i] scope(group) : [i: K]
    %b = ssm.in "b" [] param : []
    ssm.state "S" [j, i] : [i: K, j: V]
    %p = ssm.prev "S" by [1] : [i: K, j: V]
    %q = ssm.prev "S" by [3] : [i: K, j: V]
    %0 = ssm.mul %a, %p : [i: K], [i: K, j: V]
    %1 = ssm.mul %b, %q : [], [i: K, j: V]
    %2 = ssm.add %0, %1 : [i: K, j: V], [i: K, j: V]
    %S = ssm.add %2, %x : [i: K, j: V], [i: K, j: V]
    ssm.update "S", %S : [i: K, j: V]
    ssm.out "o" [i, j], %2 : [i: K, j: V]
  )");
}

TEST(gradientThroughDeclaredInitialValues) {
  // The initial value is complex with fewer labels, read thrice before the sequence.
  check(R"(
    %A = ssm.in "A" [i] param : [i: K]
    %w = ssm.in "w" [] param scope(shared) : []
    %a = ssm.in "a" [] : []
    %turn = ssm.cis %A : [i: K]
    %start = ssm.mul %turn, %w : [i: K] complex<f32>, []
    ssm.state "S" [i, j] init(%start : [i: K] complex<f32>) : [i: K, j: V] complex<f32>
    ssm.state "R" [i] init(%A : [i: K]) : [i: K] complex<f32>
    %p = ssm.prev "S" by [3] : [i: K, j: V] complex<f32>
    %r = ssm.prev "R" by [1] : [i: K] complex<f32>
    %d = ssm.mul %a, %p : [], [i: K, j: V] complex<f32>
    %S = ssm.mul %d, %r : [i: K, j: V] complex<f32>, [i: K] complex<f32>
    %R = ssm.mul %r, %turn : [i: K] complex<f32>, [i: K] complex<f32>
    ssm.update "S", %S : [i: K, j: V] complex<f32>
    ssm.update "R", %R : [i: K] complex<f32>
    ssm.out "o" [j, i], %S : [i: K, j: V] complex<f32>
  )",
        "t", {"w"});
}

TEST(gradientOfANonlinearState) {
  check(R"(
    %x = ssm.in "x" [i] : [i: K]
    %U = ssm.in "U" [i, l] param : [i: K, l: K]
    ssm.state "h" [i] : [i: K]
    %p = ssm.prev "h" by [1] : [i: K]
    %pl = ssm.relabel %p [i] to [l] : [i: K]
    %0 = ssm.mul %U, %pl : [i: K, l: K], [l: K]
    %1 = ssm.sum %0 over [l] : [i: K, l: K]
    %2 = ssm.mul %1, %p : [i: K], [i: K]
    %3 = ssm.add %2, %x : [i: K], [i: K]
    %h = ssm.tanh %3 : [i: K]
    ssm.update "h", %h : [i: K]
    ssm.out "o" [i], %h : [i: K]
  )");
}

TEST(gradientAgainstTime) {
  check(R"(
    %x = ssm.in "x" [] : []
    %a = ssm.in "a" [] : []
    ssm.state "S" [] : []
    %n = ssm.prev "S" by [-2] : []
    %d = ssm.mul %a, %n : [], []
    %S = ssm.add %d, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
}

TEST(gradientThroughSeveralPasses) {
  // R runs backward and reads F's values of the present and of other steps; a fold without a state
  // is evaluated in both passes; F reads earlier and later values of x.
  check(R"(
    %x = ssm.in "x" [] : []
    %k = ssm.in "k" [s] : [s: J]
    %a = ssm.in "a" [] : []
    ssm.state "x" [] hidden : []
    ssm.state "F" [] : []
    ssm.state "R" [] : []
    ssm.update "x", %x : []
    %early = ssm.prev "x" by [2] : []
    %late = ssm.prev "x" by [-1] : []
    %f = ssm.prev "F" by [1] : []
    %r = ssm.prev "R" by [-1] : []
    %f2 = ssm.prev "F" by [2] : []
    %w = ssm.fold over [s: J] carry(%m = %a : []) {
      %ks = ssm.at %k "s" : [s: J]
      %n = ssm.mul %m, %ks : [], []
      ssm.yield %n : []
    }
    %wf = ssm.mul %w, %f : [], []
    %0 = ssm.add %wf, %early : [], []
    %1 = ssm.add %0, %late : [], []
    %F = ssm.add %1, %x : [], []
    %sF = ssm.sin %F : []
    %wr = ssm.mul %w, %r : [], []
    %2 = ssm.add %wr, %sF : [], []
    %R = ssm.add %2, %f2 : [], []
    %o = ssm.mul %F, %R : [], []
    ssm.update "F", %F : []
    ssm.update "R", %R : []
    ssm.out "o" [], %o : []
  )");
}

TEST(gradientInAPlane) {
  // Lags along both axes and along the diagonal; the initial value lies all around the plane.
  check(R"(
    %x = ssm.in "x" [i] : [i: K]
    %a = ssm.in "a" [] : []
    %b = ssm.in "b" [] scope(shared) : []
    %c = ssm.in "c" [] param : []
    %A = ssm.in "A" [] param scope(group) : []
    ssm.state "h" [i] init(%A : []) : [i: K]
    %y1 = ssm.prev "h" by [1, 0] : [i: K]
    %x2 = ssm.prev "h" by [0, 2] : [i: K]
    %d = ssm.prev "h" by [1, -1] : [i: K]
    %0 = ssm.mul %a, %y1 : [], [i: K]
    %1 = ssm.mul %b, %x2 : [], [i: K]
    %2 = ssm.mul %c, %d : [], [i: K]
    %3 = ssm.add %0, %1 : [i: K], [i: K]
    %4 = ssm.add %2, %3 : [i: K], [i: K]
    %h = ssm.add %4, %x : [i: K], [i: K]
    ssm.update "h", %h : [i: K]
    ssm.out "o" [i], %h : [i: K]
  )",
        "y, x");
}

TEST(gradientInAPlaneBothWays) {
  // One state runs down and to the left, another up by columns and reads the first.
  check(R"(
    %x = ssm.in "x" [] : []
    %a = ssm.in "a" [] : []
    ssm.state "P" [] : []
    ssm.state "Q" [] : []
    %p1 = ssm.prev "P" by [1, 0] : []
    %p2 = ssm.prev "P" by [0, -1] : []
    %q1 = ssm.prev "Q" by [1, 1] : []
    %q2 = ssm.prev "Q" by [-2, 1] : []
    %far = ssm.prev "P" by [-1, 2] : []
    %0 = ssm.mul %a, %p1 : [], []
    %1 = ssm.add %0, %p2 : [], []
    %P = ssm.add %1, %x : [], []
    %2 = ssm.mul %a, %q1 : [], []
    %3 = ssm.add %2, %q2 : [], []
    %4 = ssm.mul %far, %P : [], []
    %Q = ssm.add %3, %4 : [], []
    ssm.update "P", %P : []
    ssm.update "Q", %Q : []
    ssm.out "o" [], %Q : []
  )",
        "y, x");
}

//===-- The call ----------------------------------------------------------------------------===//

static const char* leaky = R"(
  %x = ssm.in "x" [] : []
  %A = ssm.in "A" [] param scope(shared) : []
  %r = ssm.in "r" [] : [] i1
  ssm.state "S" [] : []
  %p = ssm.prev "S" by [1] : []
  %d = ssm.mul %A, %p : [], []
  %kept = ssm.select %r, %x, %d : [] i1, [], []
  %S = ssm.add %kept, %x : [], []
  ssm.update "S", %S : []
  ssm.out "o" [], %S : []
  ssm.out "r" [], %r : [] i1
)";

TEST(gradientDoesNotDependOnThreads) {
  Program program(leaky);
  Point point = randomPoint(program.recurrence, {3, {9}, 5, 1, {{"K", 1}, {"V", 1}}}, true);
  Results cotangents = randomCotangents(point);
  cotangents.outputs.erase("r");
  auto run = [&](unsigned threads) {
    return UNWRAP(reference::differentiate(point.recurrence, point.sizes, point.operands,
                                           point.states, cotangents, threads));
  };
  auto one = run(1);
  for (unsigned threads : {2, 4}) {
    auto other = run(threads);
    for (auto& [name, array] : one.operands)
      CHECK(!std::memcmp(array.getData(), other.operands[name].getData(), array.getNumBytes()));
    for (auto& [name, array] : one.states)
      CHECK(!std::memcmp(array.getData(), other.states[name].getData(), array.getNumBytes()));
  }
}

TEST(gradientsThatAreRefused) {
  Program program(leaky);
  auto operands = mapOf({{"x", arrayOf({1, 2, 1}, {1, 2})},
                         {"A", arrayOf({}, {1})},
                         {"r", arrayOf({1, 2, 1}, {0, 0}, DType::Bool)}});
  auto run = [&](Results cotangents, int64_t steps = 2) {
    return reference::differentiate(program.recurrence, sizesOf({steps}), operands, {}, cotangents);
  };
  CHECK_ERROR(run({mapOf({{"p", arrayOf({}, {1})}}), {}}),
              "the recurrence has no output 'p'; it has 'o', 'r'");
  CHECK_ERROR(run({mapOf({{"o", arrayOf({2}, {1, 1})}}), {}}),
              "the cotangent of output 'o' has shape [2], expected [1, 2, 1], which is [B, t, H]");
  CHECK_ERROR(run({mapOf({{"o", arrayOf({1, 2, 1}, {1, 1, 1, 1}, DType::Complex64)}}), {}}),
              "the cotangent of output 'o' holds complex64 numbers, expected real ones");
  CHECK_ERROR(run({mapOf({{"r", arrayOf({1, 2, 1}, {1, 1})}}), {}}),
              "output 'r' has no cotangent: it is neither real nor complex");
  CHECK_ERROR(run({{}, mapOf({{"T", arrayOf({1, 1}, {1})}})}), "no state 'T'; it has 'S'");
  CHECK_ERROR(run({{}, mapOf({{"S", arrayOf({1}, {1})}})}),
              "the cotangent of state 'S' has shape [1]");
  CHECK_ERROR(run({}, 3), "operand 'x' has shape");
}

TEST(gradientsThatAreTooLarge) {
  // No memory is touched: an array of one element stands for none that fits.
  Program program(R"(
    %A = ssm.in "A" [] param scope(shared) : []
    ssm.state "S" [i] : [i: K]
    %p = ssm.prev "S" by [1] : [i: K]
    %S = ssm.mul %A, %p : [], [i: K]
    ssm.update "S", %S : [i: K]
  )");
  auto operands = mapOf({{"A", arrayOf({}, {1})}});
  CHECK_ERROR(reference::differentiate(program.recurrence, sizesOf({int64_t(1) << 30}, 64),
                                       operands, {}, {}),
              "the gradient by the reference keeps every state at every step: 1.00 TiB at these "
              "sizes; at most 8.00 GiB is supported");
}
