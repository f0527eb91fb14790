// What must not be simplified: NaN, infinities and negative numbers would show it.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// x * 0: x may be infinite
// CHECK-LABEL: func.func @mul_zero(
// CHECK: ssm.mul
func.func @mul_zero(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.mul %x, %c : [], []
  return %r : !ssm.array<f32>
}

// x - x: x may be infinite
// CHECK-LABEL: func.func @sub_self(
// CHECK: ssm.sub
func.func @sub_self(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.sub %x, %x : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// x / x: x may be 0
// CHECK-LABEL: func.func @div_self(
// CHECK: ssm.div
func.func @div_self(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.div %x, %x : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// exp(log x): x may be negative
// CHECK-LABEL: func.func @exp_log(
// CHECK: ssm.log
// CHECK: ssm.exp
func.func @exp_log(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.log %x : [i: K]
  %r = ssm.exp %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// log(exp z): the angle of z may be beyond a half turn
// CHECK-LABEL: func.func @log_exp_complex(
// CHECK: ssm.exp
// CHECK: ssm.log
func.func @log_exp_complex(%z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, complex<f32>> {
  %a = ssm.exp %z : [i: K] complex<f32>
  %r = ssm.log %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, complex<f32>>
}

// |cis x|: x may be infinite
// CHECK-LABEL: func.func @abs_cis(
// CHECK: ssm.cis
// CHECK: ssm.abs
func.func @abs_cis(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cis %x : [i: K]
  %r = ssm.abs %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// x = x: not so for NaN
// CHECK-LABEL: func.func @eq_self(
// CHECK: ssm.cmp eq
func.func @eq_self(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cmp eq %x, %x : [i: K], [i: K]
  %r = ssm.cast %a : [i: K] i1 to [i: K]
  return %r : !ssm.array<i: K, f32>
}

// sqrt(x * x): x may be negative
// CHECK-LABEL: func.func @sqrt_square(
// CHECK: ssm.mul
// CHECK: ssm.sqrt
func.func @sqrt_square(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.mul %x, %x : [i: K], [i: K]
  %r = ssm.sqrt %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a sum of a broadcast over a dim that is not bound
// CHECK-LABEL: func.func @sum_unbound(
// CHECK: ssm.broadcast
// CHECK: ssm.sum
func.func @sum_unbound(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %a = ssm.broadcast %x : [] to [i: K]
  %r = ssm.sum %a over [i] : [i: K]
  return %r : !ssm.array<f32>
}

// a sum over nothing is 0 whatever x is
// CHECK-LABEL: func.func @sum_empty(
// CHECK: ssm.broadcast
// CHECK: ssm.sum
func.func @sum_empty(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %a = ssm.broadcast %x : [] to [i: 0]
  %r = ssm.sum %a over [i] : [i: 0]
  return %r : !ssm.array<f32>
}
