// What derivatives need to know of an op, told by the op.
#ifndef SSMC_SSM_INTERFACES_TD
#define SSMC_SSM_INTERFACES_TD

include "mlir/IR/OpBase.td"

def SSM_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::ssmc::ssm";
  let description = [{
    An op that says the partial derivative of its result by each operand, as labelled algebra. The
    rules are data: formulas beside the ops in TableGen, over x and y (the operands) and z (the
    result), from which the builders are generated; see SSMFormula.h for what a formula may hold.

    The contract, with p the partial derivative by an operand x: a change dx of the operand changes
    the result by the sum of p * dx over the labels that the result lacks, the real part of it where
    the result is real. Conversely a cotangent g of the result (for a real loss, dL = Re(conj(g) dz))
    contributes the sum of conj(p) * g over the labels that x lacks to the cotangent of x, the real
    part of it where x is real. `pullBack` in SSMFormula.h computes that.

    Where a function has a kink the partial derivative is a subgradient: 0 for `relu`, `abs` and
    `sign`; `max`, `min` and `maximum` share equally among the operands that tie.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the partial derivative of the result by operand number `operand`, at the builder's
      place, which the operands and the result dominate. Null where it is zero everywhere.
    }], "::mlir::Value", "partial", (ins "::mlir::OpBuilder&":$builder, "unsigned":$operand)>,
  ];
}

def SSM_LinearOpInterface : OpInterface<"LinearOpInterface"> {
  let cppNamespace = "::ssmc::ssm";
  let description = [{
    An op that is linear (over the reals) in its one operand and says its transpose. The rules stand
    beside the ops in TableGen, as formulas over g, the cotangent of the result, and x, the operand.
  }];
  let methods = [
    InterfaceMethod<[{
      Builds the cotangent of the operand from the cotangent of the result, which has the result's
      type. A null value is zero.
    }], "::mlir::Value", "transpose",
        (ins "::mlir::OpBuilder&":$builder, "::mlir::Value":$cotangent)>,
    InterfaceMethod<[{
      The label along which the reverse of the enclosing fold stacks what `transpose` gives; empty
      but for `ssm.at`, whose operand gets one part of its cotangent at each position.
    }], "::llvm::StringRef", "getStackedLabel", (ins), "", "return {};">,
  ];
}

// The method that a rule becomes. A formula may be a Term, a number (0.0: no derivative) or `none`.
class SSM_PartialMethod<list<string> partials> {
  string text = !if(!empty(partials), "", [{
    ::mlir::Value $cppClass::partial(::mlir::OpBuilder& builder, unsigned operand) {
      using namespace ::ssmc::ssm::formula;
      [[maybe_unused]] Term z(builder, getLoc(), getResult()), x = z.of((*this)->getOperand(0)),
          y = z.of((*this)->getOperands().back());
  }] # !interleave(!foreach(rule, partials, "  if (operand-- == 0) return finish(z, " # rule # ");"), "\n") # [{
      return {};
    }
  }]);
  list<Trait> traits = !if(!empty(partials), []<Trait>,
                           [DeclareOpInterfaceMethods<SSM_DifferentiableOpInterface>]);
}

class SSM_TransposeMethod<string rule> {
  string text = !if(!empty(rule), "", [{
    ::mlir::Value $cppClass::transpose(::mlir::OpBuilder& builder, ::mlir::Value cotangent) {
      using namespace ::ssmc::ssm::formula;
      [[maybe_unused]] Term g(builder, getLoc(), cotangent), x = g.of(getOperand());
      return finish(g, }] # rule # [{);
    }
  }]);
  list<Trait> traits = !if(!empty(rule), []<Trait>, [DeclareOpInterfaceMethods<SSM_LinearOpInterface>]);
}

#endif // SSMC_SSM_INTERFACES_TD
