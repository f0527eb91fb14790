#include "ssmc/Artifact/Launches.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::artifact;
using runtime::DType;
using tile::Role;

//===-- Formulas -----------------------------------------------------------------------------===//

int64_t Factor::at(const CallSizes& sizes) const {
  switch (kind) {
  case Entries:
    return sizes.entries;
  case Sequences:
    return sizes.sequences;
  case Heads:
    return sizes.heads;
  case Groups:
    return sizes.groups;
  case Steps:
    return sizes.steps;
  case Columns:
    return sizes.columns;
  case Chunks:
    return sizes.packed ? sizes.steps / tile + sizes.sequences
                        : int64_t(divideCeil(sizes.steps, tile));
  case Rows:
  case GroupRows: {
    int64_t each = kind == Rows ? sizes.heads : sizes.groups;
    int64_t items = std::max<int64_t>(sizes.sequences * each, 1);
    return std::clamp<int64_t>(divideCeil(sizes.steps, tile), 1,
                               std::max<int64_t>(mostBlocks / items, 1));
  }
  }
  llvm_unreachable("all kinds are listed");
}

std::string Factor::text() const {
  static constexpr const char* names[] = {"B", "N",      "H",    "G",         "T",
                                          "X", "chunks", "rows", "group_rows"};
  std::string text = names[kind];
  return tile ? text + "(" + std::to_string(tile) + ")" : text;
}

Extent Extent::operator*(const Extent& other) const {
  Extent product = *this;
  product.constant *= other.constant;
  append_range(product.factors, other.factors);
  return product;
}

int64_t Extent::at(const CallSizes& sizes) const {
  int64_t product = constant;
  for (const Factor& factor : factors)
    product *= factor.at(sizes);
  return product;
}

std::string Extent::text() const {
  std::string text = constant == 1 && !factors.empty() ? "" : std::to_string(constant);
  for (const Factor& factor : factors)
    text += (text.empty() ? "" : " * ") + factor.text();
  return text;
}

//===-- Operands -----------------------------------------------------------------------------===//

/// The axis of time 0, or -1, and the axis of heads or groups, or -1.
static std::pair<int, int> axesOfTimeAndHeads(const Operand& operand) {
  bool isParam = operand.role == Role::Param;
  bool isTimed = !isParam && !operand.isState();
  int time = isTimed ? 1 : -1;
  int heads = (isParam ? 0 : 1) + (isTimed ? 1 : 0) +
              (operand.hasTwoTimeAxes && isTimed && operand.role != Role::ChunkTemp ? 1 : 0);
  return {time, operand.scope == ssm::Scope::Shared ? -1 : heads};
}

SmallVector<Extent> Operand::axes() const {
  SmallVector<Extent> axes;
  auto [time, heads] = axesOfTimeAndHeads(*this);
  if (role != Role::Param)
    axes.push_back(Factor{isState() ? Factor::Sequences : Factor::Entries});
  if (role == Role::ChunkTemp)
    axes.push_back(Factor{Factor::Chunks, chunk});
  else if (time >= 0)
    axes.push_back(Factor{Factor::Steps});
  if (time >= 0 && role != Role::ChunkTemp && hasTwoTimeAxes)
    axes.push_back(Factor{Factor::Columns});
  if (heads >= 0)
    axes.push_back(Factor{scope == ssm::Scope::Group ? Factor::Groups : Factor::Heads});
  for (int64_t extent : shape)
    axes.push_back(extent);
  return axes;
}

Extent Operand::elements() const {
  Extent product;
  for (const Extent& axis : axes())
    product = product * axis;
  return product;
}

std::array<int, 4> Operand::stridedAxes() const {
  auto [time, heads] = axesOfTimeAndHeads(*this);
  bool hasColumns = time >= 0 && role != Role::ChunkTemp && hasTwoTimeAxes;
  return {role == Role::Param ? -1 : 0, time, hasColumns ? time + 1 : -1, heads};
}

std::array<Extent, 4> Operand::strides() const {
  SmallVector<Extent> extents = axes(), inner(extents.size());
  for (size_t axis = extents.size(); axis-- > 1;)
    inner[axis - 1] = inner[axis] * extents[axis];
  std::array<Extent, 4> strides = {0, 0, 0, 0};
  for (auto [stride, axis] : zip(strides, stridedAxes()))
    if (axis >= 0)
      stride = inner[axis];
  return strides;
}

//===-- Kernels ------------------------------------------------------------------------------===//

static DType storageDType(mlir::Type type) {
  if (isa<mlir::ComplexType>(type))
    return DType::Complex64;
  if (type.isBF16())
    return DType::BF16;
  if (type.isF16())
    return DType::F16;
  if (type.isInteger(1))
    return DType::Bool;
  return type.isInteger(32) ? DType::I32 : DType::F32;
}

std::vector<Kernel> artifact::describeKernels(mlir::ModuleOp module, bool hasTwoTimeAxes) {
  std::vector<Kernel> kernels;
  for (tile::KernelOp op : module.getOps<tile::KernelOp>()) {
    Kernel& kernel = kernels.emplace_back();
    kernel.name = op.getSymName().str();
    kernel.isOfGroups = tile::isOfGroups(op);
    op.walk([&](tile::SequenceOp sequence) {
      kernel.tile = sequence.getTileSize();
      kernel.reverse = sequence.getReverse();
    });
    for (auto attr : op.getOperandsAttr().getAsRange<tile::OperandAttr>()) {
      if (attr.getRole() == Role::Row)
        continue;
      Operand& operand = kernel.operands.emplace_back();
      operand.name = attr.getName().str();
      operand.role = attr.getRole();
      for (ssm::AxisAttr axis : attr.getAxes()) {
        operand.shape.push_back(axis.getSize());
        operand.labels.push_back(axis.getLabel().str());
      }
      operand.dtype = storageDType(attr.getStorage());
      operand.scope = attr.getScope();
      operand.hasTwoTimeAxes = hasTwoTimeAxes;
      if (operand.role == Role::ChunkTemp)
        operand.chunk = kernel.tile;
    }
  }
  return kernels;
}

size_t artifact::countForward(ArrayRef<Kernel> kernels) {
  size_t count = 0;
  for (auto [index, kernel] : enumerate(kernels))
    if (any_of(kernel.operands, [](const Operand& operand) {
          return (operand.role == Role::Out || operand.role == Role::StateOut) &&
                 !StringRef(operand.name).starts_with("d:");
        }))
      count = index + 1;
  return count;
}

std::vector<Parameter> artifact::parametersOf(const Kernel& kernel) {
  std::vector<Parameter> parameters;
  for (Factor::Kind size :
       {Factor::Sequences, Factor::Heads, Factor::Groups, Factor::Steps, Factor::Columns})
    parameters.push_back({Parameter::Size, size});
  parameters.push_back({Parameter::Offsets});
  parameters.push_back({Parameter::Workspace});
  for (unsigned operand = 0; operand < kernel.operands.size(); ++operand) {
    parameters.push_back({Parameter::Pointer, operand});
    for (unsigned axis = 0; axis < 4; ++axis)
      parameters.push_back({Parameter::Stride, operand, axis});
  }
  return parameters;
}

//===-- Grids --------------------------------------------------------------------------------===//

Grid artifact::gridOf(const simt::KernelInfo& info) {
  Grid grid;
  grid.x = Extent(info.slices) * Factor{Factor::Sequences} *
           Factor{info.isOfGroups ? Factor::Groups : Factor::Heads};
  if (info.sharedTile)
    grid.y = Factor{info.isOfGroups ? Factor::GroupRows : Factor::Rows, info.sharedTile};
  Extent blocks = grid.x * grid.y;
  if (info.workspaceBytes)
    grid.workspace.push_back(blocks * info.workspaceBytes);
  if (info.workspacePerColumn)
    grid.workspace.push_back(blocks * info.workspacePerColumn * Factor{Factor::Columns});
  return grid;
}

int64_t Grid::workspaceAt(const CallSizes& sizes) const {
  int64_t bytes = 0;
  for (const Extent& part : workspace)
    bytes += part.at(sizes);
  return bytes;
}
