/// Evaluates a tile kernel in f64, whole arrays at a time: what the compiled kernels are compared
/// with.
#pragma once

#include "CPUKernelHarness.h"

namespace ssmc::tile {
class KernelOp;
}

namespace ssmc::test {

/// The operands of a kernel, with names, roles, types and axes as it declares them.
std::vector<Operand> operandsOf(tile::KernelOp kernel);

/// Runs one item.
void interpret(tile::KernelOp kernel, ItemView item);

} // namespace ssmc::test
