#include "Coefficients.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

/// The states that a value reads, through folds too.
static StringSet<> statesRead(Value value) {
  StringSet<> states;
  DenseSet<Operation*> seen;
  SmallVector<Value> work{value};
  while (!work.empty()) {
    Value next = work.pop_back_val();
    Operation* op = next.getDefiningOp();
    if (!op)
      op = next.getParentBlock()->getParentOp(); // carried by a fold
    if (isa<ssm::RecurrenceOp>(op) || !seen.insert(op).second)
      continue;
    op->walk([&](Operation* nested) {
      append_range(work, nested->getOperands());
      if (auto prev = dyn_cast<ssm::PrevOp>(nested))
        states.insert(prev.getState());
    });
  }
  return states;
}

StringSet<> ssmc::reference::systemOf(StringRef state, ssm::RecurrenceOp recurrence) {
  StringMap<StringSet<>> reads;
  for (auto update : recurrence.getBlock()->getOps<ssm::UpdateOp>())
    reads[update.getState()] = statesRead(update.getValue());
  auto reachable = [&](StringRef from) {
    StringSet<> reached;
    SmallVector<StringRef> work{from};
    while (!work.empty())
      for (auto& entry : reads[work.pop_back_val()])
        if (reached.insert(entry.first()).second)
          work.push_back(reads.find(entry.first())->first());
    return reached;
  };
  StringSet<> system;
  for (auto& entry : reachable(state))
    if (reachable(entry.first()).contains(state))
      system.insert(entry.first());
  return system;
}

namespace {

class Walker {
public:
  Walker(const StringSet<>& system) : system(system) {}
  void walk(Value value, Path path);
  std::vector<Path> paths;

private:
  bool reads(Value value);
  void addFactor(Path& path, Value factor);
  void walkFold(ssm::FoldOp fold, unsigned result, Path path);

  const StringSet<>& system;
  DenseMap<Value, bool> known;
  /// Ways multiply where values are used twice; what is beyond some thousand ops is left out.
  unsigned fuel = 4096;
};

} // namespace

bool Walker::reads(Value value) {
  auto [it, isNew] = known.try_emplace(value, false);
  if (!isNew)
    return it->second;
  bool found =
      any_of(statesRead(value), [&](auto& entry) { return system.contains(entry.first()); });
  return known[value] = found;
}

void Walker::addFactor(Path& path, Value factor) {
  if (auto constant = factor.getDefiningOp<ssm::ConstantOp>()) {
    double number = constant.getValue().convertToDouble();
    path.isNegative ^= number < 0;
    path.constant *= std::abs(number);
  } else if (auto mul = factor.getDefiningOp<ssm::MulOp>();
             mul && fuel > 0 && path.outer.size() + path.inner.size() < 32) {
    --fuel;
    addFactor(path, mul.getLhs());
    addFactor(path, mul.getRhs());
  } else if (auto neg = factor.getDefiningOp<ssm::NegOp>()) {
    path.isNegative = !path.isNegative;
    addFactor(path, neg.getOperand());
  } else {
    (path.isContracted ? path.inner : path.outer).push_back(factor);
  }
}

void Walker::walkFold(ssm::FoldOp fold, unsigned result, Path path) {
  if (result >= fold.getNumCarried())
    return;
  walk(fold.getYield().getValues()[result], path);
  walk(fold.getInits()[result], path);
}

void Walker::walk(Value value, Path path) {
  if (fuel == 0 || fuel-- == 0 || !reads(value))
    return;
  Operation* op = value.getDefiningOp();
  if (!op) {
    path.end = "fold";
    paths.push_back(path);
    return;
  }
  auto negated = [&] {
    Path other = path;
    other.isNegative = !other.isNegative;
    return other;
  };
  TypeSwitch<Operation*>(op)
      .Case([&](ssm::PrevOp prev) {
        raw_string_ostream stream(path.end);
        stream << prev.getState() << " ";
        for (int64_t by : prev.getBy())
          stream << by << " ";
        paths.push_back(path);
      })
      .Case([&](ssm::AddOp add) {
        for (unsigned side : {0u, 1u}) {
          Path way = path;
          Value other = add->getOperand(1 - side);
          if (path.isBelowMaximum && !reads(other))
            way.added.push_back(other);
          walk(add->getOperand(side), way);
        }
      })
      .Case([&](ssm::SubOp sub) {
        walk(sub.getLhs(), path);
        walk(sub.getRhs(), negated());
      })
      .Case([&](ssm::MulOp mul) {
        if (reads(mul.getLhs()) && reads(mul.getRhs()))
          return;
        bool right = reads(mul.getRhs());
        addFactor(path, right ? mul.getLhs() : mul.getRhs());
        walk(right ? mul.getRhs() : mul.getLhs(), path);
      })
      .Case([&](ssm::NegOp neg) { walk(neg.getOperand(), negated()); })
      .Case([&](ssm::SumOp sum) {
        path.isContracted = true;
        append_range(path.contracted, ssm::strings(sum.getOver()));
        walk(sum.getOperand(), path);
      })
      .Case<ssm::MaxOp, ssm::MinOp, ssm::MaximumOp>([&](auto) {
        path.isBelowMaximum = true;
        for (Value operand : op->getOperands())
          walk(operand, path);
      })
      .Case([&](ssm::SelectOp select) {
        walk(select.getOnTrue(), path);
        walk(select.getOnFalse(), path);
      })
      .Case([&](ssm::FoldOp fold) {
        walkFold(fold, cast<mlir::OpResult>(value).getResultNumber(), path);
      })
      .Case<ssm::RelabelOp, ssm::BroadcastOp, ssm::CastOp, ssm::AtOp, ssm::RealOp, ssm::ImagOp,
            ssm::ConjOp>([&](auto) { walk(op->getOperand(0), path); });
}

std::vector<Path> ssmc::reference::pathsOf(StringRef state, const StringSet<>& system,
                                           ssm::RecurrenceOp recurrence) {
  Walker walker(system);
  for (auto update : recurrence.getBlock()->getOps<ssm::UpdateOp>())
    if (update.getState() == state)
      walker.walk(update.getValue(), {});
  return std::move(walker.paths);
}
