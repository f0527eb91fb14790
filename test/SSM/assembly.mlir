// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s
// What is printed is read back, in the short form and in the generic one.

// CHECK-LABEL: ssm.recurrence @step time [y, x] dims(K, J = 2) {
ssm.recurrence @step time [y, x] dims(K, J = 2) {
  // CHECK: %[[B:.+]] = ssm.in "B" [K] scope(group) : [K] complex<f32>
  %B = ssm.in "B" [K] scope(group) : [K] complex<f32>
  // CHECK: %[[R:.+]] = ssm.in "reset" [] : [] i1
  %reset = ssm.in "reset" [] : [] i1
  // CHECK: ssm.in "A" [n, K] param : [K, n: 4]
  %A = ssm.in "A" [n, K] param : [K, n: 4]
  // CHECK: %[[INF:.+]] = ssm.constant 0xFFF0000000000000
  %inf = ssm.constant 0xFFF0000000000000
  // CHECK: ssm.state "m" [] init(%[[INF]] : []) : []
  ssm.state "m" [] init(%inf : []) : []
  // CHECK: ssm.state "B~1" [K] hidden : [K] complex<f32>
  ssm.state "B~1" [K] hidden : [K] complex<f32>
  // CHECK: ssm.prev "m" by [0, 1] : []
  %p = ssm.prev "m" by [0, 1] : []
  // CHECK: ssm.select %[[R]], %{{.+}}, %{{.+}} : [] i1, [], []
  %s = ssm.select %reset, %inf, %p : [] i1, [], []
  // CHECK: ssm.maximum %{{.+}} over [n] : [K, n: 4]
  %x = ssm.maximum %A over [n] : [K, n: 4]
  // CHECK: ssm.relabel %{{.+}} [K] to [l] : [K]
  %l = ssm.relabel %x [K] to [l] : [K]
  ssm.update "m", %s : []
  ssm.update "B~1", %B : [K] complex<f32>
}
