// A shift is a loop that carries the value of the step before.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @shift time [t] dims(K) {
  // CHECK: %[[X:.*]] = ssm.in "x"
  %x = ssm.in "x" [K, t] : [K, t: 4]
  // CHECK: %[[FIRST:.*]] = ssm.in "first"
  %first = ssm.in "first" [K] : [K]
  // CHECK: %[[LATER:.*]]:2 = ssm.fold over [t: 4] carry(%[[BEFORE:.*]] = %[[FIRST]] : [K]) {
  // CHECK-NEXT: %[[NOW:.*]] = ssm.at %[[X]] "t"
  // CHECK-NEXT: ssm.yield %[[NOW]], %[[BEFORE]]
  // CHECK-NEXT: }
  %later = ssm.shift %x, %first along "t" : [K, t: 4], [K]
  // CHECK: %[[EARLIER:.*]]:2 = ssm.fold over [t: 4] reverse carry(
  %earlier = ssm.shift %x, %first along "t" reverse : [K, t: 4], [K]
  // CHECK: ssm.out "later" [K, t], %[[LATER]]#1
  ssm.out "later" [K, t], %later : [K, t: 4]
  // CHECK: ssm.out "earlier" [K, t], %[[EARLIER]]#1
  ssm.out "earlier" [K, t], %earlier : [K, t: 4]
}
