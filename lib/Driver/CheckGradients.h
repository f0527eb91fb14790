/// Gradients of every form against the f64 reference's.
#pragma once

#include "Kernels.h"

#include "ssmc/Reference/Gradient.h"

#include "ssmc/Runtime/Random.h"

#include <map>
#include <vector>

namespace ssmc::driver {

/// What one run of an adjoint came to.
struct GradientFinding {
  std::string test;
  std::map<std::string, double> errors; ///< by operand and initial state
  std::string problem;                  ///< empty, or why there is no error to tell
};

/// One recurrence under check. Data and what the reference makes of them are the same for all forms and targets.
class GradientChecker {
public:
  GradientChecker(ssm::RecurrenceOp declared, ssm::RecurrenceOp normal, const Options& options)
      : declared(declared), normal(normal), options(options) {}

  /// Compiles the adjoint of a form and runs all cases.
  std::vector<GradientFinding> check(Form form, std::optional<int64_t> chunk,
                                     const cpu::TargetSpec& target, runtime::DType dtype);
  /// The bound of an operand's gradient: gates, which act through an exponential or a product over many steps,
  /// have a wider one for 16-bit operands.
  double boundOf(llvm::StringRef operand, runtime::DType dtype);

private:
  struct Case {
    const char* name;
    int64_t time;
    bool initialState;
    Gates gates;
    llvm::SmallVector<int64_t, 8> lengths = {}; ///< of packed sequences
  };
  struct Data {
    Inputs inputs;
    reference::Gradients expected;
  };
  static llvm::ArrayRef<Case> cases();
  llvm::Expected<const Data*> dataFor(const Case& test, const Signature& signature,
                                      runtime::DType dtype);

  ssm::RecurrenceOp declared, normal;
  const Options& options;
  std::map<std::pair<const Case*, runtime::DType>, Data> data;
};

} // namespace ssmc::driver
