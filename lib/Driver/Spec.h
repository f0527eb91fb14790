/// A declaration read from its file, and the recurrences that the command line means.
#pragma once

#include "Console.h"
#include "ssmc/Driver/Options.h"

#include "dialects/SSM/SSM.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <map>
#include <memory>

namespace ssmc::driver {

struct Spec {
  std::string path;
  std::unique_ptr<llvm::SourceMgr> sources;
  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Those chosen by --name, in the order of the file; the rest are gone from the module.
  llvm::SmallVector<ssm::RecurrenceOp> recurrences;

  ssm::RecurrenceOp recurrence() const { return recurrences.front(); }
};

/// Reads, checks and imports a file; errors in it are printed and end as ReportedError. Where
/// `single` is set, a file of several recurrences needs --name.
llvm::Expected<Spec> loadSpec(llvm::StringRef path, const Options& options, Console& console,
                              bool single = true);

/// The module in another copy, to be rewritten; found by name in it.
mlir::OwningOpRef<mlir::ModuleOp> copyOf(ssm::RecurrenceOp recurrence, ssm::RecurrenceOp& copy);

/// Sizes of all dims: those of the command line over the declaration's defaults. Fails for a name
/// that is no dim; with `needAll` also where one is without a size, naming all such dims.
llvm::Expected<std::map<std::string, int64_t, std::less<>>>
dimSizes(ssm::RecurrenceOp recurrence, const Options& options, bool needAll);

/// Warns of each system that is not linear, with the offending term. `normal` is in normal form.
void warnOfNonlinear(ssm::RecurrenceOp normal, const Spec& spec, Console& console);

/// The same for a spec that is not in normal form.
void warnOfNonlinear(const Spec& spec, Console& console);

} // namespace ssmc::driver
