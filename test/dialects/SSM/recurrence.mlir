// A recurrence: its dims, the form that it is in, attributes.
// RUN: ssmc-opt %s | ssmc-opt | FileCheck %s
// RUN: ssmc-opt %s --mlir-print-op-generic | ssmc-opt | FileCheck %s

// CHECK: ssm.recurrence @step time [t] dims(K, J = 2) {
ssm.recurrence @step time [t] dims(K, J = 2) {
}

// CHECK: ssm.recurrence @form time [y, x] dims() form "recurrent" attributes {note} {
ssm.recurrence @form time [y, x] dims() form "recurrent" attributes {note} {
}
