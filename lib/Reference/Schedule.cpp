#include "Schedule.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;
using mlir::Operation;
using mlir::Value;

Offset ssmc::reference::offsetOf(ArrayRef<int64_t> by) {
  return by.size() == 1 ? Offset{0, by[0]} : Offset{by[0], by[1]};
}

std::string ssmc::reference::stateName(StringRef state, int64_t number) {
  return number == 1 ? state.str() : (state + "~" + Twine(number)).str();
}

bool Direction::allows(Offset by) const {
  unsigned outer = columnsFirst ? 1 : 0, inner = 1 - outer;
  int64_t first = by[outer] * sign[outer], second = by[inner] * sign[inner];
  return first > 0 || (first == 0 && second > 0);
}

namespace {

/// The ops of a declaration with what each needs of the others.
class Scheduler {
public:
  explicit Scheduler(ssm::RecurrenceOp recurrence) : recurrence(recurrence) {}
  Expected<Schedule> run();

private:
  struct Read {
    unsigned state; // index of the op that updates it
    Offset by;
  };
  struct Node {
    Operation* op;
    /// Values of other top-level ops that this op or one nested in it uses, and their ops.
    SetVector<Value> values;
    SmallVector<unsigned> needs;
    SmallVector<Read> reads;
    bool invariant = false;
    /// It depends, within the step, on an earlier or later one.
    bool stateful = false;
    unsigned unit = 0;
    /// The pass of a scheduled op.
    int pass = -1;
  };

  Error collect();
  void findUnits();
  bool isReady(ArrayRef<unsigned> unit, Direction direction, unsigned pass) const;
  std::vector<unsigned> fillPass(Direction direction, unsigned pass);
  Error assignPasses();
  void finishPass(unsigned pass);
  void planStates();

  ssm::RecurrenceOp recurrence;
  std::vector<Node> nodes;
  DenseMap<Operation*, unsigned> indices;
  /// Ops that must be put into a pass, by unit.
  std::vector<SmallVector<unsigned>> units;
  Schedule schedule;
};

} // namespace

static bool isDeclarationOp(Operation* op) {
  return !isa<ssm::SystemOp, ssm::StageOp, ssm::DecayOp, ssm::FeedbackOp, ssm::InputOp,
              ssm::PassOp>(op) &&
         isa<ssm::SSMDialect>(op->getDialect());
}

Error Scheduler::collect() {
  StringMap<unsigned> updates;
  for (Operation& op : *recurrence.getBlock()) {
    if (auto state = dyn_cast<ssm::StateOp>(op)) {
      schedule.states[state.getName()].declaration = state;
      continue;
    }
    indices[&op] = nodes.size();
    if (auto update = dyn_cast<ssm::UpdateOp>(op)) {
      updates[update.getState()] = nodes.size();
      schedule.states[update.getState()].update = update;
    }
    nodes.emplace_back().op = &op;
  }
  for (Node& node : nodes) {
    bool varies = isa<ssm::UpdateOp, ssm::OutOp>(node.op);
    Operation* foreign = nullptr;
    node.op->walk([&](Operation* op) {
      if (!isDeclarationOp(op) ||
          (op != node.op && isa<ssm::StateOp, ssm::UpdateOp, ssm::OutOp>(op)))
        foreign = op;
      for (Value operand : op->getOperands())
        if (Operation* producer = operand.getDefiningOp(); producer && indices.contains(producer))
          if (node.values.insert(operand))
            node.needs.push_back(indices[producer]);
      if (auto prev = dyn_cast<ssm::PrevOp>(op))
        if (auto it = updates.find(prev.getState()); it != updates.end()) {
          node.reads.push_back({it->second, offsetOf(prev.getBy())});
          schedule.states[prev.getState()].reads.push_back(offsetOf(prev.getBy()));
        }
      if (auto in = dyn_cast<ssm::InOp>(op))
        varies |= !in.getParam();
    });
    if (foreign)
      return createStringError("the reference interprets declarations; '" +
                               foreign->getName().getStringRef() + "' is no part of one");
    node.stateful =
        !node.reads.empty() || any_of(node.needs, [&](unsigned n) { return nodes[n].stateful; });
    node.invariant = !varies && !node.stateful &&
                     all_of(node.needs, [&](unsigned n) { return nodes[n].invariant; });
    if (node.invariant)
      schedule.invariant.push_back(node.op);
  }
  return Error::success();
}

/// Ops that reach each other, within a step or across steps, are one unit.
void Scheduler::findUnits() {
  unsigned count = nodes.size();
  std::vector<BitVector> reach(count, BitVector(count));
  for (unsigned i = 0; i < count; ++i) {
    reach[i].set(i);
    for (unsigned need : nodes[i].needs)
      reach[i].set(need);
    for (const Read& read : nodes[i].reads)
      reach[i].set(read.state);
  }
  for (unsigned via = 0; via < count; ++via)
    for (unsigned i = 0; i < count; ++i)
      if (reach[i][via])
        reach[i] |= reach[via];
  for (unsigned i = 0; i < count; ++i) {
    unsigned leader = 0;
    while (!(reach[i][leader] && reach[leader][i]))
      ++leader;
    nodes[i].unit = leader;
  }
  // Ops without state or effect are put in wherever they are needed.
  units.resize(count);
  for (unsigned i = 0; i < count; ++i)
    if (nodes[i].stateful || isa<ssm::UpdateOp, ssm::OutOp>(nodes[i].op))
      units[nodes[i].unit].push_back(i);
}

bool Scheduler::isReady(ArrayRef<unsigned> unit, Direction direction, unsigned pass) const {
  for (unsigned index : unit) {
    const Node& node = nodes[index];
    for (unsigned need : node.needs)
      if (nodes[need].stateful && nodes[need].unit != node.unit && nodes[need].pass < 0)
        return false;
    for (const Read& read : node.reads) {
      const Node& update = nodes[read.state];
      bool together = update.unit == node.unit || update.pass == int(pass);
      if (together ? !direction.allows(read.by) : update.pass < 0)
        return false;
    }
  }
  return true;
}

/// Puts every unit that can run in this pass into it; returns their ops.
std::vector<unsigned> Scheduler::fillPass(Direction direction, unsigned pass) {
  std::vector<unsigned> filled;
  for (bool changed = true; changed;) {
    changed = false;
    for (ArrayRef<unsigned> unit : units) {
      if (unit.empty() || nodes[unit.front()].pass >= 0 || !isReady(unit, direction, pass))
        continue;
      for (unsigned index : unit)
        nodes[index].pass = int(pass);
      filled.insert(filled.end(), unit.begin(), unit.end());
      changed = true;
    }
  }
  return filled;
}

Error Scheduler::assignPasses() {
  SmallVector<Direction, 8> directions;
  for (bool columnsFirst : {false, true})
    for (int row : {1, -1})
      for (int column : {1, -1})
        if (recurrence.getNumTimeAxes() == 2 || (!columnsFirst && row > 0))
          directions.push_back({columnsFirst, {row, column}});
  auto isOpen = [&](ArrayRef<unsigned> unit) {
    return !unit.empty() && nodes[unit.front()].pass < 0;
  };
  while (any_of(units, isOpen)) {
    unsigned pass = schedule.passes.size();
    size_t most = 0;
    Direction best;
    for (Direction direction : directions) {
      std::vector<unsigned> filled = fillPass(direction, pass);
      for (unsigned index : filled)
        nodes[index].pass = -1;
      if (filled.size() > most) {
        most = filled.size();
        best = direction;
      }
    }
    if (most == 0) {
      std::string names;
      for (auto& [name, plan] : schedule.states)
        if (nodes[indices[plan.update]].pass < 0)
          names += (names.empty() ? "'" : ", '") + name.str() + "'";
      return createStringError("no order of the steps computes " + names +
                               ": earlier and later steps depend on each other");
    }
    fillPass(best, pass);
    schedule.passes.emplace_back().direction = best;
  }
  return Error::success();
}

/// Lists the ops of a pass, its own and the stateless ones that they need, and what they load.
void Scheduler::finishPass(unsigned number) {
  Pass& pass = schedule.passes[number];
  std::vector<bool> wanted(nodes.size());
  for (unsigned i = nodes.size(); i-- > 0;) {
    Node& node = nodes[i];
    if (node.pass == int(number))
      wanted[i] = true;
    if (!wanted[i])
      continue;
    for (Value value : node.values) {
      unsigned need = indices[value.getDefiningOp()];
      if (nodes[need].invariant)
        continue;
      if (!nodes[need].stateful || nodes[need].pass == int(number)) {
        wanted[need] = true;
        continue;
      }
      schedule.passes[nodes[need].pass].stores.insert(value);
      pass.loads.insert(value);
    }
  }
  for (unsigned i = 0; i < nodes.size(); ++i)
    if (wanted[i])
      pass.ops.push_back(nodes[i].op);
}

void Scheduler::planStates() {
  for (auto& [name, plan] : schedule.states) {
    plan.pass = nodes[indices[plan.update]].pass;
    if (recurrence.getNumTimeAxes() > 1)
      continue;
    bool later = false, earlier = false;
    for (Offset by : plan.reads) {
      plan.history = std::max(plan.history, std::abs(by[1]));
      (by[1] > 0 ? earlier : later) = true;
    }
    plan.reversed = later && !earlier;
    // The steps that a result needs must be the last that the pass visits.
    plan.keepAll = plan.reversed != (schedule.passes[plan.pass].direction.sign[1] < 0);
  }
  for (Node& node : nodes)
    for (const Read& read : node.reads)
      if (nodes[read.state].pass != node.pass)
        schedule.states[cast<ssm::UpdateOp>(nodes[read.state].op).getState()].keepAll = true;
}

Expected<Schedule> Scheduler::run() {
  if (Error error = collect())
    return error;
  findUnits();
  if (Error error = assignPasses())
    return error;
  for (unsigned pass = 0; pass < schedule.passes.size(); ++pass)
    finishPass(pass);
  planStates();
  return schedule;
}

Expected<Schedule> ssmc::reference::buildSchedule(ssm::RecurrenceOp recurrence) {
  return Scheduler(recurrence).run();
}
