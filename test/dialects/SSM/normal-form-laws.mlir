// What systems, stages and terms must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// system_c1
ssm.recurrence @r time [t] dims(K, V) {
  ssm.state "S" [] : []
  // expected-error@below {{has 1 results for 2 states}}
  %r = ssm.system plus_times [S, T] {
    ssm.stage {
    }
  } : []
}

// -----

// system_c2: nothing
ssm.recurrence @r time [t] dims(K, V) {
  ssm.state "S" [] : []
  // expected-error@below {{expected at least one stage}}
  %r = ssm.system plus_times [S] {
  } : []
}

// -----

// system_c2: something else
ssm.recurrence @r time [t] dims(K, V) {
  ssm.state "S" [] : []
  %r = ssm.system plus_times [S] {
    // expected-error@below {{is no stage of a system}}
    %c = ssm.constant 0.0
  } : []
}

// -----

// system_c3
ssm.recurrence @r time [t] dims(K, V) {
  ssm.state "S" [] : []
  // expected-error@below {{names state 'S' twice}}
  %r:2 = ssm.system plus_times [S, S] {
    ssm.stage {
    }
  } : [], []
}

// -----

// stage_c1
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{is no term of a stage}}
      %c = ssm.constant 0.0
    }
  } : [K, V]
}

// -----

// stage_c2
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      ssm.decay "S" from "S" by [1]
    }
    ssm.stage {
      // expected-error@below {{reads another step in a stage after the first}}
      ssm.decay "S" from "S" by [1]
    }
  } : [K, V]
}

// -----

// decay_c1
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has an operand of type '!ssm.array<l: 3, f32>' with labels that state 'S' lacks}}
      ssm.decay "S" from "S" by [1] log(%w : [l: 3])
    }
  } : [K, V]
}

// -----

// decay_c2: target
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{names 'T', which is no state of its system}}
      ssm.decay "T" from "S" by [1] log(%k : [K])
    }
  } : [K, V]
}

// -----

// decay_c2: source
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{names 'T', which is no state of its system}}
      ssm.decay "S" from "T" by [1]
    }
  } : [K, V]
}

// -----

// decay_c3
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has a source of type '!ssm.array<V, l: K, f32>' with labels that state 'S' lacks}}
      ssm.decay "S" from "S" by [1] relabel [K] to [l]
    }
  } : [K, V]
}

// -----

// decay_c3: renames no label
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{renames 'i', which is no label of state 'S'}}
      ssm.decay "S" from "S" by [1] relabel [i] to [l]
    }
  } : [K, V]
}

// -----

// feedback_c1
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{contracts 'i', which is no label of its source}}
      ssm.feedback "S" from "S" by [1] over [i] (%k, %k : [K], [K])
    }
  } : [K, V]
}

// -----

// feedback_c2
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has a u of type '!ssm.array<l: 3, f32>' with labels that state 'S' lacks}}
      ssm.feedback "S" from "S" by [1] over [K] (%w, %k : [l: 3], [K])
    }
  } : [K, V]
}

// -----

// feedback_c3
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has a contraction of type '!ssm.array<V, l: 3, f32>' with labels that state 'S' lacks}}
      ssm.feedback "S" from "S" by [1] over [K] (%k, %w : [K], [l: 3])
    }
  } : [K, V]
}

// -----

// input_c1
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{has a factor of type '!ssm.array<l: 3, f32>' with labels that state 'S' lacks}}
      ssm.input "S" (%w : [l: 3])
    }
  } : [K, V]
}

// -----

// input_c2
ssm.recurrence @r time [t] dims(K, V) {
  %k = ssm.in "k" [K] : [K]
  %w = ssm.in "w" [l] : [l: 3]
  ssm.state "S" [K, V] : [K, V]
  %r = ssm.system plus_times [S] {
    ssm.stage {
      // expected-error@below {{expected at least one factor}}
      "ssm.input"() <{state = "S"}> : () -> ()
    }
  } : [K, V]
}
