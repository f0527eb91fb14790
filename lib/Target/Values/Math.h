/// Elementary functions on scalars and vectors of f32, from arithmetic alone: no calls, no library
/// of vector functions. Relative error below 3e-7 wherever the result is a normal number;
/// infinities, zeros, negative arguments of log and NaN give what C's functions give.
#pragma once

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace ssmc::target {

/// Small helpers: a builder of arithmetic on values of one shape, with contraction to FMA allowed.
struct Arithmetic {
  mlir::ImplicitLocOpBuilder& b;
  mlir::Type type; ///< f32 or a vector of f32
  /// Whether f64 may be used.
  bool hasDoubles = true;

  mlir::Value constant(double value) const;
  mlir::Value integer(int64_t value) const;
  mlir::Value add(mlir::Value x, mlir::Value y) const;
  mlir::Value sub(mlir::Value x, mlir::Value y) const;
  mlir::Value mul(mlir::Value x, mlir::Value y) const;
  mlir::Value div(mlir::Value x, mlir::Value y) const;
  mlir::Value less(mlir::Value x, mlir::Value y) const;
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) const;
  mlir::Value abs(mlir::Value x) const;
  mlir::Value bits(mlir::Value x) const;
  mlir::Value fromBits(mlir::Value x) const;
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> highestFirst) const;
  mlir::Type integerType(unsigned width = 32) const;
  Arithmetic wide() const;
};

mlir::Value emitExp(const Arithmetic& a, mlir::Value x);
mlir::Value emitLog(const Arithmetic& a, mlir::Value x);
mlir::Value emitTanh(const Arithmetic& a, mlir::Value x);
mlir::Value emitSigmoid(const Arithmetic& a, mlir::Value x);
mlir::Value emitSoftplus(const Arithmetic& a, mlir::Value x);
mlir::Value emitSin(const Arithmetic& a, mlir::Value x, bool cosine);
mlir::Value emitPow(const Arithmetic& a, mlir::Value x, mlir::Value y);

} // namespace ssmc::target
