// A gram with a decay for each key, by halves: one product a level, its queries decayed from the cut on, its keys up to it.
// With 32 steps there are levels of 16, 8, 4, 2 and 1 steps, and the diagonal, as the gram is not strict: six products, each
// of a query as two bf16 and a key as one (nothing of it flows into a state).
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @gram(
// Zeros first, as nobody computes what is above the diagonal.
// CHECK:       llvm.store %[[ZERO:cst[_0-9]*]], {{.*}} : f32, !llvm.ptr<3>
// The diagonal: sides as they are, each a rounded value and, of queries, what that leaves.
// CHECK:       llvm.nvvm.ff2bf16x2.rn
// CHECK:       arith.subf
// CHECK:       llvm.nvvm.barrier
// CHECK:       scf.for {{.*}} iter_args(
// CHECK-COUNT-3: llvm.nvvm.ldmatrix
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// What is on the diagonal is added, the rest left out.
// CHECK:       %[[ON:.*]] = arith.cmpi eq
// CHECK:       arith.select %[[ON]], {{.*}}, %[[ZERO]]
// CHECK:       arith.addf
// The level of halves of 16: one tile, written as it is.
// CHECK:       llvm.nvvm.barrier
// CHECK:       arith.mulf
// CHECK:       llvm.nvvm.barrier
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK-NOT:   arith.select
// CHECK:       llvm.nvvm.barrier
// Smaller halves: pairs of steps in one block, one in the second half and one in the first.
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK:       arith.cmpi eq
// CHECK:       arith.cmpi ugt
// CHECK:       arith.andi
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK-COUNT-4: llvm.nvvm.mma.m16n8k16.row.col.bf16
// The last tile, which may have fewer steps, in the same way.
// CHECK:       } else {
// CHECK-COUNT-24: llvm.nvvm.mma.m16n8k16.row.col.bf16
// CHECK-NOT:   llvm.nvvm.mma
tile.kernel @gram operands [
    #tile.operand<"q" in [i: 32] bf16 head>, #tile.operand<"k" in [i: 32] bf16 head>,
    #tile.operand<"a" in [i: 32] f32 head>, #tile.operand<"o" out [] f32 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %q = tile.load "q" : [i: 32, t: 32]
    %k = tile.load "k" : [i: 32, t: 32]
    %a = tile.load "a" : [i: 32, t: 32]
    %g = ssm.gram %q, %k decay %a over [i] rows "t" columns "s" : [i: 32, t: 32], [i: 32, t: 32], [i: 32, t: 32]
    %o = ssm.sum %g over [s] : [s: 32, t: 32]
    tile.store "o", %o : [t: 32]
    tile.yield
  }
}
