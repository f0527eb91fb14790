// The compiler's command line; all of it lies in lib/Driver.
#include "ssmc/Driver/Driver.h"

#include "llvm/Support/thread.h"

int main(int argc, char** argv) {
  // Declarations are trees as deep as their author writes them: a chain of a thousand lets is
  // walked by recursion. The room is reserved, not used.
  constexpr unsigned stackBytes = 1u << 29;
  int code = 0;
  llvm::thread worker(std::optional<unsigned>(stackBytes),
                      [&] { code = ssmc::driver::runDriver(argc, argv); });
  worker.join();
  return code;
}
