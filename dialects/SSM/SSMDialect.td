// The `ssm` dialect: labelled arrays and the recurrences declared over them.
#ifndef SSMC_SSM_DIALECT_TD
#define SSMC_SSM_DIALECT_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def SSM_Dialect : Dialect {
  let name = "ssm";
  let cppNamespace = "::ssmc::ssm";
  let summary = "labelled arrays and linear recurrences";
  let description = [{
    A value of this dialect is an array whose axes bear labels instead of positions. Pointwise ops
    align their operands by label and take the union of the labels; `ssm.sum` removes a label;
    `ssm.relabel` renames one. The step of a recurrence, its normal form and the programs derived from
    it are all written in this one algebra, so that one set of rewrite rules serves all of them.

    Example, the step of gated linear attention:

    ```mlir
    ssm.recurrence @gla time [t] dims(K, V) {
      %q = ssm.in "q" [i] : [i: K]
      %k = ssm.in "k" [i] : [i: K]
      %v = ssm.in "v" [j] : [j: V]
      %g = ssm.in "g" [i] : [i: K]
      ssm.state "S" [i, j] : [i: K, j: V]
      %p = ssm.prev "S" by [1] : [i: K, j: V]
      %a = ssm.exp %g : [i: K]
      %d = ssm.mul %a, %p : [i: K], [i: K, j: V]
      %b = ssm.mul %k, %v : [i: K], [j: V]
      %S = ssm.add %d, %b : [i: K, j: V], [i: K, j: V]
      ssm.update "S", %S : [i: K, j: V]
      %r = ssm.mul %q, %S : [i: K], [i: K, j: V]
      %o = ssm.sum %r over [i] : [i: K, j: V]
      ssm.out "o" [j], %o : [j: V]
    }
    ```
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasCanonicalizer = 1;
}

//===-- Attributes ----------------------------------------------------------------------------------===//

def SSM_AxisAttr : AttrDef<SSM_Dialect, "Axis"> {
  let mnemonic = "axis";
  let summary = "one labelled axis of an array";
  let description = [{
    A label and its extent. The extent is a string (the name of a `dim` that is not bound yet) or a
    64-bit integer. An axis whose label is the dim's name is written as that name alone.

    Law: (axis_c1) an extent is a name or a size that is not negative.

    Example: `#ssm.axis<i: K>`, `#ssm.axis<i: 128>`, `#ssm.axis<K>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$label, "::mlir::Attribute":$extent);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The bound size, or -1 while the extent is still a dim's name.
    int64_t getSize() const;
    bool isBound() const { return getSize() >= 0; }
    ::llvm::StringRef getName() const { return getLabel().getValue(); }
  }];
}

def SSM_DimAttr : AttrDef<SSM_Dialect, "Dim"> {
  let mnemonic = "dim";
  let summary = "a declared dim and its size, if bound";
  let description = [{
    Size -1 means "bound when compiling".

    Law: (dim_c1) a size that is written is not negative.

    Example: `#ssm.dim<K>`, `#ssm.dim<J = 2>`.
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "int64_t":$size);
  let hasCustomAssemblyFormat = 1;
}

def SSM_Scope : I32EnumAttr<"Scope", "who shares an operand",
    [I32EnumAttrCase<"Head", 0, "head">, I32EnumAttrCase<"Group", 1, "group">,
     I32EnumAttrCase<"Shared", 2, "shared">]> {
  let cppNamespace = "::ssmc::ssm";
}

def SSM_Semiring : I32EnumAttr<"Semiring", "what plus and times mean in a system",
    [I32EnumAttrCase<"PlusTimes", 0, "plus_times">, I32EnumAttrCase<"MaxPlus", 1, "max_plus">]> {
  let cppNamespace = "::ssmc::ssm";
}

def SSM_CmpPredicate : I32EnumAttr<"CmpPredicate", "comparison of two reals",
    [I32EnumAttrCase<"lt", 0>, I32EnumAttrCase<"le", 1>, I32EnumAttrCase<"gt", 2>,
     I32EnumAttrCase<"ge", 3>, I32EnumAttrCase<"eq", 4>, I32EnumAttrCase<"ne", 5>]> {
  let cppNamespace = "::ssmc::ssm";
}

//===-- Types ---------------------------------------------------------------------------------------===//

def SSM_ArrayType : TypeDef<SSM_Dialect, "Array"> {
  let mnemonic = "array";
  let summary = "an array with labelled axes";
  let description = [{
    A set of labelled axes and an element type. The axes are kept sorted by label, so that two types
    are equal exactly when they have the same labels over the same extents; the order in which an
    operand lies in memory is told by the op that reads or writes it.

    Element types: `f32` (a real), `complex<f32>`, `i1` (a truth value), `i32` (an integer).

    Laws: (array_c1) no label occurs twice; (array_c2) the element type is one of the four.

    Ops print the short form `[i: K, j: V]` for reals and `[i: K] complex<f32>` for the rest.

    Example: `!ssm.array<i: K, j: 64, f32>`, a scalar is `!ssm.array<f32>`.
  }];
  let parameters = (ins ArrayRefParameter<"::ssmc::ssm::AxisAttr">:$axes, "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let skipDefaultBuilders = 1;
  let builders = [TypeBuilder<(ins "::llvm::ArrayRef<AxisAttr>":$axes, "::mlir::Type":$elementType), [{
    ::llvm::SmallVector<AxisAttr> sorted(axes);
    ::llvm::sort(sorted, [](AxisAttr a, AxisAttr b) { return a.getName() < b.getName(); });
    return $_get($_ctxt, sorted, elementType);
  }]>];
  let extraClassDeclaration = [{
    unsigned getRank() const { return getAxes().size(); }
    bool isScalar() const { return getAxes().empty(); }
    bool isComplex() const { return ::mlir::isa<::mlir::ComplexType>(getElementType()); }
    bool isReal() const { return ::mlir::isa<::mlir::FloatType>(getElementType()); }
    bool isBool() const { return getElementType().isInteger(1); }
    /// The axis that bears the label, or null.
    AxisAttr find(::llvm::StringRef label) const;
    bool has(::llvm::StringRef label) const { return bool(find(label)); }
    /// Whether every label of this type is one of `other`.
    bool isSubsetOf(ArrayType other) const;
    /// This type less the named labels.
    ArrayType without(::llvm::ArrayRef<::llvm::StringRef> labels) const;
    ArrayType withAxis(AxisAttr axis) const;
    ArrayType withElementType(::mlir::Type type) const;
    /// The union of the labels; null where one label has two extents. Element type of this type.
    ArrayType unionWith(ArrayType other) const;
    /// Number of elements; -1 while an extent is not bound.
    int64_t getNumElements() const;
  }];
}

#endif // SSMC_SSM_DIALECT_TD
