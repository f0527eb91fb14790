/// The `tile` dialect: kernels over static tiles of labelled arrays; see TileOps.td.
#pragma once

#include "dialects/SSM/SSM.h"

#include "dialects/Tile/TileDialect.h.inc"
#include "dialects/Tile/TileEnums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Tile/TileAttrs.h.inc"

namespace ssmc::tile {
class YieldOp;
} // namespace ssmc::tile

#define GET_OP_CLASSES
#include "dialects/Tile/TileOps.h.inc"
