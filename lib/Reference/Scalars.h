// Functions of one number that both the interpreter and its derivative compute.
#pragma once

#include <cmath>
#include <complex>

namespace ssmc::reference {

using Complex = std::complex<double>;

inline double sigmoid(double x) {
  double e = std::exp(-std::abs(x));
  return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}
inline Complex sigmoid(Complex x) {
  return 1.0 / (1.0 + std::exp(-x));
}

/// The product by its textbook formula; a real factor scales both parts.
inline Complex times(Complex x, Complex y) {
  return {x.real() * y.real() - x.imag() * y.imag(), x.real() * y.imag() + x.imag() * y.real()};
}
inline Complex times(double x, Complex y) {
  return x * y;
}
inline Complex times(Complex x, double y) {
  return x * y;
}
inline double times(double x, double y) {
  return x * y;
}

} // namespace ssmc::reference
