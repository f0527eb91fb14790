// Text that does not parse.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{expected '['}}
  %x = ssm.in "x" [i] : i: K
}

// -----

ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{expected ']'}}
  %x = ssm.in "x" [i j] : [i: K]
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{expected 'over'}}
  %s = ssm.sum %x [i] : [i: K]
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{expected 'to'}}
  %s = ssm.relabel %x [i] [j] : [i: K]
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{expected one axis}}
  %r = ssm.fold over [s: 2, u: 2] {
    ssm.yield
  }
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{expected the region to end with ssm.yield}}
  %r = ssm.fold over [s: 2] {
  }
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{expected string or keyword containing one of the following enum values for attribute 'predicate' [lt, le, gt, ge, eq, ne]}}
  %c = ssm.cmp less %x, %x : [i: K], [i: K]
}

// -----

ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{expected string or keyword containing one of the following enum values for attribute 'scope' [head, group, shared]}}
  %x = ssm.in "x" [] scope(team) : []
}

// -----

ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{expected valid keyword or string}}
  %x = ssm.in "x" [] : [3]
}

// -----

// expected-error@below {{expected integer value}}
ssm.recurrence @r time [t] dims(K = V) {
}

// -----

// expected-error@below {{expected an element type: f32, complex<f32>, i1 or i32}}
func.func private @f(!ssm.array<i: K>)
