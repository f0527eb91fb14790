// Pointwise ops: operands are aligned by label, the result bears the union of their labels.
#ifndef SSMC_SSM_POINTWISE_OPS_TD
#define SSMC_SSM_POINTWISE_OPS_TD

include "SSMDialect.td"
include "SSMInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// Marks an op that maps each position of its operands to the same position of its result.
def SSM_Pointwise : NativeOpTrait<"Pointwise"> { let cppNamespace = "::ssmc::ssm"; }

class SSM_PointwiseOp<string mnemonic, string element, list<string> partials = [], string transpose = "",
                      list<Trait> traits = []>
    : Op<SSM_Dialect, mnemonic, !listconcat(traits, SSM_PartialMethod<partials>.traits,
          SSM_TransposeMethod<transpose>.traits,
          [Pure, SSM_Pointwise, DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let results = (outs SSM_ArrayType:$result);
  let hasFolder = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext*, ::std::optional<::mlir::Location> location, ::mlir::ValueRange operands,
        ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
        ::llvm::SmallVectorImpl<::mlir::Type>& inferred) {
      return ::ssmc::ssm::inferPointwise(location, operands, ::ssmc::ssm::ElementRule::}] # element # [{,
                                         inferred);
    }
  }] # SSM_PartialMethod<partials>.text # SSM_TransposeMethod<transpose>.text;
}

// `partial`: the derivative of z by x, as a formula over x and z (SSMInterfaces.td).
class SSM_UnaryOp<string mnemonic, string formula, list<string> partial, string element = "Same",
                  string transpose = "">
    : SSM_PointwiseOp<mnemonic, element, partial, transpose> {
  let summary = formula;
  let description = "Pointwise " # formula # ".\n\nExample: `%y = ssm." # mnemonic # " %x : [i: K]`";
  let arguments = (ins SSM_ArrayType:$operand);
  let assemblyFormat = "$operand attr-dict `:` custom<ArrayType>(type($operand))";
}

class SSM_RealUnaryOp<string mnemonic, string formula, list<string> partial, string element = "Ordered">
    : SSM_UnaryOp<mnemonic, formula, partial, element> {
  let description = "Pointwise " # formula # ".\n\nLaw: (" # mnemonic # "_c1) the operand is not complex."
      # "\n\nExample: `%y = ssm." # mnemonic # " %x : [i: K]`";
}

class SSM_BinaryOp<string mnemonic, string formula, list<string> partials, list<Trait> traits = []>
    : SSM_PointwiseOp<mnemonic, "Same", partials, "", traits> {
  let summary = formula;
  let description = "Pointwise " # formula # ". Operands are aligned by label."
      # "\n\nLaw: (" # mnemonic # "_c1) a label that both operands bear has one extent."
      # "\n\nExample: `%z = ssm." # mnemonic # " %x, %y : [i: K], [i: K, j: V]` has labels `i, j`.";
  let arguments = (ins SSM_ArrayType:$lhs, SSM_ArrayType:$rhs);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` custom<ArrayType>(type($lhs)) `,` custom<ArrayType>(type($rhs))
  }];
}

class SSM_OrderOp<string mnemonic, string formula, list<string> partials>
    : SSM_PointwiseOp<mnemonic, "Ordered", partials, "", [Commutative]> {
  let summary = formula;
  let description = "Pointwise " # formula # "; NaN where one of them is NaN."
      # "\n\nLaws: (" # mnemonic # "_c1) a label that both operands bear has one extent; ("
      # mnemonic # "_c2) the operands are not complex."
      # "\n\nExample: `%z = ssm." # mnemonic # " %x, %y : [i: K], [i: K, j: V]` has labels `i, j`.";
  let arguments = (ins SSM_ArrayType:$lhs, SSM_ArrayType:$rhs);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` custom<ArrayType>(type($lhs)) `,` custom<ArrayType>(type($rhs))
  }];
}

//===-- Of two operands: the partial derivatives by x and by y --------------------------------------===//

def AddOp : SSM_BinaryOp<"add", "x + y", ["1.0", "1.0"], [Commutative]>;
def SubOp : SSM_BinaryOp<"sub", "x - y", ["1.0", "-1.0"]>;
def MulOp : SSM_BinaryOp<"mul", "x * y", ["y", "x"], [Commutative]>;
def DivOp : SSM_BinaryOp<"div", "x / y", ["1.0 / y", "-z / y"]>;
// x^0 is 1 for every x, and 0^y is 0 for y > 0: no infinity arises where nothing changes.
def PowOp : SSM_BinaryOp<"pow", "x to the power y",
    ["select(isZero(y), 0.0, y * pow(x, y - 1.0))", "select(isZero(x), 0.0, z * log(x))"]>;
def MaxOp : SSM_OrderOp<"max", "the larger of x and y", ["share(x >= y, x > y)", "share(y >= x, y > x)"]>;
def MinOp : SSM_OrderOp<"min", "the smaller of x and y", ["share(x <= y, x < y)", "share(y <= x, y < x)"]>;

//===-- Of one operand, real or complex -------------------------------------------------------------===//

def NegOp : SSM_UnaryOp<"neg", "-x", ["-1.0"]>;
def ExpOp : SSM_UnaryOp<"exp", "e to the power x", ["z"]>;
def LogOp : SSM_UnaryOp<"log", "the natural logarithm of x", ["1.0 / x"]>;
def SqrtOp : SSM_UnaryOp<"sqrt", "the square root of x", ["0.5 / z"]>;
def RsqrtOp : SSM_UnaryOp<"rsqrt", "1 / sqrt(x)", ["-0.5 * z / x"]>;
def SinOp : SSM_UnaryOp<"sin", "the sine of x", ["cos(x)"]>;
def CosOp : SSM_UnaryOp<"cos", "the cosine of x", ["-sin(x)"]>;
def TanhOp : SSM_UnaryOp<"tanh", "the hyperbolic tangent of x", ["1.0 - z * z"]>;
def SigmoidOp : SSM_UnaryOp<"sigmoid", "1 / (1 + exp(-x))", ["z * (1.0 - z)"]>;
def SoftplusOp : SSM_UnaryOp<"softplus", "log(1 + exp(x)), without overflow", ["sigmoid(x)"]>;
def SiluOp : SSM_UnaryOp<"silu", "x / (1 + exp(-x))", ["sigmoid(x) + z * (1.0 - sigmoid(x))"]>;
// The modulus is no holomorphic function: see the contract of the interface.
def AbsOp : SSM_UnaryOp<"abs", "the modulus of x",
    ["x.isComplex() ? select(z > 0.0, conj(x) / z, 0.0) : sign(x)"], "Real">;

//===-- Of one real operand -------------------------------------------------------------------------===//

def SignOp : SSM_RealUnaryOp<"sign", "-1, 0 or 1 by the sign of x", ["0.0"]>;
def ReluOp : SSM_RealUnaryOp<"relu", "max(x, 0)", ["truth(x > 0.0)"]>;
def CisOp : SSM_RealUnaryOp<"cis", "cos(x) + i sin(x)", ["timesI(z)"], "OfReal">;

//===-- Linear over the reals: the transposes, as formulas over g -----------------------------------===//

def ConjOp : SSM_UnaryOp<"conj", "the complex conjugate of x", [], "Same", "conj(g)">;
def RealOp : SSM_UnaryOp<"real", "the real part of x", [], "Real", "fit(g, x.getType())">;
def ImagOp : SSM_UnaryOp<"imag", "the imaginary part of x", [], "Real",
    "x.isComplex() ? std::optional<Term>(timesI(g)) : none">;

def CmpOp : SSM_PointwiseOp<"cmp", "Bool"> {
  let summary = "comparison of two reals";
  let description = [{
    Pointwise truth of `x lt y`, and alike `le gt ge eq ne`. Comparisons with NaN are false, `ne` is true.
    No derivative passes through a truth value.

    Laws: (cmp_c1) a label that both operands bear has one extent; (cmp_c2) the operands are not
    complex.

    Example: `%c = ssm.cmp lt %x, %y : [i: K], [i: K]`
  }];
  let arguments = (ins SSM_CmpPredicate:$predicate, SSM_ArrayType:$lhs, SSM_ArrayType:$rhs);
  let assemblyFormat = [{
    $predicate $lhs `,` $rhs attr-dict `:` custom<ArrayType>(type($lhs)) `,` custom<ArrayType>(type($rhs))
  }];
}

def SelectOp : SSM_PointwiseOp<"select", "Select", ["0.0", "truth(x)", "1.0 - truth(x)"]> {
  let summary = "one of two values, by a condition";
  let description = [{
    Where `condition` holds the first value, elsewhere the second. The value not taken has no
    influence, whatever it is (a NaN or an infinity too): this is how a state is reset.

    Laws: (select_c1) the condition's element type is `i1`; (select_c2) a label that several operands
    bear has one extent.

    Example: `%z = ssm.select %c, %x, %y : [] i1, [i: K], [i: K]`
  }];
  let arguments = (ins SSM_ArrayType:$condition, SSM_ArrayType:$onTrue, SSM_ArrayType:$onFalse);
  let assemblyFormat = [{
    $condition `,` $onTrue `,` $onFalse attr-dict `:` custom<ArrayType>(type($condition)) `,`
    custom<ArrayType>(type($onTrue)) `,` custom<ArrayType>(type($onFalse))
  }];
  let hasVerifier = 1;
}

def CastOp : Op<SSM_Dialect, "cast", !listconcat([Pure, SSM_Pointwise], SSM_TransposeMethod<"_">.traits)> {
  let summary = "change of element type";
  let description = [{
    Real, integer or truth value to real (true is 1), real to complex, real or integer to truth value
    (nonzero is true).

    Laws: (cast_c1) operand and result have the same labels; (cast_c2) complex casts to complex alone.

    Example: `%y = ssm.cast %x : [i: K] i1 to [i: K]`
  }];
  let arguments = (ins SSM_ArrayType:$operand);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = [{
    $operand attr-dict `:` custom<ArrayType>(type($operand)) `to` custom<ArrayType>(type($result))
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
  // Nothing flows back through truth values and integers.
  let extraClassDefinition = SSM_TransposeMethod<
      "x.isComplex() || x.getType().isReal() ? std::optional<Term>(fit(g, x.getType())) : none">.text;
}

#endif // SSMC_SSM_POINTWISE_OPS_TD
