// What the files of rewrite rules share.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::ssm {

/// The number that a value is, if it is a constant.
std::optional<double> knownNumber(mlir::Value value);

/// The truth of a condition that follows from constants alone.
std::optional<bool> knownTruth(mlir::Value condition);

/// The rules about labels, SSMLabelRules.cpp.
void addLabelRules(mlir::RewritePatternSet& patterns);

} // namespace ssmc::ssm
