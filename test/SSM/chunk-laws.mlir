// RUN: ssmc-opt %s -split-input-file -verify-diagnostics
// What each law of the ops over the steps of a chunk refuses.

// chunk_c1
ssm.recurrence @chunk_c1 time [y, x] dims(K) {
  // expected-error @below {{'ssm.chunk' op needs a recurrence of one time axis}}
  ssm.chunk over [x: 4] {
  }
}

// -----

// chunk_c2: a dim is no number
ssm.recurrence @chunk_c2 time [t] dims(K) {
  // expected-error @below {{'ssm.chunk' op has no number of steps}}
  ssm.chunk over [t: K] {
  }
}

// -----

// chunk_c2: no step
ssm.recurrence @chunk_c2_zero time [t] dims(K) {
  // expected-error @below {{'ssm.chunk' op has no number of steps}}
  ssm.chunk over [t: 0] {
  }
}

// -----

// steps_c1: a param has no value at a step
ssm.recurrence @steps_c1_param time [t] dims(K) {
  %A = ssm.in "A" [K] param : [K]
  ssm.chunk over [t: 4] {
    // expected-error @below {{'ssm.steps' op reads what is no operand with a value at each step}}
    %x = ssm.steps %A over [t: 4] : [K]
  }
}

// -----

// steps_c1: what is computed has its steps already
ssm.recurrence @steps_c1_computed time [t] dims(K) {
  %x = ssm.in "x" [K] : [K]
  ssm.chunk over [t: 4] {
    %e = ssm.exp %x : [K]
    // expected-error @below {{'ssm.steps' op reads what is no operand with a value at each step}}
    %s = ssm.steps %e over [t: 4] : [K]
  }
}

// -----

ssm.recurrence @steps_outside time [t] dims(K) {
  %x = ssm.in "x" [K] : [K]
  // expected-error @below {{'ssm.steps' op expects parent op 'ssm.chunk'}}
  %s = ssm.steps %x over [t: 4] : [K]
}

// -----

// last_c1
ssm.recurrence @last_c1 time [t] dims(K) {
  %x = ssm.in "x" [K] : [K]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %l = ssm.last %x "t" : [K]
}

// -----

// shift_c1
ssm.recurrence @shift_c1 time [t] dims(K) {
  %x = ssm.in "x" [K] : [K]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %s = ssm.shift %x, %x along "t" : [K], [K]
}

// -----

// shift_c2
ssm.recurrence @shift_c2 time [t] dims(K) {
  %x = ssm.in "x" [K, t] : [K, t: 4]
  %f = ssm.in "f" [] : []
  // expected-error @below {{the first value has type '!ssm.array<f32>', expected '!ssm.array<K, f32>'}}
  %s = ssm.shift %x, %f along "t" : [K, t: 4], []
}

// -----

// scan_c1: nothing to scan along
ssm.recurrence @scan_c1 time [t] dims(K) {
  %a = ssm.in "a" [K] : [K]
  // expected-error @below {{decay or input bears 't', and the initial value does not}}
  %s = ssm.scan plus_times %a, %a from %a along "t" : [K], [K], [K]
}

// -----

// scan_c1: an initial value at every step
ssm.recurrence @scan_c1_initial time [t] dims(K) {
  %a = ssm.in "a" [t] : [t: 4]
  // expected-error @below {{decay or input bears 't', and the initial value does not}}
  %s = ssm.scan plus_times %a, %a from %a along "t" : [t: 4], [t: 4], [t: 4]
}

// -----

// scan_c2
ssm.recurrence @scan_c2 time [t] dims(K) {
  %a = ssm.in "a" [t] : [t: 4]
  %b = ssm.in "b" [t] : [t: 5]
  %h = ssm.in "h" [] : []
  // expected-error @below {{a label has two extents: '!ssm.array<t: 4, f32>' and '!ssm.array<t: 5, f32>'}}
  %s = ssm.scan plus_times %a, %b from %h along "t" : [t: 4], [t: 5], []
}

// -----

// scan_c3
ssm.recurrence @scan_c3 time [t] dims(K) {
  %a = ssm.in "a" [t] : [t: 4] complex<f32>
  %h = ssm.in "h" [] : []
  // expected-error @below {{complex numbers have no maximum}}
  %s = ssm.scan max_plus %a, %a from %h along "t" : [t: 4] complex<f32>, [t: 4] complex<f32>, []
}

// -----

// matrix_scan_c1
ssm.recurrence @matrix_scan_c1 time [t] dims(K) {
  %a = ssm.in "a" [] : []
  // expected-error @below {{2 initial values need as many inputs and 4 matrices, found 1 and 1}}
  %h:2 = ssm.matrix_scan (%a : []) (%a : []) from (%a, %a : [], []) over [t: 4] rows [] columns []
}

// -----

// matrix_scan_c2: a row without a column
ssm.recurrence @matrix_scan_c2 time [t] dims(K) {
  %h0 = ssm.in "h" [K] : [K]
  // expected-error @below {{rows and columns are not as many labels, each named once}}
  %h = ssm.matrix_scan (%h0 : [K]) (%h0 : [K]) from (%h0 : [K]) over [t: 4] rows [K] columns []
}

// -----

// matrix_scan_c2: a row that is its own column
ssm.recurrence @matrix_scan_c2_twice time [t] dims(K) {
  %h0 = ssm.in "h" [K] : [K]
  // expected-error @below {{rows and columns are not as many labels, each named once}}
  %h = ssm.matrix_scan (%h0 : [K]) (%h0 : [K]) from (%h0 : [K]) over [t: 4] rows [K] columns [K]
}

// -----

// matrix_scan_c3: an initial value at every step
ssm.recurrence @matrix_scan_c3 time [t] dims(K) {
  %A = ssm.in "A" [K, l] : [K, l: K]
  %h0 = ssm.in "h" [K, t] : [K, t: 4]
  // expected-error @below {{'t' is a label of the initial value '!ssm.array<K, t: 4, f32>'}}
  %h = ssm.matrix_scan (%A : [K, l: K]) (%h0 : [K, t: 4]) from (%h0 : [K, t: 4]) over [t: 4] rows [K] columns [l]
}

// -----

// matrix_scan_c3: a complex matrix makes complex vectors
ssm.recurrence @matrix_scan_c3_complex time [t] dims(K) {
  %A = ssm.in "A" [K, l] : [K, l: K] complex<f32>
  %h0 = ssm.in "h" [K] : [K]
  // expected-error @below {{an initial value has type '!ssm.array<K, f32>', another operand is complex}}
  %h = ssm.matrix_scan (%A : [K, l: K] complex<f32>) (%h0 : [K]) from (%h0 : [K]) over [t: 4] rows [K] columns [l]
}

// -----

// matrix_scan_c4: an input of another label
ssm.recurrence @matrix_scan_c4 time [t] dims(K, V) {
  %A = ssm.in "A" [K, l] : [K, l: K]
  %h0 = ssm.in "h" [K] : [K]
  %v = ssm.in "v" [V] : [V]
  // expected-error @below {{'V' of '!ssm.array<V, f32>' is no label of '!ssm.array<K, t: 4, f32>'}}
  %h = ssm.matrix_scan (%A : [K, l: K]) (%v : [V]) from (%h0 : [K]) over [t: 4] rows [K] columns [l]
}

// -----

// matrix_scan_c4: a column of what has no such row
ssm.recurrence @matrix_scan_c4_column time [t] dims(K, V) {
  %A = ssm.in "A" [l] : [l: K]
  %h0 = ssm.in "h" [V] : [V]
  // expected-error @below {{'l' of '!ssm.array<l: K, f32>' is no label of '!ssm.array<V, t: 4, f32>'}}
  %h = ssm.matrix_scan (%A : [l: K]) (%h0 : [V]) from (%h0 : [V]) over [t: 4] rows [K] columns [l]
}

// -----

// matrix_scan_c5
ssm.recurrence @matrix_scan_c5 time [t] dims(K) {
  %A = ssm.in "A" [K, l, t] : [K, l: K, t: 5]
  %h0 = ssm.in "h" [K] : [K]
  // expected-error @below {{a label has two extents: '!ssm.array<K, l: K, t: 5, f32>' and '!ssm.array<K, l: K, t: 4, f32>'}}
  %h = ssm.matrix_scan (%A : [K, l: K, t: 5]) (%h0 : [K]) from (%h0 : [K]) over [t: 4] rows [K] columns [l]
}

// -----

// cumprod_c1
ssm.recurrence @cumprod_c1 time [t] dims(K) {
  %a = ssm.in "a" [K] : [K]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %s = ssm.cumprod %a along "t" : [K]
}

// -----

// span_c1
ssm.recurrence @span_c1 time [t] dims(K) {
  %a = ssm.in "a" [K] : [K]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %s = ssm.span %a rows "t" columns "s" : [K]
}

// -----

// span_c2
ssm.recurrence @span_c2 time [t] dims(K) {
  %a = ssm.in "a" [t, s] : [s: 4, t: 4]
  // expected-error @below {{'s' is a label of}}
  %s = ssm.span %a rows "t" columns "s" : [s: 4, t: 4]
}

// -----

// gram_c1: no rows
ssm.recurrence @gram_c1 time [t] dims(K) {
  %a = ssm.in "a" [K, t] : [K, t: 4]
  %b = ssm.in "b" [K] : [K]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %s = ssm.gram %a, %b decay %a over [K] rows "t" columns "s" : [K, t: 4], [K], [K, t: 4]
}

// -----

// gram_c1: columns
ssm.recurrence @gram_c1_columns time [t] dims(K) {
  %a = ssm.in "a" [K, t] : [K, t: 4]
  %d = ssm.in "d" [s, t] : [s: 4, t: 4]
  // expected-error @below {{'s' is a label of '!ssm.array<s: 4, t: 4, f32>'}}
  %s = ssm.gram %a, %a decay %d over [K] rows "t" columns "s" : [K, t: 4], [K, t: 4], [s: 4, t: 4]
}

// -----

// gram_c2
ssm.recurrence @gram_c2 time [t] dims(K) {
  %a = ssm.in "a" [K, t] : [K, t: 4]
  %b = ssm.in "b" [t] : [t: 4]
  // expected-error @below {{'K' is no label of '!ssm.array<t: 4, f32>'}}
  %s = ssm.gram %a, %b decay %b over [K] rows "t" columns "s" : [K, t: 4], [t: 4], [t: 4]
}

// -----

// gram_c3
ssm.recurrence @gram_c3 time [t] dims(K) {
  %a = ssm.in "a" [K, t] : [K, t: 4]
  %b = ssm.in "b" [K, t] : [K, t: 5]
  // expected-error @below {{a label has two extents}}
  %s = ssm.gram %a, %b decay %a over [K] rows "t" columns "s" : [K, t: 4], [K, t: 5], [K, t: 4]
}

// -----

// apply_c1: a matrix without columns
ssm.recurrence @apply_c1 time [t] dims(K) {
  %b = ssm.in "b" [K, t] : [K, t: 4]
  // expected-error @below {{the matrix, and it alone, bears 's', found '!ssm.array<K, t: 4, f32>'}}
  %s = ssm.apply %b, %b decay %b rows "t" columns "s" : [K, t: 4], [K, t: 4], [K, t: 4]
}

// -----

// apply_c1: vectors with columns
ssm.recurrence @apply_c1_columns time [t] dims(K) {
  %m = ssm.in "m" [s, t] : [s: 4, t: 4]
  %d = ssm.in "d" [t] : [t: 4]
  // expected-error @below {{the matrix, and it alone, bears 's', found '!ssm.array<s: 4, t: 4, f32>'}}
  %s = ssm.apply %m, %m decay %d rows "t" columns "s" : [s: 4, t: 4], [s: 4, t: 4], [t: 4]
}

// -----

// apply_c2
ssm.recurrence @apply_c2 time [t] dims(K) {
  %m = ssm.in "m" [s, t] : [s: 4, t: 4]
  %b = ssm.in "b" [t] : [t: 5]
  // expected-error @below {{a label has two extents}}
  %s = ssm.apply %m, %b decay %b rows "t" columns "s" : [s: 4, t: 4], [t: 5], [t: 5]
}

// -----

// solve_c1: one matrix for two right sides
ssm.recurrence @solve_c1 time [t] dims(K) {
  %r = ssm.in "r" [t] : [t: 4]
  %L = ssm.in "L" [t, s] : [s: 4, t: 4]
  // expected-error @below {{2 right sides need 4 matrices, found 1}}
  %p:2 = ssm.solve (%r, %r : [t: 4], [t: 4]) lower(%L : [s: 4, t: 4]) rows "t" columns "s"
}

// -----

// solve_c2: a right side without rows
ssm.recurrence @solve_c2 time [t] dims(K) {
  %r = ssm.in "r" [K] : [K]
  %L = ssm.in "L" [t, s] : [s: 4, t: 4]
  // expected-error @below {{'t' is no label of '!ssm.array<K, f32>'}}
  %p = ssm.solve (%r : [K]) lower(%L : [s: 4, t: 4]) rows "t" columns "s"
}

// -----

// solve_c2: a right side with columns
ssm.recurrence @solve_c2_columns time [t] dims(K) {
  %L = ssm.in "L" [t, s] : [s: 4, t: 4]
  // expected-error @below {{matrices, and they alone, bear 's', found '!ssm.array<s: 4, t: 4, f32>'}}
  %p = ssm.solve (%L : [s: 4, t: 4]) lower(%L : [s: 4, t: 4]) rows "t" columns "s"
}

// -----

// solve_c2: a matrix without columns
ssm.recurrence @solve_c2_matrix time [t] dims(K) {
  %r = ssm.in "r" [t] : [t: 4]
  // expected-error @below {{matrices, and they alone, bear 's', found '!ssm.array<t: 4, f32>'}}
  %p = ssm.solve (%r : [t: 4]) lower(%r : [t: 4]) rows "t" columns "s"
}

// -----

// solve_c3
ssm.recurrence @solve_c3 time [t] dims(K) {
  %r = ssm.in "r" [t] : [t: 5]
  %L = ssm.in "L" [t, s] : [s: 4, t: 4]
  // expected-error @below {{a label has two extents}}
  %p = ssm.solve (%r : [t: 5]) lower(%L : [s: 4, t: 4]) rows "t" columns "s"
}
