#include "Structure.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

/// How often an op runs for one token: once for each step of the folds around.
static Polynomial repetitions(mlir::Operation* op) {
  Polynomial times = 1;
  for (mlir::Operation* parent = op->getParentOp(); parent; parent = parent->getParentOp())
    if (auto fold = dyn_cast<ssm::FoldOp>(parent))
      times = times *
              Polynomial::elementsOf(ssm::ArrayType::get(
                  fold.getContext(), {fold.getAxis()}, mlir::Float32Type::get(fold.getContext())));
  return times;
}

/// Whether a value is the same at every token, so that no token pays for it.
static bool isConstantInTime(mlir::Value value, DenseMap<mlir::Value, bool>& known) {
  if (auto it = known.find(value); it != known.end())
    return it->second;
  mlir::Operation* op = value.getDefiningOp();
  bool result = op && !isa<ssm::PrevOp>(op);
  if (auto in = dyn_cast_or_null<ssm::InOp>(op))
    result = in.getParam();
  else if (result)
    result = op->getNumRegions() == 0 && all_of(op->getOperands(), [&](mlir::Value operand) {
               return isConstantInTime(operand, known);
             });
  return known[value] = result;
}

Costs driver::costsOf(ssm::RecurrenceOp declared, ssm::RecurrenceOp form) {
  Costs costs;
  DenseMap<mlir::Value, bool> constant;
  form->walk([&](mlir::Operation* op) {
    if (op->getNumResults() != 1 || !isa<ssm::ArrayType>(op->getResult(0).getType()) ||
        isConstantInTime(op->getResult(0), constant))
      return;
    auto type = cast<ssm::ArrayType>(op->getResult(0).getType());
    Polynomial size = Polynomial::elementsOf(type) * repetitions(op);
    bool complex = any_of(op->getOperandTypes(), [](mlir::Type operand) {
      auto array = dyn_cast<ssm::ArrayType>(operand);
      return array && array.isComplex();
    });
    TypeSwitch<mlir::Operation*>(op)
        .Case([&](ssm::MulOp) { costs.operations += size * (complex ? 6 : 1); })
        .Case<ssm::AddOp, ssm::SubOp>([&](auto) { costs.operations += size * (complex ? 2 : 1); })
        .Case<ssm::DivOp, ssm::MaxOp, ssm::MinOp, ssm::CmpOp, ssm::SelectOp, ssm::AbsOp>(
            [&](auto) { costs.operations += size; })
        .Case<ssm::SumOp, ssm::MaximumOp>([&](auto) {
          auto operand = cast<ssm::ArrayType>(op->getOperand(0).getType());
          costs.operations += Polynomial::elementsOf(operand) * repetitions(op) * (complex ? 2 : 1);
        })
        .Case<ssm::ExpOp, ssm::LogOp, ssm::SqrtOp, ssm::RsqrtOp, ssm::SinOp, ssm::CosOp,
              ssm::TanhOp, ssm::SigmoidOp, ssm::SoftplusOp, ssm::SiluOp, ssm::PowOp>(
            [&](auto) { costs.functions += size; })
        .Case([&](ssm::CisOp) { costs.functions += size * 2; });
  });
  for (ssm::InOp in : declared.getBlock()->getOps<ssm::InOp>())
    if (!in.getParam())
      costs.operandElements +=
          Polynomial::elementsOf(in.getType()) * (in.getType().isComplex() ? 2 : 1);
  for (ssm::OutOp out : declared.getBlock()->getOps<ssm::OutOp>()) {
    ssm::ArrayType type = out.getValue().getType();
    costs.operandElements += Polynomial::elementsOf(type) * (type.isComplex() ? 2 : 1);
  }
  for (ssm::StateOp state : form.getBlock()->getOps<ssm::StateOp>()) {
    auto type = cast<ssm::ArrayType>(state.getType());
    costs.stateBytes += Polynomial::elementsOf(type) * (type.isComplex() ? 8 : 4);
  }
  return costs;
}
