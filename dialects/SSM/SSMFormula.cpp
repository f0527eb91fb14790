// Formulas over labelled arrays, and the pull-back that the derivative rules amount to.
#include "dialects/SSM/SSMFormula.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::ssm::formula;

//===-- Terms --------------------------------------------------------------------------------===//

Term Term::of(double number) const {
  return make<ConstantOp>(number);
}

Term formula::operator+(Term x, Term y) {
  return x.make<AddOp>(x.get(), y.get());
}
Term formula::operator-(Term x, Term y) {
  return x.make<SubOp>(x.get(), y.get());
}
Term formula::operator*(Term x, Term y) {
  return x.make<MulOp>(x.get(), y.get());
}
Term formula::operator/(Term x, Term y) {
  return x.make<DivOp>(x.get(), y.get());
}
Term formula::operator-(Term x) {
  return x.make<NegOp>(x.get());
}

static Term compare(CmpPredicate predicate, Term x, Term y) {
  return x.make<CmpOp>(predicate, x.get(), y.get());
}
Term formula::operator<(Term x, Term y) {
  return compare(CmpPredicate::lt, x, y);
}
Term formula::operator<=(Term x, Term y) {
  return compare(CmpPredicate::le, x, y);
}
Term formula::operator==(Term x, Term y) {
  return compare(CmpPredicate::eq, x, y);
}

Term formula::sin(Term x) {
  return x.make<SinOp>(x.get());
}
Term formula::cos(Term x) {
  return x.make<CosOp>(x.get());
}
Term formula::log(Term x) {
  return x.make<LogOp>(x.get());
}
Term formula::sign(Term x) {
  return x.make<SignOp>(x.get());
}
Term formula::sigmoid(Term x) {
  return x.make<SigmoidOp>(x.get());
}
Term formula::conj(Term x) {
  return x.make<ConjOp>(x.get());
}
Term formula::real(Term x) {
  return x.make<RealOp>(x.get());
}
Term formula::pow(Term x, Term y) {
  return x.make<PowOp>(x.get(), y.get());
}

Term formula::select(Term c, Term a, Term b) {
  return c.make<SelectOp>(c.get(), a.get(), b.get());
}

static Term castTo(Term x, Type element) {
  return x.make<CastOp>(x.getType().withElementType(element), x.get());
}

Term formula::truth(Term x) {
  return castTo(x, Float32Type::get(x.getType().getContext()));
}

Term formula::isZero(Term x) {
  Term size = x.isComplex() ? x.make<AbsOp>(x.get()) : x;
  return size == x.of(0.0);
}

Term formula::timesI(Term x) {
  constexpr double quarterTurn = 1.5707963267948966;
  Term i = x.of(quarterTurn);
  return i.make<CisOp>(i.get()) * x;
}

Term formula::share(Term atLeast, Term more) {
  return 0.5 * (truth(atLeast) + truth(more));
}

Term formula::shareOver(Term ties, ArrayAttr over) {
  Term ones = truth(ties);
  return ones / ones.make<SumOp>(ones.get(), over);
}

Term formula::fit(Term x, ArrayType type) {
  if (x.isComplex() && !type.isComplex())
    x = real(x);
  SmallVector<Attribute> extra;
  for (AxisAttr axis : x.getType().getAxes())
    if (!type.has(axis.getName()))
      extra.push_back(axis.getLabel());
  if (!extra.empty())
    x = x.make<SumOp>(x.get(), ArrayAttr::get(type.getContext(), extra));
  if (x.getType().getElementType() != type.getElementType())
    x = castTo(x, type.getElementType());
  return x.getType() == type ? x : x.make<BroadcastOp>(type, x.get());
}

Value formula::finish(Term, Term rule) {
  return rule.get();
}
Value formula::finish(Term where, double rule) {
  return rule == 0 ? Value() : where.of(rule).get();
}
Value formula::finish(Term, std::optional<Term> rule) {
  return rule ? rule->get() : Value();
}

Term formula::relabelBack(Term g, Term x, ArrayAttr from, ArrayAttr to) {
  // Of labels that became one the first gets the name back; where the others are at its position
  // too they were on the diagonal, elsewhere they were not read.
  SmallVector<Attribute> back, forth;
  SmallVector<std::pair<AxisAttr, AxisAttr>> equal;
  llvm::DenseMap<Attribute, AxisAttr> firsts;
  for (AxisAttr axis : x.getType().getAxes()) {
    auto named = llvm::find(from, axis.getLabel());
    Attribute name = named == from.end() ? Attribute(axis.getLabel()) : to[named - from.begin()];
    auto [first, isNew] = firsts.try_emplace(name, axis);
    if (!isNew) {
      equal.push_back({first->second, axis});
    } else if (name != axis.getLabel()) {
      forth.push_back(name);
      back.push_back(axis.getLabel());
    }
  }
  MLIRContext* context = g.getType().getContext();
  if (!back.empty())
    g = g.make<RelabelOp>(g.get(), ArrayAttr::get(context, forth), ArrayAttr::get(context, back));
  for (auto [first, other] : equal)
    g = select(g.make<PositionOp>(first) == g.make<PositionOp>(other), g, 0.0);
  return g;
}

Term formula::flattenBack(FlattenOp op, Term g, Term x) {
  AxisAttr outer = x.getType().find(op.getOuter()), inner = x.getType().find(op.getInner());
  return g.make<UnflattenOp>(g.get(), op.getAxis().getLabel(), outer, inner);
}

Term formula::unflattenBack(UnflattenOp op, Term g, Term x) {
  return g.make<FlattenOp>(g.get(), op.getOuter().getLabel(), op.getInner().getLabel(),
                           x.getType().find(op.getLabel()));
}

//===-- Pull-back ----------------------------------------------------------------------------===//

Value ssmc::ssm::pullBack(DifferentiableOpInterface op, OpBuilder& builder, unsigned operand,
                          Value g) {
  auto type = cast<ArrayType>(op->getOperand(operand).getType());
  Term cotangent(builder, op.getLoc(), g);
  if (type.isBool())
    return {};
  if (auto choice = dyn_cast<SelectOp>(op.getOperation())) {
    // A product with 0 or 1 would let a NaN of the cotangent through.
    Term condition = cotangent.of(choice.getCondition());
    return fit(operand == 1 ? select(condition, cotangent, 0.0) : select(condition, 0.0, cotangent),
               type)
        .get();
  }
  Value partial = op.partial(builder, operand);
  if (!partial)
    return {};
  return fit(conj(cotangent.of(partial)) * cotangent, type).get();
}
