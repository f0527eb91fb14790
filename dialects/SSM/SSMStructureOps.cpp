// Verification, parsing and inference of declarations, label ops, folds and constants.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMAssembly.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;

/// Whether `order` names exactly the labels of `type`.
static bool isOrderOf(ArrayAttr order, ArrayType type) {
  llvm::StringSet<> names;
  for (StringRef name : strings(order))
    if (!type.has(name) || !names.insert(name).second)
      return false;
  return names.size() == type.getRank();
}

//===-- names in print -----------------------------------------------------------------------===//

void InOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getResult(), getName());
}

void PrevOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  setName(getResult(), (getState() + "_prev").str());
}

void SystemOp::getAsmResultNames(OpAsmSetValueNameFn setName) {
  for (auto [state, value] : llvm::zip(strings(getStates()), getResults()))
    setName(value, state);
}

//===-- declarations -------------------------------------------------------------------------===//

LogicalResult InOp::verify() {
  if (!isOrderOf(getOrder(), getType())) // in_c1
    return emitOpError() << "lists other labels than its type " << getType();
  return success();
}

LogicalResult StateOp::verify() {
  auto type = cast<ArrayType>(getType());
  if (!isOrderOf(getOrder(), type)) // state_c1
    return emitOpError() << "lists other labels than its type " << type;
  if (Value init = getInit()) {
    if (!cast<ArrayType>(init.getType()).isSubsetOf(type)) // state_c2
      return emitOpError() << "has an initial value of type " << init.getType()
                           << ", which has labels that the state lacks";
    SmallVector<Value> work{init}; // state_c3
    while (!work.empty()) {
      Operation* op = work.pop_back_val().getDefiningOp();
      auto in = dyn_cast_or_null<InOp>(op);
      if (!op || isa<PrevOp, SystemOp>(op) || (in && !in.getParam()))
        return emitOpError() << "has an initial value that varies in time";
      llvm::append_range(work, op->getOperands());
      // What a fold computes with, less what it defines itself.
      op->walk([&](Operation* inner) {
        for (Value operand : inner->getOperands())
          if (inner != op && !op->isProperAncestor(operand.getParentBlock()->getParentOp()) &&
              operand.getParentBlock()->getParentOp() != op)
            work.push_back(operand);
      });
    }
  }
  return success();
}

LogicalResult PrevOp::verify() {
  if (llvm::all_of(getBy(), [](int64_t offset) { return offset == 0; })) // prev_c1
    return emitOpError() << "reads the current step: expected a nonzero offset";
  return success();
}

LogicalResult OutOp::verify() {
  ArrayType type = getValue().getType();
  if (auto chunk = dyn_cast<ChunkOp>((*this)->getParentOp()))
    type = type.without({chunk.getLabel()});
  if (!isOrderOf(getOrder(), type)) // out_c1
    return emitOpError() << "lists other labels than its type " << getValue().getType();
  return success();
}

//===-- labels -------------------------------------------------------------------------------===//

static LogicalResult inferReduction(StringRef name, std::optional<Location> location,
                                    ArrayType type, ArrayAttr over,
                                    SmallVectorImpl<Type>& inferred) {
  SmallVector<StringRef> labels = strings(over);
  llvm::StringSet<> seen;
  for (StringRef label : labels)
    if (!type.has(label) || !seen.insert(label).second) // sum_c1, maximum_c1
      return emitOptionalError(location, "reduces over '", label, "', which is no label of ", type,
                               " or is named twice");
  inferred.push_back(type.without(labels));
  return success();
}

LogicalResult SumOp::inferReturnTypes(MLIRContext*, std::optional<Location> location,
                                      ValueRange operands, DictionaryAttr attributes,
                                      OpaqueProperties properties, RegionRange regions,
                                      SmallVectorImpl<Type>& inferred) {
  SumOp::Adaptor adaptor(operands, attributes, properties, regions);
  return inferReduction("sum", location, cast<ArrayType>(operands[0].getType()), adaptor.getOver(),
                        inferred);
}

LogicalResult MaximumOp::inferReturnTypes(MLIRContext*, std::optional<Location> location,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type>& inferred) {
  MaximumOp::Adaptor adaptor(operands, attributes, properties, regions);
  return inferReduction("maximum", location, cast<ArrayType>(operands[0].getType()),
                        adaptor.getOver(), inferred);
}

LogicalResult RelabelOp::inferReturnTypes(MLIRContext* context, std::optional<Location> location,
                                          ValueRange operands, DictionaryAttr attributes,
                                          OpaqueProperties properties, RegionRange regions,
                                          SmallVectorImpl<Type>& inferred) {
  RelabelOp::Adaptor adaptor(operands, attributes, properties, regions);
  auto type = cast<ArrayType>(operands[0].getType());
  SmallVector<StringRef> from = strings(adaptor.getFrom()), to = strings(adaptor.getTo());
  llvm::StringSet<> seen;
  for (StringRef label : from)
    if (!type.has(label) || !seen.insert(label).second) // relabel_c1
      return emitOptionalError(location, "renames '", label, "', which is no label of ", type,
                               " or is renamed twice");
  if (from.size() != to.size())
    return emitOptionalError(location, "renames ", from.size(), " labels to ", to.size());
  SmallVector<AxisAttr> axes;
  for (AxisAttr axis : type.getAxes()) {
    auto it = llvm::find(from, axis.getName());
    StringRef name = it == from.end() ? axis.getName() : to[it - from.begin()];
    auto renamed = AxisAttr::get(context, StringAttr::get(context, name), axis.getExtent());
    auto same = llvm::find_if(axes, [&](AxisAttr other) { return other.getName() == name; });
    if (same == axes.end())
      axes.push_back(renamed);
    else if (*same != renamed) // relabel_c2
      return emitOptionalError(location, "label '", name, "' would have two extents");
  }
  inferred.push_back(ArrayType::get(context, axes, type.getElementType()));
  return success();
}

LogicalResult SumOp::verify() {
  ArrayType type = getOperand().getType();
  if (!type.isReal() && !type.isComplex()) // sum_c2
    return emitOpError() << "adds elements of type " << type.getElementType()
                         << ", expected real or complex ones";
  return success();
}

LogicalResult MaximumOp::verify() {
  if (!getOperand().getType().isReal()) // maximum_c2
    return emitOpError() << "orders elements of type " << getOperand().getType().getElementType()
                         << ", expected real ones";
  return success();
}

LogicalResult BroadcastOp::verify() {
  ArrayType from = getOperand().getType(), to = getType(); // broadcast_c1
  if (!from.isSubsetOf(to) || from.getElementType() != to.getElementType())
    return emitOpError() << "cannot broadcast " << from << " to " << to;
  return success();
}

LogicalResult AtOp::inferReturnTypes(MLIRContext*, std::optional<Location> location,
                                     ValueRange operands, DictionaryAttr attributes,
                                     OpaqueProperties properties, RegionRange regions,
                                     SmallVectorImpl<Type>& inferred) {
  AtOp::Adaptor adaptor(operands, attributes, properties, regions);
  auto type = cast<ArrayType>(operands[0].getType());
  if (!type.has(adaptor.getLabel())) // at_c1
    return emitOptionalError(location, "'", adaptor.getLabel(), "' is no label of ", type);
  inferred.push_back(type.without({adaptor.getLabel()}));
  return success();
}

LogicalResult AtOp::verify() {
  for (auto fold = (*this)->getParentOfType<FoldOp>(); fold; fold = fold->getParentOfType<FoldOp>())
    if (fold.getAxis() == getOperand().getType().find(getLabel())) // at_c2
      return success();
  return emitOpError() << "no enclosing fold runs over label '" << getLabel() << "'";
}

//===-- fold ---------------------------------------------------------------------------------===//

YieldOp FoldOp::getYield() {
  return cast<YieldOp>(getBlock()->getTerminator());
}

LogicalResult FoldOp::verify() {
  auto yield = dyn_cast<YieldOp>(getBlock()->getTerminator());
  if (!yield)
    return emitOpError() << "expected its region to end with ssm.yield";
  unsigned carried = getNumCarried();
  TypeRange inits = getInits().getTypes(), yielded = yield.getOperandTypes();
  if (getBlock()->getNumArguments() != carried || yielded.size() < carried ||
      inits != TypeRange(getBlock()->getArgumentTypes()) || inits != yielded.take_front(carried) ||
      getNumResults() != yielded.size() ||
      TypeRange(getResultTypes()).take_front(carried) != inits) // fold_c1
    return emitOpError() << "carried values disagree in number or type between initial values, "
                            "arguments, ssm.yield and results";
  for (Type type : yielded) // fold_c2, fold_c3
    if (cast<ArrayType>(type).has(getAxis().getName()))
      return emitOpError() << "yields a value that bears the fold's own label '"
                           << getAxis().getName() << "'";
  for (auto [type, result] :
       llvm::zip(yielded.drop_front(carried), TypeRange(getResultTypes()).drop_front(carried)))
    if (cast<ArrayType>(type).withAxis(getAxis()) != result)
      return emitOpError() << "stacked result has type " << result << ", expected "
                           << cast<ArrayType>(type).withAxis(getAxis());
  return success();
}

ParseResult FoldOp::parse(OpAsmParser& parser, OperationState& result) {
  SmallVector<OpAsmParser::Argument> arguments;
  AxisAttr axis;
  if (parser.parseKeyword("over") || parseAxisList(parser, axis))
    return failure();
  result.addAttribute("axis", axis);
  if (parseCarried(parser, result, arguments))
    return failure();
  Region* body = result.addRegion();
  if (parser.parseRegion(*body, arguments) || parser.parseOptionalAttrDict(result.attributes))
    return failure();
  if (body->empty() ||
      !isa_and_present<YieldOp>(body->front().empty() ? nullptr : &body->front().back()))
    return parser.emitError(parser.getNameLoc(), "expected the region to end with ssm.yield");
  auto yielded = body->front().back().getOperandTypes();
  for (auto [index, type] : llvm::enumerate(yielded)) {
    auto array = cast<ArrayType>(type);
    result.addTypes(index < arguments.size() || array.has(axis.getName()) ? array
                                                                          : array.withAxis(axis));
  }
  return success();
}

void FoldOp::print(OpAsmPrinter& printer) {
  printer << " over ";
  printAxisList(printer, *this, getAxis());
  printCarried(printer, *this, getReverse(), getBlock()->getArguments(), getInits());
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
  printer.printOptionalAttrDict((*this)->getAttrs(), {"axis", "reverse"});
}

//===-- constant -----------------------------------------------------------------------------===//

void ConstantOp::build(OpBuilder& builder, OperationState& state, double value) {
  build(builder, state, ArrayType::get(builder.getContext(), {}, builder.getF32Type()),
        builder.getF64FloatAttr(value));
}

ParseResult ConstantOp::parse(OpAsmParser& parser, OperationState& result) {
  FloatAttr value;
  Builder& builder = parser.getBuilder();
  if (parser.parseAttribute(value, builder.getF64Type(), "value", result.attributes) ||
      parser.parseOptionalAttrDict(result.attributes))
    return failure();
  result.addTypes(ArrayType::get(builder.getContext(), {}, builder.getF32Type()));
  return success();
}

void ConstantOp::print(OpAsmPrinter& printer) {
  printer << " ";
  printer.printAttributeWithoutType(getValueAttr());
  printer.printOptionalAttrDict((*this)->getAttrs(), {"value"});
}
