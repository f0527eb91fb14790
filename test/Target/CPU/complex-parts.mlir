// Parts of complex numbers lie two elements apart: a vector of them is two vectors and a shuffle, of which the second ends with
// the last element that is wanted.
// RUN: ssmc-opt %s --lower-tile-to-loops --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @real(
// CHECK:       %[[FIRST:.*]] = llvm.load %[[AT:.*]] {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK-NEXT:  %[[BEHIND:.*]] = llvm.getelementptr %[[AT]][15]
// CHECK-NEXT:  %[[SECOND:.*]] = llvm.load %[[BEHIND]] {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
// CHECK-NEXT:  vector.shuffle %[[FIRST]], %[[SECOND]] [0, 2, 4, 6, 8, 10, 12, 14, 17, 19, 21, 23, 25, 27, 29, 31]
tile.kernel @real operands [#tile.operand<"z" in [n: 16] complex<f32> head>, #tile.operand<"o" out [n: 16] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %z = tile.load "z" part re : [n: 16, t: 16]
    %o = ssm.add %z, %z : [n: 16, t: 16], [n: 16, t: 16]
    tile.store "o", %o : [n: 16, t: 16]
    tile.yield
  }
}
