// What ops that change labels must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// sum_c1: no label
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{reduces over 'j', which is no label of}}
  %r = ssm.sum %x over [j] : [i: K]
}

// -----

// sum_c1: twice
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{or is named twice}}
  %r = ssm.sum %x over [i, i] : [i: K]
}

// -----

// sum_c2
ssm.recurrence @r time [t] dims(K) {
  %c = ssm.in "c" [i] : [i: K] i1
  // expected-error@below {{adds elements of type 'i1', expected real or complex ones}}
  %r = ssm.sum %c over [i] : [i: K] i1
}

// -----

// maximum_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{reduces over 'j', which is no label of}}
  %r = ssm.maximum %x over [j] : [i: K]
}

// -----

// maximum_c2
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{orders elements of type 'complex<f32>', expected real ones}}
  %r = ssm.maximum %z over [i] : [i: K] complex<f32>
}

// -----

// relabel_c1: no label
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{renames 'j', which is no label of}}
  %r = ssm.relabel %x [j] to [l] : [i: K]
}

// -----

// relabel_c1: twice
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{or is renamed twice}}
  %r = ssm.relabel %x [i, i] to [l, m] : [i: K]
}

// -----

// relabel_c1: more names than labels
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{renames 1 labels to 2}}
  %r = ssm.relabel %x [i] to [l, m] : [i: K]
}

// -----

// relabel_c2
ssm.recurrence @r time [t] dims(K, V) {
  %M = ssm.in "M" [i, j] : [i: K, j: V]
  // expected-error@below {{label 'j' would have two extents}}
  %r = ssm.relabel %M [i] to [j] : [i: K, j: V]
}

// -----

// broadcast_c1: a label less
ssm.recurrence @r time [t] dims(K, V) {
  %M = ssm.in "M" [i, j] : [i: K, j: V]
  // expected-error@below {{cannot broadcast}}
  %r = ssm.broadcast %M : [i: K, j: V] to [i: K]
}

// -----

// broadcast_c1: another element type
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{cannot broadcast}}
  %r = ssm.broadcast %x : [i: K] to [i: K, j: V] complex<f32>
}
