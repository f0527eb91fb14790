#include "ssmc/Reference/Sizes.h"

#include "llvm/ADT/StringExtras.h"

#include <fmt/format.h>

using namespace llvm;
using namespace ssmc;
using namespace ssmc::reference;

static void appendTime(Layout& layout, mlir::Operation* op) {
  auto recurrence = op->getParentOfType<ssm::RecurrenceOp>();
  for (auto [index, name] : enumerate(ssm::strings(recurrence.getTime())))
    layout.push_back({LayoutAxis::Time, name.str(), int64_t(index)});
}

static void appendDims(Layout& layout, ssm::ArrayType type, mlir::ArrayAttr order) {
  for (StringRef label : ssm::strings(order)) {
    ssm::AxisAttr axis = type.find(label);
    if (auto dim = dyn_cast<mlir::StringAttr>(axis.getExtent()))
      layout.push_back({LayoutAxis::Dim, dim.getValue().str()});
    else
      layout.push_back({LayoutAxis::Fixed, std::to_string(axis.getSize()), axis.getSize()});
  }
}

Layout ssmc::reference::layoutOf(ssm::InOp op) {
  Layout layout;
  if (!op.getParam()) {
    layout.push_back({LayoutAxis::Batch, "B"});
    appendTime(layout, op);
  }
  if (op.getScope() == ssm::Scope::Head)
    layout.push_back({LayoutAxis::Head, "H"});
  else if (op.getScope() == ssm::Scope::Group)
    layout.push_back({LayoutAxis::Group, "G"});
  appendDims(layout, op.getType(), op.getOrder());
  return layout;
}

Layout ssmc::reference::layoutOf(ssm::StateOp op) {
  Layout layout = {{LayoutAxis::Batch, "B"}, {LayoutAxis::Head, "H"}};
  appendDims(layout, cast<ssm::ArrayType>(op.getType()), op.getOrder());
  return layout;
}

Layout ssmc::reference::layoutOf(ssm::OutOp op) {
  Layout layout = {{LayoutAxis::Batch, "B"}};
  appendTime(layout, op);
  layout.push_back({LayoutAxis::Head, "H"});
  appendDims(layout, op.getValue().getType(), op.getOrder());
  return layout;
}

std::string ssmc::reference::formatLayout(const Layout& layout) {
  return "[" + join(map_range(layout, [](const LayoutAxis& axis) { return axis.name; }), ", ") +
         "]";
}

/// A dim's size: the run's, else the declaration's default, else -1.
static int64_t dimSize(StringRef name, ssm::RecurrenceOp recurrence, const Sizes& sizes) {
  auto it = sizes.dims.find(name);
  return it == sizes.dims.end() ? recurrence.getDimSize(name) : it->second;
}

/// The extent, -1 where it is not known.
static int64_t knownExtent(const LayoutAxis& axis, ssm::RecurrenceOp recurrence,
                           const Sizes& sizes) {
  switch (axis.kind) {
  case LayoutAxis::Batch:
    return sizes.batch;
  case LayoutAxis::Time:
    return axis.number < int64_t(sizes.time.size()) ? sizes.time[axis.number] : -1;
  case LayoutAxis::Head:
    return sizes.heads;
  case LayoutAxis::Group:
    return sizes.groups;
  case LayoutAxis::Dim:
    return dimSize(axis.name, recurrence, sizes);
  case LayoutAxis::Fixed:
    return axis.number;
  }
  llvm_unreachable("all kinds are listed");
}

/// `dim 'K'`, `batch B` …
static std::string describe(const LayoutAxis& axis) {
  switch (axis.kind) {
  case LayoutAxis::Batch:
    return "the batch B";
  case LayoutAxis::Time:
    return "time axis '" + axis.name + "'";
  case LayoutAxis::Head:
    return "the heads H";
  case LayoutAxis::Group:
    return "the groups G";
  case LayoutAxis::Dim:
    return "dim '" + axis.name + "'";
  case LayoutAxis::Fixed:
    return "an axis of " + axis.name;
  }
  llvm_unreachable("all kinds are listed");
}

Expected<SmallVector<int64_t>>
ssmc::reference::shapeOf(const Layout& layout, ssm::RecurrenceOp recurrence, const Sizes& sizes) {
  SmallVector<int64_t> shape;
  for (const LayoutAxis& axis : layout) {
    shape.push_back(knownExtent(axis, recurrence, sizes));
    if (shape.back() < 0)
      return createStringError(describe(axis) + " has no size");
  }
  return shape;
}

Expected<int64_t> ssmc::reference::extentOf(ssm::AxisAttr axis, ssm::RecurrenceOp recurrence,
                                            const Sizes& sizes) {
  if (axis.isBound())
    return axis.getSize();
  StringRef dim = cast<mlir::StringAttr>(axis.getExtent()).getValue();
  int64_t size = dimSize(dim, recurrence, sizes);
  if (size < 0)
    return createStringError("dim '" + dim + "' has no size");
  return size;
}

Error ssmc::reference::learnSizes(const Layout& layout, ArrayRef<int64_t> shape, const Twine& what,
                                  ssm::RecurrenceOp recurrence, Sizes& sizes) {
  auto format = [](ArrayRef<int64_t> extents) {
    return "[" +
           join(map_range(extents, [](int64_t extent) { return std::to_string(extent); }), ", ") +
           "]";
  };
  if (shape.size() != layout.size())
    return createStringError(what + " has shape " + format(shape) + ", expected " +
                             Twine(layout.size()) + " axes " + formatLayout(layout));
  sizes.time.resize(recurrence.getNumTimeAxes(), -1);
  for (auto [axis, extent] : zip(layout, shape)) {
    // A default of the declaration gives way to the first array that says otherwise.
    int64_t known = axis.kind == LayoutAxis::Dim
                        ? (sizes.dims.contains(axis.name) ? sizes.dims.find(axis.name)->second : -1)
                        : knownExtent(axis, recurrence, sizes);
    if (known >= 0 && known != extent)
      return createStringError(what + " has shape " + format(shape) + " for " +
                               formatLayout(layout) + ": " + Twine(extent) + " for " +
                               describe(axis) + ", which is " + Twine(known));
    if (axis.kind == LayoutAxis::Batch)
      sizes.batch = extent;
    else if (axis.kind == LayoutAxis::Time)
      sizes.time[axis.number] = extent;
    else if (axis.kind == LayoutAxis::Head)
      sizes.heads = extent;
    else if (axis.kind == LayoutAxis::Group)
      sizes.groups = extent;
    else if (axis.kind == LayoutAxis::Dim)
      sizes.dims[axis.name] = extent;
  }
  return Error::success();
}

Error ssmc::reference::checkSizes(ssm::RecurrenceOp recurrence, const Sizes& sizes) {
  if (sizes.time.size() != recurrence.getNumTimeAxes())
    return createStringError(fmt::format("the recurrence has {} time axes, {} sizes are known",
                                         recurrence.getNumTimeAxes(), sizes.time.size()));
  for (auto [name, size] : zip(ssm::strings(recurrence.getTime()), sizes.time))
    if (size < 0)
      return createStringError("time axis '" + name + "' has no size");
  if (sizes.batch < 0)
    return createStringError("the batch B has no size");
  if (sizes.heads < 0)
    return createStringError("the heads H have no size");
  for (ssm::InOp in : recurrence.getBlock()->getOps<ssm::InOp>()) {
    if (in.getScope() != ssm::Scope::Group)
      continue;
    if (sizes.groups < 0)
      return createStringError("the groups G of operand '" + in.getName() + "' have no size");
    if (sizes.groups == 0 ? sizes.heads != 0 : sizes.heads % sizes.groups != 0)
      return createStringError(fmt::format("the {} groups of operand '{}' do not divide {} heads",
                                           sizes.groups, in.getName().str(), sizes.heads));
  }
  for (auto dim : recurrence.getDims().getAsRange<ssm::DimAttr>())
    if (dimSize(dim.getName().getValue(), recurrence, sizes) < 0)
      return createStringError("dim '" + dim.getName().getValue() + "' has no size");
  for (auto& [name, size] : sizes.dims)
    if (none_of(recurrence.getDims().getAsRange<ssm::DimAttr>(),
                [&name = name](ssm::DimAttr dim) { return dim.getName().getValue() == name; }))
      return createStringError("the recurrence has no dim '" + name + "'");
  return Error::success();
}
