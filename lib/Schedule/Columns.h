// Chunks whose columns never meet.
#pragma once

#include "dialects/Tile/Tile.h"

namespace ssmc::schedule {

/// Takes a kernel of chunks apart into one that makes, for all chunks at once, what needs no state,
/// one that carries the states, whose columns never meet (`columns` of tile.kernel), and, where it
/// writes what columns alone do not give, one for that, again for all chunks at once. What
/// passes between them is named after `prefix`. The kernel itself where it is no such.
llvm::SmallVector<tile::KernelOp> splitColumns(tile::KernelOp kernel, llvm::StringRef prefix);

/// Takes a kernel that writes nothing but what it ends with apart into one for each group of
/// carried values that have no part in each other: a span's offset and its transition, say, which
/// have columns of their own. The kernel itself where there is one group, or where it writes more.
llvm::SmallVector<tile::KernelOp> splitCarried(tile::KernelOp kernel);

/// Makes x + d u of a triangular system's solution u the solution of another one, where that spares
/// a product (lib/Schedule/PushThrough.cpp says which). What is not wanted any more stays.
void pushThrough(ssm::SolveOp solve);

/// Keeps what the kernels of one form pass on of a chunk, where it is a matrix, as two bf16 each:
/// what rounding gives, and what it leaves. Products read them as they lie.
void keepPairs(llvm::ArrayRef<tile::KernelOp> kernels);

/// Drops what rounding leaves of such matrices where it would have no part in a state: a result
/// that is written as bf16 can be made of sides that are.
void dropRests(llvm::ArrayRef<tile::KernelOp> kernels);

} // namespace ssmc::schedule
