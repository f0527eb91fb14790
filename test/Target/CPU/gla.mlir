// No feedback: rows of the state stay in registers, block by block, for all steps of a tile.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @gla(
// CHECK-SAME:    !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64, %{{.*}}: !llvm.ptr {llvm.noalias}) -> i32

// Blocks of items, then items: the initial states, or zeros where there are none.
// CHECK:       scf.for
// CHECK:         scf.for
// CHECK:           scf.if
// Tiles of 16 steps, the items of the block inside, the last tile partial.
// CHECK:         scf.for
// CHECK:           %[[VALID:.*]] = arith.minsi %{{.*}}, %c16
// CHECK:           scf.for
// The gate's exponential for all steps, without a call.
// CHECK-NOT:         math.exp
// CHECK-NOT:         llvm.call
// Blocks of four rows by four vectors, in registers for all steps; the first block begins the readouts.
// CHECK:             %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[VALID]] step %c1_i64 iter_args
// CHECK:             scf.for %{{.*}} = %c4_i64 to %c64_i64 step %c4_i64
// CHECK:               %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[VALID]] step %c1_i64 iter_args

// CHECK-LABEL: func.func @gla_workspace(
// CHECK-SAME:    !llvm.ptr, %{{.*}}: i64) -> i64
tile.kernel @gla operands [
    #tile.operand<"q" in [i: 64] f32 head>, #tile.operand<"k" in [i: 64] f32 head>,
    #tile.operand<"v" in [j: 64] f32 head>, #tile.operand<"g" in [i: 64] f32 head>,
    #tile.operand<"S" state_in [i: 64, j: 64] f32 head>,
    #tile.operand<"S" state_out [i: 64, j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] {
  %S0 = tile.load "S" : [i: 64, j: 64]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 64, j: 64]) {
    %q = tile.load "q" : [i: 64, t: 16]
    %k = tile.load "k" : [i: 64, t: 16]
    %v = tile.load "v" : [j: 64, t: 16]
    %g = tile.load "g" : [i: 64, t: 16]
    %a = ssm.exp %g : [i: 64, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: 64, j: 64]) {
      %at = ssm.at %a "t" : [i: 64, t: 16]
      %kt = ssm.at %k "t" : [i: 64, t: 16]
      %vt = ssm.at %v "t" : [j: 64, t: 16]
      %qt = ssm.at %q "t" : [i: 64, t: 16]
      %d = ssm.mul %at, %P : [i: 64], [i: 64, j: 64]
      %b = ssm.mul %kt, %vt : [i: 64], [j: 64]
      %Sn = ssm.add %d, %b : [i: 64, j: 64], [i: 64, j: 64]
      %m = ssm.mul %qt, %Sn : [i: 64], [i: 64, j: 64]
      %o = ssm.sum %m over [i] : [i: 64, j: 64]
      ssm.yield %Sn, %o : [i: 64, j: 64], [j: 64]
    }
    tile.store "o", %r#1 : [j: 64, t: 16]
    tile.yield %r#0 : [i: 64, j: 64]
  }
  tile.store "S", %S1 : [i: 64, j: 64]
}
