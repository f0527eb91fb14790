// A chunk of linear attention: contractions as register-blocked products, eight rows by two vectors.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @chunk(
// The steps of the chunk that exist.
// CHECK:       %[[VALID:.*]] = arith.minsi %{{.*}}, %c32_i64
// Keys are transposed once, so that lanes run along their steps.
// CHECK:       vector.shuffle
// CHECK-NOT:   vector.insert
// Queries with keys, all of them in one strip.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %{{.*}} step %c8_i64
// CHECK:         %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c1_i64 iter_args
// Queries with the state, in strips of 32 lanes.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         scf.for %{{.*}} = %c0_i64 to %{{.*}} step %c8_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c1_i64 iter_args
// Scores with values: the scores are 0 above the diagonal, where the sum stops.
// CHECK:       scf.for %[[ROW:.*]] = %c0_i64 to %{{.*}} step %c8_i64
// CHECK:         %[[BLOCK:.*]] = arith.addi %[[ROW]], %c8_i64
// CHECK:         %[[END:.*]] = arith.minsi %[[BLOCK]], %[[VALID]]
// CHECK:         %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[END]] step %c1_i64 iter_args
// What the steps that exist add to the state.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c8_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[VALID]] step %c1_i64 iter_args

// CHECK-LABEL: func.func @chunk_workspace(
tile.kernel @chunk operands [
    #tile.operand<"q" in [i: 64] f32 head>, #tile.operand<"k" in [i: 64] f32 head>,
    #tile.operand<"v" in [j: 64] f32 head>, #tile.operand<"d" in [] f32 head>,
    #tile.operand<"S" state_in [i: 64, j: 64] f32 head>,
    #tile.operand<"S" state_out [i: 64, j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] {
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
