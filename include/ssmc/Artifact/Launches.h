/// What launching the kernels of a form takes: their operands, parameters, grids, temporaries and
/// workspace, as formulas of the sizes of a call.
///
/// Whoever calls kernels reads it: `ssmc run` in its own process, and a bundle, which has it as
/// tables of C. Both have an interpreter of formulas (Extent::at, and `extent` in
/// lib/Artifact/Launcher); what the formulas are is said here alone.
#pragma once

#include "ssmc/Runtime/Array.h"
#include "ssmc/Target/SIMT.h"

#include "dialects/Tile/Tile.h"

#include <array>

namespace mlir {
class ModuleOp;
} // namespace mlir

namespace ssmc::artifact {

/// Sizes of a call, which are known when it is made.
struct CallSizes {
  int64_t entries = 1;   ///< batch entries of inputs and outputs: 1 if packed
  int64_t sequences = 1; ///< batch entries, or packed sequences
  int64_t heads = 1, groups = 1;
  int64_t steps = 0;   ///< of the first time axis, of all packed sequences together
  int64_t columns = 1; ///< of the second time axis
  bool packed = false;
};

/// A number that depends on the sizes of a call. Names of kinds are what bundles call them.
struct Factor {
  enum Kind : unsigned {
    Entries,
    Sequences,
    Heads,
    Groups,
    Steps,
    Columns,
    /// Arrays of a temporary with one for each `tile` steps; packed sequences begin one each, see
    /// KernelABI.h.
    Chunks,
    /// Blocks along the grid's second axis, which share tiles of `tile` steps: no more than there
    /// are with `mostBlocks` in all, but one.
    Rows,
    /// The same of kernels that run once for each group.
    GroupRows,
  } kind;
  int64_t tile = 0;

  int64_t at(const CallSizes& sizes) const;
  /// `B`, `N`, `H`, `G`, `T`, `X`, `chunks(64)`, `rows(64)`, `group_rows(64)`.
  std::string text() const;
};

/// A product of a number and factors.
struct Extent {
  int64_t constant = 1;
  llvm::SmallVector<Factor, 5> factors;

  Extent() = default;
  Extent(int64_t constant) : constant(constant) {}
  Extent(Factor factor) : factors{factor} {}
  Extent operator*(const Extent& other) const;
  int64_t at(const CallSizes& sizes) const;
  /// `4096 * H * chunks(64)`
  std::string text() const;
};

struct Operand {
  std::string name;
  tile::Role role;
  llvm::SmallVector<int64_t, 4> shape; ///< of the array of a step, or of a head
  llvm::SmallVector<std::string, 4> labels;
  runtime::DType dtype;
  ssm::Scope scope;
  int64_t chunk = 1; ///< of a temporary with one array per chunk: its steps
  bool hasTwoTimeAxes = false;

  bool isState() const { return role == tile::Role::StateIn || role == tile::Role::StateOut; }
  bool isTemporary() const { return role == tile::Role::Temp || role == tile::Role::ChunkTemp; }

  /// The axes of its array in C order: batch entries or sequences, steps or chunks, heads or
  /// groups, and those of `shape`; those that it does not have are left out.
  llvm::SmallVector<Extent> axes() const;
  Extent elements() const;
  /// Which of the axes the four strides of KernelABI.h are strides of; -1 where it has no such
  /// axis, which makes the stride 0.
  std::array<int, 4> stridedAxes() const;
  /// These strides of an array in C order.
  std::array<Extent, 4> strides() const;
};

/// A kernel as its form wants it: the same for all machines.
struct Kernel {
  std::string name;
  std::vector<Operand> operands; ///< those that are parameters, in order
  int64_t tile = 1;              ///< steps that it takes at a time
  bool reverse = false;          ///< whether it takes them from the last to the first
  bool isOfGroups = false;       ///< whether it runs once for each group, not for each head

  bool operator==(llvm::StringRef other) const { return name == other; }
};

std::vector<Kernel> describeKernels(mlir::ModuleOp module, bool hasTwoTimeAxes);

/// How many kernels, from the first one on, are the form's forward pass: all that there are before
/// its last result is written. The others want cotangents.
size_t countForward(llvm::ArrayRef<Kernel> kernels);

/// A parameter of a kernel for GPUs (ssmc/Target/SIMT.h), all of eight bytes.
struct Parameter {
  enum Kind : unsigned { Size, Offsets, Workspace, Pointer, Stride } kind;
  /// The size (Factor::Kind), or the operand.
  unsigned which = 0;
  /// Which of the operand's four strides.
  unsigned axis = 0;
};
std::vector<Parameter> parametersOf(const Kernel& kernel);

/// What one launch on a GPU takes.
struct Grid {
  Extent x, y;
  /// Bytes of workspace, to be added up.
  llvm::SmallVector<Extent, 2> workspace;

  int64_t workspaceAt(const CallSizes& sizes) const;
};
Grid gridOf(const simt::KernelInfo& info);

/// Blocks that suffice to fill a machine some times over.
constexpr int64_t mostBlocks = 1024;

/// The largest grid there is, along its first axis.
constexpr int64_t maxGrid = 0x7fffffff;

} // namespace ssmc::artifact
