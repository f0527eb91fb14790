#include "CheckTable.h"

#include "llvm/Support/WithColor.h"

#include <cmath>
#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

//===-- The table ----------------------------------------------------------------------------===//

static std::string errorText(double error) {
  return error == 0 ? "0" : std::isfinite(error) ? fmt::format("{:.1e}", error) : "inf";
}

static constexpr const char* rowFormat = "{:<28} {:<11} {:<15} {:<5} {:>5} {:>9} {:>9} {:>8}";

void driver::printHeader(raw_ostream& os) {
  os << fmt::format(rowFormat, "recurrence", "target", "form", "type", "cases", "outputs", "states",
                    "bound")
     << '\n';
}

void driver::printLine(const AbsentLine& line, raw_ostream& os) {
  os << fmt::format("{:<28} {:<11} {:<15} none: {}\n", line.recurrence, "",
                    nameOf(line.form.form).str(), line.form.reason);
}

static void printVerdict(unsigned failures, bool color, raw_ostream& os) {
  WithColor(os, failures ? raw_ostream::RED : raw_ostream::GREEN, failures > 0, false,
            color ? ColorMode::Enable : ColorMode::Disable)
      << (failures ? "FAIL" : "ok");
  os << '\n';
}

void driver::printLine(const GradientLine& line, bool verbose, bool color, raw_ostream& os) {
  double operands = 0, states = 0;
  for (const GradientFinding& finding : line.findings)
    for (auto& [name, error] : finding.errors) {
      double& worst = line.states.contains(name) ? states : operands;
      worst = std::max(worst, error);
    }
  unsigned failures = line.failures();
  os << fmt::format(rowFormat, line.recurrence, line.target, line.form.text() + " grad", line.dtype,
                    line.findings.size(), errorText(operands), errorText(states),
                    errorText(line.bound))
     << "  ";
  printVerdict(failures, color, os);
  for (const GradientFinding& finding : line.findings) {
    if (!verbose && !line.isOver(finding))
      continue;
    os << fmt::format("    {:<16} ", finding.test);
    if (!finding.problem.empty())
      os << "FAIL: " << finding.problem;
    for (auto& [name, error] : finding.errors)
      if (verbose || !(error <= line.boundOf(name)))
        os << fmt::format(" {} {}{}", name, errorText(error),
                          error <= line.boundOf(name)
                              ? ""
                              : fmt::format(" over {}", errorText(line.boundOf(name))));
    os << '\n';
  }
}

void driver::printLine(const Line& line, bool verbose, bool color, raw_ostream& os) {
  double outputs = 0, states = 0;
  for (const Finding& finding : line.findings) {
    outputs = std::max(outputs, finding.outputs);
    states = std::max(states, finding.states);
  }
  unsigned failures = line.failures();
  os << fmt::format(rowFormat, line.recurrence, line.target, line.form.text(), line.dtype,
                    line.findings.size(), errorText(outputs), errorText(states),
                    errorText(line.bound))
     << "  ";
  printVerdict(failures, color, os);
  for (const Finding& finding : line.findings) {
    bool failed = finding.isOver(line.bound);
    if (!verbose && !failed)
      continue;
    const CheckCase& test = finding.test;
    std::string steps;
    for (int64_t size : test.time)
      steps += fmt::format("{}{}", steps.empty() ? "" : "×", size);
    os << fmt::format("    {:<16} {:<34}  ", test.name,
                      fmt::format("{}={} T={} H={}{}", test.lengths.empty() ? "B" : "N",
                                  test.lengths.empty() ? test.batch : int64_t(test.lengths.size()),
                                  steps, test.heads, test.initialState ? ", states in" : ""));
    if (finding.problem.empty())
      os << fmt::format("{:>11} {:>9}  {}\n", errorText(finding.outputs), errorText(finding.states),
                        failed ? "FAIL" : "ok");
    else
      os << "FAIL: " << finding.problem << '\n';
  }
}

json::Value driver::toJson(ArrayRef<Line> lines, ArrayRef<GradientLine> gradients,
                           ArrayRef<AbsentLine> absent) {
  json::Array list;
  // JSON has no infinity.
  auto number = [](double error) {
    return std::isfinite(error) ? json::Value(error) : json::Value(nullptr);
  };
  for (const Line& line : lines)
    for (const Finding& finding : line.findings)
      list.push_back(json::Object{{"recurrence", line.recurrence},
                                  {"target", line.target},
                                  {"form", nameOf(line.form.form)},
                                  {"chunk", line.form.chunk},
                                  {"exists", true},
                                  {"dtype", line.dtype},
                                  {"dims", line.dims},
                                  {"case", finding.test.name},
                                  {"outputs", number(finding.outputs)},
                                  {"states", number(finding.states)},
                                  {"bound", line.bound},
                                  {"problem", finding.problem},
                                  {"ok", !finding.isOver(line.bound)}});
  for (const GradientLine& line : gradients)
    for (const GradientFinding& finding : line.findings) {
      json::Object errors, sizes;
      for (auto& [name, error] : finding.errors)
        errors[name] = number(error);
      for (auto& [name, size] : finding.sizes)
        sizes[name] = number(size);
      list.push_back(json::Object{{"recurrence", line.recurrence},
                                  {"target", line.target},
                                  {"form", nameOf(line.form.form)},
                                  {"chunk", line.form.chunk},
                                  {"exists", true},
                                  {"dtype", line.dtype},
                                  {"case", finding.test},
                                  {"gates", json::Array(line.gates)},
                                  {"initial states", json::Array(line.states)},
                                  {"gradients", std::move(errors)},
                                  {"sizes", std::move(sizes)},
                                  {"bound", line.bound},
                                  {"bound of gates", line.gateBound},
                                  {"problem", finding.problem},
                                  {"ok", !line.isOver(finding)}});
    }
  for (const AbsentLine& line : absent)
    list.push_back(json::Object{{"recurrence", line.recurrence},
                                {"form", nameOf(line.form.form)},
                                {"exists", false},
                                {"reason", line.form.reason}});
  return list;
}
