#include "Packed.h"
#include "Slices.h"

#include "ssmc/Runtime/Npy.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;
using reference::Results;
using runtime::Array;
using runtime::ArrayMap;
using runtime::DType;

Expected<std::vector<int64_t>> driver::readOffsets(StringRef path) {
  std::string what = fmt::format("--cu-seqlens '{}'", path.str());
  Expected<runtime::NpyHeader> header = runtime::readNpyHeader(path);
  if (!header)
    return createStringError("--cu-seqlens: " + toString(header.takeError()));
  if (header->dtype != DType::I32 && header->dtype != DType::I64)
    return createStringError(what + " holds " + numpyName(header->dtype) +
                             ", expected int32 or int64");
  if (header->shape.size() != 1)
    return createStringError(what + " has shape " + runtime::formatShape(header->shape) +
                             ", expected one axis of N+1 numbers for N sequences");
  if (header->shape[0] == 0)
    return createStringError(what + " is empty, expected 0 and then the end of each sequence");
  Expected<Array> array = runtime::readNpy(path);
  if (!array)
    return createStringError("--cu-seqlens: " + toString(array.takeError()));
  std::vector<int64_t> offsets;
  if (array->getDType() == DType::I32)
    append_range(offsets, array->as<int32_t>());
  else
    append_range(offsets, array->as<int64_t>());
  if (offsets.front() != 0)
    return createStringError(what + " starts at " + Twine(offsets.front()) + ", expected 0");
  for (size_t i = 1; i < offsets.size(); ++i)
    if (offsets[i] < offsets[i - 1])
      return createStringError(fmt::format("{} goes down from {} to {} at index {}", what,
                                           offsets[i - 1], offsets[i], i));
  return offsets;
}

Error driver::fitSizes(ssm::RecurrenceOp declared, ArrayRef<int64_t> offsets,
                       reference::Sizes& sizes) {
  if (sizes.batch >= 0 && sizes.batch != 1)
    return createStringError("--cu-seqlens: packed sequences are a batch of 1, not of " +
                             Twine(sizes.batch));
  int64_t& steps = sizes.time.front();
  if (steps >= 0 && steps != offsets.back())
    return createStringError(fmt::format("--cu-seqlens ends at {}, time axis '{}' has {} steps",
                                         offsets.back(),
                                         ssm::strings(declared.getTime()).front().str(), steps));
  sizes.batch = 1;
  steps = offsets.back();
  return Error::success();
}

Expected<Results> driver::runEachSequence(const Signature& signature, const Inputs& inputs,
                                          function_ref<Expected<Results>(const Inputs&)> run) {
  Results results;
  int64_t count = inputs.sequences(), total = inputs.sizes.time[0];
  // Where there is no sequence, one of no steps tells what the results look like.
  for (int64_t n = 0; n < std::max<int64_t>(count, 1); ++n) {
    int64_t first = count ? inputs.offsets[n] : 0, last = count ? inputs.offsets[n + 1] : 0;
    Inputs one;
    one.sizes = inputs.sizes;
    one.sizes.time[0] = last - first;
    Expected<ArrayMap> operands = sliceTime(inputs.operands, signature.inputs, first, last);
    if (!operands)
      return operands.takeError();
    one.operands = std::move(*operands);
    if (count) {
      Expected<ArrayMap> states = sliceBatch(inputs.states, n);
      if (!states)
        return states.takeError();
      one.states = std::move(*states);
    }
    Expected<Results> found = run(one);
    if (!found)
      return found.takeError();
    if (Error error = storeTime(results.outputs, found->outputs, first, total))
      return error;
    if (Error error = storeBatch(results.states, found->states, n, count))
      return error;
  }
  return std::move(results);
}

Expected<Results> driver::interpret(ssm::RecurrenceOp declared, const Signature& signature,
                                    const Inputs& inputs, unsigned threads) {
  auto run = [&](const Inputs& given) {
    return reference::interpret(declared, given.sizes, given.operands, given.states, threads);
  };
  return inputs.isPacked() ? runEachSequence(signature, inputs, run) : run(inputs);
}
