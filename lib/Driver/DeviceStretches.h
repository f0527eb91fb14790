/// Long sequences in stretches of time on a device, for kernels some of which wait for no state.
///
/// What carries a state takes the steps of a sequence one after the other, and often leaves most of
/// a device idle: a product of a matrix unit has 64 columns of a state, so that 64 heads of 64
/// columns are 64 blocks. What comes before it and needs no state is computed meanwhile, a stretch
/// ahead:
///
///   first queue      |          | states 0 | states 1 | states 2 | …
///   second queue     | before 0 | before 1 | before 2 | …
///
/// Between stretches states lie in memory. What the kernels leave each other is kept for two
/// stretches alone, so that it stays in the device's cache, and little of it is needed. The bits
/// are the same as without.
///
/// For dense arrays of one time axis: kernels that go forwards, none of which has memory of its own
/// beside its arrays.
#pragma once

#include "DeviceArrays.h"

namespace ssmc::driver {

class DeviceStretchPlanner {
public:
  using Launch = CompiledRecurrence::Launch;
  DeviceStretchPlanner(const CompiledRecurrence& compiled, const reference::Sizes& sizes,
                       CompiledRecurrence::Find find, bool keepStates)
      : compiled(compiled), sizes(sizes), given(find), keepStates(keepStates) {}
  /// Cuts sequences into so many stretches, or into as many as suit the device if that is 0; false
  /// where that leaves one, or kernels cannot be run so.
  bool cut(int64_t asked);
  llvm::Expected<Launch> plan();

private:
  using KernelInfo = CompiledRecurrence::KernelInfo;
  using OperandInfo = CompiledRecurrence::OperandInfo;
  llvm::ArrayRef<KernelInfo> kernels() const;
  bool canBeCut() const;
  /// Blocks of the kernels that carry states.
  int64_t blocksOfStates() const;
  artifact::CallSizes sizesOf(int64_t steps) const;
  llvm::Error add(size_t kernel, int64_t stretch, simt::Queue queue);
  /// Where an operand lies for a stretch; its strides are put in.
  llvm::Expected<ArrayPlace> placeOf(const OperandInfo& operand, size_t kernel, int64_t stretch,
                                     std::array<int64_t, 4>& strides);
  llvm::Expected<ArrayPlace> stateAfter(const OperandInfo& operand, size_t kernel, int64_t stretch);

  const CompiledRecurrence& compiled;
  const reference::Sizes& sizes;
  CompiledRecurrence::Find given;
  bool keepStates;
  std::vector<int64_t> begins; ///< of stretches, and where the last one ends
  int64_t longest = 0;         ///< steps of a stretch
  int64_t count() const { return int64_t(begins.size()) - 1; }
  Launch launch;
};

} // namespace ssmc::driver
