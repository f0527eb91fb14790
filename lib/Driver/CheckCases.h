/// What `ssmc check` tries of every recurrence.
#pragma once

#include "Forms.h"
#include "Slices.h"

namespace ssmc::driver {

/// One run that is compared with the reference.
struct CheckCase {
  enum Mode {
    Whole, ///< the sequence in one run
    Split, ///< in two parts, the second from the states that the first left
    Steps, ///< step by step
    Bits,  ///< on one thread, on two, and again; packed sequences also one by one: the same bits
  };
  const char* name;
  Mode mode = Whole;
  int64_t batch = 2, heads = 3;
  llvm::SmallVector<int64_t, 2> time;
  /// Of packed sequences, which are all of `time` in a batch of one.
  llvm::SmallVector<int64_t, 8> lengths;
  bool initialState = false;
  Gates gates = Gates::Usual;
  /// Sizes that vectors divide, in place of odd ones, where the command line gives none.
  bool evenSizes = false;
  /// Each sequence in so many segments.
  int64_t segments = 1;
};

/// The cases that make sense for a recurrence, in a form of blocks of `chunk` steps if given. A
/// `brief` list is for a target that shares its form with another, which is checked in full. With
/// `segments` sequences in segments are among them.
std::vector<CheckCase> checkCases(ssm::RecurrenceOp declared, bool dimsGiven,
                                  std::optional<int64_t> chunk, bool brief, bool segments);

/// Whether a form is tried in segments too: once in f32, with blocks of the usual size, where it
/// has summaries. Where --segments asks for it, always; then they must exist.
llvm::Expected<bool> checksSegments(ssm::RecurrenceOp declared, const Options& options,
                                    const FormChoice& form, runtime::DType dtype);

/// Sizes of the dims for a case: given ones, else defaults, else small odd (or even) ones.
llvm::Expected<std::map<std::string, int64_t, std::less<>>>
checkDims(ssm::RecurrenceOp declared, const Options& options, bool even);

} // namespace ssmc::driver
