#include "OptionTable.h"

#include "ssmc/Frontend/Diagnostics.h"
#include "ssmc/Target/CUDA.h"
#include "ssmc/Target/Vulkan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/Triple.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

static constexpr unsigned compile = unsigned(Command::Compile), run = unsigned(Command::Run),
                          check = unsigned(Command::Check), explain = unsigned(Command::Explain),
                          bench = unsigned(Command::Bench), all = 31;

/// Sizes over this are mistakes: no machine holds a state of one dim alone that large.
static constexpr int64_t maxDim = int64_t(1) << 20;

Error driver::notAvailable(const Twine& what) {
  return createStringError("not available in this version: " + what);
}

//===-- Values -------------------------------------------------------------------------------===//

/// A whole number from `least` to `most`; `what` names it in messages.
static Expected<int64_t> parseCount(StringRef text, const Twine& what, int64_t least,
                                    int64_t most) {
  APInt wide;
  bool negative = text.starts_with("-");
  StringRef digits = negative ? text.drop_front() : text;
  if (digits.empty() || !all_of(digits, isDigit))
    return createStringError(what + " must be a whole number, not '" + text + "'");
  bool overflows = digits.getAsInteger(10, wide) || wide.getActiveBits() > 62;
  int64_t value = overflows ? most : int64_t(wide.getZExtValue());
  if (negative)
    value = -value;
  if (overflows || value < least || value > most)
    return createStringError(what + " is " + text + ", expected " + Twine(least) + " to " +
                             Twine(most));
  return value;
}

template <typename T>
static Error setCount(T& field, StringRef text, const Twine& what, int64_t least, int64_t most) {
  Expected<int64_t> value = parseCount(text, what, least, most);
  if (!value)
    return value.takeError();
  field = *value;
  return Error::success();
}

static Error unknownValue(StringRef option, StringRef text, ArrayRef<StringRef> known) {
  return createStringError("unknown " + option + " '" + text + "'" + didYouMean(text, known) +
                           "; known are " + join(known, ", "));
}

static Error setDims(Options& options, StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (StringRef part : parts) {
    auto [name, size] = part.split('=');
    name = name.trim();
    if (name.empty() || !part.contains('='))
      return createStringError("--dims takes NAME=SIZE,…, not '" + part + "'");
    if (any_of(options.dims, [&](auto& dim) { return dim.first == name; }))
      return createStringError("dim '" + name + "' is given twice");
    Expected<int64_t> value = parseCount(size.trim(), "dim '" + name + "'", 1, maxDim);
    if (!value)
      return value.takeError();
    options.dims.push_back({name.str(), *value});
  }
  return Error::success();
}

static Error setTime(Options& options, StringRef text) {
  SmallVector<StringRef> parts;
  text.split(parts, ',');
  if (parts.size() > 2)
    return createStringError("--time takes N, or Y,X for two time axes, not '" + text + "'");
  options.time.clear();
  for (StringRef part : parts) {
    Expected<int64_t> value = parseCount(part.trim(), "--time", 0, int64_t(1) << 40);
    if (!value)
      return value.takeError();
    options.time.push_back(*value);
  }
  return Error::success();
}

static Error addPath(NamedPaths& paths, StringRef option, StringRef text) {
  auto [name, path] = text.split('=');
  if (name.empty() || path.empty())
    return createStringError(option + " takes NAME=FILE.npy, not '" + text + "'");
  if (any_of(paths, [&](auto& entry) { return entry.first == name; }))
    return createStringError(option + " names '" + name + "' twice");
  paths.push_back({name.str(), path.str()});
  return Error::success();
}

static Error setTarget(Options& options, StringRef text) {
  auto [kind, rest] = text.split(':');
  if (kind == "reference" && rest.empty()) {
    options.target = Target{Target::Reference, "", ""};
    return Error::success();
  }
  if (kind == "cuda") {
    SmallVector<StringRef> architectures;
    rest.split(architectures, ',');
    for (StringRef architecture : architectures) {
      std::string message;
      if (architecture.empty() && architectures.size() > 1)
        return createStringError("there is no architecture between the commas of '" + text + "'");
      std::string one = text.contains(':') ? ("cuda:" + architecture).str() : text.str();
      if (!cuda::TargetSpec::parse(one, message))
        return createStringError(message);
      if (count(architectures, architecture) > 1)
        return createStringError("architecture '" + architecture + "' is given twice");
    }
    options.target = Target{Target::CUDA, rest.str(), ""};
    return Error::success();
  }
  if (text.take_while([](char c) { return c != ':' && c != ','; }) == "vulkan") {
    std::string message;
    if (!vulkan::TargetSpec::parse(text.str(), message))
      return createStringError(message);
    options.target = Target{Target::Vulkan, text.drop_front(strlen("vulkan")).str(), ""};
    return Error::success();
  }
  if (kind == "c")
    return notAvailable("--target " + text);
  if (kind != "cpu")
    return unknownValue("target", text,
                        {"reference", "cpu", "cpu:TRIPLE:FEATURES", "cuda", "cuda:ARCH", "vulkan",
                         "vulkan:PROFILE"});
  Target target;
  auto [triple, features] = rest.split(':');
  if (triple.empty() && text.contains(':'))
    return createStringError("there is no triple in target '" + text +
                             "'; cpu is this machine, an example of another one is "
                             "cpu:x86_64-linux-gnu:+avx2,+fma");
  if (!triple.empty() && Triple(triple).getArch() == Triple::UnknownArch)
    return createStringError("unknown architecture in target '" + text +
                             "'; an example is cpu:x86_64-linux-gnu:+avx2,+fma");
  target.triple = triple.str();
  target.features = features.str();
  options.target = target;
  return Error::success();
}

static Error setForm(Options& options, StringRef text) {
  if (text == "auto")
    options.form = Form::Auto;
  else if (text == "recurrent")
    options.form = Form::Recurrent;
  else if (text == "scan")
    options.form = Form::Scan;
  else if (text == "chunked")
    options.form = Form::Chunked;
  else
    return unknownValue("form", text, {"auto", "recurrent", "scan", "chunked"});
  return Error::success();
}

static Error setDType(Options& options, StringRef text) {
  std::optional<runtime::DType> dtype = runtime::parseDType(text);
  if (!dtype || !runtime::isFloat(*dtype))
    return unknownValue("dtype", text, {"f32", "bf16", "f16", "f64"});
  options.dtype = dtype;
  return Error::success();
}

static Error setPrecision(Options& options, StringRef text) {
  if (text != "fast" && text != "exact")
    return unknownValue("precision", text, {"fast", "exact"});
  options.precision = text == "fast" ? Precision::Fast : Precision::Exact;
  return Error::success();
}

static Error setEmit(Options& options, StringRef text) {
  static constexpr std::pair<StringLiteral, Emit> known[] = {
      {"ssm", Emit::Ssm},     {"normal", Emit::Normal}, {"form", Emit::Form},
      {"tile", Emit::Tile},   {"llvm", Emit::Llvm},     {"asm", Emit::Asm},
      {"obj", Emit::Obj},     {"ptx", Emit::Ptx},       {"cubin", Emit::Cubin},
      {"spirv", Emit::Spirv}, {"bundle", Emit::Bundle}};
  SmallVector<StringRef> names;
  for (auto& [name, emit] : known) {
    names.push_back(name);
    if (text == name) {
      options.emit = emit;
      return Error::success();
    }
  }
  if (text == "c")
    return notAvailable("--emit " + text);
  return unknownValue("kind to --emit", text, names);
}

/// `auto`, which is 0, or a count from 1 on.
static Error setCount(int64_t& option, StringRef text, StringRef name, int64_t most) {
  option = 0;
  if (text == "auto")
    return Error::success();
  Expected<int64_t> count = parseCount(text, name, 1, most);
  if (!count)
    return count.takeError();
  option = *count;
  return Error::success();
}

static Error setRecompute(Options& options, StringRef text) {
  options.recompute.reset();
  if (text == "auto")
    return Error::success();
  if (text == "none") {
    options.recompute = 0;
    return Error::success();
  }
  if (!all_of(text.drop_while([](char c) { return c == '-'; }), isDigit))
    return createStringError("--recompute takes a number of steps, auto or none, not '" + text +
                             "'");
  Expected<int64_t> steps = parseCount(text, "--recompute", 1, int64_t(1) << 40);
  if (!steps)
    return steps.takeError();
  options.recompute = *steps;
  return Error::success();
}

static Error setColor(Options& options, StringRef text) {
  if (text == "auto")
    options.color.reset();
  else if (text == "always" || text == "never")
    options.color = text == "always";
  else
    return unknownValue("--color", text, {"auto", "always", "never"});
  return Error::success();
}

//===-- The table ----------------------------------------------------------------------------===//

static const OptionRow rows[] = {
    {"--name", "NAME", all, "the recurrence to take from a file that declares several",
     [](Options& o, StringRef v) -> Error {
       o.recurrence = v.str();
       return Error::success();
     }},
    {"--dims", "K=128,V=128", all, "sizes of the declared dims (defaults are in the declaration)",
     setDims},
    {"--batch", "B", all, "sequences",
     [](Options& o, StringRef v) -> Error {
       return setCount(o.batch, v, "--batch", 0, int64_t(1) << 32);
     }},
    {"--heads", "H", all, "heads of each sequence",
     [](Options& o, StringRef v) -> Error {
       return setCount(o.heads, v, "--heads", 0, int64_t(1) << 32);
     }},
    {"--groups", "G", all, "groups that the heads are shared out to; divides H",
     [](Options& o, StringRef v) -> Error {
       return setCount(o.groups, v, "--groups", 0, int64_t(1) << 32);
     }},
    {"--time", "T | Y,X", all,
     "steps along the time axis, or along both; compiling and explain choose a form for as many",
     setTime},
    {"--dtype", "TYPE", compile | run | check | bench | explain,
     "type of inputs, params and outputs in memory: f32 (default), bf16, f16; f64 with --target\n"
     "reference. States and sums are f32 whatever it is",
     setDType},
    {"--form", "FORM", all,
     "auto (default), recurrent, scan (blocks of steps, every state at every step) or chunked\n"
     "(blocks of steps, matrix products in place of states where the recurrence admits it)",
     setForm},
    {"--target", "TARGET", all,
     "cpu (default: this machine's features), cpu:TRIPLE:FEATURES (features as LLVM writes them:\n"
     "+avx2,+fma), cuda (this machine's GPU, else sm_90a), cuda:ARCH (sm_80 and later), vulkan\n"
     "(most devices of Vulkan 1.1), vulkan:nvidia-hopper, vulkan:FILE.json (limits as vulkaninfo\n"
     "names them; ,spirv1.4 to ,spirv1.6 behind any of these), or reference: the f64 interpreter "
     "of\n"
     "the declaration itself (run only)",
     setTarget},
    {"--precision", "fast|exact", compile | run | check | bench,
     "exact: operands of products are never rounded to 16 bits; fast is the default for 16-bit\n"
     "inputs. The recurrent form always computes in f32, so that both mean the same there",
     setPrecision},
    {"--chunk", "N", all, "steps in a block of the scan and chunked forms, 1 to 1024",
     [](Options& o, StringRef v) -> Error {
       Expected<int64_t> chunk = parseCount(v, "--chunk", 1, 1024);
       if (!chunk)
         return chunk.takeError();
       o.chunk = *chunk;
       return Error::success();
     }},
    {"--segments", "N|auto", run | check | bench,
     "cut each sequence along time into N segments, which run side by side: for many steps of few\n"
     "heads. auto (default) is 1 but for chunked forms on CUDA, where few heads leave most of a\n"
     "GPU idle. On a CPU it takes one segment more than there are threads to keep them all busy",
     [](Options& o, StringRef v) { return setCount(o.segments, v, "--segments", 65536); }},
    {"--stretches", "N|auto", run | check | bench,
     "on a device, compute what waits for no state a stretch of time ahead of what does, side by\n"
     "side, in N stretches. auto (default) is 1 but for long sequences on CUDA, where states "
     "leave\n"
     "half of a GPU idle. The bits are the same",
     [](Options& o, StringRef v) { return setCount(o.stretches, v, "--stretches", 1024); }},
    {"--summaries", "", compile,
     "also the kernels NAME_summary, NAME_compose and NAME_apply: what a span of steps does to "
     "the\n"
     "states, as a value",
     [](Options& o, StringRef) -> Error {
       o.summaries = true;
       return Error::success();
     }},
    {"--emit", "KIND", compile,
     "ssm     the declaration in the ssm dialect\n"
     "normal  its normal form\n"
     "form    the form derived from it\n"
     "tile    kernels over tiles (needs all dims)\n"
     "llvm    LLVM IR\n"
     "asm     assembly of the target\n"
     "obj     an object file; include/ssmc/Target/KernelABI.h tells how to call it\n"
     "ptx     assembly of --target cuda; include/ssmc/Target/SIMT.h tells how to call it\n"
     "cubin   its machine code, by ptxas\n"
     "spirv   modules of --target vulkan: a folder of NAME.spv and of what they are, "
     "manifest.json\n"
     "        (docs/vulkan.md); to the standard output as text of the spirv dialect\n"
     "bundle  a folder for --target cuda or vulkan: kernels, a launcher in C and what they are "
     "(docs/bundles.md);\n"
     "        --target cuda:ARCH,ARCH has code for several architectures",
     setEmit},
    {"--check-data", "", compile,
     "in a bundle also inputs of --batch, --heads and --time, and what the f64 reference makes of\n"
     "them, for tools/bundle/run_bundle.py",
     [](Options& o, StringRef) -> Error {
       o.checkData = true;
       return Error::success();
     }},
    {"-o", "OUT", compile,
     "where to write; - is the standard output, the default for text. Of a bundle: a folder",
     [](Options& o, StringRef v) -> Error {
       o.output = v.str();
       return v.empty() ? createStringError("-o needs a file name") : Error::success();
     }},
    {"--in", "NAME=FILE.npy", run, "an input or param; all of them, or none for random ones",
     [](Options& o, StringRef v) -> Error { return addPath(o.in, "--in", v); }},
    {"--out", "NAME=FILE.npy", run, "where to write an output",
     [](Options& o, StringRef v) -> Error { return addPath(o.out, "--out", v); }},
    {"--state-in", "NAME=FILE.npy", run, "a state before the first step, [B, H, dims…]",
     [](Options& o, StringRef v) -> Error { return addPath(o.stateIn, "--state-in", v); }},
    {"--state-out", "NAME=FILE.npy", run, "where to write a state after the last step",
     [](Options& o, StringRef v) -> Error { return addPath(o.stateOut, "--state-out", v); }},
    {"--cu-seqlens", "FILE.npy", run | bench,
     "packed sequences: N+1 rising integers (int32 or int64), from 0 to T; sequence n is steps\n"
     "cu[n] to cu[n+1]-1 of arrays [1, T, H, dims…]; states are [N, H, dims…]",
     [](Options& o, StringRef v) -> Error {
       o.cuSeqlens = v.str();
       return v.empty() ? createStringError("--cu-seqlens needs a file name") : Error::success();
     }},
    {"--cotangent", "NAME=FILE.npy", run,
     "the cotangent of an output or of a final state, of its shape; missing ones are zero. Asks\n"
     "for the gradient",
     [](Options& o, StringRef v) -> Error { return addPath(o.cotangent, "--cotangent", v); }},
    {"--grad-out", "NAME=FILE.npy", run,
     "where to write the gradient of an input, a param, or a state before the first step",
     [](Options& o, StringRef v) -> Error { return addPath(o.gradOut, "--grad-out", v); }},
    {"--grad", "", compile | bench,
     "with the gradient: kernels of the forward pass, which keep the states that chunks begin "
     "with, and\n"
     "of the backward pass (d:X is the gradient of an input X, the cotangent of an output X)",
     [](Options& o, StringRef) -> Error {
       o.grad = true;
       return Error::success();
     }},
    {"--recompute", "N|auto|none", run | check | bench,
     "of gradients on a CPU: keep the states before each N steps (whole blocks of them) alone, and "
     "compute\nwhat the backward pass reads of a span of N steps again when its turn comes. none "
     "keeps all; auto\n(default) keeps all where that fits the memory",
     setRecompute},
    {"--random-in", "", run,
     "random numbers that suit the recurrence for whatever --in does not name",
     [](Options& o, StringRef) -> Error {
       o.randomIn = true;
       return Error::success();
     }},
    {"--threads", "N", run | check | bench, "threads (default: all cores, or OMP_NUM_THREADS)",
     [](Options& o, StringRef v) -> Error { return setCount(o.threads, v, "--threads", 1, 4096); }},
    {"--seed", "N", run | check | bench, "of the random numbers (default 1)",
     [](Options& o, StringRef v) -> Error {
       return setCount(o.seed, v, "--seed", 0, int64_t(1) << 60);
     }},
    {"--repeat", "N", check | bench,
     "bench: runs that are timed (default 20); check: runs whose results must have the same bits\n"
     "(default 3, and gradients once)",
     [](Options& o, StringRef v) -> Error {
       return setCount(o.repeat, v, "--repeat", 1, 1000000);
     }},
    {"--json", "FILE", run | check | bench | explain,
     "also write the result as JSON; - prints it instead",
     [](Options& o, StringRef v) -> Error {
       o.json = v.str();
       return v.empty() ? createStringError("--json needs a file name") : Error::success();
     }},
    {"--verbose", "", all, "say more: each case of a check, the time of each stage",
     [](Options& o, StringRef) -> Error {
       o.verbose = true;
       return Error::success();
     }},
    {"--color", "WHEN", all, "auto (default: on a terminal), always, never", setColor},
};

ArrayRef<OptionRow> driver::optionTable() {
  return rows;
}

ArrayRef<AbsentOption> driver::absentOptions() {
  static constexpr AbsentOption absent[] = {{"--html", true}};
  return absent;
}
