// Products in f32: each thread computes a block of the result in registers.
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-groups --canonicalize --cse | FileCheck %s --check-prefix=WORDS

// 16 steps by 128 positions of j for 128 threads: four steps by four positions each.
// CHECK-LABEL: func.func @product(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// W lies with j side by side, x with i: in memory of the block each row has room for four elements more, so that rows
// begin in different banks.
// CHECK:       %[[J:.*]] = arith.remui %[[THREAD]], %c32_i32
// CHECK:       %[[T:.*]] = arith.divui %[[THREAD]], %c32_i32
// CHECK:       %[[J4:.*]] = arith.muli %[[J]], %c4_i32
// 16 sums, four terms at a time.
// CHECK:       %[[SUMS:.*]]:16 = scf.for %[[I:.*]] = %c0_i32 to %c64_i32 step %c4_i32 iter_args(
// Of x four positions of i at once, for each of four steps, every fourth one: 4 * 68 elements apart.
// CHECK:         %[[ROW:.*]] = arith.muli %[[T]], %c68_i32
// CHECK:         arith.addi %[[ROW]], %[[I]]
// CHECK:         llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK:         llvm.getelementptr %{{.*}}[272] :
// CHECK:         llvm.load {{.*}} : !llvm.ptr<3> -> vector<4xf32>
// CHECK:         llvm.getelementptr %{{.*}}[544] :
// CHECK:         llvm.load {{.*}} : !llvm.ptr<3> -> vector<4xf32>
// CHECK:         llvm.getelementptr %{{.*}}[816] :
// CHECK:         llvm.load {{.*}} : !llvm.ptr<3> -> vector<4xf32>
// Of W four positions of j at once, for each of four positions of i. Nothing else is read.
// CHECK:         arith.addi %{{.*}}, %[[J4]]
// CHECK-COUNT-4: llvm.load {{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
// CHECK-NOT:     llvm.load
// CHECK-COUNT-64: arith.addf
// CHECK-NOT:     arith.addf
// CHECK:         scf.yield
// What is made of the sums is made where they are: they never lie in memory, and four are written one after the other.
// CHECK:       arith.mulf %[[SUMS]]#0, %[[GATE:.*]] :
// CHECK:       arith.mulf %[[SUMS]]#1,
// CHECK-NOT:   llvm.store {{.*}} !llvm.ptr<3>
// CHECK:       arith.mulf %[[SUMS]]#15,
// The last tile, which may be partial, computes all of its blocks, and writes what exists.
// CHECK:       } else {
// CHECK:         %{{.*}}:16 = scf.for
// CHECK:         %[[EXISTS:.*]] = arith.cmpi slt, %{{.*}}, %{{.*}} : i32
// CHECK:         scf.if %[[EXISTS]] {

// Where memory is of words, elements are read one by one, rows have room for one word more, and threads next to each
// other have positions of j next to each other.
// WORDS-LABEL: gpu.func @product(
// WORDS:       %[[THREAD:.*]] = arith.index_cast %thread_id_x
// WORDS:       %[[J:.*]] = arith.remui %[[THREAD]], %c32_i32
// WORDS:       %[[SUMS:.*]]:16 = scf.for %[[I:.*]] = %c0_i32 to %c64_i32 step %c1_i32 iter_args(
// WORDS:         %[[ROW:.*]] = arith.muli %{{.*}}, %c65_i32
// WORDS:         arith.addi %[[ROW]], %[[I]]
// WORDS:         arith.muli %[[I]], %c129_i32
// WORDS:         arith.addi %{{.*}}, %c32_i32
// WORDS:         arith.addi %{{.*}}, %c64_i32
// WORDS:         arith.addi %{{.*}}, %c96_i32
// WORDS:         scf.yield
tile.kernel @product operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"W" param [i: 64, j: 128] f32 head>,
    #tile.operand<"g" in [j: 128] f32 head>, #tile.operand<"o" out [j: 128] f32 head>] {
  %W = tile.load "W" : [i: 64, j: 128]
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 64, t: 16]
    %g = tile.load "g" : [j: 128, t: 16]
    %xW = ssm.mul %x, %W : [i: 64, t: 16], [i: 64, j: 128]
    %sum = ssm.sum %xW over [i] : [i: 64, j: 128, t: 16]
    %o = ssm.mul %sum, %g : [j: 128, t: 16], [j: 128, t: 16]
    tile.store "o", %o : [j: 128, t: 16]
    tile.yield
  }
}
