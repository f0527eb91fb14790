// Products of factors that may be rounded to bf16: a chunk of linear attention with a decay per
// step, with sums of squares in its state, at sizes that fill pairs, vectors and tiles, and at
// sizes that do not. Factors are exact on both sides, on one, on none. What flows into the state
// must be as near as without rounding.
#include "CPUKernelHarness.h"

using namespace ssmc::test;

static void replaceAll(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

static Case pairCase(int64_t keys, int64_t values, int64_t chunk, int64_t time) {
  std::string text = R"(tile.kernel @k operands [
    #tile.operand<"q" in [i: KEYS] bf16 head>, #tile.operand<"k" in [i: KEYS] bf16 head>,
    #tile.operand<"v" in [j: VALUES] bf16 head>, #tile.operand<"d" in [] bf16 head>,
    #tile.operand<"S" state_in [i: KEYS, j: VALUES] f32 head>,
    #tile.operand<"S" state_out [i: KEYS, j: VALUES] f32 head>,
    #tile.operand<"o" out [j: VALUES] f32 head>] attributes {factor_type = bf16} {
  %S0 = tile.load "S" : [i: KEYS, j: VALUES]
  %Sn = tile.sequence over [t: STEPS] axis 0 carry(%S = %S0 : [i: KEYS, j: VALUES]) {
    %q = tile.load "q" : [i: KEYS, t: STEPS]
    %k = tile.load "k" : [i: KEYS, t: STEPS]
    %v = tile.load "v" : [j: VALUES, t: STEPS]
    %d = tile.load "d" : [t: STEPS]
    %P = ssm.cumprod %d along "t" : [t: STEPS]
    %R = ssm.cumprod %d along "t" exclusive reverse : [t: STEPS]
    %E = ssm.span %d rows "t" columns "t0" : [t: STEPS]
    %k0 = ssm.relabel %k [t] to [t0] : [i: KEYS, t: STEPS]
    %qk = ssm.mul %q, %k0 : [i: KEYS, t: STEPS], [i: KEYS, t0: STEPS]
    %s = ssm.sum %qk over [i] : [i: KEYS, t: STEPS, t0: STEPS]
    %A = ssm.mul %s, %E : [t: STEPS, t0: STEPS], [t: STEPS, t0: STEPS]
    %v0 = ssm.relabel %v [t] to [t0] : [j: VALUES, t: STEPS]
    %Av = ssm.mul %A, %v0 : [t: STEPS, t0: STEPS], [j: VALUES, t0: STEPS]
    %inside = ssm.sum %Av over [t0] : [j: VALUES, t: STEPS, t0: STEPS]
    %qP = ssm.mul %q, %P : [i: KEYS, t: STEPS], [t: STEPS]
    %qS = ssm.mul %qP, %S : [i: KEYS, t: STEPS], [i: KEYS, j: VALUES]
    %before = ssm.sum %qS over [i] : [i: KEYS, j: VALUES, t: STEPS]
    %o = ssm.add %before, %inside : [j: VALUES, t: STEPS], [j: VALUES, t: STEPS]
    tile.store "o", %o : [j: VALUES, t: STEPS]
    %kR = ssm.mul %k, %R : [i: KEYS, t: STEPS], [t: STEPS]
    %kv = ssm.mul %kR, %v : [i: KEYS, t: STEPS], [j: VALUES, t: STEPS]
    %new = ssm.sum %kv over [t] : [i: KEYS, j: VALUES, t: STEPS]
    %kk = ssm.mul %kR, %k : [i: KEYS, t: STEPS], [i: KEYS, t: STEPS]
    %vv = ssm.mul %v, %v : [j: VALUES, t: STEPS], [j: VALUES, t: STEPS]
    %kkvv = ssm.mul %kk, %vv : [i: KEYS, t: STEPS], [j: VALUES, t: STEPS]
    %squares = ssm.sum %kkvv over [t] : [i: KEYS, j: VALUES, t: STEPS]
    %last = ssm.last %P "t" : [t: STEPS]
    %old = ssm.mul %last, %S : [], [i: KEYS, j: VALUES]
    %S1 = ssm.add %old, %new : [i: KEYS, j: VALUES], [i: KEYS, j: VALUES]
    %S2 = ssm.add %S1, %squares : [i: KEYS, j: VALUES], [i: KEYS, j: VALUES]
    tile.yield %S2 : [i: KEYS, j: VALUES]
  }
  tile.store "S", %Sn : [i: KEYS, j: VALUES]
})";
  replaceAll(text, "KEYS", std::to_string(keys));
  replaceAll(text, "VALUES", std::to_string(values));
  replaceAll(text, "STEPS", std::to_string(chunk));
  std::string name = "pairs K=" + std::to_string(keys) + " V=" + std::to_string(values) +
                     " C=" + std::to_string(chunk) + " T=" + std::to_string(time);
  Case test = interpretedCase(name, text, {1, 2, 1, time, 1});
  test.bound = 4e-3;
  return test;
}

namespace ssmc::test {
std::vector<Case> pairCases() {
  return {pairCase(64, 64, 32, 70),  pairCase(128, 80, 64, 64), pairCase(40, 24, 16, 45),
          pairCase(17, 100, 48, 49), pairCase(48, 16, 80, 79),  pairCase(32, 48, 20, 21)};
}
} // namespace ssmc::test
