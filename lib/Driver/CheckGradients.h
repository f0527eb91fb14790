/// Gradients of every form against the f64 reference's.
#pragma once

#include "CheckTable.h"
#include "Kernels.h"

#include "ssmc/Reference/Gradient.h"

namespace ssmc::driver {

/// The bounds of `ssmc check`, of RMS(x - reference) / RMS(reference).
struct Bounds {
  double results;   ///< of outputs and states
  double gradients; ///< of gradients, but for those of gates: these act through an exponential or
                    ///< a product over many steps, and have a wider one with 16-bit operands
  double gates;
};
Bounds boundsOf(runtime::DType dtype);

/// Operands that a decay depends on.
std::set<std::string> gatesOf(ssm::RecurrenceOp declared);

/// Random numbers of the shapes of outputs, or of final states.
llvm::Expected<runtime::ArrayMap> randomCotangents(llvm::ArrayRef<Operand> operands,
                                                   ssm::RecurrenceOp declared,
                                                   const reference::Sizes& sizes, uint64_t seed);

/// One recurrence under check. Data and what the reference makes of them are the same
/// for all forms and targets.
class GradientChecker {
public:
  GradientChecker(ssm::RecurrenceOp declared, const Options& options)
      : declared(declared), options(options) {}

  /// Compiles the adjoint of a form and runs all cases.
  llvm::Expected<GradientLine> check(const FormChoice& form, llvm::StringRef targetName,
                                     const CodeTarget& target, runtime::DType dtype,
                                     int64_t segments);

private:
  struct Case {
    const char* name;
    int64_t time;
    bool initialState;
    Gates gates;
    llvm::SmallVector<int64_t, 8> lengths = {}; ///< of packed sequences
    bool evenSizes = false; ///< of dims: what multiplies matrices has them alone. Chunked forms
  };
  struct Data {
    Inputs inputs;
    reference::Gradients expected;
  };
  using Dims = std::map<std::string, int64_t, std::less<>>;
  static llvm::ArrayRef<Case> cases();
  llvm::Expected<CompiledRecurrence> compile(const FormChoice& form, const CodeTarget& target,
                                             runtime::DType dtype, int64_t segments,
                                             const Dims& dims);
  llvm::Expected<const Data*> dataFor(const Case& test, const Signature& signature,
                                      runtime::DType dtype);
  /// With spans the gradients must have the bits that they have without.
  GradientFinding tryCase(const Case& test, CompiledRecurrence& adjoint, const Signature& signature,
                          runtime::DType dtype, std::optional<SpanChoice> spans = std::nullopt);

  ssm::RecurrenceOp declared;
  const Options& options;
  std::map<std::pair<const Case*, runtime::DType>, Data> data;
};

} // namespace ssmc::driver
