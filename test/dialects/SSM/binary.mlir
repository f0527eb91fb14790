// Ops of two operands, aligned by label.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V) {
ssm.recurrence @r time [t] dims(K, V) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %y = ssm.in "y" [i, j] : [i: K, j: V]
  %y = ssm.in "y" [i, j] : [i: K, j: V]
  // CHECK-NEXT: %[[A0:.*]] = ssm.add %x, %y : [i: K], [i: K, j: V]
  %a0 = ssm.add %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "add" [i, j], %[[A0]] : [i: K, j: V]
  ssm.out "add" [i, j], %a0 : [i: K, j: V]
  // CHECK-NEXT: %[[A1:.*]] = ssm.sub %x, %y : [i: K], [i: K, j: V]
  %a1 = ssm.sub %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "sub" [i, j], %[[A1]] : [i: K, j: V]
  ssm.out "sub" [i, j], %a1 : [i: K, j: V]
  // CHECK-NEXT: %[[A2:.*]] = ssm.mul %x, %y : [i: K], [i: K, j: V]
  %a2 = ssm.mul %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "mul" [i, j], %[[A2]] : [i: K, j: V]
  ssm.out "mul" [i, j], %a2 : [i: K, j: V]
  // CHECK-NEXT: %[[A3:.*]] = ssm.div %x, %y : [i: K], [i: K, j: V]
  %a3 = ssm.div %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "div" [i, j], %[[A3]] : [i: K, j: V]
  ssm.out "div" [i, j], %a3 : [i: K, j: V]
  // CHECK-NEXT: %[[A4:.*]] = ssm.pow %x, %y : [i: K], [i: K, j: V]
  %a4 = ssm.pow %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "pow" [i, j], %[[A4]] : [i: K, j: V]
  ssm.out "pow" [i, j], %a4 : [i: K, j: V]
  // CHECK-NEXT: %[[A5:.*]] = ssm.max %x, %y : [i: K], [i: K, j: V]
  %a5 = ssm.max %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "max" [i, j], %[[A5]] : [i: K, j: V]
  ssm.out "max" [i, j], %a5 : [i: K, j: V]
  // CHECK-NEXT: %[[A6:.*]] = ssm.min %x, %y : [i: K], [i: K, j: V]
  %a6 = ssm.min %x, %y : [i: K], [i: K, j: V]
  // CHECK-NEXT: ssm.out "min" [i, j], %[[A6]] : [i: K, j: V]
  ssm.out "min" [i, j], %a6 : [i: K, j: V]
}
