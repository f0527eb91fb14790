// Complex values become pairs of reals, so that no target needs to know of them.
//
// A complex operand `x` becomes two, `x.re` and `x.im`, which bear the attributes `part` (which
// half) and `of` (the operand's name); states, outputs and temporaries alike. A value whose
// imaginary part is known to be zero has none, so that a real times a complex number costs two
// products and not four.
#include "dialects/SSM/SSM.h"
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc::ssm;

namespace {

/// A complex number; `im` is null where it is zero.
struct Pair {
  Value re, im;
};

class Splitter {
public:
  explicit Splitter(MLIRContext* context) : builder(context) {}
  LogicalResult splitBlock(Block& from, Block& to);

private:
  LogicalResult split(Operation& op);
  FailureOr<Pair> compute(Operation& op);
  LogicalResult splitDeclaration(Operation& op, StringRef nameAttribute);
  LogicalResult splitFold(FoldOp fold);
  Pair get(Value value) {
    auto it = pairs.find(value);
    return it == pairs.end() ? Pair{mapping.lookupOrDefault(value), Value()} : it->second;
  }

  Value add(Value a, Value b) {
    return !a ? b : !b ? a : AddOp::create(builder, loc, a, b).getResult();
  }
  Value sub(Value a, Value b) {
    return !b ? a : !a ? neg(b) : SubOp::create(builder, loc, a, b).getResult();
  }
  Value mul(Value a, Value b) {
    return a && b ? MulOp::create(builder, loc, a, b).getResult() : Value();
  }
  Value neg(Value a) { return a ? NegOp::create(builder, loc, a).getResult() : Value(); }
  /// The value, or a zero where it is none.
  Value orZero(Value a) { return a ? a : ConstantOp::create(builder, loc, 0.0).getResult(); }
  Value shaped(Value value, Type type) {
    auto real = cast<ArrayType>(type).withElementType(builder.getF32Type());
    value = orZero(value);
    return value.getType() == real ? value
                                   : BroadcastOp::create(builder, loc, real, value).getResult();
  }

  OpBuilder builder;
  Location loc = builder.getUnknownLoc();
  IRMapping mapping;
  DenseMap<Value, Pair> pairs;
};

bool isComplex(Type type) {
  auto array = dyn_cast<ArrayType>(type);
  return array && array.isComplex();
}

LogicalResult Splitter::splitBlock(Block& from, Block& to) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&to);
  for (Operation& op : from) {
    loc = op.getLoc();
    if (failed(split(op)))
      return failure();
  }
  return success();
}

/// `in`, `prev`, `state`, `update`, `out`: one op for each half. States and outputs that are
/// complex by type alone get both halves.
LogicalResult Splitter::splitDeclaration(Operation& op, StringRef nameAttribute) {
  Pair value;
  if (op.getNumOperands() == 1)
    value = get(op.getOperand(0));
  Pair result;
  std::string name = cast<StringAttr>(op.getAttr(nameAttribute)).getValue().str();
  for (bool imaginary : {false, true}) {
    OperationState state(loc, op.getName());
    NamedAttrList attributes(op.getAttrDictionary());
    StringRef part = imaginary ? "im" : "re";
    attributes.set(nameAttribute, builder.getStringAttr(name + "." + part.str()));
    attributes.set("part", builder.getStringAttr(part));
    attributes.set("of", builder.getStringAttr(name));
    if (auto declared = dyn_cast<StateOp>(op)) {
      attributes.set(
          "type",
          TypeAttr::get(cast<ArrayType>(declared.getType()).withElementType(builder.getF32Type())));
      if (op.getNumOperands())
        state.addOperands(orZero(imaginary ? value.im : value.re));
    } else if (op.getNumOperands()) {
      state.addOperands(shaped(imaginary ? value.im : value.re, op.getOperand(0).getType()));
    }
    for (Type type : op.getResultTypes())
      state.addTypes(cast<ArrayType>(type).withElementType(builder.getF32Type()));
    state.addAttributes(attributes);
    Operation* made = builder.create(state);
    if (made->getNumResults())
      (imaginary ? result.im : result.re) = made->getResult(0);
  }
  if (op.getNumResults())
    pairs[op.getResult(0)] = result;
  return success();
}

LogicalResult Splitter::splitFold(FoldOp fold) {
  SmallVector<Value> inits;
  for (Value init : fold.getInits()) {
    Pair pair = get(init);
    inits.push_back(shaped(pair.re, init.getType()));
    if (isComplex(init.getType()))
      inits.push_back(shaped(pair.im, init.getType()));
  }
  // Results: each complex one is two, in place.
  SmallVector<Type> types;
  for (Type type : fold.getResultTypes()) {
    auto real = cast<ArrayType>(type);
    types.push_back(real.isComplex() ? real.withElementType(builder.getF32Type()) : real);
    if (real.isComplex())
      types.push_back(types.back());
  }
  auto made = FoldOp::create(builder, loc, types, fold.getAxis(), fold.getReverseAttr(), inits);
  Block* body = &made.getBody().emplaceBlock();
  for (Value init : inits)
    body->addArgument(init.getType(), loc);
  auto bind = [&](ValueRange olds, ValueRange news) {
    unsigned next = 0;
    for (Value old : olds) {
      if (!isComplex(old.getType())) {
        mapping.map(old, news[next++]);
        continue;
      }
      pairs[old] = {news[next], news[next + 1]};
      next += 2;
    }
  };
  bind(fold.getBlock()->getArguments(), body->getArguments());
  if (failed(splitBlock(*fold.getBlock(), *body)))
    return failure();
  bind(fold.getResults(), made.getResults());
  return success();
}

LogicalResult Splitter::split(Operation& op) {
  if (auto pass = dyn_cast<PassOp>(op)) {
    auto made = PassOp::create(builder, loc, pass.getReverseAttr());
    return splitBlock(*pass.getBlock(), made.getBody().emplaceBlock());
  }
  if (auto chunk = dyn_cast<ChunkOp>(op)) {
    auto made = ChunkOp::create(builder, loc, chunk.getAxis(), chunk.getReverseAttr());
    return splitBlock(*chunk.getBlock(), made.getBody().emplaceBlock());
  }
  if (auto fold = dyn_cast<FoldOp>(op))
    return splitFold(fold);
  if (auto yield = dyn_cast<YieldOp>(op)) {
    SmallVector<Value> values;
    for (Value value : yield.getValues()) {
      Pair pair = get(value);
      values.push_back(shaped(pair.re, value.getType()));
      if (isComplex(value.getType()))
        values.push_back(shaped(pair.im, value.getType()));
    }
    YieldOp::create(builder, loc, values);
    return success();
  }
  auto state = dyn_cast<StateOp>(op);
  bool touchesComplex = llvm::any_of(op.getResultTypes(), isComplex) ||
                        llvm::any_of(op.getOperandTypes(), isComplex) ||
                        (state && isComplex(state.getType()));
  if (!touchesComplex) {
    builder.clone(op, mapping);
    return success();
  }
  if (isa<InOp, StateOp, OutOp>(op))
    return splitDeclaration(op, "name");
  if (isa<PrevOp, UpdateOp>(op))
    return splitDeclaration(op, "state");
  FailureOr<Pair> pair = compute(op);
  if (failed(pair))
    return failure();
  pairs[op.getResult(0)] = *pair;
  if (!isComplex(op.getResult(0).getType()))
    mapping.map(op.getResult(0), pair->re);
  return success();
}

FailureOr<Pair> Splitter::compute(Operation& op) {
  auto operand = [&](unsigned index) { return get(op.getOperand(index)); };
  auto each = [&](auto function) {
    Pair x = operand(0);
    return Pair{function(x.re), x.im ? function(x.im) : Value()};
  };
  auto modulusSquared = [&](Pair x) { return add(mul(x.re, x.re), mul(x.im, x.im)); };
  return TypeSwitch<Operation*, FailureOr<Pair>>(&op)
      .Case([&](AddOp) {
        Pair x = operand(0), y = operand(1);
        return Pair{add(x.re, y.re), add(x.im, y.im)};
      })
      .Case([&](SubOp) {
        Pair x = operand(0), y = operand(1);
        return Pair{sub(x.re, y.re), sub(x.im, y.im)};
      })
      .Case([&](MulOp) {
        Pair x = operand(0), y = operand(1);
        return Pair{sub(mul(x.re, y.re), mul(x.im, y.im)), add(mul(x.re, y.im), mul(x.im, y.re))};
      })
      .Case([&](DivOp) {
        Pair x = operand(0), y = operand(1);
        if (!y.im)
          return each(
              [&](Value part) { return DivOp::create(builder, loc, part, y.re).getResult(); });
        Value scale = modulusSquared(y);
        Value re = add(mul(x.re, y.re), mul(x.im, y.im)),
              im = sub(mul(x.im, y.re), mul(x.re, y.im));
        return Pair{DivOp::create(builder, loc, re, scale), DivOp::create(builder, loc, im, scale)};
      })
      .Case([&](NegOp) { return each([&](Value part) { return neg(part); }); })
      .Case([&](ConjOp) {
        Pair x = operand(0);
        return Pair{x.re, neg(x.im)};
      })
      .Case([&](RealOp) { return Pair{operand(0).re, Value()}; })
      .Case([&](ImagOp imag) { return Pair{shaped(operand(0).im, imag.getType()), Value()}; })
      .Case([&](AbsOp) {
        return Pair{SqrtOp::create(builder, loc, modulusSquared(operand(0))), Value()};
      })
      .Case([&](CisOp) {
        Value angle = operand(0).re;
        return Pair{CosOp::create(builder, loc, angle), SinOp::create(builder, loc, angle)};
      })
      .Case([&](ExpOp) {
        Pair x = operand(0);
        Value modulus = ExpOp::create(builder, loc, x.re);
        if (!x.im)
          return Pair{modulus, Value()};
        return Pair{mul(modulus, CosOp::create(builder, loc, x.im)),
                    mul(modulus, SinOp::create(builder, loc, x.im))};
      })
      .Case([&](CastOp) { return operand(0); })
      .Case([&](SelectOp select) {
        Value condition = mapping.lookupOrDefault(select.getCondition());
        Pair x = operand(1), y = operand(2);
        auto choose = [&](Value a, Value b) {
          return a || b
                     ? SelectOp::create(builder, loc, condition, orZero(a), orZero(b)).getResult()
                     : Value();
        };
        return Pair{choose(x.re, y.re), choose(x.im, y.im)};
      })
      .Case([&](SumOp sum) {
        return each([&](Value part) {
          return SumOp::create(builder, loc, part, sum.getOver()).getResult();
        });
      })
      .Case([&](RelabelOp relabel) {
        return each([&](Value part) {
          return RelabelOp::create(builder, loc, part, relabel.getFrom(), relabel.getTo())
              .getResult();
        });
      })
      .Case([&](BroadcastOp broadcast) {
        return each([&](Value part) { return shaped(part, broadcast.getType()); });
      })
      .Case([&](AtOp at) {
        return each([&](Value part) {
          return AtOp::create(builder, loc, part, at.getLabelAttr()).getResult();
        });
      })
      .Case([&](StepsOp steps) {
        return each([&](Value part) {
          return StepsOp::create(builder, loc, part, steps.getAxis()).getResult();
        });
      })
      .Case([&](LastOp last) {
        return each([&](Value part) {
          return LastOp::create(builder, loc, part, last.getLabelAttr(), last.getReverseAttr())
              .getResult();
        });
      })
      .Case([&](FlattenOp flatten) {
        return each([&](Value part) {
          return FlattenOp::create(builder, loc, part, flatten.getOuterAttr(),
                                   flatten.getInnerAttr(), flatten.getAxis())
              .getResult();
        });
      })
      .Case([&](UnflattenOp unflatten) {
        return each([&](Value part) {
          return UnflattenOp::create(builder, loc, part, unflatten.getLabelAttr(),
                                     unflatten.getOuter(), unflatten.getInner())
              .getResult();
        });
      })
      .Default([&](Operation* other) -> FailureOr<Pair> {
        other->emitError() << "'" << other->getName().stripDialect()
                           << "' of a complex number is not available in this version";
        return failure();
      });
}

struct SplitComplexPass : PassWrapper<SplitComplexPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SplitComplexPass)
  StringRef getArgument() const final { return "split-complex"; }
  StringRef getDescription() const final {
    return "Replace complex values of derived forms by pairs of reals";
  }
  void runOnOperation() final {
    for (RecurrenceOp recurrence :
         llvm::make_early_inc_range(getOperation().getOps<RecurrenceOp>()))
      if (recurrence.getForm() && failed(ssmc::derive::splitComplex(recurrence)))
        return signalPassFailure();
  }
};

} // namespace

FailureOr<RecurrenceOp> ssmc::derive::splitComplex(RecurrenceOp recurrence) {
  OpBuilder builder(recurrence);
  auto fresh =
      RecurrenceOp::create(builder, recurrence.getLoc(), recurrence.getSymName(),
                           recurrence.getTime(), recurrence.getDims(), recurrence.getFormAttr());
  if (failed(Splitter(recurrence.getContext())
                 .splitBlock(*recurrence.getBlock(), fresh.getBody().emplaceBlock()))) {
    fresh.erase();
    return failure();
  }
  recurrence.erase();
  return fresh;
}

std::unique_ptr<Pass> ssmc::derive::createSplitComplexPass() {
  return std::make_unique<SplitComplexPass>();
}
