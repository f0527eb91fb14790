// A shared fold: the body mixes all of what it carries, so that the block takes the steps together. What is carried
// lies in shared memory, and all threads meet twice a step: after the product, and after the state is written.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @steps(
// CHECK:       scf.for %{{.*}} = %c0_i64 to
// Nothing is carried in registers: the loop over the steps has no iter_args.
// CHECK:         scf.for %{{.*}} = %c0_i32 to %c16_i32 step %c1_i32  : i32 {
// Each thread has two of the 256 sums, and then two elements of the state, side by side.
// CHECK:           scf.for %{{.*}} = %c0_i32 to %c256_i32 step %c128_i32
// CHECK:             scf.for %{{.*}} = %c0_i32 to %c256_i32 step %c1_i32 iter_args(
// CHECK:             llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:           llvm.nvvm.barrier
// CHECK-COUNT-2:   arith.addf
// CHECK-NOT:       llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:           llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NEXT:      llvm.nvvm.barrier
// CHECK-NEXT:    }
tile.kernel @steps operands [
    #tile.operand<"x" in [i: 256] f32 head>,
    #tile.operand<"A" param [i: 256, j: 256] f32 head>,
    #tile.operand<"S" state_in [i: 256] f32 head>, #tile.operand<"S" state_out [i: 256] f32 head>] {
  %S0 = tile.load "S" : [i: 256]
  %A = tile.load "A" : [i: 256, j: 256]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%before = %S0 : [i: 256]) {
    %x = tile.load "x" : [i: 256, t: 16]
    %last = ssm.fold over [t: 16] carry(%S = %before : [i: 256]) {
      %Sj = ssm.relabel %S [i] to [j] : [i: 256]
      %AS = ssm.mul %A, %Sj : [i: 256, j: 256], [j: 256]
      %mixed = ssm.sum %AS over [j] : [i: 256, j: 256]
      %xt = ssm.at %x "t" : [i: 256, t: 16]
      %next = ssm.add %mixed, %xt : [i: 256], [i: 256]
      ssm.yield %next : [i: 256]
    }
    tile.yield %last : [i: 256]
  }
  tile.store "S", %S1 : [i: 256]
}
