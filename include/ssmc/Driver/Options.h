/// What the command line says, and the one table that parsing and `--help` are made of.
#pragma once

#include "ssmc/Runtime/Array.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ssmc::driver {

enum class Command : unsigned { Compile = 1, Run = 2, Check = 4, Explain = 8, Bench = 16 };

/// What compiling writes, in the order in which it comes to be.
enum class Emit { Ssm, Normal, Form, Tile, Llvm, Asm, Obj, Ptx, Cubin, Spirv, Bundle };

enum class Form { Auto, Recurrent, Scan, Chunked };

enum class Precision { Fast, Exact };

struct Target {
  enum Kind { Reference, CPU, CUDA, Vulkan } kind = CPU;
  /// Of a CPU: empty means the host's. Of CUDA `triple` is the architecture, or those of a bundle
  /// with commas between them; of Vulkan what comes after the name.
  std::string triple;
  std::string features;

  /// As written on the command line.
  std::string text() const;
  bool isDevice() const { return kind == CUDA || kind == Vulkan; }
};

using NamedPaths = std::vector<std::pair<std::string, std::string>>;

struct Options {
  Command command = Command::Compile;
  std::vector<std::string> specs;
  std::string recurrence; ///< --name, empty if not given

  /// Sizes; empty or absent where not given.
  std::vector<std::pair<std::string, int64_t>> dims;
  std::optional<int64_t> batch, heads, groups;
  std::vector<int64_t> time;
  /// Sequences times heads, as far as the command line says; else 0.
  int64_t items() const { return heads ? *heads * batch.value_or(1) : 0; }

  std::optional<Target> target; ///< the host's CPU if absent; `check` then takes all
  Form form = Form::Auto;
  std::optional<int64_t> chunk;        ///< steps of a chunk
  int64_t segments = 0;                ///< of each sequence along time; 0: as suits the machine
  int64_t stretches = 0;               ///< in which a device runs ahead; 0: as suits it
  bool summaries = false;              ///< emit the kernels that summarise a span of steps
  std::optional<runtime::DType> dtype; ///< F32 if absent; `check` then takes all
  Precision precision = Precision::Fast;

  std::optional<Emit> emit;
  std::string output;     ///< -o
  bool checkData = false; ///< --check-data: inputs and expected results in a bundle

  NamedPaths in, out, stateIn, stateOut;
  NamedPaths cotangent; ///< of outputs and final states
  NamedPaths gradOut;   ///< of inputs, params and initial states
  bool wantsGradient() const { return !cotangent.empty(); }
  bool grad = false; ///< --grad: the adjoint of a form too
  /// Steps that a gradient computes again at a time; 0: none, absent: as costs say.
  std::optional<int64_t> recompute;
  bool randomIn = false;
  std::string cuSeqlens; ///< --cu-seqlens; empty: sequences are batch entries

  unsigned threads = 0; ///< 0: as many as the machine has
  uint64_t seed = 1;
  std::optional<unsigned> repeat; ///< timed runs of `bench`, or runs that `check` compares
  std::string json;               ///< a path, or "-"
  bool verbose = false;
  std::optional<bool> color; ///< absent: on terminals
};

/// What the arguments ask for: options to act on, or a text to print and be done.
struct Invocation {
  Options options;
  std::optional<std::string> text; ///< of --help or --version
};

/// Parses the arguments after the program's name. Everything that can be known to be wrong without
/// looking at a file is refused here.
llvm::Expected<Invocation> parseOptions(llvm::ArrayRef<const char*> arguments);

/// The complete help text of a command; of no command, the overview.
std::string helpText(std::optional<Command> command);

/// `ssmc 0.1.0 …`, with LLVM's version.
std::string versionText();

} // namespace ssmc::driver
