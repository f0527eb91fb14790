// What a thread writes side by side it writes at once, where it is known that the place begins at a multiple of 16
// bytes: in the block's memory (stages.mlir, products.mlir), in arrays of a chunk that kernels have for themselves, and in
// outputs.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s

// CHECK-LABEL: func.func @runs(
// A whole tile: 16 x 32 elements are four for each thread.
// CHECK:         scf.if
// CHECK:           llvm.nvvm.barrier
// T, in f32.
// CHECK:           %[[E0:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
// CHECK:           %[[E1:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
// CHECK:           %[[E2:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
// CHECK:           %[[E3:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f"
// CHECK-NEXT:      %[[V1:.*]] = llvm.insertelement %[[E0]], %{{.*}}[%c0_i32 : i32] : vector<4xf32>
// CHECK-NEXT:      %[[V2:.*]] = llvm.insertelement %[[E1]], %[[V1]][%c1_i32 : i32]
// CHECK-NEXT:      %[[V3:.*]] = llvm.insertelement %[[E2]], %[[V2]][%c2_i32 : i32]
// CHECK-NEXT:      %[[V4:.*]] = llvm.insertelement %[[E3]], %[[V3]][%c3_i32 : i32]
// CHECK:           llvm.store %[[V4]], {{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<1>
// P, in bf16: two pairs. What rounding leaves lies alike.
// CHECK:           %[[N0:.*]] = arith.negf
// CHECK:           %[[N1:.*]] = arith.negf
// CHECK:           %[[N2:.*]] = arith.negf
// CHECK:           %[[N3:.*]] = arith.negf
// CHECK-DAG:       %[[R0:.*]] = arith.subf %[[N0]],
// CHECK-DAG:       %[[R1:.*]] = arith.subf %[[N1]],
// CHECK-DAG:       %[[R2:.*]] = arith.subf %[[N2]],
// CHECK-DAG:       %[[R3:.*]] = arith.subf %[[N3]],
// CHECK:           %[[A:.*]] = {{.*}} "llvm.nvvm.ff2bf16x2.rn"(%[[N1]], %[[N0]])
// CHECK-NEXT:      %[[LOW:.*]] = llvm.bitcast %[[A]] : vector<2xbf16> to i32
// CHECK-NEXT:      %[[B:.*]] = {{.*}} "llvm.nvvm.ff2bf16x2.rn"(%[[N3]], %[[N2]])
// CHECK-NEXT:      %[[HIGH:.*]] = llvm.bitcast %[[B]] : vector<2xbf16> to i32
// CHECK-NEXT:      %[[V1:.*]] = llvm.insertelement %[[LOW]], %{{.*}}[%c0_i32 : i32] : vector<2xi32>
// CHECK-NEXT:      %[[V2:.*]] = llvm.insertelement %[[HIGH]], %[[V1]][%c1_i32 : i32] : vector<2xi32>
// CHECK:           llvm.store %[[V2]], {{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<1>
// CHECK:           "llvm.nvvm.ff2bf16x2.rn"(%[[R1]], %[[R0]])
// CHECK:           "llvm.nvvm.ff2bf16x2.rn"(%[[R3]], %[[R2]])
// CHECK:           llvm.store {{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<1>
// Rows of an output, which are whole multiples of 16 bytes, are asked to begin at such.
// CHECK:           llvm.store {{.*}} {alignment = 8 : i64} : vector<2xi32>, !llvm.ptr<1>
// Of a tile that is not whole each element asks whether it exists.
// CHECK:         } else {
// CHECK-NOT:       llvm.store {{.*}} !llvm.ptr<1>
// CHECK:           %[[EXISTS:.*]] = arith.cmpi slt
// CHECK-NEXT:      scf.if %[[EXISTS]]
// CHECK:             llvm.store {{.*}} {alignment = 4 : i64} : f32, !llvm.ptr<1>
// CHECK-NOT:         : vector<{{.*}}, !llvm.ptr<1>{{$}}
tile.kernel @runs operands [
    #tile.operand<"k" in [K: 32] bf16 head>, #tile.operand<"o" out [K: 32] bf16 head>,
    #tile.operand<"T" chunk_temp [t: 16, K: 32] f32 head>,
    #tile.operand<"P" chunk_temp [t: 16, K: 32] bf16 head>, #tile.operand<"P.rest" chunk_temp [t: 16, K: 32] bf16 head>
  ] attributes {factor_type = bf16} {
  tile.sequence over [t: 16] axis 0 {
    %k = tile.load "k" : [K: 32, t: 16]
    %e = ssm.exp %k : [K: 32, t: 16]
    tile.store "T", %e : [K: 32, t: 16]
    %n = ssm.neg %k : [K: 32, t: 16]
    tile.store "P", %n : [K: 32, t: 16]
    tile.store "P.rest", %n rest : [K: 32, t: 16]
    %d = ssm.add %k, %k : [K: 32, t: 16], [K: 32, t: 16]
    tile.store "o", %d : [K: 32, t: 16]
    tile.yield
  }
}
