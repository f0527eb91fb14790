/// `--emit bundle`: a folder of kernels, what launches them, and what checks them.
#pragma once

#include "Kernels.h"

#include "ssmc/Artifact/Bundle.h"

namespace ssmc::driver {

llvm::Expected<int> bundleCommand(const Options& options, Console& console);

/// Inputs of some calls, and what the reference makes of them.
struct CheckData {
  llvm::json::Array cases;                                   ///< for the manifest
  std::vector<std::pair<std::string, runtime::Array>> files; ///< `check/batch/q.npy` …
};
llvm::Expected<CheckData> makeCheckData(ssm::RecurrenceOp declared, const artifact::Bundle& bundle,
                                        const Options& options, const LoweringOptions& lowering);

} // namespace ssmc::driver
