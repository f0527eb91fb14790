// Sizes from shapes, and what is refused.
#include "Fixture.h"

using namespace ssmc;
using namespace ssmc::test;
using runtime::DType;

static const char* body = R"(
  %q = ssm.in "q" [j, i] : [i: K, j: V]
  %B = ssm.in "B" [s] scope(group) : [s: J]
  %A = ssm.in "A" [] param : []
  ssm.state "S" [i, j] : [i: K, j: V]
  %p = ssm.prev "S" by [2] : [i: K, j: V]
  %0 = ssm.mul %A, %p : [], [i: K, j: V]
  %S = ssm.add %0, %q : [i: K, j: V], [i: K, j: V]
  ssm.update "S", %S : [i: K, j: V]
  ssm.out "o" [i, j], %S : [i: K, j: V]
)";

static ssm::InOp operand(Program& program, llvm::StringRef name) {
  for (ssm::InOp in : program.recurrence.getBlock()->getOps<ssm::InOp>())
    if (in.getName() == name)
      return in;
  return {};
}

TEST(layouts) {
  Program program(body);
  CHECK(formatLayout(reference::layoutOf(operand(program, "q"))) == "[B, t, H, V, K]");
  CHECK(formatLayout(reference::layoutOf(operand(program, "B"))) == "[B, t, G, J]");
  CHECK(formatLayout(reference::layoutOf(operand(program, "A"))) == "[H]");
  CHECK(formatLayout(reference::layoutOf(program.recurrence.getState("S"))) == "[B, H, K, V]");
  Program plane("%s = ssm.in \"s\" [] scope(shared) : []\nssm.out \"o\" [], %s : []", "y, x");
  CHECK(formatLayout(reference::layoutOf(operand(plane, "s"))) == "[B, y, x]");
}

TEST(sizesAreLearnt) {
  Program program(body);
  reference::Sizes sizes;
  auto learn = [&](const char* name, llvm::ArrayRef<int64_t> shape) {
    return learnSizes(reference::layoutOf(operand(program, name)), shape,
                      std::string("operand '") + name + "'", program.recurrence, sizes);
  };
  CHECK_ERROR(reference::checkSizes(program.recurrence, sizes), "0 sizes are known");
  CHECK(!learn("q", {2, 7, 4, 3, 5}));
  CHECK(sizes.batch == 2 && sizes.time[0] == 7 && sizes.heads == 4);
  CHECK(sizes.dims["V"] == 3 && sizes.dims["K"] == 5);
  CHECK_ERROR(learn("B", {2, 8, 2, 2}),
              "operand 'B' has shape [2, 8, 2, 2] for [B, t, G, J]: 8 for time axis "
              "'t', which is 7");
  CHECK_ERROR(learn("B", {2, 7, 2}), "expected 4 axes [B, t, G, J]");
  CHECK_ERROR(reference::checkSizes(program.recurrence, sizes),
              "groups G of operand 'B' have no size");
  CHECK(!learn("B", {2, 7, 3, 9}));
  CHECK(sizes.dims["J"] == 9);
  CHECK_ERROR(reference::checkSizes(program.recurrence, sizes),
              "3 groups of operand 'B' do not divide 4 heads");
  sizes.groups = 2;
  CHECK(!reference::checkSizes(program.recurrence, sizes));
  sizes.dims["Z"] = 1;
  CHECK_ERROR(reference::checkSizes(program.recurrence, sizes), "no dim 'Z'");
}

static runtime::ArrayMap operands() {
  return mapOf({{"q", arrayOf({1, 1, 1, 1, 2}, {1, 2})},
                {"B", arrayOf({1, 1, 1, 2}, {1, 2})},
                {"A", arrayOf({1}, {1})}});
}

TEST(badOperands) {
  Program program(body);
  auto refuse = [&](auto change, const char* message) {
    reference::Sizes sizes = sizesOf({1}, 2, 1);
    runtime::ArrayMap arrays = operands(), states;
    change(sizes, arrays, states);
    CHECK_ERROR(program.run(sizes, arrays, states), message);
  };
  using reference::Sizes;
  using runtime::ArrayMap;
  refuse([](Sizes&, ArrayMap& a, ArrayMap&) { a.erase("B"); }, "operand 'B' is missing");
  refuse([](Sizes&, ArrayMap& a, ArrayMap&) { a.emplace("z", arrayOf({}, {1})); },
         "no operand 'z'; it has 'q', 'B', 'A'");
  refuse([](Sizes&, ArrayMap& a, ArrayMap&) { a["A"] = arrayOf({2}, {1, 1}); },
         "operand 'A' has shape [2], expected [1], which is [H]");
  refuse([](Sizes&, ArrayMap& a, ArrayMap&) { a["A"] = arrayOf({1}, {1, 1}, DType::Complex64); },
         "operand 'A' holds complex64 numbers, expected real ones");
  refuse([](Sizes& s, ArrayMap&, ArrayMap&) { s.dims.erase("K"); }, "dim 'K' has no size");
  refuse([](Sizes& s, ArrayMap&, ArrayMap&) { s.batch = -1; }, "batch B has no size");
  refuse([](Sizes& s, ArrayMap&, ArrayMap&) { s.groups = 0; }, "0 groups");
  refuse([](Sizes& s, ArrayMap&, ArrayMap&) { s.time = {1, 1}; }, "1 time axes, 2 sizes");
  refuse([](Sizes&, ArrayMap&, ArrayMap& s) { s.emplace("T", arrayOf({}, {1})); },
         "no state 'T'; it has 'S', 'S~2'");
  refuse([](Sizes&, ArrayMap&, ArrayMap& s) { s.emplace("S~2", arrayOf({1, 1, 1, 2}, {1, 2})); },
         "state 'S~2' has shape [1, 1, 1, 2], expected [1, 1, 2, 1], which is [B, H, K, V]");
}

TEST(hugeSizesAreRefused) {
  Program program(R"(
    %x = ssm.in "x" [] param : []
    %y = ssm.broadcast %x : [] to [i: K, j: V]
    %s = ssm.sum %y over [i, j] : [i: K, j: V]
    ssm.out "o" [], %s : []
  )");
  auto x = mapOf({{"x", arrayOf({1}, {1})}});
  CHECK_ERROR(program.run(sizesOf({1}, 1ll << 40, 1ll << 40), x), "the reference needs");
  CHECK_ERROR(program.run(sizesOf({1ll << 60}), x), "bytes");
  CHECK_ERROR(program.run(sizesOf({1ll << 40}), x), "this machine has");
}

TEST(emptyBatchesAndHeads) {
  Program program("%x = ssm.in \"x\" [] : []\nssm.out \"o\" [], %x : []");
  auto results = UNWRAP(
      program.run({0, {3}, 2, 1, {{"K", 1}, {"V", 1}}}, mapOf({{"x", arrayOf({0, 3, 2}, {})}})));
  CHECK_ARRAY(results.outputs, "o", {});
}

TEST(derivedFormsAreNotInterpreted) {
  Program program(R"(
    %g = ssm.in "g" [] : []
    ssm.state "S" [] : []
    %S = ssm.system plus_times ["S"] {
      ssm.stage {
        ssm.decay "S" from "S" by [1] log(%g : [])
      }
    } : []
  )");
  CHECK_ERROR(program.run(sizesOf({1}), mapOf({{"g", arrayOf({1, 1, 1}, {1})}})),
              "'ssm.system' is no part of one");
}
