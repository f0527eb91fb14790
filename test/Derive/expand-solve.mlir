// A solve is forward substitution: what is known is carried, and only earlier (reversed: later) unknowns count.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @solve time [t] dims(V) {
  // CHECK: %[[V:.*]] = ssm.in "v"
  %v = ssm.in "v" [V, t] : [V, t: 4]
  // CHECK: %[[L:.*]] = ssm.in "L"
  %L = ssm.in "L" [t, s] : [s: 4, t: 4]
  // CHECK: %[[ROW:.*]] = ssm.position over [t: 4]
  // CHECK: %[[COLUMN:.*]] = ssm.relabel %[[ROW]] [t] to [s]
  // CHECK: %[[P:.*]]:2 = ssm.fold over [t: 4] carry(%[[KNOWN:.*]] = %{{.*}} : [V, s: 4]) {
  // CHECK-DAG: %[[VT:.*]] = ssm.at %[[V]] "t"
  // CHECK-DAG: %[[LT:.*]] = ssm.at %[[L]] "t"
  // CHECK-DAG: %[[EARLIER:.*]] = ssm.cmp lt %[[COLUMN]],
  // CHECK-DAG: %[[ALL:.*]] = ssm.mul %[[LT]], %[[KNOWN]]
  // CHECK: %[[COUNTS:.*]] = ssm.select %[[EARLIER]], %[[ALL]],
  // CHECK: %[[SUM:.*]] = ssm.sum %[[COUNTS]] over [s]
  // CHECK: %[[PT:.*]] = ssm.add %[[VT]], %[[SUM]]
  // CHECK: %[[HERE:.*]] = ssm.cmp eq
  // CHECK: %[[NEXT:.*]] = ssm.select %[[HERE]], %[[PT]], %[[KNOWN]]
  // CHECK: ssm.yield %[[NEXT]], %[[PT]]
  %p = ssm.solve (%v : [V, t: 4]) lower(%L : [s: 4, t: 4]) rows "t" columns "s"
  // Two unknowns: both are carried, each row sums over both.
  // CHECK: %[[R:.*]]:4 = ssm.fold over [t: 4] reverse carry(%{{.*}} = {{.*}}, %{{.*}} = {{.*}}) {
  // CHECK-COUNT-4: ssm.cmp gt
  // CHECK: ssm.yield %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} :
  %r:2 = ssm.solve (%v, %v : [V, t: 4], [V, t: 4]) lower(%L, %L, %L, %L : [s: 4, t: 4], [s: 4, t: 4], [s: 4, t: 4], [s: 4, t: 4]) rows "t" columns "s" reverse
  // CHECK: ssm.out "p" [V, t], %[[P]]#1
  ssm.out "p" [V, t], %p : [V, t: 4]
  // CHECK: ssm.out "first" [V, t], %[[R]]#2
  ssm.out "first" [V, t], %r#0 : [V, t: 4]
  // CHECK: ssm.out "second" [V, t], %[[R]]#3
  ssm.out "second" [V, t], %r#1 : [V, t: 4]
}
