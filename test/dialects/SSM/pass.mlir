// Passes, in order or reversed along time axes.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: ssm.pass {
  ssm.pass {
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: ssm.pass reverse [0] {
  ssm.pass reverse [0] {
  // CHECK-NEXT: }
  }
}
