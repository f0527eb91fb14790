// A transposed triangular system is solved from its last row down.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @back(
// CHECK:       %[[VALID:.*]] = arith.minsi %{{.*}}, %c32_i64
// Strips of lanes; rows that fill no block, one by one; blocks of rows.
// CHECK:       scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c32_i64
// CHECK:         %[[FULL:.*]] = arith.andi %[[VALID]], %c-8_i64
// CHECK:         scf.for %{{.*}} = %[[FULL]] to %[[VALID]] step %c1_i64
// CHECK:         scf.for %[[COUNTER:.*]] = %c0_i64 to %[[FULL]] step %c8_i64
// CHECK:           %[[DOWN:.*]] = arith.subi %{{.*}}, %[[COUNTER]]
// What the rows after a block add to it.
// CHECK:           %[[LATER:.*]] = arith.addi %[[DOWN]], %c8_i64
// CHECK:           %{{.*}}:16 = scf.for %{{.*}} = %[[LATER]] to %[[VALID]] step %c1_i64 iter_args

// CHECK-LABEL: func.func @back_workspace(
tile.kernel @back operands [
    #tile.operand<"m" in [t0: 32] f32 head>, #tile.operand<"v" in [j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [t: 32, t0: 32]
    %v = tile.load "v" : [j: 64, t: 32]
    %o = ssm.solve(%v : [j: 64, t: 32]) lower(%m : [t: 32, t0: 32]) rows "t" columns "t0" reverse
    tile.store "o", %o : [j: 64, t: 32]
    tile.yield
  }
}
