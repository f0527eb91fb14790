// What of a kernel is rewritten before it is emitted, so that more threads have work.
//
// - A sum over several labels with few results is taken one label after the other. Threads that
//   share a sum are those of one warp at most; of the sums over all labels but one there are
//   enough for all warps.
// - A sum that a fold merely stacks leaves the fold: its terms are stacked, which are folds side by
//   side as long as nothing in the fold adds them up, and all threads take the sums afterwards.
// - A product whose result is renamed, if warps hold it in registers, becomes one of renamed sides,
//   which costs nothing: what is added to it is then of the same rows and lanes.
#include "lib/Target/SIMT/Emitter.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

/// Stacked elements that a sum may leave behind when it leaves its fold.
static constexpr int64_t mostStacked = 8192;

static void sumLabelByLabel(ssm::SumOp sum, int64_t threads, int64_t lanes) {
  SmallVector<StringRef> labels = reducedLabels(sum);
  ssm::ArrayType from = sum.getOperand().getType();
  if (labels.size() < 2 || countOf(arrayType(sum).getAxes()) * lanes >= threads ||
      countOf(from.getAxes()) < 4 * threads)
    return;
  // The last one is the longest of those for which there are threads.
  StringRef last;
  for (StringRef label : labels) {
    int64_t size = from.find(label).getSize();
    if (size <= threads && (last.empty() || size > from.find(last).getSize()))
      last = label;
  }
  if (last.empty())
    return;
  OpBuilder b(sum);
  SmallVector<Attribute> first;
  for (StringRef label : labels)
    if (label != last)
      first.push_back(b.getStringAttr(label));
  Value inner = ssm::SumOp::create(b, sum.getLoc(), sum.getOperand(), b.getArrayAttr(first));
  Value outer =
      ssm::SumOp::create(b, sum.getLoc(), inner, b.getStrArrayAttr(ArrayRef<StringRef>(last)));
  sum.getResult().replaceAllUsesWith(outer);
  sum.erase();
}

/// The number of folds side by side, as labels stand that nothing in it mixes; a sum may be left
/// out.
static int64_t foldsSideBySide(ssm::FoldOp fold, Operation* except) {
  llvm::StringSet<> mixed;
  mixed.insert(fold.getAxis().getName());
  for (Operation& op : *fold.getBlock())
    if (&op != except)
      for (auto& entry : mixedLabels(&op))
        mixed.insert(entry.getKey());
  llvm::StringSet<> seen;
  int64_t count = 1;
  auto look = [&](Value value) {
    for (ssm::AxisAttr axis : arrayType(value).getAxes())
      if (!mixed.contains(axis.getName()) && seen.insert(axis.getName()).second)
        count *= axis.getSize();
  };
  for (Value value : fold.getYield().getValues())
    look(except && value.getDefiningOp() == except ? except->getOperand(0) : value);
  return count;
}

static void stackTerms(ssm::FoldOp fold, int64_t threads) {
  for (unsigned i = fold.getNumCarried(); i < fold.getNumResults(); ++i) {
    auto sum = fold.getYield().getValues()[i].getDefiningOp<ssm::SumOp>();
    if (!sum || sum->getBlock() != fold.getBlock() || !sum->hasOneUse())
      continue;
    ssm::ArrayType terms = sum.getOperand().getType();
    int64_t before = foldsSideBySide(fold, nullptr);
    if (terms.has(fold.getAxis().getName()) ||
        countOf(terms.getAxes()) * fold.getAxis().getSize() > mostStacked ||
        before * 4 >= threads || foldsSideBySide(fold, sum) <= before)
      continue;
    Value result = fold.getResult(i);
    OpBuilder b(fold->getContext());
    b.setInsertionPointAfter(fold);
    fold.getYield()->setOperand(i, sum.getOperand());
    result.setType(terms.withAxis(fold.getAxis()));
    auto outside = ssm::SumOp::create(b, sum.getLoc(), result, sum.getOver());
    result.replaceAllUsesExcept(outside, outside);
    sum.erase();
  }
}

/// A value with labels changed, those of it that are.
static Value renamed(OpBuilder& b, Value value, const llvm::StringMap<StringRef>& names) {
  SmallVector<StringRef> from, to;
  for (ssm::AxisAttr axis : arrayType(value).getAxes())
    if (auto found = names.find(axis.getName()); found != names.end()) {
      from.push_back(found->first());
      to.push_back(found->second);
    }
  if (from.empty())
    return value;
  return ssm::RelabelOp::create(b, value.getLoc(), value, b.getStrArrayAttr(from),
                                b.getStrArrayAttr(to));
}

static void renameSides(ssm::RelabelOp relabel) {
  auto sum = relabel.getOperand().getDefiningOp<ssm::SumOp>();
  auto product = sum ? sum.getOperand().getDefiningOp<ssm::MulOp>() : ssm::MulOp();
  if (!product || !sum->hasOneUse() || !product->hasOneUse() ||
      arrayType(sum).getRank() >= arrayType(product).getRank() ||
      relabel->getParentOfType<ssm::FoldOp>() ||
      llvm::any_of(arrayType(product).getAxes(),
                   [](ssm::AxisAttr axis) { return axis.getSize() < fewestPositions; }))
    return;
  // What is summed takes the old name if its own is wanted.
  llvm::StringMap<StringRef> names;
  for (auto [from, to] :
       llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo()))) {
    names[from] = to;
    if (!arrayType(sum).has(to) && arrayType(product).has(to))
      names[to] = from;
  }
  OpBuilder b(relabel);
  Value terms = ssm::MulOp::create(b, product.getLoc(), renamed(b, product.getLhs(), names),
                                   renamed(b, product.getRhs(), names));
  SmallVector<StringRef> summed;
  for (StringRef label : reducedLabels(sum)) {
    auto found = names.find(label);
    summed.push_back(found == names.end() ? label : found->second);
  }
  relabel.replaceAllUsesWith(
      ssm::SumOp::create(b, sum.getLoc(), terms, b.getStrArrayAttr(summed)).getResult());
  relabel.erase();
  sum.erase();
  product.erase();
}

void simt::arrangeForThreads(tile::KernelOp kernel, int64_t threads, int64_t lanes,
                             bool joinsProducts) {
  SmallVector<ssm::FoldOp> folds;
  kernel->walk([&](ssm::FoldOp fold) { folds.push_back(fold); });
  for (ssm::FoldOp fold : folds)
    stackTerms(fold, threads);
  SmallVector<ssm::SumOp> sums;
  kernel->walk([&](ssm::SumOp sum) {
    if (!sum->getParentOfType<ssm::FoldOp>())
      sums.push_back(sum);
  });
  for (ssm::SumOp sum : sums)
    sumLabelByLabel(sum, threads, lanes);
  if (!joinsProducts)
    return;
  SmallVector<ssm::RelabelOp> relabels;
  kernel->walk([&](ssm::RelabelOp relabel) { relabels.push_back(relabel); });
  for (ssm::RelabelOp relabel : relabels)
    renameSides(relabel);
}
