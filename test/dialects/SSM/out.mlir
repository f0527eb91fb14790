// Outputs, and values handed to a later pass.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: ssm.out "o" [i], %x : [i: K]
  ssm.out "o" [i], %x : [i: K]
  // CHECK-NEXT: ssm.out "h" [i] temp, %x : [i: K]
  ssm.out "h" [i] temp, %x : [i: K]
}
