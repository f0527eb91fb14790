// Carried values with different labels get folds of their own; what follows from a finished fold is
// computed for all steps at once; a readout of a vector state leaves its fold.
// RUN: ssmc-opt %s --pass-pipeline='builtin.module(tile.kernel(tile-split-folds),canonicalize,cse)' | FileCheck %s

// CHECK-LABEL: tile.kernel @maximum
// CHECK:         %[[M:.*]]:{{[0-9]}} = ssm.fold over [t: 16] carry(%{{.*}} = %{{.*}} : []) {
// CHECK-NOT:       ssm.exp
// CHECK:         }
// CHECK:         %[[SCALE:.*]] = ssm.exp %{{.*}} : [t: 16]
// CHECK:         ssm.fold over [t: 16] carry(%{{.*}} = %{{.*}} : [i: 8, j: 32]) {
// CHECK:           ssm.at %[[SCALE]] "t"
tile.kernel @maximum operands [
    #tile.operand<"x" in [] f32 head>, #tile.operand<"k" in [i: 8] f32 head>,
    #tile.operand<"v" in [j: 32] f32 head>, #tile.operand<"o" out [j: 32] f32 head>] {
  %zero = ssm.constant 0.0
  %z = ssm.broadcast %zero : [] to [i: 8, j: 32]
  %e:2 = tile.sequence over [t: 16] axis 0 carry(%m = %zero : [], %C = %z : [i: 8, j: 32]) {
    %x = tile.load "x" : [t: 16]
    %k = tile.load "k" : [i: 8, t: 16]
    %v = tile.load "v" : [j: 32, t: 16]
    %r:3 = ssm.fold over [t: 16] carry(%pm = %m : [], %P = %C : [i: 8, j: 32]) {
      %xt = ssm.at %x "t" : [t: 16]
      %kt = ssm.at %k "t" : [i: 8, t: 16]
      %vt = ssm.at %v "t" : [j: 32, t: 16]
      %n = ssm.max %pm, %xt : [], []
      %d = ssm.sub %pm, %n : [], []
      %s = ssm.exp %d : []
      %sP = ssm.mul %s, %P : [], [i: 8, j: 32]
      %kv = ssm.mul %kt, %vt : [i: 8], [j: 32]
      %Cn = ssm.add %sP, %kv : [i: 8, j: 32], [i: 8, j: 32]
      %o = ssm.sum %Cn over [i] : [i: 8, j: 32]
      ssm.yield %n, %Cn, %o : [], [i: 8, j: 32], [j: 32]
    }
    tile.store "o", %r#2 : [j: 32, t: 16]
    tile.yield %r#0, %r#1 : [], [i: 8, j: 32]
  }
}

// CHECK-LABEL: tile.kernel @readout
// CHECK:         %[[H:.*]]:2 = ssm.fold
// CHECK-NOT:       ssm.sum
// CHECK:           ssm.yield %[[N:.*]], %[[N]] : [n: 32], [n: 32]
// CHECK:         ssm.mul %{{.*}}, %[[H]]#1 : [n: 32, p: 8], [n: 32, t: 16]
// CHECK:         ssm.sum %{{.*}} over [n] : [n: 32, p: 8, t: 16]
tile.kernel @readout operands [
    #tile.operand<"x" in [n: 32] f32 head>, #tile.operand<"C" param [p: 8, n: 32] f32 head>,
    #tile.operand<"o" out [p: 8] f32 head>] {
  %zero = ssm.constant 0.0
  %z = ssm.broadcast %zero : [] to [n: 32]
  %C = tile.load "C" : [n: 32, p: 8]
  %e = tile.sequence over [t: 16] axis 0 carry(%h = %z : [n: 32]) {
    %x = tile.load "x" : [n: 32, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%p = %h : [n: 32]) {
      %xt = ssm.at %x "t" : [n: 32, t: 16]
      %n = ssm.add %p, %xt : [n: 32], [n: 32]
      %m = ssm.mul %C, %n : [n: 32, p: 8], [n: 32]
      %o = ssm.sum %m over [n] : [n: 32, p: 8]
      ssm.yield %n, %o : [n: 32], [p: 8]
    }
    tile.store "o", %r#1 : [p: 8, t: 16]
    tile.yield %r#0 : [n: 32]
  }
}
