// The text part of a .npy file: a Python dictionary literal with three keys.
#pragma once

#include "ssmc/Runtime/Npy.h"

namespace ssmc::runtime {

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`. Messages lack the file's
/// name.
llvm::Expected<NpyHeader> parseNpyDictionary(llvm::StringRef text);

/// The same text for an array in C order, with NumPy's spelling. Not for BF16, which NumPy lacks.
std::string formatNpyDictionary(DType dtype, llvm::ArrayRef<int64_t> shape);

} // namespace ssmc::runtime
