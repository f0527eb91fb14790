// Arrays share bindings where a kernel has more of them than a device has storage buffers. A pointer stays what it is:
// a parameter that says where in its binding an array begins.
// RUN: ssmc-opt %s --lower-tile-to-groups=bindings=11 --canonicalize | FileCheck %s --check-prefix=ENOUGH
// RUN: ssmc-opt %s --lower-tile-to-groups=bindings=10 --canonicalize | FileCheck %s --check-prefix=TEN
// RUN: ssmc-opt %s --lower-tile-to-groups=bindings=9 --canonicalize | FileCheck %s --check-prefix=NINE
// RUN: ssmc-opt %s --lower-tile-to-groups=bindings=3 --canonicalize | FileCheck %s --check-prefix=LEAST
// RUN: ssmc-opt %s --lower-tile-to-groups='bindings=5 storage16=true' --canonicalize | FileCheck %s --check-prefix=KINDS

// The parameters, offsets, and nine arrays.
// ENOUGH:       gpu.func @left(%arg0: {{.*}}, %arg10: {{[^,]*, [^,]*}}) kernel

// One too many: two temporaries are together, the two smaller ones, so that none of the buffers is larger than it must
// be. The first is at binding 2, the others share binding 3 under parameters of their own: 7 + 5 n is the n-th array's.
// TEN:          gpu.func @left(%arg0: {{.*}}, %arg9: {{[^,]*, [^,]*}}) kernel
// TEN:            %[[SECOND:.*]] = memref.load %arg0[%c12]
// TEN:            %[[THIRD:.*]] = memref.load %arg0[%c17]
// TEN:            arith.shrui %[[SECOND]], %c2_i32
// TEN:            memref.store %{{.*}}, %arg3[
// TEN:            arith.shrui %[[THIRD]], %c2_i32
// TEN:            memref.store %{{.*}}, %arg3[

// All three are.
// NINE:         gpu.func @left(%arg0: {{.*}}, %arg8: {{[^,]*, [^,]*}}) kernel
// NINE-COUNT-3:   memref.store %{{.*}}, %arg2[
// NINE-NOT:       memref.store %{{.*}}, %arg2[

// As few as can be: the parameters, offsets, and all arrays in one buffer.
// LEAST:        gpu.func @left(%arg0: {{.*}}, %arg2: {{[^,]*, [^,]*}}) kernel

// Arrays of 16-bit elements do not share a binding with arrays of words.
// KINDS:        gpu.func @left(
// KINDS-SAME:     %arg2: memref<?xi32, {{.*}}, %arg3: memref<?xi32, {{.*}}, %arg4: memref<?xi16, {{[^,]*}}) kernel
tile.kernel @left operands [
    #tile.operand<"large" temp [i: 64] f32 head>, #tile.operand<"small" temp [i: 32] f32 head>,
    #tile.operand<"least" temp [i: 16] f32 head>, #tile.operand<"x" in [i: 64] f32 head>,
    #tile.operand<"y" in [i: 32] bf16 head>, #tile.operand<"z" in [i: 16] bf16 head>,
    #tile.operand<"P" param [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"S" state_out [i: 64] f32 head>] {
  %S = tile.load "S" : [i: 64]
  tile.store "S", %S : [i: 64]
  tile.sequence over [t: 1] axis 0 {
    %x = tile.load "x" : [i: 64]
    %y = tile.load "y" : [i: 32]
    %z = tile.load "z" : [i: 16]
    %P = tile.load "P" : [i: 64]
    %xP = ssm.add %x, %P : [i: 64], [i: 64]
    tile.store "large", %xP : [i: 64]
    tile.store "small", %y : [i: 32]
    tile.store "least", %z : [i: 16]
    tile.yield
  }
}
