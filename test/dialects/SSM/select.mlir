// One of two values; complex where one is.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %c = ssm.in "c" [] : [] i1
  %c = ssm.in "c" [] : [] i1
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %z = ssm.in "z" [] : [] complex<f32>
  %z = ssm.in "z" [] : [] complex<f32>
  // CHECK-NEXT: %[[A:.*]] = ssm.select %c, %x, %z : [] i1, [i: K], [] complex<f32>
  %a = ssm.select %c, %x, %z : [] i1, [i: K], [] complex<f32>
  // CHECK-NEXT: %[[B:.*]] = ssm.select %c, %c, %c : [] i1, [] i1, [] i1
  %b = ssm.select %c, %c, %c : [] i1, [] i1, [] i1
  // CHECK-NEXT: ssm.out "a" [i], %[[A]] : [i: K] complex<f32>
  ssm.out "a" [i], %a : [i: K] complex<f32>
  // CHECK-NEXT: ssm.out "b" [], %[[B]] : [] i1
  ssm.out "b" [], %b : [] i1
}
