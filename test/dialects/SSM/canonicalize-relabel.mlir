// Relabels rise to the leaves, where they merge.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// one name after another
// CHECK-LABEL: func.func @twice(
// CHECK-NEXT: %[[R:.*]] = ssm.relabel %arg0 [i] to [l] : [i: K]
// CHECK-NEXT: return %[[R]]
func.func @twice(%x: !ssm.array<i: K, f32>) -> !ssm.array<l: K, f32> {
  %a = ssm.relabel %x [i] to [j] : [i: K]
  %r = ssm.relabel %a [j] to [l] : [j: K]
  return %r : !ssm.array<l: K, f32>
}

// and back
// CHECK-LABEL: func.func @there_and_back(
// CHECK-NEXT: return %arg0
func.func @there_and_back(%x: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.relabel %x [i] to [j] : [i: K]
  %r = ssm.relabel %a [j] to [i] : [j: K]
  return %r : !ssm.array<i: K, f32>
}

// two swaps
// CHECK-LABEL: func.func @swap_twice(
// CHECK-NEXT: return %arg0
func.func @swap_twice(%x: !ssm.array<i: K, j: K, f32>) -> !ssm.array<i: K, j: K, f32> {
  %a = ssm.relabel %x [i, j] to [j, i] : [i: K, j: K]
  %r = ssm.relabel %a [i, j] to [j, i] : [i: K, j: K]
  return %r : !ssm.array<i: K, j: K, f32>
}

// a diagonal stays one
// CHECK-LABEL: func.func @diagonal(
// CHECK-NEXT: %[[R:.*]] = ssm.relabel %arg0 [i, j] to [l, l] : [i: K, j: K]
// CHECK-NEXT: return %[[R]]
func.func @diagonal(%x: !ssm.array<i: K, j: K, f32>) -> !ssm.array<l: K, f32> {
  %a = ssm.relabel %x [i] to [j] : [i: K, j: K]
  %r = ssm.relabel %a [j] to [l] : [j: K]
  return %r : !ssm.array<l: K, f32>
}

// of labels that a broadcast adds
// CHECK-LABEL: func.func @broadcast(
// CHECK-NEXT: %[[R:.*]] = ssm.broadcast %arg0 : [j: V] to [j: V, l: K]
// CHECK-NEXT: return %[[R]]
func.func @broadcast(%x: !ssm.array<j: V, f32>) -> !ssm.array<j: V, l: K, f32> {
  %a = ssm.broadcast %x : [j: V] to [i: K, j: V]
  %r = ssm.relabel %a [i] to [l] : [i: K, j: V]
  return %r : !ssm.array<j: V, l: K, f32>
}

// through a pointwise op onto another relabel
// CHECK-LABEL: func.func @pointwise(
// CHECK-NEXT: %[[R:.*]] = ssm.mul %arg0, %arg1 : [i: K], [j: V]
// CHECK-NEXT: return %[[R]]
func.func @pointwise(%x: !ssm.array<i: K, f32>, %y: !ssm.array<j: V, f32>) -> !ssm.array<i: K, j: V, f32> {
  %a = ssm.relabel %x [i] to [l] : [i: K]
  %m = ssm.mul %a, %y : [l: K], [j: V]
  %r = ssm.relabel %m [l] to [i] : [j: V, l: K]
  return %r : !ssm.array<i: K, j: V, f32>
}

// not where it would be an op more
// CHECK-LABEL: func.func @pointwise_leaf(
// CHECK-NEXT: %[[M:.*]] = ssm.mul %arg0, %arg1
// CHECK-NEXT: %[[R:.*]] = ssm.relabel %[[M]] [i] to [l]
// CHECK-NEXT: return %[[R]]
func.func @pointwise_leaf(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<l: K, f32> {
  %m = ssm.mul %x, %y : [i: K], [i: K]
  %r = ssm.relabel %m [i] to [l] : [i: K]
  return %r : !ssm.array<l: K, f32>
}

// a label that is summed over needs no new name
// CHECK-LABEL: func.func @sum(
// CHECK-NEXT: %[[R:.*]] = ssm.sum %arg0 over [i] : [i: K, j: V]
// CHECK-NEXT: return %[[R]]
func.func @sum(%x: !ssm.array<i: K, j: V, f32>) -> !ssm.array<j: V, f32> {
  %a = ssm.relabel %x [i] to [l] : [i: K, j: V]
  %r = ssm.sum %a over [l] : [j: V, l: K]
  return %r : !ssm.array<j: V, f32>
}

// a trace does
// CHECK-LABEL: func.func @trace(
// CHECK-NEXT: %[[D:.*]] = ssm.relabel %arg0 [i] to [j]
// CHECK-NEXT: %[[R:.*]] = ssm.sum %[[D]] over [j]
// CHECK-NEXT: return %[[R]]
func.func @trace(%x: !ssm.array<i: K, j: K, f32>) -> !ssm.array<f32> {
  %a = ssm.relabel %x [i] to [j] : [i: K, j: K]
  %r = ssm.sum %a over [j] : [j: K]
  return %r : !ssm.array<f32>
}
