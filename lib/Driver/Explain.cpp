#include "Commands.h"
#include "OptionTable.h"
using namespace llvm;
using namespace ssmc;
using namespace ssmc::driver;

Expected<int> driver::explainCommand(const Options& options, Console& console) {
  return notAvailable("explain");
}
