// What folds must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// fold_c1: another type yielded
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{carried values disagree in number or type}}
  %r = ssm.fold over [s: 2] carry(%m = %c : []) {
    ssm.yield %x : [i: K]
  }
}

// -----

// fold_c1: too few yielded
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  // expected-error@below {{carried values disagree in number or type}}
  "ssm.fold"(%c) <{axis = #ssm.axis<s: 2>}> ({
  ^bb0(%m: !ssm.array<f32>):
    ssm.yield
  }) : (!ssm.array<f32>) -> ()
}

// -----

// fold_c2
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.in "c" [s] : [s: 2]
  // expected-error@below {{yields a value that bears the fold's own label 's'}}
  %r = ssm.fold over [s: 2] carry(%m = %c : [s: 2]) {
    ssm.yield %m : [s: 2]
  }
}

// -----

// fold_c3
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.in "c" [s] : [s: 2]
  // expected-error@below {{yields a value that bears the fold's own label 's'}}
  %r = ssm.fold over [s: 2] {
    ssm.yield %c : [s: 2]
  }
}

// -----

// at_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  %r = ssm.fold over [s: 2] {
    // expected-error@below {{'s' is no label of}}
    %a = ssm.at %x "s" : [i: K]
    ssm.yield %a : [i: K]
  }
}

// -----

// at_c2: outside
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{no enclosing fold runs over label 'i'}}
  %a = ssm.at %x "i" : [i: K]
}

// -----

// at_c2: another extent
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  %r = ssm.fold over [i: 2] {
    // expected-error@below {{no enclosing fold runs over label 'i'}}
    %a = ssm.at %x "i" : [i: K]
    ssm.yield %a : []
  }
}

// -----

ssm.recurrence @r time [t] dims(K) {
  %c = ssm.constant 0.0
  // expected-error@below {{expects parent op 'ssm.fold'}}
  ssm.yield %c : []
}
