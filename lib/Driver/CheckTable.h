/// What a check found, as a table and as JSON.
#pragma once

#include "CheckCases.h"
#include "Forms.h"

#include "llvm/Support/JSON.h"

#include <map>
#include <set>

namespace ssmc::driver {

/// What one case came to.
struct Finding {
  CheckCase test;
  double outputs = 0, states = 0;
  std::string problem; ///< empty, or why there is no error to tell

  bool isOver(double bound) const {
    return !problem.empty() || !(outputs <= bound) || !(states <= bound);
  }
};

/// One line of the table: a form of a recurrence on a target in a type.
struct Line {
  std::string recurrence, target, dtype, dims;
  FormChoice form;
  double bound;
  std::vector<Finding> findings;

  unsigned failures() const {
    return llvm::count_if(findings, [&](const Finding& finding) { return finding.isOver(bound); });
  }
};

/// What one run of an adjoint came to.
struct GradientFinding {
  std::string test;
  std::map<std::string, double> errors; ///< by operand and initial state
  std::map<std::string, double> sizes;  ///< RMS of the reference's
  std::string problem;                  ///< empty, or why there is no error to tell
};

/// The gradient of a form: a line of the table, with the errors of operands in the column
/// of outputs.
struct GradientLine {
  std::string recurrence, target, dtype;
  FormChoice form;
  double bound, gateBound;
  std::set<std::string> gates, states; ///< operands that decays depend on, and initial states
  std::vector<GradientFinding> findings;

  double boundOf(const std::string& operand) const {
    return gates.contains(operand) ? gateBound : bound;
  }
  bool isOver(const GradientFinding& finding) const {
    return !finding.problem.empty() || llvm::any_of(finding.errors, [&](auto& entry) {
      return !(entry.second <= boundOf(entry.first));
    });
  }
  unsigned failures() const {
    return llvm::count_if(findings, [&](auto& finding) { return isOver(finding); });
  }
};

/// A form that does not exist, and why.
struct AbsentLine {
  std::string recurrence;
  AbsentForm form;
};

void printHeader(llvm::raw_ostream& os);

/// One line, and below it the cases that are over the bound, or all of them with `verbose`.
void printLine(const Line& line, bool verbose, bool color, llvm::raw_ostream& os);

/// Below it what is over its bound, by operand; with `verbose` every case.
void printLine(const GradientLine& line, bool verbose, bool color, llvm::raw_ostream& os);

void printLine(const AbsentLine& line, llvm::raw_ostream& os);

llvm::json::Value toJson(llvm::ArrayRef<Line> lines, llvm::ArrayRef<GradientLine> gradients,
                         llvm::ArrayRef<AbsentLine> absent);

} // namespace ssmc::driver
