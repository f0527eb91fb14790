// Tiles that do not wait for each other are shared by the blocks of the grid's second axis: block y takes tiles y,
// y + n, y + 2n, ... of n blocks. `shared_tile` tells the launcher how many tiles there are to share.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @double(
// CHECK-SAME:  shared_tile = 16 : i64
// CHECK:       %[[TILES:.*]] = arith.divsi %{{.*}}, %c16_i64
// CHECK:       %[[Y:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.ctaid.y"
// CHECK:       %[[FIRST:.*]] = arith.extui %[[Y]]
// CHECK:       %[[N:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.nctaid.y"
// CHECK:       %[[STEP:.*]] = arith.extui %[[N]]
// CHECK:       scf.for %{{.*}} = %[[FIRST]] to %[[TILES]] step %[[STEP]]
tile.kernel @double operands [
    #tile.operand<"x" in [i: 8] f32 head>, #tile.operand<"y" out [i: 8] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 8, t: 16]
    %y = ssm.add %x, %x : [i: 8, t: 16], [i: 8, t: 16]
    tile.store "y", %y : [i: 8, t: 16]
    tile.yield
  }
}
