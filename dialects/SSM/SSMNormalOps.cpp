// Verification of systems and their terms, and the assembly directives that only lists need.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMAssembly.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace ssmc::ssm;

//===-- Assembly directives -------------------------------------------------------------------------===//

void ssmc::ssm::printDimList(OpAsmPrinter& printer, Operation*, ArrayAttr dims) {
  printer << "(";
  llvm::interleaveComma(dims.getAsRange<DimAttr>(), printer, [&](DimAttr dim) {
    printer.printKeywordOrString(dim.getName().getValue());
    if (dim.getSize() >= 0)
      printer << " = " << dim.getSize();
  });
  printer << ")";
}

ParseResult ssmc::ssm::parseDimList(OpAsmParser& parser, ArrayAttr& dims) {
  SmallVector<Attribute> parsed;
  auto parseOne = [&]() -> ParseResult {
    std::string name;
    int64_t size = -1;
    if (parser.parseKeywordOrString(&name))
      return failure();
    if (succeeded(parser.parseOptionalEqual()) && parser.parseInteger(size))
      return failure();
    parsed.push_back(
        DimAttr::get(parser.getContext(), StringAttr::get(parser.getContext(), name), size));
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

void ssmc::ssm::printRenaming(OpAsmPrinter& printer, Operation* op, ArrayAttr from, ArrayAttr to) {
  if (!from || from.empty())
    return;
  printer << " relabel ";
  printNameList(printer, op, from);
  printer << " to ";
  printNameList(printer, op, to);
}

ParseResult ssmc::ssm::parseRenaming(OpAsmParser& parser, ArrayAttr& from, ArrayAttr& to) {
  from = to = ArrayAttr::get(parser.getContext(), {});
  if (failed(parser.parseOptionalKeyword("relabel")))
    return success();
  if (parseNameList(parser, from) || parser.parseKeyword("to") || parseNameList(parser, to))
    return failure();
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

//===-- Systems and terms ---------------------------------------------------------------------------===//

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
  return success();
}

/// The type of the state that a term adds to, less nothing; with the stage's own label added, since
/// the operands of a stage with micro-steps bear it.
static FailureOr<ArrayType> targetType(Operation* term, StringRef name) {
  auto stage = cast<StageOp>(term->getParentOp());
  auto system = cast<SystemOp>(stage->getParentOp());
  Value value = system.getNew(name);
  if (!value)
    return term->emitOpError() << "names '" << name << "', which is no state of its system";
  auto type = cast<ArrayType>(value.getType());
  return stage.getAxis() ? type.withAxis(*stage.getAxis()) : type;
}

static LogicalResult checkLabels(Operation* term, StringRef state, ValueRange operands) {
  FailureOr<ArrayType> target = targetType(term, state);
  if (failed(target))
    return failure();
  for (Value operand : operands)
    if (operand && !cast<ArrayType>(operand.getType()).isSubsetOf(*target))
      return term->emitOpError() << "has an operand of type " << operand.getType()
                                 << " with labels that state '" << state << "' lacks";
  return success();
}

LogicalResult DecayOp::verify() { // decay_c1
  if (failed(targetType(*this, getSource())))
    return failure();
  return checkLabels(*this, getState(), getOperands());
}

LogicalResult FeedbackOp::verify() {
  FailureOr<ArrayType> source = targetType(*this, getSource());
  if (failed(source))
    return failure();
  SmallVector<StringRef> from = strings(getFrom()), to = strings(getTo());
  for (StringRef label : strings(getOver())) // feedback_c1
    if (!source->has(label) && !llvm::is_contained(to, label))
      return emitOpError() << "contracts '" << label << "', which is no label of its source";
  return checkLabels(*this, getState(), {getU()}); // feedback_c2
}

LogicalResult InputOp::verify() { return checkLabels(*this, getState(), getFactors()); } // input_c1
