// Columns that never meet, where subgroups multiply matrices: each takes sixteen columns from the first chunk to the last,
// with all that has columns in its invocations' registers.
// RUN: ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=49152 fragment-layout=true' --canonicalize --cse \
// RUN:   | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=49152' --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=LEARNT
// RUN: ssmc-opt %s --lower-tile-to-groups='matrices=true subgroup=32 storage16=true shared-bytes=12288 fragment-layout=true' --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=SMALL
// RUN: sed 's/, factor_type = bf16//' %s | ssmc-opt --lower-tile-to-groups='matrices=true subgroup=32 storage16=true' \
// RUN:   | FileCheck %s --check-prefix=EXACT
// Where factors may not be rounded the kernel is emitted as any other.
// EXACT:     gpu.func @columns(
// EXACT-NOT: CooperativeMatrix

// Of matrices of numbers, of sums and of a left side, each invocation has eight, and they are those that are said, or all
// sums begin with NaN, and so does the state.
// CHECK-LABEL: gpu.func @columns(
// CHECK-SAME:    spirv.entry_point_abi<workgroup_size = [128, 1, 1]>
// CHECK:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK-COUNT-8: spirv.CompositeExtract {{.*}} : !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK-COUNT-8: spirv.CompositeExtract {{.*}} : !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK:       %[[FITS:.*]] = arith.cmpf oeq, %{{.*}}, %cst
// CHECK:       %[[NOTHING:.*]] = arith.select %[[FITS]], %{{.*}}, %cst{{.*}} : f32
// CHECK-COUNT-16: arith.select %[[FITS]], %{{.*}}, %cst{{.*}} : f32
// Two of four subgroups have columns, the others bring in the first chunk, and then the next one while this one is computed.
// CHECK:       scf.if
// CHECK:       spirv.ControlBarrier <Workgroup>
// Of 32 x 16 numbers of the state each invocation has 16.
// CHECK:       scf.for {{.*}} iter_args(
// CHECK-NOT:   spirv.Load "StorageBuffer" {{.*}} : vector<4xi32>
// CHECK:         scf.if
// k times S: the state is a left side as it is. What is cut off of it is multiplied too, as the product flows into the state:
// two tiles of steps, for 16 of K at a time.
// CHECK:         spirv.CompositeConstruct {{.*}} : (bf16) -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK-COUNT-7: spirv.CompositeInsert {{.*}} : bf16 into !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// CHECK:         spirv.CompositeConstruct %[[NOTHING]] : (f32) -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK-NOT:     CooperativeMatrixStore
// CHECK:         spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixB>
// CHECK-NEXT:    spirv.KHR.CooperativeMatrixMulAdd
// CHECK-NEXT:    spirv.KHR.CooperativeMatrixMulAdd
// CHECK-COUNT-6: spirv.KHR.CooperativeMatrixMulAdd
// CHECK-NOT:     CooperativeMatrixMulAdd
// M, a triangle: steps from 0 on reach all 32 steps, those from 16 on the last 16; by M, twice, and by M.rest.
// CHECK:         spirv.CompositeExtract {{.*}} : !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// CHECK-COUNT-9: spirv.KHR.CooperativeMatrixMulAdd
// CHECK-NOT:     CooperativeMatrixMulAdd
// Results by way of a place of the subgroup's own, in which columns lie side by side: sixteen bytes at a time.
// CHECK:         spirv.ControlBarrier <Subgroup>
// CHECK-COUNT-8: spirv.Store "Workgroup" {{.*}} : i16
// CHECK:         spirv.ControlBarrier <Subgroup>
// CHECK:         spirv.Load "Workgroup" {{.*}} : vector<4xi32>
// CHECK:         spirv.Store "StorageBuffer" {{.*}} : vector<4xi32>
// The next state, which this one's is the start of. Meanwhile 16 bytes at a time, of each of v, k, M and M.rest two for an
// invocation. Both chunks have room: threads meet once.
// CHECK:         spirv.KHR.CooperativeMatrixMulAdd
// CHECK-NOT:     spirv.ControlBarrier <Workgroup>
// CHECK:         scf.yield
// CHECK:         } else {
// CHECK-COUNT-8: spirv.Load "StorageBuffer" {{.*}} : vector<4xi32>
// CHECK:         spirv.Store "Workgroup" {{.*}} : vector<4xi32>
// CHECK:         spirv.ControlBarrier <Workgroup>
// CHECK-NOT:     spirv.ControlBarrier <Workgroup>
// CHECK:         scf.yield
// CHECK:       gpu.return

// Where nothing is said of elements, which ones they are is learnt, and left sides go by way of the place.
// LEARNT-LABEL: gpu.func @columns(
// LEARNT:       spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xf32, Subgroup, MatrixAcc>
// LEARNT-NOT:   MatrixA>
// LEARNT:       arith.fptoui
// LEARNT:       scf.for {{.*}} iter_args(
// LEARNT-NOT:   spirv.CompositeInsert {{.*}} : bf16
// LEARNT:         spirv.ControlBarrier <Subgroup>
// LEARNT-COUNT-8: spirv.Store "Workgroup" {{.*}} : i16
// LEARNT:         spirv.ControlBarrier <Subgroup>
// LEARNT-NOT:   spirv.CompositeInsert {{.*}} : bf16
// LEARNT:         spirv.KHR.CooperativeMatrixLoad {{.*}} -> !spirv.coopmatrix<16x16xbf16, Subgroup, MatrixA>
// LEARNT:       gpu.return

// Where one chunk alone has room all bring it in, those without columns too, and the next one takes its place once it is computed.
// SMALL-LABEL: gpu.func @columns(
// SMALL-SAME:    spirv.entry_point_abi<workgroup_size = [128, 1, 1]>
// SMALL:       scf.for {{.*}} iter_args(
// SMALL:         spirv.ControlBarrier <Workgroup>
// SMALL:         scf.if
// SMALL:         spirv.ControlBarrier <Workgroup>
// SMALL:         scf.yield
// SMALL:       gpu.return
tile.kernel @columns operands [
    #tile.operand<"k" in [K: 32] bf16 head>, #tile.operand<"v" in [V: 32] bf16 head>,
    #tile.operand<"S" state_in [K: 32, V: 32] f32 head>, #tile.operand<"S" state_out [K: 32, V: 32] f32 head>,
    #tile.operand<"o" out [V: 32] bf16 head>,
    #tile.operand<"M" chunk_temp [t: 32, t0: 32] bf16 head>, #tile.operand<"M.rest" chunk_temp [t: 32, t0: 32] bf16 head>
  ] attributes {columns = "V", factor_type = bf16} {
  %S0 = tile.load "S" : [K: 32, V: 32]
  %S1 = tile.sequence over [t: 32] axis 0 carry(%S = %S0 : [K: 32, V: 32]) {
    %v = tile.load "v" : [V: 32, t: 32]
    %k = tile.load "k" : [K: 32, t: 32]
    %kS = ssm.mul %k, %S : [K: 32, t: 32], [K: 32, V: 32]
    %r = ssm.sum %kS over [K] : [K: 32, V: 32, t: 32]
    %w = ssm.sub %v, %r : [V: 32, t: 32], [V: 32, t: 32]
    %w0 = ssm.relabel %w [t] to [t0] : [V: 32, t: 32]
    %M = tile.load "M" triangle ["t", "t0"] : [t: 32, t0: 32]
    %Mrest = tile.load "M.rest" triangle ["t", "t0"] : [t: 32, t0: 32]
    %both = ssm.add %M, %Mrest : [t: 32, t0: 32], [t: 32, t0: 32]
    %Mw = ssm.mul %both, %w0 : [t: 32, t0: 32], [V: 32, t0: 32]
    %o = ssm.sum %Mw over [t0] : [V: 32, t: 32, t0: 32]
    tile.store "o", %o : [V: 32, t: 32]
    %ko = ssm.mul %k, %o : [K: 32, t: 32], [V: 32, t: 32]
    %more = ssm.sum %ko over [t] : [K: 32, V: 32, t: 32]
    %next = ssm.add %S, %more : [K: 32, V: 32], [K: 32, V: 32]
    tile.yield %next : [K: 32, V: 32]
  }
  tile.store "S", %S1 : [K: 32, V: 32]
}
