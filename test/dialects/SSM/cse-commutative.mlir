// Commutative ops with their operands in either order are one value.
// RUN: ssmc-opt %s --cse --canonicalize | FileCheck %s

// x * y and y * x
// CHECK-LABEL: func.func @products(
// CHECK-NEXT: %[[M:.*]] = ssm.mul
// CHECK-NEXT: return %[[M]]
func.func @products(%x: !ssm.array<i: K, f32>, %y: !ssm.array<i: K, f32>) -> !ssm.array<i: K, f32> {
  %a = ssm.mul %x, %y : [i: K], [i: K]
  %b = ssm.mul %y, %x : [i: K], [i: K]
  %r = ssm.max %a, %b : [i: K], [i: K]
  return %r : !ssm.array<i: K, f32>
}
