// Labelled axes and array types: algebra, parsing and printing.
#include "dialects/SSM/SSM.h"
#include "dialects/SSM/SSMAssembly.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace ssmc::ssm;

//===-- Axes ---------------------------------------------------------------------------------===//

int64_t AxisAttr::getSize() const {
  if (auto size = dyn_cast<IntegerAttr>(getExtent()))
    return size.getInt();
  return -1;
}

LogicalResult AxisAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringAttr label,
                               Attribute extent) { // axis_c1
  auto size = dyn_cast<IntegerAttr>(extent);
  if (isa<StringAttr>(extent) || (size && size.getType().isInteger(64) && size.getInt() >= 0))
    return success();
  return emitError() << "expected the extent of " << label
                     << " to be a dim or a size of at least 0";
}

/// The rest of an axis whose label was read: [`:` (dim-name | integer)].
static FailureOr<AxisAttr> parseAxisAfter(AsmParser& parser, StringRef label) {
  MLIRContext* context = parser.getContext();
  if (failed(parser.parseOptionalColon()))
    return AxisAttr::get(context, StringAttr::get(context, label), StringAttr::get(context, label));
  int64_t size;
  SMLoc place = parser.getCurrentLocation();
  OptionalParseResult integer = parser.parseOptionalInteger(size);
  if (integer.has_value()) {
    if (failed(*integer))
      return failure();
    if (size < 0) // axis_c1
      return parser.emitError(place, "expected an extent of at least 0");
    return AxisAttr::get(context, StringAttr::get(context, label),
                         IntegerAttr::get(IntegerType::get(context, 64), size));
  }
  std::string dim;
  if (parser.parseKeywordOrString(&dim))
    return failure();
  return AxisAttr::get(context, StringAttr::get(context, label), StringAttr::get(context, dim));
}

/// axis ::= label [`:` (dim-name | integer)]; a label alone runs over the dim of that name.
FailureOr<AxisAttr> ssmc::ssm::parseAxis(AsmParser& parser) {
  std::string label;
  if (parser.parseKeywordOrString(&label))
    return failure();
  return parseAxisAfter(parser, label);
}

void ssmc::ssm::printAxis(AsmPrinter& printer, AxisAttr axis) {
  printer.printKeywordOrString(axis.getName());
  auto dim = dyn_cast<StringAttr>(axis.getExtent());
  if (dim && dim == axis.getLabel())
    return;
  printer << ": ";
  if (dim)
    printer.printKeywordOrString(dim.getValue());
  else
    printer << axis.getSize();
}

Attribute AxisAttr::parse(AsmParser& parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<AxisAttr> axis = parseAxis(parser);
  if (failed(axis) || parser.parseGreater())
    return {};
  return *axis;
}

void AxisAttr::print(AsmPrinter& printer) const {
  printer << "<";
  printAxis(printer, *this);
  printer << ">";
}

/// dim ::= name [`=` integer]
FailureOr<DimAttr> ssmc::ssm::parseDim(AsmParser& parser) {
  std::string name;
  int64_t size = -1;
  if (parser.parseKeywordOrString(&name))
    return failure();
  if (succeeded(parser.parseOptionalEqual())) {
    SMLoc place = parser.getCurrentLocation();
    if (parser.parseInteger(size))
      return failure();
    if (size < 0) // dim_c1
      return parser.emitError(place, "expected a size of at least 0");
  }
  return DimAttr::get(parser.getContext(), StringAttr::get(parser.getContext(), name), size);
}

void ssmc::ssm::printDim(AsmPrinter& printer, DimAttr dim) {
  printer.printKeywordOrString(dim.getName().getValue());
  if (dim.getSize() >= 0)
    printer << " = " << dim.getSize();
}

Attribute DimAttr::parse(AsmParser& parser, Type) {
  if (parser.parseLess())
    return {};
  FailureOr<DimAttr> dim = parseDim(parser);
  if (failed(dim) || parser.parseGreater())
    return {};
  return *dim;
}

void DimAttr::print(AsmPrinter& printer) const {
  printer << "<";
  printDim(printer, *this);
  printer << ">";
}

//===-- Arrays -------------------------------------------------------------------------------===//

LogicalResult ArrayType::verify(function_ref<InFlightDiagnostic()> emitError,
                                ArrayRef<AxisAttr> axes, Type element) {
  for (auto [a, b] : llvm::zip(axes, axes.drop_front(axes.empty() ? 0 : 1))) // array_c1
    if (a.getName() == b.getName())
      return emitError() << "label '" << a.getName() << "' occurs twice";
  auto complexType = dyn_cast<ComplexType>(element); // array_c2
  if (element.isF32() || element.isInteger(1) || element.isInteger(32) ||
      (complexType && complexType.getElementType().isF32()))
    return success();
  return emitError() << "expected element type f32, complex<f32>, i1 or i32, found " << element;
}

/// The type with its axes in order, or an error at the place of `emitError`.
static ArrayType getSorted(function_ref<InFlightDiagnostic()> emitError,
                           SmallVector<AxisAttr>& axes, Type element) {
  llvm::sort(axes, [](AxisAttr a, AxisAttr b) { return a.getName() < b.getName(); });
  if (failed(ArrayType::verify(emitError, axes, element)))
    return {};
  return ArrayType::get(element.getContext(), axes, element);
}

AxisAttr ArrayType::find(StringRef label) const {
  for (AxisAttr axis : getAxes())
    if (axis.getName() == label)
      return axis;
  return {};
}

bool ArrayType::isSubsetOf(ArrayType other) const {
  return llvm::all_of(getAxes(), [&](AxisAttr axis) { return other.find(axis.getName()) == axis; });
}

ArrayType ArrayType::without(ArrayRef<StringRef> labels) const {
  SmallVector<AxisAttr> kept;
  for (AxisAttr axis : getAxes())
    if (!llvm::is_contained(labels, axis.getName()))
      kept.push_back(axis);
  return get(getContext(), kept, getElementType());
}

ArrayType ArrayType::withAxis(AxisAttr axis) const {
  SmallVector<AxisAttr> axes(getAxes());
  axes.push_back(axis);
  return get(getContext(), axes, getElementType());
}

ArrayType ArrayType::withElementType(Type type) const {
  return get(getContext(), getAxes(), type);
}

ArrayType ArrayType::unionWith(ArrayType other) const {
  SmallVector<AxisAttr> axes(getAxes());
  for (AxisAttr axis : other.getAxes()) {
    AxisAttr mine = find(axis.getName());
    if (mine && mine != axis)
      return {};
    if (!mine)
      axes.push_back(axis);
  }
  return get(getContext(), axes, getElementType());
}

int64_t ArrayType::getNumElements() const {
  int64_t count = 1;
  for (AxisAttr axis : getAxes()) {
    if (!axis.isBound())
      return -1;
    count *= axis.getSize();
  }
  return count;
}

/// array ::= `<` { axis `,` } element `>`. A word is a label where `:` or `,` follows it, so that
/// an index may be called `i1` or `f32`.
Type ArrayType::parse(AsmParser& parser) {
  if (parser.parseLess())
    return {};
  MLIRContext* context = parser.getContext();
  SmallVector<AxisAttr> axes;
  Type element;
  SMLoc place = parser.getCurrentLocation();
  while (true) {
    SMLoc wordPlace = parser.getCurrentLocation();
    std::string word;
    if (parser.parseKeywordOrString(&word))
      return {};
    FailureOr<AxisAttr> axis = parseAxisAfter(parser, word);
    if (failed(axis))
      return {};
    if (succeeded(parser.parseOptionalComma())) {
      axes.push_back(*axis);
      continue;
    }
    element = llvm::StringSwitch<Type>(word)
                  .Case("f32", Float32Type::get(context))
                  .Case("i1", IntegerType::get(context, 1))
                  .Case("i32", IntegerType::get(context, 32))
                  .Default({});
    if (word == "complex") {
      if (parser.parseLess() || parser.parseType(element) || parser.parseGreater())
        return {};
      element = ComplexType::get(element);
    }
    if (!element || axis->getExtent() != axis->getLabel()) { // array_c2
      parser.emitError(wordPlace, "expected an element type: f32, complex<f32>, i1 or i32");
      return {};
    }
    break;
  }
  if (parser.parseGreater())
    return {};
  return getSorted([&] { return parser.emitError(place); }, axes, element);
}

void ArrayType::print(AsmPrinter& printer) const {
  printer << "<";
  for (AxisAttr axis : getAxes()) {
    printAxis(printer, axis);
    printer << ", ";
  }
  printer << getElementType() << ">";
}

void ssmc::ssm::printArrayType(OpAsmPrinter& printer, Operation*, Type type) {
  auto array = cast<ArrayType>(type);
  printer << "[";
  llvm::interleaveComma(array.getAxes(), printer, [&](AxisAttr axis) { printAxis(printer, axis); });
  printer << "]";
  if (!array.isReal())
    printer << " " << array.getElementType();
}

ParseResult ssmc::ssm::parseArrayType(OpAsmParser& parser, Type& type) {
  SmallVector<AxisAttr> axes;
  SMLoc place = parser.getCurrentLocation();
  auto parseOne = [&]() -> ParseResult {
    FailureOr<AxisAttr> axis = parseAxis(parser);
    if (failed(axis))
      return failure();
    axes.push_back(*axis);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne))
    return failure();
  Type element = Float32Type::get(parser.getContext());
  OptionalParseResult written = parser.parseOptionalType(element);
  if (written.has_value() && failed(*written))
    return failure();
  type = getSorted([&] { return parser.emitError(place); }, axes, element);
  return success(bool(type));
}

LogicalResult ssmc::ssm::inferPointwise(std::optional<Location> location, ValueRange operands,
                                        ElementRule rule, SmallVectorImpl<Type>& inferred) {
  ArrayType type = cast<ArrayType>(operands.front().getType());
  MLIRContext* context = type.getContext();
  Type real = Float32Type::get(context), complex = ComplexType::get(real);
  bool anyComplex = false, allBool = true;
  bool refused =
      llvm::is_contained({ElementRule::Ordered, ElementRule::OfReal, ElementRule::Bool}, rule);
  for (auto [index, operand] : llvm::enumerate(operands)) {
    auto other = cast<ArrayType>(operand.getType());
    type = type.unionWith(other);
    if (!type)
      return emitOptionalError(location, "operands disagree on the extent of a label: ",
                               operands.front().getType(), " and ", other);
    if (rule == ElementRule::Select && index == 0)
      continue;
    anyComplex |= other.isComplex();
    allBool &= other.isBool();
    if (other.isComplex() && refused)
      return emitOptionalError(location, "operand of type ", other,
                               " is complex; the op is defined for reals");
  }
  Type element = real;
  switch (rule) {
  case ElementRule::Same:
    element = anyComplex ? complex : real;
    break;
  case ElementRule::Select:
    element = anyComplex ? complex : allBool ? IntegerType::get(context, 1) : real;
    break;
  case ElementRule::Real:
  case ElementRule::Ordered:
    break;
  case ElementRule::OfReal:
    element = complex;
    break;
  case ElementRule::Bool:
    element = IntegerType::get(context, 1);
    break;
  }
  inferred.push_back(type.withElementType(element));
  return success();
}
