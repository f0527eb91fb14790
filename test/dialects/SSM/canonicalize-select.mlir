// Conditions that are known, and the shape of comparisons.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// x > y is y < x
// CHECK-LABEL: func.func @gt(
// CHECK-NEXT: %[[R:.*]] = ssm.cmp lt %arg1, %arg0
// CHECK-NEXT: return %[[R]]
func.func @gt(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, i1> {
  %r = ssm.cmp gt %x, %y : [i: K], [i: K]
  return %r : !ssm.array<i: K, i1>
}

// x >= y is y <= x
// CHECK-LABEL: func.func @ge(
// CHECK-NEXT: %[[R:.*]] = ssm.cmp le %arg1, %arg0
// CHECK-NEXT: return %[[R]]
func.func @ge(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, i1> {
  %r = ssm.cmp ge %x, %y : [i: K], [i: K]
  return %r : !ssm.array<i: K, i1>
}

// a comparison of constants that holds
// CHECK-LABEL: func.func @known_true(
// CHECK-NEXT: return %arg0
func.func @known_true(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.constant 1.0
  %b = ssm.constant 2.0
  %c = ssm.cmp lt %a, %b : [], []
  %r = ssm.select %c, %x, %y : [] i1, [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// one that does not
// CHECK-LABEL: func.func @known_false(
// CHECK-NEXT: return %arg1
func.func @known_false(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.constant 1.0
  %b = ssm.constant 2.0
  %c = ssm.cmp eq %a, %b : [], []
  %r = ssm.select %c, %x, %y : [] i1, [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// x < x holds for no x
// CHECK-LABEL: func.func @less_than_itself(
// CHECK-NEXT: return %arg1
func.func @less_than_itself(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %c = ssm.cmp lt %x, %x : [i: K], [i: K]
  %r = ssm.select %c, %x, %y : [i: K] i1, [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// a number as a condition
// CHECK-LABEL: func.func @number(
// CHECK-NEXT: return %arg0
func.func @number(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.constant 3.0
  %c = ssm.cast %a : [] to [] i1
  %r = ssm.select %c, %x, %y : [] i1, [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the value taken lacks labels of the result
// CHECK-LABEL: func.func @labels(
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %arg0 : [] to [i: K]
// CHECK-NEXT: return %[[R]]
func.func @labels(%x: !ssm.array<f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.constant 3.0
  %c = ssm.cast %a : [] to [] i1
  %r = ssm.select %c, %x, %y : [] i1, [], [i: K]
  return %r : !ssm.array<i: K, f32>
}

// the value taken is real, the result complex
// CHECK-LABEL: func.func @element(
// CHECK-NEXT: %[[R:.*]] = ssm.cast %arg0
// CHECK-NEXT: return %[[R]]
func.func @element(%x: !ssm.array<i: K, f32>, %z: !ssm.array<i: K, complex<f32>>) -> !ssm.array<i: K, complex<f32>> {
  %a = ssm.constant 3.0
  %c = ssm.cast %a : [] to [] i1
  %r = ssm.select %c, %x, %z : [] i1, [i: K], [i: K] complex<f32>
  return %r : !ssm.array<i: K, complex<f32>>
}

// equal values where the condition has the labels
// CHECK-LABEL: func.func @same_smaller(
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %arg1 : [] to [i: K]
// CHECK-NEXT: return %[[R]]
func.func @same_smaller(%c: !ssm.array<i: K, i1>, %x: !ssm.array<f32>) -> !ssm.array<i: K, f32> {
  %r = ssm.select %c, %x, %x : [i: K] i1, [], []
  return %r : !ssm.array<i: K, f32>
}
