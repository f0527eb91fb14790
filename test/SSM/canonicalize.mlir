// RUN: ssmc-opt %s -canonicalize | FileCheck %s
// Algebra that holds for labelled arrays.

// CHECK-LABEL: ssm.recurrence @identities
ssm.recurrence @identities time [t] dims (K) {
  // CHECK: %[[X:.+]] = ssm.in "x"
  %x = ssm.in "x" [K] : [K]
  %zero = ssm.constant 0.0
  %one = ssm.constant 1.0
  %a = ssm.mul %x, %one : [K], []
  %b = ssm.add %a, %zero : [K], []
  %c = ssm.neg %b : [K]
  %d = ssm.neg %c : [K]
  // CHECK: ssm.out "o" [K], %[[X]] : [K]
  ssm.out "o" [K], %d : [K]
}

// CHECK-LABEL: ssm.recurrence @constants
ssm.recurrence @constants time [t] dims () {
  %two = ssm.constant 2.0
  %three = ssm.constant 3.0
  %a = ssm.mul %two, %three : [], []
  // CHECK: %[[SIX:.+]] = ssm.constant 6.0
  // CHECK: ssm.out "o" [], %[[SIX]] : []
  ssm.out "o" [], %a : []
}
