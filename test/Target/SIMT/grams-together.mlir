// Grams of the same keys and the same decays are one walk, and one product a level (gram.mlir says which): keys decay
// once for both, and are read once. Where there are more warps than that has tiles, each takes one of the grams.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: sed 's/\([st]\): 32/\1: 64/g' %s | ssmc-opt --lower-tile-to-threads=shared-bytes=131072 --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=FEW
// RUN: sed 's/\([st]\): 32/\1: 128/g; s/i: 64/i: 32/g' %s \
// RUN:   | ssmc-opt --lower-tile-to-threads=shared-bytes=220000 --canonicalize --cse | FileCheck %s --check-prefix=WHOLE

// CHECK-LABEL: func.func @grams(
// Row 0: a column begins, and its sum with the query. A strict gram has no such.
// CHECK:           %[[FIRST:.*]] = arith.cmpi eq, %[[P:.*]], %c0_i32
// CHECK-NEXT:      %[[X0:.*]] = arith.select %[[FIRST]],
// CHECK-NEXT:      %[[X1:.*]] = arith.select %[[FIRST]],
// CHECK:           %[[QX:.*]] = arith.mulf %{{.*}}, %[[X0]]
// CHECK-NEXT:      llvm.intr.fma(%{{.*}}, %[[X1]], %[[QX]])
// Row 1: the strict gram does not decay by the step's own, so that it adds up first.
// CHECK:           %[[KX:.*]] = arith.mulf %{{.*}}, %[[X0]]
// CHECK-NEXT:      llvm.intr.fma(%{{.*}}, %[[X1]], %[[KX]])
// CHECK:           %[[X0A:.*]] = arith.mulf %[[X0]], %{{.*}}
// CHECK-NEXT:      %[[X1A:.*]] = arith.mulf %[[X1]], %{{.*}}
// CHECK-NEXT:      %[[SECOND:.*]] = arith.cmpi eq, %[[P]], %c1_i32
// CHECK-NEXT:      %[[Y0:.*]] = arith.select %[[SECOND]], %{{.*}}, %[[X0A]]
// CHECK-NEXT:      %[[Y1:.*]] = arith.select %[[SECOND]], %{{.*}}, %[[X1A]]
// CHECK:           %[[QY:.*]] = arith.mulf %{{.*}}, %[[Y0]]
// CHECK-NEXT:      llvm.intr.fma(%{{.*}}, %[[Y1]], %[[QY]])
// Of 15, 11, 7 and 3 rows below a column's first the strict gram has sums, the other one of 16, 12, 8 and 4.
// CHECK-COUNT-73:  llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// CHECK:           llvm.nvvm.shfl.sync.bfly.f32
// Sides of a level: queries of each as two bf16, keys as one.
// CHECK-COUNT-80:  llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         llvm.nvvm.barrier
// One tile, by four warps: each has eight columns of one gram. What has been read is written by the same warp.
// CHECK:         scf.for %[[TASK:.*]] = %{{.*}} to %c4_i32 step %c8_i32
// CHECK:           %[[GRAM:.*]] = arith.remui %[[TASK]], %c2_i32
// CHECK:           %[[IS_FIRST:.*]] = arith.cmpi eq, %[[GRAM]], %c0_i32
// CHECK-NEXT:      scf.if %[[IS_FIRST]] {
// CHECK:             %[[SUMS:.*]]:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// CHECK-COUNT-3:       llvm.nvvm.ldmatrix{{[^.]*}}.sync.aligned.m8n8.x4.b16
// CHECK-NOT:           llvm.nvvm.ldmatrix
// CHECK:               scf.yield
// CHECK-COUNT-4:     llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:         llvm.store
// CHECK:           %[[IS_SECOND:.*]] = arith.cmpi eq, %[[GRAM]], %c1_i32
// CHECK-NEXT:      scf.if %[[IS_SECOND]] {
// CHECK:             %[[SUMS:.*]]:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// CHECK-COUNT-3:       llvm.nvvm.ldmatrix{{[^.]*}}.sync.aligned.m8n8.x4.b16
// CHECK-NOT:           llvm.nvvm.ldmatrix
// CHECK:               scf.yield
// CHECK-COUNT-4:     llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:         llvm.store
// CHECK:         llvm.nvvm.barrier
// CHECK:       } else {

// Of 64 steps the first level has four tiles, which eight warps share by columns alone: one product, of which keys are
// read once, both queries twice, as two bf16, and four sums of each gram are carried. The second has two, and each warp
// one gram again.
// FEW-LABEL:   func.func @grams(
// FEW:         scf.for %{{.*}} = %{{.*}} to %c8_i32 step %c8_i32
// FEW:           %[[SUMS:.*]]:8 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// FEW-COUNT-5:     llvm.nvvm.ldmatrix{{[^.]*}}.sync.aligned.m8n8.x4.b16
// FEW-NOT:         llvm.nvvm.ldmatrix
// FEW:             scf.yield
// FEW-COUNT-8:   llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// FEW:         llvm.nvvm.barrier
// FEW-NOT:     llvm.nvvm.mma
// FEW:         llvm.nvvm.barrier
// FEW-NEXT:    scf.for %[[TASK:.*]] = %{{.*}} to %c8_i32 step %c8_i32
// FEW-NEXT:      arith.remui %[[TASK]], %c2_i32
// FEW-COUNT-2:   %{{.*}}:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// FEW:         llvm.nvvm.barrier
// FEW:       } else {

// Of 128 steps it has sixteen, and a warp takes whole ones: eight sums of each gram.
// WHOLE-LABEL: func.func @grams(
// WHOLE:       scf.for %{{.*}} = %{{.*}} to %c16_i32 step %c8_i32
// WHOLE:         %[[SUMS:.*]]:16 = scf.for %{{.*}} = %c0_i32 to %c32_i32 step %c16_i32 iter_args(
// WHOLE-COUNT-5:   llvm.nvvm.ldmatrix{{[^.]*}}.sync.aligned.m8n8.x4.b16
// WHOLE-NOT:       llvm.nvvm.ldmatrix
// WHOLE:           scf.yield
// WHOLE-NOT:     scf.if
// WHOLE-COUNT-8: llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// WHOLE-NOT:     llvm.store
// WHOLE:       llvm.nvvm.barrier
// WHOLE:       } else {
tile.kernel @grams operands [
    #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"k" in [i: 64] bf16 head>,
    #tile.operand<"a" in [i: 64] f32 head>, #tile.operand<"o" out [] f32 head>, #tile.operand<"p" out [] f32 head>
  ] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %q = tile.load "q" : [i: 64, t: 32]
    %k = tile.load "k" : [i: 64, t: 32]
    %a = tile.load "a" : [i: 64, t: 32]
    %qk = ssm.gram %q, %k decay %a over [i] rows "t" columns "s" : [i: 64, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    %kk = ssm.gram %k, %k decay %a over [i] rows "t" columns "s" strict : [i: 64, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    %o = ssm.sum %qk over [s] : [s: 32, t: 32]
    tile.store "o", %o : [t: 32]
    %p = ssm.sum %kk over [s] : [s: 32, t: 32]
    tile.store "p", %p : [t: 32]
    tile.yield
  }
}
