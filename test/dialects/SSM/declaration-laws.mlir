// What operands, states, reads and outputs must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// in_c1: another label
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{lists other labels than its type}}
  %x = ssm.in "x" [j] : [i: K]
}

// -----

// in_c1: twice
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{lists other labels than its type}}
  %x = ssm.in "x" [i, i] : [i: K]
}

// -----

// in_c1: too few
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{lists other labels than its type}}
  %x = ssm.in "x" [] : [i: K]
}

// -----

// state_c1
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{lists other labels than its type}}
  ssm.state "S" [j] : [i: K]
}

// -----

// state_c2
ssm.recurrence @r time [t] dims(K) {
  %A = ssm.in "A" [i] param : [i: K]
  // expected-error@below {{has an initial value of type '!ssm.array<i: K, f32>', which has labels that the state lacks}}
  ssm.state "S" [] init(%A : [i: K]) : []
}

// -----

// state_c3: an input
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [] : []
  %e = ssm.exp %x : []
  // expected-error@below {{has an initial value that varies in time}}
  ssm.state "S" [] init(%e : []) : []
}

// -----

// state_c3: a state
ssm.recurrence @r time [t] dims(K) {
  %p = ssm.prev "S" by [1] : []
  // expected-error@below {{has an initial value that varies in time}}
  ssm.state "S" [] init(%p : []) : []
}

// -----

// state_c3: inside a fold
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  %x = ssm.in "x" [] : []
  %r = ssm.fold over [s: 2] carry(%m = %c : []) {
    %n = ssm.add %m, %x : [], []
    ssm.yield %n : []
  }
  // expected-error@below {{has an initial value that varies in time}}
  ssm.state "S" [] init(%r : []) : []
}

// -----

// prev_c1
ssm.recurrence @r time [t] dims(K) {
  ssm.state "S" [] : []
  // expected-error@below {{reads the current step: expected a nonzero offset}}
  %p = ssm.prev "S" by [0] : []
}

// -----

// out_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{lists other labels than its type}}
  ssm.out "o" [], %x : [i: K]
}
