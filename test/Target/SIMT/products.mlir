// A product whose factors may be rounded to bf16, on tensor cores: a warp holds a tile of 16 x 8 sums, four for each
// thread. What is made of the sums element by element is made in the registers that hold them.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: sed 's/ attributes {factor_type = bf16}//' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=F32
// Where factors may not be rounded there is none.
// F32-NOT:     llvm.nvvm.mma

// CHECK-LABEL: func.func @product(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// A tile is 16 steps by 32 positions of j: one task for each of the four warps.
// CHECK:       %{{.*}} = arith.divui %[[THREAD]], %c32_i32
// CHECK:       %[[SUMS:.*]]:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// Of q pairs along i lie side by side in memory: each is one load.
// CHECK-COUNT-4: llvm.load {{.*}} : !llvm.ptr<3> -> i32
// Of W they do not.
// CHECK:         llvm.fptrunc {{.*}} : vector<2xf32> to vector<2xbf16>
// CHECK:         llvm.fptrunc {{.*}} : vector<2xf32> to vector<2xbf16>
// CHECK:         %[[TILE:.*]] = llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:     llvm.nvvm.mma
// CHECK:         scf.yield
// The sums are multiplied by the gate and written to the caller's memory; they never lie in the block's.
// CHECK-NOT:   !llvm.ptr<3>{{$}}
// CHECK:       arith.mulf %[[SUMS]]#0,
// CHECK:       llvm.store {{.*}} : bf16, !llvm.ptr<1>
// CHECK:       arith.mulf %[[SUMS]]#3,
// CHECK:       llvm.store {{.*}} : bf16, !llvm.ptr<1>
// CHECK:       llvm.nvvm.barrier
tile.kernel @product operands [
    #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"W" param [i: 64, j: 32] bf16 head>,
    #tile.operand<"g" in [j: 32] bf16 head>, #tile.operand<"o" out [j: 32] bf16 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 16] axis 0 {
    %q = tile.load "q" : [i: 64, t: 16]
    %W = tile.load "W" : [i: 64, j: 32]
    %g = tile.load "g" : [j: 32, t: 16]
    %qW = ssm.mul %q, %W : [i: 64, t: 16], [i: 64, j: 32]
    %sum = ssm.sum %qW over [i] : [i: 64, j: 32, t: 16]
    %o = ssm.mul %sum, %g : [j: 32, t: 16], [j: 32, t: 16]
    tile.store "o", %o : [j: 32, t: 16]
    tile.yield
  }
}
