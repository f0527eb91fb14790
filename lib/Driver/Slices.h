/// Parts of arrays along the time axis or the batch, and wholes made of them again.
#pragma once

#include "Operands.h"

namespace ssmc::driver {

/// Steps `first` to `last` - 1 of arrays [B, T, …]; params are copied.
llvm::Expected<runtime::ArrayMap> sliceTime(const runtime::ArrayMap& arrays,
                                            llvm::ArrayRef<Operand> operands, int64_t first,
                                            int64_t last);

/// Puts the outputs of consecutive spans, [B, T, …], one after another.
llvm::Error storeTime(runtime::ArrayMap& whole, const runtime::ArrayMap& span, int64_t first,
                      int64_t total);

/// One entry of arrays [B, …], as arrays [1, …].
llvm::Expected<runtime::ArrayMap> sliceBatch(const runtime::ArrayMap& arrays, int64_t entry);

/// Puts arrays [1, …] into their place among `total`; nowhere if `entry` is beyond them.
llvm::Error storeBatch(runtime::ArrayMap& whole, const runtime::ArrayMap& part, int64_t entry,
                       int64_t total);

} // namespace ssmc::driver
