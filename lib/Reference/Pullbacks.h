// The transposed derivatives of single ops: what the cotangent of a result says of the operands.
//
// For a real loss L the cotangent g of a value z satisfies dL = Re(conj(g) dz), summed over the
// elements. An op z = f(x) with the partial derivative p therefore adds conj(p) g to the cotangent
// of x, summed over the labels that x lacks, and the real part of it where x is real. Where g is
// zero nothing is added, whatever p is: what has no influence on the loss gets the gradient zero,
// even if it is infinite or NaN, or p is.
#pragma once

#include "Buffers.h"

namespace ssmc::reference {

/// The kernel that adds to the cotangents of an op's operands what those of its result say, with
/// the values of both at hand; null where nothing flows back. For pointwise ops and those that
/// change labels. Fails where the op has no derivative for its element types.
llvm::Expected<Kernel> makePullback(mlir::Operation* op, Buffers& values, Buffers& cotangents);

/// The part of it for ops that change labels; null for all others too.
Kernel makeLabelPullback(mlir::Operation* op, Buffers& values, Buffers& cotangents);

} // namespace ssmc::reference
