// Text that does not parse.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// expected-error@below {{expected a role and a scope}}
tile.kernel @k operands [#tile.operand<"x" input [] f32 head>] {
}

// -----

// expected-error@below {{expected a role and a scope}}
tile.kernel @k operands [#tile.operand<"x" in [] f32 team>] {
}

// -----

// expected-error@below {{expected string}}
tile.kernel @k operands [#tile.operand<x in [] f32 head>] {
}

// -----

tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{expected 'axis'}}
  tile.sequence over [t: 16] {
    tile.yield
  }
}

// -----

tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{expected one axis}}
  tile.sequence over [t: 16, s: 2] axis 0 {
    tile.yield
  }
}
