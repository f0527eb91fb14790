// Which products are computed together.
//
// A product whose sums are read by one op alone is computed where that op is. One that several ops
// read would have to lie in memory, 32 KB for 64 steps of 128 keys in f32, and be read again by
// each; gradients are full of such: of what flows to a query its product with the query is summed
// for the decay. So ops that are pointwise in products of the same rows and lanes form a group with
// these: a warp computes a tile of all the products and then all that is made of them. A sum over
// rows or lanes is among it, in parts, one for each tile.
//
// A group needs all its products at once. Where one of them is made from what another one gives
// (the solution of a triangular system), values between them are kept, and there are two groups.
#include "lib/Target/SIMT/JointProducts.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::simt;

namespace {

class JointFinder {
public:
  explicit JointFinder(const JointContext& c) : c(c) {}

  std::vector<JointProducts> run() {
    // Each round keeps one value more, or leaves a product alone.
    for (;;) {
      group();
      if (!splitAtCycle())
        return joints;
    }
  }

private:
  /// The labels of rows and lanes of the products that a value is made of.
  using Labels = std::pair<StringRef, StringRef>;

  /// A value that is made of products.
  struct Flow {
    Labels labels;
    bool isKept = false; ///< in memory, where others than those of its group find it
  };

  static Labels labelsOf(const Product& product) { return std::minmax(product.row, product.lane); }

  bool isPointwise(Operation* op) {
    return op->getBlock() == c.block && c.isLive(op) && op->hasTrait<ssm::Pointwise>() &&
           op->getNumResults() == 1;
  }

  /// Whether an op makes elements of its result of those of one operand, one of one.
  bool follows(Operation* op, Value value) {
    return isPointwise(op) && arrayType(op->getResult(0)).getRank() == arrayType(value).getRank();
  }

  bool isTotal(Operation* op, Labels labels) {
    auto sum = dyn_cast<ssm::SumOp>(op);
    if (!sum || sum->getBlock() != c.block || c.isProduct(op) || !c.isKept(op))
      return false;
    SmallVector<StringRef> summed = reducedLabels(op);
    return summed.size() == 1 &&
           (summed.front() == labels.first || summed.front() == labels.second);
  }

  /// Whether a value has to lie in memory for one of its users.
  bool needsPlace(Value value, Labels labels) {
    if (placed.contains(value))
      return true;
    return llvm::any_of(value.getUsers(), [&](Operation* user) {
      if (user->getBlock() != c.block) // In a fold.
        return true;
      if (!c.isLive(user))
        return false;
      if (auto store = dyn_cast<tile::StoreOp>(user))
        return !c.isStorable(store);
      return !follows(user, value) && !isTotal(user, labels) && !c.isCopied(value, user);
    });
  }

  /// What an operand is to an op that makes something of it in registers; null if it does not.
  const Flow* flowInto(Operation* op, Value operand) {
    auto found = flows.find(operand);
    bool isRead = found != flows.end() && !found->second.isKept && follows(op, operand);
    return isRead ? &found->second : nullptr;
  }

  void group() {
    flows.clear();
    leaders.clear();
    auto add = [&](Value value, Labels labels) {
      flows[value] = {labels, needsPlace(value, labels)};
      leaders[value] = value;
    };
    for (Operation& op : *c.block) {
      if (!c.isLive(&op))
        continue;
      if (c.isProduct(&op) && !alone.contains(&op)) {
        add(op.getResult(0), labelsOf(c.products.find(&op)->second));
        continue;
      }
      SmallVector<Value> read;
      for (Value operand : op.getOperands())
        if (flowInto(&op, operand))
          read.push_back(operand);
      if (read.empty())
        continue;
      Labels labels = flowInto(&op, read.front())->labels;
      if (llvm::any_of(read, [&](Value one) { return flowInto(&op, one)->labels != labels; })) {
        // Made of products of different labels: of values that are kept.
        placed.insert(read.begin(), read.end());
        return group();
      }
      Value result = op.getResult(0);
      add(result, labels);
      for (Value operand : read)
        leaders[leaderOf(operand)] = leaderOf(result);
    }
    collect();
  }

  Value leaderOf(Value value) {
    while (leaders[value] != value)
      value = leaders[value];
    return value;
  }

  void collect() {
    joints.clear();
    llvm::MapVector<Value, JointProducts> byLeader;
    for (auto& [value, flow] : flows) {
      Operation* op = value.getDefiningOp();
      JointProducts& joint = byLeader[leaderOf(value)];
      if (c.isProduct(op))
        joint.products.insert(op);
      if (flow.isKept) {
        joint.ops.insert(op);
        continue;
      }
      joint.inside.insert(value);
      for (Operation* user : value.getUsers()) {
        if (!c.isLive(user) || follows(user, value))
          continue;
        if (isa<tile::StoreOp>(user))
          joint.ops.insert(user);
        else if (isTotal(user, flow.labels))
          joint.totals.insert(user);
        else
          joint.copied.insert(value);
      }
    }
    // (A product that is kept as it is needs nobody's company.)
    for (auto& [leader, joint] : byLeader)
      if (!joint.inside.empty())
        joints.push_back(joint);
  }

  //===-- who waits for whom -----------------------------------------------------------------===//

  /// The group that an op is computed with.
  int groupOf(Operation* op) {
    for (auto [i, joint] : llvm::enumerate(joints))
      if (joint.products.contains(op) || joint.ops.contains(op) || joint.totals.contains(op))
        return i;
    return -1;
  }

  /// The groups that a value is made of; `reached` are the ops seen.
  void findNeeds(Value value, llvm::DenseSet<Operation*>& reached, llvm::DenseSet<int>& needs) {
    Operation* op = value.getDefiningOp();
    if (!op || op->getBlock() != c.block || !reached.insert(op).second)
      return;
    if (int group = groupOf(op); group >= 0)
      needs.insert(group);
    op->walk([&](Operation* inner) {
      for (Value operand : inner->getOperands())
        findNeeds(operand, reached, needs);
    });
  }

  /// Groups that products and what is made of them need, but for what they read in registers.
  llvm::DenseSet<int> needsOf(const JointProducts& joint) {
    llvm::DenseSet<Operation*> reached;
    llvm::DenseSet<int> needs;
    auto look = [&](Operation* op) {
      for (Value operand : op->getOperands())
        if (joint.products.contains(op) || !joint.inside.contains(operand))
          findNeeds(operand, reached, needs);
    };
    llvm::for_each(joint.products, look);
    llvm::for_each(joint.ops, look);
    llvm::for_each(joint.totals, look);
    for (Value value : joint.inside)
      look(value.getDefiningOp());
    return needs;
  }

  /// Whether groups wait for each other; then fewer of their products are computed together.
  bool splitAtCycle() {
    size_t count = joints.size();
    std::vector<llvm::DenseSet<int>> needs;
    for (const JointProducts& joint : joints)
      needs.push_back(needsOf(joint));
    for (size_t i = 0; i < count; ++i)
      if (needs[i].contains(i)) {
        if (!split(i))
          leaveAlone(joints[i]);
        return true;
      }
    // A group needs all that those need which it needs.
    for (size_t k = 0; k < count; ++k)
      for (size_t i = 0; i < count; ++i)
        if (i != k && needs[i].contains(k))
          needs[i].insert(needs[k].begin(), needs[k].end());
    for (size_t i = 0; i < count; ++i)
      if (needs[i].contains(i)) {
        leaveAlone(joints[i]);
        return true;
      }
    return false;
  }

  void leaveAlone(const JointProducts& joint) {
    alone.insert(joint.products.begin(), joint.products.end());
  }

  /// Keeps the values of a group that later products of it meet, which are made from earlier ones.
  bool split(int number) {
    const JointProducts& joint = joints[number];
    llvm::DenseMap<Operation*, bool> isLate;
    for (Operation* product : joint.products) {
      llvm::DenseSet<Operation*> reached;
      llvm::DenseSet<int> needs;
      for (Value operand : product->getOperands())
        findNeeds(operand, reached, needs);
      isLate[product] = needs.contains(number);
    }
    // Values that are made of early products alone, and meet late ones.
    llvm::DenseMap<Value, bool> late;
    bool any = false;
    for (auto& [value, flow] : flows) {
      Operation* op = value.getDefiningOp();
      if (c.isProduct(op)) {
        late[value] = isLate.lookup(op);
        continue;
      }
      SmallVector<Value> early;
      bool meetsLate = false;
      for (Value operand : op->getOperands())
        if (flowInto(op, operand)) {
          if (late.lookup(operand))
            meetsLate = true;
          else
            early.push_back(operand);
        }
      late[value] = meetsLate;
      if (meetsLate)
        for (Value operand : early)
          any |= placed.insert(operand).second;
    }
    return any;
  }

  const JointContext& c;
  llvm::MapVector<Value, Flow> flows;
  llvm::DenseMap<Value, Value> leaders;
  llvm::DenseSet<Value> placed;
  llvm::DenseSet<Operation*> alone;
  std::vector<JointProducts> joints;
};

} // namespace

std::vector<JointProducts> simt::findJointProducts(const JointContext& context) {
  return JointFinder(context).run();
}
