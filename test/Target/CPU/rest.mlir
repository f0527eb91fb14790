// What rounding leaves of a value is written by targets whose products read it; this one says that it does not.
// RUN: ssmc-opt %s --lower-tile-to-loops -verify-diagnostics

tile.kernel @rest operands [#tile.operand<"x" in [i: 16] f32 head>, #tile.operand<"o" out [i: 16] bf16 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 16, t: 16]
    // expected-error @below {{'tile.store' op writes what rounding leaves, which this target does not}}
    tile.store "o", %x rest : [i: 16, t: 16]
    tile.yield
  }
}
