// A block of steps at once: the chunk, and the ops over the label of its steps.
#ifndef SSMC_SSM_CHUNK_OPS_TD
#define SSMC_SSM_CHUNK_OPS_TD

include "SSMDialect.td"
include "SSMInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def ChunkOp : Op<SSM_Dialect, "chunk", [SingleBlock, NoTerminator, NoRegionArguments, HasParent<"RecurrenceOp">]> {
  let summary = "one run over the steps of a derived form, a block of steps at a time";
  let description = [{
    The body computes all steps of a block at once; they bear the label of `axis`. `ssm.steps` reads an
    operand at the steps of the block, `ssm.prev` a state as it was before the block, `ssm.update`
    defines it as it is after, and the values of `ssm.out` bear the label in addition to those listed. A
    temporary without the label has one value a block. With `reverse` blocks run from the last to the
    first; inside a block positions ascend with time in either case.
    The last block may hold fewer steps: every op of the body runs over the steps that exist, so
    that a sum over the label, `ssm.last` and `ssm.scan` see those alone, and no body mentions this.

    Laws: (chunk_c1) the recurrence has one time axis; (chunk_c2) the chunk has at least 1 step, a number.

    Example, a decayed sum, 64 steps at a time:
    ```mlir
    ssm.recurrence @decayed_sum time [t] dims(D) form "scan" {
      %x = ssm.in "x" [i] : [i: D]
      %a = ssm.in "a" [] : []
      ssm.state "h" [i] : [i: D]
      ssm.chunk over [t: 64] {
        %xt = ssm.steps %x over [t: 64] : [i: D]
        %at = ssm.steps %a over [t: 64] : []
        %h0 = ssm.prev "h" by [1] : [i: D]
        %h = ssm.scan plus_times %at, %xt from %h0 along "t" : [t: 64], [i: D, t: 64], [i: D]
        %h1 = ssm.last %h "t" : [i: D, t: 64]
        ssm.update "h", %h1 : [i: D]
        ssm.out "o" [i], %h : [i: D, t: 64]
      }
    }
    ```
  }];
  let arguments = (ins SSM_AxisAttr:$axis, UnitAttr:$reverse);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "`over` custom<AxisList>($axis) (`reverse` $reverse^)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    ::llvm::StringRef getLabel() { return getAxis().getName(); }
  }];
}

class SSM_StepsOp<string mnemonic, list<Trait> traits = []>
    : Op<SSM_Dialect, mnemonic, !listconcat(traits, [Pure, DeclareOpInterfaceMethods<InferTypeOpInterface>])>;

def StepsOp : SSM_StepsOp<"steps", [HasParent<"ChunkOp">]> {
  let summary = "an operand at the steps of the chunk";
  let description = [{
    Law: (steps_c1) the operand is an `ssm.in` that is no param.

    Example: `%kt = ssm.steps %k over [t: 64] : [i: K]` has labels `i, t`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, SSM_AxisAttr:$axis);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = "$operand `over` custom<AxisList>($axis) attr-dict `:` custom<ArrayType>(type($operand))";
  let hasVerifier = 1;
}

def PositionOp : SSM_StepsOp<"position"> {
  let summary = "the number of each position along a label, as a real";
  let description = [{
    0 at the first position. Comparisons of positions are how masks and unit matrices are written.

    Example: `%p = ssm.position over [t: 64]`
  }];
  let arguments = (ins SSM_AxisAttr:$axis);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = "`over` custom<AxisList>($axis) attr-dict";
}

// Ops along one label of their first operand.
class SSM_AlongOp<string mnemonic, list<Trait> traits = []> : SSM_StepsOp<mnemonic, traits> {
  let results = (outs SSM_ArrayType:$result);
}

def LastOp : SSM_AlongOp<"last"> {
  let summary = "an array at the last step that exists";
  let description = [{
    With `reverse` at the first one: the last where steps are taken from the end.

    Law: (last_c1) the label is one of the operand's.

    Example: `%e = ssm.last %x "t" : [i: K, t: 64]` has label `i`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrAttr:$label, UnitAttr:$reverse);
  let assemblyFormat = "$operand $label (`reverse` $reverse^)? attr-dict `:` custom<ArrayType>(type($operand))";
  let builders = [OpBuilder<(ins "::mlir::Value":$operand, "::mlir::StringAttr":$label), [{
    build($_builder, $_state, operand, label, ::mlir::UnitAttr());
  }]>];
}

def ShiftOp : SSM_AlongOp<"shift"> {
  let summary = "an array one step earlier";
  let description = [{
    At the first position `first`, else the operand at the position before. With `reverse` one step
    later: at the last step that exists `first`.

    Laws: (shift_c1) the label is one of the operand's; (shift_c2) `first` has the operand's other labels.

    Example: `%p = ssm.shift %x, %x0 along "t" : [i: K, t: 64], [i: K]`
  }];
  let arguments = (ins SSM_ArrayType:$operand, SSM_ArrayType:$first, StrAttr:$label, UnitAttr:$reverse);
  let assemblyFormat = [{
    $operand `,` $first `along` $label (`reverse` $reverse^)? attr-dict `:`
    custom<ArrayType>(type($operand)) `,` custom<ArrayType>(type($first))
  }];
}

def ScanOp : SSM_AlongOp<"scan"> {
  let summary = "a first-order linear recurrence along a label";
  let description = [{
    h_t = decay_t * h_(t-1) + input_t, with h before the first step given by `initial`; in the semiring
    max_plus h_t = max(decay_t + h_(t-1), input_t). The result bears the labels of all three operands.
    The pairs (decay, input) form a monoid, so that any grouping of the steps computes it:
    (a, b) then (a', b') is (a' a, a' b + b'), with identity (1, 0) (Blelloch, 1990).
    With `reverse` from the last step that exists to the first.

    Laws: (scan_c1) decay or input bears the label, `initial` does not; (scan_c2) a label that several
    operands bear has one extent; (scan_c3) max_plus takes reals.

    Example: `%h = ssm.scan plus_times %a, %b from %h0 along "t" : [t: 64], [i: D, t: 64], [i: D]`
  }];
  let arguments = (ins SSM_Semiring:$semiring, SSM_ArrayType:$decay, SSM_ArrayType:$input,
                       SSM_ArrayType:$initial, StrAttr:$label, UnitAttr:$reverse);
  let assemblyFormat = [{
    $semiring $decay `,` $input `from` $initial `along` $label (`reverse` $reverse^)? attr-dict `:`
    custom<ArrayType>(type($decay)) `,` custom<ArrayType>(type($input)) `,` custom<ArrayType>(type($initial))
  }];
}

def MatrixScanOp : Op<SSM_Dialect, "matrix_scan", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "a first-order linear recurrence of vectors along a label";
  let description = [{
    h_b[t] = inputs_b[t] + sum over c and over `columns` of matrices_(b,c)[t] h_c[t-1], for n arrays h_b with n n
    matrices, row by row, and h before the first step given by `initial`. `columns` are the names that the labels `rows`
    of h_c have in the matrices; all other labels stand for recurrences side by side, each with its own matrix
    where the matrix bears them. A matrix without the label of `axis` is the same at every step, one that
    is the constant 0 is no term. With `reverse` from the last step that exists to the first.

    The pairs (matrix, input) form a monoid, so that any grouping of the steps computes it: (A, b) then (A', b') is
    (A' A, A' b + b'), with identity (I, 0). From I and without inputs it gives the products of matrices up to
    each step, as `ssm.cumprod` does for decays.

    Laws: (matrix_scan_c1) n initial values, n inputs, n * n matrices, n results; (matrix_scan_c2) as many columns as
    rows, each label once; (matrix_scan_c3) initial values bear neither columns nor the label of the axis, and have
    one element type, complex where any operand is; (matrix_scan_c4) the labels of inputs are those of the result, those
    of matrices in addition the columns of what they are multiplied with; (matrix_scan_c5) a label that several operands
    bear has one extent.

    Example: `%h = ssm.matrix_scan (%A : [i: K, l: K, t: 64]) (%b : [i: K, t: 64]) from (%h0 : [i: K]) over [t: 64] rows [i] columns [l]`
  }];
  let arguments = (ins Variadic<SSM_ArrayType>:$matrices, Variadic<SSM_ArrayType>:$inputs,
                       Variadic<SSM_ArrayType>:$initial, SSM_AxisAttr:$axis, StrArrayAttr:$rows,
                       StrArrayAttr:$columns, UnitAttr:$reverse);
  let results = (outs Variadic<SSM_ArrayType>:$results);
  let assemblyFormat = [{
    `(` $matrices `:` custom<ArrayTypes>(type($matrices)) `)` `(` $inputs `:` custom<ArrayTypes>(type($inputs)) `)`
    `from` `(` $initial `:` custom<ArrayTypes>(type($initial)) `)` `over` custom<AxisList>($axis)
    `rows` custom<NameList>($rows) `columns` custom<NameList>($columns) (`reverse` $reverse^)? attr-dict
  }];
  let extraClassDeclaration = [{
    ::llvm::StringRef getLabel() { return getAxis().getName(); }
    /// The matrix from h_c to h_b, null where it is no term.
    ::mlir::Value getMatrix(size_t b, size_t c);
    /// Labels of a value as rows under their names as columns, or back.
    ::mlir::Value asColumns(::mlir::OpBuilder& builder, ::mlir::Value value);
    /// A matrix with rows and columns exchanged.
    ::mlir::Value transpose(::mlir::OpBuilder& builder, ::mlir::Value matrix);
  }];
}

def CumprodOp : SSM_AlongOp<"cumprod"> {
  let summary = "products of all positions up to each one";
  let description = [{
    The product of the operand over the positions up to this one, itself included unless `exclusive`;
    with `reverse` over this position and all later steps that exist. The decay of a state from the
    start of a chunk (or to its end) is such a product. Products never overflow where decays do not
    exceed 1, and take zeros and signs as they come.

    Law: (cumprod_c1) the label is one of the operand's.

    Example: `%D = ssm.cumprod %d along "t" exclusive : [i: K, t: 64]`
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrAttr:$label, UnitAttr:$exclusive, UnitAttr:$reverse);
  let assemblyFormat = [{
    $operand `along` $label (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict `:`
    custom<ArrayType>(type($operand))
  }];
}

def SpanOp : SSM_AlongOp<"span"> {
  let summary = "the decay from each step to each later one";
  let description = [{
    span[t, s] is the product of decay_l over s < l <= t, where s <= t, else 0: what is left at step t
    of what entered at step s. With `strict` over s < l < t, where s < t, else 0: what is left before
    step t. The 1-semiseparable matrix of Mamba-2 (Dao and Gu, 2024).

    Laws: (span_c1) `rows` is a label of the operand; (span_c2) `columns` is none.

    Example: `%E = ssm.span %d rows "t" columns "s" : [t: 64]` has labels `s, t`.
  }];
  let arguments = (ins SSM_ArrayType:$decay, StrAttr:$rows, StrAttr:$columns, UnitAttr:$strict);
  let assemblyFormat = [{
    $decay `rows` $rows `columns` $columns (`strict` $strict^)? attr-dict `:` custom<ArrayType>(type($decay))
  }];
}

def GramOp : SSM_AlongOp<"gram"> {
  let summary = "the decayed product of two arrays of vectors";
  let description = [{
    gram[t, s] = sum over `over` of a_t b_s span(decay)[t, s]: how the key b of step s is met by the query a
    of step t through the decay between them, under the causal mask of `ssm.span`. Where the decay
    has no label that is summed it is `sum(a b) * span(decay)`; where it has, no split of the decay
    into a factor of each side is stable over many steps, and a lowering must take blocks of steps
    (Yang et al., gated linear attention, 2024).

    Laws: (gram_c1) all operands bear `rows`, none `columns`; (gram_c2) the labels of `over` are borne
    by both a and b; (gram_c3) a label that several operands bear has one extent.

    Example: `%A = ssm.gram %q, %k decay %d over [i] rows "t" columns "s" : [i: K, t: 64], [i: K, t: 64], [t: 64]`
  }];
  let arguments = (ins SSM_ArrayType:$a, SSM_ArrayType:$b, SSM_ArrayType:$decay, StrArrayAttr:$over,
                       StrAttr:$rows, StrAttr:$columns, UnitAttr:$strict);
  let assemblyFormat = [{
    $a `,` $b `decay` $decay `over` custom<NameList>($over) `rows` $rows `columns` $columns
    (`strict` $strict^)? attr-dict `:` custom<ArrayType>(type($a)) `,` custom<ArrayType>(type($b)) `,`
    custom<ArrayType>(type($decay))
  }];
}

def ApplyOp : SSM_AlongOp<"apply"> {
  let summary = "a matrix over steps times an array of vectors, through the decay between the steps";
  let description = [{
    apply[t] = sum over s of matrix[t, s] b_s span(decay)[t, s]; with `transpose` the result at step s,
    sum over t of matrix[t, s] b_t span(decay)[t, s]. Together with `ssm.gram` it is closed under
    differentiation: with g the cotangent of gram(a, b), a gets apply(g, b) and b gets
    apply(g, a) transposed; the logarithm of the decay of step l gets the sum over t >= l of a_t . da_t
    less that over s >= l of b_s . db_s (t > l in the first with `strict`).

    Laws: (apply_c1) the matrix bears `rows` and `columns`, the other operands `rows` and not
    `columns`; (apply_c2) a label that several operands bear has one extent.

    Example: `%y = ssm.apply %A, %k decay %d rows "t" columns "s" : [s: 64, t: 64], [i: K, t: 64], [i: K, t: 64]`
  }];
  let arguments = (ins SSM_ArrayType:$matrix, SSM_ArrayType:$b, SSM_ArrayType:$decay, StrAttr:$rows,
                       StrAttr:$columns, UnitAttr:$strict, UnitAttr:$transpose);
  let assemblyFormat = [{
    $matrix `,` $b `decay` $decay `rows` $rows `columns` $columns (`strict` $strict^)? (`transpose` $transpose^)?
    attr-dict `:` custom<ArrayType>(type($matrix)) `,` custom<ArrayType>(type($b)) `,`
    custom<ArrayType>(type($decay))
  }];
}

def SolveOp : Op<SSM_Dialect, "solve", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<InferTypeOpInterface>]> {
  let summary = "solves a unit lower triangular system over the steps of a chunk";
  let description = [{
    p_r[t] = right_r[t] + sum over s < t and over q of lower_(r,q)[t, s] p_q[s]: the feedback of all steps of a
    chunk at once. There are n right sides and n n matrices, row by row; what the matrices hold on
    and above the diagonal is not read. With `reverse` the sum is over s > t, and what they hold below
    is not read: the transposed system.

    Laws: (solve_c1) n right sides, n results and n * n matrices; (solve_c2) right sides bear `rows`
    and not `columns`, matrices both; (solve_c3) a label that several operands bear has one extent.

    Example: `%p = ssm.solve (%r : [j: V, t: 64]) lower(%L : [s: 64, t: 64]) rows "t" columns "s"`
  }];
  let arguments = (ins Variadic<SSM_ArrayType>:$right, Variadic<SSM_ArrayType>:$lower, StrAttr:$rows,
                       StrAttr:$columns, UnitAttr:$reverse);
  let results = (outs Variadic<SSM_ArrayType>:$results);
  let assemblyFormat = [{
    `(` $right `:` custom<ArrayTypes>(type($right)) `)` `lower` `(` $lower `:` custom<ArrayTypes>(type($lower)) `)`
    `rows` $rows `columns` $columns (`reverse` $reverse^)? attr-dict
  }];
}

// Two labels as one, and back. Each is the other's inverse and its transpose.
class SSM_FlatOp<string mnemonic, string transpose>
    : SSM_StepsOp<mnemonic, SSM_TransposeMethod<transpose>.traits> {
  let results = (outs SSM_ArrayType:$result);
  let hasFolder = 1;
  let hasVerifier = 1;
  let extraClassDefinition = SSM_TransposeMethod<transpose>.text;
}

def FlattenOp : SSM_FlatOp<"flatten", "flattenBack(*this, g, x)"> {
  let summary = "two labels as one";
  let description = [{
    Position [o, i] of the labels `outer` and `inner` becomes position o J + i of the new label, J the
    extent of `inner`: the micro-steps inside each step, in the order in which they are taken. The new label
    reaches as far as the steps that exist do.

    Laws: (flatten_c1) `outer` and `inner` are two labels of the operand; (flatten_c2) the extent of the new
    label is the product of theirs; (flatten_c3) no other label of the operand has its name.

    Example: `%u = ssm.flatten %k "t" "s" to [u: 128] : [i: K, s: 2, t: 64]` has labels `i, u`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrAttr:$outer, StrAttr:$inner, SSM_AxisAttr:$axis);
  let assemblyFormat = [{
    $operand $outer $inner `to` custom<AxisList>($axis) attr-dict `:` custom<ArrayType>(type($operand))
  }];
}

def UnflattenOp : SSM_FlatOp<"unflatten", "unflattenBack(*this, g, x)"> {
  let summary = "one label as two";
  let description = [{
    Position o J + i of the label becomes position [o, i] of the labels `outer` and `inner`, J the extent of
    `inner`: the inverse of `ssm.flatten`.

    Laws: (unflatten_c1) the label is one of the operand's; (unflatten_c2) its extent is the product of
    theirs; (unflatten_c3) no other label of the operand has one of their names, which differ.

    Example: `%x = ssm.unflatten %u "u" to [t: 64] by [s: 2] : [i: K, u: 128]` has labels `i, s, t`.
  }];
  let arguments = (ins SSM_ArrayType:$operand, StrAttr:$label, SSM_AxisAttr:$outer, SSM_AxisAttr:$inner);
  let assemblyFormat = [{
    $operand $label `to` custom<AxisList>($outer) `by` custom<AxisList>($inner) attr-dict `:`
    custom<ArrayType>(type($operand))
  }];
}

#endif // SSMC_SSM_CHUNK_OPS_TD
