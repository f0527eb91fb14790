/// Which forms a recurrence has.
#pragma once

#include "Kernels.h"

namespace ssmc::driver {

/// "recurrent", "scan" …
llvm::StringRef nameOf(Form form);

/// Steps of a block for which --chunk says nothing.
int64_t defaultChunk(Form form);

/// "'gla' has no scan form: …"
llvm::Error noSuchForm(llvm::StringRef recurrence, Form form, llvm::StringRef reason);

/// Equal reads and products are written once.
llvm::Error simplify(ssm::RecurrenceOp form);

/// Rewrites a normal form into its scan or chunked form, as the options say, in its place and
/// simplified. Null, with the reason, where it has none; the normal form then stays.
llvm::Expected<ssm::RecurrenceOp> deriveBlocks(ssm::RecurrenceOp normal,
                                               const LoweringOptions& options, std::string& reason);

/// A form that exists, and the steps of its blocks where it has blocks.
struct FormChoice {
  Form form;
  std::optional<int64_t> chunk;

  /// `recurrent`, `chunked 64`
  std::string text() const;
  bool operator==(const FormChoice&) const = default;
};

/// A form that a recurrence does not have.
struct AbsentForm {
  Form form;
  std::string reason;
};

struct FormList {
  llvm::SmallVector<FormChoice> present;
  llvm::SmallVector<AbsentForm> absent;
};

/// The forms of a normal form that the command line means: the one of --form, else all. Those of
/// blocks come with the default steps, or those of --chunk. Fails where --form names a form that
/// does not exist.
llvm::Expected<FormList> formsOf(ssm::RecurrenceOp normal, const Options& options);
/// The same for sizes, a form and steps of blocks that are known.
llvm::Expected<FormList> formsOf(ssm::RecurrenceOp normal,
                                 const std::map<std::string, int64_t, std::less<>>& dims, Form form,
                                 std::optional<int64_t> chunk);

} // namespace ssmc::driver
