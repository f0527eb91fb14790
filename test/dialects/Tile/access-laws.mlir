// What loads and stores must obey.
// RUN: ssmc-opt %s -verify-diagnostics -split-input-file

// load_c1: no operand
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{the kernel has no operand 'y' to read}}
  %y = tile.load "y" : [i: 64]
}

// -----

// load_c1: an output
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error@below {{the kernel has no operand 'o' to read}}
    %o = tile.load "o" : [i: 64, t: 16]
    tile.yield
  }
}

// -----

// load_c2: of a state
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{reads a tile of type '!ssm.array<i: 64, f32>', not '!ssm.array<f32>'}}
  %S = tile.load "S" : []
}

// -----

// load_c2: of a timed operand
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error@below {{reads a tile of type '!ssm.array<i: 64, t: 16, f32>', not '!ssm.array<i: 64, f32>'}}
    %x = tile.load "x" : [i: 64]
    tile.yield
  }
}

// -----

// load_c2: in a sequence of single steps
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 1] axis 0 {
    // expected-error@below {{reads a tile of type '!ssm.array<i: 64, f32>', not '!ssm.array<i: 64, t: 1, f32>'}}
    %x = tile.load "x" : [i: 64, t: 1]
    tile.yield
  }
}

// -----

// load_c3: of another role
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error@below {{reads row 1 of operand 'x', expected an earlier row of a row operand}}
    %x = tile.load "x" row 1 : [i: 64, t: 16]
    tile.yield
  }
}

// -----

// load_c3: of no earlier row
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error@below {{reads row 0 of operand 'r', expected an earlier row of a row operand}}
    %r = tile.load "r" row 0 : [i: 64, t: 16]
    tile.yield
  }
}

// -----

// load_c4
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    // expected-error@below {{has half of a complex operand in a tile of type}}
    %z = tile.load "z" part re : [i: 64, t: 16] complex<f32>
    tile.yield
  }
}

// -----

// load_c5
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 64, t: 16]
    %l = ssm.relabel %x [i] to [l] : [i: 64, t: 16]
    // expected-error@below {{has an else of type '!ssm.array<l: 64, t: 16, f32>' with labels that the tile lacks}}
    %r = tile.load "r" row 1 else %l : [l: 64, t: 16] to : [i: 64, t: 16]
    tile.yield
  }
}

// -----

// load_c6
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  // expected-error@below {{operand 'x' varies in time: expected to stand in a tile.sequence}}
  %x = tile.load "x" : [i: 64]
}

// -----

// store_c1: no operand
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  %S = tile.load "S" : [i: 64]
  // expected-error@below {{the kernel has no operand 'y' to write}}
  tile.store "y", %S : [i: 64]
}

// -----

// store_c1: an input
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  %S = tile.load "S" : [i: 64]
  // expected-error@below {{the kernel has no operand 'S' to write}}
  tile.store "S", %S : [i: 64]
}

// -----

// store_c2
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    %S = tile.load "S" : [i: 64]
    // expected-error@below {{writes a tile of type '!ssm.array<i: 64, t: 16, f32>', not '!ssm.array<i: 64, f32>'}}
    tile.store "o", %S : [i: 64]
    tile.yield
  }
}

// -----

// store_c3
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  tile.sequence over [t: 16] axis 0 {
    %z = tile.load "z" : [i: 64, t: 16] complex<f32>
    // expected-error@below {{has half of a complex operand in a tile of type}}
    tile.store "c" part re, %z : [i: 64, t: 16] complex<f32>
    tile.yield
  }
}

// -----

// store_c4
tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] f32 head>, #tile.operand<"S" state_in [i: 64] f32 head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"r" row [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>] {
  %S = tile.load "S" : [i: 64]
  // expected-error@below {{operand 'o' varies in time: expected to stand in a tile.sequence}}
  tile.store "o", %S : [i: 64]
}

// -----

// expected-error@below {{expected to stand in a tile.kernel}}
%x = tile.load "x" : [i: 64]
