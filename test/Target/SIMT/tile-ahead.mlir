// While a tile is computed the operands of the next one are on their way: rows by copies of 16 bytes that need no
// registers, one number a step through a register. The memory has room for two tiles of each, even and odd.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @sums(
// 16 x 32 and 16 numbers, twice; and as much again for a tile that is not whole.
// CHECK-SAME:  launch = {aligned, {{.*}}threads = 128
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// The first tile, if it is whole: 128 copies, one for each thread.
// CHECK:       scf.if
// CHECK:         llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16"({{.*}}) : (!llvm.ptr<3>, !llvm.ptr<1>)
// CHECK:         llvm.load {{.*}} : !llvm.ptr<1> -> f32
// CHECK:         llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:       scf.for %[[TILE:.*]] = %c0_i64 to
// CHECK:         %[[WHOLE:.*]] = arith.cmpi sge, {{.*}}, %c16_i64
// CHECK:         %[[NEXT:.*]] = arith.addi %[[TILE]], %c1_i64
// CHECK:         scf.if %[[WHOLE]]
// What was asked for is there.
// CHECK:           llvm.call_intrinsic "llvm.nvvm.cp.async.wait.all"
// CHECK-NEXT:      llvm.nvvm.barrier
// The next tile is asked for; this one again where that is not whole.
// CHECK:           %[[AHEAD:.*]] = arith.select %{{.*}}, %[[NEXT]], %[[TILE]]
// CHECK:           llvm.call_intrinsic "llvm.nvvm.cp.async.cg.shared.global.16"(
// CHECK:           %[[HELD:.*]] = llvm.load {{.*}} : !llvm.ptr<1> -> f32
// The tile, from shared memory alone.
// CHECK-NOT:       !llvm.ptr<1> -> f32
// CHECK:           scf.for
// CHECK:             arith.mulf
// CHECK:           llvm.nvvm.barrier
// CHECK:           llvm.store %[[HELD]], {{.*}} : f32, !llvm.ptr<3>
// A tile that is not whole is read when it is computed, as far as there are steps.
// CHECK:         } else {
// CHECK:           %[[STEPS:.*]] = arith.trunci %{{.*}} : i64 to i32
// CHECK-NOT:       cp.async
// CHECK:           arith.cmpi slt, %[[THREAD]], %[[STEPS]]
// CHECK:           llvm.nvvm.barrier

tile.kernel @sums operands [
    #tile.operand<"x" in [i: 32] f32 head>, #tile.operand<"d" in [] f32 head>,
    #tile.operand<"S" state_out [i: 32] f32 head>] {
  %zero = ssm.constant 0.000000e+00
  %S0 = ssm.broadcast %zero : [] to [i: 32]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 32]) {
    %x = tile.load "x" : [i: 32, t: 16]
    %d = tile.load "d" : [t: 16]
    %dx = ssm.mul %x, %d : [i: 32, t: 16], [t: 16]
    %sum = ssm.sum %dx over [t] : [i: 32, t: 16]
    %next = ssm.add %S, %sum : [i: 32], [i: 32]
    tile.yield %next : [i: 32]
  }
  tile.store "S", %S1 : [i: 32]
}
