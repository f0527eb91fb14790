// The gradient of each op, real and complex, and of folds.
#include "GradientCheck.h"

using namespace ssmc;
using namespace ssmc::test;

static const std::string complex = " complex<f32>";

/// Checks the gradient of a body over a few steps, heads and groups, with and without states.
static void checkOps(const std::string& body, llvm::ArrayRef<llvm::StringRef> zeros = {}) {
  Program program(body);
  reference::Sizes sizes = {2, {3}, 2, 1, {{"K", 3}, {"V", 4}}};
  bool hasStates = !program.recurrence.getBlock()->getOps<ssm::StateOp>().empty();
  for (bool withStates : {false, true}) {
    if (withStates && !hasStates)
      continue;
    Point point = randomPoint(program.recurrence, sizes, withStates);
    checkGradient(point, zeros);
  }
}

/// `%o = ssm.OP %x`, from one element type to another.
static void checkUnary(const std::string& op, const std::string& from = "",
                       const std::string& to = "", llvm::ArrayRef<llvm::StringRef> zeros = {}) {
  checkOps("%x = ssm.in \"x\" [i] : [i: K]" + from + "\n%o = ssm." + op + " %x : [i: K]" + from +
               "\nssm.out \"o\" [i], %o : [i: K]" + to,
           zeros);
}

TEST(gradientsOfRealFunctions) {
  for (const char* op : {"neg", "exp", "log", "sqrt", "rsqrt", "abs", "sin", "cos", "tanh",
                         "sigmoid", "softplus", "silu", "relu", "conj", "real"})
    checkUnary(op);
  checkUnary("cis", "", complex);
  checkUnary("sign", "", "", {"x"});
  checkUnary("imag", "", "", {"x"});
}

TEST(gradientsOfComplexFunctions) {
  for (const char* op : {"neg", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "tanh", "sigmoid",
                         "softplus", "silu", "conj"})
    checkUnary(op, complex, complex);
  for (const char* op : {"abs", "real", "imag"})
    checkUnary(op, complex);
}

/// `%o = ssm.OP %x, %y`, aligned by label: x has i, y has i and j, or the other way round.
static void checkBinary(const std::string& op, const std::string& x, const std::string& y) {
  std::string to = x + y == "" ? "" : complex;
  std::string few = "[i: K]", many = "[i: K, j: V]";
  for (auto& [left, right] : {std::pair(few, many), std::pair(many, few)})
    checkOps("%x = ssm.in \"x\" " + std::string(left == few ? "[i]" : "[j, i]") + " : " + left + x +
             "\n%y = ssm.in \"y\" " + std::string(right == few ? "[i]" : "[j, i]") + " : " + right +
             y + "\n%o = ssm." + op + " %x, %y : " + left + x + ", " + right + y +
             "\nssm.out \"o\" [i, j], %o : " + many + to);
}

TEST(gradientsOfPairs) {
  for (const char* op : {"add", "sub", "mul", "div", "pow"})
    for (const std::string& x : {std::string(), complex})
      for (const std::string& y : {std::string(), complex})
        checkBinary(op, x, y);
  checkBinary("max", "", "");
  checkBinary("min", "", "");
}

TEST(gradientsOfSelect) {
  for (const std::string& x : {std::string(), complex})
    for (const std::string& y : {std::string(), complex}) {
      std::string to = x + y == "" ? "" : complex;
      checkOps("%c = ssm.in \"c\" [j] : [j: V]\n%zero = ssm.constant 0.0\n"
               "%b = ssm.cmp lt %c, %zero : [j: V], []\n%x = ssm.in \"x\" [i] : [i: K]" +
                   x + "\n%y = ssm.in \"y\" [j, i] : [i: K, j: V]" + y +
                   "\n%o = ssm.select %b, %x, %y : [j: V] i1, [i: K]" + x + ", [i: K, j: V]" + y +
                   "\nssm.out \"o\" [i, j], %o : [i: K, j: V]" + to,
               {"c"});
    }
}

TEST(gradientsOfCasts) {
  // Only from real to complex does anything flow back.
  checkOps(R"(
    %x = ssm.in "x" [] : []
    %b = ssm.in "b" [] : [] i1
    %n = ssm.in "n" [] : [] i32
    %xc = ssm.cast %x : [] to [] complex<f32>
    %xb = ssm.cast %x : [] to [] i1
    %b1 = ssm.cast %b : [] i1 to []
    %b2 = ssm.cast %xb : [] i1 to []
    %n1 = ssm.cast %n : [] i32 to []
    %0 = ssm.mul %xc, %b1 : [] complex<f32>, []
    %1 = ssm.add %0, %xc : [] complex<f32>, [] complex<f32>
    %2 = ssm.mul %1, %b2 : [] complex<f32>, []
    %3 = ssm.add %2, %n1 : [] complex<f32>, []
    ssm.out "o" [], %3 : [] complex<f32>
  )");
}

TEST(gradientsOfReductions) {
  for (const char* over : {"[i]", "[j]", "[i, j]"})
    for (const std::string& op : {"sum", "maximum"})
      for (const std::string& element : {std::string(), complex}) {
        if (op == "maximum" && element != "")
          continue;
        std::string left = over == std::string("[i]")   ? "[j]"
                           : over == std::string("[j]") ? "[i]"
                                                        : "[]";
        std::string type = left == "[j]" ? "[j: V]" : left == "[i]" ? "[i: K]" : "[]";
        checkOps("%x = ssm.in \"x\" [j, i] : [i: K, j: V]" + element + "\n%o = ssm." + op +
                 " %x over " + over + " : [i: K, j: V]" + element + "\nssm.out \"o\" " + left +
                 ", %o : " + type + element);
      }
}

TEST(gradientsOfLabelChanges) {
  // A transposed copy, the diagonal, and a broadcast, each with a factor of its own.
  for (const std::string& element : {std::string(), complex})
    checkOps("%x = ssm.in \"x\" [i, l] : [i: K, l: K]" + element + R"(
      %w = ssm.in "w" [i] : [i: K]
      %t = ssm.relabel %x [i, l] to [l, i] : [i: K, l: K])" +
             element + "\n%d = ssm.relabel %x [l] to [i] : [i: K, l: K]" + element +
             "\n%b = ssm.broadcast %d : [i: K]" + element + " to [i: K, j: V]" + element +
             "\n%tw = ssm.mul %t, %w : [i: K, l: K]" + element +
             ", [i: K]\nssm.out \"t\" [i, l], %tw : [i: K, l: K]" + element +
             "\nssm.out \"b\" [i, j], %b : [i: K, j: V]" + element);
}

TEST(gradientOfAFold) {
  // Two carried values that change places, a value from outside, and two stacked values.
  for (const char* direction : {"", "reverse "})
    checkOps(R"(
      %x = ssm.in "x" [i] : [i: K]
      %y = ssm.in "y" [i] : [i: K] complex<f32>
      %f = ssm.in "f" [i, s] : [i: K, s: J]
      %g = ssm.in "g" [s] param : [s: J]
      %w = ssm.in "w" [i] : [i: K]
      %xc = ssm.cast %x : [i: K] to [i: K] complex<f32>
      %a, %b, %c, %d = ssm.fold over [s: J] )" +
             std::string(direction) +
             R"(carry(%p = %xc : [i: K] complex<f32>, %q = %y : [i: K] complex<f32>) {
        %fs = ssm.at %f "s" : [i: K, s: J]
        %gs = ssm.at %g "s" : [s: J]
        %h = ssm.mul %fs, %w : [i: K], [i: K]
        %pq = ssm.mul %p, %q : [i: K] complex<f32>, [i: K] complex<f32>
        %n = ssm.add %pq, %h : [i: K] complex<f32>, [i: K]
        %m = ssm.mul %p, %gs : [i: K] complex<f32>, []
        %r = ssm.abs %n : [i: K] complex<f32>
        ssm.yield %m, %n, %p, %r
          : [i: K] complex<f32>, [i: K] complex<f32>, [i: K] complex<f32>, [i: K]
      }
      ssm.out "a" [i], %a : [i: K] complex<f32>
      ssm.out "b" [i], %b : [i: K] complex<f32>
      ssm.out "c" [s, i], %c : [i: K, s: J] complex<f32>
      ssm.out "d" [i, s], %d : [i: K, s: J]
    )");
}

TEST(gradientOfNestedFolds) {
  // The inner fold runs over another axis, starts from the outer carried value and reads a state
  // and an input of its own.
  checkOps(R"(
    %x = ssm.in "x" [s, i] : [i: K, s: J]
    %k = ssm.in "k" [i, j] : [i: K, j: V]
    ssm.state "S" [] : []
    %start = ssm.constant 0.7
    %p = ssm.prev "S" by [1] : []
    %m0 = ssm.add %p, %start : [], []
    %r = ssm.fold over [s: J] carry(%m = %m0 : []) {
      %xs = ssm.at %x "s" : [i: K, s: J]
      %u = ssm.fold over [i: K] carry(%n = %m : []) {
        %xi = ssm.at %xs "i" : [i: K]
        %ki = ssm.at %k "i" : [i: K, j: V]
        %k1 = ssm.sum %ki over [j] : [j: V]
        %again = ssm.prev "S" by [2] : []
        %in = ssm.in "in" [] : []
        %0 = ssm.mul %n, %xi : [], []
        %1 = ssm.add %0, %k1 : [], []
        %2 = ssm.mul %again, %in : [], []
        %3 = ssm.add %1, %2 : [], []
        %4 = ssm.tanh %3 : []
        ssm.yield %4 : []
      }
      %v = ssm.mul %u, %m : [], []
      ssm.yield %v : []
    }
    %S = ssm.sin %r : []
    ssm.update "S", %S : []
    ssm.out "o" [], %r : []
  )");
}

TEST(gradientOfAFoldOfConstants) {
  // A fold over params alone runs once, before the first step.
  checkOps(R"(
    %A = ssm.in "A" [s] param : [s: J]
    %x = ssm.in "x" [] : []
    %one = ssm.constant 1.0
    %p = ssm.fold over [s: J] carry(%m = %one : []) {
      %As = ssm.at %A "s" : [s: J]
      %n = ssm.mul %m, %As : [], []
      ssm.yield %n : []
    }
    %o = ssm.mul %x, %p : [], []
    ssm.out "o" [], %o : []
  )");
}
