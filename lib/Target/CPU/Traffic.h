#pragma once

#include "Loops.h"

namespace ssmc::cpu {

/// Bytes that a loop brings into a level of the memory that holds so many, each time it is entered.
double trafficOf(const Loop& loop, double bytes);

} // namespace ssmc::cpu
