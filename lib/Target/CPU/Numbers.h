/// Integers and addresses of a kernel, followed through its loops.
#pragma once

#include "ssmc/Target/KernelABI.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

#include <memory>
#include <optional>
#include <vector>

namespace ssmc::cpu {

/// A number where every loop around stands in its middle, and how much a round of each changes it.
struct Number {
  int64_t value = 0;
  llvm::SmallVector<double, 8> slopes; ///< outermost first; may be shorter than the loops are deep
};

/// The numbers of a call with given arguments. What the arguments point at is read in earnest, data
/// are not.
class Numbers {
public:
  /// `arrays` is how many operands the kernel has.
  Numbers(const ssmc_kernel_args& args, int64_t arrays) : args(args), arrays(arrays) {}

  std::optional<Number> find(mlir::Value value) const;
  void set(mlir::Value value, const Number& number) { numbers[value] = number; }
  /// Evaluates an op on integers or addresses; false where it is none, or an operand is not known.
  bool evaluate(mlir::Operation* op);
  /// Reads or writes a number or an address, where that is among the arguments or the kernel's own.
  void load(mlir::LLVM::LoadOp load);
  void store(mlir::LLVM::StoreOp store);

private:
  bool evaluateAddress(mlir::LLVM::GEPOp gep);
  /// What lies at an address of the arguments; null for data.
  char* argumentAt(int64_t address) const;

  const ssmc_kernel_args& args;
  int64_t arrays;
  llvm::DenseMap<mlir::Value, Number> numbers;
  std::vector<std::unique_ptr<int64_t[]>> locals; ///< arrays that the kernel makes for itself
};

} // namespace ssmc::cpu
