// Names that are no identifiers print in quotes; an index may bear the name of a type.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @r time [t] dims(K, x.re, "w~1" = 3) {
ssm.recurrence @r time [t] dims(K, x.re, "w~1" = 3) {
  // CHECK-NEXT: %x.re = ssm.in "x.re" ["w~1"] : ["w~1": 4]
  %a = ssm.in "x.re" ["w~1"] : ["w~1": 4]
  // CHECK-NEXT: %b = ssm.in "b" [x.re] : [x.re]
  %b = ssm.in "b" [x.re] : [x.re]
  // CHECK-NEXT: %c = ssm.in "c" [i1, f32] : [f32: "w~1", i1: K]
  %c = ssm.in "c" [i1, f32] : [i1: K, f32: "w~1"]
  // CHECK-NEXT: %{{.*}} = ssm.relabel %x.re ["w~1"] to [i] : ["w~1": 4]
  %d = ssm.relabel %a ["w~1"] to [i] : ["w~1": 4]
  // CHECK-NEXT: ssm.state "S~2" [] : []
  ssm.state "S~2" [] : []
  // CHECK-NEXT: %[[P:.*]] = ssm.prev "S~2" by [1] : []
  %p = ssm.prev "S~2" by [1] : []
  // CHECK-NEXT: %{{.*}} = ssm.system plus_times ["S~2"] {
  %s = ssm.system plus_times ["S~2"] {
  // CHECK-NEXT: ssm.stage {
    ssm.stage {
  // CHECK-NEXT: ssm.decay "S~2" from "S~2" by [1]
      ssm.decay "S~2" from "S~2" by [1]
  // CHECK-NEXT: }
    }
  // CHECK-NEXT: } : []
  } : []
}
