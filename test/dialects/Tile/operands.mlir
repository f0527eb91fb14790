// Operands of a kernel: every role, stored type and scope; order in memory is kept.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: tile.kernel @k operands [#tile.operand<"x" in [i: 64] bf16 head>,
// CHECK-SAME: #tile.operand<"A" param [] f32 group>,
// CHECK-SAME: #tile.operand<"S" state_in [j: 8, i: 64] f32 head>,
// CHECK-SAME: #tile.operand<"S" state_out [j: 8, i: 64] f16 head>,
// CHECK-SAME: #tile.operand<"z" out ["w~1": 3] complex<f32> shared>,
// CHECK-SAME: #tile.operand<"t" temp [] f32 head>,
// CHECK-SAME: #tile.operand<"r" row [i: 64] f32 head>] {
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] bf16 head>, #tile.operand<"A" param [] f32 group>,
    #tile.operand<"S" state_in [j: 8, i: 64] f32 head>,
    #tile.operand<"S" state_out [j: 8, i: 64] f16 head>,
    #tile.operand<"z" out ["w~1": 3] complex<f32> shared>,
    #tile.operand<"t" temp [] f32 head>, #tile.operand<"r" row [i: 64] f32 head>] {
}
