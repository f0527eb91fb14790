// Emits what the derivative interfaces say, as outputs of the recurrence.
#include "TestPasses.h"
#include "dialects/SSM/SSMFormula.h"

#include "mlir/IR/Builders.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace ssmc;

namespace {

/// For each op with a derivative, at the end of the recurrence: the output `d<n>.<op>.<k>`, its
/// partial derivative by operand k, and `g<n>.<op>.<k>`, what a cotangent `g` gives to operand k.
/// `g` is an input of the recurrence whose type is the op's; without one there is no pull-back.
struct TestPartials : PassWrapper<TestPartials, OperationPass<ssm::RecurrenceOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TestPartials)
  StringRef getArgument() const override { return "test-partials"; }
  StringRef getDescription() const override {
    return "output the partial derivatives and transposes of every op";
  }

  void runOnOperation() override {
    Value g;
    for (auto in : getOperation().getBlock()->getOps<ssm::InOp>())
      if (in.getName() == "g")
        g = in.getResult();
    SmallVector<Operation*> ops;
    getOperation().walk([&](Operation* op) { ops.push_back(op); });
    unsigned number = 0;
    for (Operation* op : ops) {
      OpBuilder builder(op->getContext());
      builder.setInsertionPointAfter(op);
      std::string suffix = std::to_string(number) + "." + op->getName().stripDialect().str() + ".";
      bool hasCotangent =
          g && op->getNumResults() == 1 && op->getResult(0).getType() == g.getType();
      if (auto linear = dyn_cast<ssm::LinearOpInterface>(op)) {
        ++number;
        if (!hasCotangent)
          continue;
        out(builder, "g" + suffix + "0", linear.transpose(builder, g));
        if (StringRef label = linear.getStackedLabel(); !label.empty())
          op->emitRemark() << "is stacked over '" << label << "'";
      }
      auto differentiable = dyn_cast<ssm::DifferentiableOpInterface>(op);
      if (!differentiable)
        continue;
      for (unsigned k = 0; k < op->getNumOperands(); ++k) {
        out(builder, "d" + suffix + std::to_string(k), differentiable.partial(builder, k));
        if (hasCotangent)
          out(builder, "g" + suffix + std::to_string(k), pullBack(differentiable, builder, k, g));
      }
      ++number;
    }
  }

  static void out(OpBuilder& builder, StringRef name, Value value) {
    if (!value)
      return;
    SmallVector<StringRef> order;
    for (ssm::AxisAttr axis : cast<ssm::ArrayType>(value.getType()).getAxes())
      order.push_back(axis.getName());
    ssm::OutOp::create(builder, value.getLoc(), name, builder.getStrArrayAttr(order),
                       /*temp=*/false, value);
  }
};

} // namespace

void ssmc::test::registerTestPartials() {
  PassRegistration<TestPartials>();
}
