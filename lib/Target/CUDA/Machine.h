/// What NVIDIA's machines have of their own, as intrinsics of NVVM.
#pragma once

#include "ssmc/Target/CUDA.h"

namespace ssmc::cuda {

const simt::Machine& machine(const TargetSpec& target);

} // namespace ssmc::cuda
