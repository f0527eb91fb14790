/// The state of one kernel's lowering, shared by the files that do it: LowerKernel.cpp (functions,
/// items, sequences, workspace), LowerOperands.cpp (what is read and written) and Prefetch.cpp
/// (what is asked for before).
#pragma once

#include "Emitter.h"

namespace ssmc::cpu {

using mlir::Block;
using mlir::LogicalResult;

/// Whether an operand has a value at every step of a sequence.
inline bool isTimed(tile::Role role) {
  return role == tile::Role::In || role == tile::Role::Out || role == tile::Role::Temp;
}

/// A stretch of a block between two sequences; all of it runs in one loop over items.
using Segment = std::pair<Block*, int64_t>;

class KernelLowering {
public:
  KernelLowering(tile::KernelOp kernel, mlir::ImplicitLocOpBuilder& b, Shape shape)
      : kernel(kernel), b(b), e(b, shape) {}
  LogicalResult run();

private:
  struct Ring {
    int64_t rows = 1;
    int64_t elements = 1; ///< of one position, in f32
  };

  Value gep(Value base, Type unit, Value index);
  Value min(Value x, Value y) { return mlir::arith::MinSIOp::create(b, x, y); }
  Value mul(Value x, Value y) { return mlir::arith::MulIOp::create(b, x, y); }
  Value add(Value x, Value y) { return mlir::arith::AddIOp::create(b, x, y); }
  void emitEntry(Value args);
  /// Has results below the smallest normal number become 0, and later not any more.
  void beginFlushing();
  void endFlushing();
  void emitSequences(Value first, Value last);
  void enterSequence(Value sequence);
  Value itemSize(ArrayRef<Value> times, Value fixed);
  Value blockSize(Value items, Value size);
  void emitRegion(Block* block);
  void emitSegment(ArrayRef<Operation*> ops, ArrayRef<Item> roots);
  void emitSequence(tile::SequenceOp sequence);
  void emitLoad(tile::LoadOp load);
  void emitPrefetch();
  Buffer userBuffer(Operation* op, tile::OperandAttr operand, int index, tile::Part part,
                    Type element, int64_t row);
  Segment segmentOf(Operation* op);
  void findPersistent();
  void emitWorkspaceFunction();
  int64_t innerAxis(Operation* op);

  tile::KernelOp kernel;
  mlir::ImplicitLocOpBuilder& b;
  Emitter e;
  SmallVector<Value> pointers;
  SmallVector<SmallVector<Value>> strides;
  Value heads, groups, times[2]; ///< steps of the current sequence, or of both axes
  Value packed, bounds;       ///< whether sequences are packed, and where they begin; see emitEntry
  Value controlBefore;        ///< where MXCSR is kept as the caller has it
  Value firstItem;            ///< head 0 of the current sequence
  SmallVector<Value> origins; ///< where the current sequence begins, in elements of each operand
  Value blockStart, blockEnd, tempSize, oneItemSize;
  Value head, group; ///< of the current item
  std::map<int64_t, Value> timeStarts;
  tile::SequenceOp innermost; ///< the sequence over tiles of steps that is being lowered
  std::map<int, Ring> rings;
  llvm::DenseMap<Value, Buffer> loadTargets;
};

} // namespace ssmc::cpu
