// Matrices over steps times vectors, with a decay for each element, and the other way round, where no decay is a step's
// own. Blocks of 16 x 16 on the diagonal are walked by a thread for each element, in registers; what is below them is a
// product for each halving of the chunk, and the result of that decays on.
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=200000 --canonicalize --cse \
// RUN:   | FileCheck %s --implicit-check-not=llvm.nvvm.barrier
// RUN: sed 's/\([st]\): 32/\1: 16/g' %s | ssmc-opt --lower-tile-to-threads --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=BLOCK --implicit-check-not=llvm.nvvm.mma
// RUN: sed 's/\([st]\): 32/\1: 64/g' %s | ssmc-opt --lower-tile-to-threads=shared-bytes=200000 --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=HALVES --implicit-check-not=llvm.nvvm.barrier

// CHECK-LABEL: func.func @vectors(
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK:         llvm.nvvm.barrier
// The diagonal: 128 threads have an element of 64 each, in one of the two blocks.
// CHECK-NEXT:    arith.remui %{{.*}}, %c64_i32
// CHECK-NEXT:    %[[NUMBER:.*]] = arith.divui %{{.*}}, %c64_i32
// CHECK-NEXT:    arith.muli %[[NUMBER]], %c16_i32
// Row 0: the vector of its own step.
// CHECK:         %[[K0:.*]] = arith.extf
// CHECK:         %[[A00:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    %[[Y0:.*]] = arith.mulf %[[A00]], %[[K0]]
// Row 1: what there is decays, and there is one more.
// CHECK:         %[[D1:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    %[[P0:.*]] = arith.mulf %[[K0]], %[[D1]]
// CHECK:         %[[K1:.*]] = arith.extf
// CHECK:         %[[A10:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    %[[S1:.*]] = arith.mulf %[[A10]], %[[P0]]
// CHECK:         %[[A11:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    %[[Y1:.*]] = llvm.intr.fma(%[[A11]], %[[K1]], %[[S1]])
// Row 2: both decay.
// CHECK:         %[[D2:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    arith.mulf %[[P0]], %[[D2]]
// CHECK-NEXT:    arith.mulf %[[K1]], %[[D2]]
// So on, up to fifteen that decay and as many terms that are added to a first one.
// CHECK-COUNT-119: llvm.intr.fma
// CHECK-NOT:     llvm.intr.fma
// CHECK:         llvm.store %[[Y0]], {{.*}} : f32, !llvm.ptr<3>
// CHECK:         llvm.store %[[Y1]], {{.*}} : f32, !llvm.ptr<3>
// CHECK-COUNT-14: llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:     llvm.store
// The level of halves of 16. Of the steps before 16 vectors, which decay up to the cut, with two elements for each
// thread: as bf16 what rounding gives, and what it leaves.
// CHECK:         scf.if
// CHECK-COUNT-32:  llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// Of those from there on decays alone, as they are: the first one is that of the step after the cut.
// CHECK:         scf.if
// CHECK:           %[[C0:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK:           %[[C1:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK-NOT:       llvm.nvvm.ff2bf16x2.rn
// CHECK:           %[[ONLY:.*]] = llvm.insertelement %[[C0]],
// CHECK-NEXT:      %[[BOTH:.*]] = llvm.insertelement %[[C1]], %[[ONLY]]
// CHECK:           llvm.store %[[BOTH]], {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-COUNT-15:  llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         llvm.nvvm.barrier
// Four warps have sixteen elements of the lower sixteen steps each. The matrix becomes pairs of bf16 in registers, ...
// CHECK-NEXT:    %[[WARP:.*]] = arith.divui %{{.*}}, %c32_i32
// CHECK-NEXT:    scf.for %{{.*}} = %[[WARP]] to %c4_i32 step %c4_i32
// CHECK:           %[[A0:.*]] = llvm.load {{.*}} -> f32
// CHECK:           %[[A1:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:      llvm.nvvm.ff2bf16x2.rn"(%[[A1]], %[[A0]])
// CHECK-NEXT:      %[[X0:.*]] = llvm.bitcast
// CHECK:           %[[E0:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[X1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[E1:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[X2:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[E2:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[X3:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// CHECK:           %[[E3:.*]] = llvm.bitcast %{{.*}} : vector<2xbf16> to i32
// ... vectors come transposed, and both columns of eight elements have three terms, the largest one last.
// CHECK:           %[[HIGH:.*]] = {{.*}}llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16
// CHECK-NEXT:      %[[H0:.*]] = llvm.extractvalue %[[HIGH]][0]
// CHECK-NEXT:      %[[H1:.*]] = llvm.extractvalue %[[HIGH]][1]
// CHECK-NEXT:      %[[H2:.*]] = llvm.extractvalue %[[HIGH]][2]
// CHECK-NEXT:      %[[H3:.*]] = llvm.extractvalue %[[HIGH]][3]
// CHECK:           %[[REST:.*]] = {{.*}}llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16
// CHECK-NEXT:      %[[R0:.*]] = llvm.extractvalue %[[REST]][0]
// CHECK-NEXT:      %[[R1:.*]] = llvm.extractvalue %[[REST]][1]
// CHECK-NEXT:      %[[R2:.*]] = llvm.extractvalue %[[REST]][2]
// CHECK-NEXT:      %[[R3:.*]] = llvm.extractvalue %[[REST]][3]
// CHECK-NEXT:      llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[E0]], %[[E1]], %[[E2]], %[[E3]], %[[H0]], %[[H1]], %[[ZERO]],
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[E0]], %[[E1]], %[[E2]], %[[E3]], %[[H2]], %[[H3]], %[[ZERO]],
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[X0]], %[[X1]], %[[X2]], %[[X3]], %[[R0]], %[[R1]],
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[X0]], %[[X1]], %[[X2]], %[[X3]], %[[R2]], %[[R3]],
// CHECK:           %[[LEFT:.*]] = {{.*}}llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[X0]], %[[X1]], %[[X2]], %[[X3]], %[[H0]], %[[H1]],
// CHECK-NEXT:      %[[T0:.*]] = llvm.extractvalue %[[LEFT]][0]
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"(%[[X0]], %[[X1]], %[[X2]], %[[X3]], %[[H2]], %[[H3]],
// CHECK-NOT:       llvm.nvvm.mma
// What comes of it decays on, and is added to what is there.
// CHECK:           %[[BEFORE:.*]] = llvm.load %[[PLACE:.*]] {alignment = 4 : i64} : !llvm.ptr<3> -> f32
// CHECK:           %[[BY:.*]] = llvm.load {{.*}} : !llvm.ptr<3> -> f32
// CHECK-NEXT:      %[[SUM:.*]] = llvm.intr.fma(%[[BY]], %[[T0]], %[[BEFORE]])
// CHECK-COUNT-7:   llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// CHECK:           %[[ONLY:.*]] = llvm.insertelement %[[SUM]],
// CHECK-NEXT:      %[[BOTH:.*]] = llvm.insertelement %{{.*}}, %[[ONLY]]
// CHECK:           llvm.store %[[BOTH]], %[[PLACE]] {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-COUNT-3:   llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         }

// Transposed: from each step back to the first. Step 1 gives to step 0, as it is: no decay of its own is passed.
// CHECK:         %[[K1:.*]] = arith.extf
// CHECK:         %[[D1:.*]] = llvm.load {{.*}} -> f32
// CHECK:         %[[A10:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    %[[Z0:.*]] = arith.mulf %[[A10]], %[[K1]]
// Step 2 gives to step 1 as it is, and to step 0 what passes 1.
// CHECK:         %[[K2:.*]] = arith.extf
// CHECK:         %[[D2:.*]] = llvm.load {{.*}} -> f32
// CHECK:         %[[A21:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    arith.mulf %[[A21]], %[[K2]]
// CHECK-NEXT:    %[[P1:.*]] = arith.mulf %[[K2]], %[[D1]]
// CHECK:         %[[A20:.*]] = llvm.load {{.*}} -> f32
// CHECK-NEXT:    llvm.intr.fma(%[[A20]], %[[P1]], %[[Z0]])
// CHECK-COUNT-104: llvm.intr.fma
// CHECK-NOT:     llvm.intr.fma
// To the last step none gives anything.
// CHECK-COUNT-15: llvm.store {{.*}} : f32, !llvm.ptr<3>
// CHECK:         llvm.store %[[ZERO]], {{.*}} : f32, !llvm.ptr<3>
// CHECK-NOT:     llvm.store
// Vectors are those of the steps from 16 on, decays those up to the cut: of the step before it none.
// CHECK:         scf.if
// CHECK-COUNT-32:  llvm.store {{.*}} : i32, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         scf.if
// CHECK-NOT:       llvm.nvvm.ff2bf16x2.rn
// CHECK:           %[[ONLY:.*]] = llvm.insertelement %[[ONE]],
// CHECK-NEXT:      %[[BOTH:.*]] = llvm.insertelement %[[ONE]], %[[ONLY]]
// CHECK:           llvm.store %[[BOTH]], {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-COUNT-15:  llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         llvm.nvvm.barrier
// CHECK-NEXT:    scf.for %{{.*}} = %[[WARP]] to %c4_i32 step %c4_i32
// CHECK-COUNT-2:   llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16
// CHECK-COUNT-6:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-8:   llvm.intr.fma
// CHECK-NOT:       llvm.intr.fma
// CHECK-COUNT-4:   llvm.store {{.*}} : vector<2xf32>, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:         llvm.nvvm.barrier
// (The outputs.)
// CHECK:         llvm.nvvm.barrier
// The last tile, which may have fewer steps, in the same way.
// CHECK:       } else {
// CHECK:         llvm.nvvm.barrier
// CHECK-COUNT-120: llvm.intr.fma
// CHECK:         llvm.nvvm.barrier
// CHECK-COUNT-6:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-COUNT-8:   llvm.intr.fma
// CHECK-COUNT-105: llvm.intr.fma
// CHECK:         llvm.nvvm.barrier
// CHECK-COUNT-6:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NOT:       llvm.nvvm.mma
// CHECK-COUNT-3: llvm.nvvm.barrier
// CHECK:       return

// A chunk of 16 steps is one block, without sides and products.
// BLOCK-LABEL:  func.func @vectors(
// BLOCK:        %[[MINE:.*]] = arith.cmpi slt, %{{.*}}, %c64_i32
// BLOCK:        llvm.nvvm.barrier
// BLOCK-NEXT:   scf.if %[[MINE]] {
// BLOCK-NOT:    llvm.store
// BLOCK-COUNT-120: llvm.intr.fma
// BLOCK-NOT:    llvm.intr.fma
// BLOCK-COUNT-16: llvm.store {{.*}} : f32, !llvm.ptr<3>
// BLOCK-NOT:    llvm.store
// BLOCK:        scf.if %[[MINE]] {
// BLOCK-COUNT-105: llvm.intr.fma
// BLOCK-NOT:    llvm.intr.fma
// BLOCK-COUNT-16: llvm.store {{.*}} : f32, !llvm.ptr<3>
// BLOCK-NOT:    llvm.store
// BLOCK:        llvm.nvvm.barrier
// BLOCK:      } else {

// Of 64 steps there are two levels: halves of 32, in which two tiles of the matrix give to each of the eight of the
// result, and halves of 16 of both, one for each. Sides of the second are written when those of the first are read, and
// what the first has added is there.
// HALVES-LABEL: func.func @vectors(
// HALVES:       llvm.nvvm.barrier
// HALVES-COUNT-120: llvm.intr.fma
// HALVES-NOT:   llvm.intr.fma
// HALVES-COUNT-2: scf.if
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  %[[WARP:.*]] = arith.divui %{{.*}}, %c32_i32
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// HALVES-COUNT-12: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES-COUNT-8: llvm.intr.fma
// HALVES-NOT:   llvm.intr.fma
// HALVES:       llvm.nvvm.barrier
// HALVES-COUNT-2: scf.if
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// HALVES-COUNT-6: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES-COUNT-8: llvm.intr.fma
// Transposed alike.
// HALVES-COUNT-105: llvm.intr.fma
// HALVES-NOT:   llvm.intr.fma
// HALVES-COUNT-2: scf.if
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// HALVES-COUNT-12: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.barrier
// HALVES-COUNT-2: scf.if
// HALVES-NOT:   llvm.nvvm.mma
// HALVES:       llvm.nvvm.barrier
// HALVES-NEXT:  scf.for %{{.*}} = %[[WARP]] to %c8_i32 step %c8_i32
// HALVES-COUNT-6: llvm.nvvm.mma
// HALVES-NOT:   llvm.nvvm.mma
// HALVES-COUNT-2: llvm.nvvm.barrier
// HALVES:       } else {
// HALVES-COUNT-10: llvm.nvvm.barrier
// HALVES:       return
tile.kernel @vectors operands [
    #tile.operand<"m" in [s: 32] f32 head>, #tile.operand<"k" in [i: 64] bf16 head>,
    #tile.operand<"d" in [i: 64] f32 head>, #tile.operand<"x" out [i: 64] f32 head>,
    #tile.operand<"y" out [i: 64] f32 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [s: 32, t: 32]
    %k = tile.load "k" : [i: 64, t: 32]
    %d = tile.load "d" : [i: 64, t: 32]
    %x = ssm.apply %m, %k decay %d rows "t" columns "s" : [s: 32, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    tile.store "x", %x : [i: 64, t: 32]
    %y = ssm.apply %m, %k decay %d rows "t" columns "s" strict transpose
        : [s: 32, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    tile.store "y", %y : [i: 64, t: 32]
    tile.yield
  }
}
