// Kernels for one feature each, compared with the f64 interpreter of tile kernels.
#include "CPUKernelHarness.h"

#include <cstdio>

using namespace ssmc::test;

std::vector<Case> moreCases();

/// A state without labels: a leaky sum and its running maximum.
static const char* scalars = R"(
tile.kernel @k operands [#tile.operand<"a" in [] f32 head>, #tile.operand<"x" in [] f32 head>,
    #tile.operand<"h" state_in [] f32 head>, #tile.operand<"h" state_out [] f32 head>,
    #tile.operand<"y" out [] f32 head>, #tile.operand<"z" out [] f32 head>] {
  %low = ssm.constant -1.0e+30
  %h0 = tile.load "h" : []
  %e:2 = tile.sequence over [t: 16] axis 0 carry(%h = %h0 : [], %m = %low : []) {
    %a = tile.load "a" : [t: 16]
    %x = tile.load "x" : [t: 16]
    %r:4 = ssm.fold over [t: 16] carry(%p = %h : [], %pm = %m : []) {
      %at = ssm.at %a "t" : [t: 16]
      %xt = ssm.at %x "t" : [t: 16]
      %ap = ssm.mul %at, %p : [], []
      %n = ssm.add %ap, %xt : [], []
      %mm = ssm.max %pm, %n : [], []
      ssm.yield %n, %mm, %n, %mm : [], [], [], []
    }
    %y = ssm.tanh %r#2 : [t: 16]
    tile.store "y", %y : [t: 16]
    tile.store "z", %r#3 : [t: 16]
    tile.yield %r#0, %r#1 : [], []
  }
  tile.store "h", %e#0 : []
})";

/// The only label of the state is reduced in the step: lanes are summed horizontally.
static const char* laneReduction = R"(
tile.kernel @k operands [#tile.operand<"x" in [i: 21] bf16 head>,
    #tile.operand<"w" in [i: 21] f32 shared>,
    #tile.operand<"s" state_in [i: 21] f32 head>, #tile.operand<"s" state_out [i: 21] f32 head>,
    #tile.operand<"y" out [] f32 head>] {
  %s0 = tile.load "s" : [i: 21]
  %half = ssm.constant 5.000000e-01
  %e = tile.sequence over [t: 16] axis 0 carry(%s = %s0 : [i: 21]) {
    %x = tile.load "x" : [i: 21, t: 16]
    %w = tile.load "w" : [i: 21, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%p = %s : [i: 21]) {
      %xt = ssm.at %x "t" : [i: 21, t: 16]
      %wt = ssm.at %w "t" : [i: 21, t: 16]
      %wp = ssm.mul %wt, %p : [i: 21], [i: 21]
      %d = ssm.sum %wp over [i] : [i: 21]
      %th = ssm.tanh %d : []
      %u = ssm.mul %th, %xt : [], [i: 21]
      %hp = ssm.mul %half, %p : [], [i: 21]
      %n = ssm.add %hp, %u : [i: 21], [i: 21]
      %m = ssm.maximum %n over [i] : [i: 21]
      ssm.yield %n, %m : [i: 21], []
    }
    tile.store "y", %r#1 : [t: 16]
    tile.yield %r#0 : [i: 21]
  }
  tile.store "s", %e : [i: 21]
})";

/// A dense, nonlinear transition: the state is read at another label than it is written at.
static const char* dense = R"(
tile.kernel @k operands [#tile.operand<"x" in [i: 19] f32 head>,
    #tile.operand<"A" param [i: 19, l: 19] f32 head>,
    #tile.operand<"s" state_in [i: 19] f32 head>, #tile.operand<"s" state_out [i: 19] f32 head>,
    #tile.operand<"y" out [i: 19] f32 head>] {
  %s0 = tile.load "s" : [i: 19]
  %A = tile.load "A" : [i: 19, l: 19]
  %e = tile.sequence over [t: 16] axis 0 carry(%s = %s0 : [i: 19]) {
    %x = tile.load "x" : [i: 19, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%p = %s : [i: 19]) {
      %xt = ssm.at %x "t" : [i: 19, t: 16]
      %pl = ssm.relabel %p [i] to [l] : [i: 19]
      %ap = ssm.mul %A, %pl : [i: 19, l: 19], [l: 19]
      %d = ssm.sum %ap over [l] : [i: 19, l: 19]
      %u = ssm.add %d, %xt : [i: 19], [i: 19]
      %n = ssm.tanh %u : [i: 19]
      ssm.yield %n, %p : [i: 19], [i: 19]
    }
    tile.store "y", %r#1 : [i: 19, t: 16]
    tile.yield %r#0 : [i: 19]
  }
  tile.store "s", %e : [i: 19]
})";

/// A dense transition of a matrix state, with a free label: S = A S + x.
static const char* denseMatrix = R"(
tile.kernel @k operands [#tile.operand<"x" in [i: 9, j: 20] f32 head>,
    #tile.operand<"A" in [i: 9, l: 9] f32 head>,
    #tile.operand<"S" state_in [j: 20, i: 9] f32 head>,
    #tile.operand<"S" state_out [j: 20, i: 9] f32 head>,
    #tile.operand<"y" out [j: 20, i: 9] f32 head>] {
  %c = ssm.constant 2.000000e-01
  %S0 = tile.load "S" : [i: 9, j: 20]
  %e = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 9, j: 20]) {
    %x = tile.load "x" : [i: 9, j: 20, t: 16]
    %A = tile.load "A" : [i: 9, l: 9, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%p = %S : [i: 9, j: 20]) {
      %xt = ssm.at %x "t" : [i: 9, j: 20, t: 16]
      %At = ssm.at %A "t" : [i: 9, l: 9, t: 16]
      %pl = ssm.relabel %p [i] to [l] : [i: 9, j: 20]
      %cp = ssm.mul %c, %pl : [], [j: 20, l: 9]
      %ap = ssm.mul %At, %cp : [i: 9, l: 9], [j: 20, l: 9]
      %d = ssm.sum %ap over [l] : [i: 9, j: 20, l: 9]
      %n = ssm.add %d, %xt : [i: 9, j: 20], [i: 9, j: 20]
      ssm.yield %n, %n : [i: 9, j: 20], [i: 9, j: 20]
    }
    tile.store "y", %r#1 : [i: 9, j: 20, t: 16]
    tile.yield %r#0 : [i: 9, j: 20]
  }
  tile.store "S", %e : [i: 9, j: 20]
})";

/// Delay registers, and two states that change places at every step.
static const char* delays = R"(
tile.kernel @k operands [#tile.operand<"x" in [j: 20] f16 head>,
    #tile.operand<"a" state_in [j: 20] f32 head>, #tile.operand<"a" state_out [j: 20] f32 head>,
    #tile.operand<"b" state_in [j: 20] f32 head>, #tile.operand<"b" state_out [j: 20] f32 head>,
    #tile.operand<"c" state_in [i: 3, j: 20] f32 head>,
    #tile.operand<"c" state_out [i: 3, j: 20] f32 head>,
    #tile.operand<"d" state_in [i: 3, j: 20] f32 head>,
    #tile.operand<"d" state_out [i: 3, j: 20] f32 head>,
    #tile.operand<"y" out [j: 20] f32 head>] {
  %a0 = tile.load "a" : [j: 20]
  %b0 = tile.load "b" : [j: 20]
  %c0 = tile.load "c" : [i: 3, j: 20]
  %d0 = tile.load "d" : [i: 3, j: 20]
  %e:4 = tile.sequence over [t: 16] axis 0
      carry(%a = %a0 : [j: 20], %b = %b0 : [j: 20],
            %c = %c0 : [i: 3, j: 20], %d = %d0 : [i: 3, j: 20]) {
    %x = tile.load "x" : [j: 20, t: 16]
    %r:5 = ssm.fold over [t: 16]
        carry(%p = %a : [j: 20], %q = %b : [j: 20],
              %f = %c : [i: 3, j: 20], %g = %d : [i: 3, j: 20]) {
      %xt = ssm.at %x "t" : [j: 20, t: 16]
      %s = ssm.add %xt, %q : [j: 20], [j: 20]
      %fs = ssm.sum %f over [i] : [i: 3, j: 20]
      %y = ssm.sub %s, %fs : [j: 20], [j: 20]
      ssm.yield %xt, %p, %g, %f, %y : [j: 20], [j: 20], [i: 3, j: 20], [i: 3, j: 20], [j: 20]
    }
    tile.store "y", %r#4 : [j: 20, t: 16]
    tile.yield %r#0, %r#1, %r#2, %r#3 : [j: 20], [j: 20], [i: 3, j: 20], [i: 3, j: 20]
  }
  tile.store "a", %e#0 : [j: 20]
  tile.store "b", %e#1 : [j: 20]
  tile.store "c", %e#2 : [i: 3, j: 20]
  tile.store "d", %e#3 : [i: 3, j: 20]
})";

/// Micro-steps inside a token, each with a reduction; resets by a truth value.
static const char* nested = R"(
tile.kernel @k operands [#tile.operand<"k" in [s: 3, i: 12] f32 head>,
    #tile.operand<"v" in [s: 3, j: 20] f32 head>,
    #tile.operand<"r" in [] i1 head>, #tile.operand<"q" in [i: 12] f32 head>,
    #tile.operand<"S" state_in [i: 12, j: 20] f32 head>,
    #tile.operand<"S" state_out [i: 12, j: 20] f32 head>,
    #tile.operand<"o" out [j: 20] f32 head>, #tile.operand<"w" out [s: 3, j: 20] f32 head>] {
  %zero = ssm.constant 0.000000e+00
  %c = ssm.constant 2.000000e-01
  %S0 = tile.load "S" : [i: 12, j: 20]
  %e = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 12, j: 20]) {
    %k = tile.load "k" : [i: 12, s: 3, t: 16]
    %v = tile.load "v" : [j: 20, s: 3, t: 16]
    %q = tile.load "q" : [i: 12, t: 16]
    %r = tile.load "r" : [t: 16] i1
    %f:3 = ssm.fold over [t: 16] carry(%p = %S : [i: 12, j: 20]) {
      %rt = ssm.at %r "t" : [t: 16] i1
      %D = ssm.select %rt, %zero, %p : [] i1, [], [i: 12, j: 20]
      %kt = ssm.at %k "t" : [i: 12, s: 3, t: 16]
      %vt = ssm.at %v "t" : [j: 20, s: 3, t: 16]
      %qt = ssm.at %q "t" : [i: 12, t: 16]
      %g:2 = ssm.fold over [s: 3] carry(%M = %D : [i: 12, j: 20]) {
        %ks = ssm.at %kt "s" : [i: 12, s: 3]
        %vs = ssm.at %vt "s" : [j: 20, s: 3]
        %kM = ssm.mul %ks, %M : [i: 12], [i: 12, j: 20]
        %d = ssm.sum %kM over [i] : [i: 12, j: 20]
        %err = ssm.sub %vs, %d : [j: 20], [j: 20]
        %ce = ssm.mul %c, %err : [], [j: 20]
        %u = ssm.mul %ks, %ce : [i: 12], [j: 20]
        %n = ssm.add %M, %u : [i: 12, j: 20], [i: 12, j: 20]
        ssm.yield %n, %err : [i: 12, j: 20], [j: 20]
      }
      %m = ssm.mul %qt, %g#0 : [i: 12], [i: 12, j: 20]
      %o = ssm.sum %m over [i] : [i: 12, j: 20]
      ssm.yield %g#0, %o, %g#1 : [i: 12, j: 20], [j: 20], [j: 20, s: 3]
    }
    tile.store "o", %f#1 : [j: 20, t: 16]
    tile.store "w", %f#2 : [j: 20, s: 3, t: 16]
    tile.yield %f#0 : [i: 12, j: 20]
  }
  tile.store "S", %e : [i: 12, j: 20]
})";

/// Two time axes, the outer one backwards; rows are kept from one outer step to the next.
static const char* twoAxes = R"(
tile.kernel @k operands [#tile.operand<"u" in [p: 20] f32 head>,
    #tile.operand<"B" in [n: 5] f32 group>,
    #tile.operand<"h" row [p: 20, n: 5] f32 head>, #tile.operand<"o" out [p: 20] f32 head>] {
  %c = ssm.constant 4.000000e-01
  %one = ssm.constant 1.000000e+00
  tile.sequence over [y: 1] axis 0 reverse {
    %z = ssm.broadcast %one : [] to [n: 5, p: 20]
    %e = tile.sequence over [x: 16] axis 1 carry(%S = %z : [n: 5, p: 20]) {
      %u = tile.load "u" : [p: 20, x: 16]
      %B = tile.load "B" : [n: 5, x: 16]
      %h1 = tile.load "h" row 1 : [n: 5, p: 20, x: 16]
      %h2 = tile.load "h" row 2 else %one : [] to : [n: 5, p: 20, x: 16]
      %hh = ssm.add %h1, %h2 : [n: 5, p: 20, x: 16], [n: 5, p: 20, x: 16]
      %r:3 = ssm.fold over [x: 16] carry(%p = %S : [n: 5, p: 20]) {
        %ux = ssm.at %u "x" : [p: 20, x: 16]
        %Bx = ssm.at %B "x" : [n: 5, x: 16]
        %hx = ssm.at %hh "x" : [n: 5, p: 20, x: 16]
        %s = ssm.add %hx, %p : [n: 5, p: 20], [n: 5, p: 20]
        %cs = ssm.mul %c, %s : [], [n: 5, p: 20]
        %w = ssm.mul %ux, %Bx : [p: 20], [n: 5]
        %n = ssm.add %cs, %w : [n: 5, p: 20], [n: 5, p: 20]
        %o = ssm.sum %n over [n] : [n: 5, p: 20]
        ssm.yield %n, %o, %n : [n: 5, p: 20], [p: 20], [n: 5, p: 20]
      }
      tile.store "o", %r#1 : [p: 20, x: 16]
      tile.store "h", %r#2 : [n: 5, p: 20, x: 16]
      tile.yield %r#0 : [n: 5, p: 20]
    }
    tile.yield
  }
})";

/// A complex state in two halves, stored interleaved; several lanes of an output by one readout.
static const char* rotation = R"(
tile.kernel @k operands [#tile.operand<"x" in [p: 20] complex<f32> head>,
    #tile.operand<"th" in [n: 6] f32 head>,
    #tile.operand<"C" in [r: 3, n: 6] f32 head>,
    #tile.operand<"h" state_in [p: 20, n: 6] complex<f32> head>,
    #tile.operand<"h" state_out [p: 20, n: 6] complex<f32> head>,
    #tile.operand<"y" out [r: 3, p: 20] f32 head>] {
  %re0 = tile.load "h" part re : [n: 6, p: 20]
  %im0 = tile.load "h" part im : [n: 6, p: 20]
  %e:2 = tile.sequence over [t: 16] axis 0
      carry(%re = %re0 : [n: 6, p: 20], %im = %im0 : [n: 6, p: 20]) {
    %xr = tile.load "x" part re : [p: 20, t: 16]
    %xi = tile.load "x" part im : [p: 20, t: 16]
    %th = tile.load "th" : [n: 6, t: 16]
    %C = tile.load "C" : [n: 6, r: 3, t: 16]
    %co = ssm.cos %th : [n: 6, t: 16]
    %si = ssm.sin %th : [n: 6, t: 16]
    %f:3 = ssm.fold over [t: 16] carry(%a = %re : [n: 6, p: 20], %b = %im : [n: 6, p: 20]) {
      %ct = ssm.at %co "t" : [n: 6, t: 16]
      %st = ssm.at %si "t" : [n: 6, t: 16]
      %Ct = ssm.at %C "t" : [n: 6, r: 3, t: 16]
      %xrt = ssm.at %xr "t" : [p: 20, t: 16]
      %xit = ssm.at %xi "t" : [p: 20, t: 16]
      %ca = ssm.mul %ct, %a : [n: 6], [n: 6, p: 20]
      %sb = ssm.mul %st, %b : [n: 6], [n: 6, p: 20]
      %cb = ssm.mul %ct, %b : [n: 6], [n: 6, p: 20]
      %sa = ssm.mul %st, %a : [n: 6], [n: 6, p: 20]
      %d = ssm.sub %ca, %sb : [n: 6, p: 20], [n: 6, p: 20]
      %g = ssm.add %cb, %sa : [n: 6, p: 20], [n: 6, p: 20]
      %na = ssm.add %d, %xrt : [n: 6, p: 20], [p: 20]
      %nb = ssm.add %g, %xit : [n: 6, p: 20], [p: 20]
      %m = ssm.mul %Ct, %na : [n: 6, r: 3], [n: 6, p: 20]
      %y = ssm.sum %m over [n] : [n: 6, p: 20, r: 3]
      ssm.yield %na, %nb, %y : [n: 6, p: 20], [n: 6, p: 20], [p: 20, r: 3]
    }
    tile.store "y", %f#2 : [p: 20, r: 3, t: 16]
    tile.yield %f#0, %f#1 : [n: 6, p: 20], [n: 6, p: 20]
  }
  tile.store "h" part re, %e#0 : [n: 6, p: 20]
  tile.store "h" part im, %e#1 : [n: 6, p: 20]
})";

/// One function at a time over a range of arguments; no state at all.
static Case function(std::string op, double low, double high) {
  std::string text = R"(
tile.kernel @k operands [#tile.operand<"x" in [i: 50] f32 head>,
    #tile.operand<"y" out [i: 50] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 50, t: 16]
    %y = ssm.)" + op +
                     R"( %x : [i: 50, t: 16]
    tile.store "y", %y : [i: 50, t: 16]
    tile.yield
  }
})";
  char name[64];
  snprintf(name, sizeof name, "%s [%g, %g]", op.c_str(), low, high);
  Case test = interpretedCase(name, text);
  test.operands[0].low = low;
  test.operands[0].high = high;
  test.relative = true;
  test.bound = 3e-7;
  return test;
}

std::vector<Case> moreCases() {
  Sizes plane{2, 2, 1, 5, 19};
  Case stable = interpretedCase("dense, nonlinear", dense);
  for (Operand& operand : stable.operands)
    if (operand.name == "A") // larger weights would be chaotic
      operand.low = -(operand.high = 0.2);
  std::vector<Case> cases{
      stable,
      interpretedCase("scalar states", scalars),
      interpretedCase("lane reduction", laneReduction),
      interpretedCase("dense, matrix state", denseMatrix),
      interpretedCase("delays and a swap", delays),
      interpretedCase("nested fold, reset", nested),
      interpretedCase("two time axes", twoAxes, plane),
      interpretedCase("two time axes, no rows", twoAxes, {1, 2, 1, 1, 3}),
      interpretedCase("two time axes, empty", twoAxes, {1, 2, 1, 3, 0}),
      interpretedCase("complex, readouts", rotation),
      interpretedCase("complex, T 0", rotation, {1, 2, 1, 0}),
      function("exp", -87, 88),
      function("exp", -1, 1),
      function("exp", -1e-3, 1e-3),
      function("log", 1e-30, 1e30),
      function("log", 0.5, 1.5),
      function("log", 0, 1e-3),
      function("sigmoid", -80, 80),
      function("sigmoid", -3, 3),
      function("softplus", -80, 80),
      function("softplus", -3, 3),
      function("tanh", -20, 20),
      function("tanh", -1, 1),
      function("sin", -4, 4),
      function("cos", -4, 4),
      function("sin", -1e5, 1e5),
      function("silu", -30, 30),
      function("rsqrt", 1e-6, 1e6),
      function("sqrt", 0, 10),
      function("sign", -1, 1),
      function("relu", -1, 1),
      function("abs", -1, 1),
  };
  return cases;
}
