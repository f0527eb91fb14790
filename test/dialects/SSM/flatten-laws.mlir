// What two labels that become one must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// flatten_c1: a label that is not there
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [l] : [l: 8]
  // expected-error@below {{'s' is no label of}}
  %f = ssm.flatten %x "l" "s" to [u: 16] : [l: 8]
}

// -----

// flatten_c1: one label twice
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [l] : [l: 4]
  // expected-error@below {{'l' is one label, not two}}
  %f = ssm.flatten %x "l" "l" to [u: 16] : [l: 4]
}

// -----

// flatten_c2
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [l, s] : [l: 8, s: 2]
  // expected-error@below {{8 times 2 positions are not 15}}
  %f = ssm.flatten %x "l" "s" to [u: 15] : [l: 8, s: 2]
}

// -----

// flatten_c3
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i, l, s] : [i: K, l: 8, s: 2]
  // expected-error@below {{'i' is a label of}}
  %f = ssm.flatten %x "l" "s" to [i: 16] : [i: K, l: 8, s: 2]
}

// -----

// unflatten_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [u] : [u: 16]
  // expected-error@below {{'w' is no label of}}
  %f = ssm.unflatten %x "w" to [l: 8] by [s: 2] : [u: 16]
}

// -----

// unflatten_c2
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [u] : [u: 16]
  // expected-error@below {{8 times 3 positions are not 16}}
  %f = ssm.unflatten %x "u" to [l: 8] by [s: 3] : [u: 16]
}

// -----

// unflatten_c3: another label of the operand
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i, u] : [i: K, u: 16]
  // expected-error@below {{'i' is a label of}}
  %f = ssm.unflatten %x "u" to [l: 8] by [i: 2] : [i: K, u: 16]
}

// -----

// unflatten_c3: one name for both
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [u] : [u: 16]
  // expected-error@below {{'l' is a label of}}
  %f = ssm.unflatten %x "u" to [l: 4] by [l: 4] : [u: 16]
}
