// Groups of four warps that multiply by matrices where these lie: 64 columns, each warp sixteen of them as in
// columns.mlir, and products that go on while threads do something else.
// RUN: ssmc-opt %s --lower-tile-to-threads="shared-bytes=98304 items=32" --canonicalize --cse \
// RUN:   | FileCheck %s --implicit-check-not=llvm.nvvm.mma
// RUN: ssmc-opt %s --lower-tile-to-threads="shared-bytes=98304 items=400" --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=MANY
// RUN: sed 's/t: 32/t: 16/g; s/t0: 32/t0: 16/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=FEW
// RUN: sed 's/K: 64/K: 96/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse | FileCheck %s --check-prefix=FEW
// RUN: sed 's/tile.store "o", %%o/tile.store "o", %%S/; s/"o" out \[V: 64\] bf16/"o" chunk_temp [K: 64, V: 64] bf16/; /tile.store "o"/s/\[V: 64, t: 32\]/[K: 64, V: 64]/' %s \
// RUN:   | ssmc-opt --lower-tile-to-threads --canonicalize --cse | FileCheck %s --check-prefix=FEW

// Four warps multiply and four copy: a block has a processor. Where there are blocks enough for several, two copy.
// CHECK-LABEL: func.func @columns(
// CHECK-SAME:    threads = 256
// MANY:          threads = 192
// Warps on their own: of few steps, as a product is less than what it takes to bring its left side along; of rows that
// are no whole panels; and where states are written chunk by chunk.
// FEW-LABEL:   func.func @columns(
// FEW-NOT:       wgmma
// FEW:           llvm.nvvm.mma.m16n8k16

// The number of a warp, in a way that all its threads are known to agree on: where they go apart nobody may wait for a
// group's products.
// CHECK:       %[[WARP:.*]] = llvm.call_intrinsic "llvm.nvvm.shfl.sync.idx.i32"
// CHECK:       arith.cmpi ult, %[[WARP]], %c4_i32
// CHECK:         scf.for {{.*}} iter_args(%[[S0:[^ ]*]] = %{{[^ ]*}}, %[[S1:[^ ]*]] =
// CHECK:           mbarrier.try_wait
// What was copied is there, for products too.
// CHECK-NEXT:      llvm.inline_asm has_side_effects "fence.proxy.async.shared::cta;"
// k times S: the state, rounded, in registers, and what that leaves. Of K 64 positions, sixteen at a time, for 32 steps:
// k's rows are of 128 bytes, one panel, so that sixteen positions are 32 bytes, two units of a matrix descriptor, apart.
// CHECK:           llvm.nvvm.ff2bf16x2.rn"(%[[S1]], %[[S0]])
// CHECK:           %[[KS:.*]] = llvm.inline_asm has_side_effects "{{.*}}wgmma.fence.sync.aligned;
// CHECK-SAME:        add.u32 low, $16, 0;
// CHECK-SAME:        mov.b64 right, {low, 1073741888};
// CHECK-SAME:        m64n32k16.f32.bf16.bf16 {$0,$1,{{.*}},$15}, {$17,$18,$19,$20}, right, starts, 1, 1, 0;
// CHECK-SAME:        {$21,$22,$23,$24}, right, adds, 1, 1, 0;
// CHECK-SAME:        add.u32 low, $16, 2;
// CHECK-SAME:        wgmma.commit_group
// CHECK:           wgmma.wait_group.sync.aligned 0;
// M and M.rest: the left side's rest by the first alone.
// CHECK:           llvm.inline_asm has_side_effects "{{.*}}wgmma.fence
// CHECK-SAME:        right, starts,
// CHECK-SAME:        wgmma.commit_group
// CHECK:           wgmma.wait_group.sync.aligned 0;
// The next state: k by columns, added to the state (its elements are results and arguments). The output is written
// while that goes on.
// CHECK:           %[[NEXT:.*]] = llvm.inline_asm has_side_effects "{{.*}}wgmma.fence
// CHECK-SAME:        right, adds, 1, 1, 1;
// CHECK-SAME:        wgmma.commit_group
// CHECK-SAME:        "=f,{{.*}},=f,0,1,{{.*}},31,r,
// CHECK-SAME:        %[[S0]], %[[S1]],
// CHECK:           stmatrix
// CHECK:           llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// CHECK:           wgmma.wait_group.sync.aligned 0;
// CHECK:           llvm.nvvm.mbarrier.arrive.shared"(
// Copies to panels: of every eight pieces of 16 bytes in a row the numbers are exchanged by the row's, from 128 bytes up.
// CHECK:           %[[ABOVE:.*]] = arith.shrui %[[BYTES:.*]], %c7_i32
// CHECK:           arith.andi %[[ABOVE]], %c7_i32
// CHECK:           arith.xori %[[BYTES]], %{{.*}}
// CHECK-NEXT:      llvm.getelementptr
// CHECK:           llvm.nvvm.cp.async.cg.shared.global.16
tile.kernel @columns operands [
    #tile.operand<"k" in [K: 64] bf16 head>, #tile.operand<"v" in [V: 64] bf16 head>,
    #tile.operand<"S" state_in [K: 64, V: 64] f32 head>, #tile.operand<"S" state_out [K: 64, V: 64] f32 head>,
    #tile.operand<"o" out [V: 64] bf16 head>,
    #tile.operand<"M" chunk_temp [t: 32, t0: 32] bf16 head>, #tile.operand<"M.rest" chunk_temp [t: 32, t0: 32] bf16 head>
  ] attributes {columns = "V", factor_type = bf16} {
  %S0 = tile.load "S" : [K: 64, V: 64]
  %S1 = tile.sequence over [t: 32] axis 0 carry(%S = %S0 : [K: 64, V: 64]) {
    %v = tile.load "v" : [V: 64, t: 32]
    %k = tile.load "k" : [K: 64, t: 32]
    %kS = ssm.mul %k, %S : [K: 64, t: 32], [K: 64, V: 64]
    %r = ssm.sum %kS over [K] : [K: 64, V: 64, t: 32]
    %w = ssm.sub %v, %r : [V: 64, t: 32], [V: 64, t: 32]
    %w0 = ssm.relabel %w [t] to [t0] : [V: 64, t: 32]
    %M = tile.load "M" triangle ["t", "t0"] : [t: 32, t0: 32]
    %Mrest = tile.load "M.rest" triangle ["t", "t0"] : [t: 32, t0: 32]
    %both = ssm.add %M, %Mrest : [t: 32, t0: 32], [t: 32, t0: 32]
    %Mw = ssm.mul %both, %w0 : [t: 32, t0: 32], [V: 64, t0: 32]
    %o = ssm.sum %Mw over [t0] : [V: 64, t: 32, t0: 32]
    tile.store "o", %o : [V: 64, t: 32]
    %ko = ssm.mul %k, %o : [K: 64, t: 32], [V: 64, t: 32]
    %more = ssm.sum %ko over [t] : [K: 64, V: 64, t: 32]
    %next = ssm.add %S, %more : [K: 64, V: 64], [K: 64, V: 64]
    tile.yield %next : [K: 64, V: 64]
  } {tile.steps = {t = 1 : i64, t0 = 1 : i64}}
  tile.store "S", %S1 : [K: 64, V: 64]
}
