// What is kept in memory is computed in stages: all that needs nothing of the same stage, its elements dealt out to the
// threads. All threads meet after each, and only there.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK:       llvm.mlir.global external @ssmc_shared() {addr_space = 3 : i32
// An array of 16 x 16 and 16 sums. `launch` is what a launch needs to know.
// CHECK-LABEL: func.func @scale(
// CHECK-SAME:  launch = {shared_bytes = 1088 : i64, slices = 1 : i64, threads = 128 : i64}
// CHECK:       %[[SHARED:.*]] = llvm.mlir.addressof @ssmc_shared
// CHECK:       llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// The array is read twice over, so it is brought in: 256 elements, two side by side for each thread. Both are read
// before one is written, and written at once: of the block's places it is known where they begin.
// CHECK:       %[[ONE:.*]] = llvm.load {{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
// CHECK:       %[[TWO:.*]] = llvm.load {{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> f32
// CHECK:       %[[FIRST:.*]] = llvm.insertelement %[[ONE]], %{{.*}}[%c0_i32 : i32] : vector<2xf32>
// CHECK:       %[[BOTH:.*]] = llvm.insertelement %[[TWO]], %[[FIRST]][%c1_i32 : i32] : vector<2xf32>
// CHECK:       llvm.store %[[BOTH]], {{.*}} {alignment = 8 : i64} : vector<2xf32>, !llvm.ptr<3>
// CHECK:       llvm.nvvm.barrier
// Its sums; the squares are computed where they are summed.
// CHECK-NOT:   llvm.nvvm.barrier
// CHECK:         arith.mulf
// CHECK:         arith.addf
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:       llvm.nvvm.barrier
// What is stored is computed where it is stored, element by element, as the caller's array may begin anywhere. A final
// state that the caller does not want is a null pointer.
// CHECK-NOT:   llvm.nvvm.barrier
// CHECK:       %[[WANTED:.*]] = llvm.icmp "ne"
// CHECK:       scf.if %[[WANTED]]
// CHECK:         llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK:         %[[S:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK:         %[[ONE:.*]] = arith.mulf %{{.*}}, %[[S]]
// CHECK:         %[[TWO:.*]] = arith.mulf %{{.*}}, %[[S]]
// CHECK:         llvm.store %[[ONE]], {{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK:         llvm.store %[[TWO]], {{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK:       llvm.nvvm.barrier
// CHECK-NOT:   llvm.nvvm.barrier
// CHECK:       return
tile.kernel @scale operands [
    #tile.operand<"A" param [i: 16, j: 16] f32 head>,
    #tile.operand<"S" state_out [i: 16, j: 16] f32 head>] {
  %A = tile.load "A" : [i: 16, j: 16]
  %square = ssm.mul %A, %A : [i: 16, j: 16], [i: 16, j: 16]
  %s = ssm.sum %square over [j] : [i: 16, j: 16]
  %scaled = ssm.mul %A, %s : [i: 16, j: 16], [i: 16]
  tile.store "S", %scaled : [i: 16, j: 16]
}
