#include "Polynomial.h"

#include "llvm/ADT/STLExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

Polynomial Polynomial::elementsOf(ssm::ArrayType type) {
  std::vector<std::string> names;
  double coefficient = 1;
  for (ssm::AxisAttr axis : type.getAxes()) {
    if (auto dim = dyn_cast<mlir::StringAttr>(axis.getExtent()))
      names.push_back(dim.getValue().str());
    else
      coefficient *= double(axis.getSize());
  }
  sort(names);
  Polynomial result;
  result.terms[names] = coefficient;
  return result;
}

Polynomial& Polynomial::operator+=(const Polynomial& other) {
  for (auto& [names, coefficient] : other.terms)
    if ((terms[names] += coefficient) == 0)
      terms.erase(names);
  return *this;
}

Polynomial Polynomial::operator*(double factor) const {
  Polynomial result;
  for (auto& [names, coefficient] : terms)
    if (coefficient * factor != 0)
      result.terms[names] = coefficient * factor;
  return result;
}

Polynomial Polynomial::operator*(const Polynomial& other) const {
  Polynomial result;
  for (auto& [left, a] : terms)
    for (auto& [right, b] : other.terms) {
      std::vector<std::string> names = left;
      names.insert(names.end(), right.begin(), right.end());
      sort(names);
      result.terms[names] += a * b;
    }
  return result;
}

std::string Polynomial::text() const {
  std::vector<std::pair<std::vector<std::string>, double>> sorted(terms.begin(), terms.end());
  stable_sort(sorted, [](auto& a, auto& b) { return a.first.size() > b.first.size(); });
  std::string text;
  for (auto& [names, coefficient] : sorted) {
    double size = std::abs(coefficient);
    text += text.empty() ? (coefficient < 0 ? "-" : "") : coefficient < 0 ? " - " : " + ";
    if (size != 1 || names.empty())
      text += fmt::format("{:.10g}", size) + (names.empty() ? "" : " ");
    for (auto [index, name] : enumerate(names))
      text += (index ? " " : "") + name;
  }
  return text.empty() ? "0" : text;
}

std::optional<double>
Polynomial::evaluate(const std::map<std::string, int64_t, std::less<>>& dims) const {
  double sum = 0;
  for (auto& [names, coefficient] : terms) {
    double product = coefficient;
    for (const std::string& name : names) {
      auto it = dims.find(name);
      if (it == dims.end())
        return std::nullopt;
      product *= double(it->second);
    }
    sum += product;
  }
  return sum;
}
