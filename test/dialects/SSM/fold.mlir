// A loop over a label, forwards and backwards, with carried and stacked values.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, J = 2) {
ssm.recurrence @r time [t] dims(K, J = 2) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %k = ssm.in "k" [s, i] : [i: K, s: J]
  %k = ssm.in "k" [s, i] : [i: K, s: J]
  // CHECK-NEXT: %[[R:.*]]:2 = ssm.fold over [s: J] reverse carry(%[[M:.*]] = %x : [i: K]) {
  %r:2 = ssm.fold over [s: J] reverse carry(%m = %x : [i: K]) {
  // CHECK-NEXT: %[[KS:.*]] = ssm.at %k "s" : [i: K, s: J]
    %ks = ssm.at %k "s" : [i: K, s: J]
  // CHECK-NEXT: %[[N:.*]] = ssm.add %[[M]], %[[KS]] : [i: K], [i: K]
    %n = ssm.add %m, %ks : [i: K], [i: K]
  // CHECK-NEXT: ssm.yield %[[N]], %[[M]] : [i: K], [i: K]
    ssm.yield %n, %m : [i: K], [i: K]
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: %{{.*}} = ssm.fold over [s: J] {
  %e = ssm.fold over [s: J] {
  // CHECK-NEXT: %[[KT:.*]] = ssm.at %k "s" : [i: K, s: J]
    %kt = ssm.at %k "s" : [i: K, s: J]
  // CHECK-NEXT: ssm.yield %[[KT]] : [i: K]
    ssm.yield %kt : [i: K]
  // CHECK-NEXT: }
  }
  // CHECK-NEXT: ssm.out "last" [i], %[[R]]#0 : [i: K]
  ssm.out "last" [i], %r#0 : [i: K]
  // CHECK-NEXT: ssm.out "all" [i, s], %[[R]]#1 : [i: K, s: J]
  ssm.out "all" [i, s], %r#1 : [i: K, s: J]
}
