/// Packed sequences: of any lengths, none included, one after the other along the time axis of a
/// batch of one. Each starts from a state of its own.
#pragma once

#include "Operands.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace ssmc::driver {

/// Reads --cu-seqlens: where each of N sequences begins, and where the last one ends.
llvm::Expected<std::vector<int64_t>> readOffsets(llvm::StringRef path);

/// Fits sizes, as far as they are known, to packed sequences: one batch entry that is as long as
/// all of them.
llvm::Error fitSizes(ssm::RecurrenceOp declared, llvm::ArrayRef<int64_t> offsets,
                     reference::Sizes& sizes);

/// Runs each sequence by itself and puts the results together.
llvm::Expected<reference::Results>
runEachSequence(const Signature& signature, const Inputs& inputs,
                llvm::function_ref<llvm::Expected<reference::Results>(const Inputs&)> run);

/// What the declaration means, by the reference: packed sequences one by one.
llvm::Expected<reference::Results> interpret(ssm::RecurrenceOp declared, const Signature& signature,
                                             const Inputs& inputs, unsigned threads);

} // namespace ssmc::driver
