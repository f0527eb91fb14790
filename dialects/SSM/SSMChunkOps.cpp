// Types and verification of the ops over the steps of a chunk.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMRenaming.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc::ssm;

/// The arguments of an op's type inference, under the names of its adaptor.
#define SSM_INFER(Op)                                                                              \
  LogicalResult Op::inferReturnTypes(MLIRContext* context, std::optional<Location> location,       \
                                     ValueRange operands, DictionaryAttr attributes,               \
                                     OpaqueProperties properties, RegionRange regions,             \
                                     SmallVectorImpl<Type>& inferred) {                            \
    Op::Adaptor op(operands, attributes, properties, regions);                                     \
    return infer(op, context, location, inferred);                                                 \
  }

/// The union of labels, the element type complex where one of them is. Null, with a message, where
/// a label has two extents.
static ArrayType unite(ValueRange values, std::optional<Location> location) {
  ArrayType type = typeOf(values.front());
  for (Value value : values.drop_front()) {
    ArrayType united = type.unionWith(typeOf(value));
    if (!united) { // gram_c3, scan_c2, solve_c3
      (void)emitOptionalError(location, "a label has two extents: ", type, " and ", typeOf(value));
      return {};
    }
    type =
        typeOf(value).isComplex() ? united.withElementType(typeOf(value).getElementType()) : united;
  }
  return type;
}

static LogicalResult missing(std::optional<Location> location, StringRef label, Type type) {
  return emitOptionalError(location, "'", label, "' is no label of ", type);
}

/// `type` with a second label like `rows`, called `columns`.
static ArrayType withColumns(ArrayType type, StringAttr rows, StringAttr columns) {
  return type.withAxis(
      AxisAttr::get(type.getContext(), columns, type.find(rows.getValue()).getExtent()));
}

//===-- one label ----------------------------------------------------------------------------===//

static LogicalResult infer(StepsOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  inferred.push_back(typeOf(op.getOperand()).withAxis(op.getAxis()));
  return success();
}
SSM_INFER(StepsOp)

static LogicalResult infer(PositionOp::Adaptor op, MLIRContext* context, std::optional<Location>,
                           SmallVectorImpl<Type>& inferred) {
  inferred.push_back(ArrayType::get(context, {op.getAxis()}, Float32Type::get(context)));
  return success();
}
SSM_INFER(PositionOp)

static LogicalResult infer(LastOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getOperand());
  if (!type.has(op.getLabel())) // last_c1
    return missing(location, op.getLabel(), type);
  inferred.push_back(type.without({op.getLabel()}));
  return success();
}
SSM_INFER(LastOp)

static LogicalResult infer(ShiftOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getOperand()), first = typeOf(op.getFirst());
  if (!type.has(op.getLabel())) // shift_c1
    return missing(location, op.getLabel(), type);
  if (type.without({op.getLabel()}) != first) // shift_c2
    return emitOptionalError(location, "the first value has type ", first, ", expected ",
                             type.without({op.getLabel()}));
  inferred.push_back(type);
  return success();
}
SSM_INFER(ShiftOp)

static LogicalResult infer(CumprodOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getOperand());
  if (!type.has(op.getLabel())) // cumprod_c1
    return missing(location, op.getLabel(), type);
  inferred.push_back(type);
  return success();
}
SSM_INFER(CumprodOp)

static LogicalResult infer(ScanOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType decay = typeOf(op.getDecay()), input = typeOf(op.getInput()),
            initial = typeOf(op.getInitial());
  if ((!decay.has(op.getLabel()) && !input.has(op.getLabel())) ||
      initial.has(op.getLabel())) // scan_c1
    return emitOptionalError(location, "decay or input bears '", op.getLabel(),
                             "', and the initial value does not");
  ArrayType type = unite({op.getDecay(), op.getInput(), op.getInitial()}, location);
  if (!type)
    return failure();
  if (op.getSemiring() == Semiring::MaxPlus && type.isComplex()) // scan_c3
    return emitOptionalError(location, "complex numbers have no maximum");
  inferred.push_back(type);
  return success();
}
SSM_INFER(ScanOp)

static LogicalResult infer(MatrixScanOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  size_t count = op.getInitial().size();
  // matrix_scan_c1
  if (!count || op.getInputs().size() != count || op.getMatrices().size() != count * count)
    return emitOptionalError(location, count, " initial values need as many inputs and ",
                             count * count, " matrices, found ", op.getInputs().size(), " and ",
                             op.getMatrices().size());
  SmallVector<StringRef> rows = strings(op.getRows()), columns = strings(op.getColumns()),
                         names(rows);
  llvm::append_range(names, columns);
  names.push_back(op.getAxis().getName());
  // matrix_scan_c2
  if (rows.size() != columns.size() ||
      llvm::SmallDenseSet<StringRef>(names.begin(), names.end()).size() != names.size())
    return emitOptionalError(location, "rows and columns are not as many labels, each named once");
  Type element = typeOf(op.getInitial().front()).getElementType();
  auto anyComplex = [](ValueRange values) {
    return llvm::any_of(values, [](Value value) { return typeOf(value).isComplex(); });
  };
  bool isComplex = anyComplex(op.getMatrices()) || anyComplex(op.getInputs());
  for (Value value : op.getInitial()) {
    ArrayType type = typeOf(value);
    for (StringRef name : ArrayRef<StringRef>(names).drop_front(rows.size()))
      if (type.has(name)) // matrix_scan_c3
        return emitOptionalError(location, "'", name, "' is a label of the initial value ", type);
    if (type.getElementType() != element || (isComplex && !type.isComplex())) // matrix_scan_c3
      return emitOptionalError(location, "an initial value has type ", type,
                               ", another operand is complex");
    inferred.push_back(type.withAxis(op.getAxis()));
  }
  for (size_t b = 0; b < count; ++b)
    for (size_t c = 0; c <= count; ++c) {
      ArrayType type = typeOf(c < count ? op.getMatrices()[b * count + c] : op.getInputs()[b]);
      auto whole = cast<ArrayType>(inferred[b]);
      for (auto [row, column] : llvm::zip(rows, op.getColumns().getAsRange<StringAttr>()))
        if (AxisAttr axis = c < count ? typeOf(op.getInitial()[c]).find(row) : AxisAttr())
          whole = whole.withAxis(AxisAttr::get(axis.getContext(), column, axis.getExtent()));
      for (AxisAttr axis : type.getAxes())
        if (!whole.has(axis.getName())) // matrix_scan_c4
          return emitOptionalError(location, "'", axis.getName(), "' of ", type, " is no label of ",
                                   whole);
      if (!type.unionWith(whole)) // matrix_scan_c5
        return emitOptionalError(location, "a label has two extents: ", type, " and ", whole);
    }
  return success();
}
SSM_INFER(MatrixScanOp)

Value MatrixScanOp::getMatrix(size_t b, size_t c) {
  Value matrix = getMatrices()[b * getInitial().size() + c];
  auto constant = matrix.getDefiningOp<ConstantOp>();
  return constant && constant.getValue().isZero() ? Value() : matrix;
}

Value ssmc::ssm::renamed(OpBuilder& builder, Value value, ArrayRef<StringRef> from,
                         ArrayRef<StringRef> to) {
  SmallVector<StringRef> old, fresh;
  for (auto [x, y] : llvm::zip(from, to))
    if (typeOf(value).has(x)) {
      old.push_back(x);
      fresh.push_back(y);
    }
  return old.empty()
             ? value
             : Value(RelabelOp::create(builder, value.getLoc(), value, builder.getStrArrayAttr(old),
                                       builder.getStrArrayAttr(fresh)));
}

Value MatrixScanOp::asColumns(OpBuilder& builder, Value value) {
  return renamed(builder, value, strings(getRows()), strings(getColumns()));
}

Value MatrixScanOp::transpose(OpBuilder& builder, Value matrix) {
  SmallVector<StringRef> from = strings(getRows()), to = strings(getColumns()), rows = from;
  from.append(to);
  to.append(rows);
  return renamed(builder, matrix, from, to);
}

//===-- rows and columns ---------------------------------------------------------------------===//

static LogicalResult infer(SpanOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getDecay());
  if (!type.has(op.getRows())) // span_c1
    return missing(location, op.getRows(), type);
  if (type.has(op.getColumns())) // span_c2
    return emitOptionalError(location, "'", op.getColumns(), "' is a label of ", type);
  inferred.push_back(withColumns(type, op.getRowsAttr(), op.getColumnsAttr()));
  return success();
}
SSM_INFER(SpanOp)

static LogicalResult infer(GramOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  for (Value value : {op.getA(), op.getB(), op.getDecay()}) {
    if (!typeOf(value).has(op.getRows())) // gram_c1
      return missing(location, op.getRows(), typeOf(value));
    if (typeOf(value).has(op.getColumns())) // gram_c1
      return emitOptionalError(location, "'", op.getColumns(), "' is a label of ", typeOf(value));
  }
  for (StringRef label : strings(op.getOver()))
    for (Value value : {op.getA(), op.getB()})
      if (!typeOf(value).has(label)) // gram_c2
        return missing(location, label, typeOf(value));
  ArrayType type = unite({op.getA(), op.getB(), op.getDecay()}, location);
  if (!type)
    return failure();
  inferred.push_back(
      withColumns(type, op.getRowsAttr(), op.getColumnsAttr()).without(strings(op.getOver())));
  return success();
}
SSM_INFER(GramOp)

static LogicalResult infer(ApplyOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  Value all[] = {op.getMatrix(), op.getB(), op.getDecay()};
  for (auto [i, value] : llvm::enumerate(all)) {
    if (!typeOf(value).has(op.getRows())) // apply_c1
      return missing(location, op.getRows(), typeOf(value));
    if (typeOf(value).has(op.getColumns()) != (i == 0)) // apply_c1
      return emitOptionalError(location, "the matrix, and it alone, bears '", op.getColumns(),
                               "', found ", typeOf(value));
  }
  ArrayType type = unite(all, location); // apply_c2
  if (!type)
    return failure();
  inferred.push_back(type.without({op.getColumns()}));
  return success();
}
SSM_INFER(ApplyOp)

static LogicalResult infer(SolveOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  size_t count = op.getRight().size();
  if (!count || op.getLower().size() != count * count) // solve_c1
    return emitOptionalError(location, count, " right sides need ", count * count,
                             " matrices, found ", op.getLower().size());
  SmallVector<Value> all(op.getRight());
  llvm::append_range(all, op.getLower());
  for (auto [i, value] : llvm::enumerate(all)) {
    if (!typeOf(value).has(op.getRows())) // solve_c2
      return missing(location, op.getRows(), typeOf(value));
    if (typeOf(value).has(op.getColumns()) != (i >= count)) // solve_c2
      return emitOptionalError(location, "matrices, and they alone, bear '", op.getColumns(),
                               "', found ", typeOf(value));
  }
  // Every unknown depends on every matrix.
  ArrayType type = unite(all, location);
  if (!type)
    return failure();
  inferred.append(count, type.without({op.getColumns()}));
  return success();
}
SSM_INFER(SolveOp)

//===-- two labels as one --------------------------------------------------------------------===//

static LogicalResult infer(FlattenOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getOperand());
  for (StringRef label : {op.getOuter(), op.getInner()})
    if (!type.has(label)) // flatten_c1
      return missing(location, label, type);
  ArrayType rest = type.without({op.getOuter(), op.getInner()});
  if (rest.has(op.getAxis().getName())) // flatten_c3
    return emitOptionalError(location, "'", op.getAxis().getName(), "' is a label of ", rest);
  inferred.push_back(rest.withAxis(op.getAxis()));
  return success();
}
SSM_INFER(FlattenOp)

static LogicalResult infer(UnflattenOp::Adaptor op, MLIRContext*, std::optional<Location> location,
                           SmallVectorImpl<Type>& inferred) {
  ArrayType type = typeOf(op.getOperand());
  if (!type.has(op.getLabel())) // unflatten_c1
    return missing(location, op.getLabel(), type);
  ArrayType rest = type.without({op.getLabel()});
  for (AxisAttr axis : {op.getOuter(), op.getInner()}) {
    if (rest.has(axis.getName())) // unflatten_c3
      return emitOptionalError(location, "'", axis.getName(), "' is a label of ", rest);
    rest = rest.withAxis(axis);
  }
  inferred.push_back(rest);
  return success();
}
SSM_INFER(UnflattenOp)

/// Whether the extents are known not to fit.
static bool misfit(AxisAttr flat, AxisAttr outer, AxisAttr inner) {
  return flat.getSize() >= 0 && outer.getSize() >= 0 && inner.getSize() >= 0 &&
         flat.getSize() != outer.getSize() * inner.getSize();
}

LogicalResult FlattenOp::verify() {
  AxisAttr outer = getOperand().getType().find(getOuter()),
           inner = getOperand().getType().find(getInner());
  if (getOuter() == getInner()) // flatten_c1
    return emitOpError() << "'" << getOuter() << "' is one label, not two";
  if (misfit(getAxis(), outer, inner)) // flatten_c2
    return emitOpError() << outer.getSize() << " times " << inner.getSize() << " positions are not "
                         << getAxis().getSize();
  return success();
}

LogicalResult UnflattenOp::verify() {
  AxisAttr flat = getOperand().getType().find(getLabel());
  if (misfit(flat, getOuter(), getInner())) // unflatten_c2
    return emitOpError() << getOuter().getSize() << " times " << getInner().getSize()
                         << " positions are not " << flat.getSize();
  return success();
}

/// flatten(unflatten x)  ->  x
OpFoldResult FlattenOp::fold(FoldAdaptor) {
  auto made = getOperand().getDefiningOp<UnflattenOp>();
  bool back = made && made.getOperand().getType() == getType() &&
              made.getLabelAttr() == getAxis().getLabel() &&
              made.getOuter().getLabel() == getOuterAttr() &&
              made.getInner().getLabel() == getInnerAttr();
  return back ? OpFoldResult(made.getOperand()) : OpFoldResult();
}

/// unflatten(flatten x)  ->  x
OpFoldResult UnflattenOp::fold(FoldAdaptor) {
  auto made = getOperand().getDefiningOp<FlattenOp>();
  bool back = made && made.getOperand().getType() == getType() &&
              made.getAxis().getLabel() == getLabelAttr() &&
              made.getOuterAttr() == getOuter().getLabel() &&
              made.getInnerAttr() == getInner().getLabel();
  return back ? OpFoldResult(made.getOperand()) : OpFoldResult();
}

//===-- verifiers ----------------------------------------------------------------------------===//

LogicalResult ChunkOp::verify() {
  if (cast<RecurrenceOp>((*this)->getParentOp()).getNumTimeAxes() != 1) // chunk_c1
    return emitOpError() << "needs a recurrence of one time axis";
  if (getAxis().getSize() < 1) // chunk_c2
    return emitOpError() << "has no number of steps";
  return success();
}

LogicalResult StepsOp::verify() {
  auto in = getOperand().getDefiningOp<InOp>();
  if (!in || in.getParam()) // steps_c1
    return emitOpError() << "reads what is no operand with a value at each step";
  return success();
}
