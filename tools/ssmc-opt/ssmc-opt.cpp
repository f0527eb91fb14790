// Runs any pass of ours and of upstream's on textual IR.
#include "dialects/Tile/Tile.h"
#include "ssmc/Target/CPU.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char** argv) {
  mlir::registerAllPasses();
  ssmc::cpu::registerPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  registry.insert<ssmc::ssm::SSMDialect, ssmc::tile::TileDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "ssmc optimiser driver\n", registry));
}
