// RUN: ssmc-opt %s -canonicalize | FileCheck %s
// Algebra that holds for labelled arrays.

// CHECK-LABEL: ssm.recurrence @identities
ssm.recurrence @identities time [t] dims (K) {
  // CHECK: %[[X:.+]] = ssm.in "x"
  %x = ssm.in "x" [K] : [K]
  %zero = ssm.constant 0.0
  %one = ssm.constant 1.0
  %a = ssm.mul %x, %one : [K], []
  %b = ssm.add %a, %zero : [K], []
  %c = ssm.neg %b : [K]
  %d = ssm.neg %c : [K]
  // CHECK: ssm.out "o" [K], %[[X]] : [K]
  ssm.out "o" [K], %d : [K]
}

// CHECK-LABEL: ssm.recurrence @constants
ssm.recurrence @constants time [t] dims () {
  %two = ssm.constant 2.0
  %three = ssm.constant 3.0
  %a = ssm.mul %two, %three : [], []
  // CHECK: %[[SIX:.+]] = ssm.constant 6.0
  // CHECK: ssm.out "o" [], %[[SIX]] : []
  ssm.out "o" [], %a : []
}

// What multiplies x by the product of all x before it is the product up to it: one product along the steps, not two.
// CHECK-LABEL: func.func @product_up_to(
// CHECK-NEXT: %[[P:.+]] = ssm.cumprod %arg0 along "t" : [K, t: 8]
// CHECK-NEXT: return %[[P]]
func.func @product_up_to(%x: !ssm.array<K, t: 8, f32>) -> !ssm.array<K, t: 8, f32> {
  %before = ssm.cumprod %x along "t" exclusive : [K, t: 8]
  %r = ssm.mul %x, %before : [K, t: 8], [K, t: 8]
  return %r : !ssm.array<K, t: 8, f32>
}

// So it is where the steps are taken backwards, and where another factor stands beside x.
// CHECK-LABEL: func.func @product_up_to_times(
// CHECK-NEXT: %[[P:.+]] = ssm.cumprod %arg0 along "t" reverse : [K, t: 8]
// CHECK-NEXT: %[[R:.+]] = ssm.mul %arg1, %[[P]] : [t: 8], [K, t: 8]
// CHECK-NEXT: return %[[R]]
func.func @product_up_to_times(%x: !ssm.array<K, t: 8, f32>, %y: !ssm.array<t: 8, f32>) -> !ssm.array<K, t: 8, f32> {
  %before = ssm.cumprod %x along "t" exclusive reverse : [K, t: 8]
  %yx = ssm.mul %y, %x : [t: 8], [K, t: 8]
  %r = ssm.mul %before, %yx : [K, t: 8], [K, t: 8]
  return %r : !ssm.array<K, t: 8, f32>
}

// A product that has x already, and that of another array, stay as they are.
// CHECK-LABEL: func.func @product_of_another(
// CHECK-DAG: %[[P:.+]] = ssm.cumprod %arg0 along "t" : [K, t: 8]
// CHECK-DAG: %[[Q:.+]] = ssm.cumprod %arg1 along "t" exclusive : [K, t: 8]
// CHECK: %[[A:.+]] = ssm.mul %arg0, %[[P]]
// CHECK: %[[B:.+]] = ssm.mul %[[A]], %[[Q]]
// CHECK: return %[[B]]
func.func @product_of_another(%x: !ssm.array<K, t: 8, f32>, %y: !ssm.array<K, t: 8, f32>)
    -> !ssm.array<K, t: 8, f32> {
  %upto = ssm.cumprod %x along "t" : [K, t: 8]
  %before = ssm.cumprod %y along "t" exclusive : [K, t: 8]
  %a = ssm.mul %x, %upto : [K, t: 8], [K, t: 8]
  %b = ssm.mul %a, %before : [K, t: 8], [K, t: 8]
  return %b : !ssm.array<K, t: 8, f32>
}
