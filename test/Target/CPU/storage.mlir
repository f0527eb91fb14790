// Stored types are converted by integers; the lanes past an odd extent are masked in user memory only.
// RUN: ssmc-opt %s --lower-tile-to-loops="lanes=8 registers=16" --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @copy(
// CHECK:         llvm.load %{{.*}} {alignment = 2 : i64} : !llvm.ptr -> vector<8xi16>
// CHECK:         arith.extui %{{.*}} : vector<8xi16> to vector<8xi32>
// CHECK:         llvm.store %{{.*}} {alignment = 4 : i64} : vector<8xf32>
// CHECK:         llvm.intr.masked.load %{{.*}} {alignment = 2 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xi16>) -> vector<8xi16>
// CHECK:         llvm.intr.masked.store %{{.*}} {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into !llvm.ptr
tile.kernel @copy operands [#tile.operand<"x" in [i: 12] bf16 head>, #tile.operand<"y" out [i: 12] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 12, t: 16]
    tile.store "y", %x : [i: 12, t: 16]
    tile.yield
  }
}
