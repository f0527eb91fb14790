// The recurrence, its declarations, and the ops that change labels.
#ifndef SSMC_SSM_STRUCTURE_OPS_TD
#define SSMC_SSM_STRUCTURE_OPS_TD

include "SSMDialect.td"
include "SSMInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def RecurrenceOp : Op<SSM_Dialect, "recurrence",
    [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator, NoRegionArguments]> {
  let summary = "one declared recurrence: a step, or what was derived from it";
  let description = [{
    The body computes one time step. `ssm.prev` reads a state at an earlier (or, for anti-causal
    systems, a later) step, `ssm.update` or `ssm.system` defines its value at this step. The same op
    holds the step, the normal form (states defined by `ssm.system`) and, in `ssm.pass` ops, a form.

    Laws: (recurrence_c1) every state is defined exactly once; (recurrence_c2) names of operands are
    unique within a pass, and so are names of outputs, and names of states; (recurrence_c3) every `ssm.prev`,
    `ssm.update` and term of a system names a declared state and agrees with its labels;
    (recurrence_c4) a symbolic extent is a declared dim; (recurrence_c5) `by` has one offset a time axis;
    (recurrence_c6) there is a time axis, and no time axis and no dim is declared twice.

    Example, a decayed sum:
    ```mlir
    ssm.recurrence @leaky time [t] dims(D) {
      %x = ssm.in "x" [i] : [i: D]
      %a = ssm.in "a" [] param : []
      ssm.state "h" [i] : [i: D]
      %h_prev = ssm.prev "h" by [1] : [i: D]
      %d = ssm.mul %a, %h_prev : [], [i: D]
      %h = ssm.add %d, %x : [i: D], [i: D]
      ssm.update "h", %h : [i: D]
      ssm.out "o" [i], %h : [i: D]
    }
    ```

    Its normal form, in which the labels are canonical: each index is named after its dim, and `[D]`
    is an axis with label D over dim D.
    ```mlir
    ssm.recurrence @leaky time [t] dims(D) {
      %x = ssm.in "x" [D] : [D]
      %a = ssm.in "a" [] param : []
      ssm.state "h" [D] : [D]
      %h = ssm.system plus_times [h] {
        ssm.stage {
          ssm.decay "h" from "h" by [1] factor(%a : [])
          ssm.input "h" (%x : [D])
        }
      } : [D]
      ssm.out "o" [D], %h : [D]
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$time,
                       TypedArrayAttrBase<SSM_DimAttr, "dims">:$dims,
                       OptionalAttr<StrAttr>:$form);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `time` custom<NameList>($time) `dims` `` custom<DimList>($dims) (`form` $form^)?
    attr-dict-with-keyword $body
  }];
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    unsigned getNumTimeAxes() { return getTime().size(); }
    /// The declaration of a state by its name, or null.
    StateOp getState(::llvm::StringRef name);
    bool declaresDim(::mlir::StringAttr name);
    /// The size of a dim, -1 where it is not bound or not declared.
    int64_t getDimSize(::llvm::StringRef name);
  }];
}

def InOp : Op<SSM_Dialect, "in", [Pure,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "an operand of the recurrence";
  let description = [{
    An input (one value per step) or, with `param`, a constant in time. `[j, i]` is the order of the
    labels in memory. Scope: per `head` (default), per `group` of heads, or `shared` by all heads.

    Laws: (in_c1) the listed labels are the result's labels.

    Example: `%B = ssm.in "B" [n] scope(group) : [n: N]`, `%A = ssm.in "A" [] param : []`
  }];
  let arguments = (ins StrAttr:$name, StrArrayAttr:$order, UnitAttr:$param,
                       DefaultValuedAttr<SSM_Scope, "::ssmc::ssm::Scope::Head">:$scope);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = [{
    $name custom<NameList>($order) (`param` $param^)? (`scope` `(` $scope^ `)`)? attr-dict `:`
    custom<ArrayType>(type($result))
  }];
  let hasVerifier = 1;
}

def ConstantOp : Op<SSM_Dialect, "constant", [Pure, ConstantLike]> {
  let summary = "a real number, without labels";
  let description = [{ Example: `%c = ssm.constant 0.5`, `%m = ssm.constant 0xFFF0000000000000` (−inf). }];
  let arguments = (ins F64Attr:$value);
  let results = (outs SSM_ArrayType:$result);
  let hasCustomAssemblyFormat = 1;
  let hasFolder = 1;
  let builders = [OpBuilder<(ins "double":$value)>];
}

def StateOp : Op<SSM_Dialect, "state", []> {
  let summary = "declares a state";
  let description = [{
    The order of the labels is the order in memory. Before the first step a state has the value
    supplied by the caller, else `init`, else zero. `hidden` states are delay registers that the
    declaration implies (`prev(x)` of an input); they travel with the others in the decode cache.

    Laws: (state_c1) the listed labels are the type's labels; (state_c2) the labels of `init` are
    labels of the state; (state_c3) `init` depends on constants and params alone.

    Example: `ssm.state "S" [i, j] : [i: K, j: V]`, `ssm.state "m" [] init(%c : []) : []`
  }];
  let arguments = (ins StrAttr:$name, StrArrayAttr:$order, TypeAttrOf<SSM_ArrayType>:$type, UnitAttr:$hidden,
                       Optional<SSM_ArrayType>:$init);
  let assemblyFormat = [{
    $name custom<NameList>($order) (`hidden` $hidden^)? (`init` `(` $init^ `:` custom<ArrayType>(type($init)) `)`)?
    attr-dict `:` custom<ArrayTypeAttr>($type)
  }];
  let hasVerifier = 1;
}

def PrevOp : Op<SSM_Dialect, "prev", [Pure,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "a state at another step";
  let description = [{
    The state's value `by` steps earlier, one offset for each time axis; a negative offset is a later
    step. Two equal reads in one step are the same value.

    Laws: (prev_c1) at least one offset is nonzero.

    Example: `%p = ssm.prev "S" by [1] : [i: K, j: V]`
  }];
  let arguments = (ins StrAttr:$state, DenseI64ArrayAttr:$by);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = "$state `by` $by attr-dict `:` custom<ArrayType>(type($result))";
  let hasVerifier = 1;
}

def UpdateOp : Op<SSM_Dialect, "update", []> {
  let summary = "defines a state at this step";
  let description = [{
    The new value of a state; recurrence_c1 and recurrence_c3 are its laws.

    Example: `ssm.update "S", %S : [i: K, j: V]`
  }];
  let arguments = (ins StrAttr:$state, SSM_ArrayType:$value);
  let assemblyFormat = "$state `,` $value attr-dict `:` custom<ArrayType>(type($value))";
}

def OutOp : Op<SSM_Dialect, "out", []> {
  let summary = "an output of the recurrence, or a value handed to a later pass";
  let description = [{
    Law: (out_c1) the listed labels are the value's labels (in an `ssm.chunk` but for that of its steps).

    Example: `ssm.out "o" [j], %o : [j: V]`
  }];
  let arguments = (ins StrAttr:$name, StrArrayAttr:$order, UnitAttr:$temp, SSM_ArrayType:$value);
  let assemblyFormat = [{
    $name custom<NameList>($order) (`temp` $temp^)? `,` $value attr-dict `:` custom<ArrayType>(type($value))
  }];
  let hasVerifier = 1;
}

class SSM_ReductionOp<string mnemonic, string what, string elements, list<string> partials, string transpose>
    : Op<SSM_Dialect, mnemonic, !listconcat(SSM_PartialMethod<partials>.traits,
          SSM_TransposeMethod<transpose>.traits, [Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let summary = what # " over labels";
  let description = "Removes the named labels by taking the " # what # " over them, in ascending order."
      # "\n\nLaws: (" # mnemonic # "_c1) every label reduced over is one of the operand's, named once; ("
      # mnemonic # "_c2) the operand's elements are " # elements # "."
      # "\n\nExample: `%e = ssm." # mnemonic # " %x over [i] : [i: K, j: V]` has label `j`.";
  let arguments = (ins SSM_ArrayType:$operand, StrArrayAttr:$over);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = "$operand `over` custom<NameList>($over) attr-dict `:` custom<ArrayType>(type($operand))";
  let hasFolder = 1;
  let hasVerifier = 1;
  let extraClassDefinition = SSM_PartialMethod<partials>.text # SSM_TransposeMethod<transpose>.text;
}
def SumOp : SSM_ReductionOp<"sum", "sum", "real or complex", [], "fit(g, x.getType())">;
def MaximumOp : SSM_ReductionOp<"maximum", "maximum", "real", ["shareOver(x == z, getOver())"], "">;

def RelabelOp : Op<SSM_Dialect, "relabel", !listconcat(SSM_TransposeMethod<"_">.traits,
    [Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>])> {
  let summary = "renames labels";
  let description = [{
    Renames `from[n]` to `to[n]`, all at once. Two labels that end with the same name become one: the
    diagonal.

    Laws: (relabel_c1) as many old names as new, the old ones distinct labels of the operand;
    (relabel_c2) labels that become one have one extent.

    Example: `%m = ssm.relabel %M [i] to [l] : [i: K, j: V]` has labels `j, l`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrArrayAttr:$from, StrArrayAttr:$to);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = [{
    $operand custom<NameList>($from) `to` custom<NameList>($to) attr-dict `:` custom<ArrayType>(type($operand))
  }];
  let hasFolder = 1;
  let extraClassDefinition = SSM_TransposeMethod<"relabelBack(g, x, getFrom(), getTo())">.text;
}

def BroadcastOp : Op<SSM_Dialect, "broadcast", !listconcat(SSM_TransposeMethod<"_">.traits, [Pure])> {
  let summary = "adds labels";
  let description = [{
    Repeats the operand along labels that it lacks.

    Law: (broadcast_c1) the operand's labels are among the result's; the element type stays.

    Example: `%y = ssm.broadcast %x : [j: V] to [i: K, j: V]`
  }];
  let arguments = (ins SSM_ArrayType:$operand);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = [{
    $operand attr-dict `:` custom<ArrayType>(type($operand)) `to` custom<ArrayType>(type($result))
  }];
  let hasFolder = 1;
  let hasVerifier = 1;
  let extraClassDefinition = SSM_TransposeMethod<"fit(g, x.getType())">.text;
}

def FoldOp : Op<SSM_Dialect, "fold", [SingleBlock]> {
  let summary = "a sequential loop over a label";
  let description = [{
    Runs the region once for each position of `axis`, in ascending order (descending with `reverse`).
    The region's arguments are the carried values; it yields their next values and then any number of
    values to be stacked. Results: the last carried values, then the stacked values with the label of
    the axis added. Inside, `ssm.at %x, "s"` is the part of an array at the current position.

    Laws: (fold_c1) arguments, initial values and yielded carried values agree in number and type;
    (fold_c2) no carried value bears the fold's label; (fold_c3) no stacked value does.

    Example:
    ```mlir
    %r = ssm.fold over [s: J] carry(%m = %x : [i: K]) {
      %ks = ssm.at %k "s" : [i: K, s: J]
      %n = ssm.add %m, %ks : [i: K], [i: K]
      ssm.yield %n : [i: K]
    }
    ```
  }];
  let arguments = (ins SSM_AxisAttr:$axis, UnitAttr:$reverse, Variadic<SSM_ArrayType>:$inits);
  let results = (outs Variadic<SSM_ArrayType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    unsigned getNumCarried() { return getInits().size(); }
    YieldOp getYield();
  }];
}

def AtOp : Op<SSM_Dialect, "at", [Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>,
    DeclareOpInterfaceMethods<SSM_LinearOpInterface, ["getStackedLabel"]>]> {
  let summary = "the part of an array at the current position of an enclosing fold";
  let description = [{
    Laws: (at_c1) the label is one of the operand's; (at_c2) an enclosing fold runs over that label.

    Example: `%ks = ssm.at %k "s" : [i: K, s: J]` has label `i`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrAttr:$label);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = "$operand $label attr-dict `:` custom<ArrayType>(type($operand))";
  let hasVerifier = 1;
  // One part of the operand's cotangent; the reversed fold stacks the parts along the label.
  let extraClassDefinition = SSM_TransposeMethod<"g">.text # [{
    ::llvm::StringRef $cppClass::getStackedLabel() { return getLabel(); }
  }];
}

def YieldOp : Op<SSM_Dialect, "yield", [Pure, Terminator, HasParent<"FoldOp">]> {
  let summary = "ends a fold's region";
  let description = [{ Example: `ssm.yield %n : [i: K]` }];
  let arguments = (ins Variadic<SSM_ArrayType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` custom<ArrayTypes>(type($values)))?";
}

def PassOp : Op<SSM_Dialect, "pass", [SingleBlock, NoTerminator, NoRegionArguments, HasParent<"RecurrenceOp">]> {
  let summary = "one run over the steps of a derived form";
  let description = [{
    The recurrent form of a recurrence is a list of passes, each a step to be run over all times in
    order, along the axes listed after `reverse` from the last step to the first. A value that a later
    pass needs is written by `ssm.out … temp` and read by an `ssm.in` of the same name.

    Law: (pass_c1) `reverse` lists numbers of time axes, each once.

    Example: `ssm.pass reverse [0] { … }`
  }];
  let arguments = (ins OptionalAttr<DenseI64ArrayAttr>:$reverse);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "(`reverse` $reverse^)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
  }];
}

#endif // SSMC_SSM_STRUCTURE_OPS_TD
