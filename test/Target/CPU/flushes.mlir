// Where numbers below the smallest normal one cost many cycles they are 0 in a kernel, and what the caller has is as it
// was after it: bits 15 and 6 of x86's MXCSR. Conversions from f16 begin with such numbers, which are read as they are there.
// RUN: ssmc-opt %s --lower-tile-to-loops=flushes | FileCheck %s
// RUN: sed 's/"x" in \[i: 16\] f32/"x" in [i: 16] f16/' %s | ssmc-opt --lower-tile-to-loops=flushes | FileCheck %s --check-prefix=HALF
// RUN: ssmc-opt %s --lower-tile-to-loops | FileCheck %s --check-prefix=NOT
// NOT-NOT: mxcsr
// HALF:    arith.constant 32768 : i32
// HALF:    llvm.x86.sse.ldmxcsr

// CHECK-LABEL: func.func @decay(
// CHECK:       llvm.call_intrinsic "llvm.x86.sse.stmxcsr"(%[[BEFORE:.*]])
// CHECK:       %[[BITS:.*]] = arith.constant 32832 : i32
// CHECK:       arith.ori %{{.*}}, %[[BITS]]
// CHECK:       llvm.call_intrinsic "llvm.x86.sse.ldmxcsr"(
// CHECK:       scf.for
// CHECK:       llvm.call_intrinsic "llvm.x86.sse.ldmxcsr"(%[[BEFORE]])
// CHECK:       return
tile.kernel @decay operands [
    #tile.operand<"x" in [i: 16] f32 head>, #tile.operand<"h" state_in [i: 16] f32 head>,
    #tile.operand<"h" state_out [i: 16] f32 head>] {
  %h0 = tile.load "h" : [i: 16]
  %h1 = tile.sequence over [t: 1] axis 0 carry(%h = %h0 : [i: 16]) {
    %x = tile.load "x" : [i: 16]
    %next = ssm.mul %h, %x : [i: 16], [i: 16]
    tile.yield %next : [i: 16]
  }
  tile.store "h", %h1 : [i: 16]
}
