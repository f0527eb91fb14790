// Reads of a state's diagonal, as contractions.
//
// A term names each label of what it reads once. Where a step reads S[i,i], it reads
//
//   S[i,i] = sum over j of same(i, j) S[i,j],
//
// which is feedback like any other: of a trace both labels are contracted, of a diagonal one.
// `same` is 1 where the positions agree and 0 elsewhere; over (max, +), 0 and -inf.
#include "ssmc/Analysis/Terms.h"

#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

static Expr same(ExprContext& context, Semiring semiring, Expr x, Expr y) {
  Builder builder(context.getContext());
  auto predicate = builder.getNamedAttr(
      "predicate", CmpPredicateAttr::get(context.getContext(), CmpPredicate::ne));
  Expr differ =
      context.func("ssm.cmp", builder.getI1Type(), {x, y}, builder.getDictionaryAttr({predicate}));
  if (semiring == Semiring::PlusTimes)
    return context.unless(differ);
  return context.func("ssm.select", builder.getF32Type(),
                      {differ, context.constant(-INFINITY), context.constant(0)});
}

void ssmc::analysis::contractDiagonals(ExprReader& reader, OpBuilder& builder, Semiring semiring,
                                       MutableArrayRef<Term> terms) {
  ExprContext& context = reader.getContext();
  for (Term& term : terms) {
    if (!term.state)
      continue;
    Value leaf = term.state->leaf;
    auto position = [&](AxisAttr axis, StringRef name) {
      Value number = PositionOp::create(builder, leaf.getLoc(), axis);
      return context.substitute(reader.read(number), {{axis.getName(), name}});
    };
    Renaming apart;
    llvm::StringMap<AxisAttr> met;
    for (AxisAttr axis : cast<ArrayType>(leaf.getType()).getAxes()) {
      StringRef name = nameBy(term.state->renaming, axis.getName());
      if (!met.try_emplace(name, axis).second) {
        StringRef other = context.intern("~=" + axis.getName());
        term.factors.push_back(
            same(context, semiring, position(met[name], name), position(axis, other)));
        term.sums.push_back(other);
        name = other;
      }
      apart.push_back({axis.getName(), name});
    }
    if (met.size() < apart.size())
      term.state = context.substitute(reader.read(leaf), apart);
  }
}
