// Two labels as one and back: each is the other's inverse.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --canonicalize | FileCheck %s --check-prefix=FOLDED

// CHECK-LABEL: @flat
// FOLDED-LABEL: @flat
ssm.recurrence @flat time [t] dims(K, J) {
  %x = ssm.in "x" [i, s, l] : [i: K, l: 8, s: J]
  %y = ssm.in "y" [u] : [u: 6]
  // CHECK: %[[F:.*]] = ssm.flatten %x "l" "s" to [u: 16] : [i: K, l: 8, s: J]
  // FOLDED: %[[F:.*]] = ssm.flatten %x "l" "s" to [u: 16]
  %f = ssm.flatten %x "l" "s" to [u: 16] : [i: K, l: 8, s: J]
  // CHECK: ssm.unflatten %[[F]] "u" to [l: 8] by [s: J] : [i: K, u: 16]
  %b = ssm.unflatten %f "u" to [l: 8] by [s: J] : [i: K, u: 16]
  // FOLDED: ssm.out "same" [i, s, l], %x
  ssm.out "same" [i, s, l], %b : [i: K, l: 8, s: J]
  // Other names for the parts are no inverse.
  // FOLDED: %[[T:.*]] = ssm.unflatten %[[F]] "u" to [s: 8] by [l: J]
  // FOLDED: ssm.out "other" [i, s, l], %[[T]]
  %o = ssm.unflatten %f "u" to [s: 8] by [l: J] : [i: K, u: 16]
  ssm.out "other" [i, s, l], %o : [i: K, l: J, s: 8]
  // FOLDED: ssm.out "back" [u], %y
  %p = ssm.unflatten %y "u" to [a: 2] by [b: 3] : [u: 6]
  %q = ssm.flatten %p "a" "b" to [u: 6] : [a: 2, b: 3]
  ssm.out "back" [u], %q : [u: 6]
  // CHECK: ssm.last %y "u" reverse : [u: 6]
  %first = ssm.last %y "u" reverse : [u: 6]
  ssm.out "first" [], %first : []
}
