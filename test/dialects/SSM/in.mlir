// Operands: order in memory, param, scope, element types.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V) {
ssm.recurrence @r time [t] dims(K, V) {
  // CHECK-NEXT: %q = ssm.in "q" [i] : [i: K]
  %q = ssm.in "q" [i] : [i: K]
  // CHECK-NEXT: %M = ssm.in "M" [j, i] : [i: K, j: V]
  %M = ssm.in "M" [j, i] : [j: V, i: K]
  // CHECK-NEXT: %A = ssm.in "A" [] param : []
  %A = ssm.in "A" [] param : []
  // CHECK-NEXT: %B = ssm.in "B" [i] scope(group) : [i: K]
  %B = ssm.in "B" [i] scope(group) : [i: K]
  // CHECK-NEXT: %C = ssm.in "C" [i] param scope(shared) : [i: K]
  %C = ssm.in "C" [i] param scope(shared) : [i: K]
  // CHECK-NEXT: %z = ssm.in "z" [] : [] complex<f32>
  %z = ssm.in "z" [] : [] complex<f32>
  // CHECK-NEXT: %c = ssm.in "c" [] : [] i1
  %c = ssm.in "c" [] : [] i1
  // CHECK-NEXT: %n = ssm.in "n" [] : [] i32
  %n = ssm.in "n" [] : [] i32
}
