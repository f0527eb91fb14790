// Sums of many terms: without a size of subgroups invocations meet in shared memory alone; with one those next to each
// other exchange parts of a sum, by as many steps as the size allows.
// RUN: ssmc-opt %s --lower-tile-to-groups --canonicalize --cse | FileCheck %s --check-prefix=NONE
// RUN: ssmc-opt %s --lower-tile-to-groups=subgroup=4 --canonicalize --cse | FileCheck %s --check-prefix=FOUR
// RUN: ssmc-opt %s --lower-tile-to-groups=subgroup=32 --canonicalize --cse | FileCheck %s --check-prefix=MANY

// NONE:      gpu.func @sums(
// NONE-NOT:  spirv.GroupNonUniform
// FOUR:      gpu.func @sums(
// FOUR:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c2_i32 :
// FOUR:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c1_i32 :
// FOUR-NOT:  spirv.GroupNonUniform
// MANY:      gpu.func @sums(
// MANY:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c8_i32 :
// MANY:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c4_i32 :
// MANY:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c2_i32 :
// MANY:      spirv.GroupNonUniformShuffleXor <Subgroup> %{{.*}}, %c1_i32 :
// MANY-NOT:  spirv.GroupNonUniform
tile.kernel @sums operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"W" param [i: 64, j: 8] f32 head>,
    #tile.operand<"o" out [j: 8] f32 head>] {
  tile.sequence over [t: 1] axis 0 {
    %x = tile.load "x" : [i: 64]
    %W = tile.load "W" : [i: 64, j: 8]
    %xW = ssm.mul %x, %W : [i: 64], [i: 64, j: 8]
    %o = ssm.sum %xW over [i] : [i: 64, j: 8]
    tile.store "o", %o : [j: 8]
    tile.yield
  }
}
