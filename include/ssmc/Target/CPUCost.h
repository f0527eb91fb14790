/// What kernels cost before they run: a walk over their loops.
///
/// The kernels are lowered to the loops over vectors that the code generator would get, and these
/// are read as a machine would run them once: how often each loop turns, which instructions its
/// body has, what it touches in memory. Nothing asks which recurrence or form a kernel is of, so
/// that whatever the compiler learns to emit is costed as it is.
#pragma once

#include "ssmc/Target/CPUMachine.h"

namespace ssmc::cpu {

/// How often kernels run: the sizes of a call.
struct CallSizes {
  int64_t heads = 16, groups = 1;
  int64_t time[2] = {1024, 1}; ///< as in ssmc_kernel_args

  /// Of all heads.
  double steps() const { return double(time[0]) * double(time[1]) * double(heads); }
};

/// The cost of a call on one thread, for a sequence of a batch and all its heads.
struct Cost {
  double operations = 0; ///< on single f32; a multiply-add counts as 2
  double functions = 0;  ///< exp, log and the like, whose operations are counted too
  double nearBytes = 0;  ///< moved between L1 and L2
  double farBytes = 0;   ///< moved between L2 and memory
  double cycles = 0;

  Cost& operator+=(const Cost& other);
};

/// Predicts what the tile kernels of a module cost, one after the other. The module becomes loops
/// on the way. Nothing where lowering fails; the context's diagnostic handler has then been told
/// why.
std::optional<Cost> predict(mlir::ModuleOp module, const TargetSpec& target, const Machine& machine,
                            const CallSizes& sizes);

} // namespace ssmc::cpu
