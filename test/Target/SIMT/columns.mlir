// Columns that never meet: a warp takes sixteen from the first chunk to the last, with all that has columns in its
// registers, and warps of their own bring in what all of them read.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: sed 's/, factor_type = bf16//' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=EXACT
// Where factors may not be rounded the kernel is emitted as any other.
// EXACT-LABEL: func.func @columns(
// EXACT-NOT:   llvm.nvvm.mma

// Two warps for 32 columns, two for copies.
// CHECK-LABEL: func.func @columns(
// CHECK-SAME:  launch = {aligned, {{.*}}threads = 128
// CHECK:       %[[IS_COLUMNS:.*]] = arith.cmpi ult, %{{.*}}, %c2_i32
// CHECK:       scf.if %[[IS_COLUMNS]] {
// Of 32 x 16 numbers of the state each thread has 16. One barrier a chunk.
// CHECK:         %[[LAST:.*]]:16 = scf.for %{{.*}} iter_args(%[[S0:.*]] = %{{.*}}#0, %[[S1:.*]] = %{{.*}}#1, {{.*}} : i64 {
// CHECK-NEXT:      llvm.nvvm.barrier.cta.sync
// CHECK-NOT:       llvm.nvvm.barrier
// v, of which columns lie side by side, as a left side has them.
// CHECK-COUNT-2:   ldmatrix.sync.aligned.m8n8.x4.trans
// k times S: the state is a left side as it is, rounded where it lies. What rounding leaves is multiplied too, as the
// product flows into the state: of 32 steps by 8 four tiles, twice, for 16 of K at a time.
// CHECK:           llvm.nvvm.ff2bf16x2.rn"(%[[S1]], %[[S0]])
// CHECK-COUNT-2:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-8:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-2:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-8:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// M, a triangle: steps from 0 on reach all 32 steps, by M and, without a rest, by M.rest.
// CHECK-COUNT-2:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-8:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-2:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-4:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// Steps from 16 on reach no step before: half the tiles.
// CHECK-COUNT-1:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-4:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-1:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-2:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// The output is transposed between threads, so that they write two columns at once: all of a whole chunk, of the last
// one the steps that exist.
// CHECK-COUNT-8:   movmatrix.sync.aligned.m8n8.trans.b16
// CHECK:           scf.if
// CHECK-COUNT-8:     llvm.store %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
// CHECK:           } else {
// CHECK:             %[[EXISTS:.*]] = arith.cmpi slt,
// CHECK-NEXT:        scf.if %[[EXISTS]] {
// CHECK:               llvm.store %{{.*}} {alignment = 4 : i64} : i32, !llvm.ptr<1>
// The next state: sums begin with what there is. Nothing of it is stored before the last chunk.
// CHECK-NOT:       llvm.store {{.*}} f32
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[S0]], %[[S1]],
// CHECK-NOT:       llvm.store
// CHECK:           scf.yield
// CHECK-COUNT-16:  llvm.store %[[LAST]]#{{.*}} : f32, !llvm.ptr<1>
// Copies, sixteen bytes at a time: four rows of v, k, M and M.rest each, a whole chunk or as many bytes of it as exist.
// CHECK:       } else {
// CHECK-COUNT-8: llvm.nvvm.cp.async.cg.shared.global.16"(
// CHECK:         } else {
// CHECK-COUNT-8: llvm.nvvm.cp.async.cg.shared.global.16.s"({{.*}}, i32) -> ()
// What was asked for is there when all meet; then the next chunk is asked for.
// CHECK:         scf.for
// CHECK-NEXT:      llvm.nvvm.cp.async.wait.all
// CHECK-NEXT:      llvm.nvvm.barrier.cta.sync
// CHECK:           scf.if
// CHECK:             llvm.nvvm.cp.async.cg.shared.global.16"(
// CHECK-NOT:     llvm.nvvm.barrier
// CHECK:       return
tile.kernel @columns operands [
    #tile.operand<"k" in [K: 32] bf16 head>, #tile.operand<"v" in [V: 32] bf16 head>,
    #tile.operand<"S" state_in [K: 32, V: 32] f32 head>, #tile.operand<"S" state_out [K: 32, V: 32] f32 head>,
    #tile.operand<"o" out [V: 32] bf16 head>,
    #tile.operand<"M" chunk_temp [t: 32, t0: 32] bf16 head>, #tile.operand<"M.rest" chunk_temp [t: 32, t0: 32] bf16 head>
  ] attributes {columns = "V", factor_type = bf16} {
  %S0 = tile.load "S" : [K: 32, V: 32]
  %S1 = tile.sequence over [t: 32] axis 0 carry(%S = %S0 : [K: 32, V: 32]) {
    %v = tile.load "v" : [V: 32, t: 32]
    %k = tile.load "k" : [K: 32, t: 32]
    %kS = ssm.mul %k, %S : [K: 32, t: 32], [K: 32, V: 32]
    %r = ssm.sum %kS over [K] : [K: 32, V: 32, t: 32]
    %w = ssm.sub %v, %r : [V: 32, t: 32], [V: 32, t: 32]
    %w0 = ssm.relabel %w [t] to [t0] : [V: 32, t: 32]
    %M = tile.load "M" triangle ["t", "t0"] : [t: 32, t0: 32]
    %Mrest = tile.load "M.rest" triangle ["t", "t0"] : [t: 32, t0: 32]
    %both = ssm.add %M, %Mrest : [t: 32, t0: 32], [t: 32, t0: 32]
    %Mw = ssm.mul %both, %w0 : [t: 32, t0: 32], [V: 32, t0: 32]
    %o = ssm.sum %Mw over [t0] : [V: 32, t: 32, t0: 32]
    tile.store "o", %o : [V: 32, t: 32]
    %ko = ssm.mul %k, %o : [K: 32, t: 32], [V: 32, t: 32]
    %more = ssm.sum %ko over [t] : [K: 32, V: 32, t: 32]
    %next = ssm.add %S, %more : [K: 32, V: 32], [K: 32, V: 32]
    tile.yield %next : [K: 32, V: 32]
  }
  tile.store "S", %S1 : [K: 32, V: 32]
}
