#include "ssmc/Runtime/Array.h"
#include "ssmc/Runtime/Convert.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/ErrorHandling.h"

#include <cstring>
#include <fmt/format.h>
#include <limits>
#include <unistd.h>

using namespace llvm;
using namespace ssmc::runtime;

unsigned ssmc::runtime::byteWidth(DType dtype) {
  switch (dtype) {
  case DType::Bool:
  case DType::I8:
  case DType::U8:
    return 1;
  case DType::I16:
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::I32:
  case DType::U32:
  case DType::F32:
    return 4;
  case DType::I64:
  case DType::U64:
  case DType::F64:
  case DType::Complex64:
    return 8;
  case DType::Complex128:
    return 16;
  }
  llvm_unreachable("all dtypes are listed");
}

StringRef ssmc::runtime::name(DType dtype) {
  static constexpr const char* names[] = {"bool", "i8",  "i16", "i32",       "i64",
                                          "u8",   "u16", "u32", "u64",       "f16",
                                          "bf16", "f32", "f64", "complex64", "complex128"};
  return names[unsigned(dtype)];
}

std::optional<DType> ssmc::runtime::parseDType(StringRef text) {
  return StringSwitch<std::optional<DType>>(text)
      .Case("bool", DType::Bool)
      .Cases({"i8", "int8"}, DType::I8)
      .Cases({"i16", "int16"}, DType::I16)
      .Cases({"i32", "int32"}, DType::I32)
      .Cases({"i64", "int64"}, DType::I64)
      .Cases({"u8", "uint8"}, DType::U8)
      .Cases({"u16", "uint16"}, DType::U16)
      .Cases({"u32", "uint32"}, DType::U32)
      .Cases({"u64", "uint64"}, DType::U64)
      .Cases({"f16", "float16"}, DType::F16)
      .Cases({"bf16", "bfloat16"}, DType::BF16)
      .Cases({"f32", "float32"}, DType::F32)
      .Cases({"f64", "float64"}, DType::F64)
      .Case("complex64", DType::Complex64)
      .Case("complex128", DType::Complex128)
      .Default(std::nullopt);
}

bool ssmc::runtime::isComplex(DType dtype) {
  return dtype == DType::Complex64 || dtype == DType::Complex128;
}

bool ssmc::runtime::isFloat(DType dtype) {
  return dtype >= DType::F16 && dtype <= DType::F64;
}

std::string ssmc::runtime::formatShape(ArrayRef<int64_t> shape) {
  return "[" + join(map_range(shape, [](int64_t extent) { return std::to_string(extent); }), ", ") +
         "]";
}

std::string ssmc::runtime::formatBytes(double bytes) {
  static constexpr const char* units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024)
    return fmt::format("{} bytes", int(bytes));
  unsigned unit = 0;
  for (bytes /= 1024; bytes >= 1024 && unit + 1 < std::size(units); bytes /= 1024)
    ++unit;
  return fmt::format("{:.2f} {}", bytes, units[unit]);
}

Expected<int64_t> ssmc::runtime::countElements(DType dtype, ArrayRef<int64_t> shape) {
  int64_t limit = std::numeric_limits<int64_t>::max() / byteWidth(dtype);
  int64_t count = 1;
  for (int64_t extent : shape)
    if (extent < 0)
      return createStringError("shape " + formatShape(shape) + " has a negative extent");
  if (is_contained(shape, 0))
    return 0;
  for (int64_t extent : shape) {
    if (extent > limit / count)
      return createStringError("an array of shape " + formatShape(shape) + " and dtype " +
                               name(dtype) + " has more bytes than 64 bits can count");
    count *= extent;
  }
  return count;
}

double ssmc::runtime::installedMemory() {
  return double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
}

Error ssmc::runtime::checkMemory(double bytes, const Twine& what) {
  double installed = installedMemory();
  if (bytes <= installed)
    return Error::success();
  return createStringError(what + " needs " + formatBytes(bytes) + "; this machine has " +
                           formatBytes(installed));
}

Expected<Array> Array::create(DType dtype, ArrayRef<int64_t> shape) {
  Expected<int64_t> count = countElements(dtype, shape);
  if (!count)
    return count.takeError();
  auto describe = [&] {
    return "an array of shape " + formatShape(shape) + " and dtype " + name(dtype).str();
  };
  Array array;
  array.dtype = dtype;
  array.shape.assign(shape.begin(), shape.end());
  array.count = *count;
  if (Error error = checkMemory(double(array.getNumBytes()), describe()))
    return error;
  // calloc leaves the zeroing of large arrays to the first touch of each page.
  constexpr size_t alignment = 64;
  array.storage.reset(std::calloc(array.getNumBytes() + alignment, 1));
  if (!array.storage)
    return createStringError("out of memory for " + describe() + ", " +
                             formatBytes(double(array.getNumBytes())));
  auto address = reinterpret_cast<uintptr_t>(array.storage.get());
  array.data = reinterpret_cast<void*>((address + alignment - 1) / alignment * alignment);
  return array;
}

Expected<Array> Array::clone() const {
  Expected<Array> copy = create(dtype, shape);
  if (copy && count)
    std::memcpy(copy->data, data, getNumBytes());
  return copy;
}

std::complex<double> Array::get(int64_t index) const {
  double value[2] = {0, 0};
  toDoubles(dtype, static_cast<const char*>(data) + index * byteWidth(dtype), 1, value);
  return {value[0], value[1]};
}

Error Array::reshape(ArrayRef<int64_t> newShape) {
  Expected<int64_t> newCount = countElements(dtype, newShape);
  if (!newCount)
    return newCount.takeError();
  if (*newCount != count)
    return createStringError("shape " + formatShape(shape) + " cannot become " +
                             formatShape(newShape) + ": the number of elements differs");
  shape.assign(newShape.begin(), newShape.end());
  return Error::success();
}

Expected<Array> Array::convertTo(DType target) const {
  if (target == dtype)
    return clone();
  bool toInteger = !isFloat(target) && !runtime::isComplex(target) && target != DType::Bool;
  if (runtime::isComplex(dtype) && !runtime::isComplex(target))
    return createStringError(name(dtype) + " values cannot become " + name(target) +
                             " ones: the imaginary part would be lost");
  if (toInteger && isFloat(dtype))
    return createStringError(name(dtype) + " values cannot become " + name(target) +
                             " ones: fractions would be lost");
  Expected<Array> result = create(target, shape);
  if (!result)
    return result;
  // A block at a time: no second copy of the whole in f64.
  constexpr int64_t block = 4096;
  double values[2 * block];
  const char* from = static_cast<const char*>(data);
  char* to = static_cast<char*>(result->data);
  for (int64_t start = 0; start < count; start += block) {
    int64_t n = std::min(block, count - start);
    toDoubles(dtype, from + start * byteWidth(dtype), n, values);
    if (runtime::isComplex(target) && !runtime::isComplex(dtype))
      for (int64_t i = n - 1; i >= 0; --i) {
        values[2 * i] = values[i];
        values[2 * i + 1] = 0;
      }
    fromDoubles(target, values, n, to + start * byteWidth(target));
  }
  return result;
}
