// A scan carries the state, in either semiring and either direction.
// RUN: ssmc-opt %s --expand-steps | FileCheck %s

ssm.recurrence @scan time [t] dims(K) {
  // CHECK: %[[A:.*]] = ssm.in "a"
  %a = ssm.in "a" [t] : [t: 4]
  // CHECK: %[[B:.*]] = ssm.in "b"
  %b = ssm.in "b" [K, t] : [K, t: 4]
  // The state has the labels of all operands.
  // CHECK: %[[H0:.*]] = ssm.in "h"
  %h = ssm.in "h" [] : []
  // CHECK: %[[INIT:.*]] = ssm.broadcast %[[H0]] : [] to [K]
  // CHECK: %[[SUM:.*]]:2 = ssm.fold over [t: 4] carry(%[[H:.*]] = %[[INIT]] : [K]) {
  // CHECK-DAG: %[[AT:.*]] = ssm.at %[[A]] "t"
  // CHECK-DAG: %[[BT:.*]] = ssm.at %[[B]] "t"
  // CHECK: %[[LEFT:.*]] = ssm.mul %[[AT]], %[[H]]
  // CHECK: %[[NEXT:.*]] = ssm.add %[[LEFT]], %[[BT]]
  // CHECK: ssm.yield %[[NEXT]], %[[NEXT]]
  %sum = ssm.scan plus_times %a, %b from %h along "t" : [t: 4], [K, t: 4], []
  // CHECK: %[[MAX:.*]]:2 = ssm.fold over [t: 4] reverse carry(%[[M:.*]] = %{{.*}} : [K]) {
  // CHECK-DAG: %[[AR:.*]] = ssm.at %[[A]] "t"
  // CHECK-DAG: %[[BR:.*]] = ssm.at %[[B]] "t"
  // CHECK: %[[DOWN:.*]] = ssm.add %[[AR]], %[[M]]
  // CHECK: ssm.max %[[DOWN]], %[[BR]]
  %max = ssm.scan max_plus %a, %b from %h along "t" reverse : [t: 4], [K, t: 4], []
  // CHECK: ssm.out "sum" [K, t], %[[SUM]]#1
  ssm.out "sum" [K, t], %sum : [K, t: 4]
  // CHECK: ssm.out "max" [K, t], %[[MAX]]#1
  ssm.out "max" [K, t], %max : [K, t: 4]
}
