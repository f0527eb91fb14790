// Enumerations of the `tile` dialect, apart so that those of `ssm` are not generated twice.
#ifndef SSMC_TILE_ENUMS_TD
#define SSMC_TILE_ENUMS_TD

include "mlir/IR/EnumAttr.td"

def Tile_Role : I32EnumAttr<"Role", "what an operand of a kernel is",
    [I32EnumAttrCase<"In", 0, "in">, I32EnumAttrCase<"Param", 1, "param">,
     I32EnumAttrCase<"StateIn", 2, "state_in">, I32EnumAttrCase<"StateOut", 3, "state_out">,
     I32EnumAttrCase<"Out", 4, "out">, I32EnumAttrCase<"Temp", 5, "temp">,
     I32EnumAttrCase<"Row", 6, "row">, I32EnumAttrCase<"ChunkTemp", 7, "chunk_temp">]> {
  let cppNamespace = "::ssmc::tile";
}

def Tile_Part : I32EnumAttr<"Part", "which half of a complex operand",
    [I32EnumAttrCase<"Whole", 0, "whole">, I32EnumAttrCase<"Re", 1, "re">,
     I32EnumAttrCase<"Im", 2, "im">]> {
  let cppNamespace = "::ssmc::tile";
}

#endif // SSMC_TILE_ENUMS_TD
