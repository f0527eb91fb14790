#include "MergeScans.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::ssm;

/// Whether a value is a number, at every position.
static bool isNumberEverywhere(Value value, double number) {
  if (auto broadcast = value.getDefiningOp<BroadcastOp>())
    return isNumberEverywhere(broadcast.getOperand(), number);
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant && constant.getValue().convertToDouble() == number;
}

namespace {

/// A term of a sum.
struct Summand {
  Value value;
  bool isNegative = false;
  ScanOp scan;   ///< null: it is none, or of its own
  ShiftOp shift; ///< of the scan, where there is one
};

} // namespace

using Summands = SmallVector<Summand>;

/// The terms of a tree of additions.
static void collectSummands(Value value, bool isNegative, bool isRoot, Type type, Summands& sum) {
  Operation* op = value.getDefiningOp();
  bool isInside = op && value.getType() == type && (isRoot || value.hasOneUse());
  if (isInside && isa<AddOp, SubOp>(op)) {
    collectSummands(op->getOperand(0), isNegative, false, type, sum);
    collectSummands(op->getOperand(1), isNegative != isa<SubOp>(op), false, type, sum);
    return;
  }
  sum.push_back({value, isNegative, {}, {}});
}

/// Terms that are not negative first, so that none is negated alone.
static void putPositiveFirst(Summands& sum) {
  llvm::stable_sort(
      sum, [](const Summand& x, const Summand& y) { return !x.isNegative && y.isNegative; });
}

/// Finds the scan that a term is.
static void findScan(Summand& term, Type type) {
  auto isOwn = [&](Value value) { return value.hasOneUse() && value.getType() == type; };
  if (!isOwn(term.value))
    return;
  auto shift = term.value.getDefiningOp<ShiftOp>();
  auto scan = (shift ? shift.getOperand() : term.value).getDefiningOp<ScanOp>();
  if (!scan || scan.getSemiring() != Semiring::PlusTimes ||
      !isNumberEverywhere(scan.getInitial(), 0) || !isOwn(scan))
    return;
  if (shift &&
      (!isNumberEverywhere(shift.getFirst(), 0) || !isNumberEverywhere(scan.getDecay(), 1) ||
       shift.getLabel() != scan.getLabel() || shift.getReverse() != scan.getReverse()))
    return;
  term.scan = scan;
  term.shift = shift;
}

static bool areOfOneDecay(ScanOp one, ScanOp other) {
  return one.getLabel() == other.getLabel() && one.getReverse() == other.getReverse() &&
         (one.getDecay() == other.getDecay() ||
          (isNumberEverywhere(one.getDecay(), 1) && isNumberEverywhere(other.getDecay(), 1)));
}

static Value addSummand(OpBuilder& b, Location loc, Value sum, Value term, bool isNegative) {
  if (!sum)
    return isNegative ? NegOp::create(b, loc, term).getResult() : term;
  return isNegative ? SubOp::create(b, loc, sum, term).getResult()
                    : AddOp::create(b, loc, sum, term).getResult();
}

static void mergeScansOf(Operation* root) {
  auto type = cast<ArrayType>(root->getResult(0).getType());
  Summands sum, kept;
  collectSummands(root->getResult(0), false, /*isRoot=*/true, type, sum);
  for (Summand& term : sum)
    findScan(term, type);
  putPositiveFirst(sum);
  bool isAny = false;
  OpBuilder b(root);
  Location loc = root->getLoc();
  for (size_t i = 0; i < sum.size(); ++i) {
    Summand& first = sum[i];
    if (!first.value)
      continue; // Merged with an earlier one.
    SmallVector<Summand*> alike = {&first};
    for (size_t j = i + 1; first.scan && j < sum.size(); ++j)
      if (sum[j].scan && areOfOneDecay(first.scan, sum[j].scan))
        alike.push_back(&sum[j]);
    if (alike.size() < 2) {
      kept.push_back(first);
      continue;
    }
    isAny = true;
    Value input;
    for (Summand* term : alike) {
      Value own = term->scan.getInput();
      if (own.getType() != type)
        own = BroadcastOp::create(b, loc, type, own);
      if (term->shift)
        own = ShiftOp::create(b, loc, own, term->shift.getFirst(), term->shift.getLabel(),
                              term->shift.getReverse());
      input = addSummand(b, loc, input, own, term->isNegative);
    }
    ScanOp like = first.scan;
    Value merged = ScanOp::create(b, loc, like.getSemiring(), like.getDecay(), input,
                                  like.getInitial(), like.getLabel(), like.getReverse());
    kept.push_back({merged, false, {}, {}});
    for (Summand* term : alike)
      term->value = {};
  }
  if (!isAny)
    return;
  putPositiveFirst(kept);
  Value result;
  for (const Summand& term : kept)
    result = addSummand(b, loc, result, term.value, term.isNegative);
  root->getResult(0).replaceAllUsesWith(result);
}

void derive::mergeScans(Block& block) {
  // (Ops that are merged away stay until what has no use is erased.)
  SmallVector<Operation*> roots;
  for (Operation& op : block) {
    if (!isa<AddOp, SubOp>(&op) || op.use_empty())
      continue;
    Operation* user = *op.getUsers().begin();
    bool isInside = op.getResult(0).hasOneUse() && isa<AddOp, SubOp>(user) &&
                    user->getResult(0).getType() == op.getResult(0).getType();
    if (!isInside)
      roots.push_back(&op);
  }
  for (Operation* root : roots)
    mergeScansOf(root);
}
