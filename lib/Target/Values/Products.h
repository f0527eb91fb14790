/// Contractions in a kernel, as products of two sides, and how they may be rounded.
#pragma once

#include "dialects/Tile/Tile.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace ssmc::target {

/// A sum over `reduced` of left * right, where `row` is a label of the left side alone and `lane`
/// one of the right side alone.
struct Product {
  mlir::Value left, right;
  mlir::Value scale; ///< what the sum was multiplied with, if anything
  llvm::StringRef row, lane;
  llvm::SmallVector<llvm::StringRef> reduced;
};

using ProductMap = llvm::DenseMap<mlir::Operation*, Product>;

/// Brings sums of products to the shape of Product. `readAlong` counts how often products read a
/// state with lanes along a label. With `keepExactSides` factors are moved so that a side which is
/// stored as bf16 stays as it is.
void findProducts(mlir::Operation* kernel, bool keepExactSides, ProductMap& products,
                  llvm::StringMap<int64_t>& readAlong);

/// The copies of each side that a product of bf16 multiplies: (left, right), true for what rounding
/// leaves. With `keepBoth` of two computed sides neither loses digits.
llvm::SmallVector<std::pair<bool, bool>> roundedTerms(ssm::SumOp sum, const Product& product,
                                                      bool keepBoth = false);

using tile::flowsIntoState;
using tile::isExactAsBF16;
using tile::isStoredAsBF16;

/// Whether a value is 0 wherever the position along `columns` is past that along `rows`.
bool isCausal(mlir::Value value, llvm::StringRef rows, llvm::StringRef columns);

} // namespace ssmc::target
