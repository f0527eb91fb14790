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
        return ordered();
    }
  }

private:
  /// The labels of rows and lanes of the products that a value is made of.
  using Labels = std::pair<StringRef, StringRef>;

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
      if (!isPointwise(&op))
        continue;
      std::optional<Labels> labels;
      bool agree = true;
      for (Value operand : op.getOperands()) {
        auto found = flows.find(operand);
        if (found == flows.end() || found->second.second || !follows(&op, operand))
          continue;
        agree &= !labels || *labels == found->second.first;
        labels = found->second.first;
      }
      if (!labels)
        continue;
      if (!agree) {
        // Made of products of different labels: of values that are kept.
        for (Value operand : op.getOperands())
          if (flows.count(operand))
            placed.insert(operand);
        return group();
      }
      Value result = op.getResult(0);
      add(result, *labels);
      for (Value operand : op.getOperands())
        if (auto found = flows.find(operand);
            found != flows.end() && !found->second.second && follows(&op, operand))
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
      if (flow.second) {
        joint.ops.insert(op);
        continue;
      }
      for (Operation* user : value.getUsers()) {
        if (!c.isLive(user) || follows(user, value))
          continue;
        if (isa<tile::StoreOp>(user) || isTotal(user, flow.first))
          joint.ops.insert(user);
        else
          joint.copied.insert(value);
      }
    }
    for (auto& [leader, joint] : byLeader) {
      // (A product that is kept as it is needs nobody's company.)
      bool isItself = joint.copied.empty() && joint.ops == joint.products;
      if (!isItself)
        joints.push_back(joint);
    }
  }

  //===-- order ------------------------------------------------------------------------------===//

  /// The group that an op is computed with.
  int groupOf(Operation* op) {
    for (auto [i, joint] : llvm::enumerate(joints))
      if (joint.products.contains(op) || joint.ops.contains(op))
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

  /// Groups that products and what is made of them need, through ops that are not the group's own.
  llvm::DenseSet<int> needsOf(int number) {
    const JointProducts& joint = joints[number];
    llvm::DenseSet<Operation*> reached;
    llvm::DenseSet<int> needs;
    // The group's own ops first: what they read of each other in registers needs nothing.
    SmallVector<Value> outside;
    llvm::DenseSet<Operation*> own;
    SmallVector<Operation*> open(joint.products.begin(), joint.products.end());
    open.append(joint.ops.begin(), joint.ops.end());
    for (Value value : joint.copied)
      open.push_back(value.getDefiningOp());
    while (!open.empty()) {
      Operation* op = open.pop_back_val();
      if (!own.insert(op).second)
        continue;
      for (Value operand : op->getOperands()) {
        auto found = flows.find(operand);
        bool inside = found != flows.end() && !found->second.second && !c.isProduct(op);
        if (inside && operand.getDefiningOp())
          open.push_back(operand.getDefiningOp());
        else
          outside.push_back(operand);
      }
    }
    for (Value value : outside)
      findNeeds(value, reached, needs);
    return needs;
  }

  /// Whether groups wait for each other; then fewer of their products are computed together.
  bool splitAtCycle() {
    size_t count = joints.size();
    std::vector<llvm::DenseSet<int>> needs;
    for (size_t i = 0; i < count; ++i)
      needs.push_back(needsOf(i));
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
    order.clear();
    llvm::DenseSet<int> done;
    while (done.size() < count) {
      for (size_t i = 0; i < count; ++i)
        if (!done.contains(i) && llvm::all_of(needs[i], [&](int j) { return done.contains(j); })) {
          done.insert(i);
          order.push_back(i);
        }
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
      bool some = false, all = true;
      for (Value operand : op->getOperands())
        if (auto found = late.find(operand);
            found != late.end() && !flows.find(operand)->second.second) {
          some |= found->second;
          all &= found->second;
        }
      late[value] = some;
      if (!some || all)
        continue;
      for (Value operand : op->getOperands())
        if (auto found = late.find(operand);
            found != late.end() && !found->second && follows(op, operand))
          any |= placed.insert(operand).second;
    }
    return any;
  }

  std::vector<JointProducts> ordered() {
    std::vector<JointProducts> result;
    for (int i : order)
      result.push_back(joints[i]);
    return result;
  }

  const JointContext& c;
  /// Values made of products: of which labels, and whether they are kept.
  llvm::MapVector<Value, std::pair<Labels, bool>> flows;
  llvm::DenseMap<Value, Value> leaders;
  llvm::DenseSet<Value> placed;
  llvm::DenseSet<Operation*> alone;
  std::vector<JointProducts> joints;
  std::vector<int> order;
};

} // namespace

std::vector<JointProducts> simt::findJointProducts(const JointContext& context) {
  return JointFinder(context).run();
}
