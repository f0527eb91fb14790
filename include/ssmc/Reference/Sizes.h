/// Sizes of one run, and how operands, states and outputs lie in memory.
///
/// In C order: inputs and outputs [B, T, H, dims…] ([B, Y, X, H, dims…] for two time axes), with G
/// in place of H for operands of a group and no head axis for shared ones; params [H, dims…], [G,
/// dims…] or [dims…]; states [B, H, dims…]. The dims come in the order of the declaration. Head h
/// belongs to group h * G / H.
#pragma once

#include "dialects/SSM/SSM.h"

#include "llvm/Support/Error.h"

#include <map>
#include <string>

namespace ssmc::reference {

/// Counts; -1 is "not known yet".
struct Sizes {
  int64_t batch = -1;
  /// Steps along each time axis; empty is "not known yet".
  llvm::SmallVector<int64_t, 2> time;
  int64_t heads = -1;
  int64_t groups = -1;
  /// Sizes of dims by name; they override the declaration's defaults.
  std::map<std::string, int64_t, std::less<>> dims;
};

/// One axis of an array in memory.
struct LayoutAxis {
  enum Kind { Batch, Time, Head, Group, Dim, Fixed } kind;
  /// `B`, the time axis's name, `H`, `G`, or the dim's name.
  std::string name;
  /// Which time axis; the extent of a Fixed one.
  int64_t number = 0;
};
using Layout = llvm::SmallVector<LayoutAxis, 6>;

Layout layoutOf(ssm::InOp op);
Layout layoutOf(ssm::StateOp op);
Layout layoutOf(ssm::OutOp op);

/// `[B, t, H, K]`.
std::string formatLayout(const Layout& layout);

/// The extents of a layout. Fails where a size is not known, naming it.
llvm::Expected<llvm::SmallVector<int64_t>>
shapeOf(const Layout& layout, ssm::RecurrenceOp recurrence, const Sizes& sizes);

/// The extent of a label's axis. Fails where its dim has no size.
llvm::Expected<int64_t> extentOf(ssm::AxisAttr axis, ssm::RecurrenceOp recurrence,
                                 const Sizes& sizes);

/// Learns sizes from the shape of one array. `what` says in messages which array it is (`operand
/// 'q'`). Fails where the rank is wrong, or an extent contradicts what is known already.
llvm::Error learnSizes(const Layout& layout, llvm::ArrayRef<int64_t> shape, const llvm::Twine& what,
                       ssm::RecurrenceOp recurrence, Sizes& sizes);

/// Whether every size is known and at least 0, there are as many time axes as declared, and groups
/// divide heads; an error names what is wrong.
llvm::Error checkSizes(ssm::RecurrenceOp recurrence, const Sizes& sizes);

} // namespace ssmc::reference
