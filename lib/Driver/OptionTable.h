/// One row for each option: parsing, `--help` and "did you mean" all read this table.
#pragma once

#include "ssmc/Driver/Options.h"

namespace ssmc::driver {

struct OptionRow {
  llvm::StringLiteral name;  ///< with its dashes
  llvm::StringLiteral value; ///< what follows it, in the help; empty for a switch
  unsigned commands;         ///< the commands that take it, as bits
  llvm::StringLiteral help;
  llvm::Error (*apply)(Options& options, llvm::StringRef value);
};

llvm::ArrayRef<OptionRow> optionTable();

/// Options that the language of the command line has but this version does not: name, and whether a
/// value follows.
struct AbsentOption {
  llvm::StringLiteral name;
  bool hasValue;
};
llvm::ArrayRef<AbsentOption> absentOptions();

/// The refusal of what this version lacks.
llvm::Error notAvailable(const llvm::Twine& what);

} // namespace ssmc::driver
