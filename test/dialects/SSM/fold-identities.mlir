// Ops that are one of their operands.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// x + 0 = x
// CHECK-LABEL: func.func @add_zero(
// CHECK-NEXT: return %arg0
func.func @add_zero(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 0.0
  %r = ssm.add %x, %c : [i: K], []
  return %r : !ssm.array<i: K, f32>
}

// x - 0 = x
// CHECK-LABEL: func.func @sub_zero(
// CHECK-NEXT: return %arg0
func.func @sub_zero(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 0.0
  %r = ssm.sub %x, %c : [i: K], []
  return %r : !ssm.array<i: K, f32>
}

// 1 * x = x
// CHECK-LABEL: func.func @mul_one(
// CHECK-NEXT: return %arg0
func.func @mul_one(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 1.0
  %r = ssm.mul %c, %x : [], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// x / 1 = x
// CHECK-LABEL: func.func @div_one(
// CHECK-NEXT: return %arg0
func.func @div_one(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 1.0
  %r = ssm.div %x, %c : [i: K], []
  return %r : !ssm.array<i: K, f32>
}

// x ^ 1 = x
// CHECK-LABEL: func.func @pow_one(
// CHECK-NEXT: return %arg0
func.func @pow_one(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 1.0
  %r = ssm.pow %x, %c : [i: K], []
  return %r : !ssm.array<i: K, f32>
}

// -(-x) = x
// CHECK-LABEL: func.func @neg_twice(
// CHECK-NEXT: return %arg0
func.func @neg_twice(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %x : [i: K]
  %r = ssm.neg %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the conjugate of the conjugate
// CHECK-LABEL: func.func @conj_twice(
// CHECK-NEXT: return %arg0
func.func @conj_twice(%z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, complex<f32>> {
  %a = ssm.conj %z : [i: K] complex<f32>
  %r = ssm.conj %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, complex<f32>>
}

// the conjugate of a real
// CHECK-LABEL: func.func @conj_real(
// CHECK-NEXT: return %arg0
func.func @conj_real(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.conj %x : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the real part of a real
// CHECK-LABEL: func.func @real_real(
// CHECK-NEXT: return %arg0
func.func @real_real(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.real %x : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the real part of a real made complex
// CHECK-LABEL: func.func @real_cast(
// CHECK-NEXT: return %arg0
func.func @real_cast(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cast %x : [i: K] to [i: K] complex<f32>
  %r = ssm.real %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the imaginary part of a real without labels
// CHECK-LABEL: func.func @imag_real(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @imag_real(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %r = ssm.imag %x : []
  return %r : !ssm.array<f32>
}

// max(x, x) = x
// CHECK-LABEL: func.func @max_same(
// CHECK-NEXT: return %arg0
func.func @max_same(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.max %x, %x : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// min(x, x) = x
// CHECK-LABEL: func.func @min_same(
// CHECK-NEXT: return %arg0
func.func @min_same(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.min %x, %x : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// log(exp x) = x
// CHECK-LABEL: func.func @log_exp(
// CHECK-NEXT: return %arg0
func.func @log_exp(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.exp %x : [i: K]
  %r = ssm.log %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// ||x|| = |x|
// CHECK-LABEL: func.func @abs_twice(
// CHECK-NEXT: %[[A:.*]] = ssm.abs %arg0
// CHECK-NEXT: return %[[A]]
func.func @abs_twice(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.abs %x : [i: K]
  %r = ssm.abs %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// relu(relu x) = relu x
// CHECK-LABEL: func.func @relu_twice(
// CHECK-NEXT: %[[A:.*]] = ssm.relu %arg0
// CHECK-NEXT: return %[[A]]
func.func @relu_twice(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.relu %x : [i: K]
  %r = ssm.relu %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// sign(sign x) = sign x
// CHECK-LABEL: func.func @sign_twice(
// CHECK-NEXT: %[[A:.*]] = ssm.sign %arg0
// CHECK-NEXT: return %[[A]]
func.func @sign_twice(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.sign %x : [i: K]
  %r = ssm.sign %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a cast to the type itself
// CHECK-LABEL: func.func @cast_same(
// CHECK-NEXT: return %arg0
func.func @cast_same(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.cast %x : [i: K] to [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a truth value as a number, and back
// CHECK-LABEL: func.func @cast_truth(
// CHECK-NEXT: return %arg0
func.func @cast_truth(%c: !ssm.array<i1>) -> !ssm.array<i1> {
  %a = ssm.cast %c : [] i1 to []
  %r = ssm.cast %a : [] to [] i1
  return %r : !ssm.array<i1>
}

// the same value on both sides
// CHECK-LABEL: func.func @select_same(
// CHECK-NEXT: return %arg1
func.func @select_same(%c: !ssm.array<i1>, %x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.select %c, %x, %x : [] i1, [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a broadcast that adds no label
// CHECK-LABEL: func.func @broadcast_same(
// CHECK-NEXT: return %arg0
func.func @broadcast_same(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.broadcast %x : [i: K] to [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a sum over no label
// CHECK-LABEL: func.func @sum_none(
// CHECK-NEXT: return %arg0
func.func @sum_none(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.sum %x over [] : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a maximum over no label
// CHECK-LABEL: func.func @maximum_none(
// CHECK-NEXT: return %arg0
func.func @maximum_none(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.maximum %x over [] : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a relabel to the same name
// CHECK-LABEL: func.func @relabel_same(
// CHECK-NEXT: return %arg0
func.func @relabel_same(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.relabel %x [i] to [i] : [i: K]
  return %r : !ssm.array<i: K, f32>
}
