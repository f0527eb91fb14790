// The partial derivatives that ops say of themselves, as labelled algebra.
// RUN: ssmc-opt %s --test-partials --canonicalize --cse -split-input-file | FileCheck %s

ssm.recurrence @unary time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // CHECK: %[[EXP:.*]] = ssm.exp %x
  // CHECK-NEXT: ssm.out "d0.exp.0" [i], %[[EXP]]
  %0 = ssm.exp %x : [i: K]
  // CHECK: %[[LOG:.*]] = ssm.div %[[ONE:.*]], %x
  // CHECK-NEXT: ssm.out "d1.log.0" [i], %[[LOG]]
  %1 = ssm.log %x : [i: K]
  // CHECK: %[[TANH:.*]] = ssm.tanh %x
  // CHECK-NEXT: %[[SQUARE:.*]] = ssm.mul %[[TANH]], %[[TANH]]
  // CHECK-NEXT: %[[DTANH:.*]] = ssm.sub %[[ONE]], %[[SQUARE]]
  // CHECK-NEXT: ssm.out "d2.tanh.0" [i], %[[DTANH]]
  %2 = ssm.tanh %x : [i: K]
  // CHECK: %[[SIGMOID:.*]] = ssm.sigmoid %x
  // CHECK-NEXT: ssm.out "d3.softplus.0" [i], %[[SIGMOID]]
  %3 = ssm.softplus %x : [i: K]
  // CHECK: %[[COS:.*]] = ssm.cos %x
  // CHECK-NEXT: ssm.out "d4.sin.0" [i], %[[COS]]
  %4 = ssm.sin %x : [i: K]
  // The derivative of sign is zero everywhere.
  // CHECK-NOT: d5
  %5 = ssm.sign %x : [i: K]
  // CHECK: %[[SIGN:.*]] = ssm.sign %x
  // CHECK-NEXT: ssm.out "d6.abs.0" [i], %[[SIGN]]
  %6 = ssm.abs %x : [i: K]
}

// -----

// CHECK-LABEL: @binary
ssm.recurrence @binary time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  // CHECK: ssm.out "d0.add.0" [], %[[ONE:.*]] : []
  // CHECK: ssm.out "d0.add.1" [], %[[ONE]] : []
  %0 = ssm.add %x, %y : [i: K], [j: V]
  // CHECK: ssm.out "d1.mul.0" [j], %y
  // CHECK: ssm.out "d1.mul.1" [i], %x
  %1 = ssm.mul %x, %y : [i: K], [j: V]
  // CHECK: %[[QUOTIENT:.*]] = ssm.div %x, %y
  // CHECK: %[[BY_X:.*]] = ssm.div %[[ONE]], %y
  // CHECK-NEXT: ssm.out "d2.div.0" [j], %[[BY_X]]
  // CHECK: %[[NEG:.*]] = ssm.neg %[[QUOTIENT]]
  // CHECK-NEXT: %[[BY_Y:.*]] = ssm.div %[[NEG]], %y
  // CHECK-NEXT: ssm.out "d2.div.1" [i, j], %[[BY_Y]]
  %2 = ssm.div %x, %y : [i: K], [j: V]
  // No derivative passes through a truth value.
  // CHECK-NOT: ssm.out "d3.cmp
  %3 = ssm.cmp lt %x, %y : [i: K], [j: V]
}
