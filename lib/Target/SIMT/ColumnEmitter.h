// What emits a kernel whose columns never meet (EmitColumns.cpp says how).
#pragma once

#include "lib/Target/SIMT/Emitter.h"

namespace ssmc::simt {

/// Columns of a warp, and positions of a tile.
inline constexpr int64_t columnsOfWarp = 16, positions = 8;

/// The number of the meeting where a chunk of the first slot is there; other slots follow, then the
/// meetings where they have been read.
inline constexpr int64_t isThere = 1;
/// Chunks that shared memory has room for.
inline constexpr int64_t fewestSlots = 2, mostSlots = 4;

/// An array with columns, in the registers of a warp: for each tile of eight positions columns r
/// and r + 8 by positions c and c + 1, row by row. Without another label two elements.
struct Fragment {
  ssm::AxisAttr axis; ///< null: columns alone
  SmallVector<Value> elements;
};

class ColumnEmitter {
public:
  ColumnEmitter(KernelEmitter& e, tile::SequenceOp sequence)
      : e(e), b(e.b), sequence(sequence), column(*e.kernel.getColumns()) {}
  void emit();

private:
  /// An operand that all warps of the block read.
  struct Staged {
    tile::LoadOp load;
    Buffer all; ///< the first slot
    int64_t bytes = 0, unit = 0;
  };
  void planStaging();
  Value slotOf(Value chunk);
  Buffer slotOf(const Staged& one, Value slot);
  int64_t isRead() const { return isThere + slots; }
  void meet(Value slot, int64_t first);
  void arrive(Value slot, int64_t first);
  void bringIn(Value chunk, Value slot);
  void copy(Staged& one, Value slot);

  bool bears(Value value) { return arrayType(value).has(column); }
  ssm::AxisAttr otherAxis(Value value);
  int64_t sizeOf(ssm::AxisAttr axis) { return axis ? axis.getSize() / positions * 4 : 2; }
  Point pointOf(ssm::AxisAttr axis, int64_t element);
  const Fragment& fragmentOf(Value value);
  Fragment compute(Value value);
  Fragment readStaged(tile::LoadOp load);
  Fragment readOperand(tile::LoadOp load);
  Fragment multiply(ssm::SumOp sum, const Fragment* start);
  bool isZeroBeyond(Value value);
  void writeOperand(tile::StoreOp store);

  Value chunkStart(Value number);
  /// Sets the positions that a chunk has of each name of its steps.
  void setExtents(Value left);
  SmallVector<Value> flatten(mlir::ValueRange values);
  void adopt(mlir::ValueRange arguments, mlir::ValueRange elements);
  void emitColumns(Value count);
  void emitCopies(Value count);

  KernelEmitter& e;
  mlir::ImplicitLocOpBuilder& b;
  tile::SequenceOp sequence;
  StringRef column;
  std::vector<Staged> staged;
  int64_t slots = fewestSlots;
  llvm::DenseMap<Value, Fragment> fragments;
  Value warp, c, myColumn, chunks;
};

} // namespace ssmc::simt
