// Kernels, each with the loops in f64 that say what it means. Cases whose name begins with `*` are
// the sizes that are measured.
#include "CPUKernelHarness.h"

#include <cmath>
#include <fmt/format.h>

using namespace ssmc::test;

static std::string replaced(std::string text,
                            std::initializer_list<std::pair<const char*, std::string>> by) {
  for (auto& [from, to] : by)
    for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
      text.replace(at, std::string(from).size(), to);
  return text;
}

static std::string number(int64_t n) {
  return std::to_string(n);
}

//===-- gated linear attention ---------------------------------------------------------------===//

static const char* glaText = R"(
tile.kernel @k operands [
    #tile.operand<"q" in [i: $K] $T head>, #tile.operand<"k" in [i: $K] $T head>,
    #tile.operand<"v" in [j: $V] $T head>, #tile.operand<"g" in [i: $K] f32 head>,
    #tile.operand<"S" state_in [i: $K, j: $V] f32 head>,
    #tile.operand<"S" state_out [i: $K, j: $V] f32 head>,
    #tile.operand<"o" out [j: $V] $T head>] {
  %S0 = tile.load "S" : [i: $K, j: $V]
  %S1 = tile.sequence over [t: 16] axis 0 $R carry(%S = %S0 : [i: $K, j: $V]) {
    %q = tile.load "q" : [i: $K, t: 16]
    %k = tile.load "k" : [i: $K, t: 16]
    %v = tile.load "v" : [j: $V, t: 16]
    %g = tile.load "g" : [i: $K, t: 16]
    %a = ssm.exp %g : [i: $K, t: 16]
    %r:2 = ssm.fold over [t: 16] $R carry(%P = %S : [i: $K, j: $V]) {
      %at = ssm.at %a "t" : [i: $K, t: 16]
      %kt = ssm.at %k "t" : [i: $K, t: 16]
      %vt = ssm.at %v "t" : [j: $V, t: 16]
      %qt = ssm.at %q "t" : [i: $K, t: 16]
      %d = ssm.mul %at, %P : [i: $K], [i: $K, j: $V]
      %b = ssm.mul %kt, %vt : [i: $K], [j: $V]
      %Sn = ssm.add %d, %b : [i: $K, j: $V], [i: $K, j: $V]
      %m = ssm.mul %qt, %Sn : [i: $K], [i: $K, j: $V]
      %o = ssm.sum %m over [i] : [i: $K, j: $V]
      ssm.yield %Sn, %o : [i: $K, j: $V], [j: $V]
    }
    tile.store "o", %r#1 : [j: $V, t: 16]
    tile.yield %r#0 : [i: $K, j: $V]
  }
  tile.store "S", %S1 : [i: $K, j: $V]
})";

static Case gla(std::string name, int64_t K, int64_t V, Sizes sizes, std::string type = "f32",
                bool reverse = false, bool null = false) {
  Case c{
      name,
      replaced(
          glaText,
          {{"$K", number(K)}, {"$V", number(V)}, {"$T", type}, {"$R", reverse ? "reverse" : ""}}),
      {{"q", 'i', type, 'h', {K}},
       {"k", 'i', type, 'h', {K}},
       {"v", 'i', type, 'h', {V}},
       {"g", 'i', "f32", 'h', {K}, -2, 0},
       {"S", 's', "f32", 'h', {K, V}, -1, 1, null},
       {"S", 'S', "f32", 'h', {K, V}, -1, 1, null},
       {"o", 'o', type, 'h', {V}}},
      sizes};
  c.bound = type == "f32" ? 1e-5 : 4e-3;
  c.reference = [=](ItemView a) {
    std::vector<double> S(K * V);
    std::copy_n(a.at("S", 's'), K * V, S.begin());
    for (int64_t step = 0; step < a.sizes.time; ++step) {
      int64_t t = reverse ? a.sizes.time - 1 - step : step;
      double *q = a.at("q", 'i', t), *k = a.at("k", 'i', t), *v = a.at("v", 'i', t);
      double *g = a.at("g", 'i', t), *o = a.at("o", 'o', t);
      for (int64_t i = 0; i < K; ++i)
        for (int64_t j = 0; j < V; ++j)
          S[i * V + j] = std::exp(g[i]) * S[i * V + j] + k[i] * v[j];
      for (int64_t j = 0; j < V; ++j) {
        o[j] = 0;
        for (int64_t i = 0; i < K; ++i)
          o[j] += q[i] * S[i * V + j];
      }
    }
    std::copy(S.begin(), S.end(), a.at("S", 'S'));
  };
  return c;
}

//===-- gated delta rule ---------------------------------------------------------------------===//

static const char* gdrText = R"(
tile.kernel @k operands [
    #tile.operand<"q" in [i: $K] f32 head>, #tile.operand<"k" in [i: $K] f32 head>,
    #tile.operand<"v" in [j: $V] f32 head>, #tile.operand<"g" in [] f32 head>,
    #tile.operand<"beta" in [] f32 head>,
    #tile.operand<"S" state_in [i: $K, j: $V] f32 head>,
    #tile.operand<"S" state_out [i: $K, j: $V] f32 head>,
    #tile.operand<"o" out [j: $V] f32 head>] {
  %S0 = tile.load "S" : [i: $K, j: $V]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: $K, j: $V]) {
    %q = tile.load "q" : [i: $K, t: 16]
    %k = tile.load "k" : [i: $K, t: 16]
    %v = tile.load "v" : [j: $V, t: 16]
    %g = tile.load "g" : [t: 16]
    %be = tile.load "beta" : [t: 16]
    %a = ssm.exp %g : [t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: $K, j: $V]) {
      %at = ssm.at %a "t" : [t: 16]
      %bt = ssm.at %be "t" : [t: 16]
      %kt = ssm.at %k "t" : [i: $K, t: 16]
      %vt = ssm.at %v "t" : [j: $V, t: 16]
      %qt = ssm.at %q "t" : [i: $K, t: 16]
      %D = ssm.mul %at, %P : [], [i: $K, j: $V]
      %kd = ssm.mul %kt, %D : [i: $K], [i: $K, j: $V]
      %p = ssm.sum %kd over [i] : [i: $K, j: $V]
      %e = ssm.sub %vt, %p : [j: $V], [j: $V]
      %be1 = ssm.mul %bt, %e : [], [j: $V]
      %u = ssm.mul %kt, %be1 : [i: $K], [j: $V]
      %Sn = ssm.add %D, %u : [i: $K, j: $V], [i: $K, j: $V]
      %m = ssm.mul %qt, %Sn : [i: $K], [i: $K, j: $V]
      %o = ssm.sum %m over [i] : [i: $K, j: $V]
      ssm.yield %Sn, %o : [i: $K, j: $V], [j: $V]
    }
    tile.store "o", %r#1 : [j: $V, t: 16]
    tile.yield %r#0 : [i: $K, j: $V]
  }
  tile.store "S", %S1 : [i: $K, j: $V]
})";

static Case gdr(std::string name, int64_t K, int64_t V, Sizes sizes) {
  Case c{name,
         replaced(gdrText, {{"$K", number(K)}, {"$V", number(V)}}),
         {{"q", 'i', "f32", 'h', {K}},
          {"k", 'i', "f32", 'h', {K}, -0.2, 0.2},
          {"v", 'i', "f32", 'h', {V}},
          {"g", 'i', "f32", 'h', {}, -0.3, 0},
          {"beta", 'i', "f32", 'h', {}, 0, 1},
          {"S", 's', "f32", 'h', {K, V}},
          {"S", 'S', "f32", 'h', {K, V}},
          {"o", 'o', "f32", 'h', {V}}},
         sizes};
  c.reference = [=](ItemView a) {
    std::vector<double> S(K * V);
    std::copy_n(a.at("S", 's'), K * V, S.begin());
    for (int64_t t = 0; t < a.sizes.time; ++t) {
      double *q = a.at("q", 'i', t), *k = a.at("k", 'i', t), *v = a.at("v", 'i', t);
      double decay = std::exp(*a.at("g", 'i', t)), beta = *a.at("beta", 'i', t);
      double* o = a.at("o", 'o', t);
      for (int64_t j = 0; j < V; ++j) {
        double e = v[j];
        for (int64_t i = 0; i < K; ++i) {
          S[i * V + j] *= decay;
          e -= k[i] * S[i * V + j];
        }
        o[j] = 0;
        for (int64_t i = 0; i < K; ++i) {
          S[i * V + j] += beta * k[i] * e;
          o[j] += q[i] * S[i * V + j];
        }
      }
    }
    std::copy(S.begin(), S.end(), a.at("S", 'S'));
  };
  return c;
}

//===-- Mamba-2: groups, params, an epilogue -------------------------------------------------===//

static const char* mamba2Text = R"(
tile.kernel @k operands [
    #tile.operand<"x" in [p: $P] f32 head>, #tile.operand<"dt" in [] f32 head>,
    #tile.operand<"B" in [n: $N] f32 group>, #tile.operand<"C" in [n: $N] f32 group>,
    #tile.operand<"A" param [] f32 head>, #tile.operand<"D" param [] f32 head>,
    #tile.operand<"h" state_in [p: $P, n: $N] f32 head>,
    #tile.operand<"h" state_out [p: $P, n: $N] f32 head>,
    #tile.operand<"y" out [p: $P] f32 head>] {
  %h0 = tile.load "h" : [n: $N, p: $P]
  %A = tile.load "A" : []
  %D = tile.load "D" : []
  %h1 = tile.sequence over [t: 16] axis 0 carry(%h = %h0 : [n: $N, p: $P]) {
    %x = tile.load "x" : [p: $P, t: 16]
    %dt = tile.load "dt" : [t: 16]
    %B = tile.load "B" : [n: $N, t: 16]
    %C = tile.load "C" : [n: $N, t: 16]
    %da = ssm.mul %dt, %A : [t: 16], []
    %a = ssm.exp %da : [t: 16]
    %dx = ssm.mul %dt, %x : [t: 16], [p: $P, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %h : [n: $N, p: $P]) {
      %at = ssm.at %a "t" : [t: 16]
      %dxt = ssm.at %dx "t" : [p: $P, t: 16]
      %Bt = ssm.at %B "t" : [n: $N, t: 16]
      %Ct = ssm.at %C "t" : [n: $N, t: 16]
      %d = ssm.mul %at, %P : [], [n: $N, p: $P]
      %u = ssm.mul %dxt, %Bt : [p: $P], [n: $N]
      %hn = ssm.add %d, %u : [n: $N, p: $P], [n: $N, p: $P]
      %m = ssm.mul %Ct, %hn : [n: $N], [n: $N, p: $P]
      %y = ssm.sum %m over [n] : [n: $N, p: $P]
      ssm.yield %hn, %y : [n: $N, p: $P], [p: $P]
    }
    %Dx = ssm.mul %D, %x : [], [p: $P, t: 16]
    %y = ssm.add %r#1, %Dx : [p: $P, t: 16], [p: $P, t: 16]
    tile.store "y", %y : [p: $P, t: 16]
    tile.yield %r#0 : [n: $N, p: $P]
  }
  tile.store "h", %h1 : [n: $N, p: $P]
})";

static Case mamba2(std::string name, int64_t P, int64_t N, Sizes sizes) {
  Case c{name,
         replaced(mamba2Text, {{"$P", number(P)}, {"$N", number(N)}}),
         {{"x", 'i', "f32", 'h', {P}},
          {"dt", 'i', "f32", 'h', {}, 0, 0.3},
          {"B", 'i', "f32", 'g', {N}},
          {"C", 'i', "f32", 'g', {N}},
          {"A", 'p', "f32", 'h', {}, -1, 0},
          {"D", 'p', "f32", 'h', {}},
          {"h", 's', "f32", 'h', {P, N}},
          {"h", 'S', "f32", 'h', {P, N}},
          {"y", 'o', "f32", 'h', {P}}},
         sizes};
  c.reference = [=](ItemView a) {
    std::vector<double> h(P * N);
    std::copy_n(a.at("h", 's'), P * N, h.begin());
    for (int64_t t = 0; t < a.sizes.time; ++t) {
      double *x = a.at("x", 'i', t), *B = a.at("B", 'i', t), *C = a.at("C", 'i', t);
      double dt = *a.at("dt", 'i', t), decay = std::exp(dt * *a.at("A", 'p'));
      for (int64_t p = 0; p < P; ++p) {
        double y = *a.at("D", 'p') * x[p];
        for (int64_t n = 0; n < N; ++n) {
          h[p * N + n] = decay * h[p * N + n] + dt * x[p] * B[n];
          y += C[n] * h[p * N + n];
        }
        a.at("y", 'o', t)[p] = y;
      }
    }
    std::copy(h.begin(), h.end(), a.at("h", 'S'));
  };
  return c;
}

//===-- Mamba-1: a decay for each element ----------------------------------------------------===//

static const char* mamba1Text = R"(
tile.kernel @k operands [
    #tile.operand<"x" in [p: $P] f32 head>, #tile.operand<"dt" in [p: $P] f32 head>,
    #tile.operand<"B" in [n: $N] f32 shared>, #tile.operand<"C" in [n: $N] f32 shared>,
    #tile.operand<"A" param [p: $P, n: $N] f32 head>,
    #tile.operand<"h" state_in [p: $P, n: $N] f32 head>,
    #tile.operand<"h" state_out [p: $P, n: $N] f32 head>,
    #tile.operand<"y" out [p: $P] f32 head>] {
  %h0 = tile.load "h" : [n: $N, p: $P]
  %A = tile.load "A" : [n: $N, p: $P]
  %h1 = tile.sequence over [t: 16] axis 0 carry(%h = %h0 : [n: $N, p: $P]) {
    %x = tile.load "x" : [p: $P, t: 16]
    %dt = tile.load "dt" : [p: $P, t: 16]
    %B = tile.load "B" : [n: $N, t: 16]
    %C = tile.load "C" : [n: $N, t: 16]
    %dx = ssm.mul %dt, %x : [p: $P, t: 16], [p: $P, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %h : [n: $N, p: $P]) {
      %dtt = ssm.at %dt "t" : [p: $P, t: 16]
      %da = ssm.mul %dtt, %A : [p: $P], [n: $N, p: $P]
      %at = ssm.exp %da : [n: $N, p: $P]
      %dxt = ssm.at %dx "t" : [p: $P, t: 16]
      %Bt = ssm.at %B "t" : [n: $N, t: 16]
      %Ct = ssm.at %C "t" : [n: $N, t: 16]
      %d = ssm.mul %at, %P : [n: $N, p: $P], [n: $N, p: $P]
      %u = ssm.mul %dxt, %Bt : [p: $P], [n: $N]
      %hn = ssm.add %d, %u : [n: $N, p: $P], [n: $N, p: $P]
      %m = ssm.mul %Ct, %hn : [n: $N], [n: $N, p: $P]
      %y = ssm.sum %m over [n] : [n: $N, p: $P]
      ssm.yield %hn, %y : [n: $N, p: $P], [p: $P]
    }
    tile.store "y", %r#1 : [p: $P, t: 16]
    tile.yield %r#0 : [n: $N, p: $P]
  }
  tile.store "h", %h1 : [n: $N, p: $P]
})";

static Case mamba1(std::string name, int64_t P, int64_t N, Sizes sizes) {
  Case c{name,
         replaced(mamba1Text, {{"$P", number(P)}, {"$N", number(N)}}),
         {{"x", 'i', "f32", 'h', {P}},
          {"dt", 'i', "f32", 'h', {P}, 0, 0.3},
          {"B", 'i', "f32", 's', {N}},
          {"C", 'i', "f32", 's', {N}},
          {"A", 'p', "f32", 'h', {P, N}, -3, 0},
          {"h", 's', "f32", 'h', {P, N}},
          {"h", 'S', "f32", 'h', {P, N}},
          {"y", 'o', "f32", 'h', {P}}},
         sizes};
  c.reference = [=](ItemView a) {
    std::vector<double> h(P * N);
    std::copy_n(a.at("h", 's'), P * N, h.begin());
    double* A = a.at("A", 'p');
    for (int64_t t = 0; t < a.sizes.time; ++t) {
      double *x = a.at("x", 'i', t), *B = a.at("B", 'i', t), *C = a.at("C", 'i', t);
      double* dt = a.at("dt", 'i', t);
      for (int64_t p = 0; p < P; ++p) {
        double y = 0;
        for (int64_t n = 0; n < N; ++n) {
          double decay = std::exp(dt[p] * A[p * N + n]);
          h[p * N + n] = decay * h[p * N + n] + dt[p] * x[p] * B[n];
          y += C[n] * h[p * N + n];
        }
        a.at("y", 'o', t)[p] = y;
      }
    }
    std::copy(h.begin(), h.end(), a.at("h", 'S'));
  };
  return c;
}

std::vector<Case> moreCases();
std::vector<Case> chunkCases();

std::vector<Case> ssmc::test::allCases() {
  std::vector<Case> cases{
      gla("gla 16x64", 16, 64, {}),
      gla("gla odd 12x20", 12, 20, {}),
      gla("gla 5x7, T 1", 5, 7, {1, 2, 1, 1}),
      gla("gla 8x8, T 0", 8, 8, {2, 2, 1, 0}),
      gla("gla 33x130", 33, 130, {1, 2, 1, 33}),
      gla("gla bf16 12x20", 12, 20, {}, "bf16"),
      gla("gla f16 12x20", 12, 20, {}, "f16"),
      gla("gla f64 12x20", 12, 20, {}, "f64"),
      gla("gla reverse 12x20", 12, 20, {}, "f32", true),
      gla("gla no state 12x20", 12, 20, {}, "f32", false, true),
      gdr("gdr 32x64", 32, 64, {}),
      gdr("gdr odd 12x20", 12, 20, {}),
      gdr("gdr 64x256", 64, 256, {1, 2, 1, 20}),
      mamba2("mamba2 16x32", 16, 32, {2, 4, 2, 37}),
      mamba2("mamba2 odd 5x9", 5, 9, {2, 4, 2, 18}),
      mamba1("mamba1 48x16", 48, 16, {}),
      mamba1("mamba1 odd 20x5", 20, 5, {}),
      gdr("*gdr 128x128 H16", 128, 128, {1, 16, 1, 1024}),
      mamba2("*mamba2 P64 N128 H24", 64, 128, {1, 24, 1, 1024}),
      gla("*gla 64x64 H16", 64, 64, {1, 16, 1, 1024}),
      mamba1("*mamba1 N16 D1536", 1536, 16, {1, 1, 1, 1024}),
  };
  for (Case& c : moreCases())
    cases.push_back(c);
  for (Case& c : chunkCases())
    cases.push_back(c);
  return cases;
}
