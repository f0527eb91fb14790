// A chunk of linear attention whose factors may be rounded to bf16: products of pairs, as vectors or as tiles.
// RUN: ssmc-opt %s --lower-tile-to-loops=pairs=vectors --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,VECTORS
// RUN: ssmc-opt %s --lower-tile-to-loops=pairs=tiles --canonicalize --cse | FileCheck %s --check-prefixes=CHECK,TILES
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s --check-prefix=NONE
// NONE-NOT: call_intrinsic

// CHECK-LABEL: func.func @chunk(
// Queries lie as pairs where they are staged; keys are transposed, pair by pair.
// CHECK:         vector.shuffle {{.*}} vector<16xi32>, vector<16xi32>
// Queries with keys are exact: one product. 32 pairs make a sum of 64, for eight rows of two vectors.
// VECTORS:       %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c32_i64 step %c1_i64 iter_args
// VECTORS-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// Of queries and state the state is rounded, as nothing of the result flows into it: one product.
// VECTORS:       %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c32_i64 step %c1_i64 iter_args
// VECTORS-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// Scores are rounded before they meet values, up to the diagonal.
// VECTORS-COUNT-16: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// What flows into the state would take two products: f32 is as fast.
// VECTORS-NOT:   llvm.call_intrinsic
// VECTORS:       %{{.*}}:16 = scf.for

// Two steps of 32 positions for each of four tiles; tiles above the diagonal are zeros.
// TILES-COUNT-4: llvm.call_intrinsic "llvm.x86.tilezero.internal"
// TILES:         llvm.call_intrinsic "llvm.x86.tileloadd64.internal"
// TILES:         llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES:         llvm.call_intrinsic "llvm.x86.tilestored64.internal"
// What flows into the state is not rounded: keys by what the values, decayed, are rounded to, and by the rest.
// TILES:         arith.truncf {{.*}} vector<16xf32> to vector<16xbf16>
// TILES:         arith.extf
// TILES:         arith.subf

tile.kernel @chunk operands [
    #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"k" in [i: 64] bf16 head>,
    #tile.operand<"v" in [j: 64] bf16 head>, #tile.operand<"d" in [] f32 head>,
    #tile.operand<"S" state_in [i: 64, j: 64] f32 head>,
    #tile.operand<"S" state_out [i: 64, j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] attributes {factor_type = bf16} {
  %S0 = tile.load "S" : [i: 64, j: 64]
  %S1 = tile.sequence over [t: 32] axis 0 carry(%S = %S0 : [i: 64, j: 64]) {
    %q = tile.load "q" : [i: 64, t: 32]
    %k = tile.load "k" : [i: 64, t: 32]
    %v = tile.load "v" : [j: 64, t: 32]
    %d = tile.load "d" : [t: 32]
    %P = ssm.cumprod %d along "t" : [t: 32]
    %R = ssm.cumprod %d along "t" exclusive reverse : [t: 32]
    %E = ssm.span %d rows "t" columns "t0" : [t: 32]
    %k0 = ssm.relabel %k [t] to [t0] : [i: 64, t: 32]
    %qk = ssm.mul %q, %k0 : [i: 64, t: 32], [i: 64, t0: 32]
    %s = ssm.sum %qk over [i] : [i: 64, t: 32, t0: 32]
    %A = ssm.mul %s, %E : [t: 32, t0: 32], [t: 32, t0: 32]
    %v0 = ssm.relabel %v [t] to [t0] : [j: 64, t: 32]
    %Av = ssm.mul %A, %v0 : [t: 32, t0: 32], [j: 64, t0: 32]
    %inside = ssm.sum %Av over [t0] : [j: 64, t: 32, t0: 32]
    %qP = ssm.mul %q, %P : [i: 64, t: 32], [t: 32]
    %qS = ssm.mul %qP, %S : [i: 64, t: 32], [i: 64, j: 64]
    %before = ssm.sum %qS over [i] : [i: 64, j: 64, t: 32]
    %o = ssm.add %before, %inside : [j: 64, t: 32], [j: 64, t: 32]
    tile.store "o", %o : [j: 64, t: 32]
    %kR = ssm.mul %k, %R : [i: 64, t: 32], [t: 32]
    %kv = ssm.mul %kR, %v : [i: 64, t: 32], [j: 64, t: 32]
    %new = ssm.sum %kv over [t] : [i: 64, j: 64, t: 32]
    %last = ssm.last %P "t" : [t: 32]
    %old = ssm.mul %last, %S : [], [i: 64, j: 64]
    %S2 = ssm.add %old, %new : [i: 64, j: 64], [i: 64, j: 64]
    tile.yield %S2 : [i: 64, j: 64]
  }
  tile.store "S", %S1 : [i: 64, j: 64]
}

// What a fold's body yields flows where its results do: of a product that is read in a fold alone nothing is lost either.
// Both of its sides have a rest here, so that there are three products for the tile of scores.
// TILES-LABEL: func.func @inside(
// TILES-COUNT-3: llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES-NOT:     llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"
// TILES:         llvm.call_intrinsic "llvm.x86.tilestored64.internal"
tile.kernel @inside operands [
    #tile.operand<"q" in [i: 16] f32 head>, #tile.operand<"k" in [i: 16] f32 head>,
    #tile.operand<"m" state_in [t0: 16] f32 head>,
    #tile.operand<"m" state_out [t0: 16] f32 head>] attributes {factor_type = bf16} {
  %m0 = tile.load "m" : [t0: 16]
  %m1 = tile.sequence over [t: 16] axis 0 carry(%m = %m0 : [t0: 16]) {
    %q = tile.load "q" : [i: 16, t: 16]
    %k = tile.load "k" : [i: 16, t: 16]
    %k0 = ssm.relabel %k [t] to [t0] : [i: 16, t: 16]
    %qk = ssm.mul %q, %k0 : [i: 16, t: 16], [i: 16, t0: 16]
    %scores = ssm.sum %qk over [i] : [i: 16, t: 16, t0: 16]
    %next = ssm.fold over [t: 16] carry(%a = %m : [t0: 16]) {
      %one = ssm.at %scores "t" : [t: 16, t0: 16]
      %more = ssm.add %a, %one : [t0: 16], [t0: 16]
      ssm.yield %more : [t0: 16]
    }
    tile.yield %next : [t0: 16]
  }
  tile.store "m", %m1 : [t0: 16]
}
