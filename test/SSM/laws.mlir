// RUN: ssmc-opt %s -split-input-file -verify-diagnostics
// What each law of the dialect refuses.

// array_c1
ssm.recurrence @array_c1 time [t] dims (K, V) {
  // expected-error @below {{custom op 'ssm.in' label 'i' occurs twice}}
  %x = ssm.in "x" [i, i] : [i: K, i: K]
}

// -----

// array_c2
ssm.recurrence @array_c2 time [t] dims (K, V) {
  // expected-error @below {{custom op 'ssm.in' expected element type f32, complex<f32>, i1 or i32, found 'f64'}}
  %x = ssm.in "x" [i] : [i: K] f64
}

// -----

// recurrence_c1
ssm.recurrence @recurrence_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.state' op 'S' is defined 2 times, expected once}}
  ssm.state "S" [i] : [i: K]
  ssm.update "S", %x : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// recurrence_c2
ssm.recurrence @recurrence_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.in' op 'x' is declared twice}}
  %y = ssm.in "x" [] : []
}

// -----

// recurrence_c2_out
ssm.recurrence @recurrence_c2_out time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.out "o" [i], %x : [i: K]
  // expected-error @below {{'ssm.out' op 'o' is defined twice}}
  ssm.out "o" [i], %x : [i: K]
}

// -----

// recurrence_c2_state
ssm.recurrence @recurrence_c2_state time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.state' op 'S' is declared twice}}
  ssm.state "S" [i] : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// recurrence_c3
ssm.recurrence @recurrence_c3 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.prev' op names 'T', which is no state}}
  %p = ssm.prev "T" by [1] : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// recurrence_c3_labels
ssm.recurrence @recurrence_c3_labels time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.prev' op has type '!ssm.array<i: K, j: V, f32>', but state 'S' has type '!ssm.array<i: K, f32>'}}
  %p = ssm.prev "S" by [1] : [i: K, j: V]
  ssm.update "S", %x : [i: K]
}

// -----

// recurrence_c4
ssm.recurrence @recurrence_c4 time [t] dims (K, V) {
  // expected-error @below {{'ssm.in' op uses dim 'M', which is not declared}}
  %x = ssm.in "x" [i] : [i: M]
}

// -----

// recurrence_c5
ssm.recurrence @recurrence_c5 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.prev' op has 2 offsets for 1 time axes}}
  %p = ssm.prev "S" by [1, 0] : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// in_c1
ssm.recurrence @in_c1 time [t] dims (K, V) {
  // expected-error @below {{'ssm.in' op lists other labels than its type '!ssm.array<i: K, f32>'}}
  %x = ssm.in "x" [j] : [i: K]
}

// -----

// state_c1
ssm.recurrence @state_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.state' op lists other labels than its type '!ssm.array<i: K, f32>'}}
  ssm.state "S" [j] : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// state_c2
ssm.recurrence @state_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %c = ssm.in "c" [j] param : [j: V]
  // expected-error @below {{'ssm.state' op has an initial value of type '!ssm.array<j: V, f32>', which has labels that the state lacks}}
  ssm.state "S" [i] init(%c : [j: V]) : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// state_c3
ssm.recurrence @state_c3 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.state' op has an initial value that varies in time}}
  ssm.state "S" [i] init(%x : [i: K]) : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// prev_c1
ssm.recurrence @prev_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.prev' op reads the current step: expected a nonzero offset}}
  %p = ssm.prev "S" by [0] : [i: K]
  ssm.update "S", %x : [i: K]
}

// -----

// out_c1
ssm.recurrence @out_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.out' op lists other labels than its type '!ssm.array<i: K, f32>'}}
  ssm.out "o" [j], %x : [i: K]
}

// -----

// sum_c1
ssm.recurrence @sum_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{reduces over 'j', which is no label of '!ssm.array<i: K, f32>'}}
  %s = ssm.sum %x over [j] : [i: K]
}

// -----

// maximum_c1
ssm.recurrence @maximum_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{reduces over 'j', which is no label of '!ssm.array<i: K, f32>'}}
  %s = ssm.maximum %x over [j] : [i: K]
}

// -----

// relabel_c1
ssm.recurrence @relabel_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{renames 'j', which is no label of '!ssm.array<i: K, f32>' or is renamed twice}}
  %s = ssm.relabel %x [j] to [l] : [i: K]
}

// -----

// relabel_c2
ssm.recurrence @relabel_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [i, j] : [i: K, j: V]
  // expected-error @below {{label 'i' would have two extents}}
  %s = ssm.relabel %x [j] to [i] : [i: K, j: V]
}

// -----

// broadcast_c1
ssm.recurrence @broadcast_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.broadcast' op cannot broadcast '!ssm.array<i: K, f32>' to '!ssm.array<j: V, f32>'}}
  %s = ssm.broadcast %x : [i: K] to [j: V]
}

// -----

// select_c1
ssm.recurrence @select_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.select' op has a condition of type '!ssm.array<i: K, f32>', expected i1}}
  %s = ssm.select %x, %x, %x : [i: K], [i: K], [i: K]
}

// -----

// cast_c1
ssm.recurrence @cast_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error @below {{'ssm.cast' op changes labels from '!ssm.array<i: K, f32>' to '!ssm.array<j: V, f32>'}}
  %s = ssm.cast %x : [i: K] to [j: V]
}

// -----

// cast_c2
ssm.recurrence @cast_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K] complex<f32>
  // expected-error @below {{'ssm.cast' op drops the imaginary part: expected ssm.real or ssm.imag}}
  %s = ssm.cast %x : [i: K] complex<f32> to [i: K]
}

// -----

// fold_c1
ssm.recurrence @fold_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [] : []
  // expected-error @below {{'ssm.fold' op carried values disagree in number or type between initial values, arguments, ssm.yield and results}}
  %r = ssm.fold over [s: V] carry(%m = %x : [i: K]) {
    ssm.yield %y : []
  }
}

// -----

// fold_c2
ssm.recurrence @fold_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [s] : [s: V]
  // expected-error @below {{'ssm.fold' op yields a value that bears the fold's own label 's'}}
  %r = ssm.fold over [s: V] carry(%m = %x : [s: V]) {
    ssm.yield %m : [s: V]
  }
}

// -----

// fold_c3
ssm.recurrence @fold_c3 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %z = ssm.in "z" [s] : [s: V]
  // expected-error @below {{'ssm.fold' op yields a value that bears the fold's own label 's'}}
  %r:2 = ssm.fold over [s: V] carry(%m = %x : [i: K]) {
    ssm.yield %m, %z : [i: K], [s: V]
  }
}

// -----

// at_c1
ssm.recurrence @at_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %r = ssm.fold over [s: V] carry(%m = %x : [i: K]) {
    // expected-error @below {{'s' is no label of '!ssm.array<i: K, f32>'}}
    %a = ssm.at %x "s" : [i: K]
    ssm.yield %m : [i: K]
  }
}

// -----

// at_c2
ssm.recurrence @at_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [s] : [s: V]
  // expected-error @below {{'ssm.at' op no enclosing fold runs over label 's'}}
  %a = ssm.at %x "s" : [s: V]
}

// -----

// system_c1
ssm.recurrence @system_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.system' op has 2 results for 1 states}}
  %n:2 = ssm.system plus_times ["S"] {
    ssm.stage {
      ssm.input "S" (%x : [i: K])
    }
  } : [i: K], [i: K]
}

// -----

// system_c2
ssm.recurrence @system_c2 time [t] dims (K, V) {
  ssm.state "S" [i] : [i: K]
  // expected-error @below {{'ssm.system' op expected at least one stage}}
  %n = ssm.system plus_times ["S"] {
  } : [i: K]
}

// -----

// decay_c1
ssm.recurrence @decay_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  ssm.state "S" [i] : [i: K]
  %n = ssm.system plus_times ["S"] {
    ssm.stage {
      // expected-error @below {{'ssm.decay' op has an operand of type '!ssm.array<j: V, f32>' with labels that state 'S' lacks}}
      ssm.decay "S" from "S" by [1] log(%y : [j: V])
    }
  } : [i: K]
}

// -----

// feedback_c1
ssm.recurrence @feedback_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  ssm.state "S" [i] : [i: K]
  %n = ssm.system plus_times ["S"] {
    ssm.stage {
      // expected-error @below {{'ssm.feedback' op contracts 'j', which is no label of its source}}
      ssm.feedback "S" from "S" by [1] over [j] (%x, %x : [i: K], [i: K])
    }
  } : [i: K]
}

// -----

// feedback_c2
ssm.recurrence @feedback_c2 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  ssm.state "S" [i] : [i: K]
  %n = ssm.system plus_times ["S"] {
    ssm.stage {
      // expected-error @below {{'ssm.feedback' op has a u of type '!ssm.array<j: V, f32>' with labels that state 'S' lacks}}
      ssm.feedback "S" from "S" by [1] over [i] (%y, %x : [j: V], [i: K])
    }
  } : [i: K]
}

// -----

// input_c1
ssm.recurrence @input_c1 time [t] dims (K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [j] : [j: V]
  ssm.state "S" [i] : [i: K]
  %n = ssm.system plus_times ["S"] {
    ssm.stage {
      // expected-error @below {{'ssm.input' op has a factor of type '!ssm.array<j: V, f32>' with labels that state 'S' lacks}}
      ssm.input "S" (%y : [j: V])
    }
  } : [i: K]
}
