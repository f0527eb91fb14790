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
