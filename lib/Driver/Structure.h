/// What the normal form says, as a struct whose fields explain it; `explain` prints it.
#pragma once

#include "Choose.h"
#include "Polynomial.h"

#include "ssmc/Runtime/Array.h"

#include "llvm/ADT/SetVector.h"

namespace ssmc::driver {

/// One line of an explanation: what it is, its formula, a remark.
struct Fact {
  std::string what, formula, remark;
};

/// A strongly connected set of states.
struct SystemFacts {
  std::vector<std::string> states; ///< `S[i,j]`
  bool maxPlus = false, isRegister = false, complex = false;
  unsigned micro = 0; ///< stages beyond the first
  std::vector<Fact> terms;
  /// Why it is not linear, and where; empty for a linear one.
  std::string nonlinear;
  mlir::Location location;
  /// The row of the table of structures that it belongs to.
  std::string structure;
  /// How the form of that name computes it; empty where there is none.
  std::string scan, chunked;
};

/// A form of blocks of steps.
struct BlockForm {
  Form form;
  int64_t chunk = 0;
  std::string reason;  ///< why there is none; empty where there is one
  std::string program; ///< in the ssm dialect
};

struct Costs {
  Polynomial operations;      ///< a multiply-add counts as 2
  Polynomial functions;       ///< exp, log, sqrt and the like
  Polynomial operandElements; ///< inputs and outputs of one token and head
  Polynomial stateBytes;      ///< one head's states, registers included
};

struct Explanation {
  std::string name;
  std::vector<Fact> operands, states, outputs;
  std::vector<SystemFacts> systems;
  std::vector<std::string> lanes; ///< labels that the recurrent form runs side by side
  unsigned passes = 1;
  std::vector<BlockForm> blockForms;
  /// What a span of steps does to the states, or why there is no summary of it.
  std::optional<std::string> summaries;
  std::string noSummaries;
  Costs costs;
  std::optional<Situation> situation;               ///< what forms are compared for
  Choice choice;                                    ///< no candidates where a dim has no size
  std::map<std::string, int64_t, std::less<>> dims; ///< sizes where known
};

/// Explains one recurrence of a file. Forms are compared where there is a situation
/// to compare them for.
llvm::Expected<Explanation> explain(ssm::RecurrenceOp declared, const Options& options,
                                    std::optional<Situation> situation = std::nullopt);

/// Sets `structure`.
void classify(ssm::RecurrenceOp normal, ssm::SystemOp system, SystemFacts& facts);

/// Labels over which some readout or feedback contracts a state.
llvm::SetVector<llvm::StringRef> contractedLabels(ssm::RecurrenceOp normal, llvm::StringRef state);

llvm::SmallVector<llvm::StringRef> labelsOf(ssm::ArrayType type);

/// Costs of one token and head in a derived form.
Costs costsOf(ssm::RecurrenceOp declared, ssm::RecurrenceOp form);

} // namespace ssmc::driver
