//===- Graph.cpp - Strongly connected components --------------------------===//

#include "Graph.h"
#include <algorithm>

namespace ssmc::frontend {

std::vector<std::vector<unsigned>>
stronglyConnected(llvm::ArrayRef<std::vector<unsigned>> successors) {
  // Tarjan's algorithm with its stack of calls as data.
  struct Visit {
    unsigned node;
    size_t edge;
  };
  constexpr unsigned unseen = ~0u;
  size_t count = successors.size();
  std::vector<unsigned> number(count, unseen), low(count);
  std::vector<bool> open(count, false);
  std::vector<unsigned> stack;
  std::vector<Visit> visits;
  std::vector<std::vector<unsigned>> components;
  unsigned numbered = 0;

  auto enter = [&](unsigned node) {
    number[node] = low[node] = numbered++;
    open[node] = true;
    stack.push_back(node);
    visits.push_back({node, 0});
  };

  for (unsigned root = 0; root < count; ++root) {
    if (number[root] == unseen)
      enter(root);
    while (!visits.empty()) {
      Visit& visit = visits.back();
      unsigned node = visit.node;
      if (visit.edge < successors[node].size()) {
        unsigned successor = successors[node][visit.edge++];
        if (number[successor] == unseen)
          enter(successor);
        else if (open[successor])
          low[node] = std::min(low[node], number[successor]);
        continue;
      }
      visits.pop_back();
      if (!visits.empty())
        low[visits.back().node] = std::min(low[visits.back().node], low[node]);
      if (low[node] != number[node])
        continue;
      std::vector<unsigned>& component = components.emplace_back();
      unsigned member;
      do {
        member = stack.back();
        stack.pop_back();
        open[member] = false;
        component.push_back(member);
      } while (member != node);
      std::sort(component.begin(), component.end());
    }
  }
  return components;
}

} // namespace ssmc::frontend
