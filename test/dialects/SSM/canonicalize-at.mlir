// The part at a position of what is the same at every position.
// RUN: ssmc-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: func.func @whole(
// CHECK: ssm.fold over [s: 2]
// CHECK-NEXT: %[[B:.*]] = ssm.broadcast %arg0 : [] to [i: K]
// CHECK-NEXT: ssm.yield %[[B]]
func.func @whole(%x: !ssm.array<f32>) -> !ssm.array<i: K, s: 2, f32> {
  %b = ssm.broadcast %x : [] to [i: K, s: 2]
  %r = ssm.fold over [s: 2] {
    %a = ssm.at %b "s" : [i: K, s: 2]
    ssm.yield %a : [i: K]
  }
  return %r : !ssm.array<i: K, s: 2, f32>
}

// CHECK-LABEL: func.func @part(
// CHECK: %[[A:.*]] = ssm.at %arg0 "s" : [s: 2]
// CHECK-NEXT: %[[B:.*]] = ssm.broadcast %[[A]] : [] to [i: K]
// CHECK-NEXT: ssm.yield %[[B]]
func.func @part(%x: !ssm.array<s: 2, f32>) -> !ssm.array<i: K, s: 2, f32> {
  %b = ssm.broadcast %x : [s: 2] to [i: K, s: 2]
  %r = ssm.fold over [s: 2] {
    %a = ssm.at %b "s" : [i: K, s: 2]
    ssm.yield %a : [i: K]
  }
  return %r : !ssm.array<i: K, s: 2, f32>
}
