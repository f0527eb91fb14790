// Each op on small numbers.
#include "Fixture.h"

using namespace ssmc;
using namespace ssmc::test;
using runtime::DType;

/// Applies one op to x (and y), real, along time.
static runtime::ArrayMap apply(const std::string& op, std::vector<double> x,
                               std::vector<double> y = {}) {
  bool two = !y.empty();
  Program program("%x = ssm.in \"x\" [] : []\n" +
                  std::string(two ? "%y = ssm.in \"y\" [] : []\n" : "") + "%o = ssm." + op + " %x" +
                  (two ? ", %y : [], []\n" : " : []\n") + "ssm.out \"o\" [], %o : []");
  runtime::ArrayMap operands;
  int64_t steps = int64_t(x.size());
  auto add = [&](const char* name, const std::vector<double>& values) {
    runtime::Array array = UNWRAP(runtime::Array::create(DType::F64, {1, steps, 1}));
    runtime::fromDoubles(DType::F64, values.data(), steps, array.getData());
    operands.emplace(name, std::move(array));
  };
  add("x", x);
  if (two)
    add("y", y);
  return UNWRAP(program.run(sizesOf({steps}), operands)).outputs;
}

TEST(realFunctions) {
  CHECK_ARRAY(apply("neg", {1, -2}), "o", {-1, 2});
  CHECK_ARRAY(apply("exp", {0, 1, -inf}), "o", {1, 2.718281828459045, 0});
  CHECK_ARRAY(apply("log", {1, 0}), "o", {0, -inf});
  CHECK_ARRAY(apply("sqrt", {9, 2}), "o", {3, 1.4142135623730951});
  CHECK_ARRAY(apply("rsqrt", {4}), "o", {0.5});
  CHECK_ARRAY(apply("abs", {-3, 3}), "o", {3, 3});
  CHECK_ARRAY(apply("sign", {-3, 0, 5, nan_}), "o", {-1, 0, 1, nan_});
  CHECK_ARRAY(apply("sin", {1}), "o", {0.8414709848078965});
  CHECK_ARRAY(apply("cos", {1}), "o", {0.5403023058681398});
  CHECK_ARRAY(apply("tanh", {1, 100}), "o", {0.7615941559557649, 1});
  CHECK_ARRAY(apply("sigmoid", {0, 2, -800, 800, nan_}), "o",
              {0.5, 0.8807970779778823, 0, 1, nan_});
  CHECK_ARRAY(apply("softplus", {0, 800, -800, nan_, inf, -inf}), "o",
              {0.6931471805599453, 800, 0, nan_, inf, 0});
  CHECK_ARRAY(apply("silu", {2, -800}), "o", {1.7615941559557649, 0});
  CHECK_ARRAY(apply("relu", {2, -2, nan_}), "o", {2, 0, nan_});
  CHECK_ARRAY(apply("conj", {2}), "o", {2});
  CHECK_ARRAY(apply("imag", {2}), "o", {0});
}

TEST(realPairs) {
  CHECK_ARRAY(apply("add", {1}, {2}), "o", {3});
  CHECK_ARRAY(apply("sub", {1}, {2}), "o", {-1});
  CHECK_ARRAY(apply("mul", {3}, {2}), "o", {6});
  CHECK_ARRAY(apply("div", {3, 1}, {2, 0}), "o", {1.5, inf});
  CHECK_ARRAY(apply("pow", {3}, {2}), "o", {9});
  CHECK_ARRAY(apply("max", {3, nan_, 1}, {2, 1, nan_}), "o", {3, nan_, nan_});
  CHECK_ARRAY(apply("min", {3, nan_, 1}, {2, 1, nan_}), "o", {2, nan_, nan_});
}

TEST(comparisons) {
  auto compare = [](const char* predicate) {
    Program program(
        std::string("%x = ssm.in \"x\" [] : []\n%y = ssm.in \"y\" [] : []\n%c = ssm.cmp ") +
        predicate + " %x, %y : [], []\n%o = ssm.cast %c : [] i1 to []\nssm.out \"o\" [], %o : []");
    return UNWRAP(program.run(sizesOf({4}), mapOf({{"x", arrayOf({1, 4, 1}, {1, 2, 3, nan_})},
                                                   {"y", arrayOf({1, 4, 1}, {2, 2, 2, 2})}})))
        .outputs;
  };
  CHECK_ARRAY(compare("lt"), "o", {1, 0, 0, 0});
  CHECK_ARRAY(compare("le"), "o", {1, 1, 0, 0});
  CHECK_ARRAY(compare("gt"), "o", {0, 0, 1, 0});
  CHECK_ARRAY(compare("ge"), "o", {0, 1, 1, 0});
  CHECK_ARRAY(compare("eq"), "o", {0, 1, 0, 0});
  CHECK_ARRAY(compare("ne"), "o", {1, 0, 1, 1});
}

TEST(complexFunctions) {
  auto run = [](const std::string& op, double re, double im, const char* type = "complex<f32>") {
    Program program("%x = ssm.in \"x\" [] : [] complex<f32>\n%o = ssm." + op +
                    (op.find(',') == std::string::npos ? " : " : " : [] complex<f32>, ") +
                    "[] complex<f32>\nssm.out \"o\" [], %o : [] " + type);
    return UNWRAP(program.run(sizesOf({1}),
                              mapOf({{"x", arrayOf({1, 1, 1}, {re, im}, DType::Complex128)}})))
        .outputs;
  };
  CHECK_ARRAY(run("exp %x", 0, std::acos(-1.0)), "o", {-1, 0});
  CHECK_ARRAY(run("conj %x", 1, 2), "o", {1, -2});
  CHECK_ARRAY(run("neg %x", 1, 2), "o", {-1, -2});
  CHECK_ARRAY(run("sqrt %x", -4, 0), "o", {0, 2});
  CHECK_ARRAY(run("rsqrt %x", -4, 0), "o", {0, -0.5});
  CHECK_ARRAY(run("abs %x", 3, 4, ""), "o", {5});
  CHECK_ARRAY(run("real %x", 3, 4, ""), "o", {3});
  CHECK_ARRAY(run("imag %x", 3, 4, ""), "o", {4});
  CHECK_ARRAY(run("mul %x, %x", 1, 2), "o", {-3, 4});
  CHECK_ARRAY(run("div %x, %x", 1, 2), "o", {1, 0});
  CHECK_ARRAY(run("log %x", 0, 1), "o", {0, std::acos(0.0)});
  CHECK_ARRAY(run("softplus %x", 800, 1), "o", {800, 1});
}

/// One step of a body whose input is x [K, K] or the like.
static runtime::ArrayMap once(const char* body, runtime::ArrayMap operands, int64_t K, int64_t V) {
  Program program(body);
  return UNWRAP(program.run(sizesOf({1}, K, V), operands)).outputs;
}

TEST(alignment) {
  // Labels are sorted; operands meet by label whatever their rank.
  auto outputs = once(R"(
    %a = ssm.in "a" [j] : [j: V]
    %b = ssm.in "b" [i] : [i: K]
    %c = ssm.in "c" [i, j] : [i: K, j: V]
    %0 = ssm.mul %a, %b : [j: V], [i: K]
    %1 = ssm.add %0, %c : [i: K, j: V], [i: K, j: V]
    %2 = ssm.sub %a, %1 : [j: V], [i: K, j: V]
    %3 = ssm.sub %1, %b : [i: K, j: V], [i: K]
    ssm.out "x" [i, j], %1 : [i: K, j: V]
    ssm.out "y" [i, j], %2 : [i: K, j: V]
    ssm.out "z" [j, i], %3 : [i: K, j: V]
  )",
                      mapOf({{"a", arrayOf({1, 1, 1, 3}, {1, 2, 3})},
                             {"b", arrayOf({1, 1, 1, 2}, {10, 100})},
                             {"c", arrayOf({1, 1, 1, 2, 3}, {1, 2, 3, 4, 5, 6})}}),
                      2, 3);
  CHECK_ARRAY(outputs, "x", {11, 22, 33, 104, 205, 306});
  CHECK_ARRAY(outputs, "y", {-10, -20, -30, -103, -203, -303});
  CHECK_ARRAY(outputs, "z", {1, 4, 12, 105, 23, 206});
}

TEST(reductions) {
  auto outputs = once(R"(
    %x = ssm.in "x" [i, j] : [i: K, j: V]
    %i = ssm.sum %x over [i] : [i: K, j: V]
    %j = ssm.sum %x over [j] : [i: K, j: V]
    %ij = ssm.sum %x over [j, i] : [i: K, j: V]
    %mi = ssm.maximum %x over [i] : [i: K, j: V]
    %mj = ssm.maximum %x over [j] : [i: K, j: V]
    ssm.out "i" [j], %i : [j: V]
    ssm.out "j" [i], %j : [i: K]
    ssm.out "ij" [], %ij : []
    ssm.out "mi" [j], %mi : [j: V]
    ssm.out "mj" [i], %mj : [i: K]
  )",
                      mapOf({{"x", arrayOf({1, 1, 1, 2, 3}, {1, 5, 3, 4, 2, nan_})}}), 2, 3);
  CHECK_ARRAY(outputs, "i", {5, 7, nan_});
  CHECK_ARRAY(outputs, "j", {9, nan_});
  CHECK_ARRAY(outputs, "ij", {nan_});
  CHECK_ARRAY(outputs, "mi", {4, 5, nan_});
  CHECK_ARRAY(outputs, "mj", {5, nan_});
}

TEST(emptyReductions) {
  auto outputs = once(R"(
    %x = ssm.in "x" [i, j] : [i: K, j: V]
    %s = ssm.sum %x over [i] : [i: K, j: V]
    %m = ssm.maximum %x over [i] : [i: K, j: V]
    ssm.out "s" [j], %s : [j: V]
    ssm.out "m" [j], %m : [j: V]
  )",
                      mapOf({{"x", arrayOf({1, 1, 1, 0, 2}, {})}}), 0, 2);
  CHECK_ARRAY(outputs, "s", {0, 0});
  CHECK_ARRAY(outputs, "m", {-inf, -inf});
}

TEST(relabelDiagonalAndSwap) {
  auto outputs = once(R"(
    %x = ssm.in "x" [i, l] : [i: K, l: K]
    %d = ssm.relabel %x [l] to [i] : [i: K, l: K]
    %t = ssm.relabel %x [i, l] to [l, i] : [i: K, l: K]
    %z = ssm.relabel %x [i] to [z] : [i: K, l: K]
    ssm.out "d" [i], %d : [i: K]
    ssm.out "t" [i, l], %t : [i: K, l: K]
    ssm.out "z" [z, l], %z : [l: K, z: K]
  )",
                      mapOf({{"x", arrayOf({1, 1, 1, 2, 2}, {1, 2, 3, 4})}}), 2, 1);
  CHECK_ARRAY(outputs, "d", {1, 4});
  CHECK_ARRAY(outputs, "t", {1, 3, 2, 4});
  CHECK_ARRAY(outputs, "z", {1, 2, 3, 4});
}

TEST(broadcastAndCast) {
  auto outputs = once(R"(
    %x = ssm.in "x" [j] : [j: V]
    %b = ssm.broadcast %x : [j: V] to [i: K, j: V]
    %t = ssm.cast %x : [j: V] to [j: V] i1
    %c = ssm.cast %x : [j: V] to [j: V] complex<f32>
    ssm.out "b" [i, j], %b : [i: K, j: V]
    ssm.out "t" [j], %t : [j: V] i1
    ssm.out "c" [j], %c : [j: V] complex<f32>
  )",
                      mapOf({{"x", arrayOf({1, 1, 1, 2}, {0, 3})}}), 2, 2);
  CHECK_ARRAY(outputs, "b", {0, 3, 0, 3});
  CHECK_ARRAY(outputs, "t", {0, 1});
  CHECK_ARRAY(outputs, "c", {0, 0, 3, 0});
}

TEST(foldCarriesAndStacks) {
  // m = m * 10 + k[s], all of its values kept; a second carried value swaps with a third each step.
  auto outputs = once(R"(
    %k = ssm.in "k" [s, i] : [i: K, s: J]
    %zero = ssm.constant 0.0
    %one = ssm.constant 1.0
    %ten = ssm.constant 10.0
    %start = ssm.broadcast %zero : [] to [i: K]
    %r:4 = ssm.fold over [s: J] carry(%m = %start : [i: K], %a = %zero : [], %b = %one : []) {
      %ks = ssm.at %k "s" : [i: K, s: J]
      %t = ssm.mul %m, %ten : [i: K], []
      %n = ssm.add %t, %ks : [i: K], [i: K]
      ssm.yield %n, %b, %a, %n : [i: K], [], [], [i: K]
    }
    ssm.out "m" [i], %r#0 : [i: K]
    ssm.out "a" [], %r#1 : []
    ssm.out "b" [], %r#2 : []
    ssm.out "all" [s, i], %r#3 : [i: K, s: J]
  )",
                      mapOf({{"k", arrayOf({1, 1, 1, 2, 2}, {1, 2, 3, 4})}}), 2, 1);
  CHECK_ARRAY(outputs, "m", {13, 24});
  CHECK_ARRAY(outputs, "a", {0});
  CHECK_ARRAY(outputs, "b", {1});
  CHECK_ARRAY(outputs, "all", {1, 2, 13, 24});
}

TEST(foldInReverseAndNested) {
  auto outputs = once(R"(
    %k = ssm.in "k" [s, i] : [i: K, s: J]
    %zero = ssm.constant 0.0
    %ten = ssm.constant 10.0
    %r = ssm.fold over [s: J] reverse carry(%m = %zero : []) {
      %ks = ssm.at %k "s" : [i: K, s: J]
      %inner = ssm.fold over [i: K] carry(%n = %m : []) {
        %ki = ssm.at %ks "i" : [i: K]
        %t = ssm.mul %n, %ten : [], []
        %u = ssm.add %t, %ki : [], []
        ssm.yield %u : []
      }
      ssm.yield %inner : []
    }
    ssm.out "m" [], %r : []
  )",
                      mapOf({{"k", arrayOf({1, 1, 1, 2, 2}, {1, 2, 3, 4})}}), 2, 1);
  CHECK_ARRAY(outputs, "m", {3412});
}

TEST(foldOverNothing) {
  Program program(R"(
    %k = ssm.in "k" [s] : [s: J]
    %one = ssm.constant 1.0
    %r:2 = ssm.fold over [s: J] carry(%m = %one : []) {
      %ks = ssm.at %k "s" : [s: J]
      ssm.yield %ks, %m : [], []
    }
    ssm.out "m" [], %r#0 : []
    ssm.out "all" [s], %r#1 : [s: J]
  )");
  reference::Sizes sizes = sizesOf({1});
  sizes.dims["J"] = 0;
  auto outputs = UNWRAP(program.run(sizes, mapOf({{"k", arrayOf({1, 1, 1, 0}, {})}}))).outputs;
  CHECK_ARRAY(outputs, "m", {1});
  CHECK_ARRAY(outputs, "all", {});
}
