// What pointwise ops must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// add_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.add %x, %y : [i: K], [i: V]
}

// -----

// sub_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.sub %x, %y : [i: K], [i: V]
}

// -----

// mul_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.mul %x, %y : [i: K], [i: V]
}

// -----

// div_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.div %x, %y : [i: K], [i: V]
}

// -----

// pow_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.pow %x, %y : [i: K], [i: V]
}

// -----

// max_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.max %x, %y : [i: K], [i: V]
}

// -----

// min_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.min %x, %y : [i: K], [i: V]
}

// -----

// max_c2
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.max %z, %z : [i: K] complex<f32>, [i: K] complex<f32>
}

// -----

// min_c2
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.min %z, %z : [i: K] complex<f32>, [i: K] complex<f32>
}

// -----

// sign_c1
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.sign %z : [i: K] complex<f32>
}

// -----

// relu_c1
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.relu %z : [i: K] complex<f32>
}

// -----

// cis_c1
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.cis %z : [i: K] complex<f32>
}

// -----

// cmp_c1
ssm.recurrence @r time [t] dims(K, V) {
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.cmp lt %x, %y : [i: K], [i: V]
}

// -----

// cmp_c2
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{is complex; the op is defined for reals}}
  %r = ssm.cmp eq %z, %z : [i: K] complex<f32>, [i: K] complex<f32>
}

// -----

// select_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{has a condition of type '!ssm.array<i: K, f32>', expected i1}}
  %r = ssm.select %x, %x, %x : [i: K], [i: K], [i: K]
}

// -----

// select_c2
ssm.recurrence @r time [t] dims(K, V) {
  %c = ssm.in "c" [] : [] i1
  %x = ssm.in "x" [i] : [i: K]
  %y = ssm.in "y" [i] : [i: V]
  // expected-error@below {{operands disagree on the extent of a label}}
  %r = ssm.select %c, %x, %y : [] i1, [i: K], [i: V]
}

// -----

// cast_c1
ssm.recurrence @r time [t] dims(K) {
  %x = ssm.in "x" [i] : [i: K]
  // expected-error@below {{changes labels from}}
  %r = ssm.cast %x : [i: K] to [] i1
}

// -----

// cast_c2
ssm.recurrence @r time [t] dims(K) {
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // expected-error@below {{drops the imaginary part: expected ssm.real or ssm.imag}}
  %r = ssm.cast %z : [i: K] complex<f32> to [i: K]
}
