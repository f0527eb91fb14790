// What axes, dims and array types must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// array_c1: short form
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{label 'i' occurs twice}}
  %x = ssm.in "x" [i] : [i: K, i: K]
}

// -----

// array_c1: long form
// expected-error@below {{label 'i' occurs twice}}
func.func private @f(!ssm.array<i: 2, i: 3, f32>)

// -----

// array_c2: short form
ssm.recurrence @r time [t] dims(K) {
  // expected-error@below {{expected element type f32, complex<f32>, i1 or i32, found 'f64'}}
  %x = ssm.in "x" [] : [] f64
}

// -----

// array_c2: long form
// expected-error@below {{expected an element type: f32, complex<f32>, i1 or i32}}
func.func private @f(!ssm.array<i: 2, f64>)

// -----

// array_c2: complex
// expected-error@below {{expected element type f32, complex<f32>, i1 or i32, found 'complex<f64>'}}
func.func private @f(!ssm.array<i: 2, complex<f64>>)

// -----

// axis_c1: negative
// expected-error@below {{expected an extent of at least 0}}
func.func private @f(!ssm.array<i: -2, f32>)

// -----

// dim_c1: negative
// expected-error@below {{expected a size of at least 0}}
ssm.recurrence @r time [t] dims(K = -1) {
}
