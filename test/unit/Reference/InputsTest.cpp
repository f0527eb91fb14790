// Test data are chosen by what a declaration does with each operand.
#include "ssmc/Reference/Inputs.h"
#include "Fixture.h"

using namespace ssmc;
using namespace ssmc::test;
using runtime::DType;
using runtime::Fill;

/// Chooses for K = 16 and V = 4 over 100 steps.
static reference::InputPlan choose(const std::string& body) {
  Program program(body);
  return UNWRAP(reference::chooseInputs(program.recurrence, sizesOf({100}, 16, 4)));
}

/// S = c * prev(S) + x, where `coefficient` defines %c.
static reference::InputPlan chooseFor(const std::string& coefficient) {
  return choose(coefficient + R"(
    %x = ssm.in "x" [] : []
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %d = ssm.mul %c, %p : [], []
    %S = ssm.add %d, %x : [], []
    ssm.update "S", %S : []
    ssm.out "o" [], %S : []
  )");
}

static bool chosen(const reference::InputPlan& plan, const char* name, Fill fill) {
  auto it = plan.operands.find(name);
  return it != plan.operands.end() && it->second.fill == fill;
}

TEST(factorsBecomeGates) {
  auto plan = chooseFor("%c = ssm.in \"a\" [] : []");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::UnitInterval) &&
        chosen(plan, "x", Fill::Normal));
  plan = chooseFor(
      "%a = ssm.in \"a\" [] : []\n%one = ssm.constant 1.0\n%c = ssm.sub %one, %a : [], []");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::UnitInterval));
  plan = chooseFor("%a = ssm.in \"a\" [] : []\n%c = ssm.sigmoid %a : []");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::Normal));
  plan = chooseFor("%a = ssm.in \"a\" [] : []\n%c = ssm.tanh %a : []");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::Normal));
}

TEST(exponentsBecomeNegative) {
  auto plan = chooseFor("%g = ssm.in \"g\" [] : []\n%c = ssm.exp %g : []");
  CHECK(plan.provenStable && chosen(plan, "g", Fill::NegativeLog) &&
        plan.operands["g"].scale == reference::usualStrength);
  plan = chooseFor("%g = ssm.in \"g\" [] : []\n%n = ssm.neg %g : []\n%c = ssm.exp %n : []");
  CHECK(plan.provenStable && chosen(plan, "g", Fill::Positive) &&
        plan.operands["g"].scale == reference::usualStrength);
  // The rate is the one that is constant in time, whichever comes first.
  for (const char* product : {"%dt, %A", "%A, %dt"}) {
    plan = chooseFor("%dt = ssm.in \"dt\" [] : []\n%A = ssm.in \"A\" [] param : []\n%m = ssm.mul " +
                     std::string(product) + " : [], []\n%c = ssm.exp %m : []");
    CHECK(plan.provenStable && chosen(plan, "dt", Fill::Positive) &&
          chosen(plan, "A", Fill::NegativeLog));
  }
  // -softplus(a) * exp(b) needs nothing of a and b.
  plan =
      chooseFor("%a = ssm.in \"a\" [] : []\n%b = ssm.in \"b\" [] : []\n%s = ssm.softplus %a : []\n"
                "%n = ssm.neg %s : []\n%e = ssm.exp %b : []\n%m = ssm.mul %n, %e : [], []\n%c = "
                "ssm.exp %m : []");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::Normal) && chosen(plan, "b", Fill::Normal));
}

TEST(valuesBelowTheirMaximum) {
  // exp(f + m - max(f + m, i)) contracts whatever f and i are; the maximum itself wants f <= 0.
  auto plan = choose(R"(
    %f = ssm.in "f" [] : []
    %i = ssm.in "i" [] : []
    ssm.state "m" [] : []
    ssm.state "S" [] : []
    %pm = ssm.prev "m" by [1] : []
    %pS = ssm.prev "S" by [1] : []
    %a = ssm.add %f, %pm : [], []
    %b = ssm.add %pm, %f : [], []
    %m = ssm.max %a, %i : [], []
    %d = ssm.sub %b, %m : [], []
    %c = ssm.exp %d : []
    %S = ssm.mul %c, %pS : [], []
    ssm.update "m", %m : []
    ssm.update "S", %S : []
  )");
  CHECK(plan.provenStable && chosen(plan, "f", Fill::NegativeLog) &&
        chosen(plan, "i", Fill::Normal));
}

/// S = D + SIGN beta k (KEY · D) with D = S, over the label i.
static reference::InputPlan chooseDeltaRule(const char* sign, const char* key) {
  return choose(std::string(R"(
    %k = ssm.in "k" [i] : [i: K]
    %w = ssm.in "w" [i] : [i: K]
    %b = ssm.in "beta" [] : []
    %v = ssm.in "v" [j] : [j: V]
    ssm.state "S" [i, j] : [i: K, j: V]
    %p = ssm.prev "S" by [1] : [i: K, j: V]
    %kp = ssm.mul )") +
                key + R"(, %p : [i: K], [i: K, j: V]
    %r = ssm.sum %kp over [i] : [i: K, j: V]
    %e = ssm.)" +
                sign + R"( %v, %r : [j: V], [j: V]
    %bk = ssm.mul %b, %k : [], [i: K]
    %u = ssm.mul %bk, %e : [i: K], [j: V]
    %S = ssm.add %p, %u : [i: K, j: V], [i: K, j: V]
    ssm.update "S", %S : [i: K, j: V]
  )");
}

TEST(keysHaveLengthOne) {
  auto plan = chooseDeltaRule("sub", "%k");
  CHECK(plan.provenStable && chosen(plan, "k", Fill::UnitNorm) &&
        chosen(plan, "beta", Fill::UnitInterval));
  CHECK(chosen(plan, "v", Fill::Normal) && plan.operands["v"].scale == 1);
  // Feedback that amplifies, and feedback along another direction, can only be made small.
  plan = chooseDeltaRule("add", "%k");
  CHECK(!plan.provenStable && chosen(plan, "k", Fill::Normal) && plan.operands["k"].scale < 0.1);
  plan = chooseDeltaRule("sub", "%w");
  CHECK(!plan.provenStable && chosen(plan, "w", Fill::Normal) && plan.operands["w"].scale < 0.1);
}

TEST(householderStepsOfAFold) {
  auto plan = choose(R"(
    %g = ssm.in "g" [] : []
    %k = ssm.in "k" [s, i] : [i: K, s: J]
    %v = ssm.in "v" [s, j] : [j: V, s: J]
    %b = ssm.in "beta" [s] : [s: J]
    ssm.state "S" [i, j] : [i: K, j: V]
    %p = ssm.prev "S" by [1] : [i: K, j: V]
    %a = ssm.exp %g : []
    %D = ssm.mul %a, %p : [], [i: K, j: V]
    %S = ssm.fold over [s: J] carry(%M = %D : [i: K, j: V]) {
      %ki = ssm.at %k "s" : [i: K, s: J]
      %bs = ssm.at %b "s" : [s: J]
      %vs = ssm.at %v "s" : [j: V, s: J]
      %kl = ssm.relabel %ki [i] to [l] : [i: K]
      %Ml = ssm.relabel %M [i] to [l] : [i: K, j: V]
      %kM = ssm.mul %kl, %Ml : [l: K], [j: V, l: K]
      %r = ssm.sum %kM over [l] : [j: V, l: K]
      %e = ssm.sub %vs, %r : [j: V], [j: V]
      %bk = ssm.mul %bs, %ki : [], [i: K]
      %u = ssm.mul %bk, %e : [i: K], [j: V]
      %n = ssm.add %M, %u : [i: K, j: V], [i: K, j: V]
      ssm.yield %n : [i: K, j: V]
    }
    ssm.update "S", %S : [i: K, j: V]
  )");
  CHECK(plan.provenStable && chosen(plan, "g", Fill::NegativeLog) &&
        chosen(plan, "k", Fill::UnitNorm));
  CHECK(chosen(plan, "beta", Fill::UnitInterval) && chosen(plan, "v", Fill::Normal));
}

TEST(bilinearRule) {
  // (a + z) / (a - z), as one quotient and as a product with 1 / (a - z), for Re z <= 0.
  const std::string parts = R"(
    %dt = ssm.in "dt" [] param : []
    %z = ssm.in "z" [] param : [] complex<f32>
    %two = ssm.constant 2.0
    %one = ssm.constant 1.0
    %a = ssm.div %two, %dt : [], []
    %b = ssm.div %two, %dt : [], []
    %sum = ssm.add %z, %b : [] complex<f32>, []
    %difference = ssm.sub %a, %z : [], [] complex<f32>
  )";
  for (const char* quotient : {"%c = ssm.div %sum, %difference : [] complex<f32>, [] complex<f32>",
                               "%r = ssm.div %one, %difference : [], [] complex<f32>\n"
                               "%c = ssm.mul %r, %sum : [] complex<f32>, [] complex<f32>"}) {
    auto plan = choose(parts + quotient + R"(
      ssm.state "S" [] : [] complex<f32>
      %p = ssm.prev "S" by [1] : [] complex<f32>
      %S = ssm.mul %c, %p : [] complex<f32>, [] complex<f32>
      ssm.update "S", %S : [] complex<f32>
    )");
    CHECK(plan.provenStable && chosen(plan, "dt", Fill::Positive) &&
          chosen(plan, "z", Fill::NegativeLog));
  }
}

TEST(severalEarlierValuesShare) {
  auto plan = choose(R"(
    %a = ssm.in "a" [] : []
    %b = ssm.in "b" [] : []
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %q = ssm.prev "S" by [2] : []
    %ap = ssm.mul %a, %p : [], []
    %bq = ssm.mul %b, %q : [], []
    %S = ssm.add %ap, %bq : [], []
    ssm.update "S", %S : []
  )");
  CHECK(plan.provenStable && plan.operands["a"].scale == 0.5 && plan.operands["b"].scale == 0.5);
}

TEST(complexCoefficients) {
  auto plan = choose(R"(
    %a = ssm.in "a" [] : [] complex<f32>
    %theta = ssm.in "theta" [] : []
    %r = ssm.in "r" [] : [] i1
    %zero = ssm.constant 0.0
    %turn = ssm.cis %theta : []
    %c = ssm.mul %a, %turn : [] complex<f32>, [] complex<f32>
    ssm.state "h" [] : [] complex<f32>
    %p = ssm.prev "h" by [1] : [] complex<f32>
    %h = ssm.mul %c, %p : [] complex<f32>, [] complex<f32>
    %s = ssm.select %r, %zero, %h : [] i1, [], [] complex<f32>
    ssm.update "h", %s : [] complex<f32>
  )");
  CHECK(plan.provenStable && chosen(plan, "a", Fill::UnitInterval) &&
        plan.operands["a"].scale == 0.7);
  CHECK(chosen(plan, "theta", Fill::PhaseAngle) && chosen(plan, "r", Fill::Bool));
}

TEST(squaresArePositive) {
  // log of a decaying sum of b k k: of the sign of b, whatever k is.
  auto plan = choose(R"(
    %k = ssm.in "k" [] : []
    %b = ssm.in "b" [] : []
    %g = ssm.in "g" [] : []
    ssm.state "A" [] : []
    %p = ssm.prev "A" by [1] : []
    %a = ssm.exp %g : []
    %d = ssm.mul %a, %p : [], []
    %bk = ssm.mul %b, %k : [], []
    %bkk = ssm.mul %bk, %k : [], []
    %A = ssm.add %d, %bkk : [], []
    ssm.update "A", %A : []
    %l = ssm.log %A : []
    ssm.out "l" [], %l : []
  )");
  CHECK(chosen(plan, "k", Fill::Normal) && chosen(plan, "b", Fill::Positive));
  CHECK(plan.states["A"].fill == Fill::Positive);
}

TEST(domainsOfFunctions) {
  auto plan = choose(R"(
    %x = ssm.in "x" [] : []
    %y = ssm.in "y" [] : []
    %z = ssm.in "z" [] : []
    ssm.state "S" [] : []
    %p = ssm.prev "S" by [1] : []
    %S = ssm.add %p, %y : [], []
    ssm.update "S", %S : []
    %l = ssm.log %x : []
    %o = ssm.div %z, %S : [], []
    ssm.out "l" [], %l : []
    ssm.out "o" [], %o : []
  )");
  CHECK(chosen(plan, "x", Fill::Positive) && chosen(plan, "y", Fill::Positive) &&
        chosen(plan, "z", Fill::Normal));
  // What divides is positive from the first step on.
  CHECK(plan.states["S"].fill == Fill::Positive);
}

TEST(strengthOfGates) {
  Program program(R"(
    %g = ssm.in "g" [] : []
    %A = ssm.in "A" [i] param : [i: K]
    %W = ssm.in "W" [i, j] param : [i: K, j: V]
    %c = ssm.exp %g : []
    ssm.state "S" [i] : [i: K]
    %p = ssm.prev "S" by [1] : [i: K]
    %d = ssm.mul %c, %p : [], [i: K]
    %Wv = ssm.sum %W over [j] : [i: K, j: V]
    %0 = ssm.add %d, %A : [i: K], [i: K]
    %S = ssm.add %0, %Wv : [i: K], [i: K]
    ssm.update "S", %S : [i: K]
  )");
  auto plan = UNWRAP(reference::chooseInputs(program.recurrence, sizesOf({100}, 16, 4), 6));
  CHECK((plan.operands["g"] == runtime::FillSpec{Fill::NegativeLog, 6}));
  CHECK((plan.states["S"] == runtime::FillSpec{Fill::Normal, 1}));
  // Matrices are scaled by their width.
  CHECK((plan.operands["A"] == runtime::FillSpec{Fill::Normal, 1}));
  CHECK((plan.operands["W"] == runtime::FillSpec{Fill::Normal, 0.5}));
}

TEST(aRequestThatFailsTakesNothing) {
  // Nothing bounds exp(x * x); x stays as it was.
  auto plan =
      chooseFor("%a = ssm.in \"a\" [] : []\n%m = ssm.mul %a, %a : [], []\n%c = ssm.exp %m : []");
  CHECK(!plan.provenStable && chosen(plan, "a", Fill::Normal));
}

TEST(deepExpressionsAreAnalysedQuickly) {
  std::string body = "%a = ssm.in \"a\" [] : []\n%0 = ssm.add %a, %a : [], []\n";
  for (int i = 0; i < 60; ++i)
    body += "%" + std::to_string(i + 1) + " = ssm.mul %" + std::to_string(i) + ", %" +
            std::to_string(i) + " : [], []\n";
  auto plan = chooseFor(body + "%c = ssm.exp %60 : []");
  CHECK(!plan.provenStable);
}

TEST(arraysAreDrawn) {
  Program program(R"(
    %x = ssm.in "x" [j, i] : [i: K, j: V]
    %y = ssm.in "y" [j, i] : [i: K, j: V]
  )");
  auto ops = program.recurrence.getBlock()->getOps<ssm::InOp>();
  reference::Layout layout = reference::layoutOf(*ops.begin());
  auto draw = [&](const char* name, int64_t steps, uint64_t seed) {
    return reference::draw(name, layout, DType::BF16, {Fill::Positive, 1}, program.recurrence,
                           sizesOf({steps}, 2, 3), seed);
  };
  runtime::Array x = UNWRAP(draw("x", 5, 1)), again = UNWRAP(draw("x", 5, 1)),
                 other = UNWRAP(draw("y", 5, 1)), later = UNWRAP(draw("x", 5, 2));
  CHECK(x.getDType() == DType::BF16 && x.getShape() == llvm::ArrayRef<int64_t>({1, 5, 1, 3, 2}));
  CHECK(x.get(7).real() > 0 && x.get(7) == again.get(7));
  CHECK(x.get(7) != other.get(7) && x.get(7) != later.get(7));
  CHECK_ERROR(draw("x", int64_t(1) << 50, 1), "'x': an array of shape");
}
