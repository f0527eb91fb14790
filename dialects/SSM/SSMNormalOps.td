// The normal form: systems, and the terms that make up their transition.
#ifndef SSMC_SSM_NORMAL_OPS_TD
#define SSMC_SSM_NORMAL_OPS_TD

include "SSMDialect.td"
include "mlir/IR/OpAsmInterface.td"

def SystemOp : Op<SSM_Dialect, "system", [SingleBlock, NoTerminator, NoRegionArguments,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a strongly connected set of states in normal form";
  let description = [{
    Defines its states at this step as a map that is linear in their earlier values (in the semiring
    `max_plus`: a maximum of sums). The region holds stages in order; the first reads the states'
    earlier values, each later one what the stage before it made. Results: the new states, in the
    order of `states`. Earlier values are read by `ssm.prev`, outside.

    Laws: (system_c1) as many results as states; (system_c2) the region holds stages only, at least
    one; (system_c3) no state is named twice.

    Example, the delta rule with a scalar decay:
    ```mlir
    %S = ssm.system plus_times [S] {
      ssm.stage {
        ssm.decay "S" from "S" by [1] log(%g : [])
        ssm.feedback "S" from "S" by [1] over [i] (%u, %w : [i: K], [i: K])
        ssm.input "S" (%k, %bv : [i: K], [j: V])
      }
    } : [i: K, j: V]
    ```
  }];
  let arguments = (ins SSM_Semiring:$semiring, StrArrayAttr:$states);
  let results = (outs Variadic<SSM_ArrayType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $semiring custom<NameList>($states) attr-dict-with-keyword $body `:` custom<ArrayTypes>(type($results))
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    /// The result that is the new value of a state.
    ::mlir::Value getNew(::llvm::StringRef state);
  }];
}

def StageOp : Op<SSM_Dialect, "stage", [SingleBlock, NoTerminator, NoRegionArguments, HasParent<"SystemOp">]> {
  let summary = "one linear map of a system";
  let description = [{
    The new value of each state is the sum of the terms that name it. With `over [s: J]` the stage is
    applied J times, its operands taken at s = 0, 1, … (the steps of a `fold`): micro-steps inside one
    token. Stages after the first read by offset 0.

    Laws: (stage_c1) a stage holds terms only; (stage_c2) the terms of a stage after the first read by
    offset 0.

    Example: `ssm.stage over [s: J] { … }`
  }];
  let arguments = (ins OptionalAttr<SSM_AxisAttr>:$axis);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`over` custom<AxisList>($axis)^)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
  }];
}

def DecayOp : Op<SSM_Dialect, "decay", [AttrSizedOperandSegments, HasParent<"StageOp">]> {
  let summary = "an elementwise term";
  let description = [{
    state += exp(log + i phase) * factor * source. The logarithm of a decay is kept whenever the
    declaration has `exp`; the sign is in `factor`, the angle of a complex decay in `phase`. Where
    `zero` holds the term is 0 whatever the source is (a reset). No operand at all means 1. In the
    semiring `max_plus` the term is `log + source`, and -inf where `zero` holds.
    `relabel [i] to [j]` renames the source's labels first.

    Laws: (decay_c1) the operands' labels are among the state's; (decay_c2) the term names states of
    its system; (decay_c3) so are the labels of the renamed source.

    Example: `ssm.decay "S" from "S" by [1] log(%g : [i: K])`
  }];
  let arguments = (ins StrAttr:$state, StrAttr:$source, DenseI64ArrayAttr:$by,
                       DefaultValuedAttr<StrArrayAttr, "{}">:$from, DefaultValuedAttr<StrArrayAttr, "{}">:$to,
                       Optional<SSM_ArrayType>:$log, Optional<SSM_ArrayType>:$phase,
                       Optional<SSM_ArrayType>:$factor, Optional<SSM_ArrayType>:$zero);
  let assemblyFormat = [{
    $state `from` $source `by` $by (`relabel` custom<NameList>($from)^ `to` custom<NameList>($to))?
    (`log` `(` $log^ `:` custom<ArrayType>(type($log)) `)`)?
    (`phase` `(` $phase^ `:` custom<ArrayType>(type($phase)) `)`)?
    (`factor` `(` $factor^ `:` custom<ArrayType>(type($factor)) `)`)?
    (`zero` `(` $zero^ `:` custom<ArrayType>(type($zero)) `)`)? attr-dict
  }];
  let hasVerifier = 1;
}

def FeedbackOp : Op<SSM_Dialect, "feedback", [HasParent<"StageOp">]> {
  let summary = "a term that contracts the source";
  let description = [{
    state += u * sum over `over` (w * source). The labels of `u` are the state's, those of `w` the
    source's; after `relabel [i] to [l]` the source's label i is called l, so that a `w` with labels
    i and l is a dense transition.

    Laws: (feedback_c1) `over` names labels of the renamed source; (feedback_c2) the labels of `u` are
    among the state's; (feedback_c3) so are the labels of `w` and of the renamed source that are not
    contracted.

    Example: `ssm.feedback "S" from "S" by [1] over [i] (%u, %w : [i: K], [i: K])`
  }];
  let arguments = (ins StrAttr:$state, StrAttr:$source, DenseI64ArrayAttr:$by,
                       DefaultValuedAttr<StrArrayAttr, "{}">:$from, DefaultValuedAttr<StrArrayAttr, "{}">:$to,
                       StrArrayAttr:$over, SSM_ArrayType:$u, SSM_ArrayType:$w);
  let assemblyFormat = [{
    $state `from` $source `by` $by (`relabel` custom<NameList>($from)^ `to` custom<NameList>($to))?
    `over` custom<NameList>($over) ` ` `(` $u `,` $w `:` custom<ArrayType>(type($u)) `,` custom<ArrayType>(type($w)) `)` attr-dict
  }];
  let hasVerifier = 1;
}

def InputOp : Op<SSM_Dialect, "input", [HasParent<"StageOp">]> {
  let summary = "a term without the state";
  let description = [{
    state += the product of the factors, an outer product where their labels differ.

    Laws: (input_c1) the factors' labels are among the state's; (input_c2) there is a factor.

    Example: `ssm.input "S" (%k, %v : [i: K], [j: V])`
  }];
  let arguments = (ins StrAttr:$state, Variadic<SSM_ArrayType>:$factors);
  let assemblyFormat = "$state ` ` `(` $factors `:` custom<ArrayTypes>(type($factors)) `)` attr-dict";
  let hasVerifier = 1;
}

#endif // SSMC_SSM_NORMAL_OPS_TD
