// The cost model on kernels that are counted by hand.
#include "Check.h"

#include "dialects/Tile/Tile.h"
#include "ssmc/Target/CPUCost.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Parser/Parser.h"

using namespace ssmc;
using namespace ssmc::test;

static const cpu::TargetSpec wide = {"x86_64-unknown-linux-gnu", "+avx512f,+avx2,+fma"};
static const cpu::TargetSpec narrow = {"x86_64-unknown-linux-gnu", "+avx2,+fma"};

static cpu::Cost costOf(const char* text, const cpu::TargetSpec& target, cpu::CallSizes sizes) {
  mlir::MLIRContext context;
  context.loadDialect<ssm::SSMDialect, tile::TileDialect>();
  mlir::OwningOpRef<mlir::ModuleOp> module =
      mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  CHECK(module);
  std::optional<cpu::Cost> cost = cpu::predict(*module, target, cpu::Machine::of(target), sizes);
  CHECK(cost);
  return cost.value_or(cpu::Cost());
}

/// A sum and an exponential of 64 numbers at each step.
static const char* pointwise = R"(
tile.kernel @pointwise operands [#tile.operand<"x" in [i: 64] f32 head>,
                                 #tile.operand<"y" in [i: 64] f32 head>,
                                 #tile.operand<"o" out [i: 64] f32 head>] {
  tile.sequence over [t: 16] axis 0 {
    %x = tile.load "x" : [i: 64, t: 16]
    %y = tile.load "y" : [i: 64, t: 16]
    %s = ssm.add %x, %y : [i: 64, t: 16], [i: 64, t: 16]
    %e = ssm.exp %s : [i: 64, t: 16]
    tile.store "o", %e : [i: 64, t: 16]
    tile.yield
  }
}
)";

/// A decayed sum of outer products, read out: 5 operations on each of the state's 32 * 64 elements.
static const char* recurrence = R"(
tile.kernel @recurrence operands [
    #tile.operand<"k" in [i: 32] f32 head>, #tile.operand<"v" in [j: 64] f32 head>,
    #tile.operand<"S" state_in [i: 32, j: 64] f32 head>,
    #tile.operand<"S" state_out [i: 32, j: 64] f32 head>,
    #tile.operand<"o" out [j: 64] f32 head>] {
  %c = ssm.constant 0.5
  %S0 = tile.load "S" : [i: 32, j: 64]
  %S1 = tile.sequence over [t: 16] axis 0 carry(%S = %S0 : [i: 32, j: 64]) {
    %k = tile.load "k" : [i: 32, t: 16]
    %v = tile.load "v" : [j: 64, t: 16]
    %r:2 = ssm.fold over [t: 16] carry(%P = %S : [i: 32, j: 64]) {
      %kt = ssm.at %k "t" : [i: 32, t: 16]
      %vt = ssm.at %v "t" : [j: 64, t: 16]
      %d = ssm.mul %c, %P : [], [i: 32, j: 64]
      %b = ssm.mul %kt, %vt : [i: 32], [j: 64]
      %n = ssm.add %d, %b : [i: 32, j: 64], [i: 32, j: 64]
      %m = ssm.mul %kt, %n : [i: 32], [i: 32, j: 64]
      %o = ssm.sum %m over [i] : [i: 32, j: 64]
      ssm.yield %n, %o : [i: 32, j: 64], [j: 64]
    }
    tile.store "o", %r#1 : [j: 64, t: 16]
    tile.yield %r#0 : [i: 32, j: 64]
  }
  tile.store "S", %S1 : [i: 32, j: 64]
}
)";

TEST(pointwiseKernelsAreCountedExactly) {
  cpu::Cost cost = costOf(pointwise, wide, {2, 1, {320, 1}});
  CHECK_NEAR(cost.functions, 64.0 * 320 * 2);
  CHECK(cost.operations > 10 * cost.functions); // The exponential is a polynomial.
  // Three arrays pass once; what is in no cache comes from memory.
  CHECK(cost.farBytes >= 3 * 4 * 64.0 * 320 * 2);
  CHECK(cost.nearBytes >= cost.farBytes && cost.nearBytes < 3 * cost.farBytes);
}

TEST(costsGrowWithStepsAndHeads) {
  cpu::Cost one = costOf(recurrence, wide, {2, 1, {512, 1}});
  cpu::Cost longer = costOf(recurrence, wide, {2, 1, {2048, 1}});
  cpu::Cost more = costOf(recurrence, wide, {8, 1, {512, 1}});
  CHECK(longer.cycles > 3.5 * one.cycles && longer.cycles < 4.5 * one.cycles);
  CHECK(more.cycles > 3.5 * one.cycles && more.cycles < 4.5 * one.cycles);
  // 5 operations an element, besides what the readout's blocks add up.
  double elements = 32.0 * 64 * 512 * 2;
  CHECK(one.operations > 4.5 * elements && one.operations < 6 * elements);
}

TEST(narrowVectorsTakeLonger) {
  cpu::Cost sixteen = costOf(recurrence, wide, {2, 1, {512, 1}});
  cpu::Cost eight = costOf(recurrence, narrow, {2, 1, {512, 1}});
  CHECK(eight.cycles > sixteen.cycles);
}

TEST(machinesFollowFromFeatures) {
  CHECK(cpu::Machine::of(wide).lanes == 16);
  CHECK(cpu::Machine::of(narrow).lanes == 8);
  CHECK(cpu::Machine::of(wide).bf16MultiplyAdds == 0);
  cpu::TargetSpec tiles = wide;
  tiles.features += ",+avx512bf16,+avx512vl,+amx-tile,+amx-bf16";
  CHECK(cpu::Machine::of(tiles).bf16MultiplyAdds > 0);
}
