//===- Diagnostics.h - Errors about a source file ---------------*- C++ -*-===//
//
// Collects every error of a file, so that one run reports all of them, sorted by place. Each is
// printed as `file:line:col: error: message`, the source line and a caret.
//
//===----------------------------------------------------------------------===//

#ifndef SSMC_FRONTEND_DIAGNOSTICS_H
#define SSMC_FRONTEND_DIAGNOSTICS_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/SMLoc.h"
#include <deque>
#include <string>

namespace llvm {
class SourceMgr;
class raw_ostream;
} // namespace llvm

namespace ssmc {

/// An error and the places that explain it.
struct Diagnostic {
  struct Note {
    llvm::SMLoc loc;
    std::string message;
  };

  llvm::SMLoc loc;
  std::string message;
  llvm::SmallVector<Note, 1> notes;

  /// Adds a note that points at `where`; returns the diagnostic, so that notes can be chained.
  Diagnostic& note(llvm::SMLoc where, const llvm::Twine& text);
};

/// The errors of one source file.
class Diagnostics {
public:
  explicit Diagnostics(const llvm::SourceMgr& sources) : sources(sources) {}

  /// Records an error. The reference stays valid as long as this object.
  Diagnostic& error(llvm::SMLoc loc, const llvm::Twine& message);

  bool hasErrors() const { return !errors.empty(); }

  /// Prints all errors sorted by place, each once. `color` is for terminals.
  void print(llvm::raw_ostream& os, bool color = false) const;

private:
  void printOne(llvm::raw_ostream& os, llvm::SMLoc loc, llvm::StringRef severity,
                llvm::StringRef message, bool color) const;

  const llvm::SourceMgr& sources;
  std::deque<Diagnostic> errors;
};

/// The candidate that `name` most likely misspells, or an empty string if none is near.
llvm::StringRef nearestName(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);

/// "; did you mean 'x'?" for the nearest candidate, or nothing.
std::string didYouMean(llvm::StringRef name, llvm::ArrayRef<llvm::StringRef> candidates);

} // namespace ssmc

#endif // SSMC_FRONTEND_DIAGNOSTICS_H
