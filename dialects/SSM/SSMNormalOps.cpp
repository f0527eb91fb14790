// Verification of systems and their terms, and the assembly directives that only lists need.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMAssembly.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace ssmc::ssm;

//===-- Assembly directives ------------------------------------------------------------------===//

void ssmc::ssm::printDimList(OpAsmPrinter& printer, Operation*, ArrayAttr dims) {
  printer << "(";
  llvm::interleaveComma(dims.getAsRange<DimAttr>(), printer,
                        [&](DimAttr dim) { printDim(printer, dim); });
  printer << ")";
}

ParseResult ssmc::ssm::parseDimList(OpAsmParser& parser, ArrayAttr& dims) {
  SmallVector<Attribute> parsed;
  auto parseOne = [&]() -> ParseResult {
    FailureOr<DimAttr> dim = parseDim(parser);
    if (failed(dim))
      return failure();
    parsed.push_back(*dim);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne))
    return failure();
  dims = ArrayAttr::get(parser.getContext(), parsed);
  return success();
}

void ssmc::ssm::printAxisList(OpAsmPrinter& printer, Operation* op, AxisAttr axis) {
  printArrayType(printer, op,
                 ArrayType::get(axis.getContext(), {axis}, Float32Type::get(axis.getContext())));
}

ParseResult ssmc::ssm::parseAxisList(OpAsmParser& parser, AxisAttr& axis) {
  Type type;
  SMLoc place = parser.getCurrentLocation();
  if (parseArrayType(parser, type))
    return failure();
  auto array = cast<ArrayType>(type);
  if (array.getRank() != 1)
    return parser.emitError(place, "expected one axis");
  axis = array.getAxes().front();
  return success();
}

void ssmc::ssm::printCarried(OpAsmPrinter& printer, Operation* op, bool reverse,
                             Block::BlockArgListType arguments, ValueRange inits) {
  if (reverse)
    printer << " reverse";
  if (!inits.empty()) {
    printer << " carry(";
    llvm::interleaveComma(llvm::zip(arguments, inits), printer, [&](auto pair) {
      printer << std::get<0>(pair) << " = " << std::get<1>(pair) << " : ";
      printArrayType(printer, op, std::get<1>(pair).getType());
    });
    printer << ")";
  }
  printer << " ";
}

ParseResult ssmc::ssm::parseCarried(OpAsmParser& parser, OperationState& result,
                                    SmallVectorImpl<OpAsmParser::Argument>& arguments) {
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  if (succeeded(parser.parseOptionalKeyword("reverse")))
    result.addAttribute("reverse", parser.getBuilder().getUnitAttr());
  if (succeeded(parser.parseOptionalKeyword("carry"))) {
    auto parseOne = [&]() -> ParseResult {
      if (parser.parseArgument(arguments.emplace_back()) || parser.parseEqual() ||
          parser.parseOperand(inits.emplace_back()) || parser.parseColon() ||
          parseArrayType(parser, arguments.back().type))
        return failure();
      return success();
    };
    if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseOne))
      return failure();
  }
  SmallVector<Type> types;
  for (auto& argument : arguments)
    types.push_back(argument.type);
  return parser.resolveOperands(inits, types, parser.getNameLoc(), result.operands);
}

//===-- Systems and terms --------------------------------------------------------------------===//

Value SystemOp::getNew(StringRef state) {
  for (auto [name, value] : llvm::zip(strings(getStates()), getResults()))
    if (name == state)
      return value;
  return {};
}

LogicalResult SystemOp::verify() {
  if (getStates().size() != getNumResults()) // system_c1
    return emitOpError() << "has " << getNumResults() << " results for " << getStates().size()
                         << " states";
  if (getBlock()->empty()) // system_c2
    return emitOpError() << "expected at least one stage";
  for (Operation& op : *getBlock())
    if (!isa<StageOp>(op))
      return op.emitOpError() << "is no stage of a system";
  llvm::StringSet<> seen;
  for (StringRef name : strings(getStates())) // system_c3
    if (!seen.insert(name).second)
      return emitOpError() << "names state '" << name << "' twice";
  return success();
}

LogicalResult StageOp::verify() {
  bool first = (*this)->getPrevNode() == nullptr;
  for (Operation& op : *getBlock()) {
    if (!isa<DecayOp, FeedbackOp, InputOp>(op)) // stage_c1
      return op.emitOpError() << "is no term of a stage";
    auto by = op.getAttrOfType<DenseI64ArrayAttr>("by");
    if (!first && by &&
        llvm::any_of(by.asArrayRef(), [](int64_t offset) { return offset != 0; })) // stage_c2
      return op.emitOpError() << "reads another step in a stage after the first";
  }
  return success();
}

//===-- Terms --------------------------------------------------------------------------------===//

/// The type of a state of the term's system, less nothing.
static FailureOr<ArrayType> stateType(Operation* term, StringRef name) {
  auto system = cast<SystemOp>(term->getParentOp()->getParentOp());
  Value value = system.getNew(name);
  if (!value) // decay_c2
    return term->emitOpError() << "names '" << name << "', which is no state of its system";
  return cast<ArrayType>(value.getType());
}

/// The type of a term's source after `relabel`.
template <typename Term> static FailureOr<ArrayType> sourceType(Term term) {
  FailureOr<ArrayType> type = stateType(term, term.getSource());
  SmallVector<StringRef> from = strings(term.getFrom()), to = strings(term.getTo());
  if (failed(type))
    return failure();
  if (from.size() != to.size())
    return term.emitOpError() << "renames " << from.size() << " labels to " << to.size();
  SmallVector<AxisAttr> axes;
  llvm::StringSet<> seen;
  for (AxisAttr axis : type->getAxes()) {
    auto it = llvm::find(from, axis.getName());
    StringRef name = it == from.end() ? axis.getName() : to[it - from.begin()];
    axes.push_back(AxisAttr::get(term.getContext(), StringAttr::get(term.getContext(), name),
                                 axis.getExtent()));
    if (!seen.insert(name).second)
      return term.emitOpError() << "gives two labels of its source the name '" << name << "'";
  }
  for (StringRef label : from)
    if (!type->has(label))
      return term.emitOpError() << "renames '" << label << "', which is no label of state '"
                                << term.getSource() << "'";
  return ArrayType::get(term.getContext(), axes, type->getElementType());
}

/// Whether the labels are the state's; the operands of a stage with micro-steps bear its label too.
static LogicalResult checkLabels(Operation* term, StringRef state, ArrayType labels,
                                 const Twine& what) {
  FailureOr<ArrayType> target = stateType(term, state);
  if (failed(target))
    return failure();
  auto stage = cast<StageOp>(term->getParentOp());
  if (labels.isSubsetOf(stage.getAxis() ? target->withAxis(*stage.getAxis()) : *target))
    return success();
  return term->emitOpError() << "has " << what << " of type " << labels
                             << " with labels that state '" << state << "' lacks";
}

LogicalResult DecayOp::verify() {
  for (Value operand : getOperands()) // decay_c1
    if (failed(checkLabels(*this, getState(), cast<ArrayType>(operand.getType()), "an operand")))
      return failure();
  FailureOr<ArrayType> source = sourceType(*this);
  if (failed(source))
    return failure();
  return checkLabels(*this, getState(), *source, "a source"); // decay_c3
}

LogicalResult FeedbackOp::verify() {
  FailureOr<ArrayType> source = sourceType(*this);
  if (failed(source))
    return failure();
  SmallVector<StringRef> over = strings(getOver());
  for (StringRef label : over) // feedback_c1
    if (!source->has(label))
      return emitOpError() << "contracts '" << label << "', which is no label of its source";
  if (failed(checkLabels(*this, getState(), getU().getType(), "a u"))) // feedback_c2
    return failure();
  ArrayType kept = getW().getType().unionWith(*source); // feedback_c3
  if (!kept)
    return emitOpError() << "has a w that disagrees with its source on the extent of a label";
  return checkLabels(*this, getState(), kept.without(over), "a contraction");
}

LogicalResult InputOp::verify() {
  if (getFactors().empty()) // input_c2
    return emitOpError() << "expected at least one factor";
  for (Value factor : getFactors()) // input_c1
    if (failed(checkLabels(*this, getState(), cast<ArrayType>(factor.getType()), "a factor")))
      return failure();
  return success();
}
