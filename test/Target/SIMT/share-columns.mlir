// Two warps for sixteen columns, where one for each would leave half of the units that multiply without work: 100 items
// of 16 columns on 132 processors of four units. Each warp has half of K, of what carries states on that is.
// RUN: ssmc-opt %s --lower-tile-to-threads=items=100 --canonicalize --cse \
// RUN:   | FileCheck %s --implicit-check-not=llvm.nvvm.barrier.cta.sync
// With 300 items, or where their number is not known, a warp has sixteen columns for itself. (Two warps bring in.)
// RUN: ssmc-opt %s --lower-tile-to-threads=items=300 --canonicalize --cse | FileCheck %s --check-prefix=ALONE
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s --check-prefix=ALONE
// Of 48 positions of K half is no whole number of tiles.
// RUN: sed 's/K: 32/K: 48/g' %s | ssmc-opt --lower-tile-to-threads=items=100 --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=ALONE
// ALONE-LABEL: func.func @columns(
// ALONE-SAME:  threads = 96 : i64
// ALONE-NOT:   llvm.nvvm.barrier.cta.sync.aligned.count

// CHECK-LABEL: func.func @columns(
// CHECK-SAME:  threads = 128 : i64
// CHECK:       llvm.nvvm.barrier.cta.sync.aligned.all
// CHECK:       %[[WARP:.*]] = arith.divui %{{.*}}, %c32_i32
// CHECK:       %[[HALF:.*]] = arith.remui %[[WARP]], %c2_i32
// CHECK:       %[[PAIR:.*]] = arith.divui %[[WARP]], %c2_i32
// CHECK:       %[[IS_COLUMNS:.*]] = arith.cmpi ult, %[[WARP]], %c2_i32
// CHECK:       scf.if %[[IS_COLUMNS]] {
// Of 16 columns by 16 positions of K, those from 0 or from 16 on, a thread has eight numbers.
// CHECK:         arith.muli %[[HALF]], %c16_i32
// CHECK:         %[[LAST:.*]]:8 = scf.for {{.*}} iter_args(
// CHECK-SAME:      %[[S0:[^ ]*]] = %{{.*}}#0, %[[S1:[^ ]*]] = %{{.*}}#1, {{.*}} : i64 {
// CHECK:           mbarrier.try_wait.parity
// What is a product with the states comes first, each warp summing over its own 16 positions: k S, which flows into a
// state, so that what rounding leaves of S is multiplied too, and q S.
// CHECK-COUNT-1:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK-COUNT-2:   llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// CHECK:           %[[KS:.*]] = {{.*}} "llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-NEXT:      %[[KS0:.*]] = llvm.extractvalue %[[KS]][0]
// CHECK-COUNT-1:   llvm.nvvm.mma.m16n8k16.row.col.bf16"(
// CHECK-COUNT-1:   ldmatrix.sync.aligned.m8n8.x4.b16
// CHECK:           %[[QS:.*]] = {{.*}} "llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// CHECK-NEXT:      %[[QS0:.*]] = llvm.extractvalue %[[QS]][0]
// CHECK-COUNT-1:   llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %cst, %cst, %cst, %cst)
// Both products go through shared memory at once: a warp writes its parts, 16 bytes of each thread side by side, meets
// the other one (meeting 1 is of the first pair), and adds what that has written.
// CHECK:           %[[MINE:.*]] = llvm.getelementptr %[[PLACES:.*]][%{{.*}}] : (!llvm.ptr<3>, i32)
// CHECK:           %[[OTHER:.*]] = arith.xori %[[WARP]], %c1_i32
// CHECK:           %[[THEIRS:.*]] = llvm.getelementptr %[[PLACES]][%{{.*}}] : (!llvm.ptr<3>, i32)
// CHECK:           llvm.insertelement %[[KS0]], %{{.*}}[%c0_i32 : i32] : vector<4xf32>
// CHECK:           llvm.store %{{.*}}, %[[MINE]] {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
// CHECK-COUNT-3:   llvm.store {{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
// CHECK-NOT:       llvm.store
// CHECK:           %[[MEETING:.*]] = arith.addi %[[PAIR]], %c1_i32
// CHECK-NEXT:      llvm.nvvm.barrier.cta.sync.aligned.count"(%[[MEETING]], %c64_i32)
// CHECK-NEXT:      %[[PART:.*]] = llvm.load %[[THEIRS]] {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK-NEXT:      %[[KS0_THEIRS:.*]] = llvm.extractelement %[[PART]][%c0_i32 : i32]
// CHECK-NEXT:      %[[R0:.*]] = arith.addf %[[KS0]], %[[KS0_THEIRS]]
// CHECK-COUNT-2:   llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK:           %[[Q0:.*]] = arith.addf %[[QS0]],
// CHECK-COUNT-1:   llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK-NOT:       llvm.load
// What is made of steps alone both make: v - k S, and its product with M, which adds to q S.
// CHECK:           ldmatrix.sync.aligned.m8n8.x4.trans
// CHECK:           %[[W0:.*]] = arith.subf %{{.*}}, %[[R0]]
// CHECK-NEXT:      arith.subf
// CHECK:           llvm.nvvm.ff2bf16x2.rn"(%{{.*}}, %[[W0]])
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[Q0]], %{{.*}}, %{{.*}}, %{{.*}})
// CHECK-COUNT-3:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// Of the output each writes half of the steps.
// CHECK:           %[[LATE:.*]] = arith.cmpi ne, %[[HALF]], %c0_i32
// CHECK-COUNT-4:   arith.select %[[LATE]],
// CHECK:           arith.muli %[[HALF]], %c8_i32
// CHECK-COUNT-2:   movmatrix.sync.aligned.m8n8.trans.b16
// CHECK-NOT:       movmatrix
// The next state: each makes its half, with keys of its own.
// CHECK:           llvm.nvvm.mma.m16n8k16.row.col.bf16"({{.*}}, %[[S0]], %[[S1]],
// CHECK-COUNT-3:   llvm.nvvm.mma.m16n8k16
// CHECK-NOT:       llvm.nvvm.mma
// The place of these sums is that of the next chunk's: they meet once more, so that nothing is overwritten unread.
// CHECK:           llvm.nvvm.barrier.cta.sync.aligned.count"(%{{.*}}, %c64_i32)
// CHECK:           scf.yield
// CHECK:         arith.muli %[[HALF]], %c16_i32
// CHECK-COUNT-8: llvm.store %[[LAST]]#{{.*}} : f32, !llvm.ptr<1>
// CHECK:       } else {
// CHECK:         mbarrier.try_wait.parity
tile.kernel @columns operands [
    #tile.operand<"q" in [K: 32] bf16 head>, #tile.operand<"k" in [K: 32] bf16 head>,
    #tile.operand<"v" in [V: 16] bf16 head>, #tile.operand<"o" out [V: 16] bf16 head>,
    #tile.operand<"S" state_in [K: 32, V: 16] f32 head>, #tile.operand<"S" state_out [K: 32, V: 16] f32 head>,
    #tile.operand<"M" chunk_temp [t: 16, t0: 16] bf16 head>
  ] attributes {columns = "V", factor_type = bf16} {
  %S0 = tile.load "S" : [K: 32, V: 16]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [K: 32, V: 16]) {
    %v = tile.load "v" : [V: 16, t: 16]
    %k = tile.load "k" : [K: 32, t: 16]
    %kS = ssm.mul %k, %S : [K: 32, t: 16], [K: 32, V: 16]
    %r = ssm.sum %kS over [K] : [K: 32, V: 16, t: 16]
    %w = ssm.sub %v, %r : [V: 16, t: 16], [V: 16, t: 16]
    %q = tile.load "q" : [K: 32, t: 16]
    %qS = ssm.mul %q, %S : [K: 32, t: 16], [K: 32, V: 16]
    %before = ssm.sum %qS over [K] : [K: 32, V: 16, t: 16]
    %w0 = ssm.relabel %w [t] to [t0] : [V: 16, t: 16]
    %M = tile.load "M" triangle ["t", "t0"] : [t: 16, t0: 16]
    %Mw = ssm.mul %M, %w0 : [t: 16, t0: 16], [V: 16, t0: 16]
    %within = ssm.sum %Mw over [t0] : [V: 16, t: 16, t0: 16]
    %o = ssm.add %before, %within : [V: 16, t: 16], [V: 16, t: 16]
    tile.store "o", %o : [V: 16, t: 16]
    %kw = ssm.mul %k, %w : [K: 32, t: 16], [V: 16, t: 16]
    %more = ssm.sum %kw over [t] : [K: 32, V: 16, t: 16]
    %next = ssm.add %S, %more : [K: 32, V: 16], [K: 32, V: 16]
    tile.yield %next : [K: 32, V: 16]
  }
  tile.store "S", %S1 : [K: 32, V: 16]
}
