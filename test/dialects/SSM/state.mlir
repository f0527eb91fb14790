// States: order, initial value, hidden ones.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V) {
ssm.recurrence @r time [t] dims(K, V) {
  // CHECK-NEXT: %[[C:.*]] = ssm.constant 5.000000e-01
  %c = ssm.constant 0.5
  // CHECK-NEXT: ssm.state "S" [i, j] : [i: K, j: V]
  ssm.state "S" [i, j] : [i: K, j: V]
  // CHECK-NEXT: ssm.state "m" [] init(%[[C]] : []) : []
  ssm.state "m" [] init(%c : []) : []
  // CHECK-NEXT: ssm.state "w~1" [i] hidden : [i: K] complex<f32>
  ssm.state "w~1" [i] hidden : [i: K] complex<f32>
  // CHECK-NEXT: %[[S:.*]] = ssm.prev "S" by [1] : [i: K, j: V]
  %S = ssm.prev "S" by [1] : [i: K, j: V]
  // CHECK-NEXT: %[[M:.*]] = ssm.prev "m" by [2] : []
  %m = ssm.prev "m" by [2] : []
  // CHECK-NEXT: %[[W:.*]] = ssm.prev "w~1" by [-1] : [i: K] complex<f32>
  %w = ssm.prev "w~1" by [-1] : [i: K] complex<f32>
  // CHECK-NEXT: ssm.update "S", %[[S]] : [i: K, j: V]
  ssm.update "S", %S : [i: K, j: V]
  // CHECK-NEXT: ssm.update "m", %[[M]] : []
  ssm.update "m", %m : []
  // CHECK-NEXT: ssm.update "w~1", %[[W]] : [i: K] complex<f32>
  ssm.update "w~1", %w : [i: K] complex<f32>
}
