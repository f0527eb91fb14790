// A product of all steps before starts from one; exclusive, what is carried in is the result.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @cumprod time [t] dims(K) {
  // CHECK: %[[X:.*]] = ssm.in "x"
  %x = ssm.in "x" [K, t] : [K, t: 4]
  // CHECK: %[[ONE:.*]] = ssm.constant 1.0
  // CHECK: %[[INIT:.*]] = ssm.broadcast %[[ONE]] : [] to [K]
  // CHECK: %[[UPTO:.*]]:2 = ssm.fold over [t: 4] carry(%[[P:.*]] = %[[INIT]] : [K]) {
  // CHECK-NEXT: %[[XT:.*]] = ssm.at %[[X]] "t"
  // CHECK-NEXT: %[[NEXT:.*]] = ssm.mul %[[P]], %[[XT]]
  // CHECK-NEXT: ssm.yield %[[NEXT]], %[[NEXT]]
  %upto = ssm.cumprod %x along "t" : [K, t: 4]
  // CHECK: %[[AFTER:.*]]:2 = ssm.fold over [t: 4] reverse carry(%[[R:.*]] = %{{.*}} : [K]) {
  // CHECK-NEXT: %[[XR:.*]] = ssm.at %[[X]] "t"
  // CHECK-NEXT: %[[LATER:.*]] = ssm.mul %[[R]], %[[XR]]
  // CHECK-NEXT: ssm.yield %[[LATER]], %[[R]]
  %after = ssm.cumprod %x along "t" exclusive reverse : [K, t: 4]
  // CHECK: ssm.out "upto" [K, t], %[[UPTO]]#1
  ssm.out "upto" [K, t], %upto : [K, t: 4]
  // CHECK: ssm.out "after" [K, t], %[[AFTER]]#1
  ssm.out "after" [K, t], %after : [K, t: 4]
}
