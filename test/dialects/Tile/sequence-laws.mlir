// What sequences must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// sequence_c1: another type
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  %S = tile.load "S" : [i: 64]
  %c = ssm.constant 0.0
  // expected-error@below {{carried values disagree in number or type}}
  %r = tile.sequence over [t: 16] axis 0 carry(%a = %S : [i: 64]) {
    tile.yield %c : []
  }
}

// -----

// sequence_c1: one less
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  %S = tile.load "S" : [i: 64]
  // expected-error@below {{carried values disagree in number or type}}
  %r = tile.sequence over [t: 16] axis 0 carry(%a = %S : [i: 64]) {
    tile.yield
  }
}

// -----

// sequence_c2: no step
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{walks over axis 0 by tiles of 0 steps}}
  tile.sequence over [t: 0] axis 0 {
    tile.yield
  }
}

// -----

// sequence_c2: not bound
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{walks over axis 0 by tiles of -1 steps}}
  tile.sequence over [t: T] axis 0 {
    tile.yield
  }
}

// -----

// sequence_c2: no axis
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{walks over axis -1 by tiles of 16 steps}}
  tile.sequence over [t: 16] axis -1 {
    tile.yield
  }
}

// -----

tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{expects parent op 'tile.sequence'}}
  tile.yield
}
