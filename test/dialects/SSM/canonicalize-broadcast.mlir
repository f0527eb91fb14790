// Broadcasts sink, and go where alignment makes them unnecessary.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// y has the labels
// CHECK-LABEL: func.func @binary(
// CHECK-NEXT: %[[R:.*]] = ssm.mul %arg0, %arg1 : [j: V], [i: K, j: V]
// CHECK-NEXT: return %[[R]]
func.func @binary(%x: !ssm.array<j: V, f32>, %y: !ssm.array<i: K, j: V, f32>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %x : [j: V] to [i: K, j: V]
  %r = ssm.mul %b, %y : [i: K, j: V], [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// together they have them
// CHECK-LABEL: func.func @both(
// CHECK-NEXT: %[[R:.*]] = ssm.add %arg0, %arg1 : [j: V], [i: K]
// CHECK-NEXT: return %[[R]]
func.func @both(%x: !ssm.array<j: V, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %x : [j: V] to [i: K, j: V]
  %c = ssm.broadcast %y : [i: K] to [i: K, j: V]
  %r = ssm.add %b, %c : [i: K, j: V], [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// a condition
// CHECK-LABEL: func.func @select(
// CHECK-NEXT: %[[R:.*]] = ssm.select %arg0, %arg1, %arg2 : [] i1, [i: K, j: V], [i: K]
// CHECK-NEXT: return %[[R]]
func.func @select(%c: !ssm.array<i1>, %x: !ssm.array<i: K, j: V, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %c : [] i1 to [i: K, j: V] i1
  %d = ssm.broadcast %y : [i: K] to [i: K, j: V]
  %r = ssm.select %b, %x, %d : [i: K, j: V] i1, [i: K, j: V], [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// f(broadcast x) is broadcast f(x)
// CHECK-LABEL: func.func @unary(
// CHECK-NEXT: %[[E:.*]] = ssm.exp %arg0 : [j: V]
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %[[E]] : [j: V] to [i: K, j: V]
// CHECK-NEXT: return %[[R]]
func.func @unary(%x: !ssm.array<j: V, f32>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %x : [j: V] to [i: K, j: V]
  %r = ssm.exp %b : [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// a cast changes the element type on the way
// CHECK-LABEL: func.func @cast(
// CHECK-NEXT: %[[E:.*]] = ssm.cast %arg0 : [j: V] i1 to [j: V]
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %[[E]] : [j: V] to [i: K, j: V]
// CHECK-NEXT: return %[[R]]
func.func @cast(%x: !ssm.array<j: V, i1>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %x : [j: V] i1 to [i: K, j: V] i1
  %r = ssm.cast %b : [i: K, j: V] i1 to [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// a broadcast of a broadcast
// CHECK-LABEL: func.func @twice(
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %arg0 : [] to [i: K, j: V]
// CHECK-NEXT: return %[[R]]
func.func @twice(%x: !ssm.array<f32>) -> !ssm.array<i: K, j: V, f32> {
  %b = ssm.broadcast %x : [] to [j: V]
  %r = ssm.broadcast %b : [j: V] to [i: K, j: V]
  return %r : !ssm.array<i: K, j: V, f32>
}

// no other operand has the label
// CHECK-LABEL: func.func @needed(
// CHECK-NEXT: %[[B:.*]] = ssm.broadcast %arg0
// CHECK-NEXT: %[[R:.*]] = ssm.add %[[B]], %arg1
// CHECK-NEXT: return %[[R]]
func.func @needed(%x: !ssm.array<f32>, %y: !ssm.array<f32>) -> !ssm.array<i: K, f32> {
  %b = ssm.broadcast %x : [] to [i: K]
  %r = ssm.add %b, %y : [i: K], []
  return %r : !ssm.array<i: K, f32>
}
