// Directives of the ops' assembly formats, shared by the files that instantiate them.
#pragma once

#include "dialects/SSM/SSM.h"

namespace ssmc::ssm {

/// `[a, b]`: names without quotes where they are identifiers.
inline void printNameList(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::ArrayAttr names) {
  printer << "[";
  llvm::interleaveComma(strings(names), printer,
                        [&](llvm::StringRef name) { printer.printKeywordOrString(name); });
  printer << "]";
}

inline mlir::ParseResult parseNameList(mlir::OpAsmParser& parser, mlir::ArrayAttr& names) {
  llvm::SmallVector<mlir::Attribute> parsed;
  auto parseOne = [&]() -> mlir::ParseResult {
    std::string name;
    if (parser.parseKeywordOrString(&name))
      return mlir::failure();
    parsed.push_back(mlir::StringAttr::get(parser.getContext(), name));
    return mlir::success();
  };
  if (parser.parseCommaSeparatedList(mlir::AsmParser::Delimiter::Square, parseOne))
    return mlir::failure();
  names = mlir::ArrayAttr::get(parser.getContext(), parsed);
  return mlir::success();
}

/// `(K, V, J = 2)`.
void printDimList(mlir::OpAsmPrinter& printer, mlir::Operation*, mlir::ArrayAttr dims);
mlir::ParseResult parseDimList(mlir::OpAsmParser& parser, mlir::ArrayAttr& dims);

/// `[s: J]`, one axis.
void printAxisList(mlir::OpAsmPrinter& printer, mlir::Operation*, AxisAttr axis);
mlir::ParseResult parseAxisList(mlir::OpAsmParser& parser, AxisAttr& axis);

/// `i: K`.
void printAxis(mlir::AsmPrinter& printer, AxisAttr axis);
mlir::FailureOr<AxisAttr> parseAxis(mlir::AsmParser& parser);

/// `J = 2`.
void printDim(mlir::AsmPrinter& printer, DimAttr dim);
mlir::FailureOr<DimAttr> parseDim(mlir::AsmParser& parser);

/// ` reverse carry(%a = %x : [i: K], …) `, of ops that carry values around their region.
void printCarried(mlir::OpAsmPrinter& printer, mlir::Operation* op, bool reverse,
                  mlir::Block::BlockArgListType arguments, mlir::ValueRange inits);
mlir::ParseResult parseCarried(mlir::OpAsmParser& parser, mlir::OperationState& result,
                               llvm::SmallVectorImpl<mlir::OpAsmParser::Argument>& arguments);

inline void printArrayTypes(mlir::OpAsmPrinter& printer, mlir::Operation* op,
                            mlir::TypeRange types) {
  llvm::interleaveComma(types, printer,
                        [&](mlir::Type type) { printArrayType(printer, op, type); });
}

inline mlir::ParseResult parseArrayTypes(mlir::OpAsmParser& parser,
                                         llvm::SmallVectorImpl<mlir::Type>& types) {
  return parser.parseCommaSeparatedList(
      [&] { return parseArrayType(parser, types.emplace_back()); });
}

inline void printArrayTypeAttr(mlir::OpAsmPrinter& printer, mlir::Operation* op,
                               mlir::TypeAttr type) {
  printArrayType(printer, op, type.getValue());
}

inline mlir::ParseResult parseArrayTypeAttr(mlir::OpAsmParser& parser, mlir::TypeAttr& type) {
  mlir::Type parsed;
  if (parseArrayType(parser, parsed))
    return mlir::failure();
  type = mlir::TypeAttr::get(parsed);
  return mlir::success();
}

} // namespace ssmc::ssm
