// A matrix over steps by steps of the caller's is copied in vectors where all steps of the chunk exist, and one element at a
// time in the last chunk, whose rows end before.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @rows(
// CHECK:       %[[WHOLE:.*]] = arith.cmpi eq, %[[STEPS:.*]], %c32_i64
// CHECK-NEXT:  scf.if %[[WHOLE]] {
// CHECK-NEXT:    scf.for %{{.*}} = %c0_i64 to %[[STEPS]] step %c1_i64
// CHECK-NOT:     scf.for
// CHECK-COUNT-2: llvm.store %{{.*}} : vector<16xf32>
// CHECK:       } else {
// CHECK-NEXT:    scf.for %{{.*}} = %c0_i64 to %[[STEPS]] step %c1_i64
// CHECK-NEXT:      scf.for %{{.*}} = %c0_i64 to %[[STEPS]] step %c1_i64
// CHECK-NOT:       vector
// CHECK:           llvm.store %{{.*}} : f32
// CHECK:       }
tile.kernel @rows operands [#tile.operand<"m" chunk_temp [t: 32, t0: 32] f32 group>,
                            #tile.operand<"v" in [P: 32] f32 head>,
                            #tile.operand<"o" out [P: 32] f32 head>] {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [t: 32, t0: 32]
    %v = tile.load "v" : [P: 32, t: 32]
    %0 = ssm.relabel %v [t] to [t0] : [P: 32, t: 32]
    %1 = ssm.mul %m, %0 : [t: 32, t0: 32], [P: 32, t0: 32]
    %2 = ssm.sum %1 over [t0] : [P: 32, t: 32, t0: 32]
    tile.store "o", %2 : [P: 32, t: 32]
    tile.yield
  }
}
