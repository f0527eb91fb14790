// Signals and fatal errors of libraries, turned into exit code 3.
#include "Console.h"

#include "ssmc/Driver/Driver.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <cstring>
#include <string>
#include <unistd.h>

using namespace ssmc::driver;

/// The command line, made at the start so that the handler needs no memory.
static std::string commandLine;

static void say(const char* text) {
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, text, std::strlen(text));
}

static void sayReport() {
  say("This is a bug of ssmc, not of your input. Please report it with the declaration, the output "
      "of ssmc --version,\nthe lines above and this command line:\n  ");
  say(commandLine.c_str());
  say("\n");
}

static void onSignal(int signal) {
  say("\nssmc: internal error: ");
  say(signal == SIGSEGV   ? "bad memory access"
      : signal == SIGABRT ? "abort"
      : signal == SIGFPE  ? "arithmetic trap"
      : signal == SIGILL  ? "illegal instruction"
                          : "signal");
  say("\n");
  llvm::sys::PrintStackTrace(llvm::errs(), 24);
  sayReport();
  llvm::sys::RunInterruptHandlers(); // removes temporary files
  _exit(OurBug);
}

static void onFatalError(void*, const char* reason, bool) {
  say("ssmc: internal error: ");
  say(reason);
  say("\n");
  sayReport();
  llvm::sys::RunInterruptHandlers();
  _exit(OurBug);
}

void ssmc::driver::installCrashHandler(int argc, char** argv) {
  for (int i = 0; i < argc; ++i)
    commandLine += (i ? " " : "") + std::string(argv[i]);
  // A stack of its own, so that running out of stack is reported too.
  static char stack[1 << 16];
  stack_t alternative = {};
  alternative.ss_sp = stack;
  alternative.ss_size = sizeof(stack);
  sigaltstack(&alternative, nullptr);
  struct sigaction action = {};
  action.sa_handler = onSignal;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
  for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
    sigaction(signal, &action, nullptr);
  llvm::install_fatal_error_handler(onFatalError);
}
