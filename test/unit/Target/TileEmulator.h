/// The instructions of AMX on a machine without them, one illegal instruction at a time: slow, but
/// what the compiler makes for tiles can be run wherever AVX512_BF16 is.
#pragma once

namespace ssmc::test {

/// From now on TILELOADD, TILESTORED, TILEZERO, TDPBF16PS, LDTILECFG and TILERELEASE
/// work in this process, in 64-bit code and for tiles of 16 rows of 64 bytes.
/// Linux on x86-64 alone; false elsewhere.
bool emulateTiles();

} // namespace ssmc::test
