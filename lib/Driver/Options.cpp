#include "ssmc/Driver/Options.h"
#include "OptionTable.h"

#include "ssmc/Frontend/Diagnostics.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

std::string Target::text() const {
  if (kind == Reference)
    return "reference";
  if (kind == CUDA)
    return triple.empty() ? "cuda" : "cuda:" + triple;
  if (kind == Vulkan)
    return "vulkan" + triple;
  return triple.empty() && features.empty() ? "cpu" : "cpu:" + triple + ":" + features;
}

static std::optional<Command> commandNamed(StringRef text) {
  if (text == "run")
    return Command::Run;
  if (text == "check")
    return Command::Check;
  if (text == "explain")
    return Command::Explain;
  if (text == "bench")
    return Command::Bench;
  return std::nullopt;
}

static StringRef nameOf(Command command) {
  switch (command) {
  case Command::Compile:
    return "compiling";
  case Command::Run:
    return "run";
  case Command::Check:
    return "check";
  case Command::Explain:
    return "explain";
  case Command::Bench:
    return "bench";
  }
  llvm_unreachable("all commands are listed");
}

namespace {

class Parser {
public:
  Parser(ArrayRef<const char*> arguments) : arguments(arguments) {}
  Expected<Invocation> parse();

private:
  Error parseOption(StringRef argument);
  Error checkTogether();
  /// The argument after an option, or after its `=`.
  Expected<StringRef> valueOf(StringRef name, bool attached, StringRef value);

  ArrayRef<const char*> arguments;
  SmallVector<StringRef> given;
  Options options;
};

} // namespace

Expected<StringRef> Parser::valueOf(StringRef name, bool attached, StringRef value) {
  if (attached)
    return value;
  if (arguments.empty())
    return createStringError("option " + name + " needs a value");
  StringRef next = arguments.front();
  arguments = arguments.drop_front();
  return next;
}

Error Parser::parseOption(StringRef argument) {
  bool attached = argument.starts_with("--") && argument.contains('=');
  auto [name, value] = attached ? argument.split('=') : std::pair(argument, StringRef());
  for (const AbsentOption& absent : absentOptions())
    if (name == absent.name)
      return notAvailable(name);
  const OptionRow* row = find_if(optionTable(), [&](auto& row) { return row.name == name; });
  if (row == optionTable().end()) {
    SmallVector<StringRef> known;
    for (const OptionRow& candidate : optionTable())
      if (candidate.commands & unsigned(options.command))
        known.push_back(candidate.name);
    return createStringError("unknown option " + name + didYouMean(name, known) + "; see ssmc " +
                             (options.command == Command::Compile
                                  ? std::string()
                                  : nameOf(options.command).str() + " ") +
                             "--help");
  }
  if (!(row->commands & unsigned(options.command)))
    return createStringError("option " + name + " has no meaning for " + nameOf(options.command));
  bool repeats = is_contained(
      {"--in", "--out", "--state-in", "--state-out", "--cotangent", "--grad-out"}, name);
  if (!repeats && is_contained(given, name))
    return createStringError("option " + name + " is given twice");
  given.push_back(row->name);
  if (row->value.empty()) {
    if (attached)
      return createStringError("option " + name + " takes no value");
    return row->apply(options, "");
  }
  Expected<StringRef> text = valueOf(name, attached, value);
  return text ? row->apply(options, *text) : text.takeError();
}

/// What is wrong only in combination.
Error Parser::checkTogether() {
  bool reference = options.target && options.target->kind == Target::Reference;
  if (options.dtype == runtime::DType::F64 && !reference)
    return createStringError(
        "--dtype f64 needs --target reference: kernels keep their states in f32");
  if (reference && options.command != Command::Run)
    return createStringError("--target reference only interprets: there is nothing to " +
                             Twine(options.command == Command::Bench   ? "measure"
                                   : options.command == Command::Check ? "compare it with"
                                                                       : "emit"));
  if (reference && options.segments > 1)
    return createStringError(
        "--segments has no meaning for --target reference, which takes one step "
        "after the other");
  if (options.stretches > 1) {
    bool isGradient = options.wantsGradient() || options.grad;
    StringRef cause = !options.target || !options.target->isDevice()
                          ? "but for --target cuda and vulkan: a CPU takes one head after the other"
                      : options.segments > 1 ? "with --segments, which run side by side"
                      : isGradient           ? "with a gradient, which goes backwards"
                                             : "";
    if (!cause.empty())
      return createStringError("--stretches has no meaning " + cause);
  }
  if (options.recompute.value_or(0)) {
    StringRef cause = reference ? "for --target reference, which keeps every state at every step"
                      : options.segments > 1
                          ? "with --segments: what one segment keeps is there while all others run"
                      : (options.command == Command::Run && !options.wantsGradient()) ||
                              (options.command == Command::Bench && !options.grad)
                          ? "without a gradient: give --cotangent (run) or --grad (bench)"
                          : "";
    if (!cause.empty())
      return createStringError("--recompute has no meaning " + cause);
    if (options.target && options.target->isDevice())
      return notAvailable("--recompute with --target " + options.target->text());
  }
  if (options.specs.empty())
    return createStringError("no declaration: give a .ssm file; see ssmc --help");
  if (options.specs.size() > 1 && options.command != Command::Check &&
      options.command != Command::Explain)
    return createStringError("one declaration at a time, not also '" + options.specs[1] + "'");
  if (!options.gradOut.empty() && options.cotangent.empty())
    return createStringError("--grad-out needs a --cotangent: without any, every gradient is zero");
  SmallVector<std::pair<StringRef, StringRef>> written;
  for (const NamedPaths* paths : {&options.out, &options.stateOut, &options.gradOut})
    for (auto& [name, path] : *paths) {
      for (auto& [other, otherPath] : written)
        if (otherPath == path)
          return createStringError("'" + path + "' is to hold both '" + other + "' and '" + name +
                                   "'");
      written.push_back({name, path});
    }
  return Error::success();
}

Expected<Invocation> Parser::parse() {
  std::optional<Command> command;
  if (!arguments.empty() && (command = commandNamed(arguments.front()))) {
    options.command = *command;
    arguments = arguments.drop_front();
  }
  for (StringRef argument : arguments) {
    if (argument == "--help" || argument == "-h")
      return Invocation{options, helpText(command)};
    if (argument == "--version")
      return Invocation{options, versionText()};
  }
  while (!arguments.empty()) {
    StringRef argument = arguments.front();
    arguments = arguments.drop_front();
    if (argument == "--") {
      for (const char* rest : arguments)
        options.specs.push_back(rest);
      break;
    }
    if (!argument.starts_with("-") || argument == "-") {
      options.specs.push_back(argument.str());
    } else if (Error error = parseOption(argument)) {
      return error;
    }
  }
  if (Error error = checkTogether())
    return error;
  return Invocation{std::move(options), std::nullopt};
}

Expected<Invocation> driver::parseOptions(ArrayRef<const char*> arguments) {
  return Parser(arguments).parse();
}
