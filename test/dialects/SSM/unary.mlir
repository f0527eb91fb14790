// Ops of one operand.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K) {
ssm.recurrence @r time [t] dims(K) {
  // CHECK-NEXT: %x = ssm.in "x" [i] : [i: K]
  %x = ssm.in "x" [i] : [i: K]
  // CHECK-NEXT: %z = ssm.in "z" [i] : [i: K] complex<f32>
  %z = ssm.in "z" [i] : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.neg %x : [i: K]
  %a0 = ssm.neg %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.exp %x : [i: K]
  %a1 = ssm.exp %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.log %x : [i: K]
  %a2 = ssm.log %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.sqrt %x : [i: K]
  %a3 = ssm.sqrt %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.rsqrt %x : [i: K]
  %a4 = ssm.rsqrt %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.sin %x : [i: K]
  %a5 = ssm.sin %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.cos %x : [i: K]
  %a6 = ssm.cos %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.tanh %x : [i: K]
  %a7 = ssm.tanh %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.sigmoid %x : [i: K]
  %a8 = ssm.sigmoid %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.softplus %x : [i: K]
  %a9 = ssm.softplus %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.silu %x : [i: K]
  %a10 = ssm.silu %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.abs %x : [i: K]
  %a11 = ssm.abs %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.sign %x : [i: K]
  %a12 = ssm.sign %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.relu %x : [i: K]
  %a13 = ssm.relu %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.cis %x : [i: K]
  %a14 = ssm.cis %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.conj %x : [i: K]
  %a15 = ssm.conj %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.real %x : [i: K]
  %a16 = ssm.real %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.imag %x : [i: K]
  %a17 = ssm.imag %x : [i: K]
  // CHECK-NEXT: %{{.*}} = ssm.neg %z : [i: K] complex<f32>
  %b0 = ssm.neg %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.exp %z : [i: K] complex<f32>
  %b1 = ssm.exp %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.log %z : [i: K] complex<f32>
  %b2 = ssm.log %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.sqrt %z : [i: K] complex<f32>
  %b3 = ssm.sqrt %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.rsqrt %z : [i: K] complex<f32>
  %b4 = ssm.rsqrt %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.sin %z : [i: K] complex<f32>
  %b5 = ssm.sin %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.cos %z : [i: K] complex<f32>
  %b6 = ssm.cos %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.tanh %z : [i: K] complex<f32>
  %b7 = ssm.tanh %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.sigmoid %z : [i: K] complex<f32>
  %b8 = ssm.sigmoid %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.softplus %z : [i: K] complex<f32>
  %b9 = ssm.softplus %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.silu %z : [i: K] complex<f32>
  %b10 = ssm.silu %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.abs %z : [i: K] complex<f32>
  %b11 = ssm.abs %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.conj %z : [i: K] complex<f32>
  %b15 = ssm.conj %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.real %z : [i: K] complex<f32>
  %b16 = ssm.real %z : [i: K] complex<f32>
  // CHECK-NEXT: %{{.*}} = ssm.imag %z : [i: K] complex<f32>
  %b17 = ssm.imag %z : [i: K] complex<f32>
}
