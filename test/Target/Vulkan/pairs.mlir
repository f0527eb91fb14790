// Pairs of bf16 are multiplied by matrices, where it is known which elements an invocation has of them: the inverse of a
// triangular system, blocks of sixteen steps merged by products (Target/SIMT/inverse.mlir).
// RUN: ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=49152 fragment-layout=true' --canonicalize --cse \
// RUN:   | FileCheck %s
// Where it is not known such a system must have been expanded before.
// RUN: not ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=49152' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: 'ssm.solve' op is to be expanded before it is lowered to threads

// Numbers are read as sums and as either side, and are where they should be, for all invocations: else sums begin with NaN.
// CHECK-LABEL: gpu.func @inverse(
// CHECK:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixB>
// CHECK:       spirv.ControlBarrier <Workgroup>
// CHECK:       %[[AS_SAID:.*]] = arith.cmpf oeq
// CHECK:       %[[NOUGHT:.*]] = arith.select %[[AS_SAID]], %{{.*}}, %{{.*}} : f32
// A column of sixteen for each invocation, then what joins two blocks: eight lanes of a matrix at a time, in three terms
// each, and what that is by the second block. The left side is four pairs, row by row; of the right side half is 0.
// CHECK:       spirv.ControlBarrier <Subgroup>
// CHECK:       spirv.CompositeConstruct {{.*}} : (bf16) -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK-COUNT-7: spirv.CompositeInsert {{.*}} : bf16 into !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK:       spirv.CompositeConstruct {{.*}} : (bf16) -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixB>
// CHECK-COUNT-7: spirv.CompositeInsert {{.*}} : bf16 into !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixB>
// CHECK:       spirv.CompositeConstruct %[[NOUGHT]] : (f32) -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK-COUNT-12: spirv.KHR.CooperativeMatrixMulAdd
tile.kernel @inverse operands [
    #tile.operand<"m" in [s: 32] f32 head>, #tile.operand<"x" out [u: 32] f32 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 32] axis 0 {
    %m = tile.load "m" : [s: 32, t: 32]
    %one = ssm.constant 1.000000e+00
    %zero = ssm.constant 0.000000e+00
    %row = ssm.position over [t: 32]
    %column = ssm.position over [u: 32]
    %same = ssm.cmp eq %row, %column : [t: 32], [u: 32]
    %unit = ssm.select %same, %one, %zero : [t: 32, u: 32] i1, [], []
    %x = ssm.solve (%unit : [t: 32, u: 32]) lower(%m : [s: 32, t: 32]) rows "t" columns "s"
    tile.store "x", %x : [t: 32, u: 32]
    tile.yield
  }
}
