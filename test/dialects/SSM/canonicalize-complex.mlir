// Parts of complex numbers.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// the real part of cis x is cos x
// CHECK-LABEL: func.func @real_cis(
// CHECK-NEXT: %[[R:.*]] = ssm.cos %arg0
// CHECK-NEXT: return %[[R]]
func.func @real_cis(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cis %x : [i: K]
  %r = ssm.real %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the imaginary part of cis x is sin x
// CHECK-LABEL: func.func @imag_cis(
// CHECK-NEXT: %[[R:.*]] = ssm.sin %arg0
// CHECK-NEXT: return %[[R]]
func.func @imag_cis(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cis %x : [i: K]
  %r = ssm.imag %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the conjugate of cis x is cis(-x)
// CHECK-LABEL: func.func @conj_cis(
// CHECK-NEXT: %[[N:.*]] = ssm.neg %arg0
// CHECK-NEXT: %[[R:.*]] = ssm.cis %[[N]]
// CHECK-NEXT: return %[[R]]
func.func @conj_cis(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, complex<f32>> {
  %a = ssm.cis %x : [i: K]
  %r = ssm.conj %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, complex<f32>>
}

// the real part of a conjugate
// CHECK-LABEL: func.func @real_conj(
// CHECK-NEXT: %[[R:.*]] = ssm.real %arg0
// CHECK-NEXT: return %[[R]]
func.func @real_conj(%z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, f32> {
  %a = ssm.conj %z : [i: K] complex<f32>
  %r = ssm.real %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the imaginary part of a conjugate
// CHECK-LABEL: func.func @imag_conj(
// CHECK-NEXT: %[[I:.*]] = ssm.imag %arg0
// CHECK-NEXT: %[[R:.*]] = ssm.neg %[[I]]
// CHECK-NEXT: return %[[R]]
func.func @imag_conj(%z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, f32> {
  %a = ssm.conj %z : [i: K] complex<f32>
  %r = ssm.imag %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the modulus of a conjugate
// CHECK-LABEL: func.func @abs_conj(
// CHECK-NEXT: %[[R:.*]] = ssm.abs %arg0
// CHECK-NEXT: return %[[R]]
func.func @abs_conj(%z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, f32> {
  %a = ssm.conj %z : [i: K] complex<f32>
  %r = ssm.abs %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}

// the imaginary part of a labelled real
// CHECK-LABEL: func.func @imag_labelled(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %[[C]] : [] to [i: K]
// CHECK-NEXT: return %[[R]]
func.func @imag_labelled(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.imag %x : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the imaginary part of a real made complex
// CHECK-LABEL: func.func @imag_cast(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 0.000000e+00
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %[[C]] : [] to [i: K]
// CHECK-NEXT: return %[[R]]
func.func @imag_cast(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.cast %x : [i: K] to [i: K] complex<f32>
  %r = ssm.imag %a : [i: K] complex<f32>
  return %r : !ssm.array<i: K, f32>
}
