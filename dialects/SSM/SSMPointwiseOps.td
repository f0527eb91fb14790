// Pointwise ops: operands are aligned by label, the result bears the union of their labels.
#ifndef SSMC_SSM_POINTWISE_OPS_TD
#define SSMC_SSM_POINTWISE_OPS_TD

include "SSMDialect.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

/// Marks an op that maps each position of its operands to the same position of its result.
def SSM_Pointwise : NativeOpTrait<"Pointwise"> { let cppNamespace = "::ssmc::ssm"; }

class SSM_PointwiseOp<string mnemonic, string element, list<Trait> traits = []>
    : Op<SSM_Dialect, mnemonic, !listconcat(traits, [
          Pure, SSM_Pointwise, DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let results = (outs SSM_ArrayType:$result);
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::inferReturnTypes(
        ::mlir::MLIRContext*, ::std::optional<::mlir::Location> location, ::mlir::ValueRange operands,
        ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
        ::llvm::SmallVectorImpl<::mlir::Type>& inferred) {
      return ::ssmc::ssm::inferPointwise(location, operands, ::ssmc::ssm::ElementRule::}] # element # [{,
                                         inferred);
    }
  }];
}

class SSM_UnaryOp<string mnemonic, string formula, string element = "Same">
    : SSM_PointwiseOp<mnemonic, element> {
  let summary = formula;
  let description = "Pointwise " # formula # ".\n\nExample: `%y = ssm." # mnemonic # " %x : [i: K]`";
  let arguments = (ins SSM_ArrayType:$operand);
  let assemblyFormat = "$operand attr-dict `:` custom<ArrayType>(type($operand))";
}

class SSM_BinaryOp<string mnemonic, string formula, list<Trait> traits = []>
    : SSM_PointwiseOp<mnemonic, "Same", traits> {
  let summary = formula;
  let description = "Pointwise " # formula # ". Operands are aligned by label."
      # "\n\nExample: `%z = ssm." # mnemonic # " %x, %y : [i: K], [i: K, j: V]` has labels `i, j`.";
  let arguments = (ins SSM_ArrayType:$lhs, SSM_ArrayType:$rhs);
  let assemblyFormat = [{
    $lhs `,` $rhs attr-dict `:` custom<ArrayType>(type($lhs)) `,` custom<ArrayType>(type($rhs))
  }];
}

let hasFolder = 1 in {
  def AddOp : SSM_BinaryOp<"add", "x + y", [Commutative]> { let hasCanonicalizer = 1; }
  def SubOp : SSM_BinaryOp<"sub", "x - y"> { let hasCanonicalizer = 1; }
  def MulOp : SSM_BinaryOp<"mul", "x * y", [Commutative]> { let hasCanonicalizer = 1; }
  def DivOp : SSM_BinaryOp<"div", "x / y">;
  def NegOp : SSM_UnaryOp<"neg", "-x">;
  def MaxOp : SSM_BinaryOp<"max", "the larger of x and y", [Commutative]>;
  def MinOp : SSM_BinaryOp<"min", "the smaller of x and y", [Commutative]>;
  def ExpOp : SSM_UnaryOp<"exp", "e to the power x">;
  def LogOp : SSM_UnaryOp<"log", "the natural logarithm of x">;
  def ConjOp : SSM_UnaryOp<"conj", "the complex conjugate of x">;
  def RealOp : SSM_UnaryOp<"real", "the real part of x", "Real">;
  def ImagOp : SSM_UnaryOp<"imag", "the imaginary part of x", "Real">;
}
def PowOp : SSM_BinaryOp<"pow", "x to the power y">;
def SqrtOp : SSM_UnaryOp<"sqrt", "the square root of x">;
def RsqrtOp : SSM_UnaryOp<"rsqrt", "1 / sqrt(x)">;
def AbsOp : SSM_UnaryOp<"abs", "the modulus of x", "Real">;
def SignOp : SSM_UnaryOp<"sign", "-1, 0 or 1 by the sign of x">;
def SinOp : SSM_UnaryOp<"sin", "the sine of x">;
def CosOp : SSM_UnaryOp<"cos", "the cosine of x">;
def TanhOp : SSM_UnaryOp<"tanh", "the hyperbolic tangent of x">;
def SigmoidOp : SSM_UnaryOp<"sigmoid", "1 / (1 + exp(-x))">;
def SoftplusOp : SSM_UnaryOp<"softplus", "log(1 + exp(x)), without overflow">;
def SiluOp : SSM_UnaryOp<"silu", "x / (1 + exp(-x))">;
def ReluOp : SSM_UnaryOp<"relu", "max(x, 0)">;
def CisOp : SSM_UnaryOp<"cis", "cos(x) + i sin(x)", "Complex">;

def CmpOp : SSM_PointwiseOp<"cmp", "Bool"> {
  let summary = "comparison of two reals";
  let description = [{
    Pointwise truth of `x lt y`, and alike `le gt ge eq ne`. Comparisons with NaN are false, `ne` is true.

    Example: `%c = ssm.cmp lt %x, %y : [i: K], [i: K]`
  }];
  let arguments = (ins SSM_CmpPredicate:$predicate, SSM_ArrayType:$lhs, SSM_ArrayType:$rhs);
  let assemblyFormat = [{
    $predicate $lhs `,` $rhs attr-dict `:` custom<ArrayType>(type($lhs)) `,` custom<ArrayType>(type($rhs))
  }];
}

def SelectOp : SSM_PointwiseOp<"select", "Select"> {
  let summary = "one of two values, by a condition";
  let description = [{
    Where `condition` holds the first value, elsewhere the second. The value not taken has no
    influence, whatever it is (a NaN or an infinity too): this is how a state is reset.

    Law: (select_c1) the condition's element type is `i1`.

    Example: `%z = ssm.select %c, %x, %y : [] i1, [i: K], [i: K]`
  }];
  let arguments = (ins SSM_ArrayType:$condition, SSM_ArrayType:$onTrue, SSM_ArrayType:$onFalse);
  let assemblyFormat = [{
    $condition `,` $onTrue `,` $onFalse attr-dict `:` custom<ArrayType>(type($condition)) `,`
    custom<ArrayType>(type($onTrue)) `,` custom<ArrayType>(type($onFalse))
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def CastOp : Op<SSM_Dialect, "cast", [Pure, SSM_Pointwise]> {
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
}

#endif // SSMC_SSM_POINTWISE_OPS_TD
