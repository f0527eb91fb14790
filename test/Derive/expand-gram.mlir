// A Gram matrix: where the decay is apart from the contraction, a product and a span; where it is inside, the keys are
// carried and decay as the steps pass, so that no quotient of decays occurs.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

// CHECK-LABEL: @apart
ssm.recurrence @apart time [t] dims(K) {
  // CHECK: %[[Q:.*]] = ssm.in "q"
  %q = ssm.in "q" [K, t] : [K, t: 4]
  // CHECK: %[[K:.*]] = ssm.in "k"
  %k = ssm.in "k" [K, t] : [K, t: 4]
  %d = ssm.in "d" [t] : [t: 4]
  // CHECK: %[[KEYS:.*]] = ssm.relabel %[[K]] [t] to [s]
  // CHECK: %[[SPAN:.*]]:2 = ssm.fold over [t: 4] carry(%{{.*}} = %{{.*}} : [s: 4]) {
  // CHECK: }
  // CHECK: %[[QK:.*]] = ssm.mul %[[Q]], %[[KEYS]]
  // CHECK: %[[SUM:.*]] = ssm.sum %[[QK]] over [K]
  // CHECK: %[[A:.*]] = ssm.mul %[[SUM]], %[[SPAN]]#1
  %a = ssm.gram %q, %k decay %d over [K] rows "t" columns "s" : [K, t: 4], [K, t: 4], [t: 4]
  // CHECK: ssm.out "a" [t, s], %[[A]]
  ssm.out "a" [t, s], %a : [s: 4, t: 4]
}

// CHECK-LABEL: @inside
ssm.recurrence @inside time [t] dims(K) {
  // CHECK: %[[Q:.*]] = ssm.in "q"
  %q = ssm.in "q" [K, t] : [K, t: 4]
  // CHECK: %[[K:.*]] = ssm.in "k"
  %k = ssm.in "k" [K, t] : [K, t: 4]
  // CHECK: %[[D:.*]] = ssm.in "d"
  %d = ssm.in "d" [K, t] : [K, t: 4]
  // CHECK: %[[KEYS:.*]] = ssm.relabel %[[K]] [t] to [s]
  // CHECK: %[[A:.*]]:2 = ssm.fold over [t: 4] carry(%[[HELD:.*]] = %{{.*}} : [K, s: 4]) {
  // CHECK-DAG: %[[HERE:.*]] = ssm.cmp eq
  // CHECK-DAG: %[[DT:.*]] = ssm.at %[[D]] "t"
  // CHECK-DAG: %[[LESS:.*]] = ssm.mul %[[HELD]], %[[DT]]
  // CHECK: %[[NEXT:.*]] = ssm.select %[[HERE]], %[[KEYS]], %[[LESS]]
  // CHECK: %[[QT:.*]] = ssm.at %[[Q]] "t"
  // CHECK: %[[QK:.*]] = ssm.mul %[[QT]], %[[NEXT]]
  // CHECK: %[[ROW:.*]] = ssm.sum %[[QK]] over [K]
  // CHECK: ssm.yield %[[NEXT]], %[[ROW]]
  %a = ssm.gram %q, %k decay %d over [K] rows "t" columns "s" : [K, t: 4], [K, t: 4], [K, t: 4]
  // Strict: the keys as they were before this step.
  // CHECK: ssm.fold over [t: 4] carry(%[[BEFORE:.*]] = %{{.*}} : [K, s: 4]) {
  // CHECK: ssm.mul %{{.*}}, %[[BEFORE]] : [K], [K, s: 4]
  %l = ssm.gram %q, %k decay %d over [K] rows "t" columns "s" strict : [K, t: 4], [K, t: 4], [K, t: 4]
  // CHECK: ssm.out "a" [t, s], %[[A]]#1
  ssm.out "a" [t, s], %a : [s: 4, t: 4]
  ssm.out "l" [t, s], %l : [s: 4, t: 4]
}
