// The compiler's command line; all of it lies in lib/Driver.
#include "ssmc/Driver/Driver.h"

int main(int argc, char** argv) {
  return ssmc::driver::runDriver(argc, argv);
}
