/// Products that are computed together (JointProducts.cpp).
#pragma once

#include "lib/Target/SIMT/Emitter.h"

namespace ssmc::simt {

/// Products with rows and lanes of the same labels, and all that is made of them element by element
/// while they are in registers. No other op needs to find them in memory.
struct JointProducts {
  llvm::SetVector<Operation*> products;
  /// Values that never leave registers, products among them.
  llvm::SetVector<Value> inside;
  /// Ops that are computed of these: values to be kept, stores, and sums over rows or lanes.
  llvm::SetVector<Operation*> ops, totals;
  /// Those of `inside` that other products read as bf16.
  llvm::SetVector<Value> copied;
};

/// What a block of ops offers to joint products.
struct JointContext {
  Block* block;
  /// Whether an op is computed at all, is a product that warps hold in registers, is kept in
  /// memory.
  llvm::function_ref<bool(Operation*)> isLive, isProduct, isKept;
  /// Whether products that read a value as a side read a copy of it.
  llvm::function_ref<bool(Value, Operation*)> isCopied;
  /// Whether a store can be done wherever a value is.
  llvm::function_ref<bool(tile::StoreOp)> isStorable;
  const ProductMap& products;
};

/// All joint products of a block, none of which wait for each other.
std::vector<JointProducts> findJointProducts(const JointContext& context);

} // namespace ssmc::simt
