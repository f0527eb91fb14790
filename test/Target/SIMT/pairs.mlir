// A side of a product that is kept as two bf16, what rounding gave and what it left: it is read as it lies, and not
// added up and rounded again.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// Where one block alone fills a processor's memory it has more threads, as no other has work while it waits.
// RUN: sed 's/K: 32/K: 64/g; s/V: 64/V: 128/g' %s | ssmc-opt --lower-tile-to-threads | FileCheck %s --check-prefix=MORE
// MORE: launch = {{{.*}}threads = 256

// CHECK-LABEL: func.func @pairs(
// CHECK-SAME:  threads = 128
// CHECK:       scf.for
// A whole tile: q has been asked for while the one before was computed, and that of the next one is (tile-ahead.mlir).
// S and its rest come now, eight numbers at a time, from what kernels have for themselves to the block's memory.
// CHECK:         scf.if
// CHECK-NEXT:      llvm.call_intrinsic "llvm.nvvm.cp.async.wait.all"
// CHECK-NEXT:      llvm.call_intrinsic "llvm.nvvm.barrier
// CHECK:           llvm.nvvm.cp.async.cg.shared.global.16"(
// CHECK-COUNT-2:   llvm.store {{.*}} : vector<8xbf16>, !llvm.ptr<3>
// CHECK-NEXT:      }
// CHECK-NEXT:      llvm.call_intrinsic "llvm.nvvm.barrier
// CHECK-NOT:       llvm.nvvm.ff2bf16x2
// CHECK:           ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-NOT:       arith.addf
// CHECK:           ldmatrix.sync.aligned.m8n8.x4.trans.b16
// CHECK-COUNT-2:   llvm.nvvm.mma.m16n8k16
// CHECK:           scf.yield
// CHECK:           llvm.store {{.*}} : i16, !llvm.ptr<1>
tile.kernel @pairs operands [
    #tile.operand<"q" in [K: 32] bf16 head>, #tile.operand<"o" out [V: 64] bf16 head>,
    #tile.operand<"S" chunk_temp [K: 32, V: 64] bf16 head>, #tile.operand<"S.rest" chunk_temp [K: 32, V: 64] bf16 head>
  ] attributes {factor_type = bf16} {
  tile.sequence over [t: 16] axis 0 {
    %q = tile.load "q" : [K: 32, t: 16]
    %S = tile.load "S" : [K: 32, V: 64]
    %Srest = tile.load "S.rest" : [K: 32, V: 64]
    %both = ssm.add %S, %Srest : [K: 32, V: 64], [K: 32, V: 64]
    %qS = ssm.mul %q, %both : [K: 32, t: 16], [K: 32, V: 64]
    %o = ssm.sum %qS over [K] : [K: 32, V: 64, t: 16]
    tile.store "o", %o : [V: 64, t: 16]
    tile.yield
  }
}
