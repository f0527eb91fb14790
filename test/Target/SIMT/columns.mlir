// Columns that never meet: a warp takes sixteen from the first chunk to the last, with all that has columns in its
// registers, and warps of their own bring in what all of them read.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --implicit-check-not=llvm.nvvm.barrier --implicit-check-not=llvm.nvvm.cp.async \
// RUN:     --implicit-check-not=mbarrier
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=98304 --canonicalize --cse | FileCheck %s --check-prefix=AHEAD
// RUN: sed 's/t: 32/t: 16/g; s/t0: 32/t0: 16/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=FEW
// RUN: sed 's/, factor_type = bf16//' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=EXACT
// Where factors may not be rounded the kernel is emitted as any other.
// EXACT-LABEL: func.func @columns(
// EXACT-NOT:   llvm.nvvm.mma

// Two warps for 32 columns, two for copies. Two chunks have room: 2.5 KiB for each of v, k, M and M.rest; and 1 KiB for
// the rows of each warp.
// CHECK-LABEL: func.func @columns(
// CHECK-SAME:  launch = {aligned, shared_bytes = 22560 : i64, {{.*}}threads = 128
// Each has two signals: that a chunk is there, for which the 64 threads that copy arrive, and that it has been read, by
// as many.
// CHECK-COUNT-4: llvm.nvvm.mbarrier.init.shared"(%{{.*}}, %c64_i32)
// CHECK:       llvm.nvvm.barrier.cta.sync.aligned.all
// CHECK:       %[[IS_COLUMNS:.*]] = arith.cmpi ult, %{{.*}}, %c2_i32
// CHECK:       scf.if %[[IS_COLUMNS]] {
// Of 32 x 16 numbers of the state each thread has 16. A chunk is waited for: its slot's signal is sent once for each of
// its turns.
// CHECK:         %[[LAST:.*]]:16 = scf.for %[[CHUNK:.*]] = %c0_i64 to %[[CHUNKS:.*]] step %c1_i64 iter_args(
// CHECK-SAME:      %[[S0:.*]] = %{{.*}}#0, %[[S1:.*]] = %{{.*}}#1, {{.*}} : i64 {
// CHECK-NEXT:      %[[NUMBER:.*]] = arith.trunci %[[CHUNK]]
// CHECK-NEXT:      %[[SLOT:.*]] = arith.remui %[[NUMBER]], %c2_i32
// CHECK-NEXT:      %[[TURN:.*]] = arith.divui %[[NUMBER]], %c2_i32
// CHECK-NEXT:      %[[PARITY:.*]] = arith.andi %[[TURN]], %c1_i32
// CHECK:           llvm.inline_asm {{.*}}mbarrier.try_wait.parity{{.*}}memory{{.*}}%[[PARITY]]
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
// The output goes through shared memory, where each warp has room for its rows of sixteen columns, transposed: 32 steps
// are two times four tiles. Then a thread writes 16 bytes at once: all of a whole chunk, of the last one the steps that
// exist.
// CHECK:           bar.warp.sync
// CHECK-COUNT-2:   stmatrix.sync.aligned.m8n8.x4.trans
// CHECK:           bar.warp.sync
// CHECK-COUNT-2:   llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK:           scf.if
// CHECK-COUNT-2:     llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK:           } else {
// CHECK:             %[[EXISTS:.*]] = arith.cmpi slt,
// CHECK-NEXT:        scf.if %[[EXISTS]] {
// CHECK:               llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// The next state: sums begin with what there is. Nothing of it is stored before the last chunk.
// CHECK-NOT:       llvm.store {{.*}} f32
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[S0]], %[[S1]],
// CHECK-NOT:       llvm.store
// That the chunk has been read is said, without waiting, if another is to take its place.
// CHECK:           %[[MORE:.*]] = arith.cmpi slt, %[[CHUNK]],
// CHECK-NEXT:      scf.if %[[MORE]] {
// CHECK:             llvm.nvvm.mbarrier.arrive.shared"(
// CHECK:           scf.yield
// CHECK-COUNT-16:  llvm.store %[[LAST]]#{{.*}} : f32, !llvm.ptr<1>
// Copies: from the third chunk on its place must have been read.
// CHECK:       } else {
// CHECK-NEXT:    scf.for %[[CHUNK:.*]] = %c0_i64 to %[[CHUNKS]]
// CHECK:           %[[USED:.*]] = arith.cmpi sge, %[[CHUNK]], %c2_i64
// CHECK-NEXT:      scf.if %[[USED]] {
// CHECK:             llvm.inline_asm {{.*}}mbarrier.try_wait.parity
// Sixteen bytes at a time, two for each thread of v, k, M and M.rest: a whole chunk, or as many bytes of it as exist.
// CHECK-COUNT-8:     llvm.nvvm.cp.async.cg.shared.global.16"(
// CHECK:           } else {
// CHECK-COUNT-8:     llvm.nvvm.cp.async.cg.shared.global.16.s"({{.*}}, i32) -> ()
// Once they are there they arrive; nobody waits for them here.
// CHECK:           llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared"(
// CHECK:       return

// Of 96 KiB a block takes half, so that a processor has room for two, and four chunks have room.
// AHEAD-LABEL: func.func @columns(
// AHEAD-SAME:  shared_bytes = 43072 : i64
// AHEAD-COUNT-8: llvm.nvvm.mbarrier.init.shared"(
// AHEAD:       arith.remui %{{.*}}, %c4_i32
// AHEAD:           llvm.nvvm.mbarrier.arrive.shared"(
// AHEAD:       } else {
// AHEAD:         scf.for %[[CHUNK:.*]] = %c0_i64 to %[[CHUNKS:.*]] step
// AHEAD:           %[[USED:.*]] = arith.cmpi sge, %[[CHUNK]], %c4_i64
// AHEAD:           llvm.nvvm.cp.async.mbarrier.arrive.noinc.shared"(
// AHEAD:       return

// Of 16 steps by 16 columns a warp has but two tiles of sums, and each product of one would wait for the one before. So
// k times S is added up in two, of the rounded state and of what rounding leaves of it, for all of K; these are added.
// FEW-LABEL: func.func @columns(
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// FEW-NEXT:    %[[A:.*]] = llvm.extractvalue %{{.*}}[0]
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// FEW-NEXT:    %[[B:.*]] = llvm.extractvalue %{{.*}}[0]
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[A]], %{{.*}}, %{{.*}}, %{{.*}})
// FEW-NEXT:    %[[A:.*]] = llvm.extractvalue %{{.*}}[0]
// FEW:         llvm.nvvm.mma
// FEW:         llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[B]], %{{.*}}, %{{.*}}, %{{.*}})
// FEW-NEXT:    %[[B:.*]] = llvm.extractvalue %{{.*}}[0]
// FEW:         llvm.nvvm.mma
// FEW-NOT:     llvm.nvvm.mma
// FEW:         arith.addf %[[A]], %[[B]] :
// FEW-COUNT-7: arith.addf
// FEW:         arith.subf
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
