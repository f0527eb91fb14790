// Algebraic simplification over labelled arrays.
//
// The rules move what a sum does not depend on out of it, drop broadcasts that alignment makes
// unnecessary, and let signs and constants travel outwards, so that equal steps meet in one shape.
#include "dialects/SSM/SSM.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace ssmc::ssm;

namespace {

/// A pointwise binary op takes the operand of a broadcast where the other operand has its labels:
///   mul (broadcast x), y  ->  mul x, y
template <typename Op>
struct DropBroadcast : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter& rewriter) const override {
    for (unsigned side : {0u, 1u}) {
      auto broadcast = op->getOperand(side).template getDefiningOp<BroadcastOp>();
      if (!broadcast)
        continue;
      auto small = cast<ArrayType>(broadcast.getOperand().getType());
      auto other = cast<ArrayType>(op->getOperand(1 - side).getType());
      ArrayType together = small.unionWith(other);
      if (!together || together.getAxes() != op.getType().getAxes())
        continue;
      rewriter.modifyOpInPlace(op, [&] { op->setOperand(side, broadcast.getOperand()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no broadcast whose labels the other operand has");
  }
};

/// x + (-y)  ->  x - y
struct AddNegated : OpRewritePattern<AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(AddOp op, PatternRewriter& rewriter) const override {
    for (unsigned side : {0u, 1u})
      if (auto neg = op->getOperand(side).getDefiningOp<NegOp>()) {
        rewriter.replaceOpWithNewOp<SubOp>(op, op->getOperand(1 - side), neg.getOperand());
        return success();
      }
    return rewriter.notifyMatchFailure(op, "no operand is negated");
  }
};

/// x - (-y)  ->  x + y
struct SubNegated : OpRewritePattern<SubOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SubOp op, PatternRewriter& rewriter) const override {
    auto neg = op.getRhs().getDefiningOp<NegOp>();
    if (!neg)
      return rewriter.notifyMatchFailure(op, "right operand is not negated");
    rewriter.replaceOpWithNewOp<AddOp>(op, op.getLhs(), neg.getOperand());
    return success();
  }
};

/// (-x) * (-y)  ->  x * y
struct MulNegated : OpRewritePattern<MulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MulOp op, PatternRewriter& rewriter) const override {
    auto lhs = op.getLhs().getDefiningOp<NegOp>(), rhs = op.getRhs().getDefiningOp<NegOp>();
    if (!lhs || !rhs)
      return rewriter.notifyMatchFailure(op, "not both operands are negated");
    rewriter.replaceOpWithNewOp<MulOp>(op, lhs.getOperand(), rhs.getOperand());
    return success();
  }
};

/// sum over [i] (x * y), x without the label i  ->  x * sum over [i] y
struct SumOfProduct : OpRewritePattern<SumOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SumOp op, PatternRewriter& rewriter) const override {
    auto mul = op.getOperand().getDefiningOp<MulOp>();
    if (!mul || !mul->hasOneUse())
      return rewriter.notifyMatchFailure(op, "operand is no product of one use");
    SmallVector<StringRef> over = strings(op.getOver());
    for (unsigned side : {0u, 1u}) {
      Value outside = mul->getOperand(side), inside = mul->getOperand(1 - side);
      auto outsideType = cast<ArrayType>(outside.getType());
      auto insideType = cast<ArrayType>(inside.getType());
      if (llvm::any_of(over, [&](StringRef label) {
            return outsideType.has(label) || !insideType.has(label);
          }))
        continue;
      Value sum = SumOp::create(rewriter, op.getLoc(), inside, op.getOver());
      rewriter.replaceOpWithNewOp<MulOp>(op, outside, sum);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "every factor bears a label that is summed over");
  }
};

} // namespace

void AddOp::getCanonicalizationPatterns(RewritePatternSet& patterns, MLIRContext* context) {
  patterns.add<DropBroadcast<AddOp>, AddNegated>(context);
}

void SubOp::getCanonicalizationPatterns(RewritePatternSet& patterns, MLIRContext* context) {
  patterns.add<DropBroadcast<SubOp>, SubNegated>(context);
}

void MulOp::getCanonicalizationPatterns(RewritePatternSet& patterns, MLIRContext* context) {
  patterns.add<DropBroadcast<MulOp>, MulNegated>(context);
}

void SumOp::getCanonicalizationPatterns(RewritePatternSet& patterns, MLIRContext* context) {
  patterns.add<SumOfProduct>(context);
}
