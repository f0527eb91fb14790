// `ssmc explain`: the text and the JSON of an explanation.
#include "Commands.h"
#include "Output.h"
#include "Structure.h"

#include "ssmc/Driver/Driver.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/Unicode.h"
#include "llvm/Support/WithColor.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

namespace {

/// Prints facts in three columns; what does not fit goes to lines of its own.
class Page {
public:
  Page(raw_ostream& os, bool color)
      : os(os), mode(color ? ColorMode::Enable : ColorMode::Disable) {}
  void title(StringRef text, StringRef remark = "");
  void fact(const Fact& fact);
  void plain(StringRef text) { os << "  " << text << '\n'; }
  void blank() { os << '\n'; }

private:
  static constexpr int first = 14, second = 48, width = 118;
  raw_ostream& os;
  ColorMode mode;
};

} // namespace

/// Columns that UTF-8 text takes.
static int columns(StringRef text) {
  return std::max(0, sys::unicode::columnWidthUTF8(text));
}

static std::string padded(StringRef text, int to) {
  return text.str() + std::string(std::max(0, to - columns(text)), ' ');
}

/// Breaks at spaces.
static SmallVector<std::string> wrapped(StringRef text, int width) {
  SmallVector<std::string> lines;
  std::string line;
  SmallVector<StringRef> words;
  text.split(words, ' ');
  for (StringRef word : words) {
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      lines.push_back(std::move(line));
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word.str();
  }
  lines.push_back(std::move(line));
  return lines;
}

void Page::title(StringRef text, StringRef remark) {
  os << '\n';
  WithColor(os, raw_ostream::SAVEDCOLOR, true, false, mode) << text;
  os << (remark.empty() ? "" : "  ") << remark << '\n';
}

void Page::fact(const Fact& fact) {
  std::string left = padded("  " + fact.what + " ", first);
  bool inline_ = columns(fact.formula) <= second - 2;
  SmallVector<std::string> lines = wrapped(fact.formula, inline_ ? second : width - first);
  for (auto [index, line] : enumerate(lines)) {
    os << (index ? std::string(first + 2, ' ') : left);
    if (inline_ && !fact.remark.empty()) {
      os << padded(line, first + second - columns(left));
      SmallVector<std::string> remark = wrapped(fact.remark, width - first - second);
      for (auto [number, part] : enumerate(remark))
        os << (number ? "\n" + std::string(first + second, ' ') : "") << part;
      os << '\n';
    } else {
      os << line << '\n';
    }
  }
  if (!inline_ && !fact.remark.empty())
    os << std::string(first + 2, ' ') << fact.remark << '\n';
}

/// `7 K V + 3 K`, and its value where sizes are known.
static std::string withValue(const Polynomial& count, const Explanation& facts) {
  std::string text = count.text();
  if (auto value = count.evaluate(facts.dims);
      value && text.find_first_not_of("0123456789") != std::string::npos)
    text += fmt::format(" = {:.10g}", *value);
  return text;
}

static void printForms(const Explanation& facts, Page& page) {
  page.title("forms");
  std::string lanes =
      facts.lanes.empty() ? "" : "; lanes of a vector run along " + join(facts.lanes, ", ");
  std::string resident = facts.costs.stateBytes.text() + " bytes of state stay close by";
  if (auto bytes = facts.costs.stateBytes.evaluate(facts.dims))
    resident = runtime::formatBytes(*bytes) + " of state stay close by";
  page.fact(
      {"recurrent",
       fmt::format("yes: one step after another{}, heads and sequences in parallel{}; {}",
                   facts.passes > 1 ? fmt::format(", in {} passes over time", facts.passes) : "",
                   lanes, resident),
       ""});
  for (const BlockForm& form : facts.blockForms) {
    if (!form.reason.empty()) {
      page.fact({nameOf(form.form).str(), "no: " + form.reason, ""});
      continue;
    }
    // Systems that are treated alike stand together.
    std::map<std::string, std::string> treatments;
    for (const SystemFacts& system : facts.systems)
      if (!system.isRegister) {
        std::string& states = treatments[form.form == Form::Scan ? system.scan : system.chunked];
        states += (states.empty() ? "" : ", ") + join(system.states, ", ");
      }
    std::string list;
    for (auto& [how, states] : treatments)
      list += (list.empty() ? ": " : "; ") +
              (treatments.size() > 1 ? states + ": " : std::string()) + how;
    page.fact(
        {nameOf(form.form).str(), fmt::format("yes: {} steps at a time{}", form.chunk, list), ""});
  }
  page.fact({"segments",
             facts.summaries ? "yes: a span of steps takes " +
                                   (facts.summaries->empty() ? "no state along" : *facts.summaries)
                             : "no: " + facts.noSummaries,
             ""});
}

static void printCosts(const Explanation& facts, const Options& options, Page& page) {
  page.title("cost", "of one step and head, recurrent form");
  unsigned width = options.dtype ? byteWidth(*options.dtype) : 4;
  const Costs& costs = facts.costs;
  Polynomial operands = costs.operandElements * width;
  page.fact({"operations", withValue(costs.operations, facts), "a multiply-add counts as 2"});
  if (!costs.functions.isZero())
    page.fact({"functions", withValue(costs.functions, facts), "exp, log, sqrt and the like"});
  page.fact({"operands", withValue(operands, facts) + " bytes",
             fmt::format("read and written, {} bytes a number", width)});
  page.fact({"state", withValue(costs.stateBytes, facts) + " bytes",
             "moved once a call; each step when decoding"});
  auto work = costs.operations.evaluate(facts.dims), moved = operands.evaluate(facts.dims);
  auto state = costs.stateBytes.evaluate(facts.dims);
  if (work && moved && state && *moved > 0)
    page.fact({"intensity", fmt::format("{:.3g} operations a byte", *work / *moved),
               fmt::format("{:.3g} when decoding one step", *work / (*moved + 2 * *state))});
  else
    page.plain("            give --dims for numbers");
}

/// `1.3 KiB`; parts of a byte as 0.
static std::string bytesText(double bytes) {
  return runtime::formatBytes(uint64_t(bytes + 0.5));
}

/// A row for each form: what it costs, in the order of the forms, and which one `auto` takes.
static void printChoice(const Explanation& facts, const Options& options, Page& page) {
  const Choice& choice = facts.choice;
  if (choice.candidates.empty())
    return;
  const cpu::CallSizes& sizes = facts.situation->sizes;
  std::string time = std::to_string(sizes.time[0]);
  if (sizes.time[1] > 1)
    time += fmt::format("×{}", sizes.time[1]);
  page.title("predicted",
             fmt::format("of one step and head: T={} H={}, {}, {} numbers a vector, one thread",
                         time, sizes.heads,
                         runtime::name(options.dtype.value_or(runtime::DType::F32)).str(),
                         facts.situation->target.cpu.lanes()));
  page.plain(fmt::format("{:<14}{:>9}{:>12}{:>11}{:>15}{:>15}", "", "cycles", "operations",
                         "functions", "through L2", "from memory"));
  double steps = sizes.steps();
  const Candidate* chosen = nullptr;
  for (const Candidate& candidate : choice.candidates) {
    const cpu::Cost& cost = candidate.cost;
    if (candidate.form == choice.form)
      chosen = &candidate;
    page.plain(fmt::format("{:<14}{:>9.4g}{:>12.4g}{:>11.3g}{:>15}{:>15}", candidate.form.text(),
                           cost.cycles / steps, cost.operations / steps, cost.functions / steps,
                           bytesText(cost.nearBytes / steps), bytesText(cost.farBytes / steps)));
  }
  std::string others;
  for (const Candidate& candidate : choice.candidates)
    if (&candidate != chosen)
      others += fmt::format("{} {} takes {:.3g} times as long", others.empty() ? ":" : ",",
                            candidate.form.text(), candidate.cost.cycles / chosen->cost.cycles);
  page.fact(
      {"auto", choice.form.text() + (others.empty() ? ": there is no other form" : others), ""});
}

static void printText(const Explanation& facts, const Spec& spec, const Options& options,
                      Console& console, ssm::RecurrenceOp declared, raw_ostream& os) {
  Page page(os, console.hasColor(os));
  bool linear = all_of(facts.systems, [](auto& system) { return system.nonlinear.empty(); });
  std::string place = spec.path;
  if (mlir::FileLineColLoc location = placeOf(declared.getLoc()))
    place += fmt::format(":{}", location.getLine());
  page.title(facts.name, linear ? "linear in its state (" + place + ")"
                                : "NOT linear in its state (" + place + ")");
  for (auto* list : {&facts.operands, &facts.states})
    for (const Fact& fact : *list)
      page.fact(fact);
  for (const SystemFacts& system : facts.systems) {
    std::string kind = system.structure;
    if (system.complex)
      kind += ", complex";
    page.title("system " + join(system.states, ", "), kind);
    if (!system.nonlinear.empty())
      page.plain("not linear: " + system.nonlinear);
    for (const Fact& fact : system.terms)
      page.fact(fact);
    if (!system.nonlinear.empty()) {
      console.at(*spec.sources, system.location, SourceMgr::DK_Remark,
                 "the term that is not linear", os);
    }
  }
  page.title("outputs");
  for (const Fact& fact : facts.outputs)
    page.fact(fact);
  printForms(facts, page);
  printCosts(facts, options, page);
  printChoice(facts, options, page);
  if (options.verbose)
    for (const BlockForm& form : facts.blockForms)
      if (form.reason.empty()) {
        page.title(nameOf(form.form), "the form, as --emit form writes it");
        os << form.program << '\n';
      }
}

static constexpr const char* legend = R"(
How to read this. Each system is a set of states that depend on each other; its step is
  state = decay * prev(state) + u * sum(w * prev(state)) + input        (max-plus: max and + for + and *)
decay     what is left of the state after a step. A known logarithm lets sums of logarithms replace products.
feedback  what is read from the state (w contracts it) and written back along u, as in the delta rule.
input     what enters; a ⊗ b is an outer product.
)";

static json::Value toJson(const Explanation& facts) {
  auto list = [](ArrayRef<Fact> facts) {
    json::Array array;
    for (const Fact& fact : facts)
      array.push_back(
          json::Object{{"what", fact.what}, {"formula", fact.formula}, {"remark", fact.remark}});
    return array;
  };
  json::Array systems;
  for (const SystemFacts& system : facts.systems)
    systems.push_back(json::Object{{"states", json::Array(system.states)},
                                   {"semiring", system.maxPlus ? "max_plus" : "plus_times"},
                                   {"structure", system.structure},
                                   {"complex", system.complex},
                                   {"linear", system.nonlinear.empty()},
                                   {"reason", system.nonlinear},
                                   {"terms", list(system.terms)},
                                   {"scan", system.scan},
                                   {"chunked", system.chunked}});
  json::Object forms{{"recurrent", true}}, reasons;
  for (const BlockForm& form : facts.blockForms) {
    forms[nameOf(form.form)] = form.reason.empty();
    if (!form.reason.empty())
      reasons[nameOf(form.form)] = form.reason;
  }
  forms["segments"] = facts.summaries.has_value();
  if (!facts.summaries)
    reasons["segments"] = facts.noSummaries;
  json::Array predicted;
  double steps = facts.situation ? facts.situation->sizes.steps() : 1;
  for (const Candidate& candidate : facts.choice.candidates)
    predicted.push_back(json::Object{{"form", nameOf(candidate.form.form)},
                                     {"chunk", candidate.form.chunk},
                                     {"cycles", candidate.cost.cycles / steps},
                                     {"operations", candidate.cost.operations / steps},
                                     {"functions", candidate.cost.functions / steps},
                                     {"l2_bytes", candidate.cost.nearBytes / steps},
                                     {"far_bytes", candidate.cost.farBytes / steps},
                                     {"auto", candidate.form == facts.choice.form}});
  return json::Object{
      {"name", facts.name},
      {"operands", list(facts.operands)},
      {"states", list(facts.states)},
      {"systems", std::move(systems)},
      {"outputs", list(facts.outputs)},
      {"forms", std::move(forms)},
      {"reasons", std::move(reasons)},
      {"predicted", std::move(predicted)},
      {"cost", json::Object{{"operations", facts.costs.operations.text()},
                            {"functions", facts.costs.functions.text()},
                            {"operand_elements", facts.costs.operandElements.text()},
                            {"state_bytes", facts.costs.stateBytes.text()}}}};
}

Expected<int> driver::explainCommand(const Options& options, Console& console) {
  if (!options.json.empty())
    if (Error error = checkWritable(options.json))
      return error;
  Expected<CodeTarget> target = targetOf(options);
  if (!target)
    return target.takeError();
  json::Array all;
  for (const std::string& path : options.specs) {
    Expected<Spec> spec = loadSpec(path, options, console, /*single=*/false);
    if (!spec)
      return spec.takeError();
    for (ssm::RecurrenceOp declared : spec->recurrences) {
      Expected<Explanation> facts = explain(declared, options, situationOf(*target, options));
      if (!facts)
        return facts.takeError();
      all.push_back(toJson(*facts));
      if (options.json != "-")
        printText(*facts, *spec, options, console, declared, outs());
    }
  }
  if (options.json != "-")
    outs() << legend;
  if (options.json.empty())
    return Done;
  json::Value value = std::move(all);
  if (Error error =
          writeOutput(options.json, [&](raw_ostream& os) { os << formatv("{0:2}\n", value); }))
    return error;
  return Done;
}
