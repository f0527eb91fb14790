// Sums and maxima over labels.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V) {
ssm.recurrence @r time [t] dims(K, V) {
  // CHECK-NEXT: %x = ssm.in "x" [i, j] : [i: K, j: V]
  %x = ssm.in "x" [i, j] : [i: K, j: V]
  // CHECK-NEXT: %{{.*}} = ssm.sum %x over [i] : [i: K, j: V]
  %s = ssm.sum %x over [i] : [i: K, j: V]
  // CHECK-NEXT: %{{.*}} = ssm.maximum %x over [i, j] : [i: K, j: V]
  %m = ssm.maximum %x over [i, j] : [i: K, j: V]
}
