// Systems, stages and every kind of term; labels are canonical, as --normalize makes them.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, V, J = 2) {
ssm.recurrence @r time [t] dims(K, V, J = 2) {
  // CHECK-NEXT: %g = ssm.in "g" [] : []
  %g = ssm.in "g" [] : []
  // CHECK-NEXT: %k = ssm.in "k" [K] : [K]
  %k = ssm.in "k" [K] : [K]
  // CHECK-NEXT: %v = ssm.in "v" [V] : [V]
  %v = ssm.in "v" [V] : [V]
  // CHECK-NEXT: %w = ssm.in "w" [K, l] : [K, l: K]
  %w = ssm.in "w" [K, l] : [K, l: K]
  // CHECK-NEXT: %z = ssm.in "z" [] : [] i1
  %z = ssm.in "z" [] : [] i1
  // CHECK-NEXT: %ks = ssm.in "ks" [s, K] : [K, s: J]
  %ks = ssm.in "ks" [s, K] : [K, s: J]
  // CHECK-NEXT: ssm.state "S" [K, V] : [K, V]
  ssm.state "S" [K, V] : [K, V]
  // CHECK-NEXT: ssm.state "h" [K] : [K]
  ssm.state "h" [K] : [K]
  // CHECK-NEXT: %S, %h = ssm.system plus_times [S, h] {
  %S, %h = ssm.system plus_times [S, h] {
  // CHECK-NEXT: ssm.stage {
    ssm.stage {
  // CHECK-NEXT: ssm.decay "S" from "S" by [1]
      ssm.decay "S" from "S" by [1]
  // CHECK-NEXT: ssm.decay "S" from "S" by [1] log(%g : []) phase(%g : []) factor(%k : [K]) zero(%z : [] i1)
      ssm.decay "S" from "S" by [1] log(%g : []) phase(%g : []) factor(%k : [K]) zero(%z : [] i1)
  // CHECK-NEXT: ssm.feedback "S" from "S" by [1] over [K] (%k, %k : [K], [K])
      ssm.feedback "S" from "S" by [1] over [K] (%k, %k : [K], [K])
  // CHECK-NEXT: ssm.feedback "h" from "h" by [1] relabel [K] to [l] over [l] (%k, %w : [K], [K, l: K])
      ssm.feedback "h" from "h" by [1] relabel [K] to [l] over [l] (%k, %w : [K], [K, l: K])
  // CHECK-NEXT: ssm.input "S" (%k, %v : [K], [V])
      ssm.input "S" (%k, %v : [K], [V])
  // CHECK-NEXT: ssm.input "h" (%k : [K])
      ssm.input "h" (%k : [K])
  // CHECK-NEXT: }
    }
  // CHECK-NEXT: ssm.stage over [s: J] {
    ssm.stage over [s: J] {
  // CHECK-NEXT: ssm.decay "S" from "S" by [0]
      ssm.decay "S" from "S" by [0]
  // CHECK-NEXT: ssm.feedback "S" from "S" by [0] over [K] (%ks, %ks : [K, s: J], [K, s: J])
      ssm.feedback "S" from "S" by [0] over [K] (%ks, %ks : [K, s: J], [K, s: J])
  // CHECK-NEXT: }
    }
  // CHECK-NEXT: } : [K, V], [K]
  } : [K, V], [K]
  // CHECK-NEXT: ssm.out "o" [K, V], %S : [K, V]
  ssm.out "o" [K, V], %S : [K, V]
}
