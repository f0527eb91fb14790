// Kernels over whole chunks, one feature each, compared with the f64 interpreter of tile kernels.
#include "CPUKernelHarness.h"

using namespace ssmc::test;

std::vector<Case> chunkCases();

/// Decays of each key label, of both signs, with the diagonal and without; the results meet values.
static const char* decayedGram = R"(
tile.kernel @k operands [#tile.operand<"q" in [i: 21] f32 head>,
    #tile.operand<"k" in [i: 21] bf16 group>,
    #tile.operand<"d" in [i: 21] f32 head>, #tile.operand<"v" in [j: 50] f32 head>,
    #tile.operand<"o" out [j: 50] f32 head>, #tile.operand<"p" out [j: 50] f32 head>] {
  tile.sequence over [t: 40] axis 0 {
    %q = tile.load "q" : [i: 21, t: 40]
    %k = tile.load "k" : [i: 21, t: 40]
    %d = tile.load "d" : [i: 21, t: 40]
    %v = tile.load "v" : [j: 50, t: 40]
    %A = ssm.gram %q, %k decay %d over [i] rows "t" columns "t0"
      : [i: 21, t: 40], [i: 21, t: 40], [i: 21, t: 40]
    %L = ssm.gram %q, %k decay %d over [i] rows "t" columns "t0" strict
      : [i: 21, t: 40], [i: 21, t: 40], [i: 21, t: 40]
    %vs = ssm.relabel %v [t] to [t0] : [j: 50, t: 40]
    %Av = ssm.mul %A, %vs : [t: 40, t0: 40], [j: 50, t0: 40]
    %o = ssm.sum %Av over [t0] : [j: 50, t: 40, t0: 40]
    %Lv = ssm.mul %L, %vs : [t: 40, t0: 40], [j: 50, t0: 40]
    %p = ssm.sum %Lv over [t0] : [j: 50, t: 40, t0: 40]
    tile.store "o", %o : [j: 50, t: 40]
    tile.store "p", %p : [j: 50, t: 40]
    tile.yield
  }
})";

/// One decay for all keys: a product of which only what is below the diagonal is read,
/// times a span.
static const char* scalarGram = R"(
tile.kernel @k operands [#tile.operand<"q" in [i: 21] f32 head>,
    #tile.operand<"k" in [i: 21] f32 head>,
    #tile.operand<"d" in [] f32 head>, #tile.operand<"v" in [j: 50] f32 head>,
    #tile.operand<"o" out [j: 50] f32 head>, #tile.operand<"w" out [j: 50] f32 head>] {
  tile.sequence over [t: 40] axis 0 {
    %q = tile.load "q" : [i: 21, t: 40]
    %k = tile.load "k" : [i: 21, t: 40]
    %d = tile.load "d" : [t: 40]
    %v = tile.load "v" : [j: 50, t: 40]
    %ks = ssm.relabel %k [t] to [t0] : [i: 21, t: 40]
    %qk = ssm.mul %q, %ks : [i: 21, t: 40], [i: 21, t0: 40]
    %s = ssm.sum %qk over [i] : [i: 21, t: 40, t0: 40]
    %E = ssm.span %d rows "t" columns "t0" strict : [t: 40]
    %A = ssm.mul %s, %E : [t: 40, t0: 40], [t: 40, t0: 40]
    %vs = ssm.relabel %v [t] to [t0] : [j: 50, t: 40]
    %Av = ssm.mul %A, %vs : [t: 40, t0: 40], [j: 50, t0: 40]
    %o = ssm.sum %Av over [t0] : [j: 50, t: 40, t0: 40]
    %Aw = ssm.mul %A, %v : [t: 40, t0: 40], [j: 50, t: 40]
    %ws = ssm.sum %Aw over [t] : [j: 50, t: 40, t0: 40]
    %w = ssm.relabel %ws [t0] to [t] : [j: 50, t0: 40]
    tile.store "o", %o : [j: 50, t: 40]
    tile.store "w", %w : [j: 50, t: 40]
    tile.yield
  }
})";

/// Two unknowns that feed one another, right sides and matrices computed on the way.
static const char* solve = R"(
tile.kernel @k operands [#tile.operand<"k" in [i: 21] f32 head>,
    #tile.operand<"u" in [j: 50] f32 head>,
    #tile.operand<"v" in [j: 50] f32 head>, #tile.operand<"b" in [] f32 head>,
    #tile.operand<"x" out [j: 50] f32 head>, #tile.operand<"y" out [j: 50] f32 head>] {
  %tenth = ssm.constant 1.000000e-01
  tile.sequence over [t: 20] axis 0 {
    %k = tile.load "k" : [i: 21, t: 20]
    %u = tile.load "u" : [j: 50, t: 20]
    %v = tile.load "v" : [j: 50, t: 20]
    %b = tile.load "b" : [t: 20]
    %ks = ssm.relabel %k [t] to [t0] : [i: 21, t: 20]
    %kk = ssm.mul %k, %ks : [i: 21, t: 20], [i: 21, t0: 20]
    %g = ssm.sum %kk over [i] : [i: 21, t: 20, t0: 20]
    %L = ssm.mul %tenth, %g : [], [t: 20, t0: 20]
    %bs = ssm.relabel %b [t] to [t0] : [t: 20]
    %M = ssm.mul %L, %bs : [t: 20, t0: 20], [t0: 20]
    %N = ssm.neg %L : [t: 20, t0: 20]
    %r = ssm.mul %b, %u : [t: 20], [j: 50, t: 20]
    %x:2 = ssm.solve(%r, %v : [j: 50, t: 20], [j: 50, t: 20])
      lower(%L, %M, %N, %M
        : [t: 20, t0: 20], [t: 20, t0: 20], [t: 20, t0: 20], [t: 20, t0: 20])
      rows "t" columns "t0"
    tile.store "x", %x#0 : [j: 50, t: 20]
    tile.store "y", %x#1 : [j: 50, t: 20]
    tile.yield
  }
})";

/// Products of decays, scans and shifts, with and without a label for lanes, in both directions.
static const char* along = R"(
tile.kernel @k operands [#tile.operand<"d" in [i: 37] f32 head>,
    #tile.operand<"x" in [i: 37] f32 head>,
    #tile.operand<"a" in [] f32 head>, #tile.operand<"s" state_in [i: 37] f32 head>,
    #tile.operand<"s" state_out [i: 37] f32 head>, #tile.operand<"o" out [i: 37] f32 head>,
    #tile.operand<"m" out [i: 37] f32 head>, #tile.operand<"n" out [i: 37] f32 head>,
    #tile.operand<"e" out [] f32 head>] {
  %s0 = tile.load "s" : [i: 37]
  %s1 = tile.sequence over [t: 20] axis 0 carry(%s = %s0 : [i: 37]) {
    %d = tile.load "d" : [i: 37, t: 20]
    %x = tile.load "x" : [i: 37, t: 20]
    %a = tile.load "a" : [t: 20]
    %P = ssm.cumprod %d along "t" : [i: 37, t: 20]
    %Q = ssm.cumprod %d along "t" exclusive reverse : [i: 37, t: 20]
    %h = ssm.scan plus_times %d, %x from %s along "t" : [i: 37, t: 20], [i: 37, t: 20], [i: 37]
    %g = ssm.scan plus_times %a, %x from %s along "t" reverse : [t: 20], [i: 37, t: 20], [i: 37]
    %m = ssm.scan max_plus %a, %x from %s along "t" : [t: 20], [i: 37, t: 20], [i: 37]
    %hs = ssm.shift %h, %s along "t" : [i: 37, t: 20], [i: 37]
    %gs = ssm.shift %g, %s along "t" reverse : [i: 37, t: 20], [i: 37]
    %PQ = ssm.add %P, %Q : [i: 37, t: 20], [i: 37, t: 20]
    %o = ssm.mul %PQ, %hs : [i: 37, t: 20], [i: 37, t: 20]
    %n = ssm.add %g, %gs : [i: 37, t: 20], [i: 37, t: 20]
    %e0 = ssm.cumprod %a along "t" exclusive : [t: 20]
    %one = ssm.constant 1.000000e+00
    %e1 = ssm.shift %a, %one along "t" : [t: 20], []
    %e = ssm.add %e0, %e1 : [t: 20], [t: 20]
    tile.store "o", %o : [i: 37, t: 20]
    tile.store "m", %m : [i: 37, t: 20]
    tile.store "n", %n : [i: 37, t: 20]
    tile.store "e", %e : [t: 20]
    %last = ssm.last %h "t" : [i: 37, t: 20]
    tile.yield %last : [i: 37]
  }
  tile.store "s", %s1 : [i: 37]
})";

/// A label that both sides and the result bear, one that is summed beside the steps,
/// a state read and written.
static const char* batched = R"(
tile.kernel @k operands [#tile.operand<"q" in [h: 3, i: 20] f32 head>,
    #tile.operand<"k" in [h: 3, i: 20, r: 2] f32 head>,
    #tile.operand<"v" in [h: 3, j: 70, r: 2] bf16 head>,
    #tile.operand<"S" state_in [h: 3, i: 20, j: 70] f32 head>,
    #tile.operand<"S" state_out [h: 3, i: 20, j: 70] f32 head>,
    #tile.operand<"o" out [h: 3, j: 70] f32 head>] {
  %half = ssm.constant 5.000000e-01
  %S0 = tile.load "S" : [h: 3, i: 20, j: 70]
  %S1 = tile.sequence over [t: 24] axis 0 carry(%S = %S0 : [h: 3, i: 20, j: 70]) {
    %q = tile.load "q" : [h: 3, i: 20, t: 24]
    %k = tile.load "k" : [h: 3, i: 20, r: 2, t: 24]
    %v = tile.load "v" : [h: 3, j: 70, r: 2, t: 24]
    %qh = ssm.mul %half, %q : [], [h: 3, i: 20, t: 24]
    %qS = ssm.mul %qh, %S : [h: 3, i: 20, t: 24], [h: 3, i: 20, j: 70]
    %o = ssm.sum %qS over [i] : [h: 3, i: 20, j: 70, t: 24]
    %kv = ssm.mul %k, %v : [h: 3, i: 20, r: 2, t: 24], [h: 3, j: 70, r: 2, t: 24]
    %d = ssm.sum %kv over [r, t] : [h: 3, i: 20, j: 70, r: 2, t: 24]
    %Sh = ssm.mul %half, %S : [], [h: 3, i: 20, j: 70]
    %Sn = ssm.add %Sh, %d : [h: 3, i: 20, j: 70], [h: 3, i: 20, j: 70]
    tile.store "o", %o : [h: 3, j: 70, t: 24]
    tile.yield %Sn : [h: 3, i: 20, j: 70]
  }
  tile.store "S", %S1 : [h: 3, i: 20, j: 70]
})";

std::vector<Case> chunkCases() {
  std::vector<Case> cases;
  for (auto [name, text] :
       {std::pair("decayed gram", decayedGram), std::pair("scalar gram", scalarGram),
        std::pair("solve of two", solve), std::pair("along the steps", along),
        std::pair("batched products", batched)})
    // Whole chunks and a part, a part alone, one step.
    for (int64_t time : {95, 7, 1})
      cases.push_back(interpretedCase(std::string(name) + ", T " + std::to_string(time), text,
                                      {2, 4, 2, time, 1}));
  return cases;
}
