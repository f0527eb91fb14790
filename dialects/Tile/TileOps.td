// The `tile` dialect: kernels over static tiles of labelled arrays.
#ifndef SSMC_TILE_OPS_TD
#define SSMC_TILE_OPS_TD

include "dialects/SSM/SSMDialect.td"
include "dialects/Tile/TileEnums.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tile_Dialect : Dialect {
  let name = "tile";
  let cppNamespace = "::ssmc::tile";
  let summary = "kernels over static tiles";
  let description = [{
    What a schedule makes of a form: kernels that load, compute and store tiles. A tile is a labelled
    array of the `ssm` dialect with bound extents and value semantics; the pointwise ops, the
    reductions and `ssm.fold` of that dialect compute on it. This dialect adds what touches memory
    and what walks over the steps. Where a tile lives (registers, shared memory, cache, stack) is the
    target's choice.

    Example, gated linear attention, 16 tokens a tile; the gate's exponential does not read the state
    and is taken for all tokens of the tile at once:

    ```mlir
    tile.kernel @gla operands [
        #tile.operand<"q" in [i: 64] bf16 head>, #tile.operand<"k" in [i: 64] bf16 head>,
        #tile.operand<"v" in [j: 64] bf16 head>, #tile.operand<"g" in [i: 64] f32 head>,
        #tile.operand<"S" state_in [i: 64, j: 64] f32 head>,
        #tile.operand<"S" state_out [i: 64, j: 64] f32 head>,
        #tile.operand<"o" out [j: 64] bf16 head>] {
      %S0 = tile.load "S" : [i: 64, j: 64]
      %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 64, j: 64]) {
        %q = tile.load "q" : [i: 64, t: 16]
        %k = tile.load "k" : [i: 64, t: 16]
        %v = tile.load "v" : [j: 64, t: 16]
        %g = tile.load "g" : [i: 64, t: 16]
        %a = ssm.exp %g : [i: 64, t: 16]
        %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: 64, j: 64]) {
          %at = ssm.at %a "t" : [i: 64, t: 16]
          %kt = ssm.at %k "t" : [i: 64, t: 16]
          %vt = ssm.at %v "t" : [j: 64, t: 16]
          %qt = ssm.at %q "t" : [i: 64, t: 16]
          %d = ssm.mul %at, %P : [i: 64], [i: 64, j: 64]
          %b = ssm.mul %kt, %vt : [i: 64], [j: 64]
          %Sn = ssm.add %d, %b : [i: 64, j: 64], [i: 64, j: 64]
          %m = ssm.mul %qt, %Sn : [i: 64], [i: 64, j: 64]
          %o = ssm.sum %m over [i] : [i: 64, j: 64]
          ssm.yield %Sn, %o : [i: 64, j: 64], [j: 64]
        }
        tile.store "o", %r#1 : [j: 64, t: 16]
        tile.yield %r#0 : [i: 64, j: 64]
      }
      tile.store "S", %S1 : [i: 64, j: 64]
    }
    ```
  }];
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::ssmc::ssm::SSMDialect"];
}

def Tile_OperandAttr : AttrDef<Tile_Dialect, "Operand"> {
  let mnemonic = "operand";
  let summary = "an operand of a kernel";
  let description = [{
    Name, role, axes in memory order (the last one is contiguous), stored element type, and who shares
    it: each `head`, each `group` of heads, or all (`shared`).

    - `in`, `out`, `temp`: one array per batch entry, time step and head: `[B, T, H, axes…]`; packed
      sequences share one batch entry, which no body of a kernel knows of. A `temp`
      is written by one pass and read by another.
    - `chunk_temp`: as `temp`, with one array per tile of steps instead of one per step.
    - `param`: `[H, axes…]`. - `state_in`, `state_out`: `[B, H, axes…]`, the pointer may be null.
    - `row`: no argument of the kernel but a buffer of its own in the workspace, one array per
      position of the innermost time axis, kept for the last rows of the outer one.

    A complex operand is stored interleaved. Truth values are stored as bytes.

    Example: `#tile.operand<"k" in [i: 128] bf16 head>`
  }];
  let parameters = (ins "::mlir::StringAttr":$name, "::ssmc::tile::Role":$role,
                        ArrayRefParameter<"::ssmc::ssm::AxisAttr">:$axes, "::mlir::Type":$storage,
                        "::ssmc::ssm::Scope":$scope);
  let hasCustomAssemblyFormat = 1;
}

def KernelOp : Op<Tile_Dialect, "kernel", [Symbol, IsolatedFromAbove, SingleBlock, NoTerminator,
                                           NoRegionArguments]> {
  let summary = "the work of one item: one sequence and one head";
  let description = [{
    Items are independent of one another; item number n * H + h is sequence n, head h. See
    include/ssmc/Target/KernelABI.h for the function that a CPU kernel becomes.

    With `factor_type` a target may round the factors of a contraction to that type, where it multiplies such
    numbers faster than f32; their products are still added in f32.

    With `columns` positions of that label never meet: all carried values bear it, and of what bears it every op is
    pointwise, adds or renames another label, or sums one other label of a product with an array that does not bear
    it. A target may take each position alone, from the first tile to the last; it may also not.

    Laws: (kernel_c1) no two operands have the same name and role; (kernel_c2) every extent is bound;
    (kernel_c3) the axes of an operand bear different labels; (kernel_c4) `columns` is borne by all values that
    sequences carry; (kernel_c5) nothing reduces or renames `columns`.

    Example, the sum of two operands at each step:
    ```mlir
    tile.kernel @add operands [#tile.operand<"x" in [i: 8] f32 head>,
                               #tile.operand<"y" in [i: 8] bf16 head>,
                               #tile.operand<"o" out [i: 8] f32 head>] {
      tile.sequence over [t: 16] axis 0 {
        %x = tile.load "x" : [i: 8, t: 16]
        %y = tile.load "y" : [i: 8, t: 16]
        %o = ssm.add %x, %y : [i: 8, t: 16], [i: 8, t: 16]
        tile.store "o", %o : [i: 8, t: 16]
        tile.yield
      }
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypedArrayAttrBase<Tile_OperandAttr, "operands">:$operands,
                       OptionalAttr<TypeAttrOf<AnyTypeOf<[BF16, F16]>>>:$factor_type,
                       OptionalAttr<StrAttr>:$columns);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name `operands` $operands attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    /// The index of the operand of that name in one of the roles that a load reads (in, param,
    /// state_in, temp, row) or a store writes (out, state_out, temp, row); -1 where there is none.
    int findLoaded(::llvm::StringRef name);
    int findStored(::llvm::StringRef name);
    OperandAttr getOperandAt(int index) { return ::mlir::cast<OperandAttr>(getOperandsAttr()[index]); }
  }];
}

def LoadOp : Op<Tile_Dialect, "load", [DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmResultNames"]>]> {
  let summary = "reads an operand";
  let description = [{
    Reads the operand of the kernel's item, converted from its stored type to the tile's element type.
    A timed operand is read at the steps of the enclosing `tile.sequence` and bears its label; rows
    past the end of the sequence hold any finite value. `part re|im` reads half of a complex operand.
    `row N` reads a `row` operand as it was N rows earlier. `else` gives the value where the operand's
    pointer is null (states), or where there is no such row; without it that value is zero.
    `triangle ["a", "b"]` says that the tile is 0 wherever the position along b is past that along a.

    Laws: (load_c1) the kernel has such an operand; (load_c2) the tile's labels are the operand's
    axes and, for timed operands, the label of the innermost sequence if its tile is longer than 1;
    (load_c3) `row` is at least 1 and reads a `row` operand; (load_c4) `part` reads reals;
    (load_c5) the labels of `else` are the tile's; (load_c6) a timed operand is read in a sequence;
    (load_c7) `triangle` names two different labels of the tile.

    Example: `%k = tile.load "k" : [i: 128, t: 16]`
  }];
  let arguments = (ins StrAttr:$name, DefaultValuedAttr<Tile_Part, "::ssmc::tile::Part::Whole">:$part,
                       OptionalAttr<I64Attr>:$row, OptionalAttr<StrArrayAttr>:$triangle,
                       Optional<SSM_ArrayType>:$otherwise);
  let results = (outs SSM_ArrayType:$result);
  let assemblyFormat = [{
    $name (`part` $part^)? (`row` $row^)? (`triangle` $triangle^)? (`else` $otherwise^ `:` custom<ArrayType>(type($otherwise)) `to`)? attr-dict `:`
    custom<ArrayType>(type($result))
  }];
  let hasVerifier = 1;
}

def StoreOp : Op<Tile_Dialect, "store", []> {
  let summary = "writes an operand";
  let description = [{
    Writes the operand of the kernel's item, converted to its stored type. Rows past the end of the
    sequence are not written; a null pointer (states) is not written. With `rest` what is written is
    what that conversion would leave of the value: two stores so keep twice the digits.

    Laws: (store_c1) the kernel has such an operand; (store_c2) as load_c2;
    (store_c3) `part` writes reals; (store_c4) a timed operand is written in a sequence;
    (store_c5) `rest` is of reals, of which the operand keeps fewer digits than the tile (bf16, f16).

    Example: `tile.store "o", %o : [j: 128, t: 16]`
  }];
  let arguments = (ins StrAttr:$name, DefaultValuedAttr<Tile_Part, "::ssmc::tile::Part::Whole">:$part,
                       SSM_ArrayType:$value, UnitAttr:$rest);
  let assemblyFormat = "$name (`part` $part^)? `,` $value (`rest` $rest^)? attr-dict `:` custom<ArrayType>(type($value))";
  let hasVerifier = 1;
}

def SequenceOp : Op<Tile_Dialect, "sequence", [SingleBlock]> {
  let summary = "walks over the steps of a time axis, a tile at a time";
  let description = [{
    Runs its region for each tile of steps of time axis number `timeAxis`, first to last (last to
    first with `reverse`), and carries values from tile to tile. The last tile may be partial: then
    an `ssm.fold` over the sequence's label stops at its end, and stores write the valid rows alone.
    A sequence of tile 1 adds no label. The attribute `tile.steps` names labels that are steps too, with the positions of
    a step, where no op of the region tells.

    Laws: (sequence_c1) initial values, arguments, yielded values and results agree in number and type;
    (sequence_c2) the time axis's number is not negative and the tile is of at least 1 step.

    Example: `%S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 64, j: 64]) { … }`
  }];
  let arguments = (ins SSM_AxisAttr:$axis, I64Attr:$timeAxis, UnitAttr:$reverse, Variadic<SSM_ArrayType>:$inits);
  let results = (outs Variadic<SSM_ArrayType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Block* getBlock() { return &getBody().front(); }
    int64_t getTileSize() { return getAxis().getSize(); }
    YieldOp getYield();
  }];
}

def YieldOp : Op<Tile_Dialect, "yield", [Pure, Terminator, HasParent<"SequenceOp">]> {
  let summary = "ends a sequence's region";
  let description = [{ Example: `tile.yield %S : [i: 64, j: 64]` }];
  let arguments = (ins Variadic<SSM_ArrayType>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` custom<ArrayTypes>(type($values)))?";
}

#endif // SSMC_TILE_OPS_TD
