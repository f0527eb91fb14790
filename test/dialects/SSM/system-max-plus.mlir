// A system in the semiring of maxima and sums.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %f = ssm.in "f" [] : []
  %f = ssm.in "f" [] : []
  // CHECK-NEXT: ssm.state "m" [] : []
  ssm.state "m" [] : []
  // CHECK-NEXT: %m = ssm.system max_plus [m] {
  %m = ssm.system max_plus [m] {
  // CHECK-NEXT: ssm.stage {
    ssm.stage {
  // CHECK-NEXT: ssm.decay "m" from "m" by [1] log(%f : [])
      ssm.decay "m" from "m" by [1] log(%f : [])
  // CHECK-NEXT: ssm.input "m" (%f : [])
      ssm.input "m" (%f : [])
  // CHECK-NEXT: }
    }
  // CHECK-NEXT: } : []
  } : []
}
