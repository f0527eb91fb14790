/// The `ssm` dialect: labelled arrays, recurrences and their normal form.
///
/// A value is an array whose axes bear labels; see SSMDialect.td for the algebra and
/// docs/dialects/SSM.md for every op with its laws.
#pragma once

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/RegionKindInterface.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialects/SSM/SSMDialect.h.inc"
#include "dialects/SSM/SSMEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/SSM/SSMAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/SSM/SSMInterfaces.h.inc"
#include "dialects/SSM/SSMTypes.h.inc"

namespace ssmc::ssm {

/// Marks ops that map each position of their operands to the same position of the result.
template <typename Op> class Pointwise : public mlir::OpTrait::TraitBase<Op, Pointwise> {};

/// How a pointwise op's element type follows from its operands'.
enum class ElementRule {
  Same,    ///< complex if an operand is, else real
  Real,    ///< always real
  Ordered, ///< always real, and the operands are not complex
  OfReal,  ///< always complex, and the operands are not
  Bool,    ///< a truth value, and the operands are not complex
  Select,  ///< as Same, over the second and third operand
};

/// Infers the type of a pointwise op: the union of the operands' labels, the element by `rule`.
/// Fails, with a message where there is a location, if one label has two extents.
llvm::LogicalResult inferPointwise(std::optional<mlir::Location> location,
                                   mlir::ValueRange operands, ElementRule rule,
                                   llvm::SmallVectorImpl<mlir::Type>& inferred);

/// The strings of an array attribute of strings.
llvm::SmallVector<llvm::StringRef> strings(mlir::ArrayAttr names);

class StateOp;
class YieldOp;

// Directives of the assembly format: `[i: K, j: V]` and an element type unless it is f32.
void printArrayType(mlir::OpAsmPrinter& printer, mlir::Operation* op, mlir::Type type);
mlir::ParseResult parseArrayType(mlir::OpAsmParser& parser, mlir::Type& type);

} // namespace ssmc::ssm

#define GET_OP_CLASSES
#include "dialects/SSM/SSMOps.h.inc"

namespace ssmc::ssm {

inline ArrayType typeOf(mlir::Value value) {
  return llvm::cast<ArrayType>(value.getType());
}

/// The values that an op reads from where it stands: its operands, and what its regions capture.
llvm::SmallVector<mlir::Value> inputsOf(mlir::Operation* op);

} // namespace ssmc::ssm
