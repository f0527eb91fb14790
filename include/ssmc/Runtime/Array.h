/// Owned n-dimensional arrays: what is read from files, handed to kernels and compared.
///
/// An array's elements lie contiguously in C order (the last axis varies fastest). Sizes count
/// elements unless a name says bytes. Nothing here throws; what can fail returns an llvm::Error
/// whose message names sizes and types.
#pragma once

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"

#include <complex>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace ssmc::runtime {

/// Element types, in the byte order of the machine.
enum class DType : uint8_t {
  Bool,
  I8,
  I16,
  I32,
  I64,
  U8,
  U16,
  U32,
  U64,
  F16,
  BF16,
  F32,
  F64,
  Complex64,
  Complex128,
};

/// Bytes of one element.
unsigned byteWidth(DType dtype);
/// `f32`, `bf16`, `complex64`, `bool`, `i32` …
llvm::StringRef name(DType dtype);
/// The dtype of that name, also by NumPy's names (`float32`, `bfloat16`, `int64` …).
std::optional<DType> parseDType(llvm::StringRef text);
bool isComplex(DType dtype);
/// f16, bf16, f32 or f64.
bool isFloat(DType dtype);

/// `[2, 3]`.
std::string formatShape(llvm::ArrayRef<int64_t> shape);
/// `1.50 GiB`.
std::string formatBytes(double bytes);

/// Number of elements of a shape; an error where an extent is negative or the product, in bytes of
/// this dtype, exceeds what one allocation can be.
llvm::Expected<int64_t> countElements(DType dtype, llvm::ArrayRef<int64_t> shape);

/// What the machine has, in bytes.
double installedMemory();

/// An error, saying what needs the memory, where `bytes` is more than the machine has altogether.
llvm::Error checkMemory(double bytes, const llvm::Twine& what);

/// A move-only array. An empty one (default-constructed) has rank 1 and no elements.
class Array {
public:
  Array() = default;

  /// A new array, every byte zero. Aligned to 64 bytes. Fails for negative extents, products that
  /// overflow, and sizes beyond the machine's memory.
  static llvm::Expected<Array> create(DType dtype, llvm::ArrayRef<int64_t> shape);

  llvm::Expected<Array> clone() const;

  DType getDType() const { return dtype; }
  llvm::ArrayRef<int64_t> getShape() const { return shape; }
  unsigned getRank() const { return shape.size(); }
  int64_t getNumElements() const { return count; }
  size_t getNumBytes() const { return size_t(count) * byteWidth(dtype); }

  void* getData() { return data; }
  const void* getData() const { return data; }
  /// The elements as the C++ type that stores them: `float` for F32, `uint16_t` for F16 and BF16 …
  template <typename T> llvm::MutableArrayRef<T> as() {
    assert(sizeof(T) == byteWidth(dtype));
    return {static_cast<T*>(data), size_t(count)};
  }
  template <typename T> llvm::ArrayRef<T> as() const {
    assert(sizeof(T) == byteWidth(dtype));
    return {static_cast<const T*>(data), size_t(count)};
  }

  /// Element `index` in C order, exactly (64-bit integers beyond 2^53 are rounded).
  std::complex<double> get(int64_t index) const;

  /// The same elements under another shape of the same product.
  llvm::Error reshape(llvm::ArrayRef<int64_t> newShape);

  /// The array in another dtype: floats are rounded to nearest even, nonzero becomes true. Fails
  /// from complex to real, and from floats to integers other than bool.
  llvm::Expected<Array> convertTo(DType target) const;

private:
  struct Free {
    void operator()(void* pointer) const { std::free(pointer); }
  };
  std::unique_ptr<void, Free> storage;
  void* data = nullptr;
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 6> shape = {0};
  int64_t count = 0;
};

/// Arrays by name, in the order of their names.
using ArrayMap = std::map<std::string, Array, std::less<>>;

} // namespace ssmc::runtime
