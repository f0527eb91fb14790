// The rows of the next head are asked for while the present one is computed, a few at a time.
// RUN: ssmc-opt %S/gla.mlir --lower-tile-to-loops --canonicalize --cse | FileCheck %s --check-prefix=BLOCKS
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s --check-prefix=STEPS
// RUN: ssmc-opt %S/products.mlir --lower-tile-to-loops --canonicalize --cse | FileCheck %s --check-prefix=NESTS

// A state of 64 rows in blocks of four: each block asks for one of the 16 steps, if it exists. After
// the last head comes the first one, a tile later. A row is four lines long.
// BLOCKS-LABEL: func.func @gla(
// BLOCKS:         %[[VALID:.*]] = arith.minsi %{{.*}}, %c16_i64
// BLOCKS:         %[[LAST:.*]] = arith.cmpi eq
// BLOCKS-NEXT:    arith.subi
// BLOCKS-NEXT:    %[[HEAD:.*]] = arith.select %[[LAST]]
// BLOCKS-NEXT:    %[[LATER:.*]] = arith.select %[[LAST]], %c16_i64, %c0_i64
// BLOCKS-NOT:     llvm.intr.prefetch
// BLOCKS:         %[[ONE:.*]] = arith.minsi %[[VALID]], %c1_i64
// BLOCKS-NEXT:    scf.for %{{.*}} = %c0_i64 to %[[ONE]] step %c1_i64
// BLOCKS-COUNT-16:  "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 2 : i32, rw = 0 : i32}>
// BLOCKS-COUNT-4:   "llvm.intr.prefetch"(%{{.*}}) <{cache = 1 : i32, hint = 2 : i32, rw = 1 : i32}>
// BLOCKS-NOT:     llvm.intr.prefetch
// BLOCKS:         scf.for %[[ROW:.*]] = %c4_i64 to %c64_i64 step %c4_i64
// BLOCKS-NEXT:      %[[FROM:.*]] = arith.divui %[[ROW]], %c4_i64
// BLOCKS-NEXT:      %[[NEXT:.*]] = arith.addi %[[FROM]], %c1_i64
// BLOCKS-NEXT:      %[[TO:.*]] = arith.minsi %[[NEXT]], %[[VALID]]
// BLOCKS-NEXT:      scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %c1_i64
// BLOCKS-COUNT-20:    llvm.intr.prefetch
// BLOCKS-NOT:     llvm.intr.prefetch

// With feedback each step asks for one; the two strips of a state share the lines of its rows: two
// of the keys and queries, eight of the values and of what is written.
// STEPS-LABEL:  func.func @delta(
// STEPS-NOT:      llvm.intr.prefetch
// STEPS:          scf.for %[[LANE:.*]] = %c0_i64 to %c128_i64 step %c64_i64
// STEPS-NEXT:       scf.for
// STEPS-NEXT:         %[[STRIP:.*]] = arith.divui %[[LANE]], %c64_i64
// STEPS:              %[[LINE:.*]] = arith.minsi %[[STRIP]], %c1_i64
// STEPS-NEXT:         arith.muli %[[LINE]], %c64_i64
// STEPS-COUNT-10:     llvm.intr.prefetch
// STEPS-NOT:          llvm.intr.prefetch
// STEPS:              scf.for

// Without a fold nests have shares, and ask for some of the steps in each round of their first loop.
// NESTS-LABEL:  func.func @chunk(
// NESTS:          scf.for
// NESTS-NOT:      llvm.intr.prefetch
// NESTS:          scf.for %{{.*}} = %c0_i64 to %[[ROUNDS:.*]] step %c16_i64
// NESTS:            arith.divui %{{.*}}, %[[ROUNDS]]
// NESTS-NEXT:       %[[FROM:.*]] = arith.minsi
// NESTS:            arith.divui %{{.*}}, %[[ROUNDS]]
// NESTS-NEXT:       %[[TO:.*]] = arith.minsi
// NESTS-NEXT:       scf.for %{{.*}} = %[[FROM]] to %[[TO]] step %c1_i64
// NESTS-COUNT-16:     llvm.intr.prefetch
// NESTS:          scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// NESTS:              scf.for
// NESTS-COUNT-16:       llvm.intr.prefetch
// NESTS:          scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// NESTS:              scf.for
// NESTS-COUNT-16:       llvm.intr.prefetch
tile.kernel @delta operands [
    #tile.operand<"q" in [i: 32] f32 head>, #tile.operand<"k" in [i: 32] f32 head>,
    #tile.operand<"v" in [j: 128] f32 head>, #tile.operand<"g" in [] f32 head>,
    #tile.operand<"beta" in [] f32 head>,
    #tile.operand<"S" state_in [i: 32, j: 128] f32 head>,
    #tile.operand<"S" state_out [i: 32, j: 128] f32 head>,
    #tile.operand<"o" out [j: 128] f32 head>] {
  %S0 = tile.load "S" : [i: 32, j: 128]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 32, j: 128]) {
    %q = tile.load "q" : [i: 32, t: 16]
    %k = tile.load "k" : [i: 32, t: 16]
    %v = tile.load "v" : [j: 128, t: 16]
    %g = tile.load "g" : [t: 16]
    %be = tile.load "beta" : [t: 16]
    %a = ssm.exp %g : [t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: 32, j: 128]) {
      %at = ssm.at %a "t" : [t: 16]
      %bt = ssm.at %be "t" : [t: 16]
      %kt = ssm.at %k "t" : [i: 32, t: 16]
      %vt = ssm.at %v "t" : [j: 128, t: 16]
      %qt = ssm.at %q "t" : [i: 32, t: 16]
      %D = ssm.mul %at, %P : [], [i: 32, j: 128]
      %kd = ssm.mul %kt, %D : [i: 32], [i: 32, j: 128]
      %p = ssm.sum %kd over [i] : [i: 32, j: 128]
      %e = ssm.sub %vt, %p : [j: 128], [j: 128]
      %be1 = ssm.mul %bt, %e : [], [j: 128]
      %u = ssm.mul %kt, %be1 : [i: 32], [j: 128]
      %Sn = ssm.add %D, %u : [i: 32, j: 128], [i: 32, j: 128]
      %m = ssm.mul %qt, %Sn : [i: 32], [i: 32, j: 128]
      %o = ssm.sum %m over [i] : [i: 32, j: 128]
      ssm.yield %Sn, %o : [i: 32, j: 128], [j: 128]
    }
    tile.store "o", %r#1 : [j: 128, t: 16]
    tile.yield %r#0 : [i: 32, j: 128]
  }
  tile.store "S", %S1 : [i: 32, j: 128]
}
