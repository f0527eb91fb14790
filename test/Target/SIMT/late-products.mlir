// A kernel whose tiles wait for none, and of which one block has a processor's memory for itself.
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=65536 --canonicalize --cse | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=200000 --canonicalize --cse | FileCheck %s --check-prefix=BESIDE

// All that a tile reads is asked for at once, as there is room for it, but what the first products do not read is not waited
// for before them.
// CHECK-LABEL:   func.func @late(
// CHECK-COUNT-2:   "llvm.nvvm.cp.async.cg.shared.global.16"
// CHECK:           "llvm.nvvm.cp.async.commit.group"
// CHECK-COUNT-2:   "llvm.nvvm.cp.async.cg.shared.global.16"
// CHECK:           "llvm.nvvm.cp.async.commit.group"
// CHECK-NEXT:      "cp.async.wait_group 1;"
// Groups of four warps multiply where things lie, 64 steps at a time: what was written is to be seen by them. Each of two has
// half of p's columns, which it rounds for the next product.
// CHECK-NEXT:      "fence.proxy.async.shared::cta;"
// CHECK-NEXT:      "llvm.nvvm.barrier.cta.sync.aligned.all"
// CHECK:           wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {{.*}}, left, right, starts, 1, 1, 0, 0;
// CHECK:           "wgmma.wait_group.sync.aligned 0;"
// CHECK:           "llvm.nvvm.cp.async.wait.all"
// CHECK-NEXT:      "fence.proxy.async.shared::cta;"
// CHECK-NEXT:      "llvm.nvvm.barrier.cta.sync.aligned.all"
// Both products are begun before the first is waited for. Lanes of k lie side by side: its panels are not divided.
// CHECK:           wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, left, right, starts, 1, 1, 0, 1;
// CHECK:           wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}, left, right, starts, 1, 1, 0, 0;
// CHECK:           "wgmma.wait_group.sync.aligned 1;"
// CHECK:           "wgmma.wait_group.sync.aligned 0;"

// Where blocks share a processor, warps multiply tiles that they hold.
// BESIDE-LABEL:  func.func @late(
// BESIDE-NOT:      wgmma
// BESIDE:          "llvm.nvvm.mma.m16n8k16.row.col.bf16"
// BESIDE-NOT:      wgmma
// BESIDE:          return
tile.kernel @late operands [#tile.operand<"g" in [V: 64] bf16 head>, #tile.operand<"v" in [V: 64] bf16 head>,
                            #tile.operand<"k" in [K: 64] bf16 head>, #tile.operand<"S" chunk_temp [K: 64, V: 64] bf16 head>,
                            #tile.operand<"dq" out [K: 64] bf16 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 64] axis 0 {
    %g = tile.load "g" : [V: 64, t: 64]
    %v = tile.load "v" : [V: 64, t: 64]
    %k = tile.load "k" : [K: 64, t: 64]
    %S = tile.load "S" : [K: 64, V: 64]
    %v0 = ssm.relabel %v [t] to [t0] : [V: 64, t: 64]
    %k0 = ssm.relabel %k [t] to [t0] : [K: 64, t: 64]
    %gv = ssm.mul %g, %v0 : [V: 64, t: 64], [V: 64, t0: 64]
    %p = ssm.sum %gv over [V] : [V: 64, t: 64, t0: 64]
    %pk = ssm.mul %p, %k0 : [t: 64, t0: 64], [K: 64, t0: 64]
    %inside = ssm.sum %pk over [t0] : [K: 64, t: 64, t0: 64]
    %gS = ssm.mul %g, %S : [V: 64, t: 64], [K: 64, V: 64]
    %before = ssm.sum %gS over [V] : [K: 64, V: 64, t: 64]
    %dq = ssm.add %inside, %before : [K: 64, t: 64], [K: 64, t: 64]
    tile.store "dq", %dq : [K: 64, t: 64]
    tile.yield
  } {tile.steps = {t = 1 : i64, t0 = 1 : i64}}
}
