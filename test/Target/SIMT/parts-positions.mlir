// Where blocks share the positions of a label, a position is counted from the label's start, not from the block's.
// RUN: ssmc-opt %s --lower-tile-to-threads=items=8 --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @diagonal(
// CHECK-SAME:  slices = 8 : i64
// CHECK:       %[[PART:.*]] = arith.remui %{{.*}}, %c8_i64
// CHECK:       %[[FROM:.*]] = arith.muli %[[PART]], %c16_i64
// CHECK:       %[[START:.*]] = arith.trunci %[[FROM]] : i64 to i32
// CHECK:       %[[PLACE:.*]] = arith.addi %{{.*}}, %[[START]]
// CHECK:       arith.sitofp %[[PLACE]]
tile.kernel @diagonal operands [
    #tile.operand<"v" in [] f32 head>,
    #tile.operand<"S" state_out [i: 16, j: 128] f32 head>] {
  %zero = ssm.constant 0.000000e+00
  %i = ssm.position over [i: 16]
  %j = ssm.position over [j: 128]
  %same = ssm.cmp eq %i, %j : [i: 16], [j: 128]
  %S0 = ssm.broadcast %zero : [] to [i: 16, j: 128]
  %all = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 16, j: 128]) {
    %v = tile.load "v" : [t: 16]
    %sum = ssm.sum %v over [t] : [t: 16]
    %d = ssm.select %same, %sum, %zero : [i: 16, j: 128] i1, [], []
    %S1 = ssm.add %S, %d : [i: 16, j: 128], [i: 16, j: 128]
    tile.yield %S1 : [i: 16, j: 128]
  }
  tile.store "S", %all : [i: 16, j: 128]
}
