// A scan of matrices as a fold over the steps: each carries the vectors, their rows relabelled as columns.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @matrix_scan time [t] dims(K, V) {
  // CHECK: %[[A:.*]] = ssm.in "A"
  %A = ssm.in "A" [K, l, t] : [K, l: K, t: 4]
  // CHECK: %[[W:.*]] = ssm.in "W"
  %W = ssm.in "W" [l] : [l: K]
  // CHECK: %[[X:.*]] = ssm.in "x"
  %x = ssm.in "x" [V, t] : [V, t: 4]
  // CHECK: %[[S0:.*]] = ssm.in "S"
  %S0 = ssm.in "S" [K, V] : [K, V]
  // CHECK: %[[B0:.*]] = ssm.in "b"
  %b0 = ssm.in "b" [V] : [V]
  %none = ssm.constant 0.0
  // CHECK: %[[H:.*]]:2 = ssm.fold over [t: 4] carry(%[[S:.*]] = %[[S0]] : [K, V]) {
  // CHECK: %[[XT:.*]] = ssm.at %[[X]] "t"
  // CHECK: %[[AT:.*]] = ssm.at %[[A]] "t"
  // CHECK: %[[COLUMN:.*]] = ssm.relabel %[[S]] [K] to [l]
  // CHECK: %[[ALL:.*]] = ssm.mul %[[AT]], %[[COLUMN]]
  // CHECK: %[[SUM:.*]] = ssm.sum %[[ALL]] over [l]
  // CHECK: %[[NEXT:.*]] = ssm.add %[[XT]], %[[SUM]]
  // CHECK: ssm.yield %[[NEXT]], %[[NEXT]]
  %h = ssm.matrix_scan (%A : [K, l: K, t: 4]) (%x : [V, t: 4]) from (%S0 : [K, V]) over [t: 4] rows [K] columns [l]
  // Two vectors of different labels. Matrices that are 0 are no terms; one without steps is the same at each.
  // CHECK: %[[R:.*]]:4 = ssm.fold over [t: 4] reverse carry(%{{.*}} = %[[S0]] : [K, V], %[[B:.*]] = %[[B0]] : [V]) {
  // CHECK: ssm.mul %{{.*}}, %{{.*}} : [K, l: K], [V, l: K]
  // CHECK: ssm.mul %[[W]], %{{.*}} : [l: K], [V, l: K]
  // CHECK-NOT: ssm.mul
  // CHECK: ssm.yield
  %r:2 = ssm.matrix_scan (%A, %none, %W, %none : [K, l: K, t: 4], [], [l: K], []) (%none, %x : [], [V, t: 4])
    from (%S0, %b0 : [K, V], [V]) over [t: 4] rows [K] columns [l] reverse
  // CHECK: ssm.out "h" [K, V, t], %[[H]]#1
  ssm.out "h" [K, V, t], %h : [K, V, t: 4]
  // CHECK: ssm.out "first" [V, t], %[[R]]#3
  ssm.out "first" [V, t], %r#1 : [V, t: 4]
}
