// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=TYPES
// The ops over the steps of a chunk: printed and read back, and the types that they infer.

// CHECK-LABEL: ssm.recurrence @chunk time [t] dims(K, V) form "chunked" {
// TYPES-LABEL: sym_name = "chunk"
ssm.recurrence @chunk time [t] dims(K, V) form "chunked" {
  %k = ssm.in "k" [K] : [K]
  %v = ssm.in "v" [V] : [V]
  %g = ssm.in "g" [] : []
  %z = ssm.in "z" [K] : [K] complex<f32>
  ssm.state "S" [K] : [K]
  // CHECK: ssm.chunk over [t: 64] {
  ssm.chunk over [t: 64] {
    %S = ssm.prev "S" by [1] : [K]
    // CHECK: %[[KT:.*]] = ssm.steps %k over [t: 64] : [K]
    // TYPES: "ssm.steps"{{.*}} -> !ssm.array<K, t: 64, f32>
    %kt = ssm.steps %k over [t: 64] : [K]
    // CHECK: %[[VT:.*]] = ssm.steps %v over [t: 64] : [V]
    %vt = ssm.steps %v over [t: 64] : [V]
    // CHECK: %[[GT:.*]] = ssm.steps %g over [t: 64] : []
    // TYPES: "ssm.steps"{{.*}} -> !ssm.array<t: 64, f32>
    %gt = ssm.steps %g over [t: 64] : []
    // CHECK: %[[ZT:.*]] = ssm.steps %z over [t: 64] : [K] complex<f32>
    %zt = ssm.steps %z over [t: 64] : [K] complex<f32>
    // CHECK: ssm.position over [t: 64]
    // TYPES: "ssm.position"{{.*}} -> !ssm.array<t: 64, f32>
    %p = ssm.position over [t: 64]
    // CHECK: ssm.last %[[KT]] "t" : [K, t: 64]
    // TYPES: "ssm.last"{{.*}} -> !ssm.array<K, f32>
    %last = ssm.last %kt "t" : [K, t: 64]
    // CHECK: ssm.shift %[[KT]], %[[S:.*]] along "t" : [K, t: 64], [K]
    // TYPES: "ssm.shift"{{.*}} -> !ssm.array<K, t: 64, f32>
    %shift = ssm.shift %kt, %S along "t" : [K, t: 64], [K]
    // CHECK: ssm.shift %[[KT]], %[[S]] along "t" reverse : [K, t: 64], [K]
    %back = ssm.shift %kt, %S along "t" reverse : [K, t: 64], [K]
    // The labels of all three operands.
    // CHECK: ssm.scan plus_times %[[GT]], %[[VT]] from %[[S]] along "t" : [t: 64], [V, t: 64], [K]
    // TYPES: "ssm.scan"{{.*}} -> !ssm.array<K, V, t: 64, f32>
    %scan = ssm.scan plus_times %gt, %vt from %S along "t" : [t: 64], [V, t: 64], [K]
    // Complex where one of them is.
    // CHECK: ssm.scan plus_times %[[GT]], %[[ZT]] from %[[S]] along "t" reverse : [t: 64], [K, t: 64] complex<f32>, [K]
    // TYPES: "ssm.scan"{{.*}} -> !ssm.array<K, t: 64, complex<f32>>
    %turn = ssm.scan plus_times %gt, %zt from %S along "t" reverse : [t: 64], [K, t: 64] complex<f32>, [K]
    // CHECK: ssm.scan max_plus %[[GT]], %[[VT]] from %g along "t" : [t: 64], [V, t: 64], []
    // TYPES: "ssm.scan"{{.*}} -> !ssm.array<V, t: 64, f32>
    %max = ssm.scan max_plus %gt, %vt from %g along "t" : [t: 64], [V, t: 64], []
    // Matrices and inputs of any of the result's labels, columns under their own names.
    // CHECK: ssm.relabel %[[KT]] [K] to [l]
    // CHECK: ssm.matrix_scan(%{{.*}} : [l: K, t: 64]) (%[[GT]] : [t: 64]) from(%[[S]] : [K]) over [t: 64] rows [K] columns [l]
    // TYPES: "ssm.matrix_scan"{{.*}} -> !ssm.array<K, t: 64, f32>
    %lt = ssm.relabel %kt [K] to [l] : [K, t: 64]
    %rank1 = ssm.matrix_scan (%lt : [l: K, t: 64]) (%gt : [t: 64]) from (%S : [K]) over [t: 64] rows [K] columns [l]
    // CHECK: ssm.matrix_scan(%g, %g, %[[KT]], %g : [], [], [K, t: 64], []) (%[[GT]], %[[KT]] : [t: 64], [K, t: 64]) from(%g, %[[S]] : [], [K]) over [t: 64] rows [] columns [] reverse
    // TYPES: "ssm.matrix_scan"{{.*}} -> (!ssm.array<t: 64, f32>, !ssm.array<K, t: 64, f32>)
    %two:2 = ssm.matrix_scan (%g, %g, %kt, %g : [], [], [K, t: 64], []) (%gt, %kt : [t: 64], [K, t: 64]) from (%g, %S : [], [K]) over [t: 64] rows [] columns [] reverse
    // CHECK: ssm.cumprod %[[KT]] along "t" : [K, t: 64]
    // TYPES: "ssm.cumprod"{{.*}} -> !ssm.array<K, t: 64, f32>
    %c0 = ssm.cumprod %kt along "t" : [K, t: 64]
    // CHECK: ssm.cumprod %[[KT]] along "t" exclusive : [K, t: 64]
    %c1 = ssm.cumprod %kt along "t" exclusive : [K, t: 64]
    // CHECK: ssm.cumprod %[[KT]] along "t" reverse : [K, t: 64]
    %c2 = ssm.cumprod %kt along "t" reverse : [K, t: 64]
    // CHECK: ssm.cumprod %[[KT]] along "t" exclusive reverse : [K, t: 64]
    %c3 = ssm.cumprod %kt along "t" exclusive reverse : [K, t: 64]
    // CHECK: ssm.span %[[GT]] rows "t" columns "s" : [t: 64]
    // TYPES: "ssm.span"{{.*}} -> !ssm.array<s: 64, t: 64, f32>
    %span = ssm.span %gt rows "t" columns "s" : [t: 64]
    // CHECK: ssm.span %[[KT]] rows "t" columns "s" strict : [K, t: 64]
    // TYPES: "ssm.span"{{.*}} -> !ssm.array<K, s: 64, t: 64, f32>
    %strict = ssm.span %kt rows "t" columns "s" strict : [K, t: 64]
    // What is summed goes, columns come.
    // CHECK: %[[A:.*]] = ssm.gram %[[KT]], %[[KT]] decay %[[GT]] over [K] rows "t" columns "s" : [K, t: 64], [K, t: 64], [t: 64]
    // TYPES: "ssm.gram"{{.*}} -> !ssm.array<s: 64, t: 64, f32>
    %A = ssm.gram %kt, %kt decay %gt over [K] rows "t" columns "s" : [K, t: 64], [K, t: 64], [t: 64]
    // CHECK: ssm.gram %[[KT]], %[[ZT]] decay %[[KT]] over [K] rows "t" columns "s" strict :
    // TYPES: "ssm.gram"{{.*}} -> !ssm.array<s: 64, t: 64, complex<f32>>
    %L = ssm.gram %kt, %zt decay %kt over [K] rows "t" columns "s" strict : [K, t: 64], [K, t: 64] complex<f32>, [K, t: 64]
    // CHECK: ssm.apply %[[A]], %[[KT]] decay %[[KT]] rows "t" columns "s" : [s: 64, t: 64], [K, t: 64], [K, t: 64]
    // TYPES: "ssm.apply"{{.*}} -> !ssm.array<K, t: 64, f32>
    %y = ssm.apply %A, %kt decay %kt rows "t" columns "s" : [s: 64, t: 64], [K, t: 64], [K, t: 64]
    // CHECK: ssm.apply %[[A]], %[[KT]] decay %[[GT]] rows "t" columns "s" strict transpose : [s: 64, t: 64], [K, t: 64], [t: 64]
    %yt = ssm.apply %A, %kt decay %gt rows "t" columns "s" strict transpose : [s: 64, t: 64], [K, t: 64], [t: 64]
    // CHECK: ssm.solve(%[[VT]] : [V, t: 64]) lower(%[[A]] : [s: 64, t: 64]) rows "t" columns "s"
    // TYPES: "ssm.solve"{{.*}} -> !ssm.array<V, t: 64, f32>
    %s = ssm.solve (%vt : [V, t: 64]) lower(%A : [s: 64, t: 64]) rows "t" columns "s"
    // Each unknown depends on all right sides.
    // CHECK: ssm.solve(%[[VT]], %[[GT]] : [V, t: 64], [t: 64]) lower(%[[A]], %[[A]], %[[A]], %[[A]] : {{.*}}) rows "t" columns "s" reverse
    // TYPES: "ssm.solve"{{.*}} -> (!ssm.array<V, t: 64, f32>, !ssm.array<V, t: 64, f32>)
    %s2:2 = ssm.solve (%vt, %gt : [V, t: 64], [t: 64]) lower(%A, %A, %A, %A : [s: 64, t: 64], [s: 64, t: 64], [s: 64, t: 64], [s: 64, t: 64]) rows "t" columns "s" reverse
    ssm.update "S", %last : [K]
    ssm.out "y" [K], %y : [K, t: 64]
  }
}

// CHECK-LABEL: ssm.recurrence @backwards
ssm.recurrence @backwards time [t] dims(K) form "scan" {
  // CHECK: ssm.chunk over [t: 16] reverse {
  ssm.chunk over [t: 16] reverse {
  }
}
