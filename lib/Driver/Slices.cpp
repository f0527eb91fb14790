#include "Slices.h"

#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;

Expected<ArrayMap> driver::sliceTime(const ArrayMap& arrays, ArrayRef<Operand> operands,
                                     int64_t first, int64_t last) {
  ArrayMap result;
  for (const Operand& operand : operands) {
    const Array& whole = arrays.find(operand.name)->second;
    if (operand.kind == Operand::Param) {
      Expected<Array> copy = whole.clone();
      if (!copy)
        return copy.takeError();
      result[operand.name] = std::move(*copy);
      continue;
    }
    SmallVector<int64_t> shape(whole.getShape());
    int64_t batch = shape[0], steps = shape[1];
    shape[1] = last - first;
    Expected<Array> part = Array::create(whole.getDType(), shape);
    if (!part)
      return part.takeError();
    size_t step = batch * steps ? whole.getNumBytes() / (batch * steps) : 0;
    for (int64_t b = 0; b < batch && step; ++b)
      std::memcpy(static_cast<char*>(part->getData()) + b * (last - first) * step,
                  static_cast<const char*>(whole.getData()) + (b * steps + first) * step,
                  (last - first) * step);
    result[operand.name] = std::move(*part);
  }
  return result;
}

Error driver::storeTime(ArrayMap& whole, const ArrayMap& span, int64_t first, int64_t total) {
  for (auto& [name, part] : span) {
    SmallVector<int64_t> shape(part.getShape());
    int64_t batch = shape[0], steps = shape[1];
    auto it = whole.find(name);
    if (it == whole.end()) {
      shape[1] = total;
      Expected<Array> array = Array::create(part.getDType(), shape);
      if (!array)
        return array.takeError();
      it = whole.emplace(name, std::move(*array)).first;
    }
    size_t step = batch * steps ? part.getNumBytes() / (batch * steps) : 0;
    for (int64_t b = 0; b < batch && step; ++b)
      std::memcpy(static_cast<char*>(it->second.getData()) + (b * total + first) * step,
                  static_cast<const char*>(part.getData()) + b * steps * step, steps * step);
  }
  return Error::success();
}

Expected<ArrayMap> driver::sliceBatch(const ArrayMap& arrays, int64_t entry) {
  ArrayMap result;
  for (auto& [name, whole] : arrays) {
    SmallVector<int64_t> shape(whole.getShape());
    size_t bytes = whole.getNumBytes() / shape[0];
    shape[0] = 1;
    Expected<Array> part = Array::create(whole.getDType(), shape);
    if (!part)
      return part.takeError();
    if (bytes)
      std::memcpy(part->getData(), static_cast<const char*>(whole.getData()) + entry * bytes,
                  bytes);
    result[name] = std::move(*part);
  }
  return result;
}

Error driver::storeBatch(ArrayMap& whole, const ArrayMap& part, int64_t entry, int64_t total) {
  for (auto& [name, array] : part) {
    auto it = whole.find(name);
    if (it == whole.end()) {
      SmallVector<int64_t> shape(array.getShape());
      shape[0] = total;
      Expected<Array> made = Array::create(array.getDType(), shape);
      if (!made)
        return made.takeError();
      it = whole.emplace(name, std::move(*made)).first;
    }
    size_t bytes = array.getNumBytes();
    if (entry < total && bytes)
      std::memcpy(static_cast<char*>(it->second.getData()) + entry * bytes, array.getData(), bytes);
  }
  return Error::success();
}
