// Selections: what both arms have in common stands outside, so that a product stays a product.
//
//   select(c, x, x) = x                           select(c, f x, f y) = f select(c, x, y)
//   select(c, 0, x) = x unless c                  select(c, a + x, a + y) = a + select(c, x, y)
//   select(c, max(a, x), max(a, y)) = max(a, select(c, x, y))
//   select(c, select(c, x, y), z) = select(c, x, z)          select(not c, x, y) = select(c, y, x)
//   (x unless c) + (y unless not c) = select(c, y, x)
#include "ssmc/Analysis/Linearize.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

Expr ssmc::analysis::negated(Expr condition) {
  if (!condition->isFunc("ssm.cmp") || !condition->operands[1]->isConstant(0) ||
      !condition->operands[0]->isFunc("ssm.cast"))
    return nullptr;
  auto predicate = condition->attributes.getAs<CmpPredicateAttr>("predicate");
  Expr inner = condition->operands[0]->operands.front();
  return predicate.getValue() == CmpPredicate::eq && inner->type.isBool() ? inner : nullptr;
}

Expr ExprContext::negate(Expr condition) {
  if (Expr inner = negated(condition))
    return inner;
  Builder builder(context);
  Expr number = func("ssm.cast", builder.getF32Type(), {condition});
  auto equal = builder.getNamedAttr("predicate", CmpPredicateAttr::get(context, CmpPredicate::eq));
  return func("ssm.cmp", builder.getI1Type(), {number, constant(0)},
              builder.getDictionaryAttr({equal}));
}

Expr ExprContext::unless(Expr condition) {
  return func("unless", Float32Type::get(context), {condition});
}

Expr ExprContext::assume(Expr expr, Expr condition, bool holds) {
  llvm::DenseMap<Expr, Expr> done;
  auto visit = [&](auto& self, Expr expr) -> Expr {
    if (!llvm::all_of(condition->leaves,
                      [&](Value leaf) { return llvm::is_contained(expr->leaves, leaf); }))
      return expr;
    if (expr->isFunc("unless")) {
      Expr other = expr->operands.front();
      if (other == condition)
        return constant(holds ? 0 : 1);
      return negated(other) == condition || negated(condition) == other ? constant(holds ? 1 : 0)
                                                                        : expr;
    }
    if (expr->isFunc("ssm.select") && expr->operands.front() == condition)
      return self(self, expr->operands[holds ? 1 : 2]);
    if (!expr->is(Node::Kind::Add) && !expr->is(Node::Kind::Mul) && !expr->is(Node::Kind::Func))
      return expr;
    if (Expr known = done.lookup(expr))
      return known;
    SmallVector<Expr> operands;
    for (Expr operand : expr->operands)
      operands.push_back(self(self, operand));
    Expr result = expr;
    if (!llvm::equal(operands, expr->operands))
      result = expr->is(Node::Kind::Add)   ? add(operands)
               : expr->is(Node::Kind::Mul) ? mul(operands)
                                           : func(expr->function, expr->type.getElementType(),
                                                  operands, expr->attributes, expr->location);
    return done[expr] = result;
  };
  return visit(visit, expr);
}

/// Takes from both lists what they have in common, each as often as both have it.
static SmallVector<Expr> takeCommon(SmallVector<Expr>& a, SmallVector<Expr>& b) {
  SmallVector<Expr> common;
  llvm::erase_if(a, [&](Expr expr) {
    auto it = llvm::find(b, expr);
    // Numbers stay: what is chosen between numbers is as cheap as it can be.
    if (it == b.end() || expr->is(Node::Kind::Constant))
      return false;
    b.erase(it);
    common.push_back(expr);
    return true;
  });
  return common;
}

Expr ExprContext::simplifySelection(Type element, Expr condition, Expr onTrue, Expr onFalse,
                                    Location location) {
  auto select = [&](Expr condition, Expr onTrue, Expr onFalse) {
    return func("ssm.select", element, {condition, onTrue, onFalse}, {}, location);
  };
  if (onTrue == onFalse)
    return onTrue;
  if (!isa<FloatType, ComplexType>(element)) // Of truths: nothing to add or to multiply.
    return nullptr;
  if (Expr inner = negated(condition))
    return select(inner, onFalse, onTrue);
  Expr first = assume(onTrue, condition, true), second = assume(onFalse, condition, false);
  if (first != onTrue || second != onFalse)
    return select(condition, first, second);
  // Infinity is no factor: 0 times it is not 0.
  auto isInfinite = [](Expr expr) {
    return expr->is(Node::Kind::Constant) && !std::isfinite(expr->value);
  };
  if (onTrue->isConstant(0) && !isInfinite(onFalse))
    return mul({unless(condition), onFalse});
  if (onFalse->isConstant(0) && !isInfinite(onTrue))
    return mul({unless(negate(condition)), onTrue});
  SmallVector<Expr> trueTerms = termsOf(onTrue), falseTerms = termsOf(onFalse);
  if (SmallVector<Expr> common = takeCommon(trueTerms, falseTerms); !common.empty()) {
    common.push_back(select(condition, add(trueTerms), add(falseTerms)));
    return add(common);
  }
  for (StringRef order : {"ssm.max", "ssm.min"}) {
    auto operandsOf = [&](Expr expr) {
      return expr->isFunc(order) ? llvm::to_vector(expr->operands) : SmallVector<Expr>{expr};
    };
    SmallVector<Expr> trueOperands = operandsOf(onTrue), falseOperands = operandsOf(onFalse);
    SmallVector<Expr> common = takeCommon(trueOperands, falseOperands);
    if (common.empty())
      continue;
    auto restOf = [&](ArrayRef<Expr> operands) {
      return operands.empty() ? constant(order == "ssm.max" ? -INFINITY : INFINITY)
                              : func(order, element, operands);
    };
    common.push_back(select(condition, restOf(trueOperands), restOf(falseOperands)));
    return func(order, element, common);
  }
  SmallVector<Expr> trueFactors = factorsOf(addFactored(*this, {onTrue})),
                    falseFactors = factorsOf(addFactored(*this, {onFalse}));
  if (SmallVector<Expr> common = takeCommon(trueFactors, falseFactors); !common.empty()) {
    common.push_back(select(condition, mul(trueFactors), mul(falseFactors)));
    return mul(common);
  }
  return nullptr;
}

std::optional<SmallVector<Expr>> ExprContext::mergeMasks(const LikeTerms& like, double number) {
  /// The term without its mask, or null if it does not bear that mask.
  auto strip = [&](Expr rest, double coefficient, Expr mask) -> Expr {
    SmallVector<Expr> factors = factorsOf(rest);
    auto it = llvm::find(factors, mask);
    if (it == factors.end())
      return nullptr;
    *it = constant(coefficient);
    return mul(factors);
  };
  SmallVector<Expr> masks;
  for (auto [rest, coefficient] : like)
    for (Expr factor : factorsOf(rest))
      if (factor->isFunc("unless"))
        masks.push_back(factor);
  llvm::sort(masks, [](Expr a, Expr b) { return a->key < b->key; });
  for (Expr mask : masks) {
    Expr condition = mask->operands.front(), opposite = unless(negate(condition));
    if (negated(condition) || !llvm::is_contained(masks, opposite))
      continue;
    SmallVector<Expr> terms{constant(number)}, onTrue, onFalse;
    for (auto [rest, coefficient] : like) {
      if (Expr term = strip(rest, coefficient, mask))
        onFalse.push_back(term);
      else if (Expr term = strip(rest, coefficient, opposite))
        onTrue.push_back(term);
      else
        terms.push_back(mul({constant(coefficient), rest}));
    }
    Expr chosenTrue = add(onTrue), chosenFalse = add(onFalse);
    SmallVector<Expr> arms{chosenTrue, chosenFalse};
    terms.push_back(func("ssm.select", elementOf(arms), {condition, chosenTrue, chosenFalse}));
    return terms;
  }
  return std::nullopt;
}

bool ExprContext::applyMasks(SmallVectorImpl<Expr>& factors, SmallVectorImpl<Expr>& exponents) {
  SmallVector<Expr> masks;
  unsigned count = 0;
  for (Expr factor : factors)
    if (factor->isFunc("unless") && ++count && !llvm::is_contained(masks, factor))
      masks.push_back(factor);
  // A mask is 0 or 1: once is enough, and the other factors matter only where it is 1.
  bool changed = count > masks.size();
  for (SmallVectorImpl<Expr>* list : {&factors, &exponents})
    for (Expr& factor : *list)
      for (Expr mask : masks) {
        if (factor == mask)
          continue;
        Expr under = assume(factor, mask->operands.front(), false);
        changed |= under != factor;
        factor = under;
      }
  if (count > masks.size()) {
    llvm::erase_if(factors, [&](Expr factor) { return llvm::is_contained(masks, factor); });
    llvm::append_range(factors, masks);
  }
  return changed;
}
