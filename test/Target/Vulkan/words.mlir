// Addresses become arrays of words: every array is a binding of its own, indexed from its start.
// RUN: ssmc-opt %s --lower-tile-to-groups --canonicalize --cse | FileCheck %s
// RUN: ssmc-opt %s --lower-tile-to-groups=storage16=true --canonicalize --cse | FileCheck %s --check-prefix=HALVES

// Binding 0 has the parameters, which come in the order of ssmc/Target/SIMT.h; then offsets of packed sequences, x, o.
// The workspace is not used and has no binding.
// CHECK-LABEL: gpu.func @scaled(
// CHECK-SAME:    %[[PARAMETERS:[a-z0-9]+]]: memref<?xi32, #spirv.storage_class<StorageBuffer>>,
// CHECK-SAME:    %[[OFFSETS:[a-z0-9]+]]: memref<?xi32,
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<?xi32,
// CHECK-SAME:    %[[O:[a-z0-9]+]]: memref<?xi32, {{[^,]*}}) kernel
// CHECK-SAME:    workgroup_size = [128, 1, 1]
// Parameters are read where the kernel begins, each once.
// CHECK:       %[[PACKED:.*]] = memref.load %[[PARAMETERS]][%c5]
// CHECK:       %[[START:.*]] = memref.load %[[PARAMETERS]][%c7]
// The work group's memory, of words too: 256 f32.
// CHECK:       %[[SHARED:.*]] = memref.alloc() : memref<256xi32, #spirv.storage_class<Workgroup>>
// A pointer is null where its word has all bits set. Offsets are numbers of 64 bits, of which the low words are read.
// CHECK:       arith.cmpi ne, %[[PACKED]], %c-1_i32
// CHECK:         %[[FIRST:.*]] = arith.muli %{{.*}}, %c2_i32
// CHECK:         %[[AT:.*]] = arith.index_castui %[[FIRST]]
// CHECK:         memref.load %[[OFFSETS]][%[[AT]]]
// Elements of two bytes, from the byte on that the parameter says: which word, and how far up in it. A bf16 is the
// upper half of an f32.
// CHECK:       scf.for
// CHECK-NOT:     memref.load %[[PARAMETERS]]
// CHECK:         %[[BEFORE:.*]] = arith.shrui %[[START]], %c1_i32
// CHECK:         %[[INDEX:.*]] = arith.addi %{{.*}}, %[[BEFORE]]
// CHECK:         %[[WORD:.*]] = arith.shrui %[[INDEX]], %c1_i32
// CHECK:         %[[ODD:.*]] = arith.andi %[[INDEX]], %c1_i32
// CHECK:         %[[SHIFT:.*]] = arith.shli %[[ODD]], %c4_i32
// CHECK:         %[[PLACE:.*]] = arith.index_castui %[[WORD]]
// CHECK:         %[[BITS:.*]] = memref.load %[[X]][%[[PLACE]]]
// CHECK:         %[[DOWN:.*]] = arith.shrui %[[BITS]], %[[SHIFT]]
// CHECK:         %[[HALF:.*]] = arith.andi %[[DOWN]], %c65535_i32
// CHECK:         arith.shli %[[HALF]], %c16_i32
// CHECK:         memref.store %{{.*}}, %[[SHARED]]
// A barrier orders the caller's memory too: workspace is there.
// CHECK:         spirv.ControlBarrier <Workgroup>, <Workgroup>, <AcquireRelease|UniformMemory|WorkgroupMemory>
// What is stored next to another thread's element is put into the word by two atomic operations: its bits are cleared,
// and then set.
// CHECK:         %[[MASK:.*]] = arith.shli %c65535_i32, %[[UP:.*]] : i32
// CHECK:         %[[OTHERS:.*]] = arith.xori %[[MASK]], %c-1_i32
// CHECK:         %[[SET:.*]] = arith.shli %{{.*}}, %[[UP]]
// CHECK:         memref.atomic_rmw andi %[[OTHERS]], %[[O]][%[[THERE:.*]]] :
// CHECK-NEXT:    memref.atomic_rmw ori %[[SET]], %[[O]][%[[THERE]]] :
// Nothing is of 64 bits, and no addresses are left.
// CHECK-NOT:   i64
// CHECK-NOT:   llvm.

// With arrays of 16-bit elements none of this.
// HALVES-LABEL: gpu.func @scaled(
// HALVES-SAME:    %[[X:[a-z0-9]+]]: memref<?xi16, #spirv.storage_class<StorageBuffer>>,
// HALVES-SAME:    %[[O:[a-z0-9]+]]: memref<?xi16, {{[^,]*}}) kernel
// HALVES-NOT:     atomic_rmw
// HALVES:         %[[HALF:.*]] = memref.load %[[X]]
// HALVES:         %[[BITS:.*]] = arith.extui %[[HALF]] : i16 to i32
// HALVES:         arith.shli %[[BITS]], %c16_i32
// HALVES:         %[[DONE:.*]] = arith.trunci %{{.*}} : i32 to i16
// HALVES:         memref.store %[[DONE]], %[[O]]
// HALVES-NOT:     atomic_rmw
tile.kernel @scaled operands [
    #tile.operand<"x" in [i: 256] bf16 head>, #tile.operand<"o" out [i: 256] bf16 head>] {
  tile.sequence over [t: 1] axis 0 {
    %x = tile.load "x" : [i: 256]
    %o = ssm.add %x, %x : [i: 256], [i: 256]
    tile.store "o", %o : [i: 256]
    tile.yield
  }
}
