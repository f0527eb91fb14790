/// What `ssmc check` tries of every recurrence.
#pragma once

#include "Operands.h"

namespace ssmc::driver {

/// One run that is compared with the reference.
struct CheckCase {
  enum Mode {
    Whole, ///< the sequence in one run
    Split, ///< in two parts, the second from the states that the first left
    Steps, ///< step by step
    Bits,  ///< on one thread, on two, and again: bit for bit the same
  };
  const char* name;
  Mode mode = Whole;
  int64_t batch = 2, heads = 3;
  llvm::SmallVector<int64_t, 2> time;
  bool initialState = false;
  Gates gates = Gates::Usual;
  /// Sizes that vectors divide, in place of odd ones, where the command line gives none.
  bool evenSizes = false;
};

/// The cases that make sense for a recurrence.
std::vector<CheckCase> checkCases(ssm::RecurrenceOp declared, bool dimsGiven);

/// Sizes of the dims for a case: given ones, else defaults, else small odd (or even) ones.
llvm::Expected<std::map<std::string, int64_t, std::less<>>>
checkDims(ssm::RecurrenceOp declared, const Options& options, bool even);

/// Steps `first` to `last` - 1 of arrays [B, T, …]; params are copied.
llvm::Expected<runtime::ArrayMap> sliceTime(const runtime::ArrayMap& arrays,
                                            llvm::ArrayRef<Operand> operands, int64_t first,
                                            int64_t last);

/// Puts the outputs of consecutive spans, [B, T, …], one after another.
llvm::Error storeTime(runtime::ArrayMap& whole, const runtime::ArrayMap& span, int64_t first,
                      int64_t total);

} // namespace ssmc::driver
