/// A kernel as a tree of loops: what each has in its body, and how often it turns.
#pragma once

#include "ssmc/Target/KernelABI.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <vector>

namespace ssmc::cpu {

/// Instructions by what they keep busy. Single elements count as instructions, not as vectors.
struct Instructions {
  double multiplyAdds = 0; ///< products, and sums that take one up
  double sums = 0;         ///< all other arithmetic on vectors
  double divisions = 0;
  double shuffles = 0;
  double loads = 0, stores = 0;
  double scalarLoads = 0, scalarStores = 0;
  double scalars = 0; ///< arithmetic on single numbers
  double calls = 0;   ///< of the library of functions

  double bf16MultiplyAdds = 0;          ///< of single elements
  double operations = 0, functions = 0; ///< as in Cost
};

/// A read or write of data.
struct Access {
  int64_t address = 0; ///< where all loops around stand in their middle; operands lie far apart
  llvm::SmallVector<double, 8>
      slopes; ///< bytes that it moves in a round of each loop, outermost first
  int64_t bytes = 4;
};

/// A loop; the kernel itself is one of a single round.
struct Loop {
  double rounds = 1;
  unsigned depth = 0; ///< loops around it
  Instructions body;  ///< without the loops inside
  /// Sums and products of a round of which each waits for the one before, the first for the round
  /// before.
  double chain = 0;
  std::vector<Access> accesses; ///< of the body, without the loops inside
  std::vector<std::unique_ptr<Loop>> inner;
};

/// Reads a kernel's function, made by LowerTileToLoops, for a call with these arguments, `arrays`
/// of them operands. Operands are not read: their pointers may be any numbers that are far apart
/// and not null.
Loop readLoops(mlir::func::FuncOp function, const ssmc_kernel_args& args, int64_t arrays);

} // namespace ssmc::cpu
