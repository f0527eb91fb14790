/// What NVIDIA's machines have of their own, as intrinsics of NVVM.
#pragma once

#include "ssmc/Target/SIMT.h"

namespace ssmc::cuda {

const simt::Machine& machine();

} // namespace ssmc::cuda
