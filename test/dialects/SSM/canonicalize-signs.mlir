// Signs take one shape.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// x + (-y) = x - y
// CHECK-LABEL: func.func @add_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.sub %arg0, %arg1
// CHECK-NEXT: return %[[R]]
func.func @add_neg(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %y : [i: K]
  %r = ssm.add %a, %x : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// x - (-y) = x + y
// CHECK-LABEL: func.func @sub_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.add %arg0, %arg1
// CHECK-NEXT: return %[[R]]
func.func @sub_neg(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %y : [i: K]
  %r = ssm.sub %x, %a : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// 0 - x = -x
// CHECK-LABEL: func.func @zero_sub(
// CHECK-NEXT: %[[R:.*]] = ssm.neg %arg0
// CHECK-NEXT: return %[[R]]
func.func @zero_sub(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant 0.0
  %r = ssm.sub %c, %x : [], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// -(x - y) = y - x
// CHECK-LABEL: func.func @neg_sub(
// CHECK-NEXT: %[[R:.*]] = ssm.sub %arg1, %arg0
// CHECK-NEXT: return %[[R]]
func.func @neg_sub(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.sub %x, %y : [i: K], [i: K]
  %r = ssm.neg %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// (-x) * (-y) = x * y
// CHECK-LABEL: func.func @mul_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.mul %arg0, %arg1
// CHECK-NEXT: return %[[R]]
func.func @mul_neg(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %x : [i: K]
  %b = ssm.neg %y : [i: K]
  %r = ssm.mul %a, %b : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// (-x) / (-y) = x / y
// CHECK-LABEL: func.func @div_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.div %arg0, %arg1
// CHECK-NEXT: return %[[R]]
func.func @div_neg(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %x : [i: K]
  %b = ssm.neg %y : [i: K]
  %r = ssm.div %a, %b : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// -1 * x = -x
// CHECK-LABEL: func.func @mul_minus_one(
// CHECK-NEXT: %[[R:.*]] = ssm.neg %arg0
// CHECK-NEXT: return %[[R]]
func.func @mul_minus_one(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant -1.0
  %r = ssm.mul %c, %x : [], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// x / -1 = -x
// CHECK-LABEL: func.func @div_minus_one(
// CHECK-NEXT: %[[R:.*]] = ssm.neg %arg0
// CHECK-NEXT: return %[[R]]
func.func @div_minus_one(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.constant -1.0
  %r = ssm.div %x, %c : [i: K], []
  return %r : !ssm.array<i: K, f32>
}

// |-x| = |x|
// CHECK-LABEL: func.func @abs_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.abs %arg0
// CHECK-NEXT: return %[[R]]
func.func @abs_neg(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %x : [i: K]
  %r = ssm.abs %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// cos(-x) = cos x
// CHECK-LABEL: func.func @cos_neg(
// CHECK-NEXT: %[[R:.*]] = ssm.cos %arg0
// CHECK-NEXT: return %[[R]]
func.func @cos_neg(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.neg %x : [i: K]
  %r = ssm.cos %a : [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the sum of -x is minus the sum of x
// CHECK-LABEL: func.func @sum_neg(
// CHECK-NEXT: %[[S:.*]] = ssm.sum %arg0 over [i]
// CHECK-NEXT: %[[R:.*]] = ssm.neg %[[S]]
// CHECK-NEXT: return %[[R]]
func.func @sum_neg(%x: !ssm.array<i: K, f32>) -> !ssm.array<f32> {
  %a = ssm.neg %x : [i: K]
  %r = ssm.sum %a over [i] : [i: K]
  return %r : !ssm.array<f32>
}
