// What would leave most threads without work is rewritten first.
// RUN: ssmc-opt %s --lower-tile-to-threads="threads=256" --canonicalize --cse | FileCheck %s

// One sum of 128 x 64 terms could be shared by a warp. Over j first there are 128 sums, one for two threads each; over i
// then one.
// CHECK-LABEL: func.func @both(
// CHECK:       llvm.nvvm.barrier
// CHECK:       %[[LANE:.*]] = arith.remui %{{.*}}, %c2_i32
// CHECK:       scf.for %{{.*}} = %[[LANE]] to %c16_i32 step %c2_i32 iter_args(
// CHECK:       llvm.nvvm.barrier
// CHECK:       %[[LANE:.*]] = arith.remui %{{.*}}, %c32_i32
// CHECK:       scf.for %{{.*}} = %{{.*}} to %c32_i32 step %c32_i32 iter_args(
// CHECK:       llvm.nvvm.barrier
tile.kernel @both operands [
    #tile.operand<"A" param [i: 128, j: 64] f32 head>, #tile.operand<"s" state_out [] f32 head>] {
  %A = tile.load "A" : [i: 128, j: 64]
  %square = ssm.mul %A, %A : [i: 128, j: 64], [i: 128, j: 64]
  %s = ssm.sum %square over [i, j] : [i: 128, j: 64]
  tile.store "s", %s : []
}

// What a fold stacks is a sum over i. Stacked itself, it would have the block take the steps together, with a barrier
// after each; with its terms stacked there are 64 folds side by side, and the sums are taken after them.
// CHECK-LABEL: func.func @totals(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// CHECK:       llvm.nvvm.barrier
// CHECK:       %[[MINE:.*]] = arith.cmpi slt, %[[THREAD]], %c64_i32
// CHECK:       scf.if %[[MINE]]
// CHECK-NOT:   llvm.nvvm.barrier
// CHECK:         arith.mulf
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:       llvm.nvvm.barrier
// Sixteen sums, each by sixteen threads.
// CHECK:       arith.remui %[[THREAD]], %c16_i32
// CHECK:       "llvm.nvvm.shfl.sync.bfly.f32"
tile.kernel @totals operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"y" out [] f32 head>] {
  %nothing = ssm.constant 0.0
  %none = ssm.broadcast %nothing : [] to [i: 64]
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 64, t: 16]
    %last, %y = ssm.fold over [t: 16] carry(%S = %none : [i: 64]) {
      %xt = ssm.at %x "t" : [i: 64, t: 16]
      %more = ssm.mul %S, %xt : [i: 64], [i: 64]
      %next = ssm.add %more, %xt : [i: 64], [i: 64]
      %sum = ssm.sum %next over [i] : [i: 64]
      ssm.yield %next, %sum : [i: 64], []
    }
    tile.store "y", %y : [t: 16]
    tile.yield
  }
}
