// Types and attributes in their long form. Axes are a set: they print sorted by label.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: func.func private @scalar(!ssm.array<f32>)
func.func private @scalar(!ssm.array<f32>)

// CHECK: func.func private @sorted(!ssm.array<i: K, j: 64, f32>)
func.func private @sorted(!ssm.array<j: 64, i: K, f32>)

// CHECK: func.func private @elements(!ssm.array<K, complex<f32>>, !ssm.array<K, i1>, !ssm.array<K, i32>)
func.func private @elements(!ssm.array<K: K, complex<f32>>, !ssm.array<K, i1>, !ssm.array<K, i32>)

// Labels may be called like types.
// CHECK: func.func private @words(!ssm.array<complex: K, f32: 2, i1, i1>)
func.func private @words(!ssm.array<f32: 2, i1, complex: K, i1>)

// CHECK: func.func private @quoted(!ssm.array<"w~1": x.re, f32>)
func.func private @quoted(!ssm.array<"w~1": x.re, f32>)

// CHECK: axes = [#ssm.axis<i: K>, #ssm.axis<i: 128>, #ssm.axis<K>, #ssm.axis<"w~1": 0>]
// CHECK-SAME: dims = [#ssm.dim<K>, #ssm.dim<J = 2>, #ssm.dim<"w~1" = 0>]
func.func private @attributes() attributes {
  axes = [#ssm.axis<i: K>, #ssm.axis<i: 128>, #ssm.axis<K: K>, #ssm.axis<"w~1": 0>],
  dims = [#ssm.dim<K>, #ssm.dim<J = 2>, #ssm.dim<"w~1" = 0>]
}
