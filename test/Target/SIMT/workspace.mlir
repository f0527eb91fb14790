// Where shared memory is small, nothing is brought in a tile ahead; where that is not enough, the largest of the places
// that are in use together move to the workspace, a part of the caller's memory for each block. The code is the same,
// in another address space.
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=49152 --canonicalize --cse | FileCheck %s --check-prefix=ROOM
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=30000 --canonicalize --cse | FileCheck %s --check-prefix=LESS
// RUN: ssmc-opt %s --lower-tile-to-threads=shared-bytes=4096 --canonicalize --cse | FileCheck %s

// ROOM-NOT:    workspace_bytes
// ROOM:        cp.async
// With less there is one place for a tile, which is waited for in the tile itself.
// LESS-NOT:    workspace_bytes
// LESS-COUNT-2: cp.async.cg.shared.global.16
// LESS:        cp.async.wait.all
// LESS-NEXT:   llvm.nvvm.barrier

// The state and a tile of v: 8 KiB each, and four elements more for each row. (What a tile adds to the state is added
// where it is computed.) What is left of shared memory holds `n` and k.
// CHECK-LABEL: func.func @sums(
// CHECK-SAME:  %[[WORKSPACE:arg6]]: !llvm.ptr<1>
// CHECK-SAME:  shared_bytes = 1408 : i64, {{.*}}workspace_bytes = 16896 : i64
// The block's own part of it, by its number among all of the grid.
// CHECK:       %[[BLOCK:.*]] = arith.extui
// CHECK:       %[[ROWS:.*]] = arith.muli
// CHECK:       %[[NUMBER:.*]] = arith.addi %[[ROWS]], %[[BLOCK]]
// CHECK:       %[[OFFSET:.*]] = arith.muli %[[NUMBER]], %c16896_i64
// CHECK:       %[[SPACE:.*]] = llvm.getelementptr %[[WORKSPACE]][%[[OFFSET]]]
// CHECK:       llvm.getelementptr %[[SPACE]][8448]
// Copies of 16 bytes go there as well, through registers.
// CHECK-NOT:   cp.async
// CHECK:       llvm.store {{.*}} : vector<4xf32>, !llvm.ptr<1>

tile.kernel @sums operands [
    #tile.operand<"k" in [i: 16] f32 head>, #tile.operand<"v" in [j: 128] f32 head>,
    #tile.operand<"n" state_out [i: 16] f32 head>,
    #tile.operand<"S" state_out [i: 16, j: 128] f32 head>] {
  %zero = ssm.constant 0.000000e+00
  %n0 = ssm.broadcast %zero : [] to [i: 16]
  %S0 = ssm.broadcast %zero : [] to [i: 16, j: 128]
  %all:2 = tile.sequence over [t: 16] axis 0 carry(%n = %n0 : [i: 16], %S = %S0 : [i: 16, j: 128]) {
    %k = tile.load "k" : [i: 16, t: 16]
    %v = tile.load "v" : [j: 128, t: 16]
    %sk = ssm.sum %k over [t] : [i: 16, t: 16]
    %n1 = ssm.add %n, %sk : [i: 16], [i: 16]
    %kv = ssm.mul %k, %v : [i: 16, t: 16], [j: 128, t: 16]
    %skv = ssm.sum %kv over [t] : [i: 16, j: 128, t: 16]
    %S1 = ssm.add %S, %skv : [i: 16, j: 128], [i: 16, j: 128]
    tile.yield %n1, %S1 : [i: 16], [i: 16, j: 128]
  }
  tile.store "n", %all#0 : [i: 16]
  tile.store "S", %all#1 : [i: 16, j: 128]
}
