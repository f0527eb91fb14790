// What a recurrence as a whole must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// recurrence_c1: never
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{'S' is defined 0 times, expected once}}
  ssm.state "S" [] : []
}

// -----

// recurrence_c1: twice
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{'S' is defined 2 times, expected once}}
  ssm.state "S" [] : []
  %c = ssm.constant 0.0
  ssm.update "S", %c : []
  ssm.update "S", %c : []
}

// -----

// recurrence_c2: states
ssm.recurrence @r time [t] dims(K) {
  ssm.state "S" [] : []
  // expected-error@below {{'S' is declared twice}}
  ssm.state "S" [] : []
}

// -----

// recurrence_c2: operands
ssm.recurrence @r time [t] dims(K) {
  %a = ssm.in "x" [] : []
  // expected-error@below {{'x' is declared twice}}
  %b = ssm.in "x" [] : []
}

// -----

// recurrence_c2: outputs
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  ssm.out "o" [], %c : []
  // expected-error@below {{'o' is defined twice}}
  ssm.out "o" [], %c : []
}

// -----

// recurrence_c3: prev of no state
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{names 'S', which is no state}}
  %p = ssm.prev "S" by [1] : []
}

// -----

// recurrence_c3: prev of another type
ssm.recurrence @r time [t] dims(K) {
  ssm.state "S" [i] : [i: K]
  // expected-error@below {{has type '!ssm.array<f32>', but state 'S' has type '!ssm.array<i: K, f32>'}}
  %p = ssm.prev "S" by [1] : []
}

// -----

// recurrence_c3: update of no state
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  // expected-error@below {{names 'S', which is no state}}
  ssm.update "S", %c : []
}

// -----

// recurrence_c3: update of another type
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  ssm.state "S" [i] : [i: K]
  // expected-error@below {{has type '!ssm.array<f32>', but state 'S' has type}}
  ssm.update "S", %c : []
}

// -----

// recurrence_c3: system of no state
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  // expected-error@below {{names 'S', which is no state}}
  %S = ssm.system plus_times [S] {
    ssm.stage {
      ssm.input "S" (%c : [])
    }
  } : []
}

// -----

// recurrence_c4: of an operand
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{uses dim 'N', which is not declared}}
  %x = ssm.in "x" [i] : [i: N]
}

// -----

// recurrence_c4: of a state
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{uses dim 'N', which is not declared}}
  ssm.state "S" [i] : [i: N]
}

// -----

// recurrence_c4: of a fold
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  // expected-error@below {{uses dim 'J', which is not declared}}
  %r = ssm.fold over [s: J] carry(%m = %c : []) {
    ssm.yield %m : []
  }
}

// -----

// recurrence_c5
ssm.recurrence @r time [t] dims(K) {
  ssm.state "S" [] : []
  // expected-error@below {{has 2 offsets for 1 time axes}}
  %p = ssm.prev "S" by [1, 0] : []
}

// -----

// recurrence_c5: of a term
ssm.recurrence @r time [y, x] dims(K) {
  ssm.state "S" [] : []
  %S = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has 1 offsets for 2 time axes}}
      ssm.decay "S" from "S" by [1]
    }
  } : []
}

// -----

// recurrence_c6: dims
// expected-error@below {{declares dim 'K' twice}}
ssm.recurrence @r time [t] dims(K, K = 2) {
}

// -----

// recurrence_c6: time axes
// expected-error@below {{declares time axis 't' twice}}
ssm.recurrence @r time [t, t] dims() {
}

// -----

// recurrence_c6: none
// expected-error@below {{expected at least one time axis}}
ssm.recurrence @r time [] dims() {
}

// -----

// pass_c1: no such axis
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{reverses time axis 1, which is not one of 1 or is listed twice}}
  ssm.pass reverse [1] {
  }
}

// -----

// pass_c1: twice
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{reverses time axis 0, which is not one of 1 or is listed twice}}
  ssm.pass reverse [0, 0] {
  }
}
