// Constants print their value alone, infinities as bits.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %{{.*}} = ssm.constant 5.000000e-01
  %a = ssm.constant 0.5
  // CHECK-NEXT: %{{.*}} = ssm.constant 0xFFF0000000000000
  %b = ssm.constant 0xFFF0000000000000
  // CHECK-NEXT: %{{.*}} = ssm.constant -1.000000e+00
  %c = ssm.constant -1.0
}
