// The transposes that linear ops say of themselves, and what a cotangent gives to an operand.
// RUN: ssmc-opt %s --test-partials --canonicalize --cse -split-input-file -verify-diagnostics | FileCheck %s

// CHECK-LABEL: @sum
ssm.recurrence @sum time [t] dims(K, V) {
  %g = ssm.in "g" [i] : [i: K]
  %x = ssm.in "x" [i, j] : [i: K, j: V]
  // CHECK: %[[B:.*]] = ssm.broadcast %g : [i: K] to [i: K, j: V]
  // CHECK-NEXT: ssm.out "g0.sum.0" [i, j], %[[B]]
  %0 = ssm.sum %x over [j] : [i: K, j: V]
}

// -----

// CHECK-LABEL: @broadcast
ssm.recurrence @broadcast time [t] dims(K, V) {
  %g = ssm.in "g" [i, j] : [i: K, j: V]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK: %[[S:.*]] = ssm.sum %g over [j]
  // CHECK-NEXT: ssm.out "g0.broadcast.0" [i], %[[S]]
  %0 = ssm.broadcast %x : [i: K] to [i: K, j: V]
}

// -----

// CHECK-LABEL: @relabel
ssm.recurrence @relabel time [t] dims(K) {
  %g = ssm.in "g" [l] : [l: K]
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i, j] : [i: K, j: K]
  // CHECK: %[[R:.*]] = ssm.relabel %g [l] to [i]
  // CHECK-NEXT: ssm.out "g0.relabel.0" [i], %[[R]]
  %0 = ssm.relabel %x [i] to [l] : [i: K]
  // A vector comes from a diagonal and goes to one.
  // CHECK: %[[I:.*]] = ssm.position over [i: K]
  // CHECK: %[[J:.*]] = ssm.position over [j: K]
  // CHECK: %[[SAME:.*]] = ssm.cmp eq %[[I]], %[[J]]
  // CHECK: %[[D:.*]] = ssm.select %[[SAME]], %[[R]], %{{.*}} : [i: K, j: K] i1, [i: K], []
  // CHECK-NEXT: ssm.out "g1.relabel.0" [i, j], %[[D]]
  %1 = ssm.relabel %y [i, j] to [l, l] : [i: K, j: K]
}

// -----

// CHECK-LABEL: @at
ssm.recurrence @at time [t] dims(K) {
  %g = ssm.in "g" [] : []
  %x = ssm.in "x" [s] : [s: 2]
  %r = ssm.fold over [s: 2] {
    // CHECK: ssm.out "g0.at.0" [], %g
    // expected-remark@below {{is stacked over 's'}}
    %a = ssm.at %x "s" : [s: 2]
    ssm.yield %a : []
  }
}

// -----

// CHECK-LABEL: @parts
ssm.recurrence @parts time [t] dims() {
  %g = ssm.in "g" [] : []
  %z = ssm.in "z" [] : [] complex<f32>
  // CHECK: %[[C:.*]] = ssm.cast %g : [] to [] complex<f32>
  // CHECK-NEXT: ssm.out "g0.real.0" [], %[[C]]
  %0 = ssm.real %z : [] complex<f32>
  // CHECK: %[[I:.*]] = ssm.cis
  // CHECK: %[[G:.*]] = ssm.mul %[[I]], %g
  // CHECK-NEXT: ssm.out "g1.imag.0" [], %[[G]]
  %1 = ssm.imag %z : [] complex<f32>
}

// -----

// CHECK-LABEL: @complex
ssm.recurrence @complex time [t] dims() {
  %g = ssm.in "g" [] : [] complex<f32>
  %x = ssm.in "x" [] : []
  %z = ssm.in "z" [] : [] complex<f32>
  // CHECK: %[[C:.*]] = ssm.conj %g
  // CHECK-NEXT: ssm.out "g0.conj.0" [], %[[C]]
  %0 = ssm.conj %z : [] complex<f32>
  // CHECK: %[[R:.*]] = ssm.real %g
  // CHECK-NEXT: ssm.out "g1.cast.0" [], %[[R]]
  %1 = ssm.cast %x : [] to [] complex<f32>
}

// -----

// A branch that is not taken gets nothing, whatever the cotangent is there.
// CHECK-LABEL: @select
ssm.recurrence @select time [t] dims(K) {
  %g = ssm.in "g" [i] : [i: K]
  %c = ssm.in "c" [i] : [i: K] i1
  %x = ssm.in "x" [] : []
  // CHECK: %[[A:.*]] = ssm.select %c, %g, %[[ZERO:.*]] : [i: K] i1, [i: K], []
  // CHECK: %[[S:.*]] = ssm.sum %[[A]] over [i]
  // CHECK-NEXT: ssm.out "g0.select.1" [], %[[S]]
  // CHECK: %[[B:.*]] = ssm.select %c, %[[ZERO]], %g
  // CHECK-NEXT: ssm.out "g0.select.2" [i], %[[B]]
  %0 = ssm.select %c, %x, %g : [i: K] i1, [], [i: K]
}

// -----

// CHECK-LABEL: @flatten
ssm.recurrence @flatten time [t] dims(K) {
  %g = ssm.in "g" [u] : [u: 6]
  %x = ssm.in "x" [l, s] : [l: 3, s: 2]
  // CHECK: %[[B:.*]] = ssm.unflatten %g "u" to [l: 3] by [s: 2]
  // CHECK-NEXT: ssm.out "g0.flatten.0" [l, s], %[[B]]
  %0 = ssm.flatten %x "l" "s" to [u: 6] : [l: 3, s: 2]
}

// -----

// CHECK-LABEL: @unflatten
ssm.recurrence @unflatten time [t] dims(K) {
  %g = ssm.in "g" [l, s] : [l: 3, s: 2]
  %x = ssm.in "x" [u] : [u: 6]
  // CHECK: %[[B:.*]] = ssm.flatten %g "l" "s" to [u: 6]
  // CHECK-NEXT: ssm.out "g0.unflatten.0" [u], %[[B]]
  %0 = ssm.unflatten %x "u" to [l: 3] by [s: 2] : [u: 6]
}
