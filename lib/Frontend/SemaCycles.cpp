//===- SemaCycles.cpp - Order of evaluation and direction of time ---------===//

#include "Graph.h"
#include "SemaImpl.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Casting.h"

using namespace llvm;

namespace ssmc::frontend {

using namespace ast;

bool RecurrenceChecker::Read::delayed() const {
  return any_of(looks, [](auto look) { return look.first || look.second; });
}

/// Orders the statements by their reads of current values; a cycle of those has no solution.
void RecurrenceChecker::checkCycles() {
  std::vector<std::vector<unsigned>> successors(rec.statements.size());
  for (const Read& read : reads)
    if (!read.delayed())
      successors[read.reader].push_back(read.target);
  for (ArrayRef<unsigned> component : stronglyConnected(successors)) {
    if (component.size() > 1 || is_contained(successors[component[0]], component[0]))
      reportCycle(component);
    for (unsigned member : component)
      rec.order.push_back(&rec.statements[member]);
  }
}

void RecurrenceChecker::reportCycle(ArrayRef<unsigned> component) {
  // A shortest cycle through the first member: breadth first search for the way back to it.
  unsigned first = component.front();
  DenseSet<unsigned> members(component.begin(), component.end());
  DenseMap<unsigned, std::vector<const Read*>> readsOf;
  for (const Read& read : reads)
    if (!read.delayed() && members.contains(read.reader) && members.contains(read.target))
      readsOf[read.reader].push_back(&read);
  DenseMap<unsigned, const Read*> reachedBy;
  std::vector<unsigned> work{first};
  for (size_t i = 0; i < work.size() && !reachedBy.contains(first); ++i)
    for (const Read* read : readsOf[work[i]])
      if (reachedBy.try_emplace(read->target, read).second)
        work.push_back(read->target);
  SmallVector<const Read*> path; // from the last read back to the first
  for (unsigned at = first; path.empty() || at != first; at = path.back()->reader)
    path.push_back(reachedBy.lookup(at));

  const Statement& stmt = rec.statements[first];
  Diagnostic& error =
      diags.error(stmt.name.loc, "'" + stmt.name.text +
                                     "' depends on its own current value; expected a 'prev' or "
                                     "'next' on the way");
  std::reverse(path.begin(), path.end());
  constexpr size_t shown = 10;
  for (const Read* read : ArrayRef(path).take_front(shown))
    error.note(read->ref->loc, "'" + rec.statements[read->reader].name.text + "' reads '" +
                                   rec.statements[read->target].name.text + "' here");
  if (path.size() > shown)
    error.note(rec.statements[path[shown]->reader].name.loc,
               "and so on, by way of " + Twine(path.size() - shown) + " more");
}

/// Along each time axis, what depends on each other must be computed in one direction.
void RecurrenceChecker::checkDirections() {
  auto report = [&](const Read* back, const Read* ahead, const Twine& message) {
    diags.error(ahead->ref->loc, message).note(back->ref->loc, "'prev' here");
  };
  DenseSet<unsigned> reported;
  auto ofState = [&](const Read& read) {
    return rec.statements[read.target].kind == Symbol::State;
  };
  std::vector<std::vector<unsigned>> successors(rec.statements.size());
  for (const Read& read : reads)
    successors[read.reader].push_back(read.target);
  std::vector<unsigned> componentOf(rec.statements.size());
  for (auto [number, component] : enumerate(stronglyConnected(successors)))
    for (unsigned member : component)
      componentOf[member] = number;

  for (size_t axis = 0; axis < rec.timeAxes.size(); ++axis) {
    DenseMap<unsigned, const Read*> backOf, aheadOf;
    for (const Read& read : reads) {
      if (!ofState(read))
        continue;
      if (read.looks[axis].first)
        backOf.try_emplace(read.target, &read);
      if (read.looks[axis].second)
        aheadOf.try_emplace(read.target, &read);
    }
    for (auto [target, ahead] : aheadOf)
      if (const Read* back = backOf.lookup(target)) {
        report(back, ahead,
               "'next' and 'prev' of one state '" + rec.statements[target].name.text +
                   "': its values are computed either forward or backward in time");
        reported.insert(componentOf[target]);
      }

    DenseMap<unsigned, const Read*> backIn, aheadIn;
    for (const Read& read : reads) {
      if (componentOf[read.reader] != componentOf[read.target])
        continue;
      if (read.looks[axis].first)
        backIn.try_emplace(componentOf[read.target], &read);
      if (read.looks[axis].second)
        aheadIn.try_emplace(componentOf[read.target], &read);
    }
    for (auto [component, ahead] : aheadIn)
      if (const Read* back = backIn.lookup(component); back && reported.insert(component).second)
        report(back, ahead,
               "'next' and 'prev' in definitions that depend on each other: they are computed "
               "either forward or backward in time");
  }
}

} // namespace ssmc::frontend
