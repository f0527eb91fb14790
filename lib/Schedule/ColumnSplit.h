// What takes a kernel of chunks apart (Columns.cpp says into what, and why).
#pragma once

#include "Columns.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

#include <optional>

namespace ssmc::schedule {

/// Rows and columns of the units that multiply: extents are multiples of it.
inline constexpr int64_t unit = 16;

inline ssm::ArrayType arrayType(mlir::Value value) {
  return llvm::cast<ssm::ArrayType>(value.getType());
}

using tile::isStoredAsBF16;
/// Whether an op is the product that a sum adds up, and nothing else reads it.
bool isSummed(mlir::Operation* op);
/// Erases what nothing reads, operands that are loaded among it.
void eraseUnused(mlir::Block* block);
/// Gives a kernel those operands that something in it reads or writes.
void setOperands(tile::KernelOp kernel, llvm::ArrayRef<mlir::Attribute> operands);
/// The names of a sequence's steps, for `tile.steps` of one that lacks ops that tell them.
mlir::DictionaryAttr stepsOf(tile::SequenceOp sequence);
/// Puts one that carries nothing in place of a sequence, and erases what follows it and what
/// nothing in it reads then. Stores in it have no part in what it carried.
void carryNothing(tile::SequenceOp& sequence);

/// Puts one that carries some of the values alone in place of a sequence that carries more, without
/// the stores of the others.
void keepCarried(tile::SequenceOp& sequence, llvm::ArrayRef<unsigned> kept);
/// Adds the ops of a block that some values are made of.
void addSlice(mlir::ValueRange values, mlir::Block* block, llvm::DenseSet<mlir::Operation*>& slice);

class ColumnSplit {
public:
  ColumnSplit(tile::KernelOp kernel, llvm::StringRef prefix)
      : kernel(kernel), b(kernel.getContext()), prefix(prefix) {}
  bool prepare();
  llvm::SmallVector<tile::KernelOp> split();
  /// Takes back what a preparation that failed has made.
  void drop() {
    for (tile::KernelOp made : {whole, sums})
      if (made)
        made.erase();
  }

private:
  bool bearsColumn(mlir::Value value) { return arrayType(value).has(column); }
  /// Whether an op's operands or results bear the column.
  bool isOfColumns(mlir::Operation* op);
  bool findColumn();
  bool keepsColumnsApart();
  /// Stores that columns alone do not give; takes them, and what they alone need, out of the
  /// kernel.
  void moveLateStores();
  llvm::SmallVector<tile::StoreOp> findLateStores();
  /// Has columns write down what they read of states that is written late too (PassOnReads.cpp).
  void passOnReads(const mlir::IRMapping& toLate);
  void takeTotals();
  bool admits(mlir::Operation* op);
  void invert(ssm::SolveOp solve);
  std::optional<std::pair<llvm::StringRef, llvm::StringRef>> triangleOf(mlir::Value value);
  bool arrange(ssm::SumOp sum);
  bool solves(ssm::SumOp sum);
  void gatherScales(ssm::MulOp outer);
  bool fits();

  /// A value without columns, as the second kernel reads it.
  mlir::Value vector(mlir::Value value);
  mlir::Value matrix(mlir::Value value);
  tile::KernelOp makeLate();
  /// Gives the kernels an operand with one array a chunk.
  void addTemporary(llvm::StringRef name, ssm::ArrayType type, mlir::Type storage);
  mlir::Value temporary(mlir::Value value, mlir::Type storage, bool isRest = false);

  tile::KernelOp kernel;
  mlir::OpBuilder b;
  std::string prefix;
  tile::SequenceOp sequence;
  llvm::StringRef column;
  tile::KernelOp whole; ///< as it was, for what is written late
  tile::KernelOp sums;  ///< adds up what chunks add
  tile::SequenceOp sumsSequence;
  llvm::DenseMap<mlir::Value, mlir::Value> vectors; ///< of the first kernel -> of the second
  llvm::DenseMap<mlir::Value, mlir::Value> matrices;
  /// Inverses of triangular systems are triangular: where, as triangleOf says.
  llvm::DenseMap<mlir::Value, std::pair<std::string, std::string>> inverses;
  /// Matrices of products that were systems, and what stands for them in what is written late.
  llvm::SmallVector<mlir::Value> solving;
  llvm::SmallVector<std::pair<mlir::Value, mlir::Value>> lateMatrices;
  llvm::SmallVector<mlir::Attribute> temporaries;
  tile::KernelOp before, core;
  tile::SequenceOp beforeSequence, coreSequence;
  mlir::IRMapping toBefore, toCore;
};

} // namespace ssmc::schedule
