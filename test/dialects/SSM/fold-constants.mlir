// Functions of constants are constants. A NaN stays one.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// neg of a constant
// CHECK-LABEL: func.func @neg(
// CHECK-NEXT: %[[C:.*]] = ssm.constant -2.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @neg() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %r = ssm.neg %c : []
  return %r : !ssm.array<f32>
}

// exp of a constant
// CHECK-LABEL: func.func @exp(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @exp() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.exp %c : []
  return %r : !ssm.array<f32>
}

// log of a constant
// CHECK-LABEL: func.func @log(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @log() -> !ssm.array<f32> {
  %c = ssm.constant 1.0
  %r = ssm.log %c : []
  return %r : !ssm.array<f32>
}

// sqrt of a constant
// CHECK-LABEL: func.func @sqrt(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 3.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @sqrt() -> !ssm.array<f32> {
  %c = ssm.constant 9.0
  %r = ssm.sqrt %c : []
  return %r : !ssm.array<f32>
}

// rsqrt of a constant
// CHECK-LABEL: func.func @rsqrt(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 5.000000e-01
// CHECK-NEXT: return %[[C]]
func.func @rsqrt() -> !ssm.array<f32> {
  %c = ssm.constant 4.0
  %r = ssm.rsqrt %c : []
  return %r : !ssm.array<f32>
}

// sin of a constant
// CHECK-LABEL: func.func @sin(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @sin() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.sin %c : []
  return %r : !ssm.array<f32>
}

// cos of a constant
// CHECK-LABEL: func.func @cos(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @cos() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.cos %c : []
  return %r : !ssm.array<f32>
}

// tanh of a constant
// CHECK-LABEL: func.func @tanh(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @tanh() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.tanh %c : []
  return %r : !ssm.array<f32>
}

// sigmoid of a constant
// CHECK-LABEL: func.func @sigmoid(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 5.000000e-01
// CHECK-NEXT: return %[[C]]
func.func @sigmoid() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.sigmoid %c : []
  return %r : !ssm.array<f32>
}

// sigmoid of a constant
// CHECK-LABEL: func.func @sigmoid_low(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @sigmoid_low() -> !ssm.array<f32> {
  %c = ssm.constant -1.0e4
  %r = ssm.sigmoid %c : []
  return %r : !ssm.array<f32>
}

// softplus of a constant
// CHECK-LABEL: func.func @softplus(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.000000e+04
// CHECK-NEXT: return %[[C]]
func.func @softplus() -> !ssm.array<f32> {
  %c = ssm.constant 1.0e4
  %r = ssm.softplus %c : []
  return %r : !ssm.array<f32>
}

// silu of a constant
// CHECK-LABEL: func.func @silu(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @silu() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %r = ssm.silu %c : []
  return %r : !ssm.array<f32>
}

// relu of a constant
// CHECK-LABEL: func.func @relu(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @relu() -> !ssm.array<f32> {
  %c = ssm.constant -2.0
  %r = ssm.relu %c : []
  return %r : !ssm.array<f32>
}

// relu of a constant
// CHECK-LABEL: func.func @relu_nan(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0x7FF8000000000000
// CHECK-NEXT: return %[[C]]
func.func @relu_nan() -> !ssm.array<f32> {
  %c = ssm.constant 0x7FF8000000000000
  %r = ssm.relu %c : []
  return %r : !ssm.array<f32>
}

// abs of a constant
// CHECK-LABEL: func.func @abs(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 2.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @abs() -> !ssm.array<f32> {
  %c = ssm.constant -2.0
  %r = ssm.abs %c : []
  return %r : !ssm.array<f32>
}

// sign of a constant
// CHECK-LABEL: func.func @sign(
// CHECK-NEXT: %[[C:.*]] = ssm.constant -1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @sign() -> !ssm.array<f32> {
  %c = ssm.constant -7.0
  %r = ssm.sign %c : []
  return %r : !ssm.array<f32>
}

// sign of a constant
// CHECK-LABEL: func.func @sign_nan(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0x7FF8000000000000
// CHECK-NEXT: return %[[C]]
func.func @sign_nan() -> !ssm.array<f32> {
  %c = ssm.constant 0x7FF8000000000000
  %r = ssm.sign %c : []
  return %r : !ssm.array<f32>
}

// conj of a constant
// CHECK-LABEL: func.func @conj(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 2.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @conj() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %r = ssm.conj %c : []
  return %r : !ssm.array<f32>
}

// real of a constant
// CHECK-LABEL: func.func @real(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 2.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @real() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %r = ssm.real %c : []
  return %r : !ssm.array<f32>
}

// imag of a constant
// CHECK-LABEL: func.func @imag(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @imag() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %r = ssm.imag %c : []
  return %r : !ssm.array<f32>
}

// add of constants
// CHECK-LABEL: func.func @add(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 5.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @add() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.add %c, %d : [], []
  return %r : !ssm.array<f32>
}

// sub of constants
// CHECK-LABEL: func.func @sub(
// CHECK-NEXT: %[[C:.*]] = ssm.constant -1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @sub() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.sub %c, %d : [], []
  return %r : !ssm.array<f32>
}

// mul of constants
// CHECK-LABEL: func.func @mul(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 6.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @mul() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.mul %c, %d : [], []
  return %r : !ssm.array<f32>
}

// div of constants
// CHECK-LABEL: func.func @div(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.500000e+00
// CHECK-NEXT: return %[[C]]
func.func @div() -> !ssm.array<f32> {
  %c = ssm.constant 3.0
  %d = ssm.constant 2.0
  %r = ssm.div %c, %d : [], []
  return %r : !ssm.array<f32>
}

// pow of constants
// CHECK-LABEL: func.func @pow(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 8.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @pow() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.pow %c, %d : [], []
  return %r : !ssm.array<f32>
}

// max of constants
// CHECK-LABEL: func.func @max(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 3.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @max() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.max %c, %d : [], []
  return %r : !ssm.array<f32>
}

// min of constants
// CHECK-LABEL: func.func @min(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 2.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @min() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 3.0
  %r = ssm.min %c, %d : [], []
  return %r : !ssm.array<f32>
}

// max of constants
// CHECK-LABEL: func.func @max_nan(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0x7FF8000000000000
// CHECK-NEXT: return %[[C]]
func.func @max_nan() -> !ssm.array<f32> {
  %c = ssm.constant 2.0
  %d = ssm.constant 0x7FF8000000000000
  %r = ssm.max %c, %d : [], []
  return %r : !ssm.array<f32>
}

// min of constants
// CHECK-LABEL: func.func @min_nan(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0x7FF8000000000000
// CHECK-NEXT: return %[[C]]
func.func @min_nan() -> !ssm.array<f32> {
  %c = ssm.constant 0x7FF8000000000000
  %d = ssm.constant 2.0
  %r = ssm.min %c, %d : [], []
  return %r : !ssm.array<f32>
}

// mul of constants
// CHECK-LABEL: func.func @mul_inf(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0x{{[7F]}}FF8000000000000
// CHECK-NEXT: return %[[C]]
func.func @mul_inf() -> !ssm.array<f32> {
  %c = ssm.constant 0x7FF0000000000000
  %d = ssm.constant 0.0
  %r = ssm.mul %c, %d : [], []
  return %r : !ssm.array<f32>
}

// the parts of cis of a constant
// CHECK-LABEL: func.func @cis(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @cis() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %z = ssm.cis %c : []
  %r = ssm.real %z : [] complex<f32>
  return %r : !ssm.array<f32>
}

// the truth of a comparison of constants
// CHECK-LABEL: func.func @truth(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 1.000000e+00
// CHECK-NEXT: return %[[C]]
func.func @truth() -> !ssm.array<f32> {
  %c = ssm.constant 0.0
  %d = ssm.constant 1.0
  %t = ssm.cmp lt %c, %d : [], []
  %r = ssm.cast %t : [] i1 to []
  return %r : !ssm.array<f32>
}
