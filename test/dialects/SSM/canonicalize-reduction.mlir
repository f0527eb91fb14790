// Sums and maxima.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// a sum of a sum
// CHECK-LABEL: func.func @sum_twice(
// CHECK-NEXT: %[[R:.*]] = ssm.sum %arg0 over [i, j]
// CHECK-NEXT: return %[[R]]
func.func @sum_twice(%x: !ssm.array<i: K, j: V, f32>) -> !ssm.array<f32> {
  %a = ssm.sum %x over [j] : [i: K, j: V]
  %r = ssm.sum %a over [i] : [i: K]
  return %r : !ssm.array<f32>
}

// a maximum of a maximum
// CHECK-LABEL: func.func @maximum_twice(
// CHECK-NEXT: %[[R:.*]] = ssm.maximum %arg0 over [i, j]
// CHECK-NEXT: return %[[R]]
func.func @maximum_twice(%x: !ssm.array<i: K, j: V, f32>) -> !ssm.array<f32> {
  %a = ssm.maximum %x over [j] : [i: K, j: V]
  %r = ssm.maximum %a over [i] : [i: K]
  return %r : !ssm.array<f32>
}

// a sum of equal values
// CHECK-LABEL: func.func @sum_broadcast(
// CHECK-NEXT: %[[C:.*]] = ssm.constant 4.000000e+00
// CHECK-NEXT: %[[R:.*]] = ssm.mul %arg0, %[[C]]
// CHECK-NEXT: return %[[R]]
func.func @sum_broadcast(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %a = ssm.broadcast %x : [] to [i: 4]
  %r = ssm.sum %a over [i] : [i: 4]
  return %r : !ssm.array<f32>
}

// and over a label of its own
// CHECK-LABEL: func.func @sum_broadcast_part(
// CHECK-DAG: %[[C:.*]] = ssm.constant 4.000000e+00
// CHECK-DAG: %[[S:.*]] = ssm.sum %arg0 over [j] : [j: V]
// CHECK: %[[R:.*]] = ssm.mul %[[S]], %[[C]]
// CHECK-NEXT: return %[[R]]
func.func @sum_broadcast_part(%x: !ssm.array<j: V, f32>) -> !ssm.array<f32> {
  %a = ssm.broadcast %x : [j: V] to [i: 4, j: V]
  %r = ssm.sum %a over [i, j] : [i: 4, j: V]
  return %r : !ssm.array<f32>
}

// the largest of equal values
// CHECK-LABEL: func.func @maximum_broadcast(
// CHECK-NEXT: return %arg0
func.func @maximum_broadcast(%x: !ssm.array<f32>) -> !ssm.array<f32> {
  %a = ssm.broadcast %x : [] to [i: 4]
  %r = ssm.maximum %a over [i] : [i: 4]
  return %r : !ssm.array<f32>
}

// a factor without the label leaves the sum
// CHECK-LABEL: func.func @sum_product(
// CHECK-NEXT: %[[S:.*]] = ssm.sum %arg1 over [i]
// CHECK-NEXT: %[[R:.*]] = ssm.mul %arg0, %[[S]]
// CHECK-NEXT: return %[[R]]
func.func @sum_product(%x: !ssm.array<j: V, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<j: V, f32> {
  %m = ssm.mul %y, %x : [i: K], [j: V]
  %r = ssm.sum %m over [i] : [i: K, j: V]
  return %r : !ssm.array<j: V, f32>
}
