//===- Graph.h - Strongly connected components ------------------*- C++ -*-===//

#ifndef SSMC_LIB_FRONTEND_GRAPH_H
#define SSMC_LIB_FRONTEND_GRAPH_H

#include "llvm/ADT/ArrayRef.h"
#include <vector>

namespace ssmc::frontend {

/// The strongly connected components of a graph of nodes 0, 1, …, each after those it has edges to.
/// Nodes are visited in their order, so that an order that needs no change is kept. Does not
/// recurse: a file may define any number of names in terms of each other.
std::vector<std::vector<unsigned>>
stronglyConnected(llvm::ArrayRef<std::vector<unsigned>> successors);

} // namespace ssmc::frontend

#endif // SSMC_LIB_FRONTEND_GRAPH_H
