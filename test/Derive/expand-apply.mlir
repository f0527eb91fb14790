// A matrix over steps times vectors: a decay that the matrix can take on is multiplied into it; any other goes with the
// vectors as the steps pass, or, transposed, with what each step gathers from later ones. Spans are expanded too.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

// CHECK-LABEL: @apart
// CHECK-NOT: ssm.span
ssm.recurrence @apart time [t] dims(K) {
  // CHECK: %[[M:.*]] = ssm.in "m"
  %m = ssm.in "m" [t, s] : [s: 4, t: 4]
  // CHECK: %[[B:.*]] = ssm.in "b"
  %b = ssm.in "b" [K, t] : [K, t: 4]
  %d = ssm.in "d" [t] : [t: 4]
  // CHECK: %[[SPAN:.*]]:2 = ssm.fold over [t: 4] carry(%{{.*}} = %{{.*}} : [s: 4]) {
  // CHECK: }
  // CHECK: %[[LESS:.*]] = ssm.mul %[[M]], %[[SPAN]]#1
  // CHECK: %[[VECTORS:.*]] = ssm.relabel %[[B]] [t] to [s]
  // CHECK: %[[PRODUCT:.*]] = ssm.mul %[[LESS]], %[[VECTORS]]
  // CHECK: %[[Y:.*]] = ssm.sum %[[PRODUCT]] over [s]
  %y = ssm.apply %m, %b decay %d rows "t" columns "s" : [s: 4, t: 4], [K, t: 4], [t: 4]
  // CHECK: ssm.out "y" [K, t], %[[Y]]
  ssm.out "y" [K, t], %y : [K, t: 4]
}

// CHECK-LABEL: @inside
ssm.recurrence @inside time [t] dims(K) {
  // CHECK: %[[M:.*]] = ssm.in "m"
  %m = ssm.in "m" [t, s] : [s: 4, t: 4]
  // CHECK: %[[B:.*]] = ssm.in "b"
  %b = ssm.in "b" [K, t] : [K, t: 4]
  %d = ssm.in "d" [K, t] : [K, t: 4]
  // CHECK: %[[Y:.*]]:2 = ssm.fold over [t: 4] carry(%[[HELD:.*]] = %{{.*}} : [K, s: 4]) {
  // CHECK: %[[LESS:.*]] = ssm.mul %[[HELD]],
  // CHECK: %[[NEXT:.*]] = ssm.select %{{.*}}, %{{.*}}, %[[LESS]]
  // CHECK: %[[MT:.*]] = ssm.at %[[M]] "t"
  // CHECK: %[[PRODUCT:.*]] = ssm.mul %[[MT]], %[[NEXT]]
  // CHECK: %[[ROW:.*]] = ssm.sum %[[PRODUCT]] over [s]
  // CHECK: ssm.yield %[[NEXT]], %[[ROW]]
  %y = ssm.apply %m, %b decay %d rows "t" columns "s" : [s: 4, t: 4], [K, t: 4], [K, t: 4]
  // From the last step to the first: what later steps bring decays back to the present one, which takes its column.
  // CHECK: %[[TURNED:.*]] = ssm.relabel %[[M]] [t, s] to [s, t]
  // CHECK: %[[Z:.*]]:2 = ssm.fold over [t: 4] reverse carry(%[[LATER:.*]] = %{{.*}} : [K, s: 4]) {
  // CHECK: %[[NOW:.*]] = ssm.select %{{.*}}, %{{.*}}, %[[LATER]]
  // CHECK: %[[COLUMN:.*]] = ssm.at %[[TURNED]] "t"
  // CHECK: %[[TERMS:.*]] = ssm.mul %[[COLUMN]], %[[NOW]]
  // CHECK: %[[SUM:.*]] = ssm.sum %[[TERMS]] over [s]
  // CHECK: %[[EARLIER:.*]] = ssm.mul %[[NOW]],
  // CHECK: ssm.yield %[[EARLIER]], %[[SUM]]
  %z = ssm.apply %m, %b decay %d rows "t" columns "s" transpose : [s: 4, t: 4], [K, t: 4], [K, t: 4]
  // CHECK: ssm.out "y" [K, t], %[[Y]]#1
  ssm.out "y" [K, t], %y : [K, t: 4]
  // CHECK: ssm.out "z" [K, t], %[[Z]]#1
  ssm.out "z" [K, t], %z : [K, t: 4]
}
