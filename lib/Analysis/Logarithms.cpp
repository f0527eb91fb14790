// What exponentials, sigmoids and their logarithms have to do with each other.
//
// A gate can be written in many ways: sigmoid(-x), 1 - sigmoid(x), 1 / (1 + exp(x)),
// exp(-x) / (1 + exp(-x)), exp(-softplus(x)). They are one expression here, by a few rules:
//
//   of sums       F - F sigmoid(x) = F sigmoid(-x);   F + F tanh(x) = 2 F sigmoid(2 x);
//                 c softplus(x) - c x = c softplus(-x)
//   of quotients  1 / (c + d exp(x)) = 1/c sigmoid(-x - log(d/c))
//   of logarithms log of a product, a power, a sigmoid, an exponential, 1 + exp(x)
//   of products   factors whose logarithms are known become one wherever their logarithms, added
//                 up, cancel: exp(x) sigmoid(-x) is sigmoid(x), exp(x) / (exp(x) + exp(y)) is
//                 sigmoid(x - y)
//
// Each makes an expression shorter and is as exact as what it replaces, or more so: no exponential
// is taken that can overflow where the declaration's own would not.
#include "ssmc/Analysis/Expr.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

/// The exponent of `number * exp(x)`, where the number, which is positive, becomes its logarithm;
/// null if the expression is not of that kind. A positive constant has one, too.
Expr ExprContext::exponentOf(Expr expr) {
  SmallVector<Expr> exponents;
  for (Expr factor : factorsOf(expr)) {
    if (factor->is(Node::Kind::Constant) && factor->value > 0)
      exponents.push_back(constant(std::log(factor->value)));
    else if (factor->isFunc("ssm.exp") && factor->type.isReal())
      exponents.push_back(factor->operands.front());
    else
      return nullptr;
  }
  return add(exponents);
}

/// log(a + b) = log(a) + softplus(log(b) - log(a)). `a` is a number wherever one of the two is:
/// else the logarithm is right, yet its parts are not small where it is, and only a sum in which
/// they cancel may use it.
Expr ExprContext::logOfSum(Expr sum, bool ofTwoExponentials) {
  if (!sum->is(Node::Kind::Add) || sum->operands.size() != 2)
    return nullptr;
  Expr b = sum->operands[0], a = sum->operands[1]; // A number comes last.
  if (a->is(Node::Kind::Constant) == ofTwoExponentials)
    return nullptr;
  Expr logA = exponentOf(a), logB = exponentOf(b);
  if (!logA || !logB)
    return nullptr;
  Expr ratio = func("ssm.softplus", sum->type.getElementType(), {add({logB, neg(logA)})});
  return add({logA, ratio});
}

Expr ExprContext::logOf(Expr expr) {
  if (!expr->type.isReal())
    return nullptr;
  if (Expr exponent = exponentOf(expr))
    return exponent;
  if (Expr log = logOfSum(expr, /*ofTwoExponentials=*/false))
    return log;
  if (!expr->is(Node::Kind::Mul) && !expr->is(Node::Kind::Func))
    return nullptr;
  auto scaled = [&](double number) {
    Expr log = logOf(expr->operands.front());
    return log ? mul({constant(number), log}) : nullptr;
  };
  Type real = expr->type.getElementType();
  if (expr->isFunc("ssm.sigmoid"))
    return neg(func("ssm.softplus", real, {neg(expr->operands.front())}));
  if (expr->isFunc("recip"))
    return scaled(-1);
  if (expr->isFunc("ssm.sqrt"))
    return scaled(0.5);
  if (expr->isFunc("ssm.rsqrt"))
    return scaled(-0.5);
  bool isProduct = expr->is(Node::Kind::Mul), isSelection = expr->isFunc("ssm.select");
  if (!isProduct && !isSelection && !expr->isFunc("ssm.max") && !expr->isFunc("ssm.min"))
    return nullptr;
  // The logarithm grows with its argument: that of a maximum is the maximum of the logarithms.
  SmallVector<Expr> logs;
  for (Expr operand : expr->operands) {
    if (isSelection && operand == expr->operands.front()) {
      logs.push_back(operand);
      continue;
    }
    logs.push_back(logOf(operand));
    if (!logs.back())
      return nullptr;
  }
  if (isProduct)
    return add(logs);
  // A choice of numbers is a number as it stands.
  if (llvm::all_of(ArrayRef(expr->operands).drop_front(isSelection),
                   [](Expr operand) { return operand->is(Node::Kind::Constant); }))
    return nullptr;
  return func(expr->function, real, logs, expr->attributes, expr->location);
}

Expr ExprContext::simplifyLogarithms(StringRef name, Type element, ArrayRef<Expr> operands) {
  Expr operand = operands.front();
  if (!operand->type.isReal())
    return nullptr;
  if (name == "ssm.pow" &&
      llvm::all_of(operands, [](Expr expr) { return expr->is(Node::Kind::Constant); }))
    return constant(std::pow(operand->value, operands[1]->value));
  if (operand->is(Node::Kind::Constant) && operands.size() == 1) {
    double x = operand->value;
    if (name == "ssm.exp")
      return constant(std::exp(x));
    if (name == "ssm.log" && x > 0)
      return constant(std::log(x));
    if (name == "ssm.sqrt" && x >= 0)
      return constant(std::sqrt(x));
    if (name == "ssm.sigmoid")
      return constant(1 / (1 + std::exp(-x)));
    if (name == "ssm.tanh")
      return constant(std::tanh(x));
    return nullptr;
  }
  if (name == "ssm.exp") {
    // exp(-softplus(x)) is sigmoid(-x), exp(softplus(x)) is 1 + exp(x): fewer functions.
    if (operand->isFunc("ssm.softplus"))
      return add({constant(1), func("ssm.exp", element, operand->operands)});
    if (operand->is(Node::Kind::Mul) && operand->operands.size() == 2 &&
        operand->operands[0]->isConstant(-1) && operand->operands[1]->isFunc("ssm.softplus"))
      return func("ssm.sigmoid", element, {neg(operand->operands[1]->operands.front())});
  } else if (name == "ssm.log") {
    return logOf(operand);
  } else if (name == "ssm.sqrt" || name == "ssm.rsqrt") {
    if (operand->isFunc("ssm.exp"))
      return func("ssm.exp", element,
                  {mul({constant(name == "ssm.sqrt" ? 0.5 : -0.5), operand->operands.front()})});
  } else if (name == "ssm.pow") {
    Expr power = operands.back();
    if (power->isConstant(0))
      return constant(1);
    if (power->isConstant(1))
      return operand;
    if (power->isConstant(-1))
      return recip(operand);
    if (power->isConstant(2))
      return mul({operand, operand});
    if (power->isConstant(0.5))
      return func("ssm.sqrt", element, {operand});
    if (power->isConstant(-0.5))
      return func("ssm.rsqrt", element, {operand});
    if (Expr log = logOf(operand))
      return func("ssm.exp", element, {mul({power, log})});
  }
  return nullptr;
}

Expr ExprContext::recipOfSum(Expr sum) {
  Expr log = logOfSum(sum, /*ofTwoExponentials=*/false);
  if (!log)
    return nullptr;
  Expr number = sum->operands[1], exponent = exponentOf(sum->operands[0]);
  Expr below = add({constant(std::log(number->value)), neg(exponent)});
  return mul(
      {constant(1 / number->value), func("ssm.sigmoid", sum->type.getElementType(), {below})});
}

/// How much stands in a sum of logarithms: a softplus as often as it is added.
static double weightOf(ArrayRef<std::pair<double, Expr>> terms) {
  double weight = 0;
  for (auto [number, rest] : terms)
    weight += rest && rest->isFunc("ssm.softplus") ? std::max(1.0, std::abs(number)) : 1;
  return weight;
}

SmallVector<std::pair<double, Expr>> ExprContext::numberedTerms(Expr sum) {
  SmallVector<std::pair<double, Expr>> terms;
  for (Expr term : termsOf(sum)) {
    auto [number, factors] = splitNumber(term);
    terms.push_back({number, factors.empty() ? nullptr : mul(factors)});
  }
  return terms;
}

Expr ExprContext::mergeLogarithms(double number, ArrayRef<Expr> factors, ArrayRef<Expr> exponents) {
  SmallVector<Expr> rest, logs;
  double before = 0, least = 0;
  for (Expr factor : factors) {
    bool candidate = factor->is(Node::Kind::Add)
                         ? factor->operands.size() == 2
                         : llvm::any_of(ArrayRef{"ssm.sigmoid", "recip", "ssm.sqrt", "ssm.rsqrt"},
                                        [&](StringRef name) { return factor->isFunc(name); });
    Expr log = candidate ? logOf(factor) : nullptr;
    if (candidate && !log && factor->isFunc("recip"))
      if (Expr ofSum = logOfSum(factor->operands.front(), /*ofTwoExponentials=*/true)) {
        log = neg(ofSum);
        ++least; // Its exponential must go, so that none is left which can overflow.
      }
    if (!log) {
      rest.push_back(factor);
      continue;
    }
    before += weightOf(numberedTerms(log));
    logs.push_back(log);
  }
  if (logs.empty() || logs.size() + exponents.size() < 2)
    return nullptr;
  before += weightOf(numberedTerms(add(exponents)));
  llvm::append_range(logs, exponents);
  SmallVector<std::pair<double, Expr>> terms = numberedTerms(add(logs));
  if (weightOf(terms) + least >= before)
    return nullptr;
  Type real = Float32Type::get(context);
  rest.push_back(constant(number));
  for (auto [count, term] : terms) {
    bool isSoftplus = term && term->isFunc("ssm.softplus");
    if (!term) {
      rest.push_back(constant(std::exp(count)));
    } else if (isSoftplus && count < 0 && count == std::round(count) && count >= -4) {
      Expr gate = func("ssm.sigmoid", real, {neg(term->operands.front())});
      rest.append(size_t(-count), gate);
    } else {
      rest.push_back(func("ssm.exp", real, {mul({constant(count), term})}));
    }
  }
  return mul(rest);
}

std::optional<SmallVector<Expr>> ExprContext::mergeTerms(const LikeTerms& like, double number) {
  auto numberOf = [&](Expr rest) { return rest->isConstant(1) ? number : like.lookup(rest); };
  auto without = [&](ArrayRef<Expr> gone) {
    SmallVector<Expr> terms;
    for (auto [rest, coefficient] : like)
      if (!llvm::is_contained(gone, rest))
        terms.push_back(mul({constant(coefficient), rest}));
    if (llvm::none_of(gone, [](Expr rest) { return rest->isConstant(1); }))
      terms.push_back(constant(number));
    return terms;
  };
  // In the order of keys, so that the outcome does not depend on the order of terms.
  SmallVector<std::pair<Expr, double>> terms;
  for (auto [rest, coefficient] : like)
    if (coefficient != 0 && rest->type.isReal())
      terms.push_back({rest, coefficient});
  llvm::sort(terms, [](auto& a, auto& b) { return a.first->key < b.first->key; });
  Type real = Float32Type::get(context);
  for (auto [rest, coefficient] : terms) {
    if (rest->isFunc("ssm.softplus")) {
      Expr x = rest->operands.front();
      SmallVector<Expr> gone{rest};
      bool cancels = true;
      for (auto [inside, part] : numberedTerms(x)) {
        gone.push_back(part ? part : constant(1));
        cancels &= numberOf(gone.back()) == -coefficient * inside;
      }
      if (!cancels || gone.size() == 1)
        continue;
      SmallVector<Expr> result = without(gone);
      result.push_back(mul({constant(coefficient), func("ssm.softplus", real, {neg(x)})}));
      return result;
    }
    SmallVector<Expr> factors = factorsOf(rest);
    for (auto [place, factor] : llvm::enumerate(factors)) {
      bool isTanh = factor->isFunc("ssm.tanh");
      if (!isTanh && !factor->isFunc("ssm.sigmoid"))
        continue;
      SmallVector<Expr> others(factors);
      others.erase(others.begin() + place);
      Expr other = mul(others);
      double otherNumber = numberOf(other);
      if (otherNumber != -coefficient && !(isTanh && otherNumber == coefficient))
        continue;
      Expr x = factor->operands.front();
      double scale = isTanh ? 2 : 1, sign = otherNumber == coefficient ? 1 : -1;
      SmallVector<Expr> result = without({rest, other});
      result.push_back(mul({constant(scale * otherNumber), other,
                            func("ssm.sigmoid", real, {mul({constant(scale * sign), x})})}));
      return result;
    }
  }
  return std::nullopt;
}
