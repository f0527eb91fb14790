// A unit triangular system that is solved for the identity: its inverse. Blocks of 16 x 16 on the diagonal by
// substitution, a column for each lane, two blocks for each warp; then two become one of twice as many steps by
// products, first by the warp that has made them, then, where there are more, by as many warps as a block has columns
// of tiles.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s --implicit-check-not=llvm.nvvm.barrier
// RUN: sed 's/\([stu]\): 32/\1: 16/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=BLOCK --implicit-check-not=llvm.nvvm.mma --implicit-check-not=bar.warp
// RUN: sed 's/\([stu]\): 32/\1: 64/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=HALVES --implicit-check-not=llvm.nvvm.barrier
// RUN: sed 's/columns "s"/columns "s" reverse/' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=BACK

// CHECK-LABEL: func.func @inverse(
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK:         llvm.nvvm.barrier
// CHECK-NEXT:    %[[LANE:.*]] = arith.remui %{{.*}}, %c32_i32
// CHECK-NEXT:    %[[WARP:.*]] = arith.divui %{{.*}}, %c32_i32
// Both blocks are one warp's: lanes 0 to 15 have the columns of the first, the others those of the second.
// CHECK-NEXT:    scf.for %[[TASK:.*]] = %[[WARP]] to %c1_i32 step %c4_i32
// CHECK:           %[[FIRST:.*]] = arith.muli %[[TASK]], %c2_i32
// CHECK-NEXT:      %[[HALF:.*]] = arith.divui %[[LANE]], %c16_i32
// CHECK-NEXT:      arith.addi %[[FIRST]], %[[HALF]]
// CHECK-NEXT:      %[[COLUMN:.*]] = arith.remui %[[LANE]], %c16_i32
// Row 0 is that of the identity, row 1 has one term more, and so on: 0 + 1 + ... + 15 of them.
// CHECK:           %[[IS0:.*]] = arith.cmpi eq, %[[COLUMN]], %c0_i32
// CHECK-NEXT:      %[[X0:.*]] = arith.select %[[IS0]], %[[ONE]], %[[ZERO]]
// CHECK-NEXT:      %[[IS1:.*]] = arith.cmpi eq, %[[COLUMN]], %c1_i32
// CHECK-NEXT:      %[[E1:.*]] = arith.select %[[IS1]], %[[ONE]], %[[ZERO]]
// CHECK:           %[[L10:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK-NEXT:      %[[X1:.*]] = llvm.intr.fma(%[[L10]], %[[X0]], %[[E1]])
// CHECK-NEXT:      %[[IS2:.*]] = arith.cmpi eq, %[[COLUMN]], %c2_i32
// CHECK-NEXT:      %[[E2:.*]] = arith.select %[[IS2]], %[[ONE]], %[[ZERO]]
// CHECK:           %[[L20:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK-NEXT:      %[[S2:.*]] = llvm.intr.fma(%[[L20]], %[[X0]], %[[E2]])
// CHECK:           %[[L21:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK-NEXT:      %[[X2:.*]] = llvm.intr.fma(%[[L21]], %[[X1]], %[[S2]])
// CHECK-COUNT-117: llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// What is known is written at the end, before others of the warp read it: nobody else does.
// CHECK:           llvm.store %[[X0]], {{.*}} : f32, !llvm.ptr<3>
// CHECK:           llvm.store %[[X1]], {{.*}} : f32, !llvm.ptr<3>
// CHECK:           llvm.store %[[X2]], {{.*}} : f32, !llvm.ptr<3>
// CHECK-COUNT-13:  llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:           "bar.warp.sync 0xffffffff;", "~{memory}"
// The product of the transposed first block and what lies left of the second: both sides are pairs of bf16, of what
// rounding gives and what it leaves, and sums of eight columns have three terms, the largest one last.
// CHECK:           %[[A0:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[B0:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[A1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[B1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[A2:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[B2:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[A3:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[B3:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[N0:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[M0:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[N1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[M1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK-NEXT:      llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[B0]], %[[B1]], %[[B2]], %[[B3]], %[[N0]], %[[N1]], %[[ZERO]], %[[ZERO]], %[[ZERO]], %[[ZERO]])
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0]], %[[A1]], %[[A2]], %[[A3]], %[[M0]], %[[M1]], %{{.*}})
// CHECK:           %[[U:.*]] = {{.*}} "llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[A0]], %[[A1]], %[[A2]], %[[A3]], %[[N0]], %[[N1]], %{{.*}})
// CHECK-NEXT:      %[[U0:.*]] = llvm.extractvalue %[[U]][0]
// CHECK-NEXT:      %[[U1:.*]] = llvm.extractvalue %[[U]][1]
// CHECK-COUNT-3:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:       llvm.nvvm.mma
// Its sums are the left side of the second one as they lie in registers.
// CHECK-NOT:       llvm.load
// CHECK:           llvm.nvvm.ff2bf16x2.rn"(%[[U1]], %[[U0]])
// CHECK-COUNT-5:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:       llvm.nvvm.mma
// CHECK:           %[[V:.*]] = {{.*}} "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NEXT:      llvm.extractvalue %[[V]][0]
// CHECK-NEXT:      llvm.extractvalue %[[V]][1]
// CHECK-NEXT:      llvm.extractvalue %[[V]][2]
// CHECK-NEXT:      %[[LAST:.*]] = llvm.extractvalue %[[V]][3]
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-7:   llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:           llvm.store %[[LAST]], {{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// Zeros in the block above, also for steps that do not exist.
// CHECK:         scf.for %[[AT:.*]] = %c0_i32 to %c1024_i32 step %c128_i32
// CHECK:           %[[NUMBER:.*]] = arith.addi %[[AT]],
// CHECK-NEXT:      %[[LANES:.*]] = arith.remui %[[NUMBER]], %c32_i32
// CHECK-NEXT:      %[[ROWS:.*]] = arith.divui %[[NUMBER]], %c32_i32
// CHECK-NEXT:      %[[DOWN:.*]] = arith.divui %[[ROWS]], %c16_i32
// CHECK-NEXT:      %[[RIGHT:.*]] = arith.divui %[[LANES]], %c16_i32
// CHECK-NEXT:      %[[ABOVE:.*]] = arith.cmpi ult, %[[DOWN]], %[[RIGHT]]
// CHECK-NEXT:      scf.if %[[ABOVE]] {
// CHECK:             llvm.store %[[ZERO]], {{.*}} : f32, !llvm.ptr<3>
// CHECK:         llvm.nvvm.barrier
// (The output.)
// CHECK:         llvm.nvvm.barrier
// The last tile, which may have fewer steps, in the same way: steps that do not exist have nothing to the left.
// CHECK:       } else {
// CHECK:         llvm.nvvm.barrier
// CHECK:           %[[L10:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK:           %[[EXISTS:.*]] = arith.cmpi slt,
// CHECK-NEXT:      %[[THERE:.*]] = arith.select %[[EXISTS]], %[[L10]], %[[ZERO]]
// CHECK-NEXT:      llvm.intr.fma(%[[THERE]],
// CHECK-COUNT-119: llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// CHECK:           "bar.warp.sync 0xffffffff;", "~{memory}"
// CHECK-COUNT-12:  llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-3: llvm.nvvm.barrier
// CHECK:       return

// A chunk of 16 steps is one block, without a product: one half of a warp writes it.
// BLOCK-LABEL:  func.func @inverse(
// BLOCK:        %[[NUMBER:.*]] = arith.divui %[[LANE:.*]], %c16_i32
// BLOCK:        arith.remui %[[LANE]], %c16_i32
// BLOCK-COUNT-120: llvm.intr.fma
// BLOCK-NOT:    llvm.intr.fma
// BLOCK-NOT:    llvm.store
// BLOCK:        scf.if
// BLOCK-COUNT-16: llvm.store {{.*}} : f32, !llvm.ptr<3>
// BLOCK-NOT:    llvm.store
// BLOCK:        llvm.nvvm.barrier
// BLOCK:        return

// Of 64 steps two warps make a block of 32 each; when all have, and zeros are above, two warps make one of both,
// sixteen columns each: eight products of three terms, then six, as nothing is right of the diagonal.
// HALVES-LABEL: func.func @inverse(
// HALVES:       llvm.nvvm.barrier
// HALVES:       scf.for %{{.*}} = %[[WARP:.*]] to %c2_i32 step %c8_i32
// HALVES-COUNT-120: llvm.intr.fma
// HALVES-NOT:   llvm.intr.fma
// HALVES:         "bar.warp.sync 0xffffffff;", "~{memory}"
// HALVES-COUNT-12: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES-COUNT-8: llvm.store {{.*}} : f32, !llvm.ptr<3>
// HALVES-NOT:   llvm.store
// HALVES:       scf.for %{{.*}} = %c0_i32 to %c4096_i32 step %c256_i32
// HALVES:           llvm.store %{{.*}} : f32, !llvm.ptr<3>
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %[[TASK:.*]] = %[[WARP]] to %c2_i32 step %c8_i32
// HALVES:         arith.divui %[[TASK]], %c2_i32
// HALVES-NEXT:    arith.remui %[[TASK]], %c2_i32
// HALVES-NOT:     llvm.store
// HALVES-COUNT-42: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES-COUNT-16: llvm.store {{.*}} : f32, !llvm.ptr<3>
// HALVES-NOT:   llvm.store
// HALVES:       llvm.nvvm.barrier
// (The output.)
// HALVES:       llvm.nvvm.barrier
// HALVES:       } else {
// HALVES-COUNT-5: llvm.nvvm.barrier
// HALVES:       return

// The transposed system begins with the last step: row 30 is the first that has a term, of step 31. What is above is
// below then.
// BACK-LABEL:   func.func @inverse(
// BACK:         llvm.nvvm.barrier
// BACK:         scf.for
// BACK:           %[[BASE:.*]] = arith.muli %{{.*}}, %c16_i32
// BACK:           %[[X0:.*]] = arith.select
// BACK:           %[[E1:.*]] = arith.select
// BACK-NEXT:      %[[LATER:.*]] = arith.subi %c31_i32, %[[BASE]]
// BACK-NEXT:      %[[DOWN:.*]] = arith.muli %[[LATER]], %c40_i32
// BACK-NEXT:      %[[AT:.*]] = arith.addi %[[DOWN]], %[[LATER]]
// BACK-NEXT:      %[[PLACE:.*]] = llvm.getelementptr %{{.*}}[%[[AT]]]
// BACK-NEXT:      %[[ROW:.*]] = llvm.getelementptr %[[PLACE]][-40]
// BACK-NEXT:      %[[L:.*]] = llvm.load %[[ROW]] {{.*}} : !llvm.ptr<3> -> f32
// BACK-NEXT:      llvm.intr.fma(%[[L]], %[[X0]], %[[E1]])
// BACK-COUNT-119: llvm.intr.fma
// BACK-NOT:       llvm.intr.fma
// BACK:           "bar.warp.sync 0xffffffff;", "~{memory}"
// BACK-COUNT-12:  llvm.nvvm.mma
// BACK-NOT:     llvm.nvvm.mma
// BACK:         scf.for
// BACK:           arith.cmpi ugt
// BACK-NEXT:      scf.if
// BACK-NEXT:        arith.muli
// BACK:             llvm.store
// BACK:         llvm.nvvm.barrier
// BACK:         } else {
tile.kernel @inverse operands [
    #tile.operand<"m" in [s: 32] f32 head>, #tile.operand<"x" out [u: 32] f32 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [s: 32, t: 32]
    %one = ssm.constant 1.000000e+00
    %zero = ssm.constant 0.000000e+00
    %row = ssm.position over [t: 32]
    %column = ssm.position over [u: 32]
    %same = ssm.cmp eq %row, %column : [t: 32], [u: 32]
    %unit = ssm.select %same, %one, %zero : [t: 32, u: 32] i1, [], []
    %x = ssm.solve (%unit : [t: 32, u: 32]) lower(%m : [s: 32, t: 32]) rows "t" columns "s"
    tile.store "x", %x : [t: 32, u: 32]
    tile.yield
  }
}
