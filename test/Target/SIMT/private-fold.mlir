// A private fold: nothing of the body meets along j, so that each j is a fold of its own. 32 threads run one each, all
// steps alone, with the eight elements along i that a step carries on in registers. No thread waits for another.
// (Between tiles something is made of the state, so that it is not held from tile to tile: see held-state.mlir.)
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @steps(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// The loop over tiles; whole tiles first.
// CHECK:       scf.for %{{.*}} = %c0_i64 to
// CHECK:         %[[MINE:.*]] = arith.cmpi slt, %[[THREAD]], %c32_i32
// CHECK:         scf.if %[[MINE]]
// What is carried is read once ...
// CHECK-COUNT-8:   llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK:           %[[LAST:.*]]:8 = scf.for %{{.*}} = %c0_i32 to %c128_i32 step %c1_i32 iter_args(
// CHECK-NOT:         llvm.nvvm.barrier
// (The output of a step, a sum over what the thread holds, is stored from inside.)
// CHECK:             llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:         llvm.store
// CHECK:             scf.yield {{.*}} : f32, f32, f32, f32, f32, f32, f32, f32
// ... and written once.
// CHECK:           llvm.store %[[LAST]]#0
// CHECK:           llvm.store %[[LAST]]#7
// CHECK:         llvm.nvvm.barrier
// A tile that is not whole takes the steps that there are.
// CHECK:       } else {
// CHECK:         %[[STEPS:.*]] = arith.trunci %{{.*}} : i64 to i32
// CHECK:         scf.for %{{.*}} = %c0_i32 to %[[STEPS]] step %c1_i32 iter_args(
tile.kernel @steps operands [
    #tile.operand<"k" in [i: 8] f32 head>, #tile.operand<"v" in [j: 32] f32 head>,
    #tile.operand<"S" state_in [i: 8, j: 32] f32 head>,
    #tile.operand<"S" state_out [i: 8, j: 32] f32 head>,
    #tile.operand<"o" out [j: 32] f32 head>] {
  %S0 = tile.load "S" : [i: 8, j: 32]
  %S1 = tile.sequence over [t: 128] axis 0 carry(%before = %S0 : [i: 8, j: 32]) {
    %k = tile.load "k" : [i: 8, t: 128]
    %v = tile.load "v" : [j: 32, t: 128]
    %last:2 = ssm.fold over [t: 128] carry(%S = %before : [i: 8, j: 32]) {
      %kt = ssm.at %k "t" : [i: 8, t: 128]
      %vt = ssm.at %v "t" : [j: 32, t: 128]
      %kv = ssm.mul %kt, %vt : [i: 8], [j: 32]
      %next = ssm.add %S, %kv : [i: 8, j: 32], [i: 8, j: 32]
      %o = ssm.sum %next over [i] : [i: 8, j: 32]
      ssm.yield %next, %o : [i: 8, j: 32], [j: 32]
    }
    tile.store "o", %last#1 : [j: 32, t: 128]
    %half = ssm.constant 5.000000e-01
    %kept = ssm.mul %half, %last#0 : [], [i: 8, j: 32]
    tile.yield %kept : [i: 8, j: 32]
  }
  tile.store "S", %S1 : [i: 8, j: 32]
}
