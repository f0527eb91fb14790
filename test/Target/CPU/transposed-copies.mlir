// A state that lies in memory the other way than products read it is loaded and stored through transposed vectors,
// not element by element.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @turned(
// Where a state is given, it is read along j: sixteen vectors, then as many along i.
// CHECK:       scf.if
// CHECK:         scf.for %{{.*}} = %c0_i64 to %c64_i64 step %c16_i64
// CHECK-COUNT-16: llvm.load {{.*}} vector<16xf32>
// CHECK-COUNT-64: vector.shuffle
// CHECK-COUNT-16: llvm.store {{.*}} vector<16xf32>
// CHECK-NOT:   vector.insert
// And written along j when all steps are done.
// CHECK:       llvm.icmp
// CHECK-COUNT-64: vector.shuffle
// CHECK-COUNT-16: llvm.store {{.*}} vector<16xf32>

// CHECK-LABEL: func.func @turned_workspace(
tile.kernel @turned operands [
    #tile.operand<"q" in [j: 64] f32 head>, #tile.operand<"S" state_in [i: 64, j: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"S" state_out [i: 64, j: 64] f32 head>] {
  %S = tile.load "S" : [i: 64, j: 64]
  %end = tile.sequence over [t: 32] axis 0 carry(%s = %S : [i: 64, j: 64]) {
    %q = tile.load "q" : [j: 64, t: 32]
    %p = ssm.mul %q, %s : [j: 64, t: 32], [i: 64, j: 64]
    %o = ssm.sum %p over [j] : [i: 64, j: 64, t: 32]
    %half = ssm.constant 0.5
    %next = ssm.mul %half, %s : [], [i: 64, j: 64]
    tile.store "o", %o : [i: 64, t: 32]
    tile.yield %next : [i: 64, j: 64]
  }
  tile.store "S", %end : [i: 64, j: 64]
}
