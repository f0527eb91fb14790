// Feedback: two nests a step over the rows of a strip, one for the prediction, one for update and readout.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @delta(
// The steps of the tile; the last tile is partial.
// CHECK:       %[[VALID:.*]] = arith.minsi %{{.*}}, %c16
// CHECK:       scf.for %{{.*}} = %c0_i64 to %[[VALID]] step %c1_i64 : i64 {
// The prediction: four vectors of the strip, rows two at a time with accumulators of their own, nothing stored.
// CHECK:         %{{.*}}:8 = scf.for %{{.*}} = %c0_i64 to %c32_i64 step %c2_i64 iter_args
// CHECK-NOT:       llvm.store
// CHECK-COUNT-4:   llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK-NOT:       llvm.store
// CHECK:           scf.yield
// The update, in place, and the readout.
// CHECK:         %{{.*}}:8 = scf.for %{{.*}} = %c0_i64 to %c32_i64 step %c2_i64 iter_args
// CHECK-COUNT-8:   llvm.store %{{.*}} : vector<16xf32>, !llvm.ptr
// CHECK:           scf.yield
tile.kernel @delta operands [
    #tile.operand<"q" in [i: 32] f32 head>, #tile.operand<"k" in [i: 32] f32 head>,
    #tile.operand<"v" in [j: 64] f32 head>, #tile.operand<"g" in [] f32 head>,
    #tile.operand<"beta" in [] f32 head>,
    #tile.operand<"S" state_in [i: 32, j: 64] f32 head>,
    #tile.operand<"S" state_out [i: 32, j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] {
  %S0 = tile.load "S" : [i: 32, j: 64]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 32, j: 64]) {
    %q = tile.load "q" : [i: 32, t: 16]
    %k = tile.load "k" : [i: 32, t: 16]
    %v = tile.load "v" : [j: 64, t: 16]
    %g = tile.load "g" : [t: 16]
    %be = tile.load "beta" : [t: 16]
    %a = ssm.exp %g : [t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: 32, j: 64]) {
      %at = ssm.at %a "t" : [t: 16]
      %bt = ssm.at %be "t" : [t: 16]
      %kt = ssm.at %k "t" : [i: 32, t: 16]
      %vt = ssm.at %v "t" : [j: 64, t: 16]
      %qt = ssm.at %q "t" : [i: 32, t: 16]
      %D = ssm.mul %at, %P : [], [i: 32, j: 64]
      %kd = ssm.mul %kt, %D : [i: 32], [i: 32, j: 64]
      %p = ssm.sum %kd over [i] : [i: 32, j: 64]
      %e = ssm.sub %vt, %p : [j: 64], [j: 64]
      %be1 = ssm.mul %bt, %e : [], [j: 64]
      %u = ssm.mul %kt, %be1 : [i: 32], [j: 64]
      %Sn = ssm.add %D, %u : [i: 32, j: 64], [i: 32, j: 64]
      %m = ssm.mul %qt, %Sn : [i: 32], [i: 32, j: 64]
      %o = ssm.sum %m over [i] : [i: 32, j: 64]
      ssm.yield %Sn, %o : [i: 32, j: 64], [j: 64]
    }
    tile.store "o", %r#1 : [j: 64, t: 16]
    tile.yield %r#0 : [i: 32, j: 64]
  }
  tile.store "S", %S1 : [i: 32, j: 64]
}
