/// Formulas over labelled arrays: `y * pow(x, y - 1.0)` in C++ builds the ops that it reads as.
///
/// The derivative rules in the dialect's TableGen are written in this notation. Numbers become
/// constants; a term whose value is known at once is folded.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::ssm::formula {

/// A labelled array, and where to build what is computed from it.
class Term {
public:
  Term(mlir::OpBuilder& builder, mlir::Location loc, mlir::Value value)
      : builder(&builder), loc(loc), value(value) {}

  mlir::Value get() const { return value; }
  ArrayType getType() const { return mlir::cast<ArrayType>(value.getType()); }
  bool isComplex() const { return getType().isComplex(); }
  bool isBool() const { return getType().isBool(); }

  /// Another value, or a number, built at the same place.
  Term of(mlir::Value other) const { return {*builder, loc, other}; }
  Term of(double number) const;

  template <typename Op, typename... Args> Term make(Args&&... args) const {
    return of(builder->createOrFold<Op>(loc, std::forward<Args>(args)...));
  }

private:
  mlir::OpBuilder* builder;
  mlir::Location loc;
  mlir::Value value;
};

/// What stands where a formula says that there is no derivative.
inline constexpr std::nullopt_t none = std::nullopt;

Term operator+(Term x, Term y);
Term operator-(Term x, Term y);
Term operator*(Term x, Term y);
Term operator/(Term x, Term y);
Term operator-(Term x);
inline Term operator+(double x, Term y) {
  return y.of(x) + y;
}
inline Term operator-(double x, Term y) {
  return y.of(x) - y;
}
inline Term operator-(Term x, double y) {
  return x - x.of(y);
}
inline Term operator*(double x, Term y) {
  return y.of(x) * y;
}
inline Term operator/(double x, Term y) {
  return y.of(x) / y;
}

/// Truth values of comparisons, of reals.
Term operator<(Term x, Term y);
Term operator<=(Term x, Term y);
Term operator==(Term x, Term y);
inline Term operator>(Term x, Term y) {
  return y < x;
}
inline Term operator>=(Term x, Term y) {
  return y <= x;
}
inline Term operator>(Term x, double y) {
  return x > x.of(y);
}

Term sin(Term x);
Term cos(Term x);
Term log(Term x);
Term sign(Term x);
Term sigmoid(Term x);
Term conj(Term x);
Term real(Term x);
Term pow(Term x, Term y);
/// `a` where c holds, elsewhere b.
Term select(Term c, Term a, Term b);
inline Term select(Term c, double a, Term b) {
  return select(c, c.of(a), b);
}
inline Term select(Term c, Term a, double b) {
  return select(c, a, c.of(b));
}

/// 1 where x holds, elsewhere 0.
Term truth(Term x);
/// Whether x is 0; for complex x too.
Term isZero(Term x);
/// i x, to the accuracy of cos(π/2) in the element type.
Term timesI(Term x);
/// The share of each of the operands that tie for a maximum or minimum of two.
Term share(Term atLeast, Term more);
/// The sum over labels, kept apart from them: the share of each position that ties for a maximum.
Term shareOver(Term ties, mlir::ArrayAttr over);

/// `x` with the labels of `type`: broadcast along those that it lacks, summed over those that the
/// type lacks; real or complex as the type is (the real part of a complex x).
Term fit(Term x, ArrayType type);

/// The value of a rule. `where` is any term of it.
mlir::Value finish(Term where, Term rule);
mlir::Value finish(Term where, double rule);
mlir::Value finish(Term where, std::optional<Term> rule);

/// The transpose of a relabel: the names back; what was read of a diagonal goes to the diagonal.
Term relabelBack(Term g, Term x, mlir::ArrayAttr from, mlir::ArrayAttr to);

/// The transposes of a flatten and of its inverse: each is the other.
Term flattenBack(FlattenOp op, Term g, Term x);
Term unflattenBack(UnflattenOp op, Term g, Term x);

} // namespace ssmc::ssm::formula

namespace ssmc::ssm {

/// What the cotangent `g` of an op's result contributes to that of one operand, with the operand's
/// type; null where that is zero everywhere. A branch that `ssm.select` does not take contributes
/// nothing whatever g is there.
mlir::Value pullBack(DifferentiableOpInterface op, mlir::OpBuilder& builder, unsigned operand,
                     mlir::Value g);

} // namespace ssmc::ssm
