// Few sums of many terms: 32 threads share each of the four. A thread takes four terms side by side, then the four of 32
// threads on, with a sum of its own for each, and what threads have is added up by exchanges within the warp, in an order
// that is the same in every run.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @norm(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// CHECK:       %[[LANE:.*]] = arith.remui %[[THREAD]], %c32_i32
// CHECK:       %[[FOUR:.*]]:4 = scf.for %{{.*}} = %[[LANE]] to %c64_i32 step %c32_i32 iter_args(
// CHECK:       %[[LATER:.*]] = arith.addf %[[FOUR]]#1, %[[FOUR]]#3
// CHECK:       %[[MORE:.*]] = arith.addf %[[FOUR]]#0, %[[FOUR]]#2
// CHECK:       %[[TERMS:.*]] = arith.addf %[[MORE]], %[[LATER]]
// CHECK:       %[[FAR:.*]] = llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %[[TERMS]], %c16_i32, %c31_i32)
// CHECK:       %[[SUM:.*]] = arith.addf %[[TERMS]], %[[FAR]]
// CHECK:       llvm.call_intrinsic "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %[[SUM]], %c8_i32, %c31_i32)
// CHECK:       "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c4_i32, %c31_i32)
// CHECK:       "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c2_i32, %c31_i32)
// CHECK:       "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c1_i32, %c31_i32)
// The first of them writes it.
// CHECK:       arith.cmpi eq, %[[LANE]], %c0_i32
// CHECK:       scf.if
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<3>
tile.kernel @norm operands [
    #tile.operand<"A" param [i: 4, j: 256] f32 head>, #tile.operand<"S" state_out [i: 4] f32 head>] {
  %A = tile.load "A" : [i: 4, j: 256]
  %s = ssm.sum %A over [j] : [i: 4, j: 256]
  tile.store "S", %s : [i: 4]
}
