// Changes of element type.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %c = ssm.in "c" [] : [] i1
  %c = ssm.in "c" [] : [] i1
  // CHECK-NEXT: %n = ssm.in "n" [] : [] i32
  %n = ssm.in "n" [] : [] i32
  // CHECK-NEXT: %{{.*}} = ssm.cast %x : [i: K] to [i: K] complex<f32>
  %a = ssm.cast %x : [i: K] to [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.cast %c : [] i1 to []
  %b = ssm.cast %c : [] i1 to []
  // CHECK-NEXT: %{{.*}} = ssm.cast %n : [] i32 to []
  %d = ssm.cast %n : [] i32 to []
  // CHECK-NEXT: %{{.*}} = ssm.cast %x : [i: K] to [i: K] i1
  %e = ssm.cast %x : [i: K] to [i: K] i1
}
