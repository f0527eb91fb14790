// A state of 128 x 32 that threads keep from tile to tile: four lanes share each column, and sum up.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-groups --canonicalize --cse | FileCheck %s --check-prefix=GROUPS

// CHECK-LABEL: func.func @state(
// Lane p of four has positions 4 p to 4 p + 3 of every 16. Asked once whether there is a state.
// CHECK:       %[[LANE:.*]] = arith.remui %[[THREAD:.*]], %c4_i32
// CHECK:       %[[COLUMN:.*]] = arith.divui %[[THREAD]], %c4_i32
// CHECK:       %[[PRESENT:.*]] = llvm.icmp "ne"
// CHECK:       %[[STATE:.*]]:32 = scf.if %[[PRESENT]]
// CHECK:         %[[FIRST:.*]] = arith.muli %[[LANE]], %c128_i32
// CHECK:         arith.addi %[[FIRST]], %[[COLUMN]]
// CHECK-COUNT-32: llvm.load {{.*}} !llvm.ptr<1> -> f32
// CHECK-NOT:     llvm.load
// CHECK:       } else {
// The state goes from tile to tile in registers: no place in memory is read or written for it.
// CHECK:       %[[LAST:.*]]:32 = scf.for {{.*}} iter_args(%[[A:.*]] = %[[STATE]]#0, %[[B:.*]] = %[[STATE]]#1,
// CHECK:         %[[NEXT:.*]]:32 = scf.if
// CHECK:           scf.for {{.*}} iter_args(%{{.*}} = %[[A]], %{{.*}} = %[[B]],
// What lanes have of a sum is added up in two exchanges, and the first of them writes it.
// CHECK-COUNT-2:     shfl.sync.bfly
// CHECK-NOT:         shfl.sync
// CHECK:             scf.if
// CHECK-NEXT:          llvm.getelementptr
// CHECK:               llvm.store {{.*}} !llvm.ptr<3>
// CHECK:         scf.yield %[[NEXT]]#0, %[[NEXT]]#1,
// Of a sequence without steps the state is what came in.
// CHECK:       arith.select %{{.*}}, %[[LAST]]#0, %[[STATE]]#0
// CHECK:       scf.if
// CHECK-COUNT-32: llvm.store {{.*}} : f32, !llvm.ptr<1>

// Where lanes exchange nothing each thread has a column of its own, here one in four.
// GROUPS-LABEL: gpu.func @state(
// GROUPS:       %{{.*}}:128 = scf.for
// GROUPS-NOT:   GroupNonUniformShuffle
tile.kernel @state operands [
    #tile.operand<"k" in [K: 128] f32 head>, #tile.operand<"v" in [V: 32] f32 head>,
    #tile.operand<"S" state_in [K: 128, V: 32] f32 head>, #tile.operand<"S" state_out [K: 128, V: 32] f32 head>,
    #tile.operand<"o" out [V: 32] f32 head>] {
  %S = tile.load "S" : [K: 128, V: 32]
  %0 = tile.sequence over [t: 16] axis 0 carry(%arg0 = %S : [K: 128, V: 32]) {
    %k = tile.load "k" : [K: 128, t: 16]
    %v = tile.load "v" : [V: 32, t: 16]
    %1:2 = ssm.fold over [t: 16] carry(%arg1 = %arg0 : [K: 128, V: 32]) {
      %2 = ssm.at %k "t" : [K: 128, t: 16]
      %3 = ssm.at %v "t" : [V: 32, t: 16]
      %4 = ssm.mul %2, %3 : [K: 128], [V: 32]
      %5 = ssm.add %arg1, %4 : [K: 128, V: 32], [K: 128, V: 32]
      %6 = ssm.mul %2, %5 : [K: 128], [K: 128, V: 32]
      %7 = ssm.sum %6 over [K] : [K: 128, V: 32]
      ssm.yield %5, %7 : [K: 128, V: 32], [V: 32]
    }
    tile.store "o", %1#1 : [V: 32, t: 16]
    tile.yield %1#0 : [K: 128, V: 32]
  }
  tile.store "S", %0 : [K: 128, V: 32]
}

// A state that nothing else is made of, as in the summary of a span: the fold is computed all the same, beside another
// one whose state lies in memory.
// CHECK-LABEL: func.func @alone(
// CHECK:       %{{.*}} = scf.for {{.*}} iter_args(
// CHECK:           arith.addf
// CHECK:         scf.yield
// CHECK:       llvm.store %{{.*}} : f32, !llvm.ptr<1>
tile.kernel @alone operands [
    #tile.operand<"k" in [K: 128] f32 head>, #tile.operand<"v" in [V: 32] f32 head>,
    #tile.operand<"S" state_in [K: 128, V: 32] f32 head>, #tile.operand<"S" state_out [K: 128, V: 32] f32 head>,
    #tile.operand<"d" state_in [] f32 head>, #tile.operand<"d" state_out [] f32 head>] {
  %S = tile.load "S" : [K: 128, V: 32]
  %d = tile.load "d" : []
  %0:2 = tile.sequence over [t: 16] axis 0 carry(%arg0 = %S : [K: 128, V: 32], %arg1 = %d : []) {
    %k = tile.load "k" : [K: 128, t: 16]
    %v = tile.load "v" : [V: 32, t: 16]
    %1 = ssm.fold over [t: 16] carry(%arg2 = %arg0 : [K: 128, V: 32]) {
      %3 = ssm.at %k "t" : [K: 128, t: 16]
      %4 = ssm.at %v "t" : [V: 32, t: 16]
      %5 = ssm.mul %3, %4 : [K: 128], [V: 32]
      %6 = ssm.add %arg2, %5 : [K: 128, V: 32], [K: 128, V: 32]
      ssm.yield %6 : [K: 128, V: 32]
    }
    %2 = ssm.fold over [t: 16] carry(%arg2 = %arg1 : []) {
      ssm.yield %arg2 : []
    }
    tile.yield %1, %2 : [K: 128, V: 32], []
  }
  tile.store "S", %0#0 : [K: 128, V: 32]
  tile.store "d", %0#1 : []
}
