#include "ssmc/Driver/Driver.h"

#include "Commands.h"

#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace ssmc::driver;

static Expected<int> dispatch(const Options& options, Console& console) {
  switch (options.command) {
  case Command::Compile:
    return compileCommand(options, console);
  case Command::Explain:
    return explainCommand(options, console);
  case Command::Run:
    return runCommand(options, console);
  case Command::Check:
    return checkCommand(options, console);
  case Command::Bench:
    return benchCommand(options, console);
  }
  llvm_unreachable("all commands are listed");
}

int ssmc::driver::runDriver(int argc, char** argv) {
  installCrashHandler(argc, argv);
  Expected<Invocation> invocation =
      parseOptions(ArrayRef(const_cast<const char* const*>(argv), argc).drop_front(argc ? 1 : 0));
  if (!invocation)
    return Console().finish(invocation.takeError());
  if (invocation->text) {
    outs() << *invocation->text;
    return Done;
  }
  Console console(invocation->options.color);
  Expected<int> code = dispatch(invocation->options, console);
  return code ? *code : console.finish(code.takeError());
}
