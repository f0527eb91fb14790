#include "CheckCases.h"

#include <cstring>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using runtime::Array;
using runtime::ArrayMap;

/// Whether a sequence can be computed in parts: nothing is read at later steps.
static bool isCausal(ssm::RecurrenceOp declared) {
  bool causal = true;
  declared->walk([&](ssm::PrevOp prev) {
    causal &= all_of(prev.getBy(), [](int64_t by) { return by >= 0; });
  });
  return causal;
}

std::vector<CheckCase> driver::checkCases(ssm::RecurrenceOp declared, bool dimsGiven) {
  using Case = CheckCase;
  std::vector<Case> cases;
  if (declared.getNumTimeAxes() > 1) {
    cases = {{.name = "odd sizes", .time = {5, 7}},
             {.name = "one step", .time = {1, 1}},
             {.name = "one row", .time = {1, 23}},
             {.name = "one column", .time = {23, 1}},
             {.name = "no step", .time = {0, 4}},
             {.name = "whole tiles", .time = {3, 32}},
             {.name = "long", .batch = 1, .heads = 1, .time = {67, 53}},
             {.name = "strong gates", .time = {5, 19}, .gates = Gates::Strong},
             {.name = "weak gates", .time = {5, 19}, .gates = Gates::Weak},
             {.name = "same bits", .mode = Case::Bits, .time = {5, 19}}};
  } else {
    cases = {{.name = "odd sizes", .time = {37}},
             {.name = "one step", .time = {1}, .initialState = true},
             {.name = "no step", .time = {0}, .initialState = true},
             {.name = "whole tiles", .time = {48}},
             {.name = "4096 steps", .batch = 1, .heads = 1, .time = {4096}},
             {.name = "initial state", .time = {37}, .initialState = true},
             {.name = "strong gates", .time = {61}, .initialState = true, .gates = Gates::Strong},
             {.name = "weak gates", .time = {61}, .initialState = true, .gates = Gates::Weak},
             {.name = "same bits", .mode = Case::Bits, .time = {37}, .initialState = true}};
    if (isCausal(declared)) {
      cases.push_back(
          {.name = "split prefill", .mode = Case::Split, .time = {37}, .initialState = true});
      cases.push_back(
          {.name = "step by step", .mode = Case::Steps, .time = {6}, .initialState = true});
    }
  }
  if (!dimsGiven && !declared.getDims().empty())
    cases.push_back({.name = "even dims",
                     .time = SmallVector<int64_t, 2>(declared.getNumTimeAxes(), 19),
                     .evenSizes = true});
  return cases;
}

Expected<std::map<std::string, int64_t, std::less<>>>
driver::checkDims(ssm::RecurrenceOp declared, const Options& options, bool even) {
  auto sizes = dimSizes(declared, options, /*needAll=*/false);
  if (!sizes)
    return sizes.takeError();
  static constexpr int64_t odd[] = {12, 21, 7, 5}, smooth[] = {16, 32, 16, 32};
  unsigned next = 0;
  for (auto dim : declared.getDims().getAsRange<ssm::DimAttr>())
    if (!sizes->contains(dim.getName().getValue()))
      (*sizes)[dim.getName().str()] = (even ? smooth : odd)[next++ % 4];
  return sizes;
}

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
