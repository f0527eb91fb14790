// Ops to expressions and back.
#include "ssmc/Analysis/Expr.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc::ssm;
using namespace ssmc::analysis;

//===-- Reading ------------------------------------------------------------------------------===//

Expr ExprReader::read(Value value) {
  if (Expr expr = known.lookup(value))
    return expr;
  Operation* op = value.getDefiningOp();
  Expr expr = op ? readOp(op, value) : nullptr;
  if (!expr) // A fold's result, or whatever else has no shape of its own here.
    expr = context.leaf(value, "value" + std::to_string(opaque++));
  known[value] = expr;
  return expr;
}

Expr ExprReader::readOp(Operation* op, Value value) {
  auto type = cast<ArrayType>(value.getType());
  auto operand = [&](unsigned index) { return read(op->getOperand(index)); };
  return TypeSwitch<Operation*, Expr>(op)
      .Case([&](InOp in) { return context.leaf(value, in.getName()); })
      .Case([&](PrevOp prev) {
        std::string name = ("prev " + prev.getState()).str();
        for (int64_t offset : prev.getBy())
          name += "," + std::to_string(offset);
        return context.leaf(value, name);
      })
      .Case([&](PositionOp) { return context.leaf(value, "position"); })
      .Case([&](ConstantOp constant) {
        return context.constant(constant.getValue().convertToDouble());
      })
      .Case([&](AddOp) { return context.add({operand(0), operand(1)}); })
      .Case([&](SubOp) { return context.add({operand(0), context.neg(operand(1))}); })
      .Case([&](NegOp) { return context.neg(operand(0)); })
      .Case([&](MulOp) { return context.mul({operand(0), operand(1)}); })
      .Case([&](DivOp) { return context.mul({operand(0), context.recip(operand(1))}); })
      .Case([&](BroadcastOp) { return operand(0); })
      // Read as the whole array, the fold's label free: how a fold's body is lifted over its steps.
      .Case([&](AtOp) { return operand(0); })
      .Case([&](CastOp cast) -> Expr {
        Expr inner = operand(0);
        // A real is a complex number as it stands.
        if (cast.getOperand().getType().isReal() && type.isComplex())
          return inner;
        return context.func("ssm.cast", type.getElementType(), {inner}, {}, op->getLoc());
      })
      .Case([&](RelabelOp relabel) {
        Renaming renaming;
        for (auto [from, to] : llvm::zip(strings(relabel.getFrom()), strings(relabel.getTo())))
          renaming.push_back({from, to});
        return context.substitute(operand(0), renaming);
      })
      .Case<SumOp, MaximumOp>([&](auto reduction) -> Expr {
        Expr inner = operand(0);
        SmallVector<StringRef> over = strings(reduction.getOver());
        // What is constant along a label that it is summed over was broadcast: left as it is.
        if (!llvm::all_of(over, [&](StringRef label) { return inner->type.has(label); }))
          return nullptr;
        return isa<SumOp>(op) ? context.sum(inner, over) : context.maximum(inner, over);
      })
      .Default([&](Operation* other) -> Expr {
        if (!other->hasTrait<Pointwise>())
          return nullptr;
        SmallVector<Expr> operands;
        for (Value input : other->getOperands())
          operands.push_back(read(input));
        return context.func(other->getName().getStringRef(), type.getElementType(), operands,
                            other->getAttrDictionary(), other->getLoc());
      });
}

unsigned ssmc::analysis::levelOf(Expr expr) {
  unsigned level = 0;
  for (Value leaf : expr->leaves) {
    auto in = leaf.getDefiningOp<InOp>();
    level = std::max(level, !in ? 2u : in.getParam() ? 0u : 1u);
  }
  return level;
}

/// Few labels first, then what changes seldom first.
static void sortForWriting(SmallVectorImpl<Expr>& operands) {
  llvm::stable_sort(operands, [](Expr a, Expr b) {
    return std::make_pair(a->type.getRank(), levelOf(a)) <
           std::make_pair(b->type.getRank(), levelOf(b));
  });
}

//===-- Writing ------------------------------------------------------------------------------===//

Value ExprWriter::write(Expr expr) {
  if (Value value = written.lookup(expr))
    return value;
  Value value = writeNew(expr);
  written[expr] = value;
  return value;
}

Value ExprWriter::writeAs(Expr expr, ArrayType type) {
  Value value = write(expr);
  auto have = cast<ArrayType>(value.getType());
  if (have.getElementType() != type.getElementType()) {
    have = have.withElementType(type.getElementType());
    value = CastOp::create(builder, expr->location, have, value);
  }
  return have == type ? value
                      : BroadcastOp::create(builder, expr->location, type, value).getResult();
}

Value ExprWriter::relabel(OpBuilder& builder, Expr leaf, Value value) {
  SmallVector<Attribute> from, to;
  for (auto [old, renamed] : leaf->renaming) {
    from.push_back(builder.getStringAttr(old));
    to.push_back(builder.getStringAttr(renamed));
  }
  if (from.empty())
    return value;
  return RelabelOp::create(builder, leaf->location, value, builder.getArrayAttr(from),
                           builder.getArrayAttr(to));
}

Value ExprWriter::writeNew(Expr expr) {
  Location loc = expr->location;
  switch (expr->kind) {
  case Node::Kind::Constant:
    return ConstantOp::create(builder, loc, expr->value);
  case Node::Kind::Leaf:
    return writeLeaf(expr);
  case Node::Kind::Add: {
    // Positive terms first, so that the rest are subtractions.
    SmallVector<Expr> positive, negative;
    for (Expr term : expr->operands) {
      Expr first = factorsOf(term).front();
      (first->is(Node::Kind::Constant) && first->value < 0 ? negative : positive).push_back(term);
    }
    // Few labels first: the partial sums stay small.
    sortForWriting(positive);
    sortForWriting(negative);
    Value value;
    for (Expr term : positive) {
      Value next = write(term);
      value = value ? AddOp::create(builder, loc, value, next).getResult() : next;
    }
    for (Expr term : negative) {
      Value next = write(value ? context.neg(term) : term);
      value = value ? SubOp::create(builder, loc, value, next).getResult() : next;
    }
    return value;
  }
  case Node::Kind::Mul:
    return writeProduct(expr->operands);
  case Node::Kind::Func: {
    if (expr->function == "unless")
      return writeProduct(expr);
    SmallVector<Value> operands;
    for (Expr operand : expr->operands)
      operands.push_back(write(operand));
    if (expr->function == "recip")
      return DivOp::create(builder, loc, ConstantOp::create(builder, loc, 1.0), operands.front());
    if (expr->function == "ssm.max" || expr->function == "ssm.min") { // Kept flat in expressions.
      Value value = operands.front();
      for (Value next : llvm::drop_begin(operands))
        value = expr->function == "ssm.max" ? MaxOp::create(builder, loc, value, next).getResult()
                                            : MinOp::create(builder, loc, value, next).getResult();
      return value;
    }
    OperationState state(loc, expr->function);
    state.addOperands(operands);
    state.addAttributes(expr->attributes.getValue());
    ArrayType type = cast<ArrayType>(operands.front().getType());
    for (Value operand : operands)
      type = type.unionWith(cast<ArrayType>(operand.getType()));
    state.addTypes(type.withElementType(expr->type.getElementType()));
    return builder.create(state)->getResult(0);
  }
  case Node::Kind::Sum:
  case Node::Kind::Maximum:
    return writeReduction(expr);
  }
  llvm_unreachable("all kinds are covered");
}

/// Multiplies factors with few labels first, so that what is the same along an axis is multiplied
/// once; masks and reciprocals come last in each step, as a selection and a division.
Value ExprWriter::writeProduct(ArrayRef<Expr> factors) {
  SmallVector<Expr> plain, masks, divisors;
  double sign = 1;
  for (Expr factor : factors) {
    if (factor->isConstant(-1))
      sign = -1;
    else
      (factor->isFunc("unless")  ? masks
       : factor->isFunc("recip") ? divisors
                                 : plain)
          .push_back(factor);
  }
  sortForWriting(plain);
  // Factors with the same labels meet first: (a_i b_i) c_j, not a_i (b_i c_j).
  SmallVector<Expr> ordered;
  while (!plain.empty()) {
    Expr first = plain.front();
    for (Expr factor : plain)
      if (factor->type.getAxes() == first->type.getAxes())
        ordered.push_back(factor);
    llvm::erase_if(plain,
                   [&](Expr factor) { return factor->type.getAxes() == first->type.getAxes(); });
  }
  Location loc = (factors.back())->location;
  SmallVector<Value> groups; // One product for each set of labels.
  for (Expr factor : ordered) {
    Value value = write(factor);
    if (!groups.empty() && cast<ArrayType>(groups.back().getType()).getAxes() ==
                               cast<ArrayType>(value.getType()).getAxes())
      groups.back() = MulOp::create(builder, loc, groups.back(), value);
    else
      groups.push_back(value);
  }
  Value product;
  for (Value group : groups)
    product = product ? MulOp::create(builder, loc, product, group).getResult() : group;
  if (!product) {
    product = ConstantOp::create(builder, loc, sign);
    sign = 1;
  }
  for (Expr divisor : divisors)
    product = DivOp::create(builder, loc, product, write(divisor->operands.front()));
  if (sign < 0)
    product = NegOp::create(builder, loc, product);
  for (Expr mask : masks) {
    Expr condition = mask->operands.front(), inner = negated(condition);
    Value chosen = write(inner ? inner : condition), zero = ConstantOp::create(builder, loc, 0.0);
    product =
        SelectOp::create(builder, loc, chosen, inner ? product : zero, inner ? zero : product);
  }
  return product;
}

/// A bound label is written under the name that the declaration gives it,
/// unless that name is taken.
Value ExprWriter::writeReduction(Expr expr) {
  SmallVector<StringRef> bound;
  Expr body = context.open(expr, bound);
  Renaming renaming;
  SmallVector<Attribute> over;
  SmallVector<StringRef> taken;
  for (AxisAttr axis : expr->type.getAxes())
    taken.push_back(axis.getName());
  for (StringRef label : bound) {
    // The first leaf that bears the label tells its written name.
    StringRef name;
    SmallVector<Expr> work{body};
    while (!work.empty() && name.empty()) {
      Expr next = work.pop_back_val();
      for (auto [from, to] : next->renaming)
        if (to == label && !llvm::is_contained(taken, from))
          name = from;
      work.append(next->operands.rbegin(), next->operands.rend());
    }
    for (char letter = 'l'; name.empty(); ++letter)
      if (StringRef candidate = context.intern(Twine(letter));
          !llvm::is_contained(taken, candidate))
        name = candidate;
    taken.push_back(name);
    renaming.push_back({label, name});
    over.push_back(builder.getStringAttr(name));
  }
  Value operand = write(context.substitute(body, renaming));
  if (expr->is(Node::Kind::Sum))
    return SumOp::create(builder, expr->location, operand, builder.getArrayAttr(over));
  return MaximumOp::create(builder, expr->location, operand, builder.getArrayAttr(over));
}
