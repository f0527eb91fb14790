#include "OptionTable.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/TargetParser/Host.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc::driver;

static constexpr const char* overview = R"(ssmc compiles a declared linear recurrence into kernels.

usage: ssmc SPEC.ssm [options] --emit KIND -o OUT   compile
       ssmc run SPEC.ssm [options]                  compute outputs and states from .npy files
       ssmc check SPEC.ssm… [options]               compare every form with the f64 reference
       ssmc explain SPEC.ssm… [options]             print the normal form and what follows from it
       ssmc bench SPEC.ssm [options]                measure each form
       ssmc COMMAND --help                          the options of a command

SPEC.ssm is a declaration, - the standard input. Exit codes: 0 done, 1 a check failed, 2 the input
is wrong, 3 a bug of ssmc. docs/commands.md says more.
)";

static const char* introduction(Command command) {
  switch (command) {
  case Command::Compile:
    return overview;
  case Command::Run:
    return R"(usage: ssmc run SPEC.ssm --dims K=…,… --in NAME=FILE.npy…
                --out NAME=FILE.npy… [options]

Computes outputs and final states. Arrays are NumPy files in C or Fortran order:

  inputs, outputs   [B, T, H, dims…], [B, Y, X, H, dims…] for two time axes; G in place of H for
                    operands of a group, neither for shared ones
  params            [H, dims…]
  states            [B, H, dims…]; those of delays are called x~1, x~2, …

B, T, H and G come from the arrays, or from --batch, --time, --heads and --groups. With --cu-seqlens
the N sequences of a file are packed: B is 1 for inputs and outputs, N for states. Without any --in,
inputs are random. Without --out, a summary of the outputs is printed. Nothing is written unless
everything can be.

With --cotangent also the gradient is computed, of a loss L with dL = Re(sum of conj(cotangent) dz)
over the outputs and final states z; --grad-out writes it for inputs, params and initial states.
)";
  case Command::Check:
    return R"(usage: ssmc check SPEC.ssm… [options]

Compares every form that exists, with blocks of two sizes, on targets and types with the f64
reference on random inputs: odd sizes, no step, one step, lengths about a multiple of a block, many
steps, initial states, strong and weak gates, the sequence in parts and step by step, packed
sequences, segments, one thread and two. The error is RMS(x - reference) / RMS(reference); a NaN
fails. Bounds: f32 1e-5, bf16 4e-3. Exit code 1 if one is over its bound. A form that --form names
must exist.
)";
  case Command::Explain:
    return R"(usage: ssmc explain SPEC.ssm… [options]

Prints the normal form of each recurrence: its systems of states, what decays, feeds back, enters
and is read, which forms exist and why, and what a token costs. With --dims also in numbers.
)";
  case Command::Bench:
    return R"(usage: ssmc bench SPEC.ssm --dims K=…,… [options]

Measures each form on random inputs: median and quartiles of --repeat runs after warming up, tokens,
operations and bytes a second, and the share of what this machine can do.
)";
  }
  llvm_unreachable("all commands are listed");
}

std::string ssmc::driver::helpText(std::optional<Command> command) {
  std::string text = introduction(command.value_or(Command::Compile));
  text += command ? "\noptions:\n" : "\noptions when compiling:\n";
  unsigned bit = unsigned(command.value_or(Command::Compile));
  constexpr size_t column = 28;
  auto add = [&](StringRef name, StringRef help) {
    std::string left = "  " + name.str();
    SmallVector<StringRef> lines;
    help.split(lines, '\n');
    for (StringRef line : lines) {
      text += fmt::format("{:<{}}{}\n", left, column, line.str());
      left.clear();
    }
  };
  for (const OptionRow& row : optionTable())
    if (row.commands & bit)
      add((row.name + (row.value.empty() ? "" : " " + row.value)).str(), row.help);
  add("--help", "this text");
  add("--version", "versions of ssmc and of the LLVM it is built on");
  return text;
}

std::string ssmc::driver::versionText() {
  return fmt::format("ssmc {}\nLLVM {}\nhost {}\n", SSMC_VERSION, LLVM_VERSION_STRING,
                     sys::getDefaultTargetTriple());
}
