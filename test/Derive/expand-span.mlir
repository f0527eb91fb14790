// A span carries what is left of 1 since each step; strict, as it was before this step.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @span time [t] dims(K) {
  // CHECK: %[[D:.*]] = ssm.in "d"
  %d = ssm.in "d" [t] : [t: 4]
  // CHECK: %[[ROW:.*]] = ssm.position over [t: 4]
  // CHECK: %[[COLUMN:.*]] = ssm.relabel %[[ROW]] [t] to [s]
  // CHECK: %[[E:.*]]:2 = ssm.fold over [t: 4] carry(%[[LEFT:.*]] = %{{.*}} : [s: 4]) {
  // CHECK-DAG: %[[T:.*]] = ssm.at %[[ROW]] "t"
  // CHECK-DAG: %[[HERE:.*]] = ssm.cmp eq %[[COLUMN]], %[[T]]
  // CHECK-DAG: %[[ONE:.*]] = ssm.constant 1.0
  // CHECK-DAG: %[[DT:.*]] = ssm.at %[[D]] "t"
  // CHECK-DAG: %[[LESS:.*]] = ssm.mul %[[LEFT]], %[[DT]]
  // CHECK: %[[NEXT:.*]] = ssm.select %[[HERE]], %[[ONE]], %[[LESS]]
  // CHECK: ssm.yield %[[NEXT]], %[[NEXT]]
  %e = ssm.span %d rows "t" columns "s" : [t: 4]
  // CHECK: ssm.fold over [t: 4] carry(%[[KEPT:.*]] = %{{.*}} : [s: 4]) {
  // CHECK: %[[AFTER:.*]] = ssm.select
  // CHECK: ssm.yield %[[AFTER]], %[[KEPT]]
  %strict = ssm.span %d rows "t" columns "s" strict : [t: 4]
  // CHECK: ssm.out "e" [t, s], %[[E]]#1
  ssm.out "e" [t, s], %e : [s: 4, t: 4]
  ssm.out "strict" [t, s], %strict : [s: 4, t: 4]
}
