// Finds contractions that are worth a register-blocked product.
//
// A sum over a product of arrays is one where the factors fall into two sides: a label that is kept
// and borne by the left side alone gives the rows of a tile, one that is borne by the right side
// alone its lanes. Nothing else is asked of it, so that any recurrence's contraction is found. The
// factors of each side are multiplied first, and the sum is then of left * right. Factors that bear
// no summed label scale the sum, so that its sides are read as they are.
#include "lib/Target/Values/Products.h"
#include "dialects/SSM/SSMRenaming.h"

#include "lib/Target/Values/Values.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::target;

namespace {
struct Sides {
  StringRef row, lane;
  SmallVector<Value> left, right, neither;

  /// Takes the factors of a value apart as far as is needed.
  bool split(Value value) {
    bool rows = arrayType(value).has(row), lanes = arrayType(value).has(lane);
    if (!arrayType(value).isReal())
      return false;
    if (!rows || !lanes) {
      (rows ? left : lanes ? right : neither).push_back(value);
      return true;
    }
    auto mul = value.getDefiningOp<ssm::MulOp>();
    return mul && split(mul.getLhs()) && split(mul.getRhs());
  }
};
} // namespace

static Value multiply(OpBuilder& b, Location loc, ArrayRef<Value> factors) {
  Value product = factors.front();
  for (Value factor : factors.drop_front())
    product = ssm::MulOp::create(b, loc, product, factor);
  return product;
}

/// Labels of few positions are left to the nests, whose accumulators suit them.
static constexpr int64_t fewest = 4;

/// The factors of a product of products.
static void appendFactors(Value value, SmallVectorImpl<Value>& factors) {
  if (auto mul = value.getDefiningOp<ssm::MulOp>()) {
    appendFactors(mul.getLhs(), factors);
    appendFactors(mul.getRhs(), factors);
    return;
  }
  factors.push_back(value);
}

/// Takes the factors that bear none of the labels out of a side that bears `kept`.
static void takeScale(SmallVectorImpl<Value>& side, ArrayRef<StringRef> summed, StringRef kept,
                      SmallVectorImpl<Value>& scale) {
  SmallVector<Value> factors, rest, constant;
  for (Value value : side)
    appendFactors(value, factors);
  for (Value value : factors) {
    bool isSummed =
        llvm::any_of(summed, [&](StringRef label) { return arrayType(value).has(label); });
    (isSummed ? rest : constant).push_back(value);
  }
  // The sum needs the label from one of those that stay.
  if (constant.empty() ||
      llvm::none_of(rest, [&](Value value) { return arrayType(value).has(kept); }))
    return;
  side.assign(rest.begin(), rest.end());
  scale.append(constant.begin(), constant.end());
}

/// Where both sides would be rounded, a factor of the summed labels alone goes to the side that is
/// rounded anyway.
static bool keepExact(SmallVectorImpl<Value>& side, StringRef kept, SmallVectorImpl<Value>& other) {
  SmallVector<Value> factors, bearing, others;
  for (Value value : side)
    appendFactors(value, factors);
  for (Value value : factors)
    (arrayType(value).has(kept) ? bearing : others).push_back(value);
  if (bearing.size() != 1 || others.empty() || !isStoredAsBF16(bearing[0]))
    return false;
  side.assign(bearing.begin(), bearing.end());
  other.append(others.begin(), others.end());
  return true;
}

static std::optional<Product> match(ssm::SumOp sum, StringRef row, StringRef lane, bool rounds) {
  auto type = arrayType(sum.getOperand());
  auto mul = sum.getOperand().getDefiningOp<ssm::MulOp>();
  Sides sides{row, lane, {}, {}, {}};
  if (!mul || !sides.split(mul) || sides.left.empty() || sides.right.empty())
    return {};
  // What bears neither label belongs to the side that has to be computed anyway.
  bool rightIsRead = sides.right.size() == 1 && (isa<BlockArgument>(sides.right[0]) ||
                                                 isa<tile::LoadOp>(sides.right[0].getDefiningOp()));
  llvm::append_range(rightIsRead ? sides.left : sides.right, sides.neither);
  SmallVector<StringRef> summed = reducedLabels(sum);
  SmallVector<Value> scale;
  takeScale(sides.left, summed, row, scale);
  takeScale(sides.right, summed, lane, scale);
  if (rounds) {
    // Of two that are stored the larger one stays as it is.
    bool leftFirst = type.find(row).getSize() >= type.find(lane).getSize();
    if (leftFirst ? !keepExact(sides.left, row, sides.right)
                  : !keepExact(sides.right, lane, sides.left)) {
      if (leftFirst)
        keepExact(sides.right, lane, sides.left);
      else
        keepExact(sides.left, row, sides.right);
    }
  }
  Product product;
  product.row = row;
  product.lane = lane;
  OpBuilder b(sum);
  product.left = multiply(b, sum.getLoc(), sides.left);
  product.right = multiply(b, sum.getLoc(), sides.right);
  for (StringRef label : reducedLabels(sum)) {
    if (!arrayType(product.left).has(label) && !arrayType(product.right).has(label))
      return {};
    product.reduced.push_back(label);
  }
  auto whole = arrayType(product.left).unionWith(arrayType(product.right));
  for (Value factor : scale)
    whole = whole.unionWith(arrayType(factor));
  if (whole != type)
    return {};
  if (!scale.empty())
    product.scale = multiply(b, sum.getLoc(), scale);
  // The label that is contiguous in most arrays innermost.
  llvm::sort(product.reduced, [&](StringRef x, StringRef y) {
    return type.find(x).getSize() < type.find(y).getSize();
  });
  return product;
}

void target::findProducts(Operation* kernel, bool keepExactSides, ProductMap& products,
                          llvm::StringMap<int64_t>& readAlong) {
  // States read by a product tell the lanes of what is added to them.
  auto isSteps = [&](Operation* op, StringRef label) {
    auto sequence = op->getParentOfType<tile::SequenceOp>();
    return sequence && label.starts_with(sequence.getAxis().getName());
  };
  SmallVector<ssm::SumOp> sums;
  kernel->walk([&](ssm::SumOp sum) {
    if (!sum->getParentOfType<ssm::FoldOp>())
      sums.push_back(sum);
  });
  // Sums over a state's labels first: they leave no choice.
  llvm::stable_sort(sums, [&](ssm::SumOp x, ssm::SumOp y) {
    auto stepsKept = [&](ssm::SumOp sum) {
      return llvm::count_if(arrayType(sum.getResult()).getAxes(),
                            [&](ssm::AxisAttr axis) { return isSteps(sum, axis.getName()); });
    };
    return (stepsKept(x) > 0) > (stepsKept(y) > 0);
  });
  for (ssm::SumOp sum : sums) {
    auto type = arrayType(sum.getOperand());
    int64_t count = 1;
    for (StringRef label : reducedLabels(sum))
      count *= type.find(label).getSize();
    if (count < 2 * fewest)
      continue;
    SmallVector<ssm::AxisAttr> lanes(arrayType(sum.getResult()).getAxes()), rows = lanes;
    auto laneScore = [&](ssm::AxisAttr axis) {
      return std::tuple(!isSteps(sum, axis.getName()), readAlong.lookup(axis.getName()),
                        axis.getSize());
    };
    std::reverse(lanes.begin(), lanes.end()); // Of equals the last, which is contiguous.
    llvm::stable_sort(lanes, [&](auto x, auto y) { return laneScore(x) > laneScore(y); });
    llvm::stable_sort(rows, [&](auto x, auto y) { return x.getSize() > y.getSize(); });
    for (ssm::AxisAttr lane : lanes)
      for (ssm::AxisAttr row : rows) {
        if (lane == row || lane.getSize() < fewest || row.getSize() < fewest ||
            products.contains(sum))
          continue;
        std::optional<Product> product = match(sum, row.getName(), lane.getName(), keepExactSides);
        if (!product)
          continue;
        OpBuilder b(sum);
        Value factors = ssm::MulOp::create(b, sum.getLoc(), product->left, product->right);
        sum.getOperandMutable().assign(factors);
        if (product->scale) {
          sum.getResult().setType(arrayType(factors).without(product->reduced));
          b.setInsertionPointAfter(sum);
          auto scaled = ssm::MulOp::create(b, sum.getLoc(), sum.getResult(), product->scale);
          sum.getResult().replaceAllUsesExcept(scaled, scaled);
        }
        products[sum] = *product;
        readAlong[product->lane] += isa<BlockArgument>(product->right);
      }
  }
}

//===-- Zeros --------------------------------------------------------------------------------===//

bool target::isCausal(Value value, StringRef rows, StringRef columns) {
  Operation* op = value.getDefiningOp();
  auto isTriangle = [&](auto triangle) {
    return triangle.getRows() == rows && triangle.getColumns() == columns;
  };
  if (!op)
    return false;
  if (auto span = dyn_cast<ssm::SpanOp>(op))
    return isTriangle(span);
  if (auto gram = dyn_cast<ssm::GramOp>(op))
    return isTriangle(gram);
  if (isa<ssm::MulOp>(op))
    return isCausal(op->getOperand(0), rows, columns) || isCausal(op->getOperand(1), rows, columns);
  if (isa<ssm::AddOp, ssm::SubOp>(op))
    return isCausal(op->getOperand(0), rows, columns) && isCausal(op->getOperand(1), rows, columns);
  if (isa<ssm::NegOp>(op))
    return isCausal(op->getOperand(0), rows, columns);
  if (auto relabel = ssm::asRenaming(value)) {
    StringRef names[] = {rows, columns};
    for (StringRef& name : names)
      for (auto [from, to] :
           llvm::zip(ssm::strings(relabel.getFrom()), ssm::strings(relabel.getTo())))
        if (to == name) {
          name = from;
          break;
        }
    return isCausal(relabel.getOperand(), names[0], names[1]);
  }
  return false;
}

//===-- what is rounded ----------------------------------------------------------------------===//

// How much is rounded. The caller's operands that are stored as bf16 lose nothing. Of two sides
// that would lose digits only one may, so that a result is as near as after one rounding. What
// flows into a state loses none at all: there an error is fed back, and delta rules multiply it
// with differences. Nor does what is itself a difference: of what it takes away the other side may
// have much. (The output of Comba, of queries less a multiple of the keys, was 4.4e-3 off, and is
// 1.7e-3, which is what rounding it costs.) Products of two rests, 2^-18 of the whole, are left
// out.

SmallVector<std::pair<bool, bool>> target::roundedTerms(ssm::SumOp sum, const Product& product,
                                                        bool keepBoth) {
  bool exactLeft = isExactAsBF16(product.left), exactRight = isExactAsBF16(product.right);
  bool feedsBack = flowsIntoState(sum.getResult()) || (keepBoth && !exactLeft && !exactRight) ||
                   tile::isDifference(product.left) || tile::isDifference(product.right);
  // (Nothing is left of what is stored as one bf16.)
  bool leavesLeft = !isStoredAsBF16(product.left), leavesRight = !isStoredAsBF16(product.right);
  SmallVector<std::pair<bool, bool>> terms = {{false, false}};
  if (leavesLeft && (!exactRight || feedsBack))
    terms.push_back({true, false});
  if (leavesRight && (feedsBack || (!leavesLeft && !exactLeft)))
    terms.push_back({false, true});
  return terms;
}
