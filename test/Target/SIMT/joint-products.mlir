// Products of the same rows and lanes that are read several times over are computed together, with all that is made of
// them, so that none of them lies in memory: here y and its sum over k, which would each read both products.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @joint(
// A whole tile of steps: the sides are brought to memory, then both products have their sums in registers.
// CHECK:         llvm.nvvm.barrier
// CHECK:         %[[A:.*]]:8 = scf.for {{.*}} iter_args(
// CHECK:           llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK:         %[[B:.*]]:8 = scf.for {{.*}} iter_args(
// CHECK:           llvm.call_intrinsic "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// No sum is written to the block's memory; what is made of the first ones is.
// CHECK-NOT:     llvm.store {{.*}} !llvm.ptr<3>
// CHECK:         arith.addf %[[A]]#0, %[[B]]#0
// CHECK:         llvm.store {{.*}} !llvm.ptr<1>
// Sums over k: a thread adds its own, then those of threads with other lanes; the first of these writes the part.
// CHECK:         "llvm.nvvm.shfl.sync.bfly.f32"(
// CHECK:         "llvm.nvvm.shfl.sync.bfly.f32"(
// CHECK:         scf.if
// CHECK:           llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:         llvm.nvvm.barrier
// The parts are added up in a stage of their own, always in the same order.
// CHECK:         llvm.load {{.*}} !llvm.ptr<3> -> f32
// CHECK:         llvm.load {{.*}} !llvm.ptr<3> -> f32
// CHECK:         arith.addf
tile.kernel @joint operands [#tile.operand<"a" in [i: 32] bf16 head>, #tile.operand<"b" in [i: 32] bf16 head>,
                             #tile.operand<"u" param [k: 32, i: 32] bf16 head>, #tile.operand<"w" param [k: 32, i: 32] bf16 head>,
                             #tile.operand<"q" in [k: 32] bf16 head>,
                             #tile.operand<"y" out [k: 32] bf16 head>, #tile.operand<"g" out [] f32 head>]
    attributes {factor_type = bf16} {
  %u = tile.load "u" : [k: 32, i: 32]
  %w = tile.load "w" : [k: 32, i: 32]
  tile.sequence over [t: 16] axis 0 {
    %a = tile.load "a" : [i: 32, t: 16]
    %b = tile.load "b" : [i: 32, t: 16]
    %q = tile.load "q" : [k: 32, t: 16]
    %0 = ssm.mul %u, %a : [k: 32, i: 32], [i: 32, t: 16]
    %1 = ssm.sum %0 over [i] : [k: 32, i: 32, t: 16]
    %2 = ssm.mul %w, %b : [k: 32, i: 32], [i: 32, t: 16]
    %3 = ssm.sum %2 over [i] : [k: 32, i: 32, t: 16]
    %y = ssm.add %1, %3 : [k: 32, t: 16], [k: 32, t: 16]
    %4 = ssm.mul %q, %1 : [k: 32, t: 16], [k: 32, t: 16]
    %g = ssm.sum %4 over [k] : [k: 32, t: 16]
    tile.store "y", %y : [k: 32, t: 16]
    tile.store "g", %g : [t: 16]
    tile.yield
  }
}
