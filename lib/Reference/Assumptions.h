// What must be true of operands so that a value has a wanted sign or size.
#pragma once

#include "ssmc/Reference/Inputs.h"

#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <limits>

namespace ssmc::reference {

/// An interval that holds the real part of a value.
struct Interval {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

/// What may be asked of a value; of a complex one, NonPositive and NonNegative ask it of the real
/// part.
enum class Property : uint8_t { NonPositive, NonNegative, UnitInterval, Contracting };

/// Assigns fills to operands on demand. A request that cannot be met changes nothing.
class Assumptions {
public:
  Assumptions(ssm::RecurrenceOp recurrence, double strength);

  /// Shows that a value has a property, filling operands that are still free where that helps.
  bool require(mlir::Value value, Property property);
  /// The same of x / y, that it is contracting, where the two meet only as factors of a product.
  bool requireContracting(mlir::Value x, mlir::Value y);
  Interval rangeOf(mlir::Value value) const;

  bool isFree(ssm::InOp operand) const { return !chosen.operands.contains(operand); }
  void choose(ssm::InOp operand, runtime::FillSpec spec);
  /// What was chosen for an operand, or null.
  const runtime::FillSpec* find(ssm::InOp operand) const;
  /// Numbers with which a state may start, so that what was shown by induction over the steps is
  /// true from the first one.
  runtime::FillSpec fillOfState(llvm::StringRef state) const;

  /// Makes factors smaller from here on: `crowd` states add up in one.
  void setCrowd(double newCrowd) { crowd = newCrowd; }

private:
  bool attempt(mlir::Value value, Property property);
  bool attemptOperand(ssm::InOp operand, Property property);
  bool attemptProduct(ssm::MulOp mul, Property property);
  bool attemptQuotient(mlir::Value x, mlir::Value y);
  bool attemptDifference(mlir::Value x, mlir::Value y, Property property);
  bool both(mlir::Value x, Property ofX, mlir::Value y, Property ofY);
  template <typename Attempt> bool tryAlone(Attempt attempt);
  Interval computeRange(mlir::Operation* op) const;
  struct Chosen {
    llvm::DenseMap<mlir::Operation*, runtime::FillSpec> operands;
    /// What an induction over the steps assumes of states.
    llvm::StringMap<Property> states;
  };
  void restore(Chosen before);

  double strength, crowd = 1;
  Chosen chosen;
  /// Intervals under what is chosen now.
  mutable llvm::DenseMap<mlir::Value, Interval> ranges;
  /// The values that define states, for proofs by induction over the steps.
  llvm::StringMap<mlir::Value> updates;
  llvm::DenseSet<std::pair<mlir::Value, unsigned>> assumed;
  /// The next operand to become positive is a rate of decay.
  bool isRate = false;
  unsigned fuel = 0;
};

/// Whether no operand that varies in time, and no state, has a part in a value.
bool dependsOnParamsAlone(mlir::Value value);

bool isComplex(mlir::Value value);

/// Whether two values are computed alike; the order of commutative operands does not matter. Says
/// no where the answer lies more than `depth` ops away.
bool isSame(mlir::Value a, mlir::Value b, unsigned depth = 10);

} // namespace ssmc::reference
