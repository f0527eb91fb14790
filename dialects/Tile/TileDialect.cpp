#include "dialects/SSM/SSMAssembly.h"
#include "dialects/Tile/Tile.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace ssmc;
using namespace ssmc::tile;

#include "dialects/Tile/TileDialect.cpp.inc"
#include "dialects/Tile/TileEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Tile/TileAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Tile/TileOps.cpp.inc"
      >();
}

/// operand ::= `<` name role `[` axes `]` storage scope `>`
Attribute OperandAttr::parse(AsmParser& parser, Type) {
  std::string name;
  StringRef roleName, scopeName;
  SmallVector<ssm::AxisAttr> axes;
  Type storage;
  if (parser.parseLess() || parser.parseString(&name) || parser.parseKeyword(&roleName))
    return {};
  auto parseOne = [&]() -> ParseResult {
    FailureOr<ssm::AxisAttr> axis = ssm::parseAxis(parser);
    if (failed(axis))
      return failure();
    axes.push_back(*axis);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, parseOne) ||
      parser.parseType(storage) || parser.parseKeyword(&scopeName) || parser.parseGreater())
    return {};
  std::optional<Role> role = symbolizeRole(roleName);
  std::optional<ssm::Scope> scope = ssm::symbolizeScope(scopeName);
  if (!role || !scope) {
    parser.emitError(parser.getNameLoc(), "expected a role and a scope");
    return {};
  }
  return OperandAttr::get(parser.getContext(), StringAttr::get(parser.getContext(), name), *role,
                          axes, storage, *scope);
}

void OperandAttr::print(AsmPrinter& printer) const {
  printer << "<";
  printer.printString(getName().getValue());
  printer << " " << stringifyRole(getRole()) << " [";
  llvm::interleaveComma(getAxes(), printer,
                        [&](ssm::AxisAttr axis) { ssm::printAxis(printer, axis); });
  printer << "] " << getStorage() << " " << stringifyScope(getScope()) << ">";
}
