// RUN: ssmc-opt %s -split-input-file -verify-diagnostics
// What each law of the dialect refuses.

// kernel_c1
// expected-error @below {{'tile.kernel' op has two operands "x" of one role}}
tile.kernel @kernel_c1 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"x" in [] f32 head>] {
}

// -----

// kernel_c2
// expected-error @below {{'tile.kernel' op operand "x" has an extent that is not bound}}
tile.kernel @kernel_c2 operands [#tile.operand<"x" in [i: K] f32 head>] {
}

// -----

// load_c1
tile.kernel @load_c1 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error @below {{'tile.load' op the kernel has no operand 'y' to read}}
    %x = tile.load "y" : [i: 4, t: 16]
    tile.yield
  }
}

// -----

// load_c2
tile.kernel @load_c2 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error @below {{'tile.load' op reads a tile of type '!ssm.array<i: 4, t: 16, f32>', not '!ssm.array<i: 4, f32>'}}
    %x = tile.load "x" : [i: 4]
    tile.yield
  }
}

// -----

// store_c1
tile.kernel @store_c1 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 4, t: 16]
    // expected-error @below {{'tile.store' op the kernel has no operand 'x' to write}}
    tile.store "x", %x : [i: 4, t: 16]
    tile.yield
  }
}

// -----

// store_c2
tile.kernel @store_c2 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %c = ssm.constant 1.0
    // expected-error @below {{'tile.store' op writes a tile of type '!ssm.array<i: 4, t: 16, f32>', not '!ssm.array<f32>'}}
    tile.store "o", %c : []
    tile.yield
  }
}

// -----

// sequence_c1
tile.kernel @sequence_c1 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  %c = ssm.constant 1.0
  // expected-error @below {{'tile.sequence' op carried values disagree in number or type between initial values, arguments, tile.yield and results}}
  %r = tile.sequence over [t: 16] axis 0 carry(%m = %c : []) {
    tile.yield
  }
}

// -----

tile.kernel @kernel_c4 operands [#tile.operand<"S" state_in [i: 16] f32 head>] attributes {columns = "j"} {
  %S0 = tile.load "S" : [i: 16]
  // kernel_c4
  // expected-error @below {{'tile.sequence' op carries a value of type '!ssm.array<i: 16, f32>' without the kernel's columns 'j'}}
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 16]) {
    tile.yield %S : [i: 16]
  }
}

// -----

tile.kernel @kernel_c5_reduced operands [#tile.operand<"v" in [j: 16] f32 head>] attributes {columns = "j"} {
  tile.sequence over [t: 16] axis 0 {
    %v = tile.load "v" : [j: 16, t: 16]
    // kernel_c5
    // expected-error @below {{'ssm.sum' op reduces the kernel's columns 'j'}}
    %sum = ssm.sum %v over [j] : [j: 16, t: 16]
    tile.yield
  }
}

// -----

tile.kernel @kernel_c5_renamed operands [#tile.operand<"v" in [j: 16] f32 head>] attributes {columns = "j"} {
  tile.sequence over [t: 16] axis 0 {
    %v = tile.load "v" : [j: 16, t: 16]
    // expected-error @below {{'ssm.relabel' op renames the kernel's columns 'j'}}
    %w = ssm.relabel %v [j] to [i] : [j: 16, t: 16]
    tile.yield
  }
}

// -----

// load_c7
tile.kernel @load_c7 operands [#tile.operand<"M" chunk_temp [t: 16, s: 16] bf16 head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error @below {{'tile.load' op has triangle ["t", "i"], expected two different labels of the tile}}
    %M = tile.load "M" triangle ["t", "i"] : [t: 16, s: 16]
    tile.yield
  }
}

// -----

tile.kernel @load_c7_twice operands [#tile.operand<"M" chunk_temp [t: 16, s: 16] bf16 head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error @below {{'tile.load' op has triangle ["t", "t"], expected two different labels of the tile}}
    %M = tile.load "M" triangle ["t", "t"] : [t: 16, s: 16]
    tile.yield
  }
}

// -----

// store_c5
tile.kernel @store_c5 operands [#tile.operand<"x" in [i: 4] f32 head>, #tile.operand<"o" out [i: 4] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 4, t: 16]
    // expected-error @below {{'tile.store' op writes what rounding to 'f32' leaves of a tile of type '!ssm.array<i: 4, t: 16, f32>', expected reals and an operand of bf16 or f16}}
    tile.store "o", %x rest : [i: 4, t: 16]
    tile.yield
  }
}
