/// The `tile` dialect: kernels over static tiles of labelled arrays; see TileOps.td.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/ADT/MapVector.h"

#include "dialects/Tile/TileDialect.h.inc"
#include "dialects/Tile/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.h.inc"

namespace ssmc::tile {
class YieldOp;
} // namespace ssmc::tile

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"

namespace ssmc::tile {

/// The label of the steps of a tile, and every name that it is given inside, each with the number
/// of positions that a step has there: columns of a matrix over steps, micro-steps.
llvm::MapVector<llvm::StringRef, int64_t> namesOfSteps(SequenceOp sequence);

/// Whether a kernel runs once for each group, not for each head: all that it writes is what others
/// read of a group's chunks.
bool isOfGroups(KernelOp kernel);

/// Whether a value has bf16's digits and no more, as an operand that is stored so has.
bool isStoredAsBF16(mlir::Value value);

/// Whether that is all there is to it: what a kernel passes on as one bf16 has been rounded.
bool isExactAsBF16(mlir::Value value);
/// Whether a value is a sum or a difference, up to factors: it may be small beside its terms.
bool isDifference(mlir::Value value);

/// Whether a value has a part in the states that the next block of steps begins with, or in what
/// another kernel reads with more digits than bf16 has. Stores that are `isLast` pass nothing on.
bool flowsIntoState(mlir::Value value, llvm::function_ref<bool(StoreOp)> isLast = nullptr);

} // namespace ssmc::tile
