// Comparisons, which give truth values.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %y = ssm.in "y" [] : []
  %y = ssm.in "y" [] : []
  // CHECK-NEXT: %[[A0:.*]] = ssm.cmp lt %x, %y : [i: K], []
  %a0 = ssm.cmp lt %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "lt" [i], %[[A0]] : [i: K] i1
  ssm.out "lt" [i], %a0 : [i: K] i1
  // CHECK-NEXT: %[[A1:.*]] = ssm.cmp le %x, %y : [i: K], []
  %a1 = ssm.cmp le %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "le" [i], %[[A1]] : [i: K] i1
  ssm.out "le" [i], %a1 : [i: K] i1
  // CHECK-NEXT: %[[A2:.*]] = ssm.cmp gt %x, %y : [i: K], []
  %a2 = ssm.cmp gt %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "gt" [i], %[[A2]] : [i: K] i1
  ssm.out "gt" [i], %a2 : [i: K] i1
  // CHECK-NEXT: %[[A3:.*]] = ssm.cmp ge %x, %y : [i: K], []
  %a3 = ssm.cmp ge %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "ge" [i], %[[A3]] : [i: K] i1
  ssm.out "ge" [i], %a3 : [i: K] i1
  // CHECK-NEXT: %[[A4:.*]] = ssm.cmp eq %x, %y : [i: K], []
  %a4 = ssm.cmp eq %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "eq" [i], %[[A4]] : [i: K] i1
  ssm.out "eq" [i], %a4 : [i: K] i1
  // CHECK-NEXT: %[[A5:.*]] = ssm.cmp ne %x, %y : [i: K], []
  %a5 = ssm.cmp ne %x, %y : [i: K], []
  // CHECK-NEXT: ssm.out "ne" [i], %[[A5]] : [i: K] i1
  ssm.out "ne" [i], %a5 : [i: K] i1
}
