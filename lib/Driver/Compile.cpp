// `ssmc SPEC.ssm --emit KIND -o OUT`.
#include "Commands.h"
#include "OptionTable.h"
#include "Output.h"

#include "ssmc/Driver/Driver.h"

#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// What to emit: as said, else by the extension of the output.
static Expected<Emit> kindOf(const Options& options) {
  if (options.emit)
    return *options.emit;
  StringRef extension = sys::path::extension(options.output);
  if (extension == ".o")
    return Emit::Obj;
  if (extension == ".s")
    return Emit::Asm;
  if (extension == ".ll")
    return Emit::Llvm;
  return createStringError("nothing to do: give --emit ssm|normal|form|tile|llvm|asm|obj, or see ssmc "
                           "--help for the other commands");
}

static Expected<int> emit(const Options& options, Console& console, Emit kind, StringRef output) {
  Expected<Spec> spec = loadSpec(options.specs.front(), options, console, /*single=*/kind > Emit::Normal);
  if (!spec)
    return spec.takeError();
  for (ssm::RecurrenceOp recurrence : spec->recurrences)
    if (auto sizes = dimSizes(recurrence, options, /*needAll=*/kind >= Emit::Tile); !sizes)
      return sizes.takeError();
  if (kind >= Emit::Normal) {
    if (Error error = normalizeSpec(*spec))
      return error;
    for (ssm::RecurrenceOp recurrence : spec->recurrences)
      warnOfNonlinear(recurrence, *spec, console);
  }
  if (kind > Emit::Normal)
    return notAvailable("--emit of this kind");
  Error error = writeOutput(output, [&](raw_ostream& os) { os << *spec->module << '\n'; });
  if (error)
    return error;
  return Done;
}

Expected<int> driver::compileCommand(const Options& options, Console& console) {
  Expected<Emit> kind = kindOf(options);
  if (!kind)
    return kind.takeError();
  std::string output = options.output;
  if (output.empty()) {
    if (*kind == Emit::Obj)
      return createStringError("an object file needs a name: add -o OUT.o");
    output = "-";
  }
  if (*kind == Emit::Obj && output == "-" && sys::Process::StandardOutIsDisplayed())
    return createStringError("an object file is not for a terminal: add -o OUT.o");
  if (Error error = checkWritable(output))
    return error;
  return emit(options, console, *kind, output);
}
