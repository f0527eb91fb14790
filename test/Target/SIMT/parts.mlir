// Eight items for 132 processors: nothing of the kernel meets along j, so that each item is done by eight blocks, each
// with 16 of the 128 positions. What does not bear j they all compute; the first of them stores it.
// RUN: ssmc-opt %s --lower-tile-to-threads=items=8 --canonicalize --cse | FileCheck %s
// Where items are enough for the processors, or not known, a block does one.
// RUN: ssmc-opt %s --lower-tile-to-threads=items=132 | FileCheck %s --check-prefix=ONE
// RUN: ssmc-opt %s --lower-tile-to-threads | FileCheck %s --check-prefix=ONE
// RUN: ssmc-opt %s --lower-tile-to-threads="items=8 processors=8" | FileCheck %s --check-prefix=ONE
// ONE:         slices = 1 : i64

// CHECK-LABEL: func.func @sums(
// CHECK-SAME:  slices = 8 : i64
// CHECK:       %[[X:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.x"
// CHECK:       %[[BLOCK:.*]] = arith.extui %[[X]]
// CHECK:       %[[ITEM:.*]] = arith.divui %[[BLOCK]], %c8_i64
// CHECK:       %[[PART:.*]] = arith.remui %[[BLOCK]], %c8_i64
// CHECK:       %[[FROM:.*]] = arith.muli %[[PART]], %c16_i64
// CHECK:       %[[ISFIRST:.*]] = arith.cmpi eq, %[[PART]], %c0_i64
// Sequence and head are those of the item.
// CHECK:       arith.divui %[[ITEM]], %arg1
// CHECK:       arith.remui %[[ITEM]], %arg1
// The loop over tiles, then `n` by the first block, and each block's own part of S, whose rows are whole in the
// caller's memory.
// CHECK:       scf.for %{{.*}} = %c0_i64 to
// CHECK:       scf.if %[[ISFIRST]]
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<1>
// CHECK:       arith.addi %{{.*}}, %[[FROM]]
// CHECK:       arith.muli %{{.*}}, %c128_i32
// CHECK-COUNT-2: llvm.store {{.*}} : f32, !llvm.ptr<1>
// CHECK-NOT:   llvm.store
tile.kernel @sums operands [
    #tile.operand<"k" in [i: 16] f32 head>, #tile.operand<"v" in [j: 128] f32 head>,
    #tile.operand<"n" state_out [i: 16] f32 head>,
    #tile.operand<"S" state_out [i: 16, j: 128] f32 head>] {
  %zero = ssm.constant 0.000000e+00
  %n0 = ssm.broadcast %zero : [] to [i: 16]
  %S0 = ssm.broadcast %zero : [] to [i: 16, j: 128]
  %all:2 = tile.sequence over [t: 16] axis 0 carry(%n = %n0 : [i: 16], %S = %S0 : [i: 16, j: 128]) {
    %k = tile.load "k" : [i: 16, t: 16]
    %v = tile.load "v" : [j: 128, t: 16]
    %sk = ssm.sum %k over [t] : [i: 16, t: 16]
    %n1 = ssm.add %n, %sk : [i: 16], [i: 16]
    %kv = ssm.mul %k, %v : [i: 16, t: 16], [j: 128, t: 16]
    %skv = ssm.sum %kv over [t] : [i: 16, j: 128, t: 16]
    %S1 = ssm.add %S, %skv : [i: 16, j: 128], [i: 16, j: 128]
    tile.yield %n1, %S1 : [i: 16], [i: 16, j: 128]
  }
  tile.store "n", %all#0 : [i: 16]
  tile.store "S", %all#1 : [i: 16, j: 128]
}
