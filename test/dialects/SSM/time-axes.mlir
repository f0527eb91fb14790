// Two time axes: one offset for each.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [y, x] dims(K) {
ssm.recurrence @r time [y, x] dims(K) {
  // CHECK-NEXT: ssm.state "h" [] : []
  ssm.state "h" [] : []
  // CHECK-NEXT: %[[P:.*]] = ssm.prev "h" by [1, 0] : []
  %p = ssm.prev "h" by [1, 0] : []
  // CHECK-NEXT: ssm.update "h", %[[P]] : []
  ssm.update "h", %p : []
}
