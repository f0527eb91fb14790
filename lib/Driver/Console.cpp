#include "Console.h"

#include "ssmc/Driver/Driver.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;
using namespace ssmc::driver;

char InternalError::ID;
char ReportedError::ID;

static void reportBug(StringRef message) {
  errs()
      << "ssmc: internal error: " << message
      << "\nThis is a bug of ssmc, not of your input. Please report it with the command line, the "
         "declaration and the output of ssmc --version.\n";
}

Console::Console(std::optional<bool> color)
    : asked(color), color(color.value_or(sys::Process::StandardErrIsDisplayed() &&
                                         sys::Process::StandardErrHasColors())) {}

static ColorMode modeOf(bool color) {
  return color ? ColorMode::Enable : ColorMode::Disable;
}

void Console::error(const Twine& message) {
  errs() << "ssmc: ";
  WithColor(errs(), raw_ostream::RED, true, false, modeOf(color)) << "error: ";
  errs() << message << '\n';
}

void Console::warning(const Twine& message) {
  errs() << "ssmc: ";
  WithColor(errs(), raw_ostream::MAGENTA, true, false, modeOf(color)) << "warning: ";
  errs() << message << '\n';
}

mlir::FileLineColLoc ssmc::driver::placeOf(mlir::Location location) {
  mlir::FileLineColLoc place;
  location->walk([&](mlir::Location inner) {
    place = dyn_cast<mlir::FileLineColLoc>(inner);
    return place ? mlir::WalkResult::interrupt() : mlir::WalkResult::advance();
  });
  return place;
}

void Console::at(const SourceMgr& sources, mlir::Location location, SourceMgr::DiagKind kind,
                 const Twine& message, raw_ostream& os) {
  if (mlir::FileLineColLoc place = placeOf(location)) {
    for (unsigned id = 1; id <= sources.getNumBuffers(); ++id) {
      if (sources.getMemoryBuffer(id)->getBufferIdentifier() != place.getFilename().getValue())
        continue;
      SMLoc where = const_cast<SourceMgr&>(sources).FindLocForLineAndColumn(id, place.getLine(),
                                                                            place.getColumn());
      sources.PrintMessage(os, where, kind, message, {}, {}, &os == &errs() ? color : hasColor(os));
      return;
    }
    os << place.getFilename().getValue() << ':' << place.getLine() << ':' << place.getColumn()
       << ": ";
  }
  kind == SourceMgr::DK_Error ? error(message) : warning(message);
}

int Console::finish(Error failure) {
  int code = Done;
  handleAllErrors(
      std::move(failure), [&](const ReportedError&) { code = std::max<int>(code, WrongInput); },
      [&](const InternalError& internal) {
        std::string text;
        raw_string_ostream stream(text);
        internal.log(stream);
        reportBug(text);
        code = OurBug;
      },
      [&](const ErrorInfoBase& info) {
        error(info.message());
        code = std::max<int>(code, WrongInput);
      });
  return code;
}

void Console::listen(mlir::MLIRContext& context, const SourceMgr& sources) {
  context.getDiagEngine().registerHandler([this, &sources](mlir::Diagnostic& diagnostic) {
    auto kindOf = [](mlir::DiagnosticSeverity severity) {
      switch (severity) {
      case mlir::DiagnosticSeverity::Error:
        return SourceMgr::DK_Error;
      case mlir::DiagnosticSeverity::Warning:
        return SourceMgr::DK_Warning;
      case mlir::DiagnosticSeverity::Note:
        return SourceMgr::DK_Note;
      case mlir::DiagnosticSeverity::Remark:
        return SourceMgr::DK_Remark;
      }
      llvm_unreachable("all severities are listed");
    };
    at(sources, diagnostic.getLocation(), kindOf(diagnostic.getSeverity()), diagnostic.str());
    for (mlir::Diagnostic& note : diagnostic.getNotes())
      at(sources, note.getLocation(), SourceMgr::DK_Note, note.str());
    return mlir::success();
  });
}

//===-- Progress -----------------------------------------------------------------------------===//

Progress::Progress(std::string what, size_t total)
    : what(std::move(what)), total(total), terminal(isatty(STDERR_FILENO)),
      start(std::chrono::steady_clock::now()), last(start) {}

void Progress::advance(const Twine& detail) {
  using namespace std::chrono;
  ++done;
  auto now = steady_clock::now();
  // The first line after a second, the next ones often enough to see that it moves.
  auto interval = terminal ? milliseconds(200) : milliseconds(10000);
  if (now - start < seconds(1) || (shown && now - last < interval))
    return;
  shown = true;
  last = now;
  if (terminal)
    errs() << "\r\x1b[K";
  errs() << what;
  if (total)
    errs() << ' ' << done << '/' << total;
  std::string text = detail.str();
  if (!text.empty())
    errs() << ": " << text;
  if (!terminal)
    errs() << '\n';
}

Progress::~Progress() {
  if (shown && terminal)
    errs() << "\r\x1b[K";
}
