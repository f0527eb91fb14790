// Algebraic simplification of ops that change labels.
//
// Broadcasts sink towards results, where alignment or a sum makes them unnecessary; relabels rise
// towards leaves, where they meet and merge; sums take in as little as they can. The rules about
// sums change the order of roundings, and where an infinite factor meets a sum that cancels, a NaN
// becomes an infinity or the reverse; finite values stay.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMRules.h"

#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;

static ArrayAttr names(MLIRContext* context, ArrayRef<StringRef> list) {
  return ArrayAttr::get(context, llvm::map_to_vector(list, [&](StringRef name) -> Attribute {
                          return StringAttr::get(context, name);
                        }));
}

/// What a relabel calls a label.
static StringRef renamed(RelabelOp op, StringRef label) {
  SmallVector<StringRef> from = strings(op.getFrom());
  auto it = llvm::find(from, label);
  return it == from.end() ? label : strings(op.getTo())[it - from.begin()];
}

/// `value` with its labels renamed as `op` does; itself where it bears none that is.
static Value relabelled(RelabelOp op, Value value, PatternRewriter& rewriter) {
  SmallVector<StringRef> from, to;
  for (AxisAttr axis : cast<ArrayType>(value.getType()).getAxes())
    if (StringRef name = renamed(op, axis.getName()); name != axis.getName()) {
      from.push_back(axis.getName());
      to.push_back(name);
    }
  if (from.empty())
    return value;
  return RelabelOp::create(rewriter, op.getLoc(), value, names(op.getContext(), from),
                           names(op.getContext(), to));
}

static bool anyRenamed(RelabelOp op, Value value) {
  return llvm::any_of(cast<ArrayType>(value.getType()).getAxes(),
                      [&](AxisAttr axis) { return renamed(op, axis.getName()) != axis.getName(); });
}

//===-- Broadcasts ---------------------------------------------------------------------------===//

/// f(broadcast x, y)  ->  f(x, y) where y has the labels that x lacks
/// f(broadcast x)     ->  broadcast f(x)
struct SinkBroadcast : OpTraitRewritePattern<Pointwise> {
  using OpTraitRewritePattern::OpTraitRewritePattern;
  LogicalResult matchAndRewrite(Operation* op, PatternRewriter& rewriter) const override {
    auto type = cast<ArrayType>(op->getResult(0).getType());
    for (OpOperand& operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<BroadcastOp>();
      if (!broadcast)
        continue;
      if (op->getNumOperands() == 1) {
        auto small = cast<ArrayType>(broadcast.getOperand().getType());
        Operation* clone = rewriter.clone(*op);
        clone->setOperand(0, broadcast.getOperand());
        clone->getResult(0).setType(small.withElementType(type.getElementType()));
        rewriter.replaceOpWithNewOp<BroadcastOp>(op, type, clone->getResult(0));
        return success();
      }
      llvm::StringSet<> left;
      for (OpOperand& other : op->getOpOperands()) {
        Value value = &other == &operand ? broadcast.getOperand() : other.get();
        for (AxisAttr axis : cast<ArrayType>(value.getType()).getAxes())
          left.insert(axis.getName());
      }
      if (left.size() != type.getRank())
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getOperand()); });
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no broadcast that alignment makes unnecessary");
  }
};

/// broadcast(broadcast x)  ->  broadcast x
static LogicalResult broadcastTwice(BroadcastOp op, PatternRewriter& rewriter) {
  auto inner = op.getOperand().getDefiningOp<BroadcastOp>();
  if (!inner)
    return rewriter.notifyMatchFailure(op, "operand is no broadcast");
  rewriter.modifyOpInPlace(op, [&] { op.getOperandMutable().assign(inner.getOperand()); });
  return success();
}

/// at (broadcast x) "s"  ->  broadcast x, where x lacks s
/// at (broadcast x) "s"  ->  broadcast (at x "s") otherwise
static LogicalResult atOfBroadcast(AtOp op, PatternRewriter& rewriter) {
  auto broadcast = op.getOperand().getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return rewriter.notifyMatchFailure(op, "operand is no broadcast");
  Value small = broadcast.getOperand();
  if (cast<ArrayType>(small.getType()).has(op.getLabel()))
    small = AtOp::create(rewriter, op.getLoc(), small, op.getLabelAttr());
  rewriter.replaceOp(op, rewriter.createOrFold<BroadcastOp>(op.getLoc(), op.getType(), small));
  return success();
}

//===-- Relabels -----------------------------------------------------------------------------===//

/// relabel(relabel x)  ->  relabel x
static LogicalResult relabelTwice(RelabelOp op, PatternRewriter& rewriter) {
  auto inner = op.getOperand().getDefiningOp<RelabelOp>();
  if (!inner)
    return rewriter.notifyMatchFailure(op, "operand is no relabel");
  SmallVector<StringRef> from, to;
  for (AxisAttr axis : inner.getOperand().getType().getAxes())
    if (StringRef name = renamed(op, renamed(inner, axis.getName())); name != axis.getName()) {
      from.push_back(axis.getName());
      to.push_back(name);
    }
  rewriter.replaceOp(op, rewriter.createOrFold<RelabelOp>(op.getLoc(), inner.getOperand(),
                                                          names(op.getContext(), from),
                                                          names(op.getContext(), to)));
  return success();
}

/// relabel(broadcast x)  ->  broadcast x where x bears no label that is renamed, or is a relabel
static LogicalResult relabelOfBroadcast(RelabelOp op, PatternRewriter& rewriter) {
  auto broadcast = op.getOperand().getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return rewriter.notifyMatchFailure(op, "operand is no broadcast");
  Value small = broadcast.getOperand();
  if (anyRenamed(op, small) && !small.getDefiningOp<RelabelOp>())
    return rewriter.notifyMatchFailure(op, "the labels renamed are not those that broadcast adds");
  small = relabelled(op, small, rewriter);
  rewriter.replaceOp(op, rewriter.createOrFold<BroadcastOp>(op.getLoc(), op.getType(), small));
  return success();
}

/// relabel f(x, y)  ->  f(relabel x, relabel y) where f has one use and each operand that bears a
/// label that is renamed is itself a relabel or a broadcast, which then takes the new one in
static LogicalResult relabelOfPointwise(RelabelOp op, PatternRewriter& rewriter) {
  Operation* pointwise = op.getOperand().getDefiningOp();
  if (!pointwise || !pointwise->hasTrait<Pointwise>() || !pointwise->hasOneUse())
    return rewriter.notifyMatchFailure(op, "operand is no pointwise op of one use");
  for (Value operand : pointwise->getOperands())
    if (anyRenamed(op, operand) &&
        !isa_and_present<RelabelOp, BroadcastOp>(operand.getDefiningOp()))
      return rewriter.notifyMatchFailure(op, "a relabel of an operand would be an op more");
  SmallVector<Value> operands;
  for (Value operand : pointwise->getOperands())
    operands.push_back(relabelled(op, operand, rewriter));
  Operation* clone = rewriter.clone(*pointwise);
  clone->setOperands(operands);
  clone->getResult(0).setType(op.getType());
  rewriter.replaceOp(op, clone->getResult(0));
  return success();
}

//===-- Reductions ---------------------------------------------------------------------------===//

/// sum over [i] (sum over [j] x)  ->  sum over [i, j] x, and alike for maximum
template <typename Op> static LogicalResult reduceTwice(Op op, PatternRewriter& rewriter) {
  auto inner = op.getOperand().template getDefiningOp<Op>();
  if (!inner || !inner->hasOneUse())
    return rewriter.notifyMatchFailure(op, "operand is no reduction of the same kind and one use");
  SmallVector<StringRef> over = strings(op.getOver());
  llvm::append_range(over, strings(inner.getOver()));
  llvm::sort(over);
  rewriter.replaceOpWithNewOp<Op>(op, inner.getOperand(), names(op.getContext(), over));
  return success();
}

/// sum over [l] (relabel [i] to [l] x)  ->  sum over [i] x, and alike for maximum, where every
/// label that is renamed is reduced over and none ends as a diagonal
template <typename Op> static LogicalResult reduceRelabelled(Op op, PatternRewriter& rewriter) {
  auto relabel = op.getOperand().template getDefiningOp<RelabelOp>();
  if (!relabel || relabel.getType().getRank() != relabel.getOperand().getType().getRank())
    return rewriter.notifyMatchFailure(op, "operand is no relabel, or takes a diagonal");
  SmallVector<StringRef> over = strings(op.getOver()), inside;
  for (AxisAttr axis : relabel.getOperand().getType().getAxes()) {
    StringRef name = renamed(relabel, axis.getName());
    if (llvm::is_contained(over, name))
      inside.push_back(axis.getName());
    else if (name != axis.getName())
      return rewriter.notifyMatchFailure(op, "a renamed label is left by the reduction");
  }
  rewriter.replaceOpWithNewOp<Op>(op, relabel.getOperand(), names(op.getContext(), inside));
  return success();
}

/// The labels that both a broadcast adds and a reduction removes, over bound extents of at least 1,
/// go from both; returns what is left of the operand, and the number of repetitions.
template <typename Op>
static FailureOr<std::pair<Value, double>> withoutRepeats(Op op, PatternRewriter& rewriter) {
  auto broadcast = op.getOperand().template getDefiningOp<BroadcastOp>();
  if (!broadcast)
    return rewriter.notifyMatchFailure(op, "operand is no broadcast");
  SmallVector<StringRef> gone, left;
  double repeats = 1;
  for (StringRef label : strings(op.getOver())) {
    int64_t size = broadcast.getType().find(label).getSize();
    bool added = !broadcast.getOperand().getType().has(label);
    (added && size > 0 ? gone : left).push_back(label);
    if (added && size > 0)
      repeats *= double(size);
  }
  if (gone.empty())
    return rewriter.notifyMatchFailure(op, "no label of known extent is added and removed again");
  Value value = rewriter.createOrFold<BroadcastOp>(op.getLoc(), broadcast.getType().without(gone),
                                                   broadcast.getOperand());
  return std::pair(rewriter.createOrFold<Op>(op.getLoc(), value, names(op.getContext(), left)),
                   repeats);
}

/// sum over [i] (broadcast x to [i: 4])  ->  x * 4
static LogicalResult sumOfBroadcast(SumOp op, PatternRewriter& rewriter) {
  auto rest = withoutRepeats(op, rewriter);
  if (failed(rest))
    return failure();
  Value repeats = ConstantOp::create(rewriter, op.getLoc(), rest->second);
  rewriter.replaceOp(op, rewriter.createOrFold<MulOp>(op.getLoc(), rest->first, repeats));
  return success();
}

/// maximum over [i] (broadcast x to [i: 4])  ->  x
static LogicalResult maximumOfBroadcast(MaximumOp op, PatternRewriter& rewriter) {
  auto rest = withoutRepeats(op, rewriter);
  if (failed(rest))
    return failure();
  rewriter.replaceOp(op, rest->first);
  return success();
}

/// sum over [i] (x * y)  ->  x * sum over [i] y, where x lacks the label i
static LogicalResult sumOfProduct(SumOp op, PatternRewriter& rewriter) {
  auto mul = op.getOperand().getDefiningOp<MulOp>();
  if (!mul || !mul->hasOneUse())
    return rewriter.notifyMatchFailure(op, "operand is no product of one use");
  SmallVector<StringRef> over = strings(op.getOver());
  for (unsigned side : {0u, 1u}) {
    Value outside = mul->getOperand(side), inside = mul->getOperand(1 - side);
    auto outsideType = cast<ArrayType>(outside.getType()),
         insideType = cast<ArrayType>(inside.getType());
    if (insideType.isBool() || llvm::any_of(over, [&](StringRef label) {
          return outsideType.has(label) || !insideType.has(label);
        }))
      continue;
    Value sum = SumOp::create(rewriter, op.getLoc(), inside, op.getOver());
    rewriter.replaceOpWithNewOp<MulOp>(op, outside, sum);
    return success();
  }
  return rewriter.notifyMatchFailure(op, "every factor bears a label that is summed over");
}

/// sum over [i] (-x)  ->  -(sum over [i] x)
static LogicalResult sumOfNegated(SumOp op, PatternRewriter& rewriter) {
  auto neg = op.getOperand().getDefiningOp<NegOp>();
  if (!neg || !neg->hasOneUse() || neg.getOperand().getType() != neg.getType())
    return rewriter.notifyMatchFailure(op, "operand is no negation of one use");
  Value sum = SumOp::create(rewriter, op.getLoc(), neg.getOperand(), op.getOver());
  rewriter.replaceOpWithNewOp<NegOp>(op, sum);
  return success();
}

void ssmc::ssm::addLabelRules(RewritePatternSet& patterns) {
  patterns.add<SinkBroadcast>(patterns.getContext());
  patterns.add(broadcastTwice).add(atOfBroadcast);
  patterns.add(relabelTwice).add(relabelOfBroadcast).add(relabelOfPointwise);
  patterns.add(reduceTwice<SumOp>).add(reduceTwice<MaximumOp>);
  patterns.add(reduceRelabelled<SumOp>).add(reduceRelabelled<MaximumOp>);
  patterns.add(sumOfBroadcast).add(maximumOfBroadcast).add(sumOfProduct).add(sumOfNegated);
}
