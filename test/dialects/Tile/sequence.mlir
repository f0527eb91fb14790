// Walks over a time axis: both directions, with and without carried values, nested.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

tile.kernel @k operands [#tile.operand<"S" state_in [i: 64] f32 head>] {
  // CHECK: %[[S:.*]] = tile.load
  %S = tile.load "S" : [i: 64]
  // CHECK: %[[R:.*]] = tile.sequence over [y: 1] axis 0 reverse carry(%[[A:.*]] = %[[S]] : [i: 64]) {
  %r = tile.sequence over [y: 1] axis 0 reverse carry(%a = %S : [i: 64]) {
    // CHECK: %[[Q:.*]]:2 = tile.sequence over [t: 16] axis 1 carry(%[[B:.*]] = %[[A]] : [i: 64], %[[D:.*]] = %[[A]] : [i: 64]) {
    %q:2 = tile.sequence over [t: 16] axis 1 carry(%b = %a : [i: 64], %d = %a : [i: 64]) {
      // CHECK: tile.yield %[[D]], %[[B]] : [i: 64], [i: 64]
      tile.yield %d, %b : [i: 64], [i: 64]
    }
    // CHECK: tile.yield %[[Q]]#1 : [i: 64]
    tile.yield %q#1 : [i: 64]
  }
  // CHECK: tile.sequence over [t: 4] axis 0 {
  tile.sequence over [t: 4] axis 0 {
    // CHECK-NEXT: tile.yield
    tile.yield
  }
}
