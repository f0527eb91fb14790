// New names for labels; two that meet are a diagonal.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %x = ssm.in "x" [i, j] : [i: K, j: K]
  %x = ssm.in "x" [i, j] : [i: K, j: K]
  // CHECK-NEXT: %[[A:.*]] = ssm.relabel %x [i] to [l] : [i: K, j: K]
  %a = ssm.relabel %x [i] to [l] : [i: K, j: K]
  // CHECK-NEXT: %{{.*}} = ssm.relabel %x [i, j] to [j, i] : [i: K, j: K]
  %b = ssm.relabel %x [i, j] to [j, i] : [i: K, j: K]
  // CHECK-NEXT: %[[D:.*]] = ssm.relabel %x [i] to [j] : [i: K, j: K]
  %d = ssm.relabel %x [i] to [j] : [i: K, j: K]
  // CHECK-NEXT: ssm.out "d" [j], %[[D]] : [j: K]
  ssm.out "d" [j], %d : [j: K]
  // CHECK-NEXT: ssm.out "a" [l, j], %[[A]] : [j: K, l: K]
  ssm.out "a" [l, j], %a : [j: K, l: K]
}
