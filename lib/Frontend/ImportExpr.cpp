//===- ImportExpr.cpp - Expressions into ops ------------------------------===//

#include "ImportImpl.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using mlir::Location;
using mlir::Type;
using mlir::Value;

namespace ssmc::frontend {

using namespace ast;

Value RecurrenceImporter::importExpr(const Expr* e) {
  Location loc = location(e);
  switch (e->kind) {
  case Expr::Number:
    return ssm::ConstantOp::create(builder, loc, llvm::cast<NumberExpr>(e)->value);
  case Expr::Ref:
    return importRef(llvm::cast<RefExpr>(e));
  case Expr::Call:
    return importCall(llvm::cast<CallExpr>(e));
  case Expr::Negate:
    // A negative number is one, so that it folds and prints as one.
    if (auto* number = dyn_cast<NumberExpr>(e->operands[0]))
      return ssm::ConstantOp::create(builder, loc, -number->value);
    return ssm::NegOp::create(builder, loc, importExpr(e->operands[0]));
  case Expr::Binary:
    return importBinary(llvm::cast<BinaryExpr>(e));
  case Expr::Reduce:
    return importReduce(llvm::cast<ReduceExpr>(e));
  case Expr::Delay:
    return importDelay(llvm::cast<DelayExpr>(e));
  case Expr::Fold:
    return importFold(llvm::cast<FoldExpr>(e));
  }
  llvm_unreachable("no such kind");
}

static Labels labelsOfVars(ArrayRef<IndexVar*> vars) {
  Labels labels;
  for (const IndexVar* var : vars)
    labels.push_back(var->name.text);
  return labels;
}

Value RecurrenceImporter::importRef(const RefExpr* ref) {
  Labels to = labelsOfVars(ref->indexVars);
  if (initLabels && !ref->symbol->axes.empty())
    to = *initLabels;
  Value value = relabel(location(ref), values.lookup(ref->symbol), labelsOf[ref->symbol], to);
  return atSteps(location(ref), value);
}

Value RecurrenceImporter::atSteps(Location loc, Value value) {
  for (const IndexVar* step : steps)
    if (mlir::cast<ssm::ArrayType>(value.getType()).has(step->name.text))
      value = ssm::AtOp::create(builder, loc, value, step->name.text);
  return value;
}

Value RecurrenceImporter::importBinary(const BinaryExpr* binary) {
  Location loc = location(binary);
  Value left = importExpr(binary->operands[0]);
  Value right = importExpr(binary->operands[1]);
  auto compare = [&](ssm::CmpPredicate predicate) {
    return ssm::CmpOp::create(
        builder, loc, ssm::CmpPredicateAttr::get(builder.getContext(), predicate), left, right);
  };
  switch (binary->op) {
  case BinaryOp::Add:
    return ssm::AddOp::create(builder, loc, left, right);
  case BinaryOp::Sub:
    return ssm::SubOp::create(builder, loc, left, right);
  case BinaryOp::Mul:
    return ssm::MulOp::create(builder, loc, left, right);
  case BinaryOp::Div:
    return ssm::DivOp::create(builder, loc, left, right);
  case BinaryOp::Lt:
    return compare(ssm::CmpPredicate::lt);
  case BinaryOp::Le:
    return compare(ssm::CmpPredicate::le);
  case BinaryOp::Gt:
    return compare(ssm::CmpPredicate::gt);
  case BinaryOp::Ge:
    return compare(ssm::CmpPredicate::ge);
  case BinaryOp::Eq:
    return compare(ssm::CmpPredicate::eq);
  case BinaryOp::Ne:
    return compare(ssm::CmpPredicate::ne);
  }
  llvm_unreachable("no such operator");
}

Value RecurrenceImporter::importCall(const CallExpr* call) {
  Location loc = location(call);
  SmallVector<Value> args;
  for (const Expr* operand : call->operands)
    args.push_back(importExpr(operand));
  auto unary = [&]<typename Op>(std::type_identity<Op>) -> Value {
    return Op::create(builder, loc, args[0]);
  };
  auto chain = [&]<typename Op>(std::type_identity<Op>) {
    Value result = args[0];
    for (Value arg : ArrayRef(args).drop_front())
      result = Op::create(builder, loc, result, arg);
    return result;
  };
  bool isComplex = mlir::cast<ssm::ArrayType>(args[0].getType()).isComplex();

#define UNARY(name)                                                                                \
  case Func::name:                                                                                 \
    return unary(std::type_identity<ssm::name##Op>())
  switch (call->func->func) {
    UNARY(Exp);
    UNARY(Log);
    UNARY(Sqrt);
    UNARY(Rsqrt);
    UNARY(Abs);
    UNARY(Sign);
    UNARY(Sin);
    UNARY(Cos);
    UNARY(Tanh);
    UNARY(Sigmoid);
    UNARY(Softplus);
    UNARY(Silu);
    UNARY(Relu);
    UNARY(Cis);
#undef UNARY
  case Func::Min:
    return chain(std::type_identity<ssm::MinOp>());
  case Func::Max:
    return chain(std::type_identity<ssm::MaxOp>());
  case Func::Pow:
    return ssm::PowOp::create(builder, loc, args[0], args[1]);
  case Func::Select:
    return ssm::SelectOp::create(builder, loc, cast(loc, args[0], builder.getI1Type()), args[1],
                                 args[2]);
  case Func::Real:
    return isComplex ? ssm::RealOp::create(builder, loc, args[0]) : args[0];
  case Func::Imag:
    return isComplex ? Value(ssm::ImagOp::create(builder, loc, args[0]))
                     : Value(ssm::ConstantOp::create(builder, loc, 0.0));
  case Func::Conj:
    return isComplex ? ssm::ConjOp::create(builder, loc, args[0]) : args[0];
  }
  llvm_unreachable("no such function");
}

Value RecurrenceImporter::importReduce(const ReduceExpr* reduce) {
  Location loc = location(reduce);
  Value body = importExpr(reduce->operands[0]);
  // A constant part of the body may lack labels, but a sum over n of them is n times as much.
  auto type = mlir::cast<ssm::ArrayType>(body.getType());
  for (const IndexVar* var : reduce->indexVars)
    if (!type.has(var->name.text))
      type = type.withAxis(axis(var, var->name.text));
  body = fit(loc, body, type);
  mlir::ArrayAttr over = names(labelsOfVars(reduce->indexVars));
  if (reduce->isMax)
    return ssm::MaximumOp::create(builder, loc, body, over);
  return ssm::SumOp::create(builder, loc, body, over);
}

/// The array a fold starts from, with the labels of the fold's body.
Value RecurrenceImporter::importFoldStart(const FoldExpr* fold) {
  Labels from, to = labelsOfVars(fold->bodyIndices);
  Value value;
  if (auto* delay = dyn_cast<DelayExpr>(fold->start())) {
    Labels used;
    value = importDelayed(delay, from, used);
  } else {
    const Symbol* symbol = llvm::cast<RefExpr>(fold->start())->symbol;
    value = values.lookup(symbol);
    from = labelsOf[symbol];
  }
  Location loc = location(fold->start());
  // Inside another fold the whole array is meant, though its labels may be called as that one's.
  return relabel(loc, value, from, to);
}

Value RecurrenceImporter::importFold(const FoldExpr* fold) {
  Location loc = location(fold);
  Labels labels = labelsOfVars(fold->bodyIndices);
  ssm::ArrayType type = arrayType(fold->bodyIndices, labels, fold->symbol->elem);
  Value start = cast(loc, importFoldStart(fold), type.getElementType());
  auto loop = ssm::FoldOp::create(builder, loc, mlir::TypeRange(type),
                                  axis(fold->stepVar, fold->step.text), /*reverse=*/false, start);
  mlir::OpBuilder::InsertionGuard guard(builder);
  mlir::Block* block = builder.createBlock(&loop.getBody(), {}, mlir::TypeRange(type), {loc});
  mlir::Operation* outside = std::exchange(outermostFold, outermostFold ? outermostFold : loop);
  values[fold->symbol] = block->getArgument(0);
  labelsOf[fold->symbol] = labels;
  steps.push_back(fold->stepVar);
  Value next = fit(loc, importExpr(fold->body()), type);
  ssm::YieldOp::create(builder, loc, next);
  steps.pop_back();
  outermostFold = outside;
  return loop.getResult(0);
}

} // namespace ssmc::frontend
