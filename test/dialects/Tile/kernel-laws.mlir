// What kernels and their operands must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// kernel_c1
// expected-error@below {{has two operands "x" of one role}}
tile.kernel @k operands [#tile.operand<"x" in [] f32 head>, #tile.operand<"x" in [] f32 head>] {
}

// -----

// kernel_c2
// expected-error@below {{operand "x" has an extent that is not bound}}
tile.kernel @k operands [#tile.operand<"x" in [i: K] f32 head>] {
}

// -----

// kernel_c3
// expected-error@below {{operand "x" bears label 'i' twice}}
tile.kernel @k operands [#tile.operand<"x" in [i: 2, i: 2] f32 head>] {
}
