// A product whose factors may be rounded to bf16, on tensor cores: a warp holds tiles of 16 x 8 sums, four of each in
// every thread. What is made of the sums element by element is made in the registers that hold them.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: sed 's/ attributes {factor_type = bf16}//' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=F32
// Where factors may not be rounded there is none, and no exponential by the machine's own function.
// F32-NOT:     llvm.nvvm.mma
// F32-NOT:     llvm.nvvm.ex2

// CHECK-LABEL: func.func @product(
// CHECK:       %[[LOG2E:.*]] = arith.constant 1.4426
// CHECK:       scf.for %{{.*}} to %{{.*}} step %{{.*}}  : i64 {
// A whole tile of steps. W is brought to memory as bf16, as the other factor is already: a thread has two runs of four
// positions of j. It reads both before it writes one, and writes two pairs at once.
// CHECK-COUNT-8: llvm.load {{.*}} : !llvm.ptr<1> -> bf16
// CHECK-NOT:     llvm.load
// CHECK-COUNT-2: llvm.nvvm.ff2bf16x2.rn
// CHECK:         llvm.store {{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
// CHECK-COUNT-2: llvm.nvvm.ff2bf16x2.rn
// CHECK:         llvm.store {{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<3>
// CHECK:         llvm.nvvm.barrier
// 16 steps by 32 positions of j, two tiles of sums for a warp; 16 terms a round.
// CHECK:           %[[SUMS:.*]]:8 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// Factors are read a tile at a time, W with its rows as columns.
// CHECK:             llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3"(
// CHECK:             llvm.call_intrinsic "llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3"(
// CHECK-COUNT-2:     llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:         llvm.nvvm.mma
// CHECK:             scf.yield
// The sums are multiplied by the gate and written to the caller's memory; they never lie in the block's. The gate, e^g,
// is the machine's 2^(g log2 e): beside what products are rounded to that is exact.
// CHECK-NOT:       !llvm.ptr<3>{{$}}
// CHECK:           %[[G:.*]] = arith.mulf %{{.*}}, %[[LOG2E]] :
// CHECK-NEXT:      %[[GATE:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"(%[[G]])
// CHECK-NEXT:      arith.mulf %[[SUMS]]#0, %[[GATE]]
// CHECK-NOT:       !llvm.ptr<3>{{$}}
// CHECK:           arith.mulf %[[SUMS]]#7,
// Two lie side by side: rows of whole multiples of 16 bytes are asked to begin at such.
// CHECK-COUNT-4:   llvm.store {{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
// CHECK:         llvm.nvvm.barrier
// A tile that is not whole reads pairs one by one: those of q lie side by side along i, those of W do not.
// CHECK:       } else {
// CHECK:           scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// CHECK-COUNT-4:     llvm.load {{.*}} : !llvm.ptr<3> -> i32
// CHECK-COUNT-2:     llvm.nvvm.ff2bf16x2.rn
// CHECK:             llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
tile.kernel @product operands [
    #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"W" param [i: 64, j: 32] bf16 head>,
    #tile.operand<"g" in [j: 32] bf16 head>, #tile.operand<"o" out [j: 32] bf16 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 16] axis 0 {
    %q = tile.load "q" : [i: 64, t: 16]
    %W = tile.load "W" : [i: 64, j: 32]
    %g = tile.load "g" : [j: 32, t: 16]
    %qW = ssm.mul %q, %W : [i: 64, t: 16], [i: 64, j: 32]
    %sum = ssm.sum %qW over [i] : [i: 64, j: 32, t: 16]
    %gate = ssm.exp %g : [j: 32, t: 16]
    %o = ssm.mul %sum, %gate : [j: 32, t: 16], [j: 32, t: 16]
    tile.store "o", %o : [j: 32, t: 16]
    tile.yield
  }
}
