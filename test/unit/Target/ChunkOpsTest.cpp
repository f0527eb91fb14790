// Each op over the steps of a chunk computes what its description says: as the target computes it,
// and written as loops by expandSteps. The last chunk is full, or not, or the only one.
#include "ChunkOpsCases.h"

#include "dialects/Tile/Tile.h"
#include "ssmc/Derive/Passes.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <cstdio>

using namespace ssmc;
using namespace ssmc::test;

/// The text with ops over steps written as loops, but for those that `keep` holds for.
static std::string expanded(const std::string& text,
                            llvm::function_ref<bool(mlir::Operation*)> keep) {
  mlir::DialectRegistry registry;
  registry.insert<ssm::SSMDialect, tile::TileDialect>();
  mlir::MLIRContext context(registry, mlir::MLIRContext::Threading::DISABLED);
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
  if (!module)
    return {};
  derive::expandSteps(*module, keep);
  std::string result;
  llvm::raw_string_ostream(result) << *module;
  return result;
}

int main(int argc, char** argv) {
  std::string only = argc > 1 ? argv[1] : "";
  auto targets = targetsHere();
  int failures = 0, count = 0;
  auto run = [&](const ChunkCase& test, const std::string& kind, const std::string& text,
                 int64_t steps, size_t target) {
    Case made = interpretedCase(test.name + " " + kind + " T=" + std::to_string(steps), text,
                                {1, 2, 1, steps, 1});
    made.reference = test.reference;
    ++count;
    failures += runCase(made, targets[target]);
  };
  size_t host = targets.size() - 1;
  for (const ChunkCase& test : chunkCases()) {
    if (test.name.find(only) == std::string::npos)
      continue;
    std::string own = expanded(test.text, cpu::lowersSteps);
    std::string loops = expanded(test.text, [](mlir::Operation*) { return false; });
    for (int64_t steps : {5 * chunkSteps, 5 * chunkSteps - 3, chunkSteps + 1, chunkSteps - 1}) {
      run(test, "own", own, steps, host);
      run(test, "loops", loops, steps, host);
    }
    for (size_t target = 0; target < host; ++target)
      run(test, "own", own, 5 * chunkSteps - 3, target);
  }
  std::printf("%d cases, %d failures\n", count, failures);
  return failures || !count;
}
