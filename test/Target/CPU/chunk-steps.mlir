// Decayed grams whose decay varies over the summed label, and the solve of their feedback.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @chunk(
// CHECK:       %[[VALID:.*]] = arith.minsi %{{.*}}, %c32_i64
// Decays are multiplied, never divided by or exponentiated.
// CHECK-NOT:   arith.divf
// CHECK-NOT:   math.exp
// Four rows at a time. Their own columns: lanes along the summed label, six sums of a strict gram, ten of
// the other one, for which the same keys decay once.
// CHECK:       scf.for %[[ROW:.*]] = %c0_i64 to %{{.*}} step %c4_i64
// CHECK:         %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c16_i64 iter_args
// Sums over lanes, sixteen at once, are stored four columns a row.
// CHECK:         vector.shuffle
// CHECK:         vector.extract_strided_slice {{.*}}vector<4xf32>
// Columns of the blocks before, four by four; the last gram leaves the keys decayed for the next block.
// CHECK:         scf.for %{{.*}} = %c0_i64 to %[[ROW]] step %c4_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c16_i64 iter_args
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c16_i64 iter_args
// CHECK:             llvm.store
// CHECK:             scf.yield
// CHECK:           vector.shuffle
// The solve: strips of lanes, blocks of rows, and what the rows before add to a block.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         scf.for %[[FIRST:.*]] = %c0_i64 to %{{.*}} step %c8_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[FIRST]] step %c1_i64 iter_args

// CHECK-LABEL: func.func @chunk_workspace(
tile.kernel @chunk operands [
    #tile.operand<"k" in [i: 64] f32 head>, #tile.operand<"d" in [i: 64] f32 head>,
    #tile.operand<"v" in [j: 64] f32 head>, #tile.operand<"q" in [i: 64] f32 head>,
    #tile.operand<"a" out [t0: 32] f32 head>, #tile.operand<"o" out [j: 64] f32 head>] {
  tile.sequence over [t: 32] axis 0 {
    %k = tile.load "k" : [i: 64, t: 32]
    %d = tile.load "d" : [i: 64, t: 32]
    %v = tile.load "v" : [j: 64, t: 32]
    %q = tile.load "q" : [i: 64, t: 32]
    %L = ssm.gram %k, %k decay %d over [i] rows "t" columns "t0" strict : [i: 64, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    %A = ssm.gram %q, %k decay %d over [i] rows "t" columns "t0" : [i: 64, t: 32], [i: 64, t: 32], [i: 64, t: 32]
    %o = ssm.solve(%v : [j: 64, t: 32]) lower(%L : [t: 32, t0: 32]) rows "t" columns "t0"
    tile.store "a", %A : [t: 32, t0: 32]
    tile.store "o", %o : [j: 64, t: 32]
    tile.yield
  }
}
