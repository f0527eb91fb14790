// Labels added.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V) {
ssm.recurrence @r time [t] dims(K, V) {
  // CHECK-NEXT: %x = ssm.in "x" [j] : [j: V]
  %x = ssm.in "x" [j] : [j: V]
  // CHECK-NEXT: %{{.*}} = ssm.broadcast %x : [j: V] to [i: K, j: V]
  %y = ssm.broadcast %x : [j: V] to [i: K, j: V]
}
