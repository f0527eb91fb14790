// Loads and stores: of states, of timed operands, of halves of complex ones, of earlier rows.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

tile.kernel @k operands [
    #tile.operand<"x" in [i: 64] bf16 head>, #tile.operand<"z" in [i: 64] complex<f32> head>,
    #tile.operand<"o" out [i: 64] f32 head>, #tile.operand<"c" out [i: 64] complex<f32> head>,
    #tile.operand<"S" state_in [i: 64] f32 head>, #tile.operand<"S" state_out [i: 64] f32 head>,
    #tile.operand<"r" row [i: 64] f32 head>] {
  // CHECK: %[[C:.*]] = ssm.constant
  %c = ssm.constant 1.0
  // CHECK: %S = tile.load "S" : [i: 64]
  %S = tile.load "S" : [i: 64]
  // CHECK: %[[T:.*]] = tile.load "S" else %[[C]] : [] to : [i: 64]
  %T = tile.load "S" else %c : [] to : [i: 64]
  // CHECK: tile.store "S", %S : [i: 64]
  tile.store "S", %S : [i: 64]
  tile.sequence over [t: 16] axis 0 {
    // CHECK: %x = tile.load "x" : [i: 64, t: 16]
    %x = tile.load "x" : [i: 64, t: 16]
    // CHECK: tile.load "z" : [i: 64, t: 16] complex<f32>
    %z = tile.load "z" : [i: 64, t: 16] complex<f32>
    // CHECK: tile.load "z" part re : [i: 64, t: 16]
    %re = tile.load "z" part re : [i: 64, t: 16]
    // CHECK: tile.store "o", %x : [i: 64, t: 16]
    tile.store "o", %x : [i: 64, t: 16]
    // CHECK: tile.store "c" part im, %x : [i: 64, t: 16]
    tile.store "c" part im, %x : [i: 64, t: 16]
    tile.yield
  }
  tile.sequence over [y: 1] axis 1 {
    // CHECK: tile.load "r" row 2 : [i: 64]
    %r = tile.load "r" row 2 : [i: 64]
    // CHECK: tile.load "r" row 1 else %{{.*}} : [] to : [i: 64]
    %u = tile.load "r" row 1 else %c : [] to : [i: 64]
    tile.yield
  }
}
