// Where a block has a processor for itself, two folds of 32 each: the second is done by the threads that the first leaves
// free. (With room for one block there are twice the threads.)
// RUN: ssmc-opt %s --lower-tile-to-threads="shared-bytes=1200" --canonicalize --cse | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-threads --canonicalize --cse | FileCheck %s --check-prefix=ROOM
// ROOM-NOT:    arith.andi

// CHECK-LABEL: func.func @besides(
// CHECK:       %[[THREAD:.*]] = llvm.call_intrinsic "llvm.nvvm.read.ptx.sreg.tid.x"
// CHECK:       arith.cmpi slt, %[[THREAD]], %c32_i32
// CHECK:       %[[TURNED:.*]] = arith.addi %[[THREAD]], %c224_i32
// CHECK:       %[[OTHER:.*]] = arith.andi %[[TURNED]], %c255_i32
// CHECK:       arith.cmpi slt, %[[OTHER]], %c32_i32
tile.kernel @besides operands [
    #tile.operand<"x" param [i: 32, n: 4] f32 head>,
    #tile.operand<"a" state_out [i: 32] f32 head>, #tile.operand<"b" state_out [i: 32] f32 head>]
    attributes {factor_type = bf16} {
  %x = tile.load "x" : [i: 32, n: 4]
  %one = ssm.constant 1.0
  %ones = ssm.broadcast %one : [] to [i: 32]
  %a = ssm.fold over [n: 4] carry(%A = %ones : [i: 32]) {
    %xn = ssm.at %x "n" : [i: 32, n: 4]
    %next = ssm.mul %A, %xn : [i: 32], [i: 32]
    ssm.yield %next : [i: 32]
  }
  %b = ssm.fold over [n: 4] reverse carry(%B = %ones : [i: 32]) {
    %xn = ssm.at %x "n" : [i: 32, n: 4]
    %next = ssm.add %B, %xn : [i: 32], [i: 32]
    ssm.yield %next : [i: 32]
  }
  tile.store "a", %a : [i: 32]
  tile.store "b", %b : [i: 32]
}
