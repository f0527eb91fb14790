// Products by matrices of subgroups, where a device has them: sides as bf16 in shared memory, which is seen as arrays of
// different elements at once.
// RUN: ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=49152' --canonicalize --cse | FileCheck %s --check-prefix=MATRICES
// RUN: ssmc-opt %s --lower-tile-to-groups='subgroup=32 storage16=true shared-bytes=49152' --canonicalize --cse | FileCheck %s --check-prefix=NONE

// Views of one memory are aliases, with a layout of their own.
// MATRICES:       gpu.module @product_module
// MATRICES-DAG:     spirv.GlobalVariable @{{.*}} {aliased} : !spirv.ptr<!spirv.struct<(!spirv.array<{{.*}} x i16, stride=2> [0]), Block>, Workgroup>
// MATRICES-DAG:     spirv.GlobalVariable @{{.*}} {aliased} : !spirv.ptr<!spirv.struct<(!spirv.array<{{.*}} x i32, stride=4> [0]), Block>, Workgroup>
// What is brought to shared memory is there, for whoever reads it, past barriers that say so.
// MATRICES:       spirv.ControlBarrier <Workgroup>, <Workgroup>, <AcquireRelease|UniformMemory|WorkgroupMemory|MakeAvailable|MakeVisible>
// The left side lies by its own rows, the right one by those of the sum: two of 16 positions each of the label that is
// summed.
// MATRICES:       scf.for
// MATRICES:         spirv.KHR.CooperativeMatrixLoad %{{.*}}, %{{.*}}, <{{Row|Column}}Major>, <NonPrivatePointer> : !spirv.ptr<i16, Workgroup>, i32 -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// MATRICES:         spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixB>
// MATRICES:         spirv.KHR.CooperativeMatrixMulAdd {{.*}} -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// What is made of the sums element by element is so in a place of the subgroup's own.
// MATRICES:       spirv.ControlBarrier <Subgroup>, <Subgroup>, <AcquireRelease|WorkgroupMemory|MakeAvailable|MakeVisible>
// MATRICES:       spirv.KHR.CooperativeMatrixStore
// MATRICES-NEXT:  spirv.ControlBarrier <Subgroup>, <Subgroup>,
// Steps that are no whole tile are computed in f32.
// MATRICES:       } else {
// MATRICES-NOT:   CooperativeMatrix
// MATRICES:       gpu.return

// NONE-NOT:       CooperativeMatrix
// NONE:           gpu.func @product(
// NONE-NOT:       CooperativeMatrix
tile.kernel @product operands [
    #tile.operand<"x" in [i: 32] bf16 head>, #tile.operand<"W" param [i: 32, j: 32] bf16 head>,
    #tile.operand<"o" out [j: 32] bf16 head>] attributes {factor_type = bf16} {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 32, t: 16]
    %W = tile.load "W" : [i: 32, j: 32]
    %xW = ssm.mul %x, %W : [i: 32, t: 16], [i: 32, j: 32]
    %s = ssm.sum %xW over [i] : [i: 32, j: 32, t: 16]
    %o = ssm.tanh %s : [j: 32, t: 16]
    tile.store "o", %o : [j: 32, t: 16]
    tile.yield
  } {tile.steps = {t = 1 : i64}}
}
