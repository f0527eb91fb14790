// A gram with a decay for each key. Blocks of 16 x 16 on the diagonal are walked pair by pair in registers; what is
// below them is a product for each halving of the chunk, its queries decayed from the cut on, its keys up to it.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s --implicit-check-not=llvm.nvvm.barrier
// RUN: sed 's/\([st]\): 32/\1: 64/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=HALVES
// RUN: sed 's/\([st]\): 32/\1: 128/g' %s | ssmc-opt --lower-tile-to-threads=shared-bytes=220000 --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=WHOLE
// RUN: sed 's/\([st]\): 32/\1: 16/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=BLOCK --implicit-check-not=llvm.nvvm.mma

// CHECK-LABEL: func.func @gram(
// CHECK:         llvm.nvvm.barrier
// The diagonal: of each of the two blocks a warp has columns p, p + 4, p + 8 and p + 12, a lane two of the 64 keys.
// CHECK:         %[[LANE:.*]] = arith.remui %{{.*}}, %c32_i32
// CHECK:         %[[WARP:.*]] = arith.divui %{{.*}}, %c32_i32
// CHECK:         scf.for %[[TASK:.*]] = %[[WARP]] to %c8_i32 step %c8_i32
// CHECK:           %[[P:.*]] = arith.remui %[[TASK]], %c4_i32
// CHECK:           %[[KEY:.*]] = arith.muli %[[LANE]], %c2_i32
// Row 0: a column begins with the key of its step if that is 0, and is 0 before. One sum over the keys.
// CHECK:           %[[K0:.*]] = arith.extf
// CHECK:           %[[K1:.*]] = arith.extf
// CHECK:           %[[FIRST:.*]] = arith.cmpi eq, %[[P]], %c0_i32
// CHECK-NEXT:      %[[X0:.*]] = arith.select %[[FIRST]], %[[K0]], %cst
// CHECK-NEXT:      %[[X1:.*]] = arith.select %[[FIRST]], %[[K1]], %cst
// CHECK:           %[[Q0:.*]] = arith.extf
// CHECK:           %[[Q1:.*]] = arith.extf
// CHECK-NEXT:      %[[QX:.*]] = arith.mulf %[[Q0]], %[[X0]]
// CHECK-NEXT:      llvm.intr.fma(%[[Q1]], %[[X1]], %[[QX]])
// Row 1: what there is decays, or the column begins here.
// CHECK:           %[[A0:.*]] = llvm.load {{.*}} -> f32
// CHECK:           %[[A1:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:      %[[X0A:.*]] = arith.mulf %[[X0]], %[[A0]]
// CHECK-NEXT:      %[[X1A:.*]] = arith.mulf %[[X1]], %[[A1]]
// CHECK-NEXT:      %[[SECOND:.*]] = arith.cmpi eq, %[[P]], %c1_i32
// CHECK-NEXT:      arith.select %[[SECOND]], %[[K0]], %[[X0A]]
// CHECK-NEXT:      arith.select %[[SECOND]], %[[K1]], %[[X1A]]
// So on: of the four columns 16, 12, 8 and 4 rows are sums.
// CHECK-COUNT-39:  llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// Lanes add up 32 sums at once: half of a lane's go to another lane, and half of that one's come, until each has one.
// CHECK:           %[[BIT:.*]] = arith.andi %[[LANE]], %c16_i32
// CHECK:           %[[UPPER:.*]] = arith.cmpi ne, %[[BIT]], %c0_i32
// CHECK:           %[[KEPT:.*]] = arith.select %[[UPPER]], %[[S:.*]], %[[T:.*]] :
// CHECK-NEXT:      %[[GIVEN:.*]] = arith.select %[[UPPER]], %[[T]], %[[S]] :
// CHECK-NEXT:      %[[COMES:.*]] = {{.*}} "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %[[GIVEN]], %c16_i32, %c31_i32)
// CHECK-NEXT:      arith.addf %[[KEPT]], %[[COMES]]
// CHECK-COUNT-15:  "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c16_i32, %c31_i32)
// CHECK-COUNT-8:   "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c8_i32, %c31_i32)
// CHECK-COUNT-4:   "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c4_i32, %c31_i32)
// CHECK-COUNT-2:   "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c2_i32, %c31_i32)
// CHECK:           %[[COMES:.*]] = {{.*}} "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c1_i32, %c31_i32)
// CHECK-NEXT:      %[[SUM:.*]] = arith.addf %{{.*}}, %[[COMES]]
// CHECK-NOT:       llvm.nvvm.shfl
// CHECK:           llvm.store %[[SUM]], {{.*}} : f32, !llvm.ptr<3>
// The eight sums of the third column are left: four lanes end with the same one.
// CHECK-COUNT-4:   "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c16_i32, %c31_i32)
// CHECK-COUNT-2:   "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c8_i32, %c31_i32)
// CHECK:           "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c4_i32, %c31_i32)
// CHECK-NOT:       arith.select
// CHECK:           "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c2_i32, %c31_i32)
// CHECK:           "llvm.nvvm.shfl.sync.bfly.f32"(%c-1_i32, %{{.*}}, %c1_i32, %c31_i32)
// CHECK:           scf.if
// CHECK:             llvm.store {{.*}} : f32, !llvm.ptr<3>
// Zeros above the rows that warps have written.
// CHECK:         scf.for %{{.*}} = %c0_i32 to %c1024_i32
// CHECK:           %[[ABOVE:.*]] = arith.cmpi ult
// CHECK-NEXT:      scf.if %[[ABOVE]] {
// CHECK:             llvm.store %cst, {{.*}} : f32, !llvm.ptr<3>
// The level of halves of 16. Of the steps from 16 on queries, with two keys for each thread: as bf16 what rounding
// gives, and what it leaves.
// CHECK:         scf.if
// CHECK-COUNT-32:  llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// Of those before 16 keys, as one bf16, as nothing of the gram flows into a state.
// CHECK:         scf.if
// CHECK-COUNT-16:  llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         llvm.nvvm.barrier
// One tile, by two warps, each of which has eight of its columns: keys, of which it takes half, then queries by them,
// and what rounding queries has left by them.
// CHECK:         scf.for %[[TASK:.*]] = %[[WARP]] to %c2_i32 step %c8_i32
// CHECK:           %[[PART:.*]] = arith.remui %[[TASK]], %c2_i32
// CHECK:           %[[LAST:.*]] = arith.cmpi ne, %[[PART]], %c0_i32
// CHECK-NEXT:      %[[SUMS:.*]]:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// CHECK:             %[[FOUR:.*]] = {{.*}}llvm.nvvm.ldmatrix{{[^.]*}}.sync.aligned.m8n8.x4.b16
// CHECK-NEXT:        %[[K0:.*]] = llvm.extractvalue %[[FOUR]][0]
// CHECK-NEXT:        %[[K1:.*]] = llvm.extractvalue %[[FOUR]][1]
// CHECK-NEXT:        %[[K2:.*]] = llvm.extractvalue %[[FOUR]][2]
// CHECK-NEXT:        %[[K3:.*]] = llvm.extractvalue %[[FOUR]][3]
// CHECK-NEXT:        %[[X:.*]] = arith.select %[[LAST]], %[[K2]], %[[K0]]
// CHECK-NEXT:        %[[Y:.*]] = arith.select %[[LAST]], %[[K3]], %[[K1]]
// CHECK-COUNT-1:     llvm.nvvm.ldmatrix
// CHECK:             llvm.nvvm.mma.m16n8k16.row.col.bf16"(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[X]], %[[Y]], %{{.*}})
// CHECK-COUNT-1:     llvm.nvvm.ldmatrix
// CHECK:             llvm.nvvm.mma.m16n8k16.row.col.bf16"(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %[[X]], %[[Y]], %{{.*}})
// CHECK-NOT:         llvm.nvvm.{{mma|ldmatrix}}
// CHECK:             scf.yield
// Each writes its columns as they are: no pair is left out.
// CHECK-NOT:       arith.select
// CHECK:           %[[FIRST:.*]] = arith.cmpi eq, %[[PART]], %c0_i32
// CHECK-NEXT:      scf.if %[[FIRST]] {
// CHECK-COUNT-2:     llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:         llvm.store
// CHECK:           scf.if %[[LAST]] {
// CHECK:             %[[AT:.*]] = llvm.getelementptr %{{.*}}[8] : (!llvm.ptr<3>) -> !llvm.ptr<3>, f32
// CHECK-NEXT:        llvm.store %{{.*}}, %[[AT]] {{{.*}}} : vector<2xf32>, !llvm.ptr<3>
// CHECK:             llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:         llvm.store
// CHECK:         llvm.nvvm.barrier
// (The sums over s, and the output.)
// CHECK:         llvm.nvvm.barrier
// CHECK:         llvm.nvvm.barrier
// The last tile, which may have fewer steps, in the same way.
// CHECK:       } else {
// CHECK:         llvm.nvvm.barrier
// CHECK-COUNT-40:  llvm.intr.fma
// CHECK:         llvm.nvvm.barrier
// CHECK-COUNT-2:     llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:         llvm.nvvm.mma
// CHECK-COUNT-4: llvm.nvvm.barrier
// CHECK:       return

// Of 64 steps there are sixteen tasks on the diagonal, four for each block, and two levels: halves of 32, which are
// four tiles, and halves of 16 of both, a tile each; two warps for each tile of either. Sides of the second are written
// when those of the first are read.
// HALVES-LABEL: func.func @gram(
// HALVES:       scf.for %{{.*}} = %[[WARP:.*]] to %c16_i32 step %c8_i32
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// HALVES-COUNT-2: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.barrier
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.ff2bf16x2.rn
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c4_i32 step %c8_i32
// HALVES-COUNT-2: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       } else {

// Of 128 steps the first level has sixteen tiles, and the second eight, as many as there are warps: each is one warp's,
// with all sixteen columns, and eight sums. Four tiles of the last are two warps' again.
// WHOLE-LABEL:  func.func @gram(
// WHOLE:        scf.for %{{.*}} = %[[WARP:.*]] to %c32_i32 step %c8_i32
// WHOLE:        llvm.nvvm.barrier
// WHOLE-NEXT:   scf.for %{{.*}} = %[[WARP]] to %c16_i32 step %c8_i32
// WHOLE:          %[[SUMS:.*]]:8 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// WHOLE-NOT:        arith.select
// WHOLE-COUNT-2:    llvm.nvvm.ldmatrix
// WHOLE-COUNT-2:    llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// WHOLE-COUNT-1:    llvm.nvvm.ldmatrix
// WHOLE-COUNT-2:    llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// WHOLE-NOT:        llvm.nvvm.{{mma|ldmatrix}}
// WHOLE:            scf.yield
// WHOLE-NOT:      scf.if
// WHOLE-COUNT-4:  llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// WHOLE-NOT:      llvm.store
// WHOLE:        llvm.nvvm.barrier
// WHOLE:        llvm.nvvm.barrier
// WHOLE-NEXT:   scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// WHOLE-NOT:    llvm.nvvm.barrier
// WHOLE:          %{{.*}}:8 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// WHOLE:        llvm.nvvm.barrier
// WHOLE:        llvm.nvvm.barrier
// WHOLE-NEXT:   scf.for %[[TASK:.*]] = %[[WARP]] to %c8_i32 step %c8_i32
// WHOLE-NEXT:     arith.remui %[[TASK]], %c2_i32
// WHOLE:          %{{.*}}:4 = scf.for %{{.*}} = %c0_i32 to %c64_i32 step %c16_i32 iter_args(
// WHOLE:        } else {

// A chunk of 16 steps is one block, without a product.
// BLOCK-LABEL:  func.func @gram(
// BLOCK:        scf.for %{{.*}} = %{{.*}} to %c4_i32 step %c4_i32
// BLOCK-COUNT-40: llvm.intr.fma
// BLOCK:        return
tile.kernel @gram operands [
    #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"k" in [i: 64] bf16 head>,
    #tile.operand<"a" in [i: 64] f32 head>, #tile.operand<"o" out [] f32 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %q = tile.load "q" : [i: 64, t: 32]
    %k = tile.load "k" : [i: 64, t: 32]
    %a = tile.load "a" : [i: 64, t: 32]
    %g = ssm.gram %q, %k decay %a over [i] rows "t" columns "s" : [i: 64, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    %o = ssm.sum %g over [s] : [s: 32, t: 32]
    tile.store "o", %o : [t: 32]
    tile.yield
  }
}
