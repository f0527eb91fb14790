// Runs any pass of ours, of the tests' and of upstream's on textual IR.
#include "dialects/Tile/Tile.h"
#include "ssmc/Analysis/Passes.h"
#include "ssmc/Derive/Passes.h"
#include "ssmc/Schedule/Schedule.h"
#include "ssmc/Target/CPU.h"
#include "ssmc/Target/CUDA.h"
#include "ssmc/Target/Vulkan.h"
#include "test/lib/TestPasses.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char** argv) {
  mlir::registerAllPasses();
  ssmc::analysis::registerPasses();
  ssmc::derive::registerPasses();
  ssmc::schedule::registerPasses();
  ssmc::cpu::registerPasses();
  ssmc::cuda::registerPasses();
  ssmc::vulkan::registerPasses();
  ssmc::test::registerTestPartials();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<ssmc::ssm::SSMDialect, ssmc::tile::TileDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "ssmc optimiser driver\n", registry));
}
