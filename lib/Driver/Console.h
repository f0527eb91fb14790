/// Everything that goes to standard error: messages with a source line and a caret, progress, and
/// what an internal failure leaves behind.
#pragma once

#include "StageTimes.h"

#include "mlir/IR/Location.h"
#include "mlir/IR/MLIRContext.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <string>

namespace ssmc::driver {

/// A failure that is not the user's: exit code 3.
class InternalError : public llvm::ErrorInfo<InternalError> {
public:
  static char ID;
  explicit InternalError(std::string message) : message(std::move(message)) {}
  void log(llvm::raw_ostream& os) const override { os << message; }
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }

private:
  std::string message;
};

/// The input is wrong, and the messages that say how are printed already: exit code 2.
class ReportedError : public llvm::ErrorInfo<ReportedError> {
public:
  static char ID;
  void log(llvm::raw_ostream& os) const override { os << "reported"; }
  std::error_code convertToErrorCode() const override { return llvm::inconvertibleErrorCode(); }
};

class Console {
public:
  explicit Console(std::optional<bool> color = std::nullopt);

  bool hasColor() const { return color; }
  /// Whether to colour what goes to another stream, the standard output.
  bool hasColor(llvm::raw_ostream& os) const { return asked.value_or(os.has_colors()); }
  void error(const llvm::Twine& message);
  void warning(const llvm::Twine& message);
  /// A message at a place in a source file, with the line and a caret.
  void at(const llvm::SourceMgr& sources, mlir::Location location, llvm::SourceMgr::DiagKind kind,
          const llvm::Twine& message, llvm::raw_ostream& os = llvm::errs());
  /// Prints the message that an error carries; returns the exit code that follows from it.
  int finish(llvm::Error error);
  /// Sends MLIR's diagnostics here, with source lines where they are known.
  void listen(mlir::MLIRContext& context, const llvm::SourceMgr& sources);

  StageTimes times;

private:
  std::optional<bool> asked;
  bool color;
};

/// The innermost place in a file that a location tells of; null where there is none.
mlir::FileLineColLoc placeOf(mlir::Location location);

/// A line on standard error about work that takes over a second; on a terminal it is erased at the
/// end. Counts are shown where the total is known.
class Progress {
public:
  Progress(std::string what, size_t total = 0);
  ~Progress();
  void advance(const llvm::Twine& detail = "");

private:
  std::string what;
  size_t total, done = 0;
  bool terminal, shown = false;
  std::chrono::steady_clock::time_point start, last;
};

/// From now on a crash, an abort or a fatal error of a library ends with exit code 3 and a message
/// that says what to report.
void installCrashHandler(int argc, char** argv);

} // namespace ssmc::driver
