/// Arrays in files: NumPy's .npy format, versions 1.0, 2.0 and 3.0.
///
/// Every error's message begins with the file's name in quotes and says what is wrong with it.
#pragma once

#include "ssmc/Runtime/Array.h"

namespace ssmc::runtime {

/// What a file's header says.
struct NpyHeader {
  DType dtype = DType::F32;
  bool fortranOrder = false;
  llvm::SmallVector<int64_t, 6> shape;
  /// Bytes from the start of the file to the first element.
  int64_t dataOffset = 0;
};

/// Reads the header alone and checks it against the length of the file: a shape can be refused
/// before its data are read.
llvm::Expected<NpyHeader> readNpyHeader(llvm::StringRef path);

/// Reads an array. Fortran order is brought into C order. Refused: big-endian data, objects, text,
/// structured dtypes, truncated files, sizes beyond the machine's memory. Two-byte void (what NumPy
/// writes for ml_dtypes' bfloat16) is read as BF16.
llvm::Expected<Array> readNpy(llvm::StringRef path);

/// Reads an array for an operand of dtype `target`: converted by Array::convertTo, except that
/// unsigned 16-bit integers are taken as the bits of a BF16 where that is the target.
llvm::Expected<Array> readNpyAs(llvm::StringRef path, DType target);

/// Writes an array in C order, BF16 as f32. The file appears under its name only when it is whole:
/// it is written beside it and renamed. An existing regular file is replaced.
llvm::Error writeNpy(llvm::StringRef path, const Array& array);

} // namespace ssmc::runtime
