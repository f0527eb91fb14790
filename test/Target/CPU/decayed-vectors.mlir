// A matrix over steps times vectors whose elements decay each in its own way, and the other way round.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @vectors(
// CHECK:       %[[VALID:.*]] = arith.minsi %{{.*}}, %c32_i64
// Decays are multiplied, never divided by or exponentiated.
// CHECK-NOT:   arith.divf
// CHECK-NOT:   math.exp
// Strips of lanes, blocks of rows.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         scf.for %[[FIRST:.*]] = %c0_i64 to %{{.*}} step %c8_i64
// Keys of earlier blocks give to all rows, and decay for the next block.
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %c0_i64 to %[[FIRST]] step %c1_i64 iter_args
// CHECK:             llvm.store
// Transposed from the last row down: those that fill no block one by one, then blocks.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         %[[FULL:.*]] = arith.andi %[[VALID]], %c-8_i64
// CHECK:         scf.for %{{.*}} = %[[FULL]] to %[[VALID]] step %c1_i64
// CHECK:         scf.for %[[COUNTER:.*]] = %c0_i64 to %[[FULL]] step %c8_i64
// CHECK:           %[[DOWN:.*]] = arith.subi %{{.*}}, %[[COUNTER]]
// CHECK:           %[[LATER:.*]] = arith.addi %[[DOWN]], %c8_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %[[LATER]] to %[[VALID]] step %c1_i64 iter_args

// CHECK-LABEL: func.func @vectors_workspace(
tile.kernel @vectors operands [
    #tile.operand<"m" in [t0: 32] f32 head>, #tile.operand<"k" in [i: 64] f32 head>,
    #tile.operand<"d" in [i: 64] f32 head>, #tile.operand<"a" out [i: 64] f32 head>,
    #tile.operand<"b" out [i: 64] f32 head>] {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [t: 32, t0: 32]
    %k = tile.load "k" : [i: 64, t: 32]
    %d = tile.load "d" : [i: 64, t: 32]
    %a = ssm.apply %m, %k decay %d rows "t" columns "t0" : [t: 32, t0: 32], [i: 64, t: 32], [i: 64, t: 32]
    %b = ssm.apply %m, %k decay %d rows "t" columns "t0" strict transpose : [t: 32, t0: 32], [i: 64, t: 32], [i: 64, t: 32]
    tile.store "a", %a : [i: 64, t: 32]
    tile.store "b", %b : [i: 64, t: 32]
    tile.yield
  }
}
